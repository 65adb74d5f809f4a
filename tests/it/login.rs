//! `login`, `logout`, `list`: what is asked, what is stored, and what is refused.

use super::support::{
    home::{GOCRED, Home, Output, Run},
    keyring::{Keyring, silent_bus},
    program,
    server::{Request, Server, certificate},
};

/// `ana:hunter2`
const ANA: &str = "YW5hOmh1bnRlcjI=";
/// `oauth2:hunter2` never goes to GitLab's API in this form.
const TOKEN: &str = "hunter2";

/// Somebody who signs in.
pub(crate) struct Desk {
    pub(crate) home: Home,
    pub(crate) keyring: Keyring,
}

impl Desk {
    pub(crate) fn new() -> Option<Self> {
        Some(Self { keyring: Keyring::unlocked()?, home: Home::new() })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = self.home.gocred().args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    pub(crate) fn login(&self, arguments: &[&str], secret: &str) -> Output {
        let all = [&["login", "--with-token"], arguments].concat();
        let output = self.run(&all).input(secret).output();
        assert!(!output.out().contains("hunter2"), "{output:?}");
        assert!(!output.err().contains("hunter2"), "{output:?}");
        output
    }

    pub(crate) fn stored(&self) -> String {
        self.run(&["list", "--json"]).output().success()
    }
}

fn wall(request: &Request) -> String {
    if request.is_signed(ANA) {
        "200 OK".to_owned()
    } else {
        "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"Corp\"".to_owned()
    }
}

#[test]
fn a_good_token_is_accepted_stored_and_said() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(wall);
    let url = format!("http://{}", server.authority());
    let arguments = [&*url, "--username", "ana", "--allow-http"];
    let said = desk.login(&arguments, "hunter2\n").success();
    assert!(said.contains("accepted it"), "{said}");
    assert_eq!(server.signed(), 1);
    assert!(desk.stored().contains(&format!("\"url\":\"{url}\"")));
    let again = desk.login(&arguments, "hunter2").success();
    assert!(again.contains("already signed in"), "{again}");
    let config = std::fs::read_to_string(desk.home.config().join("gocred/config.toml")).unwrap();
    assert!(config.contains("allow_http = true"), "{config}");
    // Allowed once, the host needs no flag any more.
    desk.login(&arguments[..3], "hunter2").success();
}

#[test]
fn a_wrong_token_is_sent_once_and_not_stored() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(wall);
    let url = format!("http://{}", server.authority());
    let output = desk.login(&[&url, "--username", "ana", "--allow-http"], "hunter22");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert_eq!(server.signed(), 1);
    assert!(desk.stored().contains("\"entries\":[]"));
    assert!(!desk.home.config().join("gocred/config.toml").exists());
}

#[test]
fn a_host_that_hides_everything_is_undecidable_and_stored() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(|_| "404 Not Found".to_owned());
    let url = format!("http://{}", server.authority());
    let output = desk.login(&[&url, "--username", "ana", "--allow-http", "--json"], "hunter2");
    let said = output.success();
    assert!(said.starts_with("{\"schema\":1,"), "{said}");
    assert!(said.contains("\"verified\":\"undecidable\"") && said.contains("404"), "{said}");
    assert_eq!(server.signed(), 1);
    assert!(desk.stored().contains("\"account\":\"ana\""));
}

#[test]
fn a_path_is_asked_as_a_repository_and_decides() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(|request| match request.target.as_str() {
        "/team/lib.git/info/refs?service=git-upload-pack" => wall(request),
        _ => "404 Not Found".to_owned(),
    });
    let url = format!("http://{}/team/lib", server.authority());
    let said = desk.login(&[&url, "--username", "ana", "--allow-http"], "hunter2").success();
    assert!(said.contains("accepted it"), "{said}");
    // The secret is for the whole host, because that is what git and go ask for.
    assert!(desk.stored().contains("\"path\":null"));
}

#[test]
fn a_redirect_is_not_followed_with_the_secret() {
    let Some(desk) = Desk::new() else { return };
    let other = Server::start(|_| "200 OK".to_owned());
    let place = other.authority();
    let server = Server::start(move |request| match request.field("authorization") {
        None => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"".to_owned(),
        Some(_) => format!("302 Found\r\nLocation: http://{place}/"),
    });
    let url = format!("http://{}", server.authority());
    let said = desk.login(&[&url, "--username", "ana", "--allow-http"], "hunter2").success();
    assert!(said.contains("302"), "{said}");
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn a_probe_stays_with_the_origin_of_the_secret() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(wall);
    let url = format!("http://{}", server.authority());
    let probe = format!("{url}/deep/@v/list");
    let arguments = [&*url, "--username", "ana", "--allow-http", "--probe"];
    desk.login(&[&arguments[..], &[&*probe]].concat(), "hunter2").success();
    assert!(server.seen().iter().any(|request| request.target == "/deep/@v/list"));
    let foreign = Server::start(wall);
    let probe = format!("http://{}/x", foreign.authority());
    let output = desk.login(&[&arguments[..], &[&*probe]].concat(), "hunter2");
    assert_eq!(output.code, Some(2), "{output:?}");
    assert_eq!(foreign.seen().len(), 0);
}

