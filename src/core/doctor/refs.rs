//! What a repository answers to `info/refs?service=git-upload-pack` (gitprotocol-http): its references, as
//! far as they came.
//!
//! Version 2 names none; it is recognised, and says nothing of what is there. No object is looked at.

use std::collections::{BTreeMap, BTreeSet};

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// References in the smart protocol, version 0 or 1.
    Smart(Refs),
    /// The smart protocol, version 2: capabilities only.
    Second,
    /// References as a plain file, of a server that does not run git (gitprotocol-http, "Dumb Clients").
    Dumb(Refs),
    /// No byte at all.
    Empty,
    /// The smart protocol, broken off before it names anything.
    Cut,
    /// The server's own refusal within the protocol (`ERR`), shortened.
    Refused(String),
    /// A page for people.
    Page,
    /// Something else.
    Other,
}

/// The references that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// Names, such as `refs/tags/v1.0.0`. Peeled ones (`^{}`) are left out.
    pub names: Vec<String>,
    /// The commit of each name, by name: what an annotated tag is about, and not the tag itself.
    pub commits: BTreeMap<String, String>,
    /// The commits whose parents the server does not have itself.
    pub shallow: BTreeSet<String>,
    /// Whether all of them came.
    pub is_whole: bool,
}

impl Refs {
    /// Returns whether a reference is there.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    /// Returns the names of the tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| name.strip_prefix("refs/tags/"))
    }
}

/// Reads an answer. `kind` is its Content-Type.
pub fn read(kind: &str, body: &[u8]) -> Answer {
    let is_smart = is_advertisement(kind);
    let is_page = kind.starts_with("text/html")
        || body.trim_ascii_start().get(..5).is_some_and(|start| {
            start.eq_ignore_ascii_case(b"<html") || start.eq_ignore_ascii_case(b"<!doc")
        });
    if !is_smart && is_page {
        return Answer::Page;
    }
    if is_smart {
        return smart(body);
    }
    dumb(body)
}

/// Returns whether a Content-Type is that of the smart protocol's answer.
pub fn is_advertisement(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case("application/x-git-upload-pack-advertisement")
}

/// A line of the protocol.
enum Line<'a> {
    /// `0000`, `0001`, `0002`
    Mark,
    /// What it says.
    Text(&'a [u8]),
}

/// Reads pkt-lines (gitprotocol-common).
fn smart(body: &[u8]) -> Answer {
    if body.is_empty() {
        return Answer::Empty;
    }
    let mut refs = Refs::default();
    let mut rest = body;
    // The line `# service=…` has an end mark of its own; the next one ends the references.
    let mut is_announced = false;
    loop {
        let (line, after) = match line(rest) {
            Ok(taken) => taken,
            Err(Unfinished::NoLine) => return Answer::Other,
            Err(Unfinished::Cut) if refs.names.is_empty() => return Answer::Cut,
            Err(Unfinished::Cut) => return Answer::Smart(refs),
        };
        rest = after;
        match line {
            Line::Mark if is_announced => is_announced = false,
            Line::Mark => {
                refs.is_whole = true;
                return Answer::Smart(refs);
            }
            Line::Text(text) if text.starts_with(b"# service=") => is_announced = true,
            Line::Text(text) if text.starts_with(b"version 2") => return Answer::Second,
            Line::Text(text) if text.starts_with(b"ERR ") => {
                let said = String::from_utf8_lossy(text.get(4..).unwrap_or_default());
                let said = said.trim().chars().filter(|c| !c.is_control()).take(200);
                return Answer::Refused(said.collect());
            }
            Line::Text(text) => add(&mut refs, text, ' '),
        }
    }
}

enum Unfinished {
    Cut,
    NoLine,
}

/// Takes one line: four hex digits count themselves and what follows.
fn line(bytes: &[u8]) -> Result<(Line<'_>, &[u8]), Unfinished> {
    let Some((digits, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Unfinished::Cut);
    };
    let length =
        std::str::from_utf8(digits).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
    match length.ok_or(Unfinished::NoLine)? {
        0..=3 => Ok((Line::Mark, rest)),
        length => {
            let (text, rest) = rest.split_at_checked(length - 4).ok_or(Unfinished::Cut)?;
            Ok((Line::Text(text), rest))
        }
    }
}

/// Reads the file `info/refs`: an id, a tab and a name a line.
fn dumb(body: &[u8]) -> Answer {
    let mut refs = Refs { is_whole: body.ends_with(b"\n") || body.is_empty(), ..Refs::default() };
    for line in body.split(|byte| *byte == b'\n') {
        add(&mut refs, line, '\t');
    }
    match (body.is_empty(), refs.names.is_empty()) {
        (true, _) => Answer::Empty,
        (false, true) => Answer::Other,
        (false, false) => Answer::Dumb(refs),
    }
}

