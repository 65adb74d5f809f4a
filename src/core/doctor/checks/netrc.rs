//! netrc: entries that one tool reads and another does not. A24–A29, P43.

use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        checks::{Facts, NO_LOGIN, facts::Asked, fix},
        finding::{Change, Finding, Kind, Severity, Tool},
        machine::{Netrc, What},
        mend::order::is_same_secret,
        place::Place,
    },
    netrc::{self, Entry, Machine as Named, TokenKind},
    secret::SecretString,
};

/// Returns what is wrong with the files.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let asked = facts.asked();
    for (path, file) in &facts.machine.netrc {
        found.extend(closed(facts, path, file));
        found.extend(open(facts, path, file));
        if let Some(text) = &file.text {
            let text = text.expose_secret();
            for place in asked.iter().filter(|place| place.scheme.starts_with("http")) {
                found.extend(Wanted { facts, path, text, asked: place }.judged());
            }
        }
    }
    found.extend(two_files(facts));
    found.extend(of_proxy(facts));
    found
}

fn tools(facts: &Facts<'_>, path: &Path) -> Vec<Tool> {
    let named = facts.machine.variable("NETRC");
    let is_gos = named.is_none_or(|named| Path::new(named.raw()) == path);
    let is_usual = path.file_name().is_some_and(|name| name == ".netrc" || name == "_netrc");
    let go = is_gos.then_some(Tool::Go);
    go.into_iter()
        .chain(is_usual.then_some([Tool::Git, Tool::Curl]).into_iter().flatten())
        .collect()
}

/// A27: nobody can read it.
fn closed(facts: &Facts<'_>, path: &Path, file: &Netrc) -> Option<Finding> {
    let named = facts.machine.variable("NETRC").is_some_and(|named| Path::new(named.raw()) == path);
    let why = match file.stat.what {
        What::Folder => "is a folder",
        What::Missing if named => "is not there, though NETRC names it",
        What::Missing => return None,
        _ if !file.stat.is_readable => "cannot be read",
        What::File | What::Other => return None,
    };
    let cause = format!("{} {why}: no tool says so, and none finds a login there.", path.display());
    let finding = facts
        .finding("A27", Severity::Warning, cause)
        .seen(Kind::File, Place::File(path.to_owned(), None), why, "a file")
        .affects(&tools(facts, path))
        .reproduce(format!("ls -ld {}", fix::quoted(&path.display().to_string())))
        .explains(NO_LOGIN);
    let shown = fix::quoted(&path.display().to_string());
    Some(match file.stat.what {
        What::Folder => {
            let finding = finding.run(format!("mv {shown} {shown}.folder"));
            if fix::is_own(facts, path) {
                finding.change(Change::Aside { paths: vec![path.to_owned()] })
            } else {
                finding
            }
        }
        What::Missing => fix::variable(facts, finding, "NETRC", None),
        _ if file.stat.owner == facts.machine.uid => finding
            .run(format!("chmod 600 {shown}"))
            .change(Change::Mode { file: path.to_owned(), mode: 0o600 }),
        _ => finding.run(format!("sudo chown \"$USER\" {shown}")),
    })
}

/// A28: others can read it.
fn open(facts: &Facts<'_>, path: &Path, file: &Netrc) -> Option<Finding> {
    let is_open = file.stat.what == What::File && file.stat.mode & 0o077 != 0;
    let has_secret =
        file.text.as_ref().is_some_and(|text| text.expose_secret().contains("password"));
    if !is_open || !has_secret || cfg!(windows) {
        return None;
    }
    let cause =
        format!("{} holds passwords, and other users of this machine can read it.", path.display());
    let mode = file.stat.mode & 0o600;
    let finding = facts
        .finding("A28", Severity::Warning, cause)
        .seen(
            Kind::File,
            Place::File(path.to_owned(), None),
            format!("mode {:04o}", file.stat.mode),
            "mode 0600",
        )
        .run(format!("chmod 600 {}", fix::quoted(&path.display().to_string())));
    Some(finding.change(Change::Mode { file: path.to_owned(), mode }))
}

/// A place that is asked, and a file that may hold a login for it.
struct Wanted<'a> {
    facts: &'a Facts<'a>,
    path: &'a Path,
    text: &'a str,
    asked: &'a Asked,
}