#[test]
fn gitlab_is_recognised_and_asked_by_its_api() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(|request| match request.target.as_str() {
        "/api/v4/user" if request.field("authorization") == Some("Bearer hunter2") => {
            "200 OK".to_owned()
        }
        "/api/v4/user" => "401 Unauthorized\r\nContent-Type: application/json".to_owned(),
        _ => "302 Found\r\nLocation: /users/sign_in".to_owned(),
    });
    let url = format!("http://{}", server.authority());
    let said = desk.login(&[&url, "--allow-http", "--json"], TOKEN).success();
    assert!(said.contains("\"account\":\"oauth2\""), "{said}");
    assert!(said.contains("\"verified\":\"accepted\""), "{said}");
}

#[test]
fn a_host_that_takes_no_basic_is_not_given_any() {
    let Some(desk) = Desk::new() else { return };
    let server =
        Server::start(|_| "401 Unauthorized\r\nWWW-Authenticate: Negotiate, NTLM".to_owned());
    let url = format!("http://{}", server.authority());
    let said = desk.login(&[&url, "--username", "ana", "--allow-http"], "hunter2").success();
    assert!(said.contains("negotiate, ntlm"), "{said}");
    assert_eq!(server.signed(), 0);
}

#[test]
fn logout_removes_what_login_stored() {
    let Some(desk) = Desk::new() else { return };
    for user in ["ana", "bob"] {
        desk.login(&["git.test", "--username", user, "--no-verify"], "hunter2").success();
    }
    let one = desk.run(&["logout", "git.test", "--username", "bob"]).output().success();
    assert!(one.contains("removed bob at git.test"), "{one}");
    assert!(desk.stored().contains("\"account\":\"ana\""));
    desk.run(&["logout", "https://git.test/"]).output().success();
    assert!(desk.stored().contains("\"entries\":[]"));
    assert_eq!(desk.run(&["logout", "git.test"]).output().code, Some(1));
    let index = std::fs::read_to_string(desk.home.state().join("gocred/hosts")).unwrap();
    assert!(!index.contains("git.test"), "{index}");
}

#[test]
fn secrets_that_no_header_carries_are_refused() {
    let Some(desk) = Desk::new() else { return };
    for secret in ["", "\n", "hunter2\nhunter2", "hunter2\0x", "hunter2\rx"] {
        let output = desk.login(&["git.test", "--username", "ana", "--no-verify"], secret);
        assert_eq!(output.code, Some(2), "{secret:?} {output:?}");
    }
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named() {
    let Some(desk) = Desk::new() else { return };
    if certificate(&desk.home).is_none() {
        return;
    }
    let server = Server::tls(&desk.home, wall);
    let place = server.authority();
    let ca = desk.home.path().join("ca.pem");
    let login = |name: &str| {
        let arguments = ["login", &place, "--username", "ana", "--with-token"];
        let run = desk.run(&arguments).input("hunter2");
        if name.is_empty() { run.output() } else { run.env(name, &ca).output() }
    };
    let unknown = login("");
    assert_eq!(unknown.code, Some(6), "{unknown:?}");
    assert!(
        unknown.err().contains("UnknownIssuer") && unknown.err().contains("ca = "),
        "{unknown:?}"
    );
    assert!(server.seen().is_empty());
    for name in ["SSL_CERT_FILE", "GIT_SSL_CAINFO"] {
        let said = login(name).success();
        assert!(said.contains("accepted it"), "{name} {said}");
    }
    let config = format!("[host.\"{place}\"]\nca = \"{}\"\n", ca.display());
    desk.home.write(".config/gocred/config.toml", config);
    assert!(login("").success().contains("accepted it"));
    desk.home.write("ca.pem", "");
    assert_eq!(login("").code, Some(3));
}

/// In a mount namespace of its own, where the system's authorities are the test's.
#[test]
fn the_systems_authorities_are_trusted_beside_those_of_the_environment() {
    const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
    let Some(desk) = Desk::new() else { return };
    let Some(unshare) = program("unshare", "util-linux") else { return };
    if !std::path::Path::new(BUNDLE).exists() || certificate(&desk.home).is_none() {
        return;
    }
    let server = Server::tls(&desk.home, wall);
    let system = desk.home.path().join("system.pem");
    std::fs::copy(desk.home.path().join("ca.pem"), &system).expect("copied");
    certificate(&desk.home).expect("another authority");
    let other = desk.home.path().join("ca.pem");
    let script = format!(
        "mount --bind '{}' {BUNDLE} && exec '{GOCRED}' login {} --username ana --with-token",
        system.display(),
        server.authority()
    );
    for name in ["SSL_CERT_FILE", "GIT_SSL_CAINFO"] {
        let run = desk.home.run(&unshare).args(["-rm", "sh", "-c", &script]).input("hunter2");
        let run = run.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()).env(name, &other);
        let said = run.output().success();
        assert!(said.contains("accepted it"), "{name} {said}");
    }
}

