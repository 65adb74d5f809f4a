//! The module proxy front as it is configured and watched: keys and flags, what it gets of the store,
//! a reload, the socket of a service manager, `proxy status`, `proxy top` and `env`.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use gocred::{
    core::{
        credential::{Key, Kind, Proof, Secrets},
        origin::Origin,
    },
    store,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    config::{PROPERLY, with_system},
    proxy_lab::{Client, Next, Upstream, report, status},
    service::session,
    support::{
        eventually,
        go::Release,
        home::{GOCRED, Home, Run},
        keyring::Keyring,
        program,
        terminal::Terminal,
    },
};

/// What the module proxies here have.
pub(crate) const LIST: &str = "/m.test/x/@v/list";
/// How long the daemon may take to start, on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A running `gocred proxy run` with a front.
pub(crate) struct Front {
    child: Child,
    /// What its line says: `http://127.0.0.1:PORT`.
    url: String,
}

impl Front {
    /// Starts what was prepared, and waits for the front's line.
    pub(crate) fn start(run: &Run) -> Self {
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().expect("gocred proxy run");
        let mut front = Self { child, url: String::new() };
        let stdout = front.child.stdout.take().expect("stdout");
        let (told, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        let mut said = Vec::new();
        while let Ok(line) = lines.recv_timeout(START) {
            if let Some(url) = line.strip_prefix("goproxy on ") {
                url.clone_into(&mut front.url);
                return front;
            }
            said.push(line);
        }
        panic!("the front does not start: {said:?}");
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or(&self.url)
    }

    /// Asks it, and returns the whole answer.
    pub(crate) fn get(&self, path: &str) -> String {
        get(&self.url, path)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks what stands in GOPROXY; returns the whole answer.
fn get(url: &str, path: &str) -> String {
    let rest = url.strip_prefix("http://").expect("http");
    let (address, before) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let mut client = Client::to(address.parse().expect("an address"));
    client.send(format!(
        "GET {before}{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    ));
    client.until_end()
}

/// A module proxy with one module, of this version.
fn modules(version: &'static str) -> Upstream {
    Upstream::start(move |client, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (kind, body) = match path.rsplit('/').next().unwrap_or_default() {
            _ if !path.starts_with("/m.test/x/@v/") => ("", String::new()),
            "list" => ("text/plain", format!("{version}\n")),
            file if file == format!("{version}.info") => {
                ("application/json", format!("{{\"Version\":\"{version}\"}}"))
            }
            file if file == format!("{version}.mod") => {
                ("text/plain", "module m.test/x\n".to_owned())
            }
            _ => ("", String::new()),
        };
        let status = if kind.is_empty() { "404 Not Found" } else { "200 OK" };
        client.send(format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        Next::Again
    })
}

/// Prepares a proxy with both listeners on free ports.
pub(crate) fn prepared(run: Run) -> Run {
    run.args(["proxy", "run", "--listen", "127.0.0.1:0", "--goproxy", "127.0.0.1:0"])
}

/// Stores a secret of ana for a module proxy in clear text, as `login` does.
fn save(home: &Home, keyring: &Keyring, upstream: &Upstream, password: &str) {
    let (origin, _) = Origin::from_url(&upstream.url()).expect("a URL");
    let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
    let record = store::record(key, Secrets::of(Proof::Password(password.into())), None, 1);
    let mut open = keyring.open();
    open.save(&record).expect("stored");
    store::index::learn(&home.state().join("gocred"), &mut *open).expect("indexed");
}

#[test]
fn the_flags_begin_a_front_and_every_report_has_it() {
    let (home, upstream) = (Home::new(), modules("v1.2.3"));
    let list = format!("{},direct", upstream.url());
    let front = Front::start(&prepared(home.gocred()).args(["--goproxy-upstream", &list]));
    let answer = front.get(LIST);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("v1.2.3\n"), "{answer}");
    // What nobody has is for go's own `direct`.
    assert_eq!(status(&front.get("/m.test/other/@v/list")), "404");
    let said = home.gocred().args(["proxy", "status"]).output().success();
    assert!(said.contains(&format!("\ngoproxy on {}\n", front.url)), "{said}");
    assert!(said.contains(&format!("\nmodule proxy {}: ", upstream.url())), "{said}");
    assert!(said.contains("\nmodules: 0 under way; so far 2 requests, "), "{said}");
    // `direct` is nobody that it asks.
    assert!(said.contains("\nwhat no module proxy has: go's own `direct`"), "{said}");
    let report = report(&home);
    let (asked, then) = (&report["goproxy"]["upstreams"], &report["goproxy"]["then"]);
    assert_eq!((asked.as_array().map(Vec::len), then), (Some(1), &"direct".into()), "{report}");
    let totals = &report["goproxy"]["totals"];
    assert_eq!(totals["requests"], 2, "{report}");
    // Nobody watches: the table once.
    let top = home.gocred().args(["proxy", "top"]).output().success();
    assert!(top.starts_with("0 under way; so far 2 requests, "), "{top}");
    // In no terminal and with nobody to show a secret to, go's own file says where the front is.
    let env = home.gocred().arg("env").output().success();
    assert!(!env.contains("GOPROXY"), "{env}");
}

#[test]
fn a_host_gets_what_is_stored_for_it_in_its_own_field_and_it_is_written_down() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, upstream, other) = (Home::new(), modules("v1.2.3"), modules("v9.9.9"));
    save(&home, &keyring, &upstream, "hunter2");
    let text = format!(
        "[goproxy]\nupstream = \"{},{}\"\n[host.\"{}\"]\nheader = \"X-JFrog-Art-Api\"\n",
        upstream.url(),
        other.url(),
        upstream.address
    );
    home.write(".config/gocred/config.toml", text);
    let run = prepared(home.gocred()).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    let front = Front::start(&run);
    assert!(front.get(LIST).ends_with("v1.2.3\n"));
    let heads = upstream.heads();
    let head = heads.first().expect("a request").to_ascii_lowercase();
    assert!(head.contains("\r\nx-jfrog-art-api: hunter2\r\n"), "{head}");
    assert!(!head.contains("\r\nauthorization:"), "{head}");
    // The other one has nothing stored, and gets nothing.
    assert_eq!(status(&front.get("/m.test/other/@v/list")), "404");
    let heads = other.heads();
    let head = heads.first().expect("a request");
    assert!(!head.contains("hunter2") && !head.to_ascii_lowercase().contains("authorization"));
    let audit = fs::read_to_string(home.state().join("gocred/audit.jsonl")).expect("an audit");
    assert!(audit.contains("\"via\":\"goproxy\"") && audit.contains("\"user\":\"ana\""), "{audit}");
    assert!(!audit.contains("hunter2"), "{audit}");
    let report = report(&home).to_string();
    assert!(!report.contains("hunter2"), "{report}");
}

#[test]
fn a_locked_store_is_said_to_go_and_stops_no_host_that_needs_nothing() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let (home, open) = (Home::new(), modules("v9.9.9"));
    let upstream = Upstream::saying(
        "HTTP/1.1 401 no\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
    );
    save(&home, &keyring, &upstream, "hunter2");
    keyring.lock();
    let bus = keyring.address();
    let start = |list: &str| {
        let run = prepared(home.gocred()).env("DBUS_SESSION_BUS_ADDRESS", &bus);
        Front::start(&run.args(["--goproxy-upstream", list]))
    };
    let front = start(&upstream.url());
    let answer = front.get(LIST);
    assert!(answer.contains("gocred[K05]") && answer.contains("gocred unlock"), "{answer}");
    assert!(!matches!(status(&answer), "200" | "404" | "410"), "{answer}");
    assert!(upstream.heads().iter().all(|head| !head.to_lowercase().contains("authorization")));
    drop(front);
    let front = start(&open.url());
    assert!(front.get(LIST).ends_with("v9.9.9\n"));
}

#[test]
fn a_reload_begins_a_front_and_gives_it_another_list() {
    let (home, first, second) = (Home::new(), modules("v1.0.0"), modules("v2.0.0"));
    let config = |text: &str| home.write(".config/gocred/config.toml", text);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let run = home.gocred().args(["proxy", "run", "--listen", "127.0.0.1:0"]);
    let daemon = super::proxy_lab::Daemon::start(&run);
    let nobody = home.gocred().args(["proxy", "top"]).output();
    assert!(nobody.err().contains("gocred setup --goproxy"), "{nobody:?}");
    let reload = || home.gocred().args(["proxy", "reload"]).output();
    let on = |list: &str| format!("[goproxy]\nlisten = \"{port}\"\nupstream = \"{list}\"\n");
    config(&on(&first.url()));
    reload().success();
    let url = format!("http://{port}");
    assert!(get(&url, LIST).ends_with("v1.0.0\n"));
    config(&on(&second.url()));
    reload().success();
    assert!(get(&url, LIST).ends_with("v2.0.0\n"));
    // What is wrong changes nothing.
    config(&on("https://ana:hunter2@h.test"));
    let refused = reload();
    assert!(refused.err().contains("goproxy.upstream") && !refused.err().contains("hunter2"));
    assert!(get(&url, LIST).ends_with("v2.0.0\n"));
    // Without upstreams, go does without.
    config("");
    reload().success();
    assert_eq!(status(&get(&url, LIST)), "404");
    drop(daemon);
}

#[test]
fn what_cannot_be_is_refused_before_anything_listens() {
    let home = Home::new();
    for (arguments, why) in [
        (&["--goproxy", "0.0.0.0:7408", "--goproxy-upstream", "direct"][..], "loopback address"),
        (&["--goproxy", "127.0.0.1:0"], "no module proxies to ask"),
        (&["--goproxy-upstream", "https://ana:hunter2@h.test"], "user name or password"),
        (&["--goproxy-upstream", ""], "names no module proxy"),
    ] {
        let run = home.gocred().args(["proxy", "run", "--listen", "127.0.0.1:0"]);
        let output = run.args(arguments.iter().copied()).output();
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.err().contains(why) && !output.err().contains("hunter2"), "{output:?}");
        assert!(output.err().contains("gocred proxy run --goproxy"), "{output:?}");
        assert_eq!(output.out(), "");
    }
}

