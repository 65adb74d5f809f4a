//! Fourteen ways to stall, for real go through the front, and for real go, git and curl through the
//! loopback proxy: each command ends, and a code is in its standard error.
//!
//! What a channel can carry (measured with go 1.27, git 2.47 and curl 7.88): through the front everything,
//! because the answer is ours; through the proxy the reason phrase of CONNECT, which go prints, git shows only
//! after a 407, and curl with `-v`; within a tunnel nothing. So gocred writes a line to the standard error of
//! the program itself.
//!
//! All of them run at the same time, beside other tests: the time limits are most of what it costs.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{
    goproxy_lab::{ALLOW, DEP, Front, Gopher, LIB, front_of_lab, prepared},
    proxy_lab::{Next, Upstream, report},
    support::{
        eventually,
        go::Release,
        home::{HELPER, Home, Output},
        lab::Lab,
        program,
        stall::{HOST, PROXY_HOST, Stall, Staller},
    },
};

/// How long a command may take through the front, and through the proxy (issue 5).
const BY_FRONT: Duration = Duration::from_secs(35);
const BY_PROXY: Duration = Duration::from_secs(60);
/// When one that hangs is ended; more than the limits by what a busy machine may add.
const HANGS: Duration = Duration::from_secs(75);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    GoByFront,
    Go,
    Git,
    Curl,
}

/// A command that ran into a stall.
struct Cell {
    stall: Stall,
    client: Client,
    output: Result<Output, String>,
}

impl Cell {
    /// What is wrong with how it ended.
    fn fault(&self) -> Option<String> {
        let Self { stall, client, output } = self;
        let output = match output {
            Ok(output) => output,
            Err(error) => return Some(format!("{stall:?} {client:?}: {error}")),
        };
        let limit = if *client == Client::GoByFront { BY_FRONT } else { BY_PROXY };
        let mut faults = Vec::new();
        if output.code == Some(0) {
            faults.push("it says that all went well".to_owned());
        }
        if output.took > limit {
            faults.push(format!("it took {:.0} s", output.took.as_secs_f32()));
        }
        let said = output.err();
        // go shows the reason phrase, or the answer, within a line of its own.
        let is_go = matches!(client, Client::GoByFront | Client::Go);
        let tells = |line: &str| {
            let line = line.trim_start();
            line.starts_with("gocred[") || (is_go && line.contains(": gocred["))
        };
        if !said.lines().any(tells) {
            faults.push("no code".to_owned());
        }
        let said: String =
            said.chars().rev().take(700).collect::<Vec<_>>().into_iter().rev().collect();
        (!faults.is_empty()).then(|| format!("{stall:?} {client:?}: {}\n{said}", faults.join(", ")))
    }
}

/// A stall with the daemon in front of it.
struct Scene {
    stall: Stall,
    server: Staller,
    home: Home,
    front: Front,
    /// The module proxy.
    url: String,
}

impl Scene {
    fn set(lab: &Path, stall: Stall) -> Self {
        let server = Staller::start(lab, stall);
        let home = Home::new();
        let (url, upstream) = if stall.is_of_proxy() {
            let upstream = format!("upstream = [\"http://{PROXY_HOST}:{}\"]\n", server.port());
            ("https://cdn.corp.test".to_owned(), upstream)
        } else {
            (format!("https://{HOST}:{}", server.port()), String::new())
        };
        home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}{upstream}"));
        home.write(".gitconfig", format!("[credential]\n\thelper = {HELPER}\n"));
        let run = home.gocred().env("SSL_CERT_FILE", lab.join("ca.pem"));
        let front = Front::start(&prepared(run, &url));
        Self { stall, server, home, front, url }
    }

    fn run(&self, lab: &Path, gopher: &Gopher, client: Client) -> Output {
        let authority = lab.join("ca.pem");
        let proxy = format!("http://{}", self.front.proxy);
        let run = match client {
            Client::GoByFront => gopher.downloading(&self.front.url, &[LIB]),
            Client::Go => gopher
                .downloading(&self.url, &[LIB])
                .env("HTTPS_PROXY", proxy)
                .env("SSL_CERT_FILE", authority),
            Client::Git => self
                .home
                .run("git")
                .args(["-c", &format!("http.proxy=http://gocred@{}", self.front.proxy)])
                .args(["ls-remote", &format!("{}/team/lib.git", self.url)])
                .env("GIT_TERMINAL_PROMPT", "0")
                .env("GIT_SSL_CAINFO", authority),
            Client::Curl => {
                let curl = self.home.run("curl").args(["-sS", "-o", "/dev/null", "--proxy"]);
                let curl = curl.arg(proxy).arg("--cacert").arg(authority);
                curl.arg(format!("{}/{LIB}/@v/v1.0.0.info", self.url))
            }
        };
        run.limit(HANGS).output()
    }
}

#[test]
fn whatever_stalls_every_command_ends_and_says_why() {
    let Some(lab) = Lab::beside() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    for (name, package) in [("git", "git"), ("curl", "curl")] {
        let Some(_) = program(name, package) else { return };
    }
    let scenes: Vec<Scene> = Stall::ALL.into_iter().map(|stall| Scene::set(&lab, stall)).collect();
    let (lab, gopher) = (&lab, &gopher);
    let cells: Vec<Cell> = thread::scope(|scope| {
        let mut running = Vec::new();
        for scene in &scenes {
            for client in [Client::GoByFront, Client::Go, Client::Git, Client::Curl] {
                let run = scope.spawn(move || scene.run(lab, gopher, client));
                running.push((scene.stall, client, run));
            }
        }
        let end = |(stall, client, run): (_, _, thread::ScopedJoinHandle<'_, Output>)| {
            let output = run.join().map_err(|_| format!("still there after {HANGS:?}"));
            Cell { stall, client, output }
        };
        running.into_iter().map(end).collect()
    });
    let faults: Vec<String> = cells.iter().filter_map(Cell::fault).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cells.len(), faults.join("\n---\n"));
    for Scene { stall, server, home, .. } in &scenes {
        let is_deaf = matches!(stall, Stall::Syn | Stall::ProxySyn);
        assert!(is_deaf || server.connections() > 0, "nobody asked {stall:?}");
        if stall.is_in_tunnel() {
            eventually(&format!("the finding of {stall:?}"), || {
                let told = report(home).pointer("/findings").map(ToString::to_string);
                told.unwrap_or_default().contains("gocred[H0").then_some(())
            });
        }
    }
}

