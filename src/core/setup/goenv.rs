//! go's environment file: the edits that put `gocred goauth` first, the front into GOPROXY, and add
//! private patterns.
//!
//! It never judges what go makes of the file as a whole; the grammar is `NAME=value` a line, the last
//! line of a name counts (cmd/go/internal/cfg, `readEnvFile`).

use thiserror::Error;

use crate::core::setup::Edit;

/// Why the file is left alone, or a value is not written into it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// go would refuse to start with this value.
    #[error("line {0}: GOAUTH holds an empty command, or `off` beside others; go refuses both")]
    Goauth(usize),
    /// The path of gocred cannot stand in GOAUTH.
    #[error("the path of gocred holds {0}, which GOAUTH cannot express")]
    Path(&'static str),
    /// A pattern that go would never match.
    #[error("`{pattern}` would never match a module: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Returns the GOAUTH element that runs `<program> goauth`, quoted as cmd/internal/quoted splits it:
/// single or double quotes around a word, no escapes; and GOAUTH is cut at `;` before that.
pub fn goauth_command(program: &str) -> Result<String, Error> {
    if program.contains(';') {
        return Err(Error::Path("a `;`"));
    }
    if program.chars().any(char::is_control) {
        return Err(Error::Path("a control character"));
    }
    let word = if !program.contains([' ', '\'', '"']) {
        program.to_owned()
    } else if !program.contains('\'') {
        format!("'{program}'")
    } else if !program.contains('"') {
        format!("\"{program}\"")
    } else {
        return Err(Error::Path("both kinds of quotes"));
    };
    Ok(format!("{word} goauth"))
}

/// Returns whether an element of GOAUTH runs `gocred goauth`, of whatever place.
pub fn runs_gocred(element: &str) -> bool {
    let element = element.trim();
    let Some(program) = element.strip_suffix("goauth") else { return false };
    let program = program.trim_end();
    let name = program.trim_matches(['"', '\'']).rsplit(['/', '\\']).next();
    program.len() + "goauth".len() < element.len()
        && name.is_some_and(|name| matches!(name, "gocred" | "gocred.exe"))
}

/// Returns the edit that puts `command` first in GOAUTH. Other commands stay behind it; `off` alone
/// gives way.
pub fn goauth(text: &[u8], command: &str) -> Result<Option<Edit>, Error> {
    let Some(line) = find(text, "GOAUTH").filter(|line| !line.value.is_empty()) else {
        return Ok(Some(set(text, "GOAUTH", &format!("{command};netrc"))));
    };
    let value = line.value;
    if value.trim() == "off" {
        let (removed, inserted) = (value.to_owned(), command.to_owned());
        return Ok(Some(Edit { at: line.at, removed, inserted }));
    }
    let elements: Vec<&str> = value.split(';').collect();
    if elements.iter().any(|element| element.trim().is_empty() || element.trim() == "off") {
        return Err(Error::Goauth(line.number));
    }
    if elements.first().is_some_and(|first| first.trim() == command) {
        return Ok(None);
    }
    // An older gocred in the first place gives way; one further back is never asked for more.
    let stale = elements.first().copied().filter(|first| runs_gocred(first)).unwrap_or_default();
    let inserted = if stale.is_empty() { format!("{command};") } else { command.to_owned() };
    Ok(Some(Edit { at: line.at, removed: stale.to_owned(), inserted }))
}

/// Returns the value of a variable that is set in the file, and not empty.
pub fn value<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    find(text, name).map(|line| line.value).filter(|value| !value.is_empty())
}

/// Returns the edit that sets GOPROXY. A value that may hold an account stays as a line above, which go
/// passes over: what is remembered for undo must not hold its secret.
pub fn goproxy(text: &[u8], value: &str) -> Option<Edit> {
    let Some(line) = find(text, "GOPROXY").filter(|line| !line.value.is_empty()) else {
        return Some(set(text, "GOPROXY", value));
    };
    if line.value == value {
        return None;
    }
    if may_hold_account(line.value) {
        return Some(Edit::insert(line.at + line.value.len(), format!("\nGOPROXY={value}")));
    }
    Some(Edit { at: line.at, removed: line.value.to_owned(), inserted: value.to_owned() })
}

