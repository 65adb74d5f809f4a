//! `gocred proxy pac`: what a script answers and why, and where scripts are loaded from.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::support::{
    home::{GOCRED, Home, Output, Run},
    program,
    server::certificate,
    skipped,
};

const SCRIPT: &str = "// corporate
function FindProxyForURL(url, host) {
  if (isPlainHostName(host)) return \"DIRECT\";
  if (dnsDomainIs(host, \".corp.test\")) {
    return \"PROXY proxy.corp.test:8080; SOCKS4 s:1; HTTPS tls.corp.test; DIRECT\";
  }
  if (isResolvable(host)) return \"PROXY names.corp.test\";
  return 'SOCKS ' + 'socks.corp.test';
}
";

fn ask(home: &Home, target: &str, source: &str) -> Output {
    home.gocred().args(["proxy", "pac", target, "--pac", source]).output()
}

/// A home with a script.
fn with(script: &str) -> Home {
    let home = Home::new();
    home.write("proxy.pac", script);
    home
}

#[test]
fn the_answer_comes_with_the_calls_and_the_line_that_led_to_it() {
    let home = with(SCRIPT);
    let said = ask(&home, "https://git.corp.test/secret?token=1", "proxy.pac").success();
    let said = said.replace(home.path().to_str().expect("a path"), "~");
    let (start, time) = said.split_once(" (0").expect("a time");
    let (_, rest) = time.split_once(" ms)\n").expect("a time");
    assert_eq!(
        format!("{start}\n{rest}"),
        "https://git.corp.test/ (git.corp.test) in ~/proxy.pac
     3  isPlainHostName(\"git.corp.test\") -> false
     4  dnsDomainIs(\"git.corp.test\", \".corp.test\") -> true
answer: PROXY proxy.corp.test:8080; SOCKS4 s:1; HTTPS tls.corp.test; DIRECT
from line 5: return \"PROXY proxy.corp.test:8080; SOCKS4 s:1; HTTPS tls.corp.test; DIRECT\";
  1. http://proxy.corp.test:8080
  2. https://tls.corp.test:443
  3. DIRECT
  passed over: `SOCKS4 s:1` is SOCKS 4, which gocred does not speak
gocred goes: http://proxy.corp.test:8080, then https://tls.corp.test:443, then DIRECT
"
    );
}

#[test]
fn the_configured_script_is_asked_and_no_proxy_comes_first() {
    let home = with(SCRIPT);
    let file = home.path().join("proxy.pac");
    home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\npac = \"{}\"\nno_proxy = \".corp.test\"\n", file.display()),
    );
    let goes = |target: &str| {
        let said = home.gocred().args(["proxy", "pac", target]).output().success();
        said.lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(
        goes("git.corp.test"),
        "gocred goes: DIRECT (`proxy.no_proxy` names it; the PAC file is not asked)"
    );
    assert_eq!(
        goes("localhost:8080"),
        "gocred goes: DIRECT (it is this machine; the PAC file is not asked)"
    );
    assert_eq!(goes("10.1.2.3"), "gocred goes: http://names.corp.test:80");
    let json = home.gocred().args(["proxy", "pac", "no.such name", "--json"]).output();
    assert_eq!(json.code, Some(2), "{json:?}");
    let json = home.gocred().args(["proxy", "pac", "localhost.", "--json"]).output().success();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["calls"][2]["call"], "isResolvable(\"localhost.\")", "{json}");
    assert_eq!(json["names"][0]["name"], "localhost.", "{json}");
    assert_eq!(json["exempt"], "loopback", "{json}");
}

#[test]
fn an_answer_that_cannot_be_used_is_no_way_around_the_proxy() {
    let home = with("FindProxyForURL = () => 'QUIC q:1; SOCKS4 s:1'");
    let output = ask(&home, "h.test", "proxy.pac");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.out().contains("gocred goes: nowhere (`proxy.upstream`"), "{output:?}");
    home.write(".config/gocred/config.toml", "[proxy]\nupstream = [\"http://p.test:3128\"]\n");
    let output = ask(&home, "h.test", "proxy.pac");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.out().contains("gocred goes: http://p.test:3128 (`proxy.upstream`"),
        "{output:?}"
    );
}

