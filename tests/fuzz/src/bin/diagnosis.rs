//! A whole diagnosis, of any machine and with any answers of the network: it ends, nothing panics, and no
//! finding shows a secret.
//!
//! An input has lines up to an empty one, which are the machine: the target, then by their first letter
//! variables (`V`), git's configuration (`G`), go's file (`E`), go.mod (`M`), resolv.conf (`R`), netrc (`N`)
//! and the end of a proxy's URL (`P`). The bytes behind it say what each probe sees.
#![no_main]

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use gocred::core::{
    challenge,
    doctor::{
        checks, judge,
        machine::{GitValue, Machine, Module, Netrc, Program, Text},
        place::Place,
        plan::{self, Answers, Wallet},
        private::Private,
        probe::{
            Answer, Certificate, CertificateFlaw, Connect, DnsFlaw, Http, Names, Probe, Ran,
            ReadFlaw, Seen, Server, Stage, TcpFlaw, Tls, TlsFlaw, Trace,
        },
        rank,
        route::{Link, Login},
        target::Target,
    },
    secret::SecretString,
};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "hunter2hunter2";
/// More rounds of questions than any way has.
const ROUNDS: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if text.contains(SECRET) {
        return;
    }
    let (machine, script) = text.split_once("\n\n").unwrap_or((&text, ""));
    let (target, lines) = machine.split_once('\n').unwrap_or((machine, ""));
    let Ok(target) = Target::parse(target) else { return };
    let target =
        if target == (Target::Url("http://./".to_owned())) { Target::Here } else { target };
    let machine = machine_of(lines);
    let mut script = Script { bytes: script.as_bytes(), at: 0 };

    let mut findings = checks::all(&target, &machine);
    let mut answers = Answers::new();
    for round in 0.. {
        assert!(round < ROUNDS, "{:?}", answers.keys());
        let mut probes = plan::next(&target, &machine, &Nobody, &answers);
        probes.retain(|probe| !answers.contains_key(&probe.key()));
        if probes.is_empty() {
            break;
        }
        for probe in probes {
            let seen = script.seen(&probe);
            answers.insert(probe.key(), (probe, seen));
        }
    }
    let (found, _) = judge::all(&target, &machine, &Nobody, &answers);
    findings.extend(found);
    let shown = format!("{:?}", rank::rank(findings));
    assert!(!shown.contains(SECRET), "{shown}");
});

/// gocred has nothing stored.
struct Nobody;

impl Wallet for Nobody {
    fn login(&self, _: &Link) -> Option<Login> {
        None
    }
    fn proxy_login(&self, _: &str, _: u16) -> Option<Login> {
        None
    }
}

fn machine_of(lines: &str) -> Machine {
    let of = |letter: char| {
        let values: Vec<&str> =
            lines.lines().filter_map(|line| line.strip_prefix(letter)).collect();
        values
    };
    let text = |path: &str, letter| Text::of(path, &of(letter).join("\n"));
    let mut variables: BTreeMap<String, Private> = of('V')
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), Private::new(value)))
        .collect();
    if let Some(end) = of('P').first().filter(|end| !end.contains('@')) {
        let proxy = format!("http://ana:{SECRET}@proxy.test:3128{end}");
        variables.insert("HTTPS_PROXY".to_owned(), Private::new(proxy));
    }
    let git_value = |(line, text): (usize, &&str)| {
        let (key, value) = text.split_once('=')?;
        let place = Place::File(PathBuf::from("/home/ana/.gitconfig"), Some(line));
        Some(GitValue {
            key: key.to_owned(),
            value: Private::new(value),
            place,
            is_local: line % 5 == 4,
        })
    };
    let netrc = format!("machine git.test login ana password {SECRET}\n{}", of('N').join("\n"));
    let netrc = Netrc { text: Some(SecretString::from(netrc)), ..Netrc::default() };
    let program = |path: &str, version: &str| {
        Some(Program { path: Path::new(path).to_owned(), version: version.to_owned() })
    };
    Machine {
        variables,
        home: Some(PathBuf::from("/home/ana")),
        uid: 1000,
        now: 1_700_000_000,
        goenv: Some(text("/home/ana/.config/go/env", 'E')),
        go: program("/usr/bin/go", "go1.27.3"),
        git: program("/usr/bin/git", "2.47.3"),
        git_config: of('G').iter().enumerate().filter_map(git_value).collect(),
        netrc: BTreeMap::from([(PathBuf::from("/home/ana/.netrc"), netrc)]),
        resolv: text("/etc/resolv.conf", 'R'),
        module: Some(Module { go_mod: text("/w/go.mod", 'M'), ..Module::default() }),
        ..Machine::default()
    }
}

