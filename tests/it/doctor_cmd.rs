//! `gocred doctor` and its neighbours as a person uses them: files that it writes, what it mends and takes
//! back, and that no output holds a secret.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::support::{
    chromium::chromium,
    home::{Home, Output, Run},
    program,
    server::Server,
    terminal::Terminal,
};

/// Every secret of a home holds it, and no output does.
const CANARY: &str = "kanarie";
/// A module that nobody is asked about with `--offline`.
const MODULE: &str = "git.corp.example/team/lib@v1.0.0";

fn doctor(home: &Home, words: &[&str]) -> Run {
    home.gocred().arg("doctor").args(words.iter().copied())
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The code of the root.
fn root(output: &Output) -> String {
    let report = report(output);
    let findings = report["findings"].as_array().expect("findings");
    let root = findings.iter().find(|finding| finding["root"] == true);
    root.and_then(|root| root["code"].as_str()).unwrap_or("none").to_owned()
}

/// The URL of a port at which nobody listens.
fn dead() -> String {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}/team/lib.git", closed.local_addr().expect("an address"))
}

#[test]
fn exit_codes_are_those_of_the_table() {
    let home = Home::new();
    for (words, code) in [
        (["--offline", MODULE].as_slice(), 0),
        (&[&dead()], 1),
        (&["ftp://h.test/x"], 2),
        (&["a b"], 2),
        (&["--only", "X99"], 2),
        (&["--dry-run"], 2),
        (&["--undo"], 1),
    ] {
        let output = doctor(&home, words).output();
        assert_eq!(output.code, Some(code), "{words:?}: {output:?}");
    }
    home.write(".config/go/env", "GOPROXY=off\n");
    assert_eq!(doctor(&home, &["--offline", MODULE]).output().code, Some(1));
    // Only what was asked for counts.
    let only = doctor(&home, &["--offline", "--json", "--only", "k10", MODULE]).output();
    assert_eq!((only.code, report(&only)["findings"].as_array().map(Vec::len)), (Some(0), Some(0)));
    let only = doctor(&home, &["--offline", "--json", "--only", "E01", MODULE]).output();
    assert_eq!((only.code, root(&only).as_str()), (Some(1), "E01"));
}

