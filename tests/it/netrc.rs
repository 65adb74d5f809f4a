//! netrc as gocred reads it, against a recording of curl and Go, and against the real ones.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test fails by panicking, and reads its corpus"
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use gocred::core::{
    credential::Key,
    netrc::{
        self, Fault, Found, curl, edit, go,
        import::{Part, Piece, Plan, Verdict},
    },
    secret::{ExposeSecret, SecretString},
};

use crate::support::{home::Home, program, skipped};

const HOST: &str = "h.test";
const WITH_PORT: &str = "h.test:8443";
const LOGIN: &str = "ana";

/// What a tool sends for a file: `login:password` escaped, `-` for nothing, `error`.
type Sent = BTreeMap<String, String>;

#[test]
fn the_corpus_is_read_as_recorded_from_curl_and_go() {
    let recorded = recorded();
    let corpus = corpus();
    assert!(corpus.len() >= 100);
    assert!(corpus.keys().eq(recorded.keys()), "netrc.tsv has a row for each file");
    let mut wrong = String::new();
    for (file, bytes) in &corpus {
        let ours = [go_sends(bytes, HOST), go_sends(bytes, WITH_PORT)];
        let ours =
            ours.into_iter().chain([curl_sends(bytes, None), curl_sends(bytes, Some(LOGIN))]);
        for (ours, theirs) in ours.zip(&recorded[file]) {
            let not_text = file.starts_with("value-latin1") && theirs.contains("\\xe");
            if ours != if not_text { NOT_TEXT } else { theirs } {
                writeln!(wrong, "{file}: ours {ours}, recorded {theirs}").expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn go_reads_the_corpus_as_recorded() {
    let programs: Vec<PathBuf> = ["GOCRED_TEST_GO_1_24", "GOCRED_TEST_GO_1_27"]
        .into_iter()
        .filter_map(|name| std::env::var_os(name).map(PathBuf::from))
        .collect();
    if programs.is_empty() {
        return skipped("set GOCRED_TEST_GO_1_24 and GOCRED_TEST_GO_1_27 to go programs");
    }
    let recorded = recorded();
    for program in programs {
        let (version, sent) = ask_go(&program);
        assert_eq!(sent.len(), 2 * recorded.len(), "go {version}");
        for (file, [host, with_port, ..]) in &recorded {
            // Before 1.25, go did not take the slash from the end of a machine.
            let slash = version.contains("go1.24") && SLASHED.contains(&file.as_str());
            let host = if slash { "-" } else { host };
            assert_eq!(sent[&format!("{file} {HOST}")], *host, "go {version}: {file}");
            assert_eq!(sent[&format!("{file} {WITH_PORT}")], *with_port, "go {version}: {file}");
        }
    }
}

#[test]
fn curl_reads_the_corpus_as_recorded() {
    let Some(program) = program("curl", "curl") else { return };
    let (version, sent) = ask_curl(&program);
    let known: Sent = match version {
        (7, 88) => rows("netrc-curl-7.88.tsv").map(|(asked, [sent])| (asked, sent)).collect(),
        version if version >= (8, 22) => Sent::new(),
        (major, minor) => {
            return skipped(&format!("curl {major}.{minor} is not recorded; install 7.88 or 8.22"));
        }
    };
    let mut wrong = String::new();
    for (file, [.., plain, login]) in &recorded() {
        for (asked, recorded) in [(file.clone(), plain), (format!("{file} {LOGIN}"), login)] {
            let expected = known.get(&asked).unwrap_or(recorded);
            let sends = sent.get(&asked).map_or("error", String::as_str);
            if sends != expected {
                writeln!(wrong, "{asked}: curl sends {sends}, expected {expected}").expect("text");
            }
            assert!(known.get(&asked) != Some(recorded), "{asked} is no difference");
        }
    }
    assert!(wrong.is_empty(), "curl {version:?} sends:\n{wrong}");
}

#[test]
fn what_moves_out_of_the_corpus_leaves_nothing_behind_and_comes_back() {
    let mut moved = 0;
    for (file, bytes) in corpus() {
        let Ok(plan) = Plan::of(&bytes) else { continue };
        let stored = |place: &usize| matches!(plan.items[*place].verdict, Verdict::Store(..));
        let stored: Vec<usize> = (0..plan.items.len()).filter(stored).collect();
        let removal = plan.remove(&stored);
        let kept: Vec<usize> = removal.kept.iter().map(|(place, _)| *place).collect();
        let mut passwords: BTreeMap<Key, SecretString> = BTreeMap::new();
        for &place in stored.iter().filter(|place| !kept.contains(place)) {
            let item = &plan.items[place];
            let Verdict::Store(key, password) = &item.verdict else { unreachable!() };
            passwords.insert(key.clone(), password.clone());
            let host = item.host.as_deref().expect("a host");
            for login in [None, Some(key.user.as_str())] {
                let found = curl::lookup(&removal.after, host, login);
                assert!(matches!(found, Ok(None)), "{file}: {host}");
            }
            assert!(matches!(go::lookup(&removal.after, go::prefix(host)), Ok(None)), "{file}");
            moved += 1;
        }
        let mut pieces = Vec::new();
        for Piece { at, parts } in &removal.pieces {
            let mut piece = String::new();
            for part in parts {
                match part {
                    Part::Text(text) => piece += text,
                    Part::Password(key, quoting) => {
                        piece += quoting.write(&passwords[key]).expose_secret();
                    }
                }
            }
            pieces.push((*at, piece));
        }
        let pieces: Vec<_> = pieces.iter().map(|(at, piece)| (*at, piece.as_bytes())).collect();
        assert!(edit::insert(&removal.after, &pieces) == bytes, "{file} does not come back");
    }
    assert!(moved > 100, "{moved}");
}

/// `machine h.test/`: go 1.24 does not find it, go 1.25 does.
const SLASHED: [&str; 2] = ["host-with-scheme-and-slash", "host-with-slash"];

/// The columns of `netrc.tsv`: go for both hosts, curl without and with a login.
fn recorded() -> BTreeMap<String, [String; 4]> {
    rows("netrc.tsv").collect()
}

/// Reads a table; the first column is the key.
fn rows<const CELLS: usize>(table: &str) -> impl Iterator<Item = (String, [String; CELLS])> {
    let text = fs::read_to_string(data(table)).expect("a table");
    let row = |row: &str| {
        let mut cells: Vec<String> = row.split('\t').map(str::to_owned).collect();
        (cells.remove(0), cells.try_into().expect("as many cells"))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(row).collect::<Vec<_>>().into_iter()
}

fn corpus() -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(data("netrc"))
        .expect("the corpus")
        .map(|file| {
            let file = file.expect("a file");
            let name = file.file_name().into_string().expect("UTF-8");
            (name, fs::read(file.path()).expect("readable"))
        })
        .collect()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn go_sends(bytes: &[u8], host: &str) -> String {
    shown(go::lookup(bytes, host))
}

fn curl_sends(bytes: &[u8], login: Option<&str>) -> String {
    match (curl::lookup(bytes, HOST, login), login) {
        // curl then sends the login alone, whatever is wrong with the file.
        (Ok(None), Some(login)) => format!("{login}:"),
        (Err(error), Some(login)) if error.what != Fault::NotText => format!("{login}:"),
        (result, _) => shown(result),
    }
}

fn shown(result: Result<Option<Found>, netrc::Error>) -> String {
    match result {
        Ok(None) => "-".to_owned(),
        Ok(Some(Found { login, password, line: _, by: _ })) => {
            let password = password.as_ref().map_or("", |password| password.expose_secret());
            escaped(format!("{}:{password}", login.unwrap_or_default()).as_bytes())
        }
        Err(error) if error.what == Fault::NotText => NOT_TEXT.to_owned(),
        Err(_) => "error".to_owned(),
    }
}

/// What we answer where curl and go send bytes that are not UTF-8.
const NOT_TEXT: &str = "not UTF-8";

fn escaped(sent: &[u8]) -> String {
    let text = sent.escape_ascii().to_string();
    match sent.iter().position(|byte| *byte == b':') {
        Some(colon) if sent.len() > 300 => {
            let (login, password) = sent.split_at(colon);
            format!("{}:<{} bytes>", login.escape_ascii(), password.len() - 1)
        }
        _ => text,
    }
}

fn decoded(header: &str) -> String {
    if header.is_empty() {
        return "-".to_owned();
    }
    escaped(&STANDARD.decode(header).expect("base64"))
}

/// Runs go's own parser and cache over the corpus, as a test of cmd/go/internal/auth.
fn ask_go(program: &Path) -> (String, Sent) {
    let home = Home::new().without_telemetry();
    let version = home.run(program).arg("version").output().success();
    let root = home.run(program).args(["env", "GOROOT"]).output().success();
    let root = fs::canonicalize(root.trim()).expect("GOROOT");
    let test = root.join("src/cmd/go/internal/auth/gocred_test.go");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/netrc_go/corpus_test.go");
    let overlay = serde_json::json!({ "Replace": { test.to_string_lossy(): ours } });
    let overlay = home.write("overlay.json", overlay.to_string());
    let cache = format!("{}/go-build-netrc", env!("CARGO_TARGET_TMPDIR"));
    let output = home
        .run(program)
        .args(["test", "-v", "-count=1", "-run", "^TestGocredCorpus$"])
        .arg(format!("-overlay={}", overlay.display()))
        .arg("cmd/go/internal/auth")
        .env("GOCACHE", cache)
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", "off")
        .env("GOCRED_CORPUS", data("netrc"))
        .limit(Duration::from_secs(300))
        .output()
        .success();
    let rows = output.lines().filter_map(|line| line.strip_prefix("gocred\t"));
    let sent = rows.map(|row| {
        let [file, host, header] = row.split('\t').collect::<Vec<_>>().try_into().expect(row);
        (format!("{file} {host}"), decoded(header))
    });
    (version.trim().to_owned(), sent.collect())
}

/// Lets one curl ask a server on loopback once for each file, without and with a login.
fn ask_curl(program: &Path) -> ((u32, u32), Sent) {
    let home = Home::new().without_telemetry();
    let version = home.run(program).arg("--version").output().success();
    let mut numbers = version.split([' ', '.']).filter_map(|word| word.parse().ok());
    let version = (numbers.next().expect("major"), numbers.next().expect("minor"));
    let (port, requests) = serve();
    let mut orders = Vec::new();
    for file in corpus().into_keys() {
        let netrc = data("netrc").join(&file);
        let order = |user: &str, path: &str, optional: &str| {
            format!(
                "{optional}netrc-file = \"{}\"\nnoproxy = \"*\"\nresolve = \"{HOST}:{port}:127.0.0.1\"\n\
                 url = \"http://{user}{HOST}:{port}/{path}\"\n",
                netrc.display()
            )
        };
        orders.push(order("", &file, ""));
        orders.push(order(&format!("{LOGIN}@"), &format!("{file}%20{LOGIN}"), "netrc-optional\n"));
    }
    let orders = home.write("orders", orders.join("next\n"));
    let output = home.run(program).args(["-q", "-s", "-K"]).arg(orders).output();
    TcpStream::connect(("127.0.0.1", port)).expect("the server ends at an empty request");
    assert!(output.stdout.is_empty(), "{output:?}");
    (version, requests.iter().collect())
}

/// Answers every request with an empty page, and reports its path and credential.
fn serve() -> (u16, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let head: Vec<String> = BufReader::new(&stream)
                .split(b'\n')
                .map(|line| String::from_utf8(line.expect("a head")).expect("ASCII"))
                .map(|line| line.trim_end().to_owned())
                .take_while(|line| !line.is_empty())
                .collect();
            let Some(request) = head.first() else { return };
            let path = request.split(' ').nth(1).expect("a path").replace("%20", " ");
            let basic = |line: &String| line.strip_prefix("Authorization: Basic ").map(decoded);
            let header = head.iter().find_map(basic).unwrap_or_else(|| "-".to_owned());
            let answer = b"HTTP/1.1 200 ok\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).expect("answered");
            sender.send((path.trim_start_matches('/').to_owned(), header)).expect("reported");
        }
    });
    (port, receiver)
}
