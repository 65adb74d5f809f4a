//! Real go, both releases, every kind of host, with and without the corporate proxy: one login, and
//! `go mod download` and `go mod tidy` work, without a detour and without a secret in clear.

use crate::support::{
    developer::{Developer, UPSTREAM},
    eventually,
    go::Release,
    lab::{Lab, Request, Tunnel},
};

/// Where a module comes from.
struct Origin {
    account: &'static str,
    host: &'static str,
    module: &'static str,
    kind: Kind,
}

enum Kind {
    /// git, by way of the `?go-get=1` page.
    Direct,
    ModuleProxy,
}

#[derive(Clone, Copy)]
enum Way {
    Direct,
    ThroughSquid,
}

const GIT: Origin = Origin {
    account: "GIT",
    host: "git.corp.test",
    module: "git.corp.test/team/dep",
    kind: Kind::Direct,
};
const GIT404: Origin = Origin {
    account: "GIT404",
    host: "git404.corp.test",
    module: "git404.corp.test/team/dep",
    kind: Kind::Direct,
};
const GITLAB: Origin = Origin {
    account: "GITLAB",
    host: "gitlab.corp.test",
    module: "gitlab.corp.test/team/nested/x",
    kind: Kind::Direct,
};
const GOPROXY: Origin = Origin {
    account: "GOPROXY",
    host: "goproxy.corp.test",
    module: "private.corp.test/team/dep",
    kind: Kind::ModuleProxy,
};

#[test]
fn go_fetches_from_a_host_that_answers_401() {
    fetch(&GIT, Way::Direct);
}

#[test]
fn go_fetches_from_a_host_that_answers_401_through_squid() {
    fetch(&GIT, Way::ThroughSquid);
}

#[test]
fn go_fetches_from_a_host_that_hides_behind_404() {
    fetch(&GIT404, Way::Direct);
}

#[test]
fn go_fetches_from_a_host_that_hides_behind_404_through_squid() {
    fetch(&GIT404, Way::ThroughSquid);
}

#[test]
fn go_fetches_a_sub_group_from_a_host_that_answers_strangers_with_200() {
    fetch(&GITLAB, Way::Direct);
}

#[test]
fn go_fetches_a_sub_group_from_a_host_that_answers_strangers_with_200_through_squid() {
    fetch(&GITLAB, Way::ThroughSquid);
}

#[test]
fn go_fetches_from_a_private_module_proxy() {
    fetch(&GOPROXY, Way::Direct);
}

#[test]
fn go_fetches_from_a_private_module_proxy_through_squid() {
    fetch(&GOPROXY, Way::ThroughSquid);
}

fn fetch(origin: &Origin, way: Way) {
    let Some(mut lab) = Lab::enter() else { return };
    for release in Release::ALL {
        fetch_with(&mut lab, release, origin, way);
    }
}

fn fetch_with(lab: &mut Lab, release: Release, origin: &Origin, way: Way) {
    let Some(mut developer) = Developer::new(lab, release) else { return };
    developer.login(lab, origin.account, &[origin.host]).success();
    match origin.kind {
        Kind::Direct => {
            let setup = ["setup", "--git", "--go", "--private", origin.host, "--yes"];
            developer.gocred(&setup).success();
        }
        Kind::ModuleProxy => {
            developer.gocred(&["setup", "--git", "--go", "--yes"]).success();
            developer.export("GOPROXY", format!("https://{}", origin.host));
            // There is no checksum database in the lab, and none knows this module.
            developer.export("GONOSUMDB", "private.corp.test");
        }
    }
    developer.need(origin.module);
    match way {
        Way::Direct => {
            lab.forget();
            developer.go(&["mod", "download"]).success();
            developer.go(&["mod", "tidy"]).success();
            assert_eq!(lab.tunnels().len(), 0, "{:?}", lab.tunnels());
        }
        Way::ThroughSquid => through_squid(lab, &developer, origin),
    }
    assert_no_detour(&lab.requests(), origin);
    assert_eq!(developer.leaks(lab), [""; 0], "{release:?}");
}

fn through_squid(lab: &mut Lab, developer: &Developer, origin: &Origin) {
    // The lab's hosts are on loopback, which the proxy refuses unless it is allowed.
    developer.home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\nupstream = [\"{UPSTREAM}\"]\nallow = [\"127.77.0.0/16\"]\n"),
    );
    developer.login(lab, "PROXY", &["--proxy", UPSTREAM]).success();
    let daemon = developer.start_proxy();
    lab.forget();
    daemon.go(&["mod", "download"]).success();
    daemon.go(&["mod", "tidy"]).success();
    drop(daemon);
    let target = format!("{}:443", origin.host);
    let tunnels = eventually("squid logs the tunnels", || {
        let tunnels = lab.tunnels();
        tunnels.iter().any(|tunnel| tunnel.status == 200).then_some(tunnels)
    });
    let user = lab.account("PROXY").user;
    // What the proxy wants is learnt by asking once without a credential, no more.
    let is_question = |tunnel: &&Tunnel| tunnel.status == 407 && tunnel.user == "-";
    let (questions, opened): (Vec<&Tunnel>, Vec<&Tunnel>) = tunnels.iter().partition(is_question);
    assert!(questions.len() <= 1, "{tunnels:?}");
    for tunnel in opened {
        assert_eq!(
            (tunnel.status, tunnel.method.as_str(), tunnel.user.as_str()),
            (200, "CONNECT", user.as_str()),
            "{tunnels:?}"
        );
        assert_eq!(tunnel.target, target, "{tunnels:?}");
    }
}

/// Each request of go itself got what it wanted at once: the credential came before a refusal.
fn assert_no_detour(requests: &[Request], origin: &Origin) {
    let is_go = |request: &&Request| request.agent.starts_with("Go");
    let of_go: Vec<&Request> = requests.iter().filter(is_go).collect();
    assert!(!of_go.is_empty(), "{requests:?}");
    for request in of_go {
        assert_eq!(
            (request.status, request.method.as_str(), request.host.as_str()),
            (200, "GET", origin.host),
            "{} in {requests:?}",
            request.uri
        );
    }
}