#[test]
fn a_script_that_fails_says_where_and_nothing_of_it_reaches_the_terminal_raw() {
    let mut texts = BTreeMap::new();
    for (script, told) in [
        (
            "function FindProxyForURL() {\n  return nope();\n}",
            "in line 2: nope is not defined\n  Caused by: return nope();",
        ),
        ("function (", "the script failed in line 1"),
        ("var x = 1;", "neither FindProxyForURL nor FindProxyForURLEx"),
        ("FindProxyForURL = () => 42", "the script returned int, not text"),
        ("FindProxyForURL = () => { throw '\\x1b[31m\\u202egit' }", "\\u{1b}[31m\\u{202e}git"),
        ("FindProxyForURL = () => { while (true); }", "computed for more than 50 ms"),
        ("while (true);", "computed for more than 50 ms"),
        ("FindProxyForURL = () => 'x'.repeat(1 << 30)", "the script failed"),
        (
            "FindProxyForURL = () => { for (var a = ['x'];;) a.push(a.join('y')) }",
            "more than 32 MiB",
        ),
        ("FindProxyForURL = () => FindProxyForURL() + 1", "calls itself without end"),
        (
            "FindProxyForURL = () => 'a'.repeat(1 << 23).indexOf('a'.repeat(1 << 22) + 'b')",
            "its engine was ended",
        ),
        ("<html>Please log in</html>", "it is a web page, not a script"),
    ] {
        let home = with(script);
        let output = ask(&home, "h.test", "proxy.pac");
        assert_eq!(output.code, Some(3), "{script}: {output:?}");
        assert!(output.err().contains(told), "{script}: {output:?}");
        assert!(!output.err().contains(['\u{1b}', '\u{202e}']), "{output:?}");
        texts.insert(told, output.err());
    }
    let home = with("FindProxyForURL = () => 'PROXY \\x1b]0;p:1'");
    home.write(
        "answer.pac",
        "FindProxyForURL = () => { alert('\\x1b[2J'); return '\\x1b\\u202e' }",
    );
    for file in ["proxy.pac", "answer.pac"] {
        let output = ask(&home, "h.test", file);
        assert!(!output.out().contains(['\u{1b}', '\u{202e}']), "{output:?}");
    }
}

#[test]
fn a_script_of_ten_megabytes_is_not_run() {
    let home = with(&"/".repeat(10 << 20));
    let output = ask(&home, "h.test", "proxy.pac");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err().contains("larger than 1048576 bytes"), "{output:?}");
}

#[test]
fn a_large_script_has_the_time_that_it_needs_to_load() {
    let rule = |number: usize| {
        format!("if (dnsDomainIs(host, '.h{number}.test')) return 'PROXY p{number}:1';\n")
    };
    let rules: String = (0..16_000).map(rule).collect();
    assert!(rules.len() > 900_000 && rules.len() < 1_020_000, "{}", rules.len());
    let home = with(&format!("function FindProxyForURL(url, host) {{\n{rules}}}\n"));
    let said = ask(&home, "a.h10.test", "proxy.pac").success();
    assert!(said.ends_with("gocred goes: http://p10:1\n"), "{said}");
    assert!(said.contains("from line 12: if"), "{said}");
}

/// Serves the same bytes to everybody, and counts.
struct Files {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Files {
    fn start(answer: impl Fn(&str, &str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let _ = lines.find(String::is_empty);
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let _ = (&stream).write_all(&answer(&path, &address.to_string()));
            }
        });
        Self { address, asked }
    }
}

