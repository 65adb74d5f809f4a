//! `explain -`: which codes of the catalogue may stand behind what a tool printed. It computes only. A text
//! alone often fits many codes (fifteen share `Couldn't connect to server`): the longest pattern wins, then
//! what companies have more often, and what the files of this machine show counts before both.
//!
//! A pattern is a text in which `…` stands for a few words and `{class}` for a number, port or host of a
//! kind. It deliberately is no regular expression: each search has a bound, whatever the text.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::core::{
    doctor::catalogue::{ENTRIES, Entry},
    text::start,
};

/// How much of a text is read at each of its ends: a log may be long, and its failure stands at one.
const ENDS: usize = 64 << 10;

/// How many bytes `…` may stand for.
const GAP: usize = 300;

/// How many steps the search of one pattern may take.
const STEPS: usize = 20_000;

/// What a code gains by being seen in the files and variables of this machine.
const HERE: usize = 60;

/// How many candidates are named.
const NAMED: usize = 3;

/// A possible cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its page.
    pub entry: &'static Entry,
    /// The pattern that matched; empty where nothing was printed. It holds no word of the text itself,
    /// which may be secret.
    pub pattern: &'static str,
    /// Whether this machine's files or variables show it, too.
    pub is_here: bool,
    score: usize,
}

/// What a text may mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The likeliest, at most three.
    pub candidates: Vec<Candidate>,
    /// The other codes that print the same as one of these: only a look at the machine and the network
    /// tells them apart.
    pub same: Vec<&'static Entry>,
}

/// Explains a text. `here` are the codes that the configuration of this machine shows.
pub fn explain(text: &str, here: &BTreeSet<&str>) -> Explanation {
    let said = Said::of(text);
    let mut found: Vec<Candidate> =
        ENTRIES.iter().filter_map(|entry| candidate(entry, &said, here)).collect();
    found.sort_by_key(|it| (Reverse(it.score), it.entry.code));
    let others = found.split_off(found.len().min(NAMED));
    let is_same = |other: &&Candidate| found.iter().any(|it| it.pattern == other.pattern);
    let same = others.iter().filter(is_same).map(|it| it.entry).collect();
    Explanation { candidates: found, same }
}

/// Returns a pattern as people read it.
pub fn shown(pattern: &str) -> String {
    let shown = |part| match part {
        Part::Text(text) => text,
        Part::Class("slow") => "(20000 or more)",
        Part::Class(_) | Part::Gap => "…",
    };
    parts(pattern).map(shown).collect()
}

