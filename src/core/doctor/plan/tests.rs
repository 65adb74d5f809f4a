//! The plan against a network that is a table: which requests are sent, and which of them decide.

use std::collections::BTreeMap;

use crate::core::doctor::{
    finding::Tool,
    judge::hand::Empty,
    leg::{Leg, Purpose},
    machine::{GitValue, Machine, Program, Text},
    place::Place,
    plan::{self, Answers},
    private::Private,
    probe::{Connect, Http, Names, Probe, Ran, Seen, Stage, Tls, Trace},
    target::Target,
};

/// What URLs answer: status, field or body. What is not listed is refused.
type Web = BTreeMap<&'static str, (u16, &'static str)>;

struct Lab {
    machine: Machine,
    web: Web,
    answers: Answers,
}

impl Lab {
    fn new(goproxy: &str, web: &[(&'static str, u16, &'static str)]) -> Self {
        let mut machine = Machine::default();
        let mut set = |name: &str, value: &str| {
            machine.variables.insert(name.to_owned(), Private::new(value));
        };
        set("GOPROXY", goproxy);
        set("GOSUMDB", "off");
        machine.go =
            Some(Program { path: "/go".into(), version: "go version go1.27.3 linux/amd64".into() });
        let web = web.iter().map(|(url, status, text)| (*url, (*status, *text))).collect();
        Self { machine, web, answers: Answers::new() }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.machine.variables.insert(name.to_owned(), Private::new(value));
        self
    }

    /// Asks until nothing more is asked, and returns the requests in order.
    fn run(&mut self, target: &str) -> Vec<String> {
        let target = Target::parse(target).unwrap();
        let mut asked = Vec::new();
        for _ in 0..40 {
            let probes = plan::next(&target, &self.machine, &Empty, &self.answers);
            if probes.is_empty() {
                return asked;
            }
            for probe in probes {
                let seen = self.seen(&probe);
                if let Probe::Exchange(exchange) = &probe {
                    let login = exchange.login.as_ref().map_or("", |_| " with a login");
                    asked.push(format!("{}{login}", exchange.link));
                }
                assert!(self.answers.insert(probe.key(), (probe, seen)).is_none(), "asked twice");
            }
        }
        panic!("it does not come to an end: {asked:?}");
    }

    fn seen(&self, probe: &Probe) -> Seen {
        match probe {
            Probe::Names { .. } => Seen::Names(Names {
                system: Ok(vec!["127.0.0.1".parse().unwrap()]),
                took: 1,
                file: Vec::new(),
                servers: Vec::new(),
                wildcard: Vec::new(),
            }),
            Probe::Banner { .. } => {
                Seen::Banner(Stage { took: 1, flaw: None }, b"SSH-2.0-x".to_vec())
            }
            Probe::Program { .. } => Seen::Program(Ran {
                code: Some(0),
                started: true,
                output: Private::new("username=ana\npassword=hunter2\n"),
                ..Ran::default()
            }),
            Probe::Exchange(exchange) => {
                let mut trace = Trace {
                    tls: Some(Tls { verdict: Some(Ok(())), ..Tls::default() }),
                    connect: exchange
                        .proxy
                        .as_ref()
                        .map(|_| Connect { status: Some(200), ..Connect::default() }),
                    ..Trace::default()
                };
                let (status, text) =
                    self.web.get(exchange.link.to_string().as_str()).copied().unwrap_or((404, ""));
                let fields = match status {
                    300..=399 => vec![("location".to_owned(), text.to_owned())],
                    _ => Vec::new(),
                };
                let status = if status == 401 && exchange.login.is_some() { 200 } else { status };
                trace.http = Some(Http {
                    status: Some(status),
                    has_login: exchange.login.is_some(),
                    fields,
                    body: text.as_bytes().to_vec(),
                    ..Http::default()
                });
                Seen::Trace(trace)
            }
        }
    }

    fn legs(&self, target: &str) -> Vec<Leg<'_>> {
        plan::legs(&Target::parse(target).unwrap(), &self.machine, &Empty, &self.answers)
    }

    /// The URLs of the legs that decide.
    fn deciding(&self, target: &str) -> Vec<String> {
        let legs = self.legs(target);
        legs.iter().filter(|leg| leg.decides).map(Leg::url).collect()
    }
}

const M: &str = "h.test/m@v1.0.0";
const INFO: &str = "{\"Version\":\"v1.0.0\"}";
const PAGE: &str = "<meta name=\"go-import\" content=\"h.test/m git https://h.test/m.git\">";
const REFS: &str = "https://h.test/m.git/info/refs?service=git-upload-pack";

