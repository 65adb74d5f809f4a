//! Servers that keep go, git and curl waiting behind a tunnel: each command ends within a minute, and
//! the proxy says why. Tunnels that are only quiet live on.
//!
//! The times are the real ones, so everything that waits waits at the same time.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{
    proxy_lab::{Client, Daemon, Next, Upstream, proxy, report},
    support::{
        eventually,
        go::Release,
        home::{Home, Run},
        program,
        tls::Authority,
    },
};

/// A command ends when nothing has come for 50 s, and a bit later. Counted from when its request was
/// there: on a busy machine it takes seconds to start all of them.
const ENDS: std::ops::Range<Duration> = Duration::from_secs(45)..Duration::from_secs(60);

/// How servers stall, by the name of the host: what they still say, and the code that is told of it,
/// where a tunnel leads there and where a request in clear does.
const WAYS: [(&str, Way, [Option<&str>; 2]); 6] = [
    ("tcp.test", Way::Nothing, [Some("H01"), None]),
    ("tls.test", Way::Hello, [Some("H02"), None]),
    ("head.test", Way::Says(""), [Some("H01"), Some("H01")]),
    ("half-head.test", Way::Says("HTTP/1.1 200 OK\r\nContent-Ty"), [Some("H02"), Some("H01")]),
    ("half-body.test", Way::Says(HALF_BODY), [Some("H02"), Some("H02")]),
    ("drip.test", Way::Drips, [Some("H03"), Some("H03")]),
];
const HALF_BODY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{\"Ver";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It says nothing at all.
    Nothing,
    /// It begins to say hello in TLS.
    Hello,
    /// It answers a request in part.
    Says(&'static str),
    /// It answers a byte a second.
    Drips,
}

impl Way {
    /// Keeps the client of a tunnel waiting until it is gone.
    fn serve(self, mut stream: TcpStream, tls: Arc<ServerConfig>) {
        match self {
            Self::Nothing => wait(stream),
            Self::Hello => {
                let _ = stream.read(&mut [0; 16]);
                let _ = stream.write_all(b"\x16\x03\x03\x40\x00\x02\x00");
                wait(stream);
            }
            Self::Says(_) | Self::Drips => self.answer(asked(stream, tls)),
        }
    }

    /// Keeps a client waiting that has asked for something.
    fn answer(self, mut stream: impl Read + Write) {
        let mut say = |bytes: &[u8]| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
        match self {
            Self::Says(part) => say(part.as_bytes()),
            Self::Drips => {
                say(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n");
                while say(b"x") {
                    thread::sleep(Duration::from_secs(1));
                }
                return;
            }
            Self::Nothing | Self::Hello => return,
        };
        wait(stream);
    }
}

/// Reads until the other end is gone.
fn wait(mut stream: impl Read) {
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}

/// Returns a connection whose TLS client has asked for something.
fn asked(stream: TcpStream, tls: Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    let session = ServerConnection::new(tls).expect("a session");
    let mut stream = BufReader::new(StreamOwned::new(session, stream));
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
        line.clear();
    }
    stream.into_inner()
}

/// When each `host:port` was first asked for.
type Asked = Arc<Mutex<BTreeMap<String, Instant>>>;

/// A proxy behind ours, in which the servers are: no name has to be resolved. Each program has names of
/// its own.
fn upstream(authority: &Authority, asked: &Asked) -> Upstream {
    let names = WAYS.iter().flat_map(|(name, ..)| PROGRAMS.map(|it| format!("DNS:{it}.{name}")));
    authority.sign("server", &names.collect::<Vec<_>>().join(","), 2);
    let (tls, asked) = (authority.config("server"), Arc::clone(asked));
    Upstream::start(move |client, head| {
        let stream = client.stream().try_clone().expect("a socket");
        stream.set_read_timeout(None).expect("no limit");
        let target = head.split_whitespace().nth(1).unwrap_or_default();
        let host = target.trim_start_matches("http://").split([':', '/']).next();
        let host = host.unwrap_or_default();
        let port = if head.starts_with("CONNECT ") { 443 } else { 80 };
        let mut first = asked.lock().expect("the times");
        first.entry(format!("{host}:{port}")).or_insert_with(Instant::now);
        drop(first);
        let of = host.split_once('.').map(|(_, name)| name);
        let way = WAYS.iter().find(|(name, ..)| Some(*name) == of).map(|(_, way, _)| *way);
        if !head.starts_with("CONNECT ") {
            way.expect("a host that is known").answer(stream);
            return Next::Close;
        }
        client.send("HTTP/1.1 200 ok\r\n\r\n");
        match way {
            Some(way) => way.serve(stream, Arc::clone(&tls)),
            None => lines(stream),
        }
        Next::Close
    })
}

/// Answers each line: at once, or after so many seconds as it says.
fn lines(stream: TcpStream) {
    let mut write = stream.try_clone().expect("a socket");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let pause = line.split_whitespace().next().and_then(|word| word.parse().ok());
        thread::sleep(Duration::from_secs(pause.unwrap_or_default()));
        if writeln!(write, "answer").is_err() {
            return;
        }
    }
}

/// Who asks.
const PROGRAMS: [&str; 3] = ["curl", "git", "go"];

