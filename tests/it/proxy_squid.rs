//! The loopback proxy in front of real squid, for real go and git, when the password is stale: one
//! failed login, an explanation in go's own words, and a new password that works at once.

use crate::support::{
    developer::{Developer, UPSTREAM},
    eventually,
    go::Release,
    home::GOCRED,
    lab::{Lab, Tunnel},
};

#[test]
fn a_stale_proxy_password_costs_one_failed_login() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(mut developer) = Developer::new(&lab, Release::Go127) else { return };
    developer.home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\nupstream = [\"{UPSTREAM}\"]\nallow = [\"127.77.0.0/16\"]\n"),
    );
    let proxy = lab.account("PROXY");
    let login = ["login", "--proxy", UPSTREAM, "--username", &proxy.user, "--with-token"];
    developer.run(GOCRED, &[&login[..], &["--no-verify"]].concat(), "last month's").success();
    developer.login(&lab, "GOPROXY", &["goproxy.corp.test"]).success();
    developer.gocred(&["setup", "--git", "--go", "--yes"]).success();
    developer.export("GOPROXY", "https://goproxy.corp.test");
    developer.export("GONOSUMDB", "private.corp.test");
    developer.need("private.corp.test/team/dep");

    let daemon = developer.start_proxy();
    lab.forget();
    for arguments in [["mod", "download"], ["mod", "tidy"], ["mod", "download"]] {
        let output = daemon.go(&arguments);
        assert_eq!(output.code, Some(1), "{output:?}");
        for part in ["gocred[P02]", "proxy.corp.test:3128", "gocred login --proxy"] {
            assert!(output.err().contains(part), "{part}: {output:?}");
        }
    }
    let failed = |tunnel: &Tunnel| tunnel.user == proxy.user && tunnel.status == 407;
    let count = || lab.tunnels().into_iter().filter(failed).count();
    eventually("squid logs the refusal", || (count() > 0).then_some(()));
    assert_eq!(count(), 1, "{:?}", lab.tunnels());

    developer.login(&lab, "PROXY", &["--proxy", UPSTREAM]).success();
    daemon.go(&["mod", "download"]).success();
    daemon.go(&["mod", "tidy"]).success();
    drop(daemon);
    assert_eq!(count(), 1, "{:?}", lab.tunnels());
    assert_eq!(developer.leaks(&lab), [""; 0]);
}
