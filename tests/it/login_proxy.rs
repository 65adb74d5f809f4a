//! `login --proxy`: what the proxy wants is found out before anybody is asked for a password, and the
//! password is proven once, by the scheme that the loopback proxy will use. The second half asks the
//! real servers of the lab's domain, and goes to hosts behind them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    login::Desk,
    proxy_lab::{Daemon, Next, Upstream, basic, echo, proxy, status},
    proxy_schemes::{Way, sit_down, tickets},
    support::{
        developer::Developer,
        domain::{Domain, Ticket},
        eventually,
        go::Release,
        home::{GOCRED, Output},
    },
};

/// A proxy that answers 407 with these challenges to everything, and closes.
fn asking(challenges: &[&str]) -> Upstream {
    let fields = challenges.join("\r\nProxy-Authenticate: ");
    Upstream::saying(format!(
        "HTTP/1.1 407 login\r\nContent-Length: 0\r\nProxy-Authenticate: {fields}\r\n\r\n"
    ))
}

/// The heads that carried a login.
fn logins(upstream: &Upstream) -> Vec<String> {
    let is_login = |head: &String| head.to_ascii_lowercase().contains("proxy-authorization:");
    upstream.heads().into_iter().filter(is_login).collect()
}

#[test]
fn a_proxy_that_asks_nobody_needs_no_login() {
    let Some(desk) = Desk::new() else { return };
    let upstream = Upstream::echo();
    let said = desk.run(&["login", "--proxy", &upstream.url()]).output().success();
    assert!(said.contains("no login is needed") && said.contains("serves everybody"), "{said}");
    assert!(desk.stored().contains("\"entries\":[]"));
    let config = std::fs::read_to_string(desk.home.config().join("gocred/config.toml"));
    assert!(config.expect("a configuration").contains(&upstream.url()));
    // Who has a password for it may store one.
    let said = desk.login(&["--proxy", &upstream.url(), "--username", "ana"], "hunter2").success();
    assert!(said.contains("without a login"), "{said}");
    assert_eq!(logins(&upstream), [""; 0]);
}

#[test]
fn a_proxy_that_wants_a_ticket_gets_nobody_asked_for_a_password() {
    let Some(desk) = Desk::new() else { return };
    let upstream = asking(&["Negotiate"]);
    let run = desk.run(&["login", "--proxy", &upstream.url()]);
    let output = run.env("KRB5CCNAME", "FILE:/nonexistent/cache").output();
    assert_eq!(output.code, Some(4), "{output:?}");
    for part in ["wants a Kerberos ticket", "`kinit`", "--username 'DOMAIN\\USER'"] {
        assert!(output.err().contains(part), "{part}: {output:?}");
    }
    assert_eq!(logins(&upstream), [""; 0]);
    assert!(!desk.home.config().join("gocred/config.toml").exists());
}