fn answer(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{fields}\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn a_script_is_loaded_from_a_server_and_its_charset_is_heard() {
    let files = Files::start(|path, own| match path {
        "/plain" => answer("", b"FindProxyForURL = () => 'PROXY plain.test'"),
        "/latin" => answer(
            "Content-Type: x-ns-proxy-autoconfig; charset=\"ISO-8859-1\"\r\n",
            b"FindProxyForURL = () => '\xe9' == '\\xe9' ? 'PROXY latin.test' : ''",
        ),
        "/wide" => {
            let text = "\u{feff}FindProxyForURL = () => 'é' == '\\xe9' ? 'PROXY wide.test' : ''";
            answer("", &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
        }
        "/3" | "/2" | "/1" | "/loop" => {
            let next = match path {
                "/3" => "/2",
                "/2" => "/1",
                "/1" => "/plain",
                _ => "/loop",
            };
            format!("HTTP/1.1 302 Found\r\nLocation: http://{own}{next}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes()
        }
        "/large" => answer("", &vec![b'/'; 2 << 20]),
        "/portal" => answer("Content-Type: text/html\r\n", b"<!DOCTYPE html>"),
        "/half" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nFind".to_vec(),
        "/garbage" => b"\0\0\0".to_vec(),
        _ => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let home = Home::new();
    let load = |path: &str| {
        let run = home.gocred().args(["proxy", "pac", "h.test", "--pac"]);
        // It is never loaded through a proxy: this one does not exist.
        let run = run.arg(format!("http://{}{path}", files.address));
        run.env("http_proxy", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9").output()
    };
    for (path, host) in
        [("/plain", "plain"), ("/latin", "latin"), ("/wide", "wide"), ("/3", "plain")]
    {
        let said = load(path).success();
        assert!(said.ends_with(&format!("gocred goes: http://{host}.test:80\n")), "{path}: {said}");
    }
    for (path, code, told) in [
        ("/none", 6, "the server answered 404"),
        ("/loop", 6, "redirects too often"),
        ("/large", 3, "larger than 1048576 bytes"),
        ("/portal", 3, "it is a web page"),
        ("/half", 6, ""),
        ("/garbage", 6, ""),
    ] {
        let before = files.asked.load(Ordering::Relaxed);
        let output = load(path);
        assert_eq!(output.code, Some(code), "{path}: {output:?}");
        assert!(output.err().contains(told), "{path}: {output:?}");
        assert!(output.err().contains("hint: `curl"), "{path}: {output:?}");
        assert!(files.asked.load(Ordering::Relaxed) - before <= 5, "{path}");
    }
}

#[test]
fn a_server_that_sends_without_end_or_not_at_all_is_left() {
    let files = Files::start(|_, _| Vec::new());
    let (listener, home) = (TcpListener::bind("127.0.0.1:0").expect("a port"), Home::new());
    let silent = listener.local_addr().expect("an address");
    let output = ask(&home, "h.test", &format!("http://{silent}/p.pac"));
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.took.as_secs() < 20, "{output:?}");
    let output = ask(&home, "h.test", &format!("http://{}/p.pac", files.address));
    assert_eq!(output.code, Some(6), "{output:?}");
}

#[test]
fn a_script_over_tls_needs_an_authority_that_is_trusted() {
    let home = Home::new();
    let Some(()) = certificate(&home) else { return };
    let server = crate::support::server::Server::tls(&home, |_| {
        "302 Found\r\nLocation: http://127.0.0.1:9/p.pac".to_owned()
    });
    let url = format!("https://{}/p.pac", server.authority());
    let output = ask(&home, "h.test", &url);
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.err().contains("certificate"), "{output:?}");
    // Trusted, it is heard: and is not followed into clear text.
    let run = home.gocred().args(["proxy", "pac", "h.test", "--pac", &url]);
    let output = run.env("SSL_CERT_FILE", home.path().join("ca.pem")).output();
    assert!(output.err().contains("it redirects from https to http"), "{output:?}");
}

#[test]
fn the_desktop_says_which_script_there_is() {
    let Some(gsettings) = program("gsettings", "libglib2.0-bin") else { return };
    let home = with("FindProxyForURL = () => 'PROXY desktop.test:8080'");
    // GNOME's own program and schema, on a file in place of the desktop's database.
    let set = |key: &str, value: &str| {
        let run = home.run(&gsettings).env("GSETTINGS_BACKEND", "keyfile");
        let (schema, key) = key.rsplit_once('.').expect("a schema and a key");
        run.args(["set", &format!("org.gnome.system.proxy{schema}"), key, value]).output()
    };
    if set(".mode", "none").code != Some(0) {
        return skipped(
            "GNOME's schemas are missing; run `apt-get install gsettings-desktop-schemas`",
        );
    }
    let goes = || {
        let run = home.gocred().env("GSETTINGS_BACKEND", "keyfile");
        run.args(["proxy", "pac", "h.test", "--pac", "desktop"]).output()
    };
    let last = |output: Output| output.success().lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(goes()), "gocred goes: DIRECT");
    let url = format!("file://{}", home.path().join("proxy.pac").display());
    for (key, value) in [
        (".autoconfig-url", url.as_str()),
        (".https.host", "manual.test"),
        (".https.port", "3128"),
        (".mode", "manual"),
    ] {
        set(key, value).success();
    }
    assert_eq!(last(goes()), "gocred goes: http://manual.test:3128");
    set(".mode", "auto").success();
    assert_eq!(last(goes()), "gocred goes: http://desktop.test:8080");
    set(".autoconfig-url", "").success();
    let output = goes();
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err().contains("WPAD"), "{output:?}");
    home.write(
        ".config/kioslaverc",
        format!("[Proxy Settings]\nProxyType=2\nProxy Config Script={url}\n"),
    );
    let run = home.gocred().env("XDG_CURRENT_DESKTOP", "KDE");
    let output = run.args(["proxy", "pac", "h.test", "--pac", "desktop"]).output();
    assert_eq!(last(output), "gocred goes: http://desktop.test:8080");
}

/// A network with a web server at `wpad.corp.test`, and a search domain below it.
const NETWORK: &str = r#"
set -e
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
printf '127.0.0.1 localhost\n127.0.0.5 wpad.corp.test\n127.0.0.6 wpad.test wpad\n' >hosts
printf 'nameserver 127.0.0.9\noptions timeout:1 attempts:1\nsearch a.b.corp.test\n' >resolv.conf
mount --bind hosts /etc/hosts
mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)"
mkdir served wrong
echo "FindProxyForURL = () => 'PROXY found.test:1'" >served/wpad.dat
echo "FindProxyForURL = () => 'PROXY foreign.test:1'" >wrong/wpad.dat
python3 -m http.server 80 --bind 127.0.0.5 --directory served >/dev/null 2>log &
python3 -m http.server 80 --bind 127.0.0.6 --directory wrong >/dev/null 2>foreign &
until (: </dev/tcp/127.0.0.5/80) 2>/dev/null; do sleep 0.02; done
until (: </dev/tcp/127.0.0.6/80) 2>/dev/null; do sleep 0.02; done
"$1" proxy pac h.test --pac wpad
kill %1
wait %1 || true
"$1" proxy pac h.test --pac wpad || echo "code $?"
kill %2
wait %2 || true
grep -c wpad.dat foreign || true
"#;

/// Prepares a script of bash in a network of its own, with its own `/etc`. `None`: skipped.
fn network(home: &Home, script: &str) -> Option<Run> {
    let unshare = program("unshare", "util-linux")?;
    let _ = program("python3", "python3")?;
    let spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
    let works = |flags: &[&str]| {
        let status = Command::new(&unshare).args(flags).arg("true").output();
        status.is_ok_and(|output| output.status.success())
    };
    let flags = match (works(&spaces), [&spaces[..], &["--user", "--map-root-user"]].concat()) {
        (true, _) => spaces.to_vec(),
        (false, flags) if works(&flags) => flags,
        (false, _) => {
            skipped("this machine gives no namespaces");
            return None;
        }
    };
    Some(home.run(&unshare).args(flags).args(["bash", "-c", script, "bash", GOCRED]))
}

#[test]
fn wpad_climbs_to_the_company_and_no_further() {
    let home = Home::new();
    let Some(run) = network(&home, NETWORK) else { return };
    let said = run.output();
    let text = said.out();
    assert!(text.contains("in http://wpad.corp.test/wpad.dat\n"), "{said:?}");
    assert!(text.contains("gocred goes: http://found.test:1\n"), "{said:?}");
    // Without it, `wpad.test` and `wpad` are not asked, although they would answer.
    assert!(text.ends_with("code 6\n0\n"), "{said:?}");
    assert!(said.err().contains("no script at http://wpad.a.b.corp.test/wpad.dat"), "{said:?}");
}

/// A network whose name server takes questions and never answers.
const SILENCE: &str = r#"
set -e
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
printf 'nameserver 127.0.0.9\n' >resolv.conf
mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)"
python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.9", 53))
open("bound", "w")
time.sleep(60)' &
until [ -e bound ]; do sleep 0.02; done
"$1" proxy pac h.test --pac proxy.pac
"#;

