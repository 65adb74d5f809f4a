//! No way through the corporate proxy: each reason has its own finding, in what curl and go say, and
//! however many requests there are, the domain controller and the squid see one failed login.

use std::{
    fmt::Write,
    net::TcpListener,
    time::{Duration, Instant},
};

use crate::{
    proxy_schemes::{Way, curl, sit_down, tickets},
    support::{
        developer::{Daemon, Developer},
        domain::{Domain, Ticket},
        eventually,
        home::{GOCRED, Output},
    },
};

pub(crate) const STALE: &str = "last month's";

#[test]
fn a_wrong_password_for_basic_costs_one_failed_login() {
    wrong_password(&Way::BASIC);
}

#[test]
fn a_wrong_password_for_digest_costs_one_failed_login() {
    wrong_password(&Way::DIGEST);
}

#[test]
fn a_wrong_password_for_ntlm_costs_one_failed_login() {
    wrong_password(&Way::NTLM);
}

#[test]
fn a_wrong_password_for_ntlm_within_negotiate_costs_one_failed_login() {
    wrong_password(&Way::SPNEGO);
    wrong_password(&Way::GSS);
}

#[test]
fn a_changed_password_costs_one_failed_login_in_a_thousand_requests() {
    for way in [Way::NTLM, Way::SPNEGO] {
        let Some(mut domain) = Domain::enter() else { return };
        let Some(developer) = sit_down(&domain, &[&way]) else { return };
        let daemon = developer.start_proxy();
        curl(&domain, &daemon, &["--fail", "https://cdn.corp.test/"]).success();

        let changed = "Ein anderes Paßwort, 2 of 2";
        domain.set_password(changed);
        domain.lab.forget();
        let output = burst(&domain, &daemon, 1000);
        assert_ne!(output.code, Some(0), "{output:?}");
        assert_one_failed_login(&domain, &way);
        assert_finding(&domain, &daemon, "P02");
        assert_one_failed_login(&domain, &way);

        store(&domain, &developer, &way, changed);
        eventually("the new password works", || {
            let output = curl(&domain, &daemon, &["--fail", "https://cdn.corp.test/"]);
            (output.code == Some(0)).then_some(())
        });
        daemon.go(&["mod", "download"]).success();
        drop(daemon);
        assert_eq!(domain.failed_logins(way.proxy).len(), 1, "{:?}", domain.tunnels(way.proxy));
        assert_eq!(developer.leaks(&domain.lab), [""; 0]);
    }
}

#[test]
fn a_password_that_changes_amid_a_burst_costs_one_failed_login() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(developer) = sit_down(&domain, &[&Way::NTLM]) else { return };
    let daemon = developer.start_proxy();
    domain.lab.forget();
    let change = domain.set_password_after(50, Way::NTLM.proxy, "changed, 1 of 1");
    let output = burst(&domain, &daemon, 2000);
    change.join().expect("changed");
    for status in ["200", "502"] {
        assert!(output.out().contains(status), "{status}: {output:?}");
    }
    assert_one_failed_login(&domain, &Way::NTLM);
}

#[test]
fn no_ticket_is_a_finding_and_no_login() {
    let Some(mut domain) = Domain::enter() else { return };
    let way = Way { ticket: None, ..Way::KERBEROS };
    let Some(developer) = sit_down(&domain, &[&way]) else { return };
    let daemon = developer.start_proxy();
    domain.lab.forget();
    assert_finding(&domain, &daemon, "P04");
    assert_no_login(&domain, &way);

    // A ticket works without a restart.
    domain.ticket(Ticket::Mit, &tickets(&developer));
    eventually("the ticket works", || {
        (daemon.go(&["mod", "download"]).code == Some(0)).then_some(())
    });
}

#[test]
fn an_expired_ticket_is_a_finding_and_no_login() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(developer) = sit_down(&domain, &[&Way::KERBEROS]) else { return };
    domain.expired_ticket(&tickets(&developer));
    let daemon = developer.start_proxy();
    domain.lab.forget();
    assert_finding(&domain, &daemon, "P37");
    assert_no_login(&domain, &Way::KERBEROS);
}

#[test]
fn a_kdc_that_says_nothing_gives_way_to_the_password() {
    let Some(domain) = Domain::enter() else { return };
    let way =
        Way { ticket: Some(Ticket::Mit), account: Some("NTLM"), user: Way::NTLM.user, ..Way::ALL };
    let Some(developer) = sit_down(&domain, &[&way]) else { return };
    // The system takes its connections; nobody answers.
    let kdc = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = kdc.local_addr().expect("an address");
    let configuration = developer.home.write(
        "krb5.conf",
        format!(
            "[libdefaults]\ndefault_realm = CORP.TEST\ndns_lookup_kdc = false\n\
             udp_preference_limit = 1\n[realms]\nCORP.TEST = {{\nkdc = {address}\n}}\n\
             [domain_realm]\n.corp.test = CORP.TEST\n"
        ),
    );
    let configuration = format!("KRB5_CONFIG={}", configuration.display());
    let daemon = developer.start_proxy_in(&["env", &configuration]);
    // The library is at it for half a minute, the daemon waits for 10 s of it, and the second time for
    // none: each bound is what would have to be exceeded without that, not what a quiet machine needs.
    for limit in [25, 9] {
        let begun = Instant::now();
        curl(&domain, &daemon, &["--fail", "https://cdn.corp.test/"]).success();
        assert!(begun.elapsed() < Duration::from_secs(limit), "{:?}", begun.elapsed());
    }
    kdc.set_nonblocking(true).expect("not blocking");
    assert!(kdc.accept().is_ok(), "nobody asked");
}