#[test]
fn a_port_that_somebody_has_is_said_and_a_reload_leaves_the_proxy_as_it_was() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = format!("{address} cannot be listened on");
    let run = || home.gocred().args(["proxy", "run", "--listen", "127.0.0.1:0"]);
    let output = run().args(["--goproxy", &address, "--goproxy-upstream", "direct"]).output();
    assert!(output.err().contains(&said), "{output:?}");
    assert!(output.err().contains("gocred proxy run --goproxy 127.0.0.1:0"), "{output:?}");
    let _daemon = super::proxy_lab::Daemon::start(&run());
    let text = format!("[goproxy]\nlisten = \"{address}\"\nupstream = \"direct\"\n");
    home.write(".config/gocred/config.toml", text);
    let refused = home.gocred().args(["proxy", "reload"]).output();
    assert!(refused.err().contains(&said), "{refused:?}");
    assert!(report(&home)["goproxy"].is_null());
}

#[test]
fn what_the_administrator_locks_no_flag_sets() {
    let home = Home::new();
    let system = "lock = [\"goproxy\"]\n[goproxy]\nupstream = \"https://goproxy.corp.test\"\n";
    for flag in ["--goproxy=127.0.0.1:0", "--goproxy-upstream=direct"] {
        let Some(run) = with_system(&home, system, PROPERLY, GOCRED) else { return };
        let output = run.args(["proxy", "run", "--listen=127.0.0.1:0", flag]).output();
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.err().contains("locked `goproxy."), "{output:?}");
    }
}

