//! `NO_PROXY`, compared with Go's own code and with the curl that is installed.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
};

use gocred::core::noproxy;

use crate::support::{
    home::Home,
    oracle::Oracle,
    program,
    random::{Random, cases},
    skipped,
};

/// Names and addresses that meet each other in lists and as targets; canonical, as a client sends
/// them.
const HOSTS: &[&str] = &[
    "corp.com",
    "git.corp.com",
    "a.git.corp.com",
    "notcorp.com",
    "com",
    "corp.com.",
    "git.corp.com.",
    "Git.Corp.Com",
    "localhost",
    "LOCALHOST",
    "localhost.corp.com",
    "x",
    "10.1.2.3",
    "10.1.2.4",
    "10.200.0.1",
    "127.0.0.1",
    "127.1.2.3",
    "192.168.0.1",
    "0.0.0.0",
    "::1",
    "::",
    "fd00::1",
    "fd00::2",
    "fdff::1",
    "2001:db8::1",
    "::ffff:10.1.2.3",
    "::ffff:127.0.0.1",
    "1.2.3.4.5",
];
const BEFORE: &[&str] = &["", "", "", "", ".", "*.", "*", "..", "https://", " ", "\t", "[", "-"];
const AFTER: &[&str] = &[
    "", "", "", "", ".", ":443", ":80", ":", ":https", ":0443", "/8", "/16", "/0", "/24", "/32",
    "/33", "/7", "/104", "/127", "/128", "/", "/8x", "/-1", "/+8", "/08", "/x", "]", "]:443",
    "]:80", " ", "..",
];
const ALONE: &[&str] =
    &["*", "", " ", ".", "*.", "*:443", ":443", "[]:443", "/8", "::/0", "[", "é.com"];
const BETWEEN: &[&str] = &[",", ",", ",", ",", ", ", " ,", ",,", " ", "  ", "\t", ";", ", ,"];

struct Case {
    list: String,
    host: &'static str,
    port: u16,
}

fn random_cases(default: usize) -> Vec<Case> {
    let mut random = Random::new();
    let mut case = || {
        let mut list = String::new();
        for element in 0..random.below(4) {
            if element > 0 {
                list.push_str(random.of(BETWEEN));
            }
            if random.below(6) == 0 {
                list.push_str(random.of(ALONE));
                continue;
            }
            let element = [random.of(BEFORE), random.of(HOSTS), random.of(AFTER)].concat();
            list.push_str(&if random.below(8) == 0 { element.to_uppercase() } else { element });
        }
        let port = [443, 443, 80, 8080].get(random.below(4)).copied().unwrap_or(443);
        Case { list, host: random.of(HOSTS), port }
    };
    (0..cases(default)).map(|_| case()).collect()
}

#[test]
fn go_is_read_as_go_reads() {
    let Some(go) = Oracle::new("rules") else { return };
    let cases = random_cases(20_000);
    let line =
        |Case { list, host, port }: &Case| format!("noproxy\u{1f}{list}\u{1f}{host}\u{1f}{port}\n");
    let questions: String = cases.iter().map(line).collect();
    let answers = Home::new().run(go.program()).input(questions).output().success();
    assert_eq!(answers.lines().count(), cases.len());
    for (Case { list, host, port }, answer) in cases.iter().zip(answers.lines()) {
        assert_eq!(noproxy::go(list, host, *port).to_string(), answer, "{list:?} {host} {port}");
    }
    assert!(answers.contains("true") && answers.contains("false"));
}

#[test]
fn curl_is_read_as_curl_reads() {
    let Some(curl) = program("curl", "curl") else { return };
    let home = Home::new();
    let version = version(&home.run(&curl).args(["-q", "--version"]).output().success());
    if version < (7, 88) {
        return skipped(&format!("curl {version:?} reads NO_PROXY in another way; install 7.88"));
    }
    let mut cases = random_cases(2_500);
    cases.retain(|case| version < (8, 9) || is_lasting(case));
    let port = serve();
    // One process for all; every transfer says whether it went through the proxy.
    let config: String = cases.iter().map(|case| transfer(case, port)).collect();
    let file = home.write("cases", config);
    // The exit code is that of the last transfer: a proxy that refuses is a failure.
    let output = home.run(&curl).args(["-q", "-K"]).arg(file).output();
    let answers = output.out();
    assert_eq!(answers.lines().count(), cases.len(), "{}", output.err());
    for (Case { list, host, port }, answer) in cases.iter().zip(answers.lines()) {
        let direct = match answer {
            "000 200" => true,
            "403 000" => false,
            _ => unreachable!("neither way: {answer} for {list:?} {host} {port}"),
        };
        assert_eq!(noproxy::curl(list, host, *port), direct, "{list:?} {host} {port}");
    }
    assert!(answers.contains("000 200") && answers.contains("403 000"));
}

/// Returns whether the versions of curl agree: from 8.9 on a blank ends the list, a prefix length
/// must be a number, and IPv6 addresses are addresses.
fn is_lasting(case: &Case) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let lengths = case.list.split(',').filter_map(|entry| Some(entry.split_once('/')?.1));
    !case.list.contains([' ', '\t'])
        && !case.host.contains(':')
        && lengths.into_iter().all(is_number)
}

fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split([' ', '.']).skip(1).map_while(|number| number.parse().ok());
    (numbers.next().expect("a version"), numbers.next().expect("a version"))
}

/// Returns one section of a curl configuration file. `connect-to` sends a direct connection to our
/// server, and makes curl use CONNECT with a proxy, which our server refuses.
fn transfer(Case { list, host, port }: &Case, server: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() };
    let list = list.replace('\t', "\\t");
    format!(
        "next\nurl = \"http://{host}:{port}/\"\nnoproxy = \"{list}\"\n\
         proxy = \"http://127.0.0.1:{server}\"\nconnect-to = \"::127.0.0.1:{server}\"\n\
         write-out = \"%{{http_connect}} %{{http_code}}\\n\"\noutput = \"/dev/null\"\nsilent\ngloboff\n"
    )
}

/// Serves one request a connection: 403 to CONNECT, 200 to everything else.
fn serve() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let mut head = String::new();
            let mut reader = BufReader::new(&stream);
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).expect("a request") == 0 {
                    break;
                }
            }
            let status = if head.starts_with("CONNECT ") { "403 Forbidden" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            (&stream).write_all(answer.as_bytes()).expect("an answer");
        }
    });
    port
}
