//! Real go of four releases, every kind of module proxy behind the front, with and without the
//! corporate proxy: `go mod download` works, the right credential was there at the first attempt, and
//! none of them reached anybody else.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::{fs, thread};

use super::{
    goproxy_lab::{ALLOW, DEP, Front, Gopher, LIB, Office, prepared},
    support::{
        developer::UPSTREAM,
        go::Release,
        home::{GOCRED, Home},
        lab::{Lab, Request},
        stall::{HOST, Stall, Staller},
    },
};

/// What stands behind the front.
struct Kind {
    name: &'static str,
    list: &'static str,
}

/// `STALL` is a server that accepts a request and never answers it.
const KINDS: [Kind; 11] = [
    Kind { name: "private", list: "https://goproxy.corp.test" },
    Kind { name: "redirect to an open CDN", list: "https://goproxy.corp.test/redirected" },
    Kind { name: "redirect to an authenticated CDN", list: "https://goproxy.corp.test/stored" },
    Kind { name: "Bearer", list: "https://gotoken.corp.test" },
    Kind {
        name: "X-JFrog-Art-Api",
        list: "https://artifactory.corp.test/artifactory/api/go/go-virtual/",
    },
    Kind { name: "sub-path", list: "https://goproxy.corp.test:9443/api/go" },
    Kind {
        name: "the first answers 404",
        list: "https://broken.corp.test/404,https://goproxy.corp.test",
    },
    Kind {
        name: "the first answers 403",
        list: "https://broken.corp.test/403|https://goproxy.corp.test",
    },
    Kind {
        name: "the first answers 502",
        list: "https://broken.corp.test/502|https://goproxy.corp.test",
    },
    Kind { name: "no TLS, where the user allows it", list: "http://plain.corp.test" },
    Kind { name: "the first hangs", list: "https://STALL|https://goproxy.corp.test" },
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Direct,
    ThroughSquid,
}

#[test]
fn every_go_downloads_through_the_front() {
    matrix(Way::Direct);
}

#[test]
fn every_go_downloads_through_the_front_and_squid() {
    matrix(Way::ThroughSquid);
}

fn matrix(way: Way) {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(office) = Office::new(&lab) else { return };
    let gophers = Release::OF_THE_FRONT.map(|release| (release, Gopher::new(release)));
    for (account, place) in [
        ("GOPROXY", "goproxy.corp.test"),
        ("GOPROXY", "goproxy.corp.test:9443"),
        ("STORE", "store.corp.test"),
        ("JFROG", "artifactory.corp.test"),
    ] {
        office.login(&lab, account, &[place]);
    }
    office.login(&lab, "PLAIN", &["http://plain.corp.test", "--allow-http"]);
    office.bearer(&lab, "gotoken.corp.test");
    if way == Way::ThroughSquid {
        office.login(&lab, "PROXY", &["--proxy", UPSTREAM]);
    }
    let staller = Staller::start(lab.folder(), Stall::Head);
    let stall = format!("{HOST}:{}", staller.port());
    lab.forget();
    // A home each: there is one daemon a user.
    let fronts: Vec<(&Kind, Home, Front)> =
        KINDS.iter().map(|kind| start(&office, kind, way, &stall)).collect();
    let faults: Vec<String> = thread::scope(|scope| {
        let mut running = Vec::new();
        for (kind, _, front) in &fronts {
            for (release, gopher) in &gophers {
                let Some(gopher) = gopher else { continue };
                running.push(scope.spawn(move || download(kind, *release, gopher, front)));
            }
        }
        running.into_iter().filter_map(|one| one.join().expect("a download")).collect()
    });
    assert!(faults.is_empty(), "{way:?}: {} failed:\n{}", faults.len(), faults.join("\n"));
    assert!(staller.connections() > 0);
    let requests = lab.requests();
    assert_first_attempt(&requests, &lab);
    let homes = fronts.iter().map(|(_, home, _)| home.path()).chain([office.home.path()]);
    let gophers = gophers.iter().filter_map(|(_, gopher)| gopher.as_ref());
    let all: Vec<_> = homes.chain(gophers.map(|gopher| gopher.home.path())).collect();
    assert_eq!(lab.sweep(&all), [""; 0]);
    // squid writes a line when the tunnel ends, and the front keeps them open.
    drop(fronts);
    assert_way(&lab, way);
}