#[test]
fn the_socket_of_a_service_manager_is_known_by_its_address() {
    let Some(activate) = program("systemd-socket-activate", "systemd") else { return };
    let (home, upstream) = (Home::new(), modules("v1.2.3"));
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").to_string()
    };
    let (proxy, front) = (free(), free());
    let list = upstream.url();
    home.write(
        ".config/gocred/config.toml",
        format!("[goproxy]\nlisten = \"{front}\"\nupstream = \"{list}\"\n"),
    );
    let run = home.run(activate).args([format!("--listen={proxy}"), format!("--listen={front}")]);
    let names = ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"];
    let run = run.args(names.map(|name| format!("--setenv={name}")));
    let mut command = run.args([GOCRED, "proxy", "run"]).command();
    let log = fs::File::create(home.path().join("log")).expect("a log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let child = command.spawn().expect("systemd-socket-activate");
    let service = Front { child, url: format!("http://{front}") };
    eventually("the sockets are open", || {
        let log = fs::read_to_string(home.path().join("log")).unwrap_or_default();
        (log.matches("Listening on").count() == 2).then_some(())
    });
    // The request that starts it is the front's.
    assert!(service.get(LIST).ends_with("v1.2.3\n"));
    let report = report(&home);
    assert_eq!(report["listen"], serde_json::json!([proxy]));
    assert_eq!(report["goproxy"]["listen"], serde_json::json!([front]));
}

