//! `GOAUTH='git DIR'` asks the root of the host, and makes git erase a credential that is right
//! (cmd/go/internal/auth/gitauth.go). With gocred it is hidden and comes back; with `gocred goauth`
//! nobody erases it.

use crate::support::{
    developer::Developer,
    eventually,
    go::Release,
    home::GOCRED,
    lab::{Lab, Request},
};

/// The root of this host refuses the account that `/api/go/` accepts.
const HOST: &str = "goproxy.corp.test:9443";

#[test]
fn what_goauth_git_erases_is_hidden_and_comes_back() {
    let Some(mut lab) = Lab::enter() else { return };
    for release in Release::ALL {
        let Some(mut developer) = developer(&lab, release) else { return };
        let folder = developer.home.path().display().to_string();
        developer.export("GOAUTH", format!("git {folder}"));
        lab.forget();
        developer.go(&["mod", "download"]).success();
        let status = eventually("go makes git erase", || {
            let status = developer.gocred(&["status", HOST]);
            if status.out().contains("hidden") {
                return Some(status);
            }
            // go asks the root in the background, and may end before it has told git the answer.
            drop(developer.go(&["clean", "-modcache"]));
            drop(developer.go(&["mod", "download"]));
            None
        });
        let refused = |request: &Request| request.method == "HEAD" && request.status == 401;
        assert!(lab.requests().iter().any(refused), "{:?}", lab.requests());
        assert_eq!(status.code, Some(1), "{status:?}");
        for said in ["git erase", "hid it", "; run: gocred undo goproxy.corp.test:9443"] {
            assert!(status.out().contains(said), "{said}: {status:?}");
        }
        assert!(!filled(&developer), "a hidden credential is not answered");

        assert!(developer.gocred(&["undo", HOST]).success().contains(HOST));
        developer.gocred(&["status", HOST]).success();
        assert!(filled(&developer), "undo brings it back");
    }
}

#[test]
fn with_gocred_goauth_nothing_is_hidden() {
    let Some(mut lab) = Lab::enter() else { return };
    for release in Release::ALL {
        let Some(mut developer) = developer(&lab, release) else { return };
        developer.export("GOAUTH", format!("{GOCRED} goauth"));
        lab.forget();
        for _ in 0..3 {
            developer.go(&["mod", "download"]).success();
            developer.go(&["clean", "-modcache"]).success();
        }
        let requests = lab.requests();
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.status == 200), "{requests:?}");
        developer.gocred(&["status", HOST]).success();
        assert!(filled(&developer));
    }
}

/// A developer who has signed in to the module proxy, and fetches from it.
fn developer(lab: &Lab, release: Release) -> Option<Developer> {
    let mut developer = Developer::new(lab, release)?;
    let probe = format!("https://{HOST}/api/go/private.corp.test/team/lib/@v/list");
    developer.login(lab, "GOPROXY", &[HOST, "--probe", &probe]).success();
    developer.gocred(&["setup", "--git", "--yes"]).success();
    developer.export("GOPROXY", format!("https://{HOST}/api/go"));
    developer.export("GONOSUMDB", "private.corp.test");
    developer.export("GIT_TERMINAL_PROMPT", "0");
    // One module: a second could ask for the credential after the first got it erased.
    developer.need("private.corp.test/team/lib");
    Some(developer)
}

/// Whether git gets a credential for the host.
fn filled(developer: &Developer) -> bool {
    let request = format!("protocol=https\nhost={HOST}\n\n");
    developer.run("git", &["credential", "fill"], &request).out().contains("password=")
}
