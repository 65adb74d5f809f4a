//! Signing in with OAuth 2 at a real provider: device codes, a browser with PKCE, what goes wrong on the
//! way, and taking it back.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
};

use serde_json::{Value, json};

use super::{
    login::Desk,
    support::{
        home::{HELPER, Run},
        oidc::Provider,
        server::Server,
    },
};

/// A login that runs, and what it tells the person.
pub(crate) struct Login {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    told: String,
}

/// How a login ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) told: String,
}

impl Login {
    pub(crate) fn start(run: &Run) -> Self {
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("gocred");
        let lines = BufReader::new(child.stderr.take().expect("stderr"));
        Self { child, lines, told: String::new() }
    }

    /// Waits for a line that holds a text, and returns the URL in it.
    pub(crate) fn url(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.lines.read_line(&mut line).expect("a line");
            assert!(length > 0, "no line with {text}: {}", self.told);
            self.told += &line;
            if line.contains(text) && line.contains("://") {
                let words = line.split([' ', ',', '\n']);
                return words
                    .into_iter()
                    .find(|word| word.contains("://"))
                    .expect("a URL")
                    .to_owned();
            }
        }
    }

    pub(crate) fn ends(mut self) -> Ended {
        let mut line = String::new();
        while self.lines.read_line(&mut line).expect("a line") > 0 {
            self.told += &line;
            line.clear();
        }
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().expect("stdout");
        stdout.read_to_string(&mut out).expect("text");
        let status = self.child.wait().expect("an end");
        Ended { code: status.code(), out, told: std::mem::take(&mut self.told) }
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // A test that failed must not leave one that waits for a person.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who signs in by the flow that the flag names.
pub(crate) fn login(desk: &Desk, provider: &Provider, arguments: &[&str]) -> Login {
    let all = ["login", provider.issuer(), "--allow-http", "--json"];
    let all = [&all[..], arguments].concat();
    Login::start(&desk.run(&all))
}

/// Signs in with a device code.
pub(crate) fn by_device(desk: &Desk, provider: &Provider) -> Value {
    let mut login = login(desk, provider, &["--device", "--client-id", "gocred"]);
    provider.browser("approve", &login.url("user_code="));
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.out).expect("JSON")
}

/// What git is answered.
pub(crate) fn get(desk: &Desk, url: &str) -> Run {
    let (protocol, host) = url.split_once("://").expect("a URL");
    desk.home
        .run(HELPER)
        .arg("get")
        .input(format!("protocol={protocol}\nhost={host}\n"))
        .env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address())
}

pub(crate) fn password(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("password="))
}

/// Whether a file below a folder holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_device_code_signs_in_and_logout_takes_it_back() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({ "announce": 1 })) else { return };
    let said = by_device(&desk, &provider);
    assert_eq!(said["account"], "ana", "{said}");
    assert_eq!(said["token"]["name"], "Ana Lima");
    assert_eq!(said["token"]["scopes"], json!(["openid", "profile", "offline_access"]));
    assert_eq!((&said["token"]["renews"], &said["stored"]), (&json!(true), &json!("written")));
    assert!(said["token"]["expires_at"].as_str().unwrap().ends_with('Z'), "{said}");

    let answer = get(&desk, provider.issuer()).output().success();
    assert!(answer.contains("username=ana\n"), "{answer}");
    assert!(!answer.contains("refresh"), "git must not learn what renews it: {answer}");
    let token = password(&answer).unwrap().to_owned();
    assert!(!holds(desk.home.path(), &token), "the keyring is the only place");

    let said = desk.run(&["logout", provider.issuer(), "--revoke"]).output().success();
    assert!(said.contains("has taken the tokens back"), "{said}");
    assert!(!said.contains("still valid"), "{said}");
    let revoked = provider.seen().iter().filter(|it| it.path == "/token/revocation").count();
    assert_eq!(revoked, 2);
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn the_code_is_asked_for_again_until_it_is_typed_and_slower_when_told() {
    let Some(desk) = Desk::new() else { return };
    let options = json!({ "announce": 1, "interval": 3 });
    let Some(provider) = Provider::start(options) else { return };
    let mut login = login(&desk, &provider, &["--device", "--client-id", "gocred"]);
    let url = login.url("user_code=");
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    super::support::eventually("it is told to slow down", || {
        let grants = provider.grants(grant);
        grants.iter().any(|(_, error)| error.as_deref() == Some("slow_down")).then_some(())
    });
    provider.browser("approve", &url);
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let errors: Vec<_> = provider.grants(grant).into_iter().map(|(_, error)| error).collect();
    let of = |text: &str| Some(text.to_owned());
    assert_eq!(errors, [of("authorization_pending"), of("slow_down"), None]);
}

#[test]
fn a_browser_signs_in_with_a_proof_that_only_we_have() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({})) else { return };
    let folder = desk.home.path().join("bin");
    provider.write_browser(&folder, "approve");
    let path = format!("{}:{}", folder.display(), super::support::path());
    let arguments = ["--web", "--client-id", "gocred"];
    let all = ["login", provider.issuer(), "--allow-http", "--json"];
    let run = desk.run(&[&all[..], &arguments].concat()).env("PATH", path).env("DISPLAY", ":9");
    let ended = Login::start(&run).ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.told.contains("code_challenge_method=S256"), "{ended:?}");
    assert!(!ended.told.contains("verifier"), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(said["account"], "ana");
    let page = std::fs::read_to_string(folder.join("page")).unwrap();
    assert!(page.starts_with("200 ") && page.contains("You are signed in"), "{page}");
    assert_eq!(provider.grants("authorization_code"), [(200, None)]);
}

