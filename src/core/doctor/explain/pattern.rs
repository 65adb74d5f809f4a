//! The patterns of the catalogue: a text in which `…` stands for a few words and `{class}` for a number, port or
//! host of a kind. It deliberately is no regular expression: each search has a bound, whatever the text.

use super::hop;
use crate::core::text::start;

/// How many bytes `…` may stand for.
const GAP: usize = 300;

/// How many steps the search of one pattern may take.
const STEPS: usize = 20_000;

/// Returns a pattern as people read it.
pub fn shown(pattern: &str) -> String {
    let shown = |part| match part {
        Part::Text(text) => text,
        Part::Class("slow") => "(20000 or more)",
        // It stands beside a gap.
        Part::Class("proxy") => "",
        Part::Class(_) | Part::Gap => "…",
    };
    parts(pattern).map(shown).collect()
}

/// How much a pattern says: its letters; a class is worth a short word.
pub(super) fn weight(printer: &str, pattern: &str) -> i32 {
    match printer {
        "downloading" => 20,
        "silent" => 10,
        _ => parts(pattern).map(Part::weight).sum(),
    }
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Class(&'a str),
    Gap,
}

impl Part<'_> {
    fn weight(self) -> i32 {
        match self {
            Part::Text(text) => i32::try_from(text.len()).unwrap_or(i32::MAX),
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
pub(super) fn matches(text: &str, pattern: &str) -> bool {
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
    let mark = text.strip_prefix(hop::PROXY);
    if class == "proxy" {
        return mark;
    }
    let text = mark.unwrap_or(text);
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
        "odd" => number(|port| !is_proxy_port(port) && ![0, 22, 80, 443].contains(&port)),
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

/// The ports that forward proxies have in companies, and programs beside a browser on desks.
fn is_proxy_port(port: u64) -> bool {
    const PORTS: [u64; 20] = [
        3128, 3129, 8000, 8080, 8081, 8088, 8118, 8123, 8443, 8888, 9090, // companies
        1086, 1087, 6152, 7890, 7891, 7897, 10808, 10809, 20171, // desks
    ];
    PORTS.contains(&port)
}

#[cfg(test)]
mod tests {
    use super::{matches, parts, shown};
    use crate::core::doctor::{
        catalogue::ENTRIES,
        explain::{explain, signs::Signs},
    };

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
                    .replace("{local}", "127.0.0.1")
                    .replace("{proxy}", "\u{1}");
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
    fn a_pattern_is_shown_without_its_classes() {
        assert_eq!(shown("port {odd} after {slow} ms"), "port … after (20000 or more) ms");
        assert_eq!(parts("a{odd").count(), 1);
    }

    #[test]
    fn a_hostile_text_takes_bounded_time() {
        let start = std::time::Instant::now();
        for piece in
            ["Get \"", "reading https://", ": ", "git ls-remote : fatal: ", "\u{1b}[", "密"]
        {
            let text = piece.repeat((1 << 20) / piece.len());
            let numbered = text.split(' ').enumerate().map(|(at, it)| format!("{at}{it}"));
            let lines = numbered.collect::<Vec<_>>().join("\n");
            explain(&text, &Signs::default());
            explain(&lines, &Signs::default());
        }
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }
}