/// Ports that no other test has: a unit needs fixed ones.
#[test]
fn the_first_module_that_go_asks_for_starts_the_service() {
    const SCRIPT: &str = r#"
        set -eu
        gocred=$1
        active() { echo "$1: $(systemctl --user is-active gocred-proxy.service || true)"; }
        "$gocred" proxy install
        active installed
        curl -sS -o /dev/null -w 'code %{http_code}\n' http://127.0.0.1:7996/m.test/x/@v/list
        active asked
        "$gocred" proxy status
        "$gocred" proxy uninstall >/dev/null
    "#;
    let home = Home::new();
    let Some(session) = session(&home) else { return };
    let Some(_) = program("curl", "curl") else { return };
    let text = "[proxy]\nlisten = [\"127.0.0.1:7997\"]\n[goproxy]\nlisten = \"127.0.0.1:7996\"\n\
                upstream = \"direct\"\n";
    home.write(".config/gocred/config.toml", text);
    let said = session.args(["bash", "-c", SCRIPT, "sh", GOCRED]).output().success();
    let mut rest = said.as_str();
    for expected in [
        "  + ListenStream=127.0.0.1:7997",
        "  + ListenStream=127.0.0.1:7996",
        "installed: inactive",
        "code 404",
        "asked: active",
        "listening on http://127.0.0.1:7997",
        "goproxy on http://127.0.0.1:7996",
    ] {
        let Some((_, after)) = rest.split_once(expected) else { panic!("{expected}\n{said}") };
        rest = after;
    }
}

#[test]
fn where_the_uid_says_nothing_env_has_the_secret_path() {
    const SCRIPT: &str = "\"$@\" >\"$HOME/said\" & \
        until grep -q goproxy \"$HOME/said\"; do kill -0 $! || exit 9; done; \
        \"$1\" env; \"$1\" proxy status; kill $!; wait";
    let Some(unshare) = program("unshare", "util-linux") else { return };
    let (home, upstream) = (Home::new(), modules("v1.2.3"));
    let run = home.run(unshare).args(["--user", "--map-user=65534", "bash", "-c", SCRIPT, "bash"]);
    let run = prepared(run.arg(GOCRED));
    let said = run.args(["--goproxy-upstream", &upstream.url()]).output().success();
    let line = said.lines().find_map(|line| line.strip_prefix("export GOPROXY='http://127.0.0.1:"));
    let value = line.unwrap_or_else(|| panic!("{said}"));
    let (_, path) = value.split_once('/').expect("a path");
    assert!(path.starts_with("s-") && path.ends_with(",direct'"), "{value}");
    // `proxy status` is for other eyes, too.
    assert_eq!(said.matches("/s-").count(), 1, "{said}");
    let unset = home.gocred().args(["env", "--unset"]);
    let unset = unset.env("GOPROXY", "http://127.0.0.1:1/s-0,direct").output().success();
    assert!(unset.contains("unset GOPROXY\n"), "{unset}");
}