#[test]
fn the_list_is_walked_as_go_walks_it() {
    for (list, a, asked_b, deciding) in [
        ("https://a.test,https://b.test", 404, true, "https://b.test/h.test/m/@v/v1.0.0.info"),
        ("https://a.test,https://b.test", 403, false, "https://a.test/h.test/m/@v/v1.0.0.info"),
        ("https://a.test|https://b.test", 403, true, "https://b.test/h.test/m/@v/v1.0.0.info"),
        ("https://a.test,off", 404, false, "https://a.test/h.test/m/@v/v1.0.0.info"),
    ] {
        let mut lab = Lab::new(
            list,
            &[
                ("https://b.test/h.test/m/@v/v1.0.0.info", 200, INFO),
                ("https://b.test/h.test/m/@v/v1.0.0.mod", 200, "module h.test/m"),
                ("https://b.test/h.test/m/@v/v1.0.0.zip", 200, "PK"),
            ],
        );
        lab.web.insert("https://a.test/h.test/m/@v/v1.0.0.info", (a, ""));
        lab.web.insert("https://a.test/h.test/m/@v/v1.0.0.mod", (a, ""));
        lab.web.insert("https://a.test/h.test/m/@v/v1.0.0.zip", (a, ""));
        let asked = lab.run(M);
        assert_eq!(
            asked.iter().any(|url| url.starts_with("https://b.test")),
            asked_b,
            "{list} {a}"
        );
        assert_eq!(lab.deciding(M).first().map(String::as_str), Some(deciding), "{list} {a}");
        let fails = lab.legs(M).iter().any(|leg| leg.decides && leg.failed().is_some());
        assert_eq!(fails, !asked_b, "{list} {a}");
    }
}

#[test]
fn an_answer_that_is_no_json_ends_the_fetch_there() {
    let mut lab =
        Lab::new("https://a.test", &[("https://a.test/h.test/m/@v/v1.0.0.info", 200, "<html>")]);
    lab.run(M);
    assert_eq!(lab.deciding(M), ["https://a.test/h.test/m/@v/v1.0.0.info"]);
}

#[test]
fn a_private_module_is_asked_of_its_host() {
    let mut lab =
        Lab::new("https://a.test", &[("https://h.test/m?go-get=1", 200, PAGE), (REFS, 200, "")])
            .set("GOPRIVATE", "h.test");
    assert_eq!(lab.run(M), ["https://h.test/m?go-get=1", REFS]);
    let legs = lab.legs(M);
    assert_eq!(
        legs.iter().map(|leg| leg.purpose).collect::<Vec<_>>(),
        [Purpose::Meta, Purpose::Repository]
    );
    assert_eq!(legs[1].affects(), [Tool::Go, Tool::Git]);
}

#[test]
fn the_page_of_a_prefix_has_to_agree() {
    let page = "<meta name=\"go-import\" content=\"h.test git https://h.test/m.git\">";
    let mut lab = Lab::new(
        "direct",
        &[("https://h.test/m?go-get=1", 200, page), ("https://h.test/?go-get=1", 200, PAGE)],
    );
    let asked = lab.run(M);
    assert!(!asked.iter().any(|url| url == REFS), "{asked:?}");
}

#[test]
fn hosts_that_go_knows_are_not_asked_for_a_page() {
    let mut lab = Lab::new("direct", &[]);
    let asked = lab.run("github.com/a/b/c@v1.0.0");
    assert_eq!(asked[0], "https://github.com/a/b/info/refs?service=git-upload-pack");
}

#[test]
fn go_follows_redirects_but_not_out_of_tls() {
    let mut lab = Lab::new(
        "direct",
        &[
            ("https://h.test/m?go-get=1", 302, "https://i.test/m?go-get=1"),
            ("https://i.test/m?go-get=1", 302, "http://i.test/m"),
        ],
    );
    assert_eq!(lab.run(M), ["https://h.test/m?go-get=1", "https://i.test/m?go-get=1"]);
    let legs = lab.legs(M);
    assert_eq!(legs[0].earlier.len(), 1);
    assert_eq!(legs[0].first_link().to_string(), "https://h.test/m?go-get=1");
}

#[test]
fn git_follows_a_redirect_only_to_a_repository() {
    let to = "https://i.test/m.git/info/refs?service=git-upload-pack";
    for (location, follows) in [(to, true), ("https://i.test/login", false)] {
        let mut lab = Lab::new("direct", &[("https://h.test/m?go-get=1", 200, PAGE)]);
        lab.web.insert(REFS, (302, location));
        let asked = lab.run(M);
        assert_eq!(asked.iter().any(|url| url.starts_with("https://i.test")), follows, "{asked:?}");
    }
}

#[test]
fn git_asks_its_helpers_after_a_401_and_once() {
    let mut lab = Lab::new("direct", &[("https://h.test/m?go-get=1", 200, PAGE), (REFS, 401, "")]);
    assert_eq!(lab.run(M).last().map(String::as_str), Some(REFS));
    lab.machine.git_config.push(GitValue {
        key: "credential.helper".to_owned(),
        value: Private::new("/usr/bin/x"),
        place: Place::File("/home/u/.gitconfig".into(), Some(3)),
        is_local: false,
    });
    let asked = lab.run(M);
    assert_eq!(asked, [format!("{REFS} with a login")]);
    let legs = lab.legs(M);
    assert!(legs.iter().all(|leg| leg.failed().is_none()));
    // A repository's own configuration runs nothing.
    lab.machine.git_config[0].is_local = true;
    assert!(lab.legs(M).iter().any(|leg| leg.failed().is_some()));
}