impl Wanted<'_> {
    fn place(&self, line: usize) -> Place {
        Place::File(self.path.to_owned(), Some(line))
    }

    /// Returns how go writes the place.
    fn authority(&self) -> String {
        let Asked { scheme, host, port } = self.asked;
        let default = if scheme == "https" { 443 } else { 80 };
        if *port == default { host.clone() } else { format!("{host}:{port}") }
    }

    /// A24, A25, A26: what stands there for a place, as go reads it and as it was meant.
    fn judged(&self) -> Option<Finding> {
        let bytes = self.text.as_bytes();
        let curl = netrc::curl::read(bytes);
        let host = &self.asked.host;
        if let Some(finding) = self.foreign().or_else(|| self.behind_default(&curl)) {
            return Some(finding);
        }
        if let Some(entry) = curl.entries.iter().find(|entry| is_for(entry, host)) {
            return self.unported(entry).or_else(|| self.quoted(entry));
        }
        if netrc::go::lookup(bytes, &self.authority()).ok().flatten().is_some() {
            return None;
        }
        let ported = curl.entries.iter().find_map(|entry| match &entry.machine {
            Named::Host(written) => is_meant(written, host).then_some((entry, written)),
            Named::Default | Named::Nobody => None,
        });
        if let Some((entry, written)) = ported {
            let tokens = curl.tokens.get(entry.tokens.clone()).unwrap_or_default();
            let word = tokens.iter().find(|token| token.kind == TokenKind::Value);
            return Some(self.ported(entry.line, written, word.map(|word| word.span.start)));
        }
        let default = curl.entries.iter().find(|entry| entry.machine == Named::Default)?;
        let line = default.line;
        let cause = format!(
            "Only `default` ({}) is there for {host}: go passes it over, git and curl take it.",
            self.place(line)
        );
        let meant = format!("machine {host}");
        let finding = self.finding("A25", line, cause, ["default", &meant]);
        let finding = finding.affects(&[Tool::Go]).run(self.editor(line));
        let word = curl.tokens.get(default.tokens.clone()).and_then(|tokens| tokens.first());
        let start = word.map(|word| word.span.start);
        Some(self.changed(finding, start, ["default", &meant]))
    }

    /// A27: what an editor of another system wrote hides the entry, or another one in its place is found.
    fn foreign(&self) -> Option<Finding> {
        let (host, authority) = (&self.asked.host, self.authority());
        let bare = self.text.strip_prefix('\u{feff}').unwrap_or(self.text).replace("\r\n", "\n");
        let bare = SecretString::from(bare);
        let line = |text: &str, tool: Tool| {
            let found = match tool {
                Tool::Go => netrc::go::lookup(text.as_bytes(), &authority),
                Tool::Git | Tool::Curl => netrc::curl::lookup(text.as_bytes(), host, None),
            };
            found.ok().flatten().map(|found| found.line)
        };
        let of = |tool: &Tool| {
            let meant = line(bare.expose_secret(), *tool)?;
            (line(self.text, *tool) != Some(meant)).then_some((*tool, meant))
        };
        let hidden: Vec<(Tool, usize)> =
            tools(self.facts, self.path).iter().filter_map(of).collect();
        let tools: Vec<Tool> = hidden.iter().map(|(tool, _)| *tool).collect();
        let (_, line) = hidden.first()?;
        let place = self.place(*line);
        let (why, observed) = if self.text.starts_with('\u{feff}') && *line == 1 {
            ("a byte order mark stands before its first word", "a byte order mark")
        } else {
            (
                "the lines before it end as Windows ends them, with a carriage return",
                "CRLF line ends",
            )
        };
        let cause = format!("The entry for {host} ({place}) is not found: {why}.");
        let finding = self.finding("A27", *line, cause, [observed, "plain lines"]).affects(&tools);
        let shown = fix::quoted(&self.path.display().to_string());
        let finding = finding.run(format!("sed -i '1s/^\\xef\\xbb\\xbf//; s/\\r$//' {shown}"));
        if !fix::is_own(self.facts, self.path) {
            return Some(finding);
        }
        Some(finding.change(Change::Foreign { file: self.path.to_owned() }))
    }

    /// A25: the entry of the host stands behind `default`, which git and curl take where it stands. go passes it
    /// over, and ends there where the word is alone on its line.
    fn behind_default(&self, curl: &netrc::Netrc) -> Option<Finding> {
        let host = &self.asked.host;
        let at = curl.entries.iter().position(|entry| entry.machine == Named::Default)?;
        let default = curl.entries.get(at)?;
        let is_it = |entry: &&Entry| is_for(entry, host) && entry.password.is_some();
        if curl.entries.get(..at)?.iter().any(|entry| is_it(&entry)) {
            return None;
        }
        let own = curl.entries.get(at..)?.iter().find(is_it)?;
        let goes_on = netrc::go::lookup(self.text.as_bytes(), &self.authority());
        let goes_on = goes_on.ok().flatten().is_some();
        let mut tools = tools(self.facts, self.path);
        let is_one = default.login.as_ref().map(|it| &it.text)
            == own.login.as_ref().map(|it| &it.text)
            && is_same_secret(default, own);
        tools.retain(|tool| if *tool == Tool::Go { !goes_on } else { !is_one });
        if tools.is_empty() {
            return None;
        }
        let (place, other) = (self.place(default.line), self.place(own.line));
        let cause = format!(
            "`default` ({place}) stands before the entry for {host} ({other}), which is therefore never used."
        );
        let meant = format!("behind `machine {host}`");
        let finding = self
            .finding("A25", default.line, cause, ["default", &meant])
            .seen(Kind::File, other, format!("machine {host}"), "before `default`")
            .affects(&tools)
            .explains(&["A05", "A30"])
            .run(self.editor(default.line));
        if !fix::is_own(self.facts, self.path) {
            return Some(finding);
        }
        let (file, line, other) = (self.path.to_owned(), own.line, default.line);
        Some(finding.change(Change::Before { file, line, other }))
    }

    fn finding(&self, code: &'static str, line: usize, cause: String, seen: [&str; 2]) -> Finding {
        let [observed, expected] = seen;
        self.facts
            .finding(code, Severity::Warning, cause)
            .seen(Kind::File, self.place(line), observed, expected)
            .run(format!("gocred login {}", self.asked.host))
            .explains(NO_LOGIN)
    }

    fn quoted(&self, entry: &Entry) -> Option<Finding> {
        let bytes = self.text.as_bytes();
        let span = entry.password.as_ref()?.span.clone();
        let raw = bytes.get(span.clone()).unwrap_or_default();
        let is_quoted = raw.starts_with(b"\"");
        if !is_quoted || !tools(self.facts, self.path).contains(&Tool::Go) {
            return None;
        }
        let (host, line) = (&self.asked.host, entry.line);
        let place = self.place(line);
        let cause =
            format!("The password for {host} ({place}) is in quotes, which go sends along.");
        let seen = ["a password in quotes", "without quotes"];
        let finding = self.finding("A26", line, cause, seen).affects(&[Tool::Go]);
        let finding = finding.run(self.editor(line));
        // Without the quotes a blank would end the word, and `#` would begin a comment.
        let inner = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'#');
        if !inner.is_some_and(|inner| !inner.is_empty() && inner.iter().all(is_plain)) {
            return Some(finding);
        }
        let finding = self.changed(finding, Some(span.start), ["\"", ""]);
        Some(self.changed(finding, span.end.checked_sub(1), ["\"", ""]))
    }

    fn ported(&self, line: usize, written: &str, start: Option<usize>) -> Finding {
        let (place, authority) = (self.place(line), self.authority());
        let cause =
            format!("{place} names `machine {written}`, which no tool matches with {authority}.");
        let meant = format!("machine {authority}");
        let finding = self.finding("A24", line, cause, ["a port or a scheme", &meant]);
        let finding = finding.affects(&tools(self.facts, self.path)).run(self.editor(line));
        self.changed(finding, start, [written, &authority])
    }

    /// A24 the other way: go compares the port, too, where the URL has one (cmd/go/internal/auth).
    fn unported(&self, entry: &Entry) -> Option<Finding> {
        let (host, authority, line) = (&self.asked.host, self.authority(), entry.line);
        let found = netrc::go::lookup(self.text.as_bytes(), &authority).ok().flatten();
        let is_gos = tools(self.facts, self.path).contains(&Tool::Go) && self.facts.is_for_go();
        if authority == *host || found.is_some() || !is_gos {
            return None;
        }
        let cause = format!(
            "{} names `machine {host}`, and go asks for {authority}: it compares the port, too. git and curl do not.",
            self.place(line)
        );
        let meant = format!("machine {authority}");
        let finding = self.finding("A24", line, cause, [&format!("machine {host}"), &meant]);
        Some(finding.affects(&[Tool::Go]).run(format!("gocred login {authority}")))
    }

    fn editor(&self, line: usize) -> String {
        let shown = fix::quoted(&self.path.display().to_string());
        format!("\"${{EDITOR:-vi}}\" +{line} {shown}")
    }

    /// Changes a word where it stands: what is beside it may be a password, and is not written anew.
    fn changed(&self, finding: Finding, start: Option<usize>, [from, to]: [&str; 2]) -> Finding {
        let Some(before) = start.and_then(|start| self.text.get(..start)) else { return finding };
        let rest = self.text.get(before.len()..).unwrap_or_default();
        if !rest.starts_with(from) || !fix::is_own(self.facts, self.path) {
            return finding;
        }
        let line = before.split('\n').count();
        let own = before.rsplit('\n').next().unwrap_or_default();
        // Those that overlap count each, as in the edit.
        let nth = own.as_bytes().windows(from.len().max(1));
        let nth = nth.filter(|part| *part == from.as_bytes()).count();
        let file = self.path.to_owned();
        finding.change(Change::Part { file, line, nth, from: from.to_owned(), to: to.to_owned() })
    }
}