#[test]
fn the_json_has_what_its_schema_says() {
    let (home, url) = (Home::new(), dead());
    let outputs = [0, 1].map(|_| doctor(&home, &["--json", &url]).output());
    let [one, two] = outputs.each_ref().map(report);
    for name in ["run_id", "version", "target", "verdict"] {
        assert!(one[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {one}");
    }
    assert_eq!(one["schema"], 1);
    assert_ne!(one["run_id"], two["run_id"], "each run has its own");
    assert_eq!(one["verdict"], "broken");
    let git = &one["route"]["git"][0];
    assert_eq!(
        (git["url"].as_str(), git["proxy"].as_str()),
        (Some(format!("{url}/info/refs?service=git-upload-pack").as_str()), Some("direct")),
        "{one}"
    );
    let stages = one["stages"].as_array().expect("stages");
    assert!(stages.iter().any(|it| it["name"] == "tcp" && it["status"] == "fail"), "{one}");
    let finding = &one["findings"][0];
    assert_eq!((finding["code"].as_str(), finding["root"].as_bool()), (Some("N01"), Some(true)));
    for name in ["title", "severity", "layer", "confidence", "cause", "reproduce", "docs"] {
        assert!(finding[name].is_string(), "{name}: {finding}");
    }
    assert!(finding["fix"]["commands"].is_array() && finding["consequences"].is_array());
    assert!(finding["evidence"][0]["where"].is_string());
    // What a person reads quotes the run, too.
    let words = doctor(&home, &[&url]).output().out();
    assert!(words.starts_with("error[N01]: ") && words.contains(", run "), "{words}");
    assert!(!words.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_browser_shows_the_page_and_asks_for_nothing() {
    let Some(browser) = program("chromium", "chromium") else { return };
    let (home, server) =
        (Home::new(), Server::start(|_| "500 <b>x\r\nContent-Length: 0\r\n\r\n".into()));
    let url = format!("http://{}/team/<script>alert(1)</script>/lib.git", server.authority());
    let page = home.path().join("page.html");
    let shown = page.display().to_string();
    let output = doctor(&home, &["--html", &shown, &url]).output();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_eq!(fs::metadata(&page).expect("a page").permissions().mode() & 0o777, 0o600);
    let (asked, proxy) = (server.seen().len(), Server::start(|_| "404 no\r\n\r\n".into()));
    // Whatever it asks for by a name would come here.
    let run = chromium(&home, browser, [""; 0])
        .arg(format!("--proxy-server=http://{}", proxy.authority()))
        .args(["--proxy-bypass-list=<-loopback>", "--dump-dom"])
        .arg(format!("file://{shown}"))
        .limit(Duration::from_secs(60));
    let dom = run.output().out();
    for text in ["gocred <span>doctor</span>", "/lib.git", "gocred explain", "run <code>"] {
        assert!(dom.contains(text), "{text}: {dom}");
    }
    assert!(!dom.contains("<script"), "{dom}");
    assert_eq!(server.seen().len(), asked, "the page asks the host that it is about");
    // The browser itself may want to know things; the page has nothing to fetch.
    let source = fs::read_to_string(&page).expect("the page");
    for word in ["src=", "href=", "url(", "@import", "<iframe", "<form"] {
        assert!(!source.contains(word), "{word}");
    }
}

#[test]
fn the_hosts_for_the_firewall_team_are_listed() {
    let (home, server) =
        (Home::new(), Server::start(|_| "404 no\r\nContent-Length: 0\r\n\r\n".into()));
    let url = format!("http://{}/team/lib.git", server.authority());
    let list = doctor(&home, &["--egress-list", &url]).output().success();
    assert_eq!(list, format!("{}  from this machine\n", server.authority()));
    let proxied = doctor(&home, &["--egress-list", "http://git.corp.example/x.git"])
        .env("http_proxy", format!("http://{}", server.authority()))
        .output()
        .success();
    assert!(
        proxied.contains(&format!("{}  from this machine: the proxy", server.authority())),
        "{proxied}"
    );
    assert!(proxied.contains("git.corp.example:80  from the proxy"), "{proxied}");
}

/// A home with a secret wherever one may stand, and settings that are worth mending.
fn full_of_secrets(proxy: &str) -> Home {
    let home = Home::new();
    let secret = |name: &str| format!("{CANARY}-{name}");
    home.write(
        ".config/go/env",
        format!(
            "GOPROXY=https://athens:{}@goproxy.corp.example,off\nGOAUTH=netrc; /opt/x --token {}\nGOFLAGS=-insecure\n",
            secret("goproxy"),
            secret("goauth")
        ),
    );
    home.write(
        ".gitconfig",
        format!(
            "[http \"https://git.corp.example/\"]\n\textraHeader = Authorization: Bearer {}\n\
             [url \"https://oauth2:{}@git.corp.example/\"]\n\tinsteadOf = https://git.corp.example/\n\
             [http]\n\tproxy = http://alice:{}@{proxy}\n\tsslVerify = false\n\
             [credential]\n\thelper = \"!f() {{ echo password={}; }}; f\"\n\thelper = store\n",
            secret("header"),
            secret("instead"),
            secret("gitproxy"),
            secret("helper"),
        ),
    );
    let login = format!("machine git.corp.example login alice password {}\n", secret("netrc"));
    home.write(".netrc", login);
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.path().join(".netrc"), mode).expect("0644");
    home.write(".git-credentials", format!("https://a:{}@git.corp.example\n", secret("store")));
    home.write(
        ".bashrc",
        format!(
            "export HTTPS_PROXY=http://a:{}@{proxy}\nexport TOKEN={}\n",
            secret("rc"),
            secret("rctoken")
        ),
    );
    home.write(".curlrc", format!("proxy-user = a:{}\n", secret("curlrc")));
    home
}

fn seeing(run: Run, proxy: &str) -> Run {
    let login = format!("http://alice:{CANARY}-env/{CANARY}#x@{proxy}");
    run.env("HTTPS_PROXY", &login)
        .env("https_proxy", format!("http://alice:{CANARY}-lower@{proxy}"))
        .env("http_proxy", format!("http://{CANARY}-token@{proxy}"))
        .env("GITHUB_TOKEN", format!("{CANARY}-github"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "http.extraHeader")
        .env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {CANARY}-pair"))
}

/// Fails where a secret stands in bytes: as it is, or as Base64 of whatever stands around it.
fn holds_no_secret(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // The middle of `kanarie` at each of the three places that it may have in a group of Base64.
    for form in [CANARY, "a2FuYXJp", "thbmFyaW", "rYW5hcml"] {
        assert!(!text.contains(form), "{what} holds a secret: {text}");
    }
}

#[test]
fn no_output_and_no_file_holds_a_secret() {
    let server = Server::start(|_| {
        "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n".into()
    });
    let proxy = server.authority();
    let home = full_of_secrets(&proxy);
    let url = format!("https://alice:{CANARY}-argument@git.corp.example/team/lib.git");
    let file = |name: &str| home.path().join(name).display().to_string();
    let (html, tar) = (file("page.html"), file("bundle.tar"));
    for words in [
        ["doctor", "--offline", MODULE].as_slice(),
        &["doctor", &url],
        &["doctor", "--json", &url],
        &["doctor", "--json", MODULE],
        &["doctor", "--html", &html, "--bundle", &tar, &url],
        &["doctor", "--egress-list", &url],
        &["doctor", "--offline", "--fix", "--dry-run", MODULE],
        &["doctor", "--offline", "--fix", "--yes", MODULE],
        &["doctor", "--undo"],
        &["route", &url],
        &["route", "--json", &url],
        &["portal", "open", &url],
        &["why"],
    ] {
        let run = home.gocred().args(words.iter().copied());
        let output = seeing(run, &proxy).output();
        let code = output.code.unwrap_or(-1);
        assert!((0..=6).contains(&code), "{words:?}: {output:?}");
        holds_no_secret(&format!("{words:?}"), &output.stdout);
        holds_no_secret(&format!("{words:?}"), &output.stderr);
        if words.contains(&"--yes") {
            let record = home.state().join("gocred/doctor.json");
            holds_no_secret("the record", &fs::read(record).expect("something was changed"));
        }
    }
    for path in [html, tar] {
        let bytes = fs::read(&path).expect("a file");
        holds_no_secret(&path, &bytes);
        assert!(String::from_utf8_lossy(&bytes).contains("git.corp.example"));
    }
}

/// Every file of a home that a person has written, with its mode.
fn files(folder: &Path, into: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        let is_ours = path.ends_with(".local/state") || path.ends_with(".cache");
        if about.is_dir() && !is_ours {
            files(&path, into);
        } else if about.is_file() {
            into.insert(path.clone(), (about.permissions().mode(), fs::read(&path).expect("read")));
        }
    }
}

#[test]
fn what_is_mended_is_shown_first_and_taken_back_byte_for_byte() {
    let home = full_of_secrets("127.0.0.1:9");
    home.write(".config/go/env", "# mine\r\nGOPROXY=off\nGOSUMDB=sum.golang.org");
    let snapshot = || {
        let mut all = BTreeMap::new();
        files(home.path(), &mut all);
        all
    };
    let before = snapshot();
    let dry = doctor(&home, &["--offline", "--fix", "--dry-run", MODULE]).output();
    assert!(dry.out().contains("~/.config/go/env\n"), "{dry:?}");
    assert!(dry.out().contains("  - GOPROXY=off\n  + # gocred doctor: GOPROXY=off\n"), "{dry:?}");
    assert_eq!(snapshot(), before, "a dry run changes nothing");
    // Nobody is there to agree.
    let alone = doctor(&home, &["--offline", "--fix", MODULE]).output();
    assert_eq!((alone.code, snapshot() == before), (Some(2), true), "{alone:?}");
    for _ in 0..2 {
        let fixed = doctor(&home, &["--offline", "--fix", "--yes", MODULE]).output();
        assert!(fixed.out().contains("gocred doctor --undo"), "{fixed:?}");
        let goenv = fs::read_to_string(home.path().join(".config/go/env")).expect("go's file");
        assert!(goenv.starts_with("# mine\r\n# gocred doctor: GOPROXY=off\n"), "{goenv}");
        let again = doctor(&home, &["--offline", "--json", MODULE]).output();
        assert_ne!(root(&again), "E01", "{again:?}");
        let undone = doctor(&home, &["--undo"]).output();
        assert_eq!(undone.code, Some(0), "{undone:?}");
        assert_eq!(snapshot(), before, "taken back");
        assert!(!home.state().join("gocred/doctor.json").exists());
    }
}

#[test]
fn a_broken_configuration_is_a_finding_and_not_the_end() {
    let home = Home::new();
    let file = home.write(".config/gocred/config.toml", "[proxy]\nlisten = 7\n");
    let output = doctor(&home, &["--offline", "--json", MODULE]).output();
    assert_eq!((output.code, root(&output).as_str()), (Some(1), "K10"), "{output:?}");
    assert!(output.out().contains(&format!("{}:2", file.display())), "{output:?}");
}

#[test]
fn it_works_without_any_configuration_and_without_a_home() {
    let home = Home::new();
    for name in [".config", ".local", ".cache"] {
        fs::remove_dir_all(home.path().join(name)).expect("gone");
    }
    let output = doctor(&home, &["--json", "--offline"]).output();
    assert_eq!(
        report(&output)["verdict"].as_str().map(|it| it.starts_with("healthy")),
        Some(true),
        "{output:?}"
    );
    let words = doctor(&home, &["--offline"]).output().out();
    assert!(words.contains("no go.mod is here, so no host was asked"), "{words}");
    let output = doctor(&home, &["--offline"]).env("HOME", "/nonexistent").output();
    assert!(output.code.is_some_and(|code| code <= 1), "{output:?}");
}

#[test]
fn offline_means_that_no_packet_is_sent() {
    let Some(strace) = program("strace", "strace") else { return };
    let (home, log) = (full_of_secrets("127.0.0.1:9"), Home::new());
    let log = log.write("log", "");
    let run = doctor(&home, &["--offline", "--json", MODULE]).traced(strace, "socket", &log);
    let output = seeing(run, "127.0.0.1:9").output();
    assert!(output.code.is_some_and(|code| code <= 1), "{output:?}");
    let calls = fs::read_to_string(log).expect("the log");
    // The store and the daemon of this user are asked whether they are there; that leaves no machine.
    let others: Vec<_> = calls
        .lines()
        .filter(|call| call.contains("socket(") && !call.contains("AF_UNIX"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn what_failed_lately_is_asked_of_the_proxy() {
    let home = Home::new();
    let output = home.gocred().arg("why").output();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.err().contains("K01") && output.err().contains("gocred proxy run"),
        "{output:?}"
    );
}

#[test]
fn the_page_of_a_portal_is_found_at_the_target_itself() {
    let home = Home::new();
    let server = Server::start(|_| {
        "302 Found\r\nLocation: http://login.portal.example/welcome?u=1\r\nContent-Length: 0\r\n\r\n".into()
    });
    let url = format!("http://{}/team/lib.git", server.authority());
    let output = home.gocred().args(["portal", "open", &url]).output();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output.out().contains("open this in a browser: http://login.portal.example/welcome?u=1"),
        "{output:?}"
    );
}

#[test]
fn on_a_terminal_it_has_colours_and_no_line_is_wider_than_that() {
    let (home, url) = (Home::new(), dead());
    let script = format!("stty cols 60; {} doctor {url}", super::support::home::GOCRED);
    let run = || home.run("/bin/sh").args(["-c", &script]);
    let Some(terminal) = Terminal::start(run()) else { return };
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("\u{1b}[1;31merror[N01]: \u{1b}[0m"), "{shown:?}");
    let Some(terminal) = Terminal::start(run().env("NO_COLOR", "1")) else { return };
    let (_, shown) = terminal.ends();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    // A command, and a word that cannot be cut, are left whole.
    let is_free = |line: &&str| !line.contains("curl") && !line.contains("://");
    let wide: Vec<_> = shown.lines().filter(is_free).filter(|it| it.chars().count() > 60).collect();
    assert!(wide.is_empty(), "{wide:?}");
}