#[test]
fn a_named_file_of_authorities_that_is_missing_is_said() {
    let Some(desk) = Desk::new() else { return };
    let run = desk.run(&["login", "127.0.0.1:1", "--username", "ana", "--with-token"]);
    let output = run.env("SSL_CERT_FILE", "/nonexistent/ca.pem").input("hunter2").output();
    assert_eq!(output.code, Some(3), "{output:?}");
    let said = output.err();
    assert!(said.contains("/nonexistent/ca.pem") && said.contains("hint: "), "{said}");
}

#[test]
fn a_certificate_of_another_name_is_not_blamed_on_its_authority() {
    let Some(desk) = Desk::new() else { return };
    if certificate(&desk.home).is_none() {
        return;
    }
    let place = Server::tls(&desk.home, wall).authority().replace("127.0.0.1", "localhost");
    let run = desk.run(&["login", &place, "--username", "ana", "--with-token"]).input("hunter2");
    let output = run.env("SSL_CERT_FILE", desk.home.path().join("ca.pem")).output();
    assert_eq!(output.code, Some(6), "{output:?}");
    let said = output.err();
    assert!(said.contains("openssl s_client -connect localhost:"), "{said}");
    assert!(!said.contains("ca = "), "{said}");
}

#[test]
fn a_path_that_lets_the_secret_pass_is_not_refuted_by_its_neighbour() {
    let Some(desk) = Desk::new() else { return };
    // A module proxy below /api/go, and somebody else's wall around it.
    let server = Server::start(|request| match request.field("authorization") {
        Some(_) if request.target.starts_with("/api/go/") => wall(request).replace("200", "404"),
        _ => wall(&Request::default()),
    });
    let url = format!("http://{}/api/go", server.authority());
    let arguments = [&*url, "--username", "ana", "--allow-http"];
    let wrong = desk.login(&arguments, "hunter22");
    assert_eq!((wrong.code, server.signed()), (Some(4), 1), "{wrong:?}");
    // The command to paste asks the same page again.
    assert!(wrong.err().contains(&format!("`gocred login {url} --username ana`")), "{wrong:?}");
    let said = desk.login(&arguments, "hunter2").success();
    assert!(said.contains("whether it works is not known"), "{said}");
    assert!(!said.contains("signed in"), "{said}");
    assert!(desk.stored().contains("\"account\":\"ana\""));
}

#[test]
fn a_secret_that_could_not_be_found_again_is_not_stored() {
    let Some(desk) = Desk::new() else { return };
    // The folder of the index is a file, as good as a full disk or a read-only one.
    desk.home.write(".local/state/gocred", "");
    let output = desk.login(&["git.test", "--username", "ana", "--no-verify"], "hunter2");
    assert_eq!(output.code, Some(3), "{output:?}");
    let said = output.err();
    assert!(said.contains("error[K08]: nothing was stored") && said.contains("hint: "), "{said}");
    assert!(said.contains("gocred/hosts\n"), "{said}");
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn a_damaged_index_does_not_stop_a_login() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(".local/state/gocred/hosts", "");
    let output = desk.login(&["git.test", "--username", "ana", "--no-verify"], "hunter2");
    assert!(output.err().contains("it was moved to"), "{output:?}");
    output.success();
    let asked = desk.home.helper().arg("get").input("protocol=https\nhost=git.test\n\n");
    let asked = asked.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()).output().success();
    assert!(asked.contains("username=ana"), "{asked}");
}

#[test]
fn a_server_that_is_no_proxy_gets_no_password_and_is_not_configured() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(|_| "405 Method Not Allowed".to_owned());
    let url = format!("http://{}", server.authority());
    let output = desk.login(&["--proxy", &url, "--username", "ana"], "hunter2");
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.err().contains("no forward proxy"), "{output:?}");
    assert!(server.seen().iter().all(|request| request.field("proxy-authorization").is_none()));
    assert!(desk.stored().contains("\"entries\":[]"));
    assert!(!desk.home.config().join("gocred/config.toml").exists());
}