#[test]
fn the_warning_is_about_what_will_be_sent() {
    let Some(desk) = Desk::new() else { return };
    let nonce = "Digest realm=\"corp\", nonce=\"1\", qop=\"auth\"";
    for (challenges, warns) in
        [(&["Basic realm=\"corp\""][..], true), (&[nonce, "Basic realm=\"corp\""], false)]
    {
        let upstream = asking(challenges);
        let output = desk.login(&["--proxy", &upstream.url(), "--username", "ana"], "hunter2");
        assert_eq!(output.code, Some(4), "{output:?}");
        assert_eq!(output.err().contains("clear text"), warns, "{output:?}");
        assert_eq!(logins(&upstream).len(), 1, "{output:?}");
    }
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn a_password_that_may_be_sent_in_clear_is_warned_of_whoever_reads_the_answer() {
    let Some(desk) = Desk::new() else { return };
    for (configured, challenges, warns) in [
        ("", &["Basic realm=\"corp\""][..], true),
        ("", &["Negotiate", "Basic realm=\"corp\""], true),
        ("", &["Negotiate", "NTLM", "Basic realm=\"corp\""], false),
        ("schemes = [\"NTLM\", \"Basic\"]", &["NTLM"], true),
    ] {
        let upstream = asking(challenges);
        let config = format!("[upstream.\"{}\"]\n{configured}\n", upstream.address);
        desk.home.write(".config/gocred/config.toml", config);
        let arguments = ["--proxy", &upstream.url(), "--username", "ana", "--json"];
        let output = desk.login(&arguments, "hunter2");
        let warned = output.err().contains("warning: ") && output.err().contains("clear text");
        assert_eq!(warned, warns, "{challenges:?}: {output:?}");
    }
}

#[test]
fn less_than_was_offered_before_gets_no_password_until_the_configuration_permits_it() {
    let Some(desk) = Desk::new() else { return };
    let upstream = Upstream::basic("ana:hunter2");
    desk.home.write(".local/state/gocred/strongest", format!("v1 {} NTLM\n", upstream.url()));
    let login = || desk.login(&["--proxy", &upstream.url(), "--username", "ana"], "hunter2");
    let output = login();
    assert_eq!(output.code, Some(4), "{output:?}");
    let permit = format!("schemes = [\"Basic\"] in [upstream.\"{}\"]", upstream.address);
    for part in ["offers only Basic, after NTLM before", &permit] {
        assert!(output.err().contains(part), "{part}: {output:?}");
    }
    assert_eq!(logins(&upstream), [""; 0]);
    let config = format!("[upstream.\"{}\"]\nschemes = [\"Basic\"]\n", upstream.address);
    desk.home.write(".config/gocred/config.toml", config);
    assert!(login().success().contains("accepted it (Basic)"));
    // That was about this proxy as it is now: nobody has said that it never offered more.
    let strongest = std::fs::read_to_string(desk.home.state().join("gocred/strongest"));
    assert!(strongest.expect("the file").contains("NTLM"));
}

/// Somebody on the way offers what needs no warning, and asks for the password once it is typed.
#[test]
fn the_password_goes_out_by_no_weaker_scheme_than_the_person_was_told_of() {
    let Some(desk) = Desk::new() else { return };
    for (first, then) in [
        ("NTLM", "Basic realm=\"x\""),
        ("Digest realm=\"x\", nonce=\"1\"", "Basic realm=\"x\""),
        ("NTLM", "Negotiate, Basic realm=\"x\""),
        ("Negotiate", "Negotiate, Basic realm=\"x\""),
        ("NTLM", "Bearer"),
    ] {
        let asked = AtomicUsize::new(0);
        let hostile = Upstream::start(move |client, head| {
            let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            let is_negotiated = head.contains("Proxy-Authorization: Negotiate ");
            let offer = match (is_first, is_negotiated) {
                (true, _) => first,
                (false, true) => "Negotiate",
                (false, false) => then,
            };
            client.send(format!(
                "HTTP/1.1 407 x\r\nContent-Length: 0\r\nProxy-Authenticate: {offer}\r\n\r\n"
            ));
            Next::Again
        });
        let output = desk.login(&["--proxy", &hostile.url(), "--username", "ana"], "hunter2");
        assert_eq!(output.code, Some(4), "{output:?}");
        assert!(output.err().contains("before; somebody on the way may want"), "{output:?}");
        let is_clear = |head: &String| head.contains(": Basic ") || head.contains(": Bearer ");
        let sent = hostile.heads();
        assert!(!sent.iter().any(is_clear), "{first}, then {then}: {sent:?}");
    }
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn a_password_that_the_proxy_does_not_judge_is_stored_and_said() {
    let Some(desk) = Desk::new() else { return };
    let login = basic("ana:hunter2");
    let upstream = Upstream::start(move |client, head| {
        client.send(if head.contains(&login) {
            "HTTP/1.1 503 no way\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 407 login\r\nContent-Length: 0\r\nProxy-Authenticate: Basic\r\n\r\n"
        });
        Next::Again
    });
    let arguments = ["--proxy", &upstream.url(), "--username", "ana", "--json"];
    let said = desk.login(&arguments, "hunter2").success();
    for part in ["\"verified\":\"undecidable\"", "\"stored\":\"written\"", "503"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(logins(&upstream).len(), 1);
}

#[test]
fn a_running_proxy_takes_the_new_password_and_the_users_word_at_once() {
    let Some(desk) = Desk::new() else { return };
    // It offered NTLM as long as the secret was the old one.
    let new = basic("ana:hunter2");
    let upstream = Upstream::start(move |client, head| {
        if head.contains(&new) {
            client.send("HTTP/1.1 200 ok\r\n\r\n");
            echo(client);
            return Next::Close;
        }
        client.send(if head.contains("old.test") {
            "HTTP/1.1 407 login\r\nContent-Length: 0\r\nProxy-Authenticate: NTLM\r\n\r\n"
        } else {
            "HTTP/1.1 407 login\r\nContent-Length: 0\r\nProxy-Authenticate: Basic\r\n\r\n"
        });
        Next::Again
    });
    desk.login(&["--proxy", &upstream.url(), "--username", "ana", "--no-verify"], "old").success();
    let run = proxy(&desk.home, &[upstream.url()]);
    let daemon = Daemon::start(&run.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()));
    let connect = |host: &str| {
        let answer = daemon.ask_head(format!("CONNECT {host}:443 HTTP/1.1\r\nHost: h\r\n\r\n"));
        status(&answer).to_owned()
    };
    assert_eq!(connect("old.test"), "502");
    eventually("the downgrade is noticed", || (connect("new.test") == "502").then_some(()));
    let config = format!("[upstream.\"{}\"]\nschemes = [\"Basic\"]\n", upstream.address);
    desk.home.write(".config/gocred/config.toml", config);
    let said = desk.login(&["--proxy", &upstream.url(), "--username", "ana"], "hunter2").success();
    assert!(said.contains("the running loopback proxy has been told"), "{said}");
    assert_eq!(connect("new.test"), "200", "at once");
}

#[test]
fn a_host_is_reached_by_the_pac_file() {
    let Some(desk) = Desk::new() else { return };
    let login = basic("ana:hunter2");
    let host = Upstream::start(move |client, head| {
        let is_signed = head.contains(&format!("\r\nAuthorization: {login}"))
            || head.contains(&format!("\r\nauthorization: {login}"));
        client.send(if is_signed {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 401 no\r\nContent-Length: 0\r\nWWW-Authenticate: Basic\r\n\r\n"
        });
        Next::Again
    });
    let script =
        format!("function FindProxyForURL(url, host) {{ return \"PROXY {}\"; }}\n", host.address);
    let script = desk.home.write("proxy.pac", script);
    let config = format!("[proxy]\npac = \"{}\"\n", script.display());
    desk.home.write(".config/gocred/config.toml", config);
    let arguments = ["http://git.test", "--username", "ana", "--allow-http"];
    let said = desk.login(&arguments, "hunter2").success();
    assert!(said.contains("accepted it"), "{said}");
    assert!(host.heads().iter().all(|head| head.starts_with("GET http://git.test/")));
}

/// Signs in the way a person does: the proxy is asked first.
fn sign_in(developer: &Developer, way: &Way, user: &str, secret: &str) -> Output {
    let arguments = ["login", "--proxy", way.url, "--username", user, "--with-token"];
    developer.run(GOCRED, &arguments, secret)
}

/// A developer who has no account at any proxy, and one at a git host.
fn newcomer(domain: &Domain, settings: &str) -> Option<Developer> {
    let mut developer = Developer::new(&domain.lab, Release::Go127)?;
    developer.export("KRB5CCNAME", format!("FILE:{}", tickets(&developer).display()));
    developer.home.write(".config/gocred/config.toml", settings);
    developer.login(&domain.lab, "GIT", &["git.corp.test"]).success();
    Some(developer)
}

#[test]
fn every_scheme_accepts_the_right_password() {
    for (way, how) in [
        (Way::BASIC, "Basic"),
        (Way::DIGEST, "Digest"),
        (Way::NTLM, "NTLM"),
        (Way::SPNEGO, "NTLM within Negotiate"),
        (Way::GSS, "NTLM within Negotiate"),
        (Way { account: Some("NTLM"), user: Way::NTLM.user, ..Way::ALL }, "NTLM"),
        (Way::TLS, "Basic"),
        (Way::SOCKS, "SOCKS"),
    ] {
        let Some(mut domain) = Domain::enter() else { return };
        let Some(developer) = newcomer(&domain, "") else { return };
        domain.lab.forget();
        let account = domain.lab.account(way.account.expect("an account"));
        let output = sign_in(&developer, &way, &account.user, &account.secret);
        let warns = output.err().contains("clear text");
        assert_eq!(warns, matches!(how, "Basic" | "SOCKS") && way.proxy != "tls", "{output:?}");
        let said = output.success();
        assert!(said.contains(&format!("accepted it ({how})")), "{}: {said}", way.url);
        assert_eq!(domain.failed_logins(way.proxy).len(), 0, "{:?}", domain.tunnels(way.proxy));
        let listed = developer.gocred(&["list"]).success();
        assert!(listed.contains(way.url.rsplit('/').next().expect("a place")), "{listed}");
        assert_eq!(developer.leaks(&domain.lab), [""; 0], "{}", way.url);
    }
}

#[test]
fn every_scheme_rejects_a_wrong_password_once() {
    let all = Way { account: Some("NTLM"), ..Way::ALL };
    for way in
        [Way::BASIC, Way::DIGEST, Way::NTLM, Way::SPNEGO, Way::GSS, all, Way::TLS, Way::SOCKS]
    {
        let Some(mut domain) = Domain::enter() else { return };
        let Some(developer) = newcomer(&domain, "") else { return };
        domain.lab.forget();
        let user = domain.lab.account(way.account.expect("an account")).user;
        let output = sign_in(&developer, &way, &user, "last month's");
        assert_eq!(output.code, Some(4), "{output:?}");
        assert!(output.err().contains("it was not stored"), "{output:?}");
        if way.proxy != "socks" {
            let failed = eventually("squid logs the refusal", || {
                Some(domain.failed_logins(way.proxy)).filter(|failed| !failed.is_empty())
            });
            assert_eq!(failed.len(), 1, "{:?}", domain.tunnels(way.proxy));
        }
        if way.account == Some("NTLM") {
            assert_eq!((domain.bad_passwords(), domain.is_locked()), (1, false), "{}", way.url);
        }
        let listed = developer.gocred(&["list"]).success();
        assert!(!listed.contains(way.url.rsplit('/').next().expect("a place")), "{listed}");
    }
}

#[test]
fn a_ticket_that_works_needs_no_password_and_no_keyring() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(mut developer) = newcomer(&domain, "") else { return };
    let login = ["login", "--proxy", Way::KERBEROS.url];
    let output = developer.gocred(&login);
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(output.err().contains("`kinit`"), "{output:?}");
    domain.expired_ticket(&tickets(&developer));
    let output = developer.gocred(&login);
    assert!(output.err().contains("expired") && output.err().contains("`kinit`"), "{output:?}");

    domain.ticket(Ticket::Mit, &tickets(&developer));
    developer.export("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    domain.lab.forget();
    let said = developer.gocred(&login).success();
    assert!(said.contains("no login is needed") && said.contains("kate@CORP.TEST"), "{said}");
    assert_eq!(domain.failed_logins("kerberos").len(), 0);
    // It takes no password, whoever has one.
    let output = sign_in(&developer, &Way::KERBEROS, "CORP\\nils", "whatever");
    assert_eq!(output.code, Some(5), "the keyring is needed for that: {output:?}");
}

#[test]
fn a_proxy_that_takes_tickets_only_stores_no_password() {
    let Some(domain) = Domain::enter() else { return };
    let Some(developer) = newcomer(&domain, "") else { return };
    let output = sign_in(&developer, &Way::KERBEROS, "CORP\\nils", "whatever");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(output.err().contains("wants a Kerberos ticket"), "{output:?}");
    let listed = developer.gocred(&["list"]).success();
    assert!(!listed.contains("proxy-kerberos"), "{listed}");
}

#[test]
fn a_client_certificate_of_the_configuration_is_shown() {
    let Some(domain) = Domain::enter() else { return };
    let folder = domain.lab.folder().display().to_string();
    let settings = Way::CERTIFICATE.settings.replace("@LAB@", &folder);
    let settings = format!("[upstream.\"proxy-certificate.corp.test:3129\"]\n{settings}");
    for (settings, code) in [(settings.as_str(), Some(0)), ("", Some(6))] {
        let Some(developer) = newcomer(&domain, settings) else { return };
        let output = developer.gocred(&["login", "--proxy", Way::CERTIFICATE.url]);
        assert_eq!(output.code, code, "{output:?}");
    }
}

#[test]
fn a_host_is_reached_through_a_proxy_of_every_kind() {
    for way in [
        Way::DIGEST,
        Way::NTLM,
        Way::SPNEGO,
        Way::GSS,
        Way::KERBEROS,
        Way::TLS,
        Way::CERTIFICATE,
        Way::SOCKS,
    ] {
        let Some(mut domain) = Domain::enter() else { return };
        let Some(developer) = sit_down(&domain, &[&way]) else { return };
        domain.lab.forget();
        let login = developer.login(
            &domain.lab,
            "GOPROXY",
            &["https://goproxy.corp.test/private.corp.test/team/lib/@v/list"],
        );
        let said = login.success();
        assert!(said.contains("accepted it"), "{}: {said}", way.url);
        super::proxy_schemes::assert_saw(&domain, &way, &["goproxy.corp.test:443"]);
        assert_eq!(developer.leaks(&domain.lab), [""; 0], "{}", way.url);
    }
}

#[test]
fn a_host_behind_a_proxy_that_refuses_is_told_why() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(developer) = sit_down(&domain, &[&Way::NTLM]) else { return };
    let user = domain.lab.account("NTLM").user;
    let stale =
        ["login", "--proxy", Way::NTLM.url, "--username", &user, "--with-token", "--no-verify"];
    developer.run(GOCRED, &stale, "last month's").success();
    domain.lab.forget();
    for _ in 0..2 {
        let output = developer.login(&domain.lab, "GOPROXY", &["goproxy.corp.test"]);
        assert_eq!(output.code, Some(6), "{output:?}");
        for part in ["gocred[P02]", "`gocred login --proxy http://proxy-ntlm.corp.test:3128`"] {
            assert!(output.err().contains(part), "{part}: {output:?}");
        }
    }
    assert_eq!(domain.bad_passwords(), 1);

    // The daemon that runs says the same.
    let daemon = developer.start_proxy();
    let output = developer.login(&domain.lab, "GOPROXY", &["goproxy.corp.test"]);
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.err().contains("gocred[P02]"), "{output:?}");
    drop(daemon);
    assert_eq!(domain.bad_passwords(), 1);
}