/// Returns what a text is about, for `gocred doctor`: a module with its version, or a URL without login
/// and query. Everything else of it stays where it is.
pub fn target(text: &str) -> Option<String> {
    let text = ends(text);
    let words = || text.split(|c: char| c.is_whitespace() || "\"'`()<>,".contains(c));
    let safe = |word: &str| {
        let is_safe = |c: char| c.is_ascii_alphanumeric() || "-._~/:@+!".contains(c);
        word.len() <= 300 && word.chars().all(is_safe)
    };
    let is_module = |word: &&str| {
        word.split_once("@v").is_some_and(|(path, version)| {
            let host = path.split('/').next().unwrap_or_default();
            let is_path = path.contains('/') && host.contains('.') && !path.contains("://");
            is_path && version.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let module =
        words().map(|word| word.trim_end_matches(':')).find(|it| is_module(it) && safe(it));
    if let Some(module) = module {
        return Some(module.to_owned());
    }
    let is_url = |word: &&str| word.starts_with("https://") || word.starts_with("http://");
    words().filter(is_url).find_map(|word| {
        let (scheme, rest) = word.split_once("://")?;
        // A login may hold `#`, `?` and `/` unescaped (E37), so that nobody can say where it begins: such a URL is
        // not repeated at all. Of a module proxy, `@` is part of the path.
        let is_module = rest.contains("/@v/") || rest.contains("/@latest");
        // With a login before it, it is not worth the risk.
        let is_module = is_module && rest.matches('@').count() == 1;
        let rest = match rest.rsplit_once('@').filter(|_| !is_module) {
            Some((login, _)) if login.contains(['/', '?', '#']) => return None,
            Some((_, rest)) => rest,
            None => rest,
        };
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let place = rest.get(..end)?.trim_end_matches([':', '.']);
        (!place.is_empty() && safe(place)).then(|| format!("{scheme}://{place}"))
    })
}

fn candidate(entry: &'static Entry, said: &Said, here: &BTreeSet<&str>) -> Option<Candidate> {
    let matching = entry.patterns().filter(|(printer, pattern)| match *printer {
        "silent" => said.is_silent,
        "downloading" => said.is_silent && said.has_downloads,
        _ => matches(&said.text, pattern),
    });
    let weighed = matching.map(|(printer, pattern)| (weight(printer, pattern), pattern));
    let (weight, pattern) = weighed.max_by_key(|(weight, _)| *weight)?;
    let is_here = here.contains(entry.code);
    let score = weight + 2 * usize::from(entry.common) + if is_here { HERE } else { 0 };
    Some(Candidate { entry, pattern, is_here, score })
}

/// How much a pattern tells: its letters; a class is worth a short word.
fn weight(printer: &str, pattern: &str) -> usize {
    match printer {
        "downloading" => 20,
        "silent" => 10,
        _ => parts(pattern).map(Part::weight).sum(),
    }
}

/// A text, made plain.
struct Said {
    /// One line, each run of white space one blank, the lines that are there twice once.
    text: String,
    /// Whether nothing but progress was printed: the tool hung.
    is_silent: bool,
    /// Whether go began to download.
    has_downloads: bool,
}

impl Said {
    fn of(text: &str) -> Self {
        let (mut plain, mut has_downloads, mut is_silent) = (String::new(), false, true);
        let mut seen = BTreeSet::new();
        for line in ends(text).lines() {
            let line = without_escapes(line);
            let line = line.trim();
            let is_download =
                line.starts_with("go: downloading ") || line.starts_with("go: finding ");
            has_downloads |= is_download;
            if line.is_empty() || !seen.insert(line.to_owned()) {
                continue;
            }
            is_silent &= is_download || is_end(line);
            plain.extend(line.split_whitespace().flat_map(|word| [word, " "]));
        }
        Self { text: plain, is_silent, has_downloads }
    }
}

/// Returns whether a line only says that a person or a time limit ended the tool.
fn is_end(line: &str) -> bool {
    let ends = ["^C", "Killed", "Terminated", "signal: interrupt", "signal: killed"];
    ends.contains(&line) || line.starts_with("Cloning into ")
}

/// Returns the beginning and the end of a long text.
fn ends(text: &str) -> String {
    if text.len() <= 2 * ENDS {
        return text.to_owned();
    }
    let end = (text.len() - ENDS..text.len()).find_map(|at| text.get(at..)).unwrap_or_default();
    format!("{}\n{end}", start(text, ENDS))
}

/// Takes colours and other control sequences out of a line (ECMA-48: `ESC [`, parameters, one letter).
fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            if letters.next() == Some('[') {
                letters.by_ref().find(char::is_ascii_alphabetic);
            }
        } else if !letter.is_control() || letter == '\t' {
            plain.push(letter);
        }
    }
    plain
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Class(&'a str),
    Gap,
}

impl Part<'_> {
    fn weight(self) -> usize {
        match self {
            Part::Text(text) => text.len(),
            Part::Class(_) => 6,
            Part::Gap => 0,
        }
    }
}

fn parts(pattern: &str) -> impl Iterator<Item = Part<'_>> + Clone {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        if let Some(after) = rest.strip_prefix('…') {
            rest = after;
            return Some(Part::Gap);
        }
        if let Some((class, after)) = rest.strip_prefix('{').and_then(|it| it.split_once('}')) {
            rest = after;
            return Some(Part::Class(class));
        }
        let end = rest.find(['…', '{']).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        rest = after;
        (!text.is_empty()).then_some(Part::Text(text))
    })
}

/// Returns whether a pattern is somewhere in a text.
fn matches(text: &str, pattern: &str) -> bool {
    let mut parts = parts(pattern);
    let Some(Part::Text(first)) = parts.next() else { return false };
    let mut steps = STEPS;
    let mut starts = text.match_indices(first);
    starts.any(|(at, _)| follows(text.get(at + first.len()..), parts.clone(), &mut steps))
}