/// Returns whether a machine is a host with a port or a scheme around it.
fn is_meant(written: &str, host: &str) -> bool {
    let name = written.trim_start_matches("https://").trim_start_matches("http://");
    let name = name.split(['/', ':']).next().unwrap_or_default();
    name.eq_ignore_ascii_case(host) && written != host
}

fn is_for(entry: &Entry, host: &str) -> bool {
    matches!(&entry.machine, Named::Host(own) if own.eq_ignore_ascii_case(host))
}

/// P43: an entry for the proxy, which nobody looks up: net/http takes a proxy's login from its URL only, and libcurl
/// reads netrc for the origin.
fn of_proxy(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
    let (name, value) = facts.first(&names)?;
    let proxy = super::facts::place(value.raw()).filter(|_| !value.raw().contains('@'))?;
    let (path, line) = machine.netrc.iter().find_map(|(path, file)| {
        let text = file.text.as_ref()?.expose_secret();
        let entries = netrc::curl::read(text.as_bytes()).entries;
        let entry = entries.iter().find(|entry| is_for(entry, &proxy.host))?;
        Some((path, entry.line))
    })?;
    let place = Place::File(path.clone(), Some(line));
    let cause = format!(
        "{place} has a login for the proxy {}, which neither go nor git nor curl looks up there.",
        proxy.host
    );
    let finding = facts
        .finding("P43", Severity::Info, cause)
        .seen(Kind::File, place, format!("machine {}", proxy.host), "nothing")
        .seen(Kind::Variable, Place::Variable(name.to_owned()), value.to_string(), "")
        .affects(&[Tool::Go, Tool::Git, Tool::Curl])
        .run(format!("gocred login --proxy http://{}:{}", proxy.host, proxy.port))
        .explains(&["P01", "P33"]);
    Some(finding)
}

/// A29: go reads another file than git and curl.
fn two_files(facts: &Facts<'_>) -> Option<Finding> {
    let value = facts.machine.variable("NETRC")?;
    let usual = facts.machine.home.as_ref()?.join(".netrc");
    if Path::new(value.raw()) == usual {
        return None;
    }
    let cause =
        format!("NETRC names {value}: go reads that, git and curl still read {}.", usual.display());
    let finding = facts
        .finding("A29", Severity::Info, cause)
        .seen(
            Kind::Variable,
            Place::Variable("NETRC".to_owned()),
            value.to_string(),
            usual.display().to_string(),
        )
        .affects(&[Tool::Git, Tool::Curl])
        .explains(&["A01", "A04"]);
    // Without the other file, go would have none at all.
    let is_there = facts.machine.netrc.get(&usual).is_some_and(|file| file.text.is_some());
    Some(if is_there {
        fix::variable(facts, finding, "NETRC", None)
    } else {
        finding.run("unset NETRC")
    })
}
