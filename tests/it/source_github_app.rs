//! A GitHub app's installation token. GitHub is a stand-in written from its published responses ("Create an
//! installation access token for an app"); the statement that we sign is checked by openssl.

use std::{fs, os::unix::fs::PermissionsExt, sync::Mutex};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gocred::sys::clock;

use crate::support::{
    agent::Agent,
    git::quiet,
    home::{GOCRED, Home, Output},
    program,
    server::{self, Request, Server},
};

const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

/// A machine with the key of an app, and GitHub Enterprise beside it.
struct Machine {
    home: Home,
    github: Server,
}

impl Machine {
    fn new(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Option<Self> {
        let (home, openssl) = (Home::new(), program("openssl", "openssl")?);
        server::certificate(&home)?;
        let key = ["genrsa", "-traditional", "-out", "app.pem", "2048"];
        home.run(&openssl).args(key).output().success();
        let public = ["rsa", "-in", "app.pem", "-pubout", "-out", "app.pub"];
        home.run(&openssl).args(public).output().success();
        let mode = PermissionsExt::from_mode(0o600);
        fs::set_permissions(home.path().join("app.pem"), mode).expect("0600");
        let github = Server::tls(&home, answer);
        let machine = Self { home, github };
        machine.configure("4711");
        Some(machine)
    }

    fn configure(&self, installation: &str) {
        let (host, home) = (self.github.authority(), self.home.path().display());
        let text = format!(
            "[source.\"{host}\"]\nfrom = \"github-app\"\napp_id = \"Iv1.app\"\n\
             installation = \"{installation}\"\nkey = \"{home}/app.pem\"\n\
             [host.\"{host}\"]\nca = \"{home}/ca.pem\"\n"
        );
        self.home.write(".config/gocred/config.toml", text);
    }

    fn get(&self) -> Output {
        let ask = format!("protocol=https\nhost={}\n", self.github.authority());
        self.home.helper().arg("get").input(ask).output()
    }

    /// Checks a statement with openssl, and returns what it claims.
    fn claims(&self, statement: &str) -> serde_json::Value {
        let (signed, signature) = statement.rsplit_once('.').expect("a signature");
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64");
        self.home.write("signed", signed);
        self.home.write("signature", decode(signature));
        let openssl = program("openssl", "openssl").expect("openssl");
        let check = ["dgst", "-sha256", "-verify", "app.pub", "-signature", "signature", "signed"];
        assert_eq!(self.home.run(openssl).args(check).output().success(), "Verified OK\n");
        let (header, claims) = signed.split_once('.').expect("claims");
        assert_eq!(decode(header), br#"{"alg":"RS256","typ":"JWT"}"#);
        serde_json::from_slice(&decode(claims)).expect("JSON")
    }
}

/// GitHub's answer, with a token that ends at a moment.
fn created(ends: &str) -> String {
    format!(
        "201 Created\r\nContent-Type: application/json; charset=utf-8\r\n\r\n\
         {{\"token\":\"{TOKEN}\",\"expires_at\":\"{ends}\",\"permissions\":{{\"contents\":\"read\",\
         \"metadata\":\"read\"}},\"repository_selection\":\"selected\"}}"
    )
}

#[test]
fn a_signed_statement_is_exchanged_for_a_token_that_is_kept_for_its_hour() {
    let Some(machine) = Machine::new(|_| created("2099-07-11T22:14:10Z")) else { return };
    let _agent = Agent::start(machine.home.run(GOCRED));
    let expected =
        format!("username=x-access-token\npassword={TOKEN}\npassword_expiry_utc=4087491250\n");
    for _ in 0..3 {
        assert_eq!(quiet(machine.get()), expected);
    }
    let seen = machine.github.seen();
    let [request] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api/v3/app/installations/4711/access_tokens")
    );
    assert_eq!(request.field("x-github-api-version"), Some("2022-11-28"));
    let authorization = request.field("authorization").expect("a statement");
    let claims = machine.claims(authorization.strip_prefix("Bearer ").expect("Bearer"));
    let number = |name: &str| claims[name].as_u64().expect("a number");
    assert_eq!(claims["iss"], "Iv1.app");
    // From GitHub's point of view: not of the future, and of ten minutes at most.
    assert!(number("iat") < clock::now() && number("exp") - number("iat") <= 600, "{claims}");
    assert!(number("exp") > clock::now() + 300, "{claims}");
}

#[test]
fn what_github_says_against_it_has_a_code_and_no_token() {
    static SAID: Mutex<&str> = Mutex::new("");
    let Some(machine) = Machine::new(|_| {
        let said = SAID.lock().expect("a turn");
        format!("{said}\r\nContent-Type: application/json\r\n\r\n{}", message(&said))
    }) else {
        return;
    };
    for (said, code, what) in [
        ("401 Unauthorized", "K28", "refuses the app: A JSON web token could not be decoded"),
        ("403 Forbidden", "K21", "This installation has been suspended"),
        ("404 Not Found", "K29", "knows no such installation of the app: Not Found"),
        ("503 Service Unavailable", "K24", "answers 503"),
        ("201 Created", "K23", "answers without a token or its end"),
    ] {
        *SAID.lock().expect("a turn") = said;
        let output = machine.get();
        let err = output.err();
        assert!(err.starts_with(&format!("gocred[{code}]: ")) && err.contains(what), "{err}");
        assert_eq!(output.success(), "");
    }
    machine.configure("4711/../1");
    assert!(machine.get().err().contains("is a number"));
    machine.configure("4711");
    machine.home.write("app.pem", "no key");
    assert!(machine.get().err().contains("app.pem: it holds no private key"));
}

/// What GitHub's documentation shows for a status.
fn message(status: &str) -> &'static str {
    match status.split(' ').next() {
        Some("401") => r#"{"message":"A JSON web token could not be decoded"}"#,
        Some("403") => r#"{"message":"This installation has been suspended"}"#,
        Some("404") => r#"{"message":"Not Found","status":"404"}"#,
        Some("201") => r#"{"token":"","expires_at":"2099-07-11T22:14:10Z"}"#,
        _ => "<html>",
    }
}