/// What the network does.
struct Script<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Script<'_> {
    /// The next byte; nothing more is zero: all is well.
    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes.get(self.at - 1).copied().unwrap_or_default()
    }

    /// One of so many.
    fn one_of(&mut self, count: u8) -> u8 {
        self.byte() % count
    }

    /// Some text.
    fn text(&mut self) -> String {
        let length = usize::from(self.byte()) * 4;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (text, _) = rest.split_at(rest.len().min(length));
        self.at += text.len();
        String::from_utf8_lossy(text).into_owned()
    }

    fn seen(&mut self, probe: &Probe) -> Seen {
        match probe {
            Probe::Names { .. } => Seen::Names(self.names()),
            Probe::Exchange(_) => Seen::Trace(self.trace()),
            Probe::Banner { .. } => Seen::Banner(self.stage(), self.text().into_bytes()),
            Probe::Program { .. } => Seen::Program(Ran {
                code: [Some(0), Some(128), None]
                    .into_iter()
                    .cycle()
                    .nth(usize::from(self.byte()))
                    .flatten(),
                started: self.one_of(4) != 1,
                output: Private::new(self.text()),
                error: self.text(),
                took: 7,
            }),
        }
    }

    fn address(&mut self) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, self.byte()).into()
    }

    fn names(&mut self) -> Names {
        let answer = |script: &mut Self| match script.one_of(7) {
            1 => Err(DnsFlaw::Silent),
            2 => Err(DnsFlaw::Refused),
            3 => Err(DnsFlaw::Cut),
            4 => Err(DnsFlaw::Garbage),
            _ => Ok(Answer {
                code: script.one_of(6),
                addresses: vec![script.address()],
                was_cut: script.one_of(2) == 1,
            }),
        };
        let server = Server {
            address: SocketAddr::new(self.address(), 53),
            a: answer(self),
            aaaa: answer(self),
            took: 3,
        };
        let system = match self.one_of(3) {
            1 => Err("Name or service not known".to_owned()),
            _ => Ok(vec![self.address()]),
        };
        Names { system, took: 3, file: Vec::new(), servers: vec![server], wildcard: Vec::new() }
    }

    fn stage(&mut self) -> Stage<TcpFlaw> {
        let flaw = match self.one_of(9) {
            1 => Some(TcpFlaw::Refused),
            2 => Some(TcpFlaw::Reset),
            3 => Some(TcpFlaw::Silent),
            4 => Some(TcpFlaw::HostUnreachable),
            5 => Some(TcpFlaw::Forbidden),
            6 => Some(TcpFlaw::Other(5)),
            _ => None,
        };
        Stage { took: 4, flaw }
    }

    fn trace(&mut self) -> Trace {
        let address = self.address();
        let mut trace = Trace { names: Some(Ok(vec![address])), ..Trace::default() };
        if self.one_of(9) == 1 {
            trace.names = Some(Err("no such name".to_owned()));
            return trace;
        }
        let stage = self.stage();
        trace.tcp.push((SocketAddr::new(address, 443), stage));
        if stage.flaw.is_some() {
            return trace;
        }
        if self.one_of(2) == 1 {
            let connect = self.connect();
            let is_open = connect.status == Some(200);
            trace.connect = Some(connect);
            if !is_open {
                return trace;
            }
        }
        if self.one_of(4) == 3 {
            let tls = self.tls();
            let is_open = tls.flaw.is_none();
            trace.tls = Some(tls);
            if !is_open {
                return trace;
            }
        }
        trace.http = Some(self.http());
        trace
    }

    fn flaw(&mut self) -> Option<ReadFlaw> {
        match self.one_of(9) {
            1 => Some(ReadFlaw::Closed(usize::from(self.byte()))),
            2 => Some(ReadFlaw::Reset(usize::from(self.byte()))),
            3 => Some(ReadFlaw::Silent(usize::from(self.byte()))),
            4 => Some(ReadFlaw::Slow(usize::from(self.byte()))),
            5 => Some(ReadFlaw::NotHttp(self.text().into_bytes())),
            6 => Some(ReadFlaw::TooLarge),
            _ => None,
        }
    }

    fn status(&mut self) -> Option<u16> {
        let known =
            [200, 401, 403, 404, 407, 410, 429, 500, 502, 503, 504, 301, 302, 204, 206, 511];
        match self.byte() {
            0xff => None,
            byte => known.get(usize::from(byte) % 32).copied().or(Some(100 + 3 * u16::from(byte))),
        }
    }

    fn fields(&mut self) -> Vec<(String, String)> {
        let text = self.text();
        let fields = text.split('\n').filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
    }

    fn connect(&mut self) -> Connect {
        let fields = self.fields();
        Connect {
            took: 5,
            has_login: self.one_of(2) == 1,
            status: self.status(),
            reason: self.text(),
            challenges: challenges(&fields, "proxy-authenticate"),
            body: self.text().into_bytes(),
            flaw: self.flaw(),
            fields,
            interim: Vec::new(),
        }
    }

    fn tls(&mut self) -> Tls {
        let flaw = match self.one_of(12) {
            1 => Some(TlsFlaw::Alert(self.byte())),
            2 => Some(TlsFlaw::Closed),
            3 => Some(TlsFlaw::Reset),
            4 => Some(TlsFlaw::Silent),
            5 => Some(TlsFlaw::NotTls(self.text().into_bytes())),
            6 => Some(TlsFlaw::Old),
            7 => Some(TlsFlaw::Other(self.text())),
            _ => None,
        };
        let verdict = match self.one_of(16) {
            1 => Err(CertificateFlaw::Expired),
            2 => Err(CertificateFlaw::NotYetValid),
            3 => Err(CertificateFlaw::WrongName),
            4 => Err(CertificateFlaw::SelfSigned),
            5 => Err(CertificateFlaw::UnknownIssuer(self.text())),
            6 => Err(CertificateFlaw::NoRoots),
            7 => Err(CertificateFlaw::Weak(self.text())),
            8 => Err(CertificateFlaw::NoNames),
            _ => Ok(()),
        };
        let certificate = Certificate {
            subject: self.text(),
            issuer: self.text(),
            names: vec![self.text()],
            valid: (0, u64::from(self.byte()) << 24),
            ..Certificate::default()
        };
        Tls {
            took: 6,
            flaw,
            version: "TLSv1.3".to_owned(),
            chain: vec![certificate],
            verdict: Some(verdict),
            asks_for_certificate: self.one_of(5) == 1,
            ..Tls::default()
        }
    }

    fn http(&mut self) -> Http {
        let fields = self.fields();
        Http {
            took: 8,
            has_login: self.one_of(2) == 1,
            status: self.status(),
            reason: self.text(),
            challenges: challenges(&fields, "www-authenticate"),
            body: self.text().into_bytes(),
            length: None,
            is_unclosed: self.one_of(5) == 1,
            flaw: self.flaw(),
            fields,
        }
    }
}

fn challenges(fields: &[(String, String)], name: &str) -> Vec<challenge::Challenge> {
    let values = fields.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_bytes());
    values.flat_map(challenge::parse).collect()
}