/// Adds `ID NAME`, with capabilities behind a NUL on the first line, where it is one.
fn add(refs: &mut Refs, line: &[u8], between: char) {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let Some((id, name)) = line.trim_end_matches('\n').split_once(between) else { return };
    if id == "shallow" {
        refs.shallow.insert(name.to_owned());
        return;
    }
    // SHA-1 or SHA-256.
    let is_id = [40, 64].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // An empty repository names its capabilities only (gitprotocol-pack, `capabilities^{}`).
    if !is_id || name == "capabilities^{}" {
        return;
    }
    // Peeled ones stand behind their tags.
    let plain = name.strip_suffix("^{}").unwrap_or(name);
    refs.commits.insert(plain.to_owned(), id.to_owned());
    if plain == name {
        refs.names.push(name.to_owned());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{Answer, read};

    const SMART: &str = "application/x-git-upload-pack-advertisement";

    /// Writes an answer of version 0 with these references.
    pub(in crate::core::doctor) fn written(names: &[&str]) -> Vec<u8> {
        let mut text = pkt("# service=git-upload-pack\n") + "0000";
        let id = "a".repeat(40);
        let none = [format!("{} capabilities^{{}}\0side-band-64k\n", "0".repeat(40))];
        let some = names.iter().enumerate().map(|(index, name)| {
            let capabilities = if index == 0 { "\0side-band-64k agent=git/2.39" } else { "" };
            format!("{id} {name}{capabilities}\n")
        });
        let lines: Vec<String> = if names.is_empty() { none.to_vec() } else { some.collect() };
        text.extend(lines.iter().map(|line| pkt(line)));
        (text + "0000").into_bytes()
    }

    fn pkt(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    #[test]
    fn references_are_read() {
        let body = written(&["HEAD", "refs/heads/main", "refs/tags/v1.0.0", "refs/tags/v1.0.0^{}"]);
        let Answer::Smart(refs) = read(SMART, &body) else { panic!("smart") };
        assert_eq!(refs.names, ["HEAD", "refs/heads/main", "refs/tags/v1.0.0"]);
        assert_eq!(refs.tags().collect::<Vec<_>>(), ["v1.0.0"]);
        assert!(refs.is_whole && refs.has("HEAD"));
        assert_eq!(refs.commits.len(), 3);
    }

    #[test]
    fn a_shallow_copy_says_where_it_ends() {
        let (own, tag) = ("c".repeat(40), "d".repeat(40));
        let text = pkt("# service=git-upload-pack\n")
            + "0000"
            + &pkt(&format!("{tag} refs/tags/v1.0.0\0shallow\n"))
            + &pkt(&format!("{own} refs/tags/v1.0.0^{{}}\n"))
            + &pkt(&format!("shallow {own}"))
            + "0000";
        let Answer::Smart(refs) = read(SMART, text.as_bytes()) else { panic!("smart") };
        assert_eq!(refs.commits["refs/tags/v1.0.0"], own);
        assert!(refs.shallow.contains(&own) && refs.names == ["refs/tags/v1.0.0"]);
    }

    #[test]
    fn an_empty_repository_is_whole_and_has_none() {
        let Answer::Smart(refs) = read(SMART, &written(&[])) else { panic!("smart") };
        assert!(refs.is_whole && refs.names.is_empty());
    }

    #[test]
    fn every_cut_is_noticed() {
        let body = written(&["HEAD", "refs/tags/v1.0.0"]);
        for end in 1..body.len() {
            match read(SMART, &body[..end]) {
                Answer::Cut => {}
                Answer::Smart(refs) => assert!(!refs.is_whole, "{end}"),
                other => panic!("{end}: {other:?}"),
            }
        }
    }

    #[test]
    fn other_answers_are_told_apart() {
        let error = pkt("# service=git-upload-pack\n") + "0000" + &pkt("ERR access denied\n");
        let second = pkt("# service=git-upload-pack\n") + "0000" + &pkt("version 2\n") + "0000";
        let id = "b".repeat(40);
        for (kind, body, expected) in [
            (SMART, String::new(), Answer::Empty),
            (SMART, error, Answer::Refused("access denied".to_owned())),
            (SMART, second, Answer::Second),
            (SMART, "<html>".to_owned(), Answer::Other),
            ("text/html; charset=utf-8", "<html>".to_owned(), Answer::Page),
            ("text/plain", "\n<!DOCTYPE html>".to_owned(), Answer::Page),
            ("text/plain", "hello\n".to_owned(), Answer::Other),
            ("text/plain", String::new(), Answer::Empty),
        ] {
            assert_eq!(read(kind, body.as_bytes()), expected, "{kind} {body}");
        }
        let body = format!("{id}\trefs/heads/main\n{id}\trefs/tags/v1\n");
        let Answer::Dumb(refs) = read("text/plain", body.as_bytes()) else { panic!("dumb") };
        assert!(refs.has("refs/tags/v1") && refs.is_whole);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), is_smart: bool) {
            let _ = read(if is_smart { SMART } else { "" }, &bytes);
        }
    }
}
