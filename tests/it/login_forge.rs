//! What the APIs of forges say of a token. The servers here are stand-ins, written from the published
//! answers of each forge: none of them can be had for a test.

use serde_json::Value;

use super::{
    login::Desk,
    oauth::Login,
    support::server::{Request, Server},
};

fn json(fields: &str, body: &str) -> String {
    format!(
        "200 OK\r\nContent-Type: application/json\r\n{fields}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const MISSING: &str = "404 Not Found";
const REFUSED: &str = "401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// GitHub Enterprise (docs.github.com, "Authorizing OAuth apps", "Get the authenticated user").
fn ghe(request: &Request) -> String {
    let is_signed = request.field("authorization").is_some();
    match (request.target.as_str(), is_signed) {
        ("/api/v3/user", true) => json(
            "X-OAuth-Scopes: gist\r\ngithub-authentication-token-expiration: 2099-11-25 19:37:30 UTC\r\n",
            r#"{"login":"ana","id":1,"name":"Ana Lima"}"#,
        ),
        ("/api/v3/user", false) => REFUSED.to_owned(),
        ("/login/device/code", _) => json(
            "",
            r#"{"device_code":"3584d83530557fdd1f46af8289938c8ef79f9dc5","user_code":"WDJB-MJHT",
            "verification_uri":"https://ghe.test/login/device","expires_in":900,"interval":1}"#,
        ),
        ("/login/oauth/access_token", _) => {
            json("", r#"{"access_token":"gho_16C7","token_type":"bearer","scope":"gist"}"#)
        }
        _ => MISSING.to_owned(),
    }
}

/// GitLab (docs.gitlab.com, "Personal access tokens API", "Users API").
fn gitlab(request: &Request) -> String {
    let is_signed = request.field("authorization") == Some("Bearer glpat-hunter2");
    match (request.target.as_str(), is_signed) {
        ("/api/v4/user", true) => json("", r#"{"id":1,"username":"ana","name":"Ana Lima"}"#),
        ("/api/v4/personal_access_tokens/self", true) => json(
            "",
            r#"{"id":4,"name":"laptop","scopes":["read_api","read_repository"],"expires_at":"2099-01-31"}"#,
        ),
        ("/api/v4/user", false) => REFUSED.to_owned(),
        _ => MISSING.to_owned(),
    }
}

fn token(said: &str) -> Value {
    let said: Value = serde_json::from_str(said).expect("JSON");
    said.get("token").expect("what is known of the token").clone()
}

#[test]
fn a_pasted_token_is_told_with_its_account_scopes_and_end() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(gitlab);
    let url = format!("http://{}", server.authority());
    let said = desk.login(&[&url, "--allow-http", "--json"], "glpat-hunter2").success();
    let token = token(&said);
    assert_eq!((&token["login"], &token["name"]), (&"ana".into(), &"Ana Lima".into()), "{said}");
    assert_eq!(token["scopes"], serde_json::json!(["read_api", "read_repository"]));
    assert_eq!(token["missing_scopes"], serde_json::json!([]));
    assert_eq!(token["expires_at"], "2099-01-31T23:59:59.000Z");
}

#[test]
fn a_token_without_the_right_that_git_needs_is_told_so() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(ghe);
    let url = format!("http://{}", server.authority());
    let said = desk.login(&[&url, "--allow-http"], "hunter2").success();
    assert!(said.contains("it is the token of ana (Ana Lima)"), "{said}");
    assert!(said.contains("missing scopes: repo"), "{said}");
    assert!(said.contains("it ends 2099-11-25 19:37 UTC"), "{said}");
}

#[test]
fn a_github_enterprise_signs_in_by_its_preset() {
    let Some(desk) = Desk::new() else { return };
    let server = Server::start(ghe);
    let url = format!("http://{}", server.authority());
    let arguments = ["login", &url, "--allow-http", "--device", "--client-id", "Iv1.x", "--json"];
    let mut login = Login::start(&desk.run(&arguments));
    assert_eq!(login.url("on any device"), "https://ghe.test/login/device");
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let token = token(&ended.out);
    assert_eq!(token["missing_scopes"], serde_json::json!(["repo"]), "{ended:?}");
    assert!(ended.out.contains("\"account\":\"ana\""), "{ended:?}");
    let asked = server.seen();
    let body = |path: &str| asked.iter().filter(|it| it.target == path).count();
    assert_eq!((body("/login/device/code"), body("/login/oauth/access_token")), (1, 1));
}