#[test]
fn a_machine_without_kerberos_is_a_finding_and_no_login() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(developer) = sit_down(&domain, &[&Way::KERBEROS]) else { return };
    // An empty file over each GSSAPI of the machine, where only the daemon sees it.
    let hide = "for library in $(/sbin/ldconfig -p | awk '/libgssapi/ { print $NF }'); do \
                mount --bind /dev/null \"$(readlink -f \"$library\")\"; done; exec \"$@\"";
    let daemon = developer.start_proxy_in(&["unshare", "--mount", "sh", "-euc", hide, "sh"]);
    domain.lab.forget();
    assert_finding(&domain, &daemon, "P38");
    assert_no_login(&domain, &Way::KERBEROS);
}

/// A 20-import `go mod tidy`, and then each client, with last month's password.
fn wrong_password(way: &Way) {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(developer) = sit_down(&domain, &[way]) else { return };
    store(&domain, &developer, way, STALE);
    let mut source = "package main\n\nimport (\n".to_owned();
    for number in 1..=20 {
        writeln!(source, "\t_ \"private.corp.test/team/library{number}\"").expect("text");
    }
    developer.home.write("app/main.go", source + ")\n\nfunc main() {}\n");
    developer.home.write("app/go.mod", "module example.test/app\n\ngo 1.18\n");
    let daemon = developer.start_proxy();
    domain.lab.forget();
    let output = daemon.go(&["mod", "tidy"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().matches("gocred[P02]").count() >= 20, "{output:?}");
    assert_one_failed_login(&domain, way);

    assert_finding(&domain, &daemon, "P02");
    drop(daemon);
    // A restart is no reason to try it again.
    let daemon = developer.start_proxy();
    assert_finding(&domain, &daemon, "P02");
    drop(daemon);
    assert_one_failed_login(&domain, way);
    assert_eq!(developer.leaks(&domain.lab), [""; 0]);
}

/// So many tunnels, 16 at a time; standard output is a line with each status of CONNECT.
fn burst(domain: &Domain, daemon: &Daemon<'_>, tunnels: usize) -> Output {
    let each = ["--output", "/dev/null", "--write-out", "%{http_connect}\n"];
    let close = ["--header", "Connection: close"];
    let many = ["--parallel", "--parallel-max", "16"];
    let targets = format!("https://cdn.corp.test/?[1-{tunnels}]");
    curl(domain, daemon, &[&each[..], &close, &many, &[&targets]].concat())
}

/// Stores a password for the proxy's account, unseen.
pub(crate) fn store(domain: &Domain, developer: &Developer, way: &Way, password: &str) {
    let user = domain.lab.account(way.account.expect("an account")).user;
    let login = ["login", "--proxy", way.url, "--username", &user, "--with-token", "--no-verify"];
    developer.run(GOCRED, &login, password).success();
}

/// Go and curl fail, and say this code and what to do.
fn assert_finding(domain: &Domain, daemon: &Daemon<'_>, code: &str) {
    let code = format!("gocred[{code}]");
    daemon.go(&["clean", "-modcache"]).success();
    let go = daemon.go(&["get", "private.corp.test/team/dep@v1.0.0"]);
    assert_eq!(go.code, Some(1), "{go:?}");
    assert!(go.err().contains(&code), "{code}: {go:?}");
    let curl = curl(domain, daemon, &["--verbose", "https://cdn.corp.test/"]);
    assert_eq!(curl.code, Some(56), "{curl:?}");
    assert!(curl.err().contains(&code), "{code}: {curl:?}");
    let git = daemon.run("git", &["ls-remote", "https://git.corp.test/team/lib.git"]);
    assert_eq!(git.code, Some(128), "{git:?}");
}

pub(crate) fn assert_one_failed_login(domain: &Domain, way: &Way) {
    let failed = eventually("squid logs the refusal", || {
        let failed = domain.failed_logins(way.proxy);
        (!failed.is_empty()).then_some(failed)
    });
    assert_eq!(failed.len(), 1, "{:?}", domain.tunnels(way.proxy));
    if way.account == Some("NTLM") {
        assert_eq!((domain.bad_passwords(), domain.is_locked()), (1, false));
    }
}

/// The squid was asked, and got nothing.
fn assert_no_login(domain: &Domain, way: &Way) {
    let asked = eventually("squid logs the question", || {
        let asked = domain.tunnels(way.proxy);
        (!asked.is_empty()).then_some(asked)
    });
    for tunnel in &asked {
        assert_eq!((tunnel.login.as_str(), tunnel.user.as_str()), ("-", "-"), "{asked:?}");
    }
}