#[test]
fn without_a_display_the_browser_is_the_persons_and_a_foreign_answer_changes_nothing() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({})) else { return };
    let mut login = login(&desk, &provider, &["--web", "--client-id", "gocred"]);
    let url = login.url("code_challenge=");
    let port = url.split("127.0.0.1%3A").nth(1).unwrap().split('%').next().unwrap().to_owned();
    let page =
        provider.browser("leave", &format!("http://127.0.0.1:{port}/callback?code=evil&state=x"));
    assert!(page.starts_with("404 "), "{page}");
    let page = provider.browser("approve", &url);
    assert!(page.starts_with("200 ") && page.contains("You are signed in"), "{page}");
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(provider.grants("authorization_code").len(), 1, "the foreign code is not redeemed");
}

#[test]
fn a_client_with_a_secret_shows_it() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({ "announce": 1 })) else { return };
    let place = provider.issuer().split_once("://").unwrap().1;
    let file = desk.home.write("client-secret", "keep: this & that%\n");
    let config = format!(
        "[oauth.\"{place}\"]\nclient_id = \"gocred:secret\"\nclient_secret_file = \"{}\"\n",
        file.display()
    );
    desk.home.write(".config/gocred/config.toml", &config);
    let run = |desk: &Desk| login(desk, &provider, &["--device"]);
    let refused = run(&desk).ends();
    assert_eq!(refused.code, Some(3), "others may read it: {refused:?}");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut login = run(&desk);
    provider.browser("approve", &login.url("user_code="));
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = desk.run(&["logout", provider.issuer(), "--revoke"]).output().success();
    assert!(said.contains("has taken the tokens back"), "{said}");
}

#[test]
fn who_denies_or_does_not_come_is_not_signed_in_and_nothing_is_stored() {
    let Some(desk) = Desk::new() else { return };
    let options = json!({ "announce": 1, "deviceLifetime": 4 });
    let Some(provider) = Provider::start(options) else { return };
    for (flag, text, what, words) in [
        ("--device", "user_code=", "deny", "was denied; nothing was stored"),
        ("--device", "user_code=", "leave", "in time; nothing was stored"),
        ("--web", "code_challenge=", "deny", "was denied; nothing was stored"),
    ] {
        let mut login = login(&desk, &provider, &[flag, "--client-id", "gocred"]);
        provider.browser(what, &login.url(text));
        let ended = login.ends();
        assert_eq!(ended.code, Some(4), "{flag} {what}: {ended:?}");
        assert!(ended.told.contains(words), "{flag} {what}: {ended:?}");
        assert!(desk.stored().contains("\"entries\":[]"), "{flag} {what}");
    }
}

#[test]
fn what_is_missing_is_named_before_anybody_is_asked() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({ "announce": 1 })) else { return };
    let of = |arguments: &[&str]| login(&desk, &provider, arguments).ends();
    let no_client = of(&["--device"]);
    assert_eq!(no_client.code, Some(2), "{no_client:?}");
    assert!(no_client.told.contains("--client-id ID"), "{no_client:?}");
    let foreign = of(&["--device", "--client-id", "nobody"]);
    assert_eq!(foreign.code, Some(4), "{foreign:?}");
    assert!(foreign.told.contains("check `--client-id`"), "{foreign:?}");
    let unattended = of(&["--client-id", "gocred"]);
    assert_eq!(unattended.code, Some(2), "{unattended:?}");
    assert!(unattended.told.contains("`--device` or `--web`"), "{unattended:?}");
    assert!(desk.stored().contains("\"entries\":[]"));
}

#[test]
fn a_scope_that_was_not_granted_and_an_account_that_is_another_are_told() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({ "announce": 1 })) else { return };
    let flags = ["--device", "--client-id", "gocred"];
    let scopes = ["--scopes", "openid offline_access admin read_repository"];
    let mut asks = login(&desk, &provider, &[&flags[..], &scopes].concat());
    provider.browser("approve", &asks.url("user_code="));
    let ended = asks.ends();
    let said: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!(said["token"]["missing_scopes"], json!(["admin"]), "{said}");
    let mut other = login(&desk, &provider, &[&flags[..], &["--username", "bob"]].concat());
    provider.browser("approve", &other.url("user_code="));
    let ended = other.ends();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.told.contains("you signed in as ana, and not as bob"), "{ended:?}");
    assert!(!desk.stored().contains("bob"));
}

#[test]
fn the_metadata_of_another_server_and_a_page_for_people_are_not_used() {
    let Some(desk) = Desk::new() else { return };
    let other = r#"{"issuer":"https://evil.test","token_endpoint":"https://evil.test/token"}"#;
    for (body, code, words) in [
        (other, 7, "another server than the one that was asked"),
        ("<html>a page for people", 4, "says nothing of OAuth 2"),
        ("{\"issuer\":7}", 4, "says nothing of OAuth 2"),
    ] {
        let server = Server::start(move |_| {
            format!(
                "200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        });
        let url = format!("http://{}", server.authority());
        let all = ["login", &url, "--allow-http", "--device", "--client-id", "x"];
        let output = desk.run(&all).output();
        assert_eq!(output.code, Some(code), "{output:?}");
        assert!(output.err().contains(words), "{output:?}");
    }
}