/// Returns whether the rest of a pattern is at the start of a text.
fn follows<'a>(
    text: Option<&str>,
    mut parts: impl Iterator<Item = Part<'a>> + Clone,
    steps: &mut usize,
) -> bool {
    let Some((mut text, left)) = text.zip(steps.checked_sub(1)) else { return false };
    *steps = left;
    while let Some(part) = parts.next() {
        match part {
            Part::Text(word) => match text.strip_prefix(word) {
                Some(rest) => text = rest,
                None => return false,
            },
            Part::Class(class) => match after(text, class) {
                Some(rest) => text = rest,
                None => return false,
            },
            Part::Gap => return gap(text, parts, steps),
        }
    }
    true
}

/// Returns whether the rest of a pattern is within the next few words.
fn gap<'a>(
    text: &str,
    mut parts: impl Iterator<Item = Part<'a>> + Clone,
    steps: &mut usize,
) -> bool {
    let Some(next) = parts.next() else { return true };
    let Part::Text(word) = next else { return false };
    let window = start(text, GAP);
    // A word that begins inside of the window may end behind it: what it holds is compared as a whole.
    let starts = window
        .char_indices()
        .filter(|(at, _)| text.get(*at..).is_some_and(|rest| rest.starts_with(word)));
    for (at, _) in starts {
        if follows(text.get(at + word.len()..), parts.clone(), steps) {
            return true;
        }
    }
    false
}

/// Returns what follows a number, port or host of a class.
fn after<'a>(text: &'a str, class: &str) -> Option<&'a str> {
    let digits = || {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        number.parse::<u64>().ok().map(|number| (number, rest))
    };
    let number = |is_so: fn(u64) -> bool| digits().filter(|(it, _)| is_so(*it)).map(|it| it.1);
    let host = || {
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-._[]:".contains(c));
        let (host, rest) = text.split_at(text.find(is_end).unwrap_or(text.len()));
        (!host.is_empty()).then_some((host, rest))
    };
    match class {
        "slow" => number(|ms| ms >= 20_000),
        "quick" => number(|ms| ms < 20_000),
        "major" => number(|major| major >= 2),
        "proxyport" => number(is_proxy_port),
        "odd" => number(|port| !is_proxy_port(port) && ![22, 80, 443].contains(&port)),
        "host" => host().map(|it| it.1),
        "twodots" => host().filter(|it| it.0.contains("..")).map(|it| it.1),
        "ip" => host().filter(|it| it.0.parse::<std::net::IpAddr>().is_ok()).map(|it| it.1),
        "joined" => host().filter(|it| is_joined(it.0)).map(|it| it.1),
        "local" => ["localhost", "127.0.0.1", "[::1]", "::1"]
            .iter()
            .find_map(|name| text.strip_prefix(name)),
        _ => None,
    }
}

/// Returns whether the last label of a host begins as a domain and goes on: a path ran into it.
fn is_joined(host: &str) -> bool {
    const DOMAINS: [&str; 13] = [
        "cn", "com", "corp", "dev", "example", "internal", "intranet", "io", "lan", "local", "net",
        "org", "test",
    ];
    let last = host.trim_end_matches(':').rsplit_once('.').map_or("", |(_, last)| last);
    DOMAINS.iter().any(|domain| last.len() > domain.len() && last.starts_with(domain))
}

