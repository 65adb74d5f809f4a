//! git's rules for URLs, compared with git itself: which pattern of `http.<url>.*` counts, and where
//! `insteadOf` leads. A git process answers a thousand questions at once: `git config --get-urlmatch` tells
//! every key of a section for one URL, `git remote -v` every remote.

use std::fmt::Write as _;

use gocred::core::doctor::{
    machine::{GitValue, Machine},
    place::Place,
    private::Private,
    route::{git_config, git_url::Normal, rewrite},
};

use crate::support::{
    home::Home,
    program,
    random::{Random, cases},
};

/// How many questions one process answers.
const BATCH: usize = 1_000;

const SCHEMES: &[&str] = &[
    "https://",
    "https://",
    "https://",
    "http://",
    "HTTPS://",
    "Http://",
    "ssh://",
    "file://",
    "https:/",
    "://",
    "https:",
    "",
    "1http://",
    "h+t.p-://",
    "ht_tp://",
];
const USERS: &[&str] = &[
    "",
    "",
    "",
    "",
    "",
    "ana@",
    "ana:pw@",
    "@",
    ":@",
    "Ana@",
    "a%6ea@",
    "an%C3%A9@",
    "an%e9@",
    "a%3ab@",
    "a%zz@",
    "a b@",
    "ana@x@",
    "bob@",
    "a%2Fb@",
    "%61na@",
    "a!b@",
];
const HOSTS: &[&str] = &[
    "git.corp.test",
    "git.corp.test",
    "git.corp.test",
    "GIT.corp.test",
    "corp.test",
    "a.git.corp.test",
    "h",
    "10.1.2.3",
    "[::1]",
    "[FD00::1]",
    "",
    "git.corp.test.",
    "*.corp.test",
    "*",
    "*.*.test",
    "git.*.test",
    "g*.corp.test",
    "a_b",
    "git.corp%2etest",
    "..",
    "a..b",
    "[::1",
    "::1]",
    "a:b",
    "*.*.*",
];
const PORTS: &[&str] = &[
    "", "", "", "", "", ":443", ":80", ":8443", ":0443", ":", ":0", ":00", ":65535", ":65536",
    ":123456", ":x", ":08443", ":4 43", ":000080", ":-1",
];
const PATHS: &[&str] = &[
    "",
    "",
    "",
    "/",
    "/",
    "/team",
    "/team/",
    "/team/lib",
    "/team/lib.git",
    "/teams",
    "/Team",
    "/team//lib",
    "//",
    "/./team",
    "/team/.",
    "/team/./",
    "/team/../lib",
    "/team/..",
    "/..",
    "/team/../..",
    "/%74eam",
    "/te%61m/lib",
    "/team%2Flib",
    "/team%2flib",
    "/%2e%2e",
    "/%2e/team",
    "/te am",
    "/te%20am",
    "/té",
    "/t%c3%a9",
    "/t%",
    "/t%4",
    "?q",
    "/?q",
    "/team?q",
    "#f",
    "/team#f",
    "/team/lib?a=%2f",
    "/a/b/../../team",
    "/team/%2e",
    "/~team",
    "/%7Eteam",
    "/a;b",
    "/a%3Bb",
    "/./",
    "/.",
    "/.team",
    "/...",
    "/team/...",
    "/a|b",
    "/a^b",
    "/a%7cb",
];

/// A URL in five parts.
type Parts = [&'static str; 5];

/// A URL that git accepts, for what is asked: a process has but one.
fn asked(random: &mut Random) -> Parts {
    loop {
        let schemes: &[&str] = &["https://", "https://", "http://"];
        let parts = [schemes, USERS, HOSTS, PORTS, PATHS].map(|parts| random.of(parts));
        if Normal::of(&parts.concat()).is_some() && is_sound(&parts.concat()) {
            return parts;
        }
    }
}

/// Whether git's answer follows from its rules. Where escapes make a URL longer, git 2.47 compares dot segments
/// with a pointer into the buffer as it was before it grew (`url_normalize_1`, `path_start`), and what comes of
/// that is chance.
fn is_sound(url: &str) -> bool {
    let grows =
        url.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || b"<>\"{}|\\^`".contains(&byte));
    let path = url.replace("%2e", ".");
    let has_dots = path.split(['/', '?', '#']).any(|segment| [".", ".."].contains(&segment));
    !(grows && has_dots)
}

/// A pattern that has much in common with what is asked, or nothing.
fn pattern(random: &mut Random, asked: &Parts) -> String {
    if random.below(20) == 0 {
        let odd =
            ["git.corp.test", "/team", "https://", "x", "ana@git.corp.test", "https://h/a.b", "."];
        return random.of(&odd).to_owned();
    }
    let of = [SCHEMES, USERS, HOSTS, PORTS, PATHS];
    let mut parts = Vec::new();
    for (asked, of) in asked.iter().zip(of) {
        parts.push(match random.below(8) {
            0 => random.of(of),
            1 => "",
            _ => *asked,
        });
    }
    parts.concat()
}

fn sound_pattern(random: &mut Random, asked: &Parts) -> String {
    loop {
        let pattern = pattern(random, asked);
        if is_sound(&pattern) {
            return pattern;
        }
    }
}