/// Returns a line of the file as it may be shown.
pub fn shown(line: &str) -> &str {
    let value = line.strip_prefix("GOPROXY=").filter(|value| may_hold_account(value));
    if value.is_some() { "GOPROXY=… (with an account in it, which is not shown)" } else { line }
}

/// Whether a URL of the list may have userinfo (RFC 3986 §3.2.1).
fn may_hold_account(value: &str) -> bool {
    value.contains('@')
}

/// Returns the edit that adds the patterns that GOPRIVATE does not have yet.
pub fn goprivate(text: &[u8], patterns: &[String]) -> Result<Option<Edit>, Error> {
    patterns.iter().try_for_each(|pattern| validate(pattern))?;
    Ok(add(text, "GOPRIVATE", patterns))
}

/// Returns the edit that keeps the checksum database from being asked for the patterns. go takes
/// GOPRIVATE for GONOSUMDB where that is not set: only one that is set hides the patterns from it.
pub fn gonosumdb(text: &[u8], patterns: &[String]) -> Option<Edit> {
    value(text, "GONOSUMDB")?;
    add(text, "GONOSUMDB", patterns)
}

fn add(text: &[u8], name: &str, patterns: &[String]) -> Option<Edit> {
    let line = find(text, name);
    let value = line.as_ref().map_or("", |line| line.value);
    let mut new: Vec<&str> = Vec::new();
    for pattern in patterns {
        if !value.split(',').any(|known| known == pattern) && !new.contains(&pattern.as_str()) {
            new.push(pattern);
        }
    }
    if new.is_empty() {
        return None;
    }
    let new = new.join(",");
    Some(match line {
        Some(line) if line.value.is_empty() => Edit::insert(line.at, new),
        Some(line) => Edit::insert(line.at + line.value.len(), format!(",{new}")),
        None => set(text, name, &new),
    })
}

/// Refuses what GOPRIVATE never matches (x/mod `MatchPrefixPatterns`; go.md §1.7).
fn validate(pattern: &str) -> Result<(), Error> {
    let host = pattern.split('/').next().unwrap_or_default();
    let why = if pattern.is_empty() {
        Some("it is empty")
    } else if pattern.contains("://") {
        Some("a module path has no scheme")
    } else if pattern.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("a module path has no blank")
    } else if pattern.contains([',', ';']) {
        Some("give --private once for each pattern")
    } else if pattern.contains(':') {
        Some("a module path has no port")
    } else if host.is_empty() {
        Some("it starts with a slash")
    } else if host.starts_with('.') {
        Some("write `*.corp.example`, not `.corp.example`")
    } else if host.chars().any(|c| c.is_ascii_uppercase()) {
        Some("the host of a module path is lower case")
    } else if host.parse::<std::net::Ipv4Addr>().is_ok() {
        Some("a module path starts with a name, not with an address")
    } else if pattern.contains('\\') || pattern.matches('[').count() != pattern.matches(']').count()
    {
        Some("it is not a well-formed glob")
    } else {
        None
    };
    why.map_or(Ok(()), |why| Err(Error::Pattern { pattern: pattern.to_owned(), why }))
}

/// The line of a variable.
struct Line<'a> {
    /// From 1.
    number: usize,
    /// The byte where the value starts.
    at: usize,
    value: &'a str,
}

/// Finds the last line of a variable whose value is UTF-8.
fn find<'a>(text: &'a [u8], name: &str) -> Option<Line<'a>> {
    let mut found = None;
    let mut at = 0;
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let value = line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        if let Some(value) = value.and_then(|value| std::str::from_utf8(value).ok()) {
            found = Some(Line { number: index + 1, at: at + name.len() + 1, value });
        }
        at += line.len() + 1;
    }
    found
}

