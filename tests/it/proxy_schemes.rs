//! Every way to log in to a corporate proxy, for real: curl, git and go reach an HTTPS origin through
//! the loopback proxy and each squid of the lab's domain, as the user that the squid should see.
//! `proxy_refused` has what happens when there is no way.

use std::{fmt::Write, path::PathBuf};

use crate::support::{
    developer::{Daemon, Developer, UPSTREAM},
    domain::{Domain, Ticket},
    eventually,
    go::Release,
    home::Output,
};

/// As squid's own helper calls the account of the domain; Samba's calls it `CORP\nils`.
pub(crate) const PRINCIPAL: &str = "nils@AD.CORP.TEST";

/// One upstream, and what the developer has for it.
pub(crate) struct Way {
    /// The name of its log.
    pub(crate) proxy: &'static str,
    pub(crate) url: &'static str,
    /// What stands in its table of the configuration.
    pub(crate) settings: &'static str,
    /// Whose password is stored.
    pub(crate) account: Option<&'static str>,
    pub(crate) ticket: Option<Ticket>,
    /// Whom the squid should see.
    pub(crate) user: &'static str,
}

impl Way {
    const NOTHING: Self =
        Self { proxy: "", url: "", settings: "", account: None, ticket: None, user: "-" };
    pub(crate) const BASIC: Self = Self {
        proxy: "proxy",
        url: UPSTREAM,
        account: Some("PROXY"),
        user: "ana.proxy",
        ..Self::NOTHING
    };
    pub(crate) const DIGEST: Self = Self {
        proxy: "digest",
        url: "http://proxy-digest.corp.test:3128",
        account: Some("DIGEST"),
        user: "dora",
        ..Self::NOTHING
    };
    pub(crate) const NTLM: Self = Self {
        proxy: "ntlm",
        url: "http://proxy-ntlm.corp.test:3128",
        account: Some("NTLM"),
        user: "CORP\\nils",
        ..Self::NOTHING
    };
    pub(crate) const KERBEROS: Self = Self {
        proxy: "kerberos",
        url: "http://proxy-kerberos.corp.test:3128",
        ticket: Some(Ticket::Mit),
        user: "kate@CORP.TEST",
        ..Self::NOTHING
    };
    pub(crate) const SPNEGO: Self = Self {
        proxy: "spnego",
        url: "http://proxy-spnego.corp.test:3128",
        account: Some("NTLM"),
        user: "CORP\\nils",
        ..Self::NOTHING
    };
    pub(crate) const GSS: Self =
        Self { proxy: "gss", url: "http://proxy-gss.corp.test:3128", ..Self::SPNEGO };
    pub(crate) const ALL: Self =
        Self { proxy: "all", url: "http://proxy-all.corp.test:3128", ..Self::NOTHING };
    pub(crate) const OPEN: Self =
        Self { proxy: "open", url: "http://proxy-open.corp.test:3128", ..Self::NOTHING };
    pub(crate) const TLS: Self =
        Self { proxy: "tls", url: "https://proxy-tls.corp.test:3129", ..Self::BASIC };
    pub(crate) const CERTIFICATE: Self = Self {
        proxy: "certificate",
        url: "https://proxy-certificate.corp.test:3129",
        settings: "client_cert = \"@LAB@/client.pem\"\nclient_key = \"@LAB@/client.key\"\n",
        ..Self::NOTHING
    };
    pub(crate) const SOCKS: Self = Self {
        proxy: "socks",
        url: "socks5h://socks.corp.test:1080",
        account: Some("SOCKS"),
        ..Self::NOTHING
    };
}

#[test]
fn clients_pass_with_basic() {
    pass(&Way::BASIC);
}

#[test]
fn clients_pass_with_digest() {
    pass(&Way::DIGEST);
}

#[test]
fn clients_pass_with_ntlm() {
    pass(&Way::NTLM);
}

#[test]
fn clients_pass_with_a_ticket() {
    pass(&Way::KERBEROS);
}

#[test]
fn clients_pass_with_a_ticket_of_the_domain() {
    let ticket = Some(Ticket::Directory);
    pass(&Way { account: None, ticket, user: PRINCIPAL, ..Way::SPNEGO });
    pass(&Way { account: None, ticket, ..Way::GSS });
}

#[test]
fn clients_pass_with_ntlm_within_negotiate() {
    pass(&Way::SPNEGO);
    pass(&Way::GSS);
}

#[test]
fn clients_pass_with_the_strongest_of_all_schemes() {
    pass(&Way { ticket: Some(Ticket::Mit), user: Way::KERBEROS.user, ..Way::ALL });
    pass(&Way { account: Some("NTLM"), user: Way::NTLM.user, ..Way::ALL });
}

#[test]
fn clients_pass_with_the_scheme_that_is_configured() {
    let configured = |settings, account, like: &Way| Way {
        settings,
        account: Some(account),
        user: like.user,
        // It must not win.
        ticket: Some(Ticket::Mit),
        ..Way::ALL
    };
    pass(&configured("schemes = [\"ntlm\"]\n", "NTLM", &Way::NTLM));
    pass(&configured("schemes = [\"digest\"]\n", "DIGEST", &Way::DIGEST));
    pass(&configured("schemes = [\"basic\"]\n", "PROXY", &Way::BASIC));
}