#[test]
fn a_name_server_that_is_silent_costs_two_seconds_and_no_answer() {
    let script = "FindProxyForURL = (url, host) =>
        isResolvable(host) || isResolvable('x.test') ? 'DIRECT' : 'PROXY p.test:1'";
    let home = with(script);
    let Some(run) = network(&home, SILENCE) else { return };
    let said = run.output();
    let text = said.out();
    assert!(text.contains("resolved: h.test: no resolver answered ("), "{said:?}");
    assert!(text.contains("resolved: x.test: no resolver answered ("), "{said:?}");
    assert!(text.ends_with("gocred goes: http://p.test:1\n"), "{said:?}");
    assert!(said.took.as_secs() < 20, "{said:?}");
}

#[test]
fn the_engine_is_a_process_without_environment_that_opens_nothing() {
    let Some(strace) = program("strace", "strace") else { return };
    let home = with(
        "FindProxyForURL = (u, h) => 'PROXY ' + myIpAddress() + ':1;PROXY x:' + new Date().getFullYear()",
    );
    let trace = home.path().join("trace");
    let run = home.run(strace).args([
        "-ff",
        "-s",
        "200",
        "-v",
        "-e",
        "trace=execve,open,openat,connect,sendto",
        "-o",
    ]);
    let run = run.arg(&trace).args([GOCRED, "proxy", "pac", "h.test", "--pac", "proxy.pac"]);
    run.env("SECRET", "hunter2").output().success();
    let traces: Vec<String> = home
        .path()
        .read_dir()
        .expect("the home")
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .collect();
    // Each thread has its file; that of the engine's process begins as a fork of ours.
    let engine = traces.iter().find(|text| text.contains("\"pac-engine\"]")).expect("its process");
    let (_, after) = engine.split_once("\"pac-engine\"]").expect("its start");
    assert!(
        after.starts_with(", []) = 0") || after.starts_with(", [/* 0 vars */]) = 0"),
        "{engine}"
    );
    let script = traces
        .iter()
        .find(|text| text.contains("AF_INET") && text.contains("8.8.8.8"))
        .expect("the thread that runs the script");
    let opened = script.lines().filter(|line| line.starts_with("open"));
    let foreign: Vec<&str> = opened.filter(|line| !line.contains("/etc/localtime")).collect();
    assert_eq!(foreign, [""; 0], "{script}");
    assert!(!script.contains("sendto("), "{script}");
}