/// Sets a variable that has no value yet.
fn set(text: &[u8], name: &str, value: &str) -> Edit {
    if let Some(line) = find(text, name) {
        return Edit::insert(line.at, value);
    }
    let open = !text.is_empty() && !text.ends_with(b"\n");
    Edit::insert(text.len(), format!("{}{name}={value}\n", if open { "\n" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::{
        Error, goauth, goauth_command, gonosumdb, goprivate, goproxy, runs_gocred, shown, value,
    };
    use crate::core::setup::Reverted;

    const OURS: &str = "/bin/gocred goauth";

    fn with_goauth(text: &str) -> String {
        let edit = goauth(text.as_bytes(), OURS).unwrap().unwrap();
        let after = edit.apply(text.as_bytes()).unwrap();
        assert_eq!(goauth(&after, OURS), Ok(None), "not idempotent: {text:?}");
        assert_eq!(edit.revert(&after), Reverted::Exactly(text.into()));
        String::from_utf8(after).unwrap()
    }

    #[test]
    fn ours_comes_first_in_goauth() {
        for (before, after) in [
            ("", "GOAUTH=/bin/gocred goauth;netrc\n"),
            ("GOFLAGS=-x", "GOFLAGS=-x\nGOAUTH=/bin/gocred goauth;netrc\n"),
            ("GOAUTH=\nA=b\n", "GOAUTH=/bin/gocred goauth;netrc\nA=b\n"),
            ("GOAUTH=netrc\n", "GOAUTH=/bin/gocred goauth;netrc\n"),
            ("GOAUTH=git /h;netrc", "GOAUTH=/bin/gocred goauth;git /h;netrc"),
            ("GOAUTH=off\n", "GOAUTH=/bin/gocred goauth\n"),
            ("GOAUTH=x\nGOAUTH=netrc\n", "GOAUTH=x\nGOAUTH=/bin/gocred goauth;netrc\n"),
            ("GOAUTH=/old/gocred goauth;netrc\n", "GOAUTH=/bin/gocred goauth;netrc\n"),
            ("GOAUTH='/o d/gocred' goauth\n", "GOAUTH=/bin/gocred goauth\n"),
        ] {
            assert_eq!(with_goauth(before), after, "{before:?}");
        }
    }

    #[test]
    fn a_goauth_that_go_refuses_is_reported_with_its_line() {
        for text in ["A=b\nGOAUTH=netrc;\n", "A=b\nGOAUTH=off;netrc\n", "A=b\nGOAUTH=;\n"] {
            assert_eq!(goauth(text.as_bytes(), OURS), Err(Error::Goauth(2)), "{text:?}");
        }
    }

    #[test]
    fn the_program_is_quoted_as_go_splits_it() {
        assert_eq!(goauth_command("/bin/gocred").unwrap(), OURS);
        assert_eq!(goauth_command("/a b/gocred").unwrap(), "'/a b/gocred' goauth");
        assert_eq!(goauth_command("/a'b/gocred").unwrap(), "\"/a'b/gocred\" goauth");
        for path in ["/a;b/gocred", "/a'\"b/gocred", "/a\nb/gocred"] {
            assert!(goauth_command(path).is_err(), "{path}");
        }
    }

    #[test]
    fn gocred_is_known_by_its_name() {
        for ours in
            ["gocred goauth", "/x/gocred goauth", " '/x y/gocred'  goauth", "\"gocred\" goauth"]
        {
            assert!(runs_gocred(ours), "{ours}");
        }
        for other in ["netrc", "gocredgoauth", "command gocred", "goauth", "/x/notgocred goauth"] {
            assert!(!runs_gocred(other), "{other}");
        }
    }

    #[test]
    fn patterns_are_added_once() {
        let add = |text: &str, patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
            let edit = goprivate(text.as_bytes(), &patterns).unwrap();
            edit.map(|edit| String::from_utf8(edit.apply(text.as_bytes()).unwrap()).unwrap())
        };
        assert_eq!(add("", &["a.b", "*.c.d/x", "a.b"]).unwrap(), "GOPRIVATE=a.b,*.c.d/x\n");
        assert_eq!(
            add("GOPRIVATE=a.b\nX=y\n", &["c.d", "a.b"]).unwrap(),
            "GOPRIVATE=a.b,c.d\nX=y\n"
        );
        assert_eq!(add("GOPRIVATE=", &["c.d"]).unwrap(), "GOPRIVATE=c.d");
        assert_eq!(add("GOPRIVATE=a.b\n", &["a.b"]), None);
    }

    #[test]
    fn goproxy_is_set_in_place_and_an_account_stays_out_of_the_edit() {
        const FRONT: &str = "http://127.0.0.1:7408,direct";
        for (before, after) in [
            ("", "GOPROXY=F\n"),
            ("A=b", "A=b\nGOPROXY=F\n"),
            ("GOPROXY=\nA=b\n", "GOPROXY=F\nA=b\n"),
            ("GOPROXY=https://a.test,direct\nA=b", "GOPROXY=F\nA=b"),
            ("GOPROXY=x\nGOPROXY=\"y\"\n", "GOPROXY=x\nGOPROXY=F\n"),
            ("GOPROXY=https://u:S3cret@h\nA=b\n", "GOPROXY=https://u:S3cret@h\nGOPROXY=F\nA=b\n"),
            ("GOPROXY=https://u:S3cret@h", "GOPROXY=https://u:S3cret@h\nGOPROXY=F"),
        ] {
            let edit = goproxy(before.as_bytes(), FRONT).unwrap();
            assert!(!format!("{edit:?}").contains("S3cret"));
            let bytes = edit.apply(before.as_bytes()).unwrap();
            assert_eq!(goproxy(&bytes, FRONT), None, "not idempotent: {before:?}");
            assert_eq!(value(&bytes, "GOPROXY"), Some(FRONT));
            assert_eq!(edit.revert(&bytes), Reverted::Exactly(before.into()));
            assert_eq!(String::from_utf8(bytes).unwrap().replace(FRONT, "F"), after);
        }
    }

    #[test]
    fn an_account_is_never_shown() {
        assert_eq!(shown("GOPROXY=https://a.test,direct"), "GOPROXY=https://a.test,direct");
        assert!(!shown("GOPROXY=https://ana:S3cret@h").contains("S3cret"));
        assert!(!shown("GOPROXY=https://ana@h").contains("ana"));
    }

    #[test]
    fn only_a_gonosumdb_that_is_set_needs_the_patterns() {
        let patterns = ["a.b".to_owned()];
        for text in ["", "GONOSUMDB=\n", "GONOSUMDB=x,a.b\n", "GOPRIVATE=x\n"] {
            assert_eq!(gonosumdb(text.as_bytes(), &patterns), None, "{text:?}");
        }
        let edit = gonosumdb(b"GONOSUMDB=none\n", &patterns).unwrap();
        assert_eq!(edit.apply(b"GONOSUMDB=none\n").unwrap(), b"GONOSUMDB=none,a.b\n");
    }

    #[test]
    fn a_pattern_that_never_matches_is_refused() {
        for pattern in [
            "",
            "https://h.x",
            "h.x y",
            "h.x,i.x",
            "h.x;i.x",
            "h.x:8443",
            ".h.x",
            "H.x",
            "/x",
            "192.168.0.0/16",
            "h.x/[a",
            "h.x/a\\",
        ] {
            assert!(goprivate(b"", &[pattern.to_owned()]).is_err(), "{pattern:?}");
        }
    }
}