/// Writes a value or a subsection between quotes of a configuration file.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn value(key: String, value: &str) -> GitValue {
    let (value, place) = (Private::new(value), Place::Default("git"));
    GitValue { key, value, place, is_local: false }
}

#[test]
fn git_matches_urls_as_is_said() {
    let Some(git) = program("git", "git") else { return };
    let (home, mut random) = (Home::new(), Random::new());
    let mut found = 0;
    let count = cases(20_000);
    for _ in 0..count.div_ceil(BATCH) {
        let asked_parts = asked(&mut random);
        let asked = asked_parts.concat();
        let (mut file, mut values) = (String::new(), Vec::new());
        for case in 0..BATCH {
            for entry in 0..=random.below(4) {
                let text = entry.to_string();
                if random.below(5) == 0 {
                    let _ = write!(file, "[http]\n\tk{case} = {text}\n");
                    values.push(value(format!("http.k{case}"), &text));
                } else {
                    let pattern = sound_pattern(&mut random, &asked_parts);
                    let _ = write!(file, "[http {}]\n\tk{case} = {text}\n", quoted(&pattern));
                    values.push(value(format!("http.{pattern}.k{case}"), &text));
                }
            }
        }
        let file = home.write("urlmatch", file);
        let run = home.run(&git).args(["config", "--file"]).arg(file);
        let answers = run.args(["--get-urlmatch", "http", &asked]).output().success();
        let mut lines: std::collections::BTreeMap<_, _> = answers
            .lines()
            .filter_map(|line| line.strip_prefix("http.")?.split_once(' '))
            .collect();
        let mut values = values.as_slice();
        for case in 0..BATCH {
            let key = format!("k{case}");
            let end = values.iter().position(|it| !it.key.ends_with(&format!(".{key}")));
            let (mine, rest) = values.split_at(end.unwrap_or(values.len()));
            values = rest;
            let said = git_config::best(mine, ("http", &key), &asked).map(|it| it.value.raw());
            let answer = lines.remove(key.as_str());
            assert_eq!(said, answer, "{asked} {mine:?}");
            found += usize::from(answer.is_some());
        }
        assert!(lines.is_empty(), "{lines:?}");
    }
    println!("{count} cases, {found} with a value");
    assert!(found > count / 4 && found < count);
}

const RULES: &[&str] = &[
    "https://",
    "https://git.corp.test/",
    "https://git.corp.test",
    "https://git.corp.test/team",
    "http://",
    "gh:",
    "git@git.corp.test:",
    "ssh://git@git.corp.test/",
    "https://ana@git.corp.test/",
    "https://git.corp.test/team/",
    "git://",
    "https://git.corp.test/team/lib",
    "HTTPS://",
    "h",
    "",
    "https://corp.test/",
    "/srv/git/",
    "gh:team/",
];
const BASES: &[&str] = &[
    "https://mirror.test/",
    "https://mirror.test",
    "git@git.corp.test:",
    "ssh://git@git.corp.test/",
    "https://tok@h/",
    "https://ana:pw@h/",
    "gh:",
    "https://git.corp.test/",
    "http://x/",
    "a b/",
    "x",
    "https://git.corp.test/a.b.insteadOf",
];
const ENDS: &[&str] =
    &["", "team/lib.git", "team/", "lib", "/team/lib", "Team/lib", "x?y#z", "té/lib"];

#[test]
fn git_rewrites_urls_as_is_said() {
    let Some(git) = program("git", "git") else { return };
    let (home, mut random) = (Home::new(), Random::new());
    let repository = home.path().join("repository");
    home.run(&git).args(["init", "-q"]).arg(&repository).output().success();
    let mut rewritten = 0;
    let count = cases(20_000);
    for _ in 0..count.div_ceil(BATCH) {
        let mut file = "[core]\n\trepositoryformatversion = 0\n".to_owned();
        let mut machine = Machine::default();
        for _ in 0..random.below(10) {
            let (base, prefix) = (random.of(BASES), random.of(RULES));
            let name = random.of(&["insteadOf", "insteadOf", "pushInsteadOf"]);
            let _ = write!(file, "[url {}]\n\t{name} = {}\n", quoted(base), quoted(prefix));
            machine.git_config.push(value(format!("url.{base}.{}", name.to_lowercase()), prefix));
        }
        let mut urls = Vec::new();
        for case in 0..BATCH {
            let url = [random.of(RULES), random.of(ENDS)].concat();
            let url = if url.is_empty() { "x".to_owned() } else { url };
            let _ = write!(file, "[remote \"r{case:04}\"]\n\turl = {}\n", quoted(&url));
            urls.push(url);
        }
        home.write("repository/.git/config", file);
        let run = home.run(&git).arg("-C").arg(&repository).args(["remote", "-v"]);
        let answers = run.output().success();
        let mut answers = answers.lines().filter(|line| line.ends_with(" (fetch)"));
        for (case, url) in urls.iter().enumerate() {
            let said = rewrite::fetch(&machine, url);
            rewritten += usize::from(said.is_some());
            let said = said.map_or_else(|| url.clone(), |(said, _)| said);
            let said = format!("r{case:04}\t{said} (fetch)");
            assert_eq!(Some(said.as_str()), answers.next(), "{url} {:?}", machine.git_config);
        }
    }
    println!("{count} cases, {rewritten} rewritten");
    assert!(rewritten > 0 && rewritten < count);
}
