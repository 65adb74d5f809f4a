//! No secret in clear: the search itself, and the commands that handle a secret when they fail.
//! `go_matrix` searches after every run in which all goes well.

use std::{fs, path::Path};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

use crate::support::{
    developer::{Developer, UPSTREAM},
    go::Release,
    home::Home,
    lab::Lab,
};

#[test]
fn the_search_finds_a_secret_in_every_form() {
    let Some(lab) = Lab::enter() else { return };
    let account = lab.account("GIT");
    let (user, secret) = (account.user, account.secret);
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let percent: String = secret
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let forms: [(&str, Vec<u8>); 8] = [
        ("text", format!("password={secret}\n").into()),
        ("text", percent.into()),
        ("UTF-16", utf16),
        ("base64", STANDARD.encode(&secret).into()),
        ("base64", STANDARD.encode(format!("{user}:{secret}")).into()),
        ("base64", STANDARD.encode(format!("x{user}:{secret}")).into()),
        ("base64", STANDARD.encode(format!("xx{user}:{secret}")).into()),
        ("base64", URL_SAFE.encode(&secret).into()),
    ];
    for (form, bytes) in forms {
        let home = Home::new();
        let file = home.write("deep/in/a/file", [b"before ", bytes.as_slice(), b" after"].concat());
        let find = format!("GIT_SECRET as {form} in {}", file.display());
        assert!(lab.sweep(&[home.path()]).contains(&find), "{form}");
        fs::write(&file, "nothing").expect("written");
        assert_eq!(lab.sweep(&[home.path()]), [""; 0]);
    }
    let home = Home::new();
    home.write(&format!("a file named {}", secret.replace('/', "_")), "");
    assert_eq!(lab.sweep(&[home.path()]).len(), 1);
}

#[test]
fn a_login_that_fails_says_and_keeps_nothing_of_the_secret() {
    let Some(lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    // Each is a secret of the lab at a place that does not take it.
    for (account, arguments) in [
        ("GOPROXY", &["git.corp.test"][..]),
        ("GIT", &["https://goproxy.corp.test"]),
        ("GIT", &["--proxy", UPSTREAM]),
        ("GIT", &["http://plain.corp.test"]),
        ("GIT", &["nowhere.corp.test"]),
        ("GIT", &["git.corp.test", "--no-such-flag"]),
    ] {
        let output = developer.login(&lab, account, arguments);
        assert_ne!(output.code, Some(0), "{arguments:?}: {output:?}");
    }
    assert_eq!(developer.gocred(&["list"]).success().matches("corp.test").count(), 0);
    assert_eq!(developer.leaks(&lab), [""; 0]);
}

#[test]
fn git_says_and_keeps_nothing_of_the_secret() {
    let Some(lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    developer.login(&lab, "GIT", &["git.corp.test"]).success();
    developer.gocred(&["setup", "--git", "--yes"]).success();
    let url = "https://git.corp.test/team/lib.git";
    developer.run("git", &["clone", url, "lib"], "").success();
    developer.run("git", &["-C", "lib", "fetch"], "").success();
    developer.gocred(&["status"]).success();
    developer.gocred(&["setup", "--undo"]).success();
    assert!(Path::new(&developer.home.path().join("app/lib/lib.go")).exists());
    assert_eq!(developer.leaks(&lab), [""; 0]);
}
