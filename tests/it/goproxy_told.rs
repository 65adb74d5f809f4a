//! Why there is no answer, in go's own error: each leg of the way with its code, and with the one
//! command that helps, which does.

use std::net::TcpListener;

use super::{
    goproxy_lab::{ALLOW, Front, Gopher, LIB, Office, front, prepared},
    support::{
        developer::UPSTREAM,
        eventually,
        go::Release,
        home::{GOCRED, Home, Output},
        lab::Lab,
    },
};

/// Checks what every explanation is: go's own error, with the code and the command, in few lines.
fn assert_told(output: &Output, code: &str, command: &str) {
    let said = output.err();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(said.contains(&format!("gocred[{code}")), "{code}: {said}");
    assert!(said.contains(command), "{command}: {said}");
    assert!(said.lines().count() <= 10, "{said}");
}

#[test]
fn a_stale_credential_is_named_and_the_command_that_is_named_mends_it() {
    let Some(lab) = Lab::enter() else { return };
    let Some(office) = Office::new(&lab) else { return };
    let Some(gopher) = Gopher::new(Release::Go119) else { return };
    office.home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}"));
    let run = prepared(office.run(&office.home, GOCRED), "https://goproxy.corp.test");
    let front = Front::start(&run);
    let command = "gocred login goproxy.corp.test";
    let none = gopher.download(&front.url, &[LIB]);
    assert_told(&none, "A14", command);
    let stale =
        ["login", "goproxy.corp.test", "--username", "builder", "--with-token", "--no-verify"];
    office.run(&office.home, GOCRED).args(stale).input("stale\n").output().success();
    let rejected = gopher.download(&front.url, &[LIB]);
    assert_told(&rejected, "A15", command);
    assert!(rejected.err().contains("stored just now"), "{rejected:?}");
    let account = lab.account("GOPROXY");
    let login = ["login", "goproxy.corp.test", "--username", &account.user, "--with-token"];
    let login = office.run(&office.home, GOCRED).args(login);
    login.input(format!("{}\n", account.secret)).output().success();
    // The store is asked again for one that was refused, once a second.
    eventually("the new credential works", || {
        (gopher.download(&front.url, &[LIB]).code == Some(0)).then_some(())
    });
}

#[test]
fn a_corporate_proxy_without_a_login_is_named_and_the_command_that_is_named_mends_it() {
    let Some(lab) = Lab::enter() else { return };
    let Some(office) = Office::new(&lab) else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let config = format!("[proxy]\n{ALLOW}upstream = [\"{UPSTREAM}\"]\n");
    office.home.write(".config/gocred/config.toml", config);
    let run = prepared(office.run(&office.home, GOCRED), "https://cdn.corp.test");
    let front = Front::start(&run);
    let output = gopher.download(&front.url, &[LIB]);
    assert_told(&output, "P01", "gocred login --proxy");
    office.login(&lab, "PROXY", &["--proxy", UPSTREAM]);
    gopher.download(&front.url, &[LIB]).success();
}

#[test]
fn a_certificate_that_nobody_knows_is_named_and_asked_for_once() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let home = Home::new();
    lab.forget();
    let front = front(&home, "https://cdn.corp.test");
    let output = gopher.download(&front.url, &[LIB]);
    assert_told(&output, "T", "cdn.corp.test");
    assert_eq!(lab.requests().len(), 0, "{:?}", lab.requests());
}

#[test]
fn a_host_that_is_not_there_is_named() {
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let unused =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let home = Home::new();
    let first = front(&home, &format!("http://{unused}"));
    let output = gopher.download(&first.url, &[LIB]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().contains("gocred[") && output.err().contains("refused"), "{output:?}");
    drop(first);
    let second = front(&home, "https://nobody.test");
    let output = gopher.download(&second.url, &[LIB]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().contains("gocred[") && output.err().contains("nobody.test"), "{output:?}");
}

/// A policy of the upstream is shown in its own words, whatever it says beside them.
#[test]
fn what_the_upstream_says_is_shown() {
    let Some(lab) = Lab::enter() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let home = Home::new();
    let front =
        super::goproxy_lab::front_of_lab(&home, lab.folder(), "https://broken.corp.test/403");
    let output = gopher.download(&front.url, &[LIB]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().contains("blocked by policy CORP-7"), "{output:?}");
}