fn start<'a>(office: &Office, kind: &'a Kind, way: Way, stall: &str) -> (&'a Kind, Home, Front) {
    let home = Home::new();
    let upstream = match way {
        Way::Direct => String::new(),
        Way::ThroughSquid => format!("upstream = [\"{UPSTREAM}\"]\n"),
    };
    // It is waited for 30 s otherwise; goproxy_stalls does so.
    let limit = if kind.list.contains("STALL") { "header_timeout = \"3s\"\n" } else { "" };
    let config = format!(
        "[proxy]\n{ALLOW}{upstream}\n[goproxy]\n{limit}\n\
         [host.\"artifactory.corp.test\"]\nheader = \"X-JFrog-Art-Api\"\n\
         [host.\"plain.corp.test\"]\nallow_http = true\n"
    );
    home.write(".config/gocred/config.toml", config);
    let list = kind.list.replace("STALL", stall);
    let front = Front::start(&prepared(office.run(&home, GOCRED), &list));
    (kind, home, front)
}

/// Returns what is wrong.
fn download(kind: &Kind, release: Release, gopher: &Gopher, front: &Front) -> Option<String> {
    let run = gopher.downloading(&front.url, &[DEP, LIB]);
    let cache = run.command();
    let cache = cache.get_envs().find(|(name, _)| *name == "GOPATH")?.1?.to_owned();
    let output = run.output();
    let name = kind.name;
    if output.code != Some(0) {
        return Some(format!("{name}, {release:?}: {output:?}"));
    }
    let cache = std::path::PathBuf::from(cache).join("pkg/mod");
    let has =
        |module: &str| fs::exists(cache.join(format!("{module}@v1.0.0/go.mod"))).is_ok_and(|it| it);
    (!has(DEP) || !has(LIB)).then(|| format!("{name}, {release:?}: a module is missing"))
}

/// Who wanted a credential got the right one at once, and nobody else got any.
fn assert_first_attempt(requests: &[Request], lab: &Lab) {
    for request in requests {
        let uri = &request.uri;
        let wants = match request.host.as_str() {
            "goproxy.corp.test" => ("Basic", lab.account("GOPROXY").user, ""),
            "store.corp.test" => ("Basic", lab.account("STORE").user, ""),
            "plain.corp.test" => ("Basic", lab.account("PLAIN").user, ""),
            "gotoken.corp.test" => ("Bearer", String::new(), ""),
            "artifactory.corp.test" => ("", String::new(), "yes"),
            "cdn.corp.test" | "broken.corp.test" => ("", String::new(), ""),
            other => panic!("{other}: {requests:?}"),
        };
        let (auth, user, key) = wants;
        assert_eq!(
            (request.auth.as_str(), &request.user, request.key.as_str(), request.cookie.as_str()),
            (auth, &user, key, ""),
            "{} {uri}",
            request.host
        );
        assert!(request.host == "broken.corp.test" || request.status < 400, "{request:?}");
    }
    for host in ["goproxy", "store", "gotoken", "artifactory", "cdn", "broken"]
        .map(|it| format!("{it}.corp.test"))
    {
        assert!(requests.iter().any(|request| request.host == host), "nobody asked {host}");
    }
}

fn assert_way(lab: &Lab, way: Way) {
    if way == Way::Direct {
        assert_eq!(lab.tunnels().len(), 0, "{:?}", lab.tunnels());
        return;
    }
    let user = lab.account("PROXY").user;
    let targets = ["goproxy", "store", "gotoken", "artifactory", "cdn", "broken", "stall"];
    super::support::eventually("squid logs the tunnels", || {
        let tunnels = lab.tunnels();
        let opened = |target: &&str| {
            let prefix = format!("{target}.corp.test:");
            tunnels
                .iter()
                .any(|it| it.target.starts_with(&prefix) && it.status == 200 && it.user == user)
        };
        targets.iter().all(opened).then_some(())
    });
    for tunnel in lab.tunnels() {
        // What squid wants is learnt by asking once without a login.
        let is_question = tunnel.status == 407 && tunnel.user == "-";
        assert!(tunnel.method == "CONNECT" && (is_question || tunnel.user == user), "{tunnel:?}");
    }
}
