//! What a verbose text shows of the way: `curl -v`, `GIT_CURL_VERBOSE` and `GIT_TRACE_CURL` print how far they got, which
//! variables they read, how each address answered, and the fields in which squid says why it refused.
//!
//! It deliberately names no code that the text has no words for: it weighs those that print the same.

use std::collections::{BTreeMap, BTreeSet};

use super::signs::THROUGH;
use crate::core::doctor::explain::said;

/// What a line names.
const NAMED: i32 = 70;
/// What the stage says at which it ended.
const STAGE: i32 = 40;

/// Words of a line, in small letters, and what the codes gain by them.
type Line = (&'static [&'static str], &'static [(&'static str, i32)]);

const LINES: &[Line] = &[
    (
        &["connect to ", " port ", " failed: connection refused"],
        &[("N03", -NAMED), ("N04", -NAMED), ("N05", -NAMED)],
    ),
    (&["connect to ", " port ", " failed: no route to host"], &[("N03", NAMED)]),
    (&["connect to ", " port ", " failed: network is unreachable"], &[("N04", NAMED)]),
    (&["connect to ", " port ", " failed: connection timed out"], &[("N02", NAMED)]),
    // http.curloptResolve and --resolve.
    (&["added ", " to dns cache"], &[("D11", NAMED)]),
    (&["proxy env variable all_proxy"], &[("E36", NAMED)]),
    (&["x-squid-error: err_dns_fail"], &[("D16", NAMED)]),
    (&["x-squid-error: err_connect_fail"], &[("P12", NAMED)]),
    (&["x-squid-error: err_read_timeout"], &[("P15", NAMED)]),
];

/// Returns what the codes gain.
pub(super) fn points(text: &str) -> BTreeMap<&'static str, i32> {
    let mut points = BTreeMap::new();
    let mut way = Way::default();
    for line in said::ends(text).lines() {
        let line = line.to_ascii_lowercase();
        for (words, codes) in LINES {
            if words.iter().all(|word| line.contains(word)) {
                points.extend(codes.iter().copied());
            }
        }
        if let Some((_, value)) = line.split_once("proxy env variable no_proxy == '") {
            let list = value.trim_end().trim_end_matches('\'');
            points.extend(no_proxy(list).map(|code| (code, NAMED)));
        }
        way.look(&line);
    }
    way.weigh(&mut points);
    points
}

/// Returns what is wrong with a list of hosts that need no proxy.
fn no_proxy(list: &str) -> Option<&'static str> {
    let is_port = |entry: &str| {
        entry.rsplit_once(':').is_some_and(|(host, port)| {
            !host.contains(':') && !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit())
        })
    };
    let is_range = |entry: &str| {
        entry.split_once('/').is_some_and(|(host, _)| host.parse::<std::net::IpAddr>().is_ok())
    };
    let mut entries = list.split(',').map(str::trim);
    entries.find_map(|entry| match entry {
        it if it.contains("://") || it.contains("..") => Some("E35"),
        it if it.contains(' ') => Some("E33"),
        it if it.starts_with("*.") => Some("E31"),
        it if is_range(it) => Some("E34"),
        it if is_port(it) => Some("E32"),
        _ => None,
    })
}

/// How far it got.
#[derive(Default)]
struct Way {
    /// The port that a tunnel was asked for.
    tunnel: Option<String>,
    seen: BTreeSet<Seen>,
}

/// What a text shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// The tunnel was there.
    Through,
    /// squid refuses the host or the port.
    Denied,
    /// The answer says when to come back.
    Wait,
    /// An address of IPv4 was tried.
    Four,
    /// One of IPv6.
    Six,
}

impl Way {
    fn look(&mut self, line: &str) {
        if let Some((_, to)) = line.split_once("proxy tunnel to ") {
            let port = to.rsplit(':').next().unwrap_or_default();
            self.tunnel = Some(port.trim_end().to_owned());
            self.seen.remove(&Seen::Through);
        }
        for (words, seen) in [
            ("proxy replied 200", Seen::Through),
            ("connect phase completed", Seen::Through),
            ("connect tunnel established", Seen::Through),
            ("x-squid-error: err_access_denied", Seen::Denied),
            ("retry-after:", Seen::Wait),
        ] {
            if line.contains(words) {
                self.seen.insert(seen);
            }
        }
        if let Some((_, to)) = line.split_once(" trying ") {
            let is_six = to.trim_start().starts_with('[');
            self.seen.insert(if is_six { Seen::Six } else { Seen::Four });
        }
    }

    fn weigh(&self, points: &mut BTreeMap<&'static str, i32>) {
        let has = |seen| self.seen.contains(&seen);
        let mut add = |code, more| *points.entry(code).or_default() += more;
        if has(Seen::Six) && !has(Seen::Four) {
            add("D09", NAMED);
        }
        let Some(port) = &self.tunnel else { return };
        if has(Seen::Through) {
            add("P24", STAGE);
            return;
        }
        for code in THROUGH {
            add(code, STAGE);
        }
        if has(Seen::Denied) {
            add(if port == "443" { "P10" } else { "P11" }, STAGE);
        }
        if has(Seen::Wait) {
            add("P14", STAGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::core::doctor::explain::{explain, signs::Signs};

    #[test]
    fn how_far_a_verbose_tool_got_decides_between_codes_that_print_the_same() {
        let dialled = |how: &str| {
            format!(
                "* Trying 10.0.0.1:443...\n* connect to 10.0.0.1 port 443 failed: {how}\n\
                 curl: (7) Failed to connect to h port 443 after 3 ms: Couldn't connect to server"
            )
        };
        let tunnel =
            |to: &str, more: &str| format!("* Establish HTTP proxy tunnel to {to}\n{more}");
        let reset = "curl: (56) Recv failure: Connection reset by peer";
        let denied =
            "< X-Squid-Error: ERR_ACCESS_DENIED 0\ncurl: (56) CONNECT tunnel failed, response 403";
        let busy = "< Retry-After: 30\ncurl: (56) CONNECT tunnel failed, response 503";
        let pinned =
            format!("* Added h:443:10.0.0.1 to DNS cache\n{}", dialled("Connection refused"));
        let except = |list: &str| {
            format!(
                "* Uses proxy env variable no_proxy == '{list}'\n* Trying 10.0.0.1:1...\n\
                 curl: (7) Failed to connect to px port 1 after 0 ms: Couldn't connect to server"
            )
        };
        for (text, expected) in [
            (dialled("Connection refused"), "N01"),
            (dialled("No route to host"), "N03"),
            (dialled("Network is unreachable"), "N04"),
            (pinned, "D11"),
            (dialled("x").replace("10.0.0.1", "[2001:db8::1]"), "D09"),
            (tunnel("h:443", reset), "P19"),
            (tunnel("h:443", denied), "P10"),
            (tunnel("h:8443", denied), "P11"),
            (tunnel("h:443", busy), "P14"),
            (except("a,*.lan"), "E31"),
            (except("h.lan:443"), "E32"),
            (except("10.0.0.0/8"), "E34"),
            (except("https://h.lan"), "E35"),
        ] {
            let found = explain(&text, &Signs::default()).candidates;
            assert_eq!(found.first().map(|it| it.entry.code), Some(expected), "{text}");
        }
    }
}
