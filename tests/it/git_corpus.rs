//! Every request of the corpus through real gits and through our decoder.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use gocred::core::{gitproto::Request, secret::ExposeSecret, secret::SecretString};

use crate::support::{
    git::{Git, gits},
    home::Home,
};

/// What `git credential fill` passes on of a complete request: the attributes, sorted; several of a
/// name in their order.
fn as_git_reads(home: &Home, git: &Git, request: &[u8]) -> Vec<(String, String)> {
    let output = home
        .run(&git.program)
        .args(["-c", "credential.useHttpPath=true", "credential", "fill"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .input(request)
        .output();
    let lines = output.success();
    let pairs = lines.split('\n').filter_map(|line| line.split_once('='));
    sorted(pairs.map(|(key, value)| (key, value.to_owned())).collect())
}

fn sorted(mut pairs: Vec<(&str, String)>) -> Vec<(String, String)> {
    pairs.sort_by_key(|(key, _)| *key);
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn as_we_read(git: &Git, request: &[u8]) -> Vec<(String, String)> {
    let request = Request::decode(request).expect("a request");
    let secret =
        |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
    let expiry = request.password_expiry_utc.map(|time| time.to_string());
    let attributes = [
        ("host", request.host),
        ("oauth_refresh_token", secret(request.oauth_refresh_token)),
        ("password", secret(request.password)),
        ("password_expiry_utc", expiry),
        ("path", request.path),
        ("protocol", request.protocol),
        ("username", request.username),
    ];
    let mut pairs: Vec<_> =
        attributes.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if git.version >= (2, 41) {
        pairs.extend(request.wwwauth.into_iter().map(|challenge| ("wwwauth[]", challenge)));
    }
    sorted(pairs)
}

fn corpus(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/git");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            name.starts_with(prefix).then(|| (name, fs::read(&path).expect("a request")))
        })
        .collect();
    files.sort();
    assert!(files.len() > 15, "{} requests", files.len());
    files
}

#[test]
fn what_git_reads_is_what_we_read() {
    let home = Home::new();
    for git in gits() {
        for (name, request) in corpus("same-") {
            // git 2.40 and 2.41 brought these two attributes.
            if git.version < (2, 41) && name.contains("expiry") {
                continue;
            }
            let (theirs, ours) = (as_git_reads(&home, &git, &request), as_we_read(&git, &request));
            assert_eq!(ours, theirs, "{name}, git {:?}", git.version);
        }
    }
}

#[test]
fn a_long_header_is_read_as_git_reads_it() {
    let home = Home::new();
    let rest = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=S3CRET\n";
    for git in gits() {
        for length in [1013, 1014, 1015, 1024, 4085, 4086, 4096, 65_524] {
            let header = format!("wwwauth[]={}\n", "x".repeat(length));
            let split = format!("wwwauth[]={}host=victim.test\n{rest}", "x".repeat(length - 20));
            for request in [format!("{header}{rest}"), split] {
                let theirs = as_git_reads(&home, &git, request.as_bytes());
                assert_eq!(as_we_read(&git, request.as_bytes()), theirs, "{length}");
            }
        }
    }
}

#[test]
fn what_is_refused_gets_one_line_that_repeats_nothing() {
    let home = Home::new();
    for (name, request) in corpus("refused-") {
        for operation in ["get", "store", "erase"] {
            let output = home.helper().arg(operation).input(&*request).output();
            let (out, err) = (output.out(), output.err());
            assert_eq!((output.code, out.as_str()), (Some(0), ""), "{name}");
            assert!(err.starts_with("gocred: line "), "{name}: {err}");
            assert_eq!(err.lines().count(), 1, "{name}: {err}");
            for word in ["S3CRET", "victim", "evil", "garbage", "="] {
                assert!(!err.contains(word), "{name}: {err}");
            }
        }
    }
}