#[test]
fn clients_pass_through_a_proxy_behind_tls() {
    pass(&Way::TLS);
}

#[test]
fn clients_pass_with_a_client_certificate() {
    pass(&Way::CERTIFICATE);
}

#[test]
fn clients_pass_through_socks() {
    pass(&Way::SOCKS);
}

#[test]
fn clients_pass_when_the_first_of_two_upstreams_dies() {
    for (first, second) in [(Way::BASIC, Way::OPEN), (Way::NTLM, Way::BASIC)] {
        let Some(mut domain) = Domain::enter() else { return };
        let Some(developer) = sit_down(&domain, &[&first, &second]) else { return };
        let daemon = developer.start_proxy();
        domain.lab.forget();
        let targets = use_clients(&domain, &daemon, "before");
        domain.kill_proxy(first.proxy);
        use_clients(&domain, &daemon, "after");
        drop(daemon);
        for way in [&first, &second] {
            assert_saw(&domain, way, &targets);
        }
        assert_eq!(developer.leaks(&domain.lab), [""; 0]);
    }
}

fn pass(way: &Way) {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(developer) = sit_down(&domain, &[way]) else { return };
    let daemon = developer.start_proxy();
    domain.lab.forget();
    let targets = use_clients(&domain, &daemon, "once");
    drop(daemon);
    assert_saw(&domain, way, &targets);
    assert_eq!(developer.leaks(&domain.lab), [""; 0], "{}", way.url);
}

/// A developer who has what these ways need, and everything else that the clients need.
pub(crate) fn sit_down(domain: &Domain, ways: &[&Way]) -> Option<Developer> {
    let mut developer = Developer::new(&domain.lab, Release::Go127)?;
    developer.login(&domain.lab, "GOPROXY", &["goproxy.corp.test"]).success();
    developer.login(&domain.lab, "GIT", &["git.corp.test"]).success();
    let upstreams: Vec<&str> = ways.iter().map(|way| way.url).collect();
    let mut config = format!("[proxy]\nupstream = {upstreams:?}\nallow = [\"127.77.0.0/16\"]\n");
    for way in ways.iter().filter(|way| !way.settings.is_empty()) {
        let place = way.url.rsplit('/').next().expect("a place");
        let folder = domain.lab.folder().display().to_string();
        let settings = way.settings.replace("@LAB@", &folder);
        write!(config, "\n[upstream.\"{place}\"]\n{settings}").expect("text");
    }
    developer.home.write(".config/gocred/config.toml", config);
    developer.export("KRB5CCNAME", format!("FILE:{}", tickets(&developer).display()));
    for way in ways {
        if let Some(account) = way.account {
            let login = ["--proxy", way.url, "--no-verify"];
            developer.login(&domain.lab, account, &login).success();
        }
        if let Some(ticket) = way.ticket {
            domain.ticket(ticket, &tickets(&developer));
        }
    }
    developer.gocred(&["setup", "--git", "--go", "--yes"]).success();
    developer.export("GOPROXY", "https://goproxy.corp.test");
    developer.export("GONOSUMDB", "private.corp.test");
    developer.need("private.corp.test/team/dep");
    Some(developer)
}

/// The developer's cache of tickets.
pub(crate) fn tickets(developer: &Developer) -> PathBuf {
    developer.home.path().join("tickets")
}

/// Runs curl with what it needs to know of the lab.
pub(crate) fn curl(domain: &Domain, daemon: &Daemon<'_>, arguments: &[&str]) -> Output {
    let authority = domain.lab.authority().display().to_string();
    let arguments = [&["-q", "--silent", "--show-error", "--cacert", &authority], arguments];
    daemon.run("curl", &arguments.concat())
}

/// Runs curl, git and go; returns the hosts that they asked for.
fn use_clients(domain: &Domain, daemon: &Daemon<'_>, round: &str) -> [&'static str; 3] {
    let page = curl(domain, daemon, &["--fail", "https://cdn.corp.test/"]);
    assert_eq!(page.success(), "modules\n");
    let clone = format!("../clone-{round}");
    daemon.run("git", &["clone", "https://git.corp.test/team/lib.git", &clone]).success();
    daemon.go(&["clean", "-modcache"]).success();
    daemon.go(&["mod", "download"]).success();
    ["cdn.corp.test:443", "git.corp.test:443", "goproxy.corp.test:443"]
}

/// The upstream opened tunnels to these, for the right user, and refused no login.
pub(crate) fn assert_saw(domain: &Domain, way: &Way, targets: &[&str]) {
    if way.proxy == "socks" {
        eventually("the SOCKS server logs the tunnels", || {
            let seen = domain.socks_targets();
            targets.iter().all(|target| seen.iter().any(|seen| seen == target)).then_some(())
        });
        return;
    }
    let opened = || domain.tunnels(way.proxy).into_iter().filter(|tunnel| tunnel.status == 200);
    eventually("squid logs the tunnels", || {
        targets.iter().all(|target| opened().any(|tunnel| tunnel.target == *target)).then_some(())
    });
    for tunnel in opened() {
        assert_eq!(tunnel.user, way.user, "{}: {tunnel:?}", way.url);
    }
    assert_eq!(domain.failed_logins(way.proxy).len(), 0, "{:?}", domain.tunnels(way.proxy));
}