/// A module proxy that sends the beginning of a zip, and the rest when the client has gone.
fn slow() -> Upstream {
    Upstream::start(|client, _| {
        client.send(
            "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 5000000\r\n\r\nPK\x03\x04",
        );
        client.send(vec![0; 1_000_000]);
        while client.head().is_some() {}
        Next::Close
    })
}

/// Asks for the zip, and keeps the connection.
fn download(front: &Front) -> Client {
    let address = front.url.strip_prefix("http://").expect("http");
    let mut client = Client::to(address.parse().expect("an address"));
    client.send(format!("GET /m.test/x/@v/v1.2.3.zip HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    client.head().expect("a head");
    client
}

#[test]
fn top_shows_who_downloads_what_from_whom_until_q() {
    let (home, upstream) = (Home::new(), slow());
    let url = upstream.url();
    let front = Front::start(&prepared(home.gocred()).args(["--goproxy-upstream", &url]));
    let client = download(&front);
    let own = std::process::id();
    for key in [b'q', 3] {
        let run = home.gocred().args(["proxy", "top"]);
        let Some(mut top) = Terminal::start(run) else { return };
        top.awaits("1 under way");
        top.awaits("v1.2.3.zip");
        top.awaits("receiving");
        top.awaits(&format!("[{own}]"));
        // And once more, a second later.
        top.awaits("receiving");
        top.presses(key);
        let (code, shown) = top.ends();
        assert_eq!(code, Some(0), "{shown}");
        // The screen that was there before, with its cursor.
        assert!(shown.trim_end().ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{shown:?}");
    }
    // For programs: a line each second, until nobody reads.
    let mut command = home.gocred().args(["proxy", "top", "--json"]).command();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("gocred");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    for _ in 0..2 {
        let line = lines.next().expect("a line").expect("text");
        let moment: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let transfer = &moment["transfers"][0];
        assert_eq!(transfer["pid"], own, "{moment}");
        assert_eq!(
            (&transfer["stage"], &transfer["total"]),
            (&"receiving".into(), &5_000_000.into())
        );
        assert!(transfer["bytes"].as_u64().expect("a number") > 0, "{moment}");
    }
    drop(lines);
    assert!(eventually("it ends", || child.try_wait().expect("a status")).success());
    drop(client);
    eventually("the transfer has ended", || {
        let report = report(&home);
        report["goproxy"]["transfers"].as_array().expect("an array").is_empty().then_some(())
    });
}

#[test]
fn the_terminal_is_put_back_when_top_is_ended_or_the_proxy_goes() {
    let (home, upstream) = (Home::new(), slow());
    let url = upstream.url();
    let front = Front::start(&prepared(home.gocred()).args(["--goproxy-upstream", &url]));
    let Some(mut top) = Terminal::start(home.gocred().args(["proxy", "top"])) else { return };
    top.awaits("under way");
    kill_process(Pid::from_child(&front.child), Signal::KILL).expect("killed");
    let (code, shown) = top.ends();
    assert_ne!(code, Some(0));
    let (_, after) = shown.rsplit_once("\u{1b}[?1049l").expect("the screen from before");
    assert!(after.contains("gocred proxy run"), "{shown:?}");
}

#[test]
fn go_gets_a_module_through_the_front_with_the_credential_of_the_store() {
    let Some(keyring) = Keyring::unlocked() else { return };
    for release in Release::ALL {
        let Some(go) = release.program() else { return };
        let (home, upstream) = (Home::new().without_telemetry(), modules("v1.2.3"));
        save(&home, &keyring, &upstream, "hunter2");
        let run = prepared(home.gocred()).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        let front = Front::start(&run.args(["--goproxy-upstream", &upstream.url()]));
        let run = home
            .run(go)
            .env("GOPROXY", &front.url)
            .env("GONOSUMDB", "*")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw");
        let said = run.args(["list", "-m", "m.test/x@latest"]).output().success();
        assert_eq!(said, "m.test/x v1.2.3\n");
        let heads = upstream.heads();
        assert!(!heads.is_empty());
        for head in heads {
            // `ana:hunter2`; from the first request on.
            assert!(head.contains("Basic YW5hOmh1bnRlcjI="), "{head}");
        }
    }
}