#[test]
fn a_proxy_that_the_configuration_does_not_use_is_said_to_be_unused() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(".config/gocred/config.toml", "[proxy]\nupstream = [\"http://old.test:1\"]\n");
    let arguments = ["--proxy", "http://new.test:2", "--username", "ana", "--no-verify"];
    let said = desk.login(&arguments, "hunter2").success();
    assert!(said.contains("`gocred proxy run` uses other proxies"), "{said}");
}

fn squid(request: &Request) -> String {
    if request.is_signed(ANA) {
        "200 Connection established".to_owned()
    } else {
        "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"Corp\"".to_owned()
    }
}

#[test]
fn a_proxy_login_is_checked_stored_and_configured() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(squid);
    let url = format!("http://{}", server.authority());
    let output = desk.login(&["--proxy", &url, "--username", "ana"], "hunter2");
    assert!(output.err().contains("clear text"), "{output:?}");
    let said = output.success();
    assert!(said.contains("accepted it"), "{said}");
    assert!(desk.stored().contains("\"kind\":\"proxy\""));
    let config = std::fs::read_to_string(desk.home.config().join("gocred/config.toml")).unwrap();
    assert!(config.contains(&format!("upstream = [\"{url}\"]")), "{config}");
    // From now on the configured proxy is the one.
    desk.login(&["--username", "ana", "--proxy"], "hunter2").success();
    desk.run(&["logout", "--proxy", &url]).output().success();
}

#[test]
fn a_wrong_proxy_password_costs_one_failed_login() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(squid);
    let url = format!("http://{}", server.authority());
    let output = desk.login(&["--proxy", &url, "--username", "ana"], "hunter22");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert_eq!(server.signed(), 1);
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn a_host_is_reached_through_the_proxy_that_was_signed_in_to() {
    let Some(desk) = Desk::new() else { return };
    let proxy = Server::start(|request| {
        if !request.is_signed(ANA) {
            return "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\""
                .into();
        }
        match request.field("authorization") {
            Some(_) => "200 OK".to_owned(),
            None => "401 Unauthorized".to_owned(),
        }
    });
    let url = format!("http://{}", proxy.authority());
    let host = ["http://git.test", "--username", "bob", "--allow-http"];
    let denied = desk.run(&[&["login", "--with-token"], &host[..]].concat());
    let denied = denied.env("HTTP_PROXY", &url).input("hunter2").output();
    assert_eq!(denied.code, Some(6), "{denied:?}");
    assert!(denied.err().contains(&format!("gocred login --proxy {url}")), "{denied:?}");
    desk.login(&["--proxy", &url, "--username", "ana", "--no-verify"], "hunter2").success();
    let through = desk.run(&[&["login", "--with-token"], &host[..]].concat());
    let through = through.env("HTTP_PROXY", &url).input("hunter2").output().success();
    assert!(through.contains("accepted it"), "{through}");
}

#[test]
fn a_stale_proxy_password_is_sent_once_over_many_logins() {
    let Some(desk) = Desk::new() else { return };
    let proxy = Server::start(|_| {
        "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"".to_owned()
    });
    let url = format!("http://{}", proxy.authority());
    desk.login(&["--proxy", &url, "--username", "ana", "--no-verify"], "hunter2").success();
    for (variable, host) in [("HTTPS_PROXY", "git.test"), ("HTTP_PROXY", "http://git.test")] {
        let arguments = ["login", host, "--username", "bob", "--allow-http", "--with-token"];
        let run = desk.run(&arguments).env(variable, &url).input("hunter2").output();
        assert_eq!(run.code, Some(6), "{run:?}");
        assert_eq!(proxy.signed(), 1, "{run:?}");
    }
}

#[test]
fn the_store_is_proved_before_anything_is_asked() {
    let home = Home::new();
    let login = |address: String| {
        let run = home.gocred().args(["login", "git.test", "--username", "ana", "--with-token"]);
        run.env("DBUS_SESSION_BUS_ADDRESS", address).input("hunter2").output()
    };
    let silent = silent_bus();
    let mut said = vec![login(silent.address()), login("unix:path=/nonexistent/bus".into())];
    if let Some(keyring) = Keyring::locked() {
        said.push(login(keyring.address()));
    }
    if let Some(keyring) = Keyring::absent() {
        said.push(login(keyring.address()));
    }
    for output in &said {
        assert_eq!(output.code, Some(5), "{output:?}");
        assert!(output.err().contains("hint: "), "{output:?}");
    }
}