/// The command of a program, asking a URL through the proxy.
fn command(
    (home, daemon, authority): (&Home, &Daemon, &Authority),
    name: &str,
    url: &str,
) -> Option<Run> {
    let proxy = format!("http://{}", daemon.address);
    let ca = authority.file("ca.pem");
    let run = |program| {
        let run = home.run(program).env("https_proxy", &proxy).env("http_proxy", &proxy);
        let run = run.env("CURL_CA_BUNDLE", &ca).env("GIT_SSL_CAINFO", &ca);
        run.env("SSL_CERT_FILE", &ca).env("GIT_TERMINAL_PROMPT", "0").limit(3 * ENDS.end)
    };
    Some(match name {
        "curl" => run(program("curl", "curl")?).args(["-sSf", url]),
        "git" => run(program("git", "git")?).args(["ls-remote", url]),
        _ => {
            let go = run(Release::Go127.program()?).env("GOPROXY", url).env("GOSUMDB", "off");
            let go = go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-modcacherw");
            // A cache of its own: go locks it while it downloads.
            let go = go.env("GOPATH", home.path().join(url.replace(['/', ':'], "-")));
            go.args(["mod", "download", "x.test/m@v1.0.0"])
        }
    })
}

#[test]
fn whoever_waits_for_ever_ends_within_a_minute_and_who_is_quiet_lives_on() {
    let Some(authority) = Authority::new() else { return };
    let asked = Asked::default();
    let (home, upstream) = (Home::new().without_telemetry(), upstream(&authority, &asked));
    let (told, run) = (home.path().join("told"), proxy(&home, &[upstream.url()]));
    let daemon = Daemon::telling(&run, fs::File::create(&told).expect("a file"));
    let mut waiting = Vec::new();
    for (host, _, codes) in WAYS {
        let schemes = [("https", 443), ("http", 80)].into_iter().zip(codes);
        for ((scheme, port), _) in schemes.filter(|(_, code)| code.is_some()) {
            for program in PROGRAMS {
                let url = format!("{scheme}://{program}.{host}");
                let with = (&home, &daemon, &authority);
                let Some(command) = command(with, program, &url) else { return };
                let command = thread::spawn(move || (command.output(), Instant::now()));
                waiting.push((format!("{program}.{host}:{port}"), command));
            }
        }
    }
    quiet_ones_live_on(&daemon);
    for (target, command) in waiting {
        let (output, ended) = command.join().expect("a command");
        assert_ne!(output.code, Some(0), "{target}: {output:?}");
        let begun = asked.lock().expect("the times").get(&target).copied();
        let took = ended - begun.unwrap_or_else(|| panic!("{target} was not asked: {output:?}"));
        // Go gives up a TLS handshake by itself, after 10 s.
        let by_itself = output.err().contains("TLS handshake timeout");
        assert!(ENDS.contains(&took) || by_itself, "{target}: {took:?} {output:?}");
    }
    for (host, way, codes) in WAYS {
        for (port, code) in [443, 80].into_iter().zip(codes) {
            let Some(code) = code else { continue };
            // The status keeps the last few only.
            eventually(&format!("{code} of {host}:{port}, {way:?}"), || {
                let told = fs::read_to_string(&told).expect("what was told");
                let target = format!(".{host}:{port}");
                let is_of = |line: &&str| line.split_whitespace().any(|it| it.ends_with(&target));
                let line = told.lines().find(is_of)?.to_owned();
                // The tickets of TLS 1.3 may come after the request, and look like half an answer.
                let is_hidden = code == "H01" && port == 443 && line.contains("gocred[H02]: ");
                assert!(line.contains(&format!("gocred[{code}]: ")) || is_hidden, "{line}");
                Some(())
            });
        }
    }
    let findings = report(&home)["findings"].as_array().expect("findings").clone();
    let codes = ["H01", "H02", "H03"].map(|code| findings.iter().any(|it| it["code"] == code));
    assert!(codes.contains(&true), "{findings:?}");
}

/// Tunnels that are quiet, and will not be for ever.
fn quiet_ones_live_on(daemon: &Daemon) {
    let quiet = thread::scope(|scope| {
        let quiet = [
            // A WebSocket: the server spoke last.
            ("quiet", vec!["0 hello", "55", "0 again"]),
            // A long poll, or a report that takes its time, of a program with time-outs of its own.
            (
                "slow",
                vec![
                    "0 hello",
                    "70 of more than eighty bytes, so that it is no acknowledgement \
              of anything, nor a pong",
                ],
            ),
        ];
        let quiet = quiet.map(|(name, says)| scope.spawn(move || (name, talk(daemon, &says))));
        quiet.map(|quiet| quiet.join().expect("a client"))
    });
    for (name, answers) in quiet {
        assert_eq!(answers, 2, "{name}");
    }
}

/// Says lines, and returns how many were answered. A number alone is a silence of so many seconds.
fn talk(daemon: &Daemon, says: &[&str]) -> usize {
    let mut client = Client::to(daemon.address);
    client.stream().set_read_timeout(Some(Duration::from_secs(100))).expect("a limit");
    client.send("CONNECT quiet.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head().expect("a tunnel");
    let mut answers = 0;
    for line in says {
        if let Ok(silence) = line.parse() {
            thread::sleep(Duration::from_secs(silence));
            continue;
        }
        let start = Instant::now();
        client.send(format!("{line}\n"));
        client.until("answer\n");
        assert!(start.elapsed() < Duration::from_secs(90));
        answers += 1;
    }
    answers
}