/// A go keeps the tunnel for later while its compilers run. That it is closed then is nobody's affair.
#[test]
fn a_go_whose_compilers_run_hears_nothing_of_a_tunnel_that_it_keeps() {
    let Some(lab) = Lab::beside() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let home = Home::new();
    let front = front_of_lab(&home, &lab, "off");
    let run = gopher
        .go("https://cdn.corp.test")
        .env("HTTPS_PROXY", format!("http://{}", front.proxy))
        .env("SSL_CERT_FILE", lab.join("ca.pem"))
        .env("GOFLAGS", "-mod=mod -modcacherw")
        .limit(HANGS * 3);
    let folder = run.command().get_current_dir().expect("a folder").to_owned();
    let (begun, over) = (folder.join("wait.begun"), folder.join("wait.over"));
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("a file");
    write("go.mod", format!("module example.test/app\n\ngo 1.18\n\nrequire {LIB} v1.0.0\n"));
    write("app.go", format!("package app\n\nimport _ {LIB:?}\n"));
    // Nothing of the standard library is compiled: the other test here needs the processor.
    let waits = ": >\"$0.begun\"\nwhile [ ! -e \"$0.over\" ]; do sleep 0.05; done\nexec \"$@\"\n";
    write("wait", format!("#!/bin/sh\n{waits}"));
    let tool = folder.join("wait");
    std::fs::set_permissions(&tool, Permissions::from_mode(0o700)).expect("a mode");
    let run = run.args(["build", "-toolexec"]).arg(&tool).arg(".");
    let open = || report(&home)["tunnels_open"].as_u64().expect("a number");
    let output = thread::scope(|scope| {
        let output = scope.spawn(|| run.output());
        wait_until("a compiler runs", || begun.exists());
        assert_eq!(open(), 1);
        wait_until("the tunnel is closed", || open() == 0);
        std::fs::write(&over, "").expect("a file");
        output.join().expect("an end")
    });
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.err().contains("gocred["), "{output:?}");
    assert!(!report(&home).to_string().contains("gocred[H0"), "{}", report(&home));
}

/// Waits for longer than a silent tunnel has.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < HANGS, "{what}: not within {HANGS:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// With the limits as they are, and whatever the list: go waits once.
#[test]
fn a_list_keeps_go_waiting_no_longer_than_one_that_hangs() {
    let Some(lab) = Lab::beside() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let run = |stalls: &[Stall], end: &str, modules: &[&str]| {
        let stallers: Vec<_> = stalls.iter().map(|stall| Staller::start(&lab, *stall)).collect();
        let urls = stallers.iter().map(|one| format!("https://{HOST}:{}|", one.port()));
        let list = urls.collect::<String>() + end;
        let home = Home::new();
        let front = front_of_lab(&home, &lab, list.trim_end_matches('|'));
        gopher.downloading(&front.url, modules).limit(HANGS * 2).output()
    };
    let (first, all) = thread::scope(|scope| {
        // Each of six requests would wait for the first.
        let first = scope.spawn(|| run(&[Stall::Head], "https://cdn.corp.test", &[DEP, LIB]));
        let all = [Stall::Head, Stall::Accept, Stall::HalfHead, Stall::Syn];
        let all = scope.spawn(move || run(&all, "", &[LIB]));
        (first.join().expect("an end"), all.join().expect("an end"))
    });
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.took <= BY_FRONT, "{:?}", first.took);
    assert_eq!(all.code, Some(1), "{all:?}");
    assert!(all.err().contains("gocred["), "{all:?}");
    assert!(all.took <= BY_FRONT, "{:?}", all.took);
}

/// What has reached go cannot be explained in the answer any more: it gets a reset, and the finding on its
/// standard error and in the report.
#[test]
fn a_zip_that_stops_half_way_ends_and_says_why() {
    let Some(lab) = Lab::beside() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    for (stops, code) in [(true, "H02"), (false, "M12")] {
        let modules = lab.join("modules");
        let server = Upstream::start(move |client, head| {
            let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length:";
            if !path.contains("v1.0.0.zip") {
                let bytes = std::fs::read(modules.join(path)).unwrap_or_default();
                client.send(format!("{answer} {}\r\n\r\n", bytes.len()));
                client.send(bytes);
                return Next::Again;
            }
            client.send(format!("{answer} 2000000\r\n\r\nPK\x03\x04"));
            client.send(vec![0; 1_000_000]);
            if stops {
                client.until_end();
            }
            Next::Close
        });
        let home = Home::new();
        // 30 s otherwise.
        let limit = "[goproxy]\nidle_timeout = \"2s\"\n";
        home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}\n{limit}"));
        let front = Front::start(&prepared(home.gocred(), &server.url()));
        let output = gopher.download(&front.url, &[LIB]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.took < Duration::from_secs(15), "{:?}", output.took);
        assert!(output.err().contains(&format!("gocred[{code}]: ")), "{output:?}");
        eventually(&format!("{code} in {}", report(&home)), || {
            report(&home).to_string().contains(&format!("gocred[{code}]")).then_some(())
        });
    }
}