#[test]
fn goauth_is_run_before_the_first_request() {
    let mut lab = Lab::new("https://a.test", &[]).set("GOAUTH", "/usr/bin/auth x");
    let target = Target::parse(M).unwrap();
    let first = plan::next(&target, &lab.machine, &Empty, &lab.answers);
    assert!(
        matches!(&first[..], [Probe::Program { command, .. }] if command == &["/usr/bin/auth", "x"])
    );
    lab.machine.go =
        Some(Program { path: "/go".into(), version: "go version go1.23.9 linux/amd64".into() });
    let first = plan::next(&target, &lab.machine, &Empty, &lab.answers);
    assert!(first.iter().all(|probe| !matches!(probe, Probe::Program { .. })));
}

#[test]
fn the_checksum_database_is_asked_through_the_module_proxy_or_itself() {
    let key = "s.test+00000000+AAAA";
    let lookup = "https://s.test/lookup/h.test/m@v1.0.0";
    for (list, status, asked_itself, decides) in [
        ("https://a.test", 404, true, lookup),
        ("https://a.test", 403, false, "https://a.test/sumdb/s.test/supported"),
        ("https://a.test", 200, false, "https://a.test/sumdb/s.test/lookup/h.test/m@v1.0.0"),
        ("https://a.test|off", 403, false, "https://a.test/sumdb/s.test/supported"),
        ("https://a.test|direct", 403, true, lookup),
    ] {
        let mut lab = Lab::new(list, &[("https://a.test/h.test/m/@v/v1.0.0.info", 200, INFO)])
            .set("GOSUMDB", key);
        lab.web.insert("https://a.test/h.test/m/@v/v1.0.0.mod", (200, "module h.test/m"));
        lab.web.insert("https://a.test/h.test/m/@v/v1.0.0.zip", (200, "PK"));
        lab.web.insert("https://a.test/sumdb/s.test/supported", (status, ""));
        let asked = lab.run(M);
        assert_eq!(asked.iter().any(|url| url == lookup), asked_itself, "{list} {status}");
        assert_eq!(lab.deciding(M).last().map(String::as_str), Some(decides), "{list} {status}");
    }
    let mut lab = Lab::new("https://a.test", &[]).set("GOSUMDB", key).set("GONOSUMDB", "h.test");
    lab.web.insert("https://a.test/h.test/m/@v/v1.0.0.info", (200, INFO));
    assert!(!lab.run(M).iter().any(|url| url.contains("sumdb")));
}

#[test]
fn without_a_version_the_newest_of_the_list_is_taken() {
    let mut lab = Lab::new(
        "https://a.test",
        &[
            ("https://a.test/h.test/m/@v/list", 200, "v1.0.0\nv1.2.0\n"),
            ("https://a.test/h.test/m/@v/v1.2.0.info", 200, "{\"Version\":\"v1.2.0\"}"),
        ],
    );
    let asked = lab.run("h.test/m");
    assert_eq!(asked[0], "https://a.test/h.test/m/@v/list");
    assert!(asked.contains(&"https://a.test/h.test/m/@v/v1.2.0.info".to_owned()));
}

#[test]
fn a_url_is_asked_once_by_all_tools_that_go_the_same_way() {
    let mut lab = Lab::new("direct", &[(REFS, 200, "")]);
    let mut asked = lab.run("https://h.test/m.git");
    asked.dedup();
    let legs = lab.legs("https://h.test/m.git");
    let tools: Vec<Tool> = legs.iter().map(|leg| leg.tool).collect();
    assert_eq!(tools, [Tool::Git, Tool::Go, Tool::Curl]);
    assert_eq!(asked, [REFS]);
}

#[test]
fn one_module_of_each_host_is_asked_for_first() {
    let mut lab = Lab::new("https://a.test", &[]).set("GOPRIVATE", "p.test,q.test");
    let lines = "module m\nrequire (\n a.example/x v1.0.0\n a.example/y v1.0.0\n p.test/x v1.0.0\n p.test/y v1.0.0\n q.test/z v1.0.0\n)";
    let go_mod =
        Text { path: "/w/go.mod".into(), lines: Some(lines.lines().map(Private::new).collect()) };
    lab.machine.module =
        Some(crate::core::doctor::machine::Module { go_mod, ..Default::default() });
    let legs = plan::legs(&Target::Here, &lab.machine, &Empty, &lab.answers);
    assert!(legs.is_empty());
    let wanted = plan::next(&Target::Here, &lab.machine, &Empty, &lab.answers);
    let wanted: Vec<String> = wanted.iter().map(Probe::key).collect();
    for (path, is_asked) in [
        ("a.example/x", true),
        ("p.test/x", true),
        ("q.test/z", true),
        ("a.example/y", false),
        ("p.test/y", false),
    ] {
        assert_eq!(wanted.iter().any(|key| key.contains(path)), is_asked, "{path}");
    }
}
