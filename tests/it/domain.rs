//! The domain of the lab itself: real curl passes each squid without gocred, and the domain controller
//! counts and locks. What `proxy_schemes` and `proxy_refused` find stands on this.

use std::{fmt::Write, path::PathBuf};

use crate::{
    proxy_schemes::{PRINCIPAL, Way, assert_saw},
    support::{
        domain::{Domain, Ticket},
        eventually,
        home::{Home, Output},
        program,
    },
};

/// curl, its home with a cache of tickets, and what it needs to know of the lab.
struct Curl {
    home: Home,
    program: PathBuf,
    lab: String,
}

impl Curl {
    fn new(domain: &Domain) -> Option<Self> {
        let lab = domain.lab.folder().display().to_string();
        Some(Self { home: Home::new(), program: program("curl", "curl")?, lab })
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("tickets")
    }

    /// Opens a tunnel with one scheme; its standard output is the status of CONNECT.
    fn ask(&self, way: &Way, scheme: &str, login: &str) -> Output {
        let Self { home, program, lab } = self;
        let mut file = format!(
            "silent\nshow-error\nwrite-out = \"%{{http_connect}}\"\noutput = \"/dev/null\"\n\
             cacert = \"{lab}/ca.pem\"\nproxy-cacert = \"{lab}/ca.pem\"\nproxy = \"{}\"\n\
             url = \"https://cdn.corp.test/\"\n",
            way.url
        );
        if !scheme.is_empty() {
            writeln!(file, "proxy-{scheme}").expect("text");
        }
        if !login.is_empty() {
            let login = login.replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(file, "proxy-user = \"{login}\"").expect("text");
        }
        if way.proxy == "certificate" {
            let client = format!("{lab}/client");
            writeln!(file, "proxy-cert = {client}.pem\nproxy-key = {client}.key").expect("text");
        }
        let file = home.write("curlrc", file);
        home.run(program).args(["-q", "-K"]).arg(file).env("KRB5CCNAME", self.cache()).output()
    }

    /// Returns the status of CONNECT.
    fn status(&self, way: &Way, scheme: &str, login: &str) -> String {
        self.ask(way, scheme, login).out()
    }
}

#[test]
fn curl_passes_each_proxy_of_the_lab_without_gocred() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(curl) = Curl::new(&domain) else { return };
    let login = |name: &str| {
        let account = domain.lab.account(name);
        format!("{}:{}", account.user, account.secret)
    };
    let (basic, digest, ntlm) = (login("PROXY"), login("DIGEST"), login("NTLM"));
    let (socks, ticket) = (login("SOCKS"), ":".to_owned());
    let all = |like: Way| Way { user: like.user, ..Way::ALL };
    let ways = [
        (Way::OPEN, "", ""),
        (Way::BASIC, "basic", &basic),
        (Way::DIGEST, "digest", &digest),
        (Way::NTLM, "ntlm", &ntlm),
        (Way::KERBEROS, "negotiate", &ticket),
        (all(Way::KERBEROS), "negotiate", &ticket),
        (all(Way::NTLM), "ntlm", &ntlm),
        (all(Way::DIGEST), "digest", &digest),
        (all(Way::BASIC), "basic", &basic),
        (Way::TLS, "basic", &basic),
        (Way::CERTIFICATE, "", ""),
        (Way::SOCKS, "", &socks),
    ];
    domain.ticket(Ticket::Mit, &curl.cache());
    for (way, scheme, login) in &ways {
        domain.lab.forget();
        let output = curl.ask(way, scheme, login);
        assert_eq!(output.code, Some(0), "{} {scheme}: {output:?}", way.url);
        assert_saw(&domain, way, &["cdn.corp.test:443"]);
    }
    // Tickets of the domain, with the helper of squid and with that of Samba.
    domain.ticket(Ticket::Directory, &curl.cache());
    for way in [Way { user: PRINCIPAL, ..Way::SPNEGO }, Way::GSS] {
        domain.lab.forget();
        assert_eq!(curl.status(&way, "negotiate", ":"), "200", "{}", way.url);
        assert_saw(&domain, &way, &["cdn.corp.test:443"]);
    }
    domain.expired_ticket(&curl.cache());
    assert_eq!(curl.status(&Way::KERBEROS, "negotiate", ":"), "407");
}

#[test]
fn the_domain_counts_failed_logins_and_locks_the_account() {
    let Some(mut domain) = Domain::enter() else { return };
    let Some(curl) = Curl::new(&domain) else { return };
    let with = |password: &str| curl.status(&Way::NTLM, "ntlm", &format!("CORP\\nils:{password}"));
    assert_eq!((with("wrong").as_str(), domain.bad_passwords()), ("407", 1));
    eventually("squid logs it", || (domain.failed_logins("ntlm").len() == 1).then_some(()));
    assert!(!domain.is_locked());
    for _ in 2..=5 {
        assert_eq!(with("wrong"), "407");
    }
    assert_eq!((domain.bad_passwords(), domain.is_locked()), (5, true));
    let secret = domain.windows_account().secret;
    assert_eq!(with(&secret), "407", "it is locked");

    domain.unlock();
    assert_eq!((with(&secret).as_str(), domain.bad_passwords()), ("200", 0));
    let another = "another password, 1 of 2";
    domain.set_password(another);
    assert_eq!((with(&secret).as_str(), domain.bad_passwords()), ("407", 1));
    assert_eq!((with(another).as_str(), domain.bad_passwords()), ("200", 0));
}