/// The ports that forward proxies have in companies and on desks.
fn is_proxy_port(port: u64) -> bool {
    [3128, 3129, 8000, 8080, 8081, 8088, 8118, 8123, 8443, 8888, 9090, 7890].contains(&port)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{explain, matches, parts, shown, target};
    use crate::core::doctor::catalogue::ENTRIES;

    fn codes(text: &str) -> Vec<&'static str> {
        explain(text, &BTreeSet::new()).candidates.iter().map(|it| it.entry.code).collect()
    }

    #[test]
    fn a_gap_is_a_few_words_and_a_class_a_kind_of_number() {
        let slow = "Failed to connect to …port 443 after {slow} ms: Couldn't";
        let say =
            |ms: &str| format!("x: Failed to connect to h port 443 after {ms} ms: Couldn't y");
        assert!(matches(&say("134856"), slow) && !matches(&say("12"), slow));
        assert!(!matches(&say(""), slow) && !matches(&say("99999999999999999999"), slow));
        assert!(!matches(&format!("a {} b", "x".repeat(400)), "a …b"));
        assert!(matches("port 3128.", "port {proxyport}") && !matches("port 443", "port {odd}"));
        assert!(
            matches("on 10.1.2.3'", "on {ip}'") && matches("to 127.0.0.1 port", "to {local} port")
        );
    }

    #[test]
    fn every_pattern_matches_something_and_its_own_code() {
        for entry in ENTRIES {
            for (printer, pattern) in entry.patterns() {
                if ["silent", "downloading"].contains(&printer) {
                    continue;
                }
                let example = pattern
                    .replace('…', " x ")
                    .replace("{slow}", "134856")
                    .replace("{quick}", "3")
                    .replace("{major}", "2")
                    .replace("{proxyport}", "3128")
                    .replace("{odd}", "1")
                    .replace("{host}", "git.corp.example")
                    .replace("{twodots}", "git..corp.example")
                    .replace("{ip}", "10.1.2.3")
                    .replace("{joined}", "git.corp.testteam")
                    .replace("{local}", "127.0.0.1");
                let example = example.split_whitespace().collect::<Vec<_>>().join(" ") + " ";
                assert!(!example.contains('{'), "{}: {pattern}", entry.code);
                let loose = pattern.replace("… ", "…").replace(" …", "…");
                assert!(
                    matches(&example.replace(" x ", " x"), pattern) || matches(&example, &loose),
                    "{}: {pattern}",
                    entry.code
                );
            }
        }
    }

    #[test]
    fn what_this_machine_shows_counts_more() {
        let text = "go: m@v1.0.0: reading https://p.example/m/@v/v1.0.0.info: 403 Forbidden\n\tserver response: no";
        let plain = explain(text, &BTreeSet::new());
        assert!(plain.candidates.iter().all(|it| it.entry.code != "E17"));
        let known = explain(text, &BTreeSet::from(["E17"]));
        assert_eq!(
            known.candidates.first().map(|it| (it.entry.code, it.is_here)),
            Some(("E17", true))
        );
        assert_eq!(known.candidates.len(), 3);
        assert!(!known.same.is_empty());
    }

    #[test]
    fn nothing_printed_is_a_tool_that_waits() {
        assert!(codes("").contains(&"N02"));
        assert_eq!(codes("go: downloading a.example/b v1.0.0\n^C\n").first(), Some(&"M13"));
        assert!(codes("all is well").is_empty());
    }

    #[test]
    fn colours_and_repeated_lines_change_nothing() {
        let line = "\u{1b}[31mfatal:\u{1b}[0m could not read Username for 'https://h': terminal prompts disabled\r\n";
        assert_eq!(codes(line).first(), Some(&"A01"));
        assert_eq!(codes(&line.repeat(9000)).first(), Some(&"A01"));
    }

    #[test]
    fn a_hostile_text_takes_bounded_time() {
        let start = std::time::Instant::now();
        for piece in
            ["Get \"", "reading https://", ": ", "git ls-remote : fatal: ", "\u{1b}[", "密"]
        {
            let text = piece.repeat((1 << 20) / piece.len());
            let lines: Vec<String> =
                text.split(' ').enumerate().map(|(at, it)| format!("{at}{it}")).collect();
            explain(&text, &BTreeSet::new());
            explain(&lines.join("\n"), &BTreeSet::new());
        }
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }

    #[test]
    fn a_target_is_named_without_its_login() {
        for (text, expected) in [
            (
                "go: git.corp.example/t/lib@v1.0.0: reading https://p/x",
                Some("git.corp.example/t/lib@v1.0.0"),
            ),
            (
                "unable to access 'https://u:kanarie@h.example/t.git/': x",
                Some("https://h.example/t.git/"),
            ),
            ("Get \"https://h.example/t?token=kanarie\": EOF", Some("https://h.example/t")),
            ("Get \"https://h.example/$(id)\": EOF", None),
            ("Invalid proxy URL 'http://u:kanarie#x@p:3128': only", None),
            ("Invalid proxy URL 'http://u:kanarie/x@p:3128': only", None),
            ("nothing", None),
        ] {
            assert_eq!(target(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_pattern_is_shown_without_its_classes() {
        assert_eq!(shown("port {odd} after {slow} ms"), "port … after (20000 or more) ms");
        assert_eq!(parts("a{odd").count(), 1);
    }
}
