//! One change of a text as edits that insert, and remove nothing but what [`Change::Part`] names.

use super::{Error, MARK, order};
use crate::core::{
    doctor::finding::Change,
    setup::{
        Edit, apply,
        gitconfig::{self, Entry},
    },
};

/// Returns the edits that a change makes, to be made one after the other.
pub(super) fn edits(change: &Change, text: &[u8]) -> Result<Vec<Edit>, Error> {
    match change {
        Change::GoEnv { name, value } => Ok(go_env(text, name, value.as_deref())),
        Change::GitConfig { file: _, key, line, value } => {
            git_config(text, key, *line, value.as_deref())
        }
        Change::GitAdd { file: _, key, value } => {
            // What git cannot read is not made longer.
            gitconfig::parse(text)?;
            let (section, name) = key.rsplit_once('.').ok_or(Error::Gone)?;
            let line = format!("\t{name} = \"{}\"{}", quoted(value), line_end(text));
            Ok(vec![appended(text, &[], &(header(section, text) + &line))])
        }
        Change::FirstHelper { file: _, helper } => {
            Ok(gitconfig::wire(text, gitconfig::Wanted { helper, inherited: &[] })?)
        }
        Change::Unreadable { file: _ } => unreadable(text),
        Change::Foreign { file: _ } => foreign(text),
        Change::Before { file: _, line, other } => {
            let edits = order::line_end(text);
            order::swap(&apply(text, &edits).ok_or(Error::Unsafe)?, *line, *other)?;
            Ok(edits)
        }
        Change::Line { file: _, line, text: new } => one_line(text, *line, new.as_deref()),
        Change::Part { file: _, line, nth, from, to } => one_part(text, *line, *nth, from, to),
        Change::Aside { .. } | Change::Folder { .. } | Change::Mode { .. } | Change::Run { .. } => {
            Ok(Vec::new())
        }
    }
}

/// Go passes over a line that does not begin with a name of its own, and takes a carriage return for a part of
/// the value (cmd/go `cfg.readEnvFile`): its lines end with a line feed alone, whatever the others of the file.
fn go_env(text: &[u8], name: &str, value: Option<&str>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let is_of =
        |line: &[u8]| line.strip_prefix(name.as_bytes()).is_some_and(|it| it.starts_with(b"="));
    for at in starts(text).filter(|at| text.get(*at..).is_some_and(is_of)) {
        edits.push(Edit::insert(at + shift(&edits), MARK));
    }
    edits.extend(value.map(|value| appended(text, &edits, &format!("{name}={value}\n"))));
    edits
}

fn git_config(
    text: &[u8],
    key: &str,
    line: Option<usize>,
    value: Option<&str>,
) -> Result<Vec<Edit>, Error> {
    let (section, name) = key.rsplit_once('.').ok_or(Error::Gone)?;
    let (own_section, own_name) = (lower_head(section), name.to_ascii_lowercase());
    let entries = gitconfig::parse(text)?;
    let is_it = |entry: &&Entry| {
        let start = entry.lines().map_or_else(|| entry.header(), |lines| lines.start);
        entry.section == own_section
            && entry.key == own_name
            && line.is_none_or(|line| line == number(text, start))
    };
    let found: Vec<&Entry> = entries.iter().filter(is_it).collect();
    let (last, end) = (found.last().copied(), line_end(text));
    let mut edits: Vec<Edit> = Vec::new();
    let new = |value: &str| format!("\t{name} = \"{}\"{end}", quoted(value));
    let mut is_set = false;
    for entry in &found {
        let Some(lines) = entry.lines() else {
            // `[http] proxy = x`: the header keeps its line, the value gets one of its own.
            let at = header_end(text, entry.header()).ok_or(Error::Unsafe)?;
            let set = value.filter(|_| last == Some(*entry)).map(new).unwrap_or_default();
            is_set = is_set || !set.is_empty();
            edits.push(Edit::insert(at + shift(&edits), format!("{end}{set}{MARK}")));
            continue;
        };
        if last == Some(*entry)
            && let Some(value) = value
        {
            edits.push(Edit::insert(lines.start + shift(&edits), new(value)));
            is_set = true;
        }
        let part = text.get(lines.clone()).unwrap_or_default();
        for at in starts(part) {
            edits.push(Edit::insert(lines.start + at + shift(&edits), MARK));
        }
    }
    if line.is_some() && found.is_empty() {
        return Err(Error::Gone);
    }
    if let Some(value) = value.filter(|_| !is_set) {
        edits.push(appended(text, &edits, &(header(section, text) + &new(value))));
    }
    if edits.is_empty() { Err(Error::Gone) } else { Ok(edits) }
}

/// Returns the header of a new section.
fn header(section: &str, text: &[u8]) -> String {
    let (head, sub) = section.split_once('.').unwrap_or((section, ""));
    let sub = if sub.is_empty() { String::new() } else { format!(" \"{}\"", quoted(sub)) };
    format!("[{head}{sub}]{}", line_end(text))
}

/// Returns the edits that take out what only editors of another system write. The last one comes first, so that
/// none moves what another one names.
fn foreign(text: &[u8]) -> Result<Vec<Edit>, Error> {
    /// A file with more lines is none that somebody wrote.
    const MOST: usize = 10_000;
    const MARK: &str = "\u{feff}";
    let is_end = |at: usize| matches!(text.get(at + 1), None | Some(b'\n'));
    let returns = text.iter().enumerate().filter(|(at, byte)| **byte == b'\r' && is_end(*at));
    let takes =
        |at: usize, removed: &str| Edit { at, removed: removed.into(), inserted: String::new() };
    let mut edits: Vec<Edit> = returns.map(|(at, _)| takes(at, "\r")).take(MOST + 1).collect();
    edits.reverse();
    if text.starts_with(MARK.as_bytes()) {
        edits.push(takes(0, MARK));
    }
    match edits.len() {
        0 => Err(Error::Gone),
        1..=MOST => Ok(edits),
        _ => Err(Error::Unsafe),
    }
}

/// Returns the edits that leave nothing which git cannot read.
fn unreadable(text: &[u8]) -> Result<Vec<Edit>, Error> {
    /// A file with more of them is no configuration.
    const MOST: usize = 64;
    let (mut text, mut edits) = (text.to_vec(), Vec::new());
    for _ in 0..MOST {
        let Err(gitconfig::Error::Grammar(line)) = gitconfig::parse(&text) else { break };
        let made = match closed(&text, line) {
            Some(edits) => edits,
            None => one_line(&text, line, None)?,
        };
        text = apply(&text, &made).ok_or(Error::Unsafe)?;
        edits.extend(made);
    }
    gitconfig::parse(&text)?;
    if edits.is_empty() { Err(Error::Gone) } else { Ok(edits) }
}

/// Closes a header that lacks no more than that.
fn closed(text: &[u8], line: usize) -> Option<Vec<Edit>> {
    let (_, own) = nth_line(text, line).ok()?;
    let new = format!("{}]", std::str::from_utf8(own).ok()?.trim_end());
    if !new.trim_start().starts_with('[') || new.matches(']').count() > 1 {
        return None;
    }
    let edits = one_line(text, line, Some(&new)).ok()?;
    let is_read = match gitconfig::parse(&apply(text, &edits)?) {
        // The old line is the next one now.
        Err(gitconfig::Error::Grammar(next)) => next > line + 1,
        Err(gitconfig::Error::Unsafe) => false,
        Ok(_) => true,
    };
    is_read.then_some(edits)
}

/// A section's own name counts in any case, its subsection as written.
fn lower_head(section: &str) -> String {
    match section.split_once('.') {
        Some((head, sub)) => format!("{}.{sub}", head.to_ascii_lowercase()),
        None => section.to_ascii_lowercase(),
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Returns the byte behind the `]` of a header.
fn header_end(text: &[u8], header: usize) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, byte) in text.iter().enumerate().skip(header) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b']' if !is_quoted => return Some(index + 1),
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

fn one_line(text: &[u8], line: usize, new: Option<&str>) -> Result<Vec<Edit>, Error> {
    let (at, old) = nth_line(text, line)?;
    let end = if old.ends_with(b"\r\n") { "\r\n" } else { "\n" };
    let new = new.map(|new| format!("{}{end}", new.trim_end_matches('\r'))).unwrap_or_default();
    Ok(vec![Edit::insert(at, new + MARK)])
}

fn one_part(
    text: &[u8],
    line: usize,
    nth: usize,
    from: &str,
    to: &str,
) -> Result<Vec<Edit>, Error> {
    let (start, line) = nth_line(text, line)?;
    let is_it = |(_, part): &(usize, &[u8])| *part == from.as_bytes();
    let mut found = line.windows(from.len().max(1)).enumerate().filter(is_it);
    let (at, _) = found.nth(nth).ok_or(Error::Gone)?;
    Ok(vec![Edit { at: start + at, removed: from.to_owned(), inserted: to.to_owned() }])
}

/// Returns where a line begins, counted from 1, and its bytes with its end.
fn nth_line(text: &[u8], line: usize) -> Result<(usize, &[u8]), Error> {
    let at = starts(text).nth(line.checked_sub(1).ok_or(Error::Gone)?).ok_or(Error::Gone)?;
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    Ok((at, rest.get(..length).unwrap_or_default()))
}

/// Returns the number of the line that a byte is in, from 1.
fn number(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The end of the lines of a file: that of its first one.
fn line_end(text: &[u8]) -> &'static str {
    let first = text.iter().position(|byte| *byte == b'\n');
    let is_dos = first.is_some_and(|at| at > 0 && text.get(at - 1) == Some(&b'\r'));
    if is_dos { "\r\n" } else { "\n" }
}

/// The bytes at which lines begin; a file that ends with a newline has no line behind it.
fn starts(text: &[u8]) -> impl Iterator<Item = usize> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).filter(|at| *at < text.len())
}

/// By how much earlier edits move what stands behind them: all of ours insert.
fn shift(edits: &[Edit]) -> usize {
    edits.iter().map(|edit| edit.inserted.len()).sum()
}

fn appended(text: &[u8], edits: &[Edit], line: &str) -> Edit {
    let gap = if text.is_empty() || text.ends_with(b"\n") { "" } else { "\n" };
    Edit::insert(text.len() + shift(edits), format!("{gap}{line}"))
}

#[cfg(test)]
mod tests {
    use super::{Change, Error, edits};
    use crate::core::{doctor::mend::tests::taken_back, setup::apply};

    fn changed(change: &Change, text: &str) -> String {
        let edits = edits(change, text.as_bytes()).unwrap();
        let after = apply(text.as_bytes(), &edits).unwrap();
        assert_eq!(taken_back(&edits, &after), text.as_bytes());
        String::from_utf8(after).unwrap()
    }

    fn git(key: &str, line: Option<usize>, value: Option<&str>) -> Change {
        let value = value.map(str::to_owned);
        Change::GitConfig { file: "f".into(), key: key.to_owned(), line, value }
    }

    #[test]
    fn a_go_setting_is_replaced_and_what_was_there_becomes_a_comment() {
        let set = |value: Option<&str>| Change::GoEnv {
            name: "GOPROXY".into(),
            value: value.map(str::to_owned),
        };
        assert_eq!(
            changed(&set(Some("https://h,direct")), "A=1\nGOPROXY=ftp://x\nGOPROXY=y"),
            "A=1\n# gocred doctor: GOPROXY=ftp://x\n# gocred doctor: GOPROXY=y\nGOPROXY=https://h,direct\n"
        );
        assert_eq!(
            changed(&set(None), "GOPROXY=off\nGOPROXYX=1\n"),
            "# gocred doctor: GOPROXY=off\nGOPROXYX=1\n"
        );
        assert_eq!(changed(&set(Some("x")), ""), "GOPROXY=x\n");
        // go would take the carriage return for a part of the value.
        assert_eq!(
            changed(&set(Some("x")), "GOPROXY=off\r\n"),
            "# gocred doctor: GOPROXY=off\r\nGOPROXY=x\n"
        );
    }

    #[test]
    fn a_value_of_git_is_switched_off_wherever_it_stands() {
        let change = git("http.proxy", None, None);
        assert_eq!(
            changed(&change, "[http]\n\tproxy = a\n\tsslVerify = true\n[http]\n\tproxy = b\n"),
            "[http]\n# gocred doctor: \tproxy = a\n\tsslVerify = true\n[http]\n# gocred doctor: \tproxy = b\n"
        );
        assert_eq!(edits(&change, b"[http]\n\tsslVerify = true\n"), Err(Error::Gone));
        assert_eq!(
            changed(&change, "[HTTP \"x]\\\"\"] proxy = z\n[http] proxy = a"),
            "[HTTP \"x]\\\"\"] proxy = z\n[http]\n# gocred doctor:  proxy = a"
        );
    }

    #[test]
    fn of_several_values_of_git_the_one_that_is_meant_goes() {
        let text = "[credential]\r\n\thelper = gone\r\n\thelper = good\r\n";
        assert_eq!(
            changed(&git("credential.helper", Some(2), None), text),
            "[credential]\r\n# gocred doctor: \thelper = gone\r\n\thelper = good\r\n"
        );
        assert_eq!(
            changed(&git("credential.helper", Some(3), Some("new")), text),
            "[credential]\r\n\thelper = gone\r\n\thelper = \"new\"\r\n# gocred doctor: \thelper = good\r\n"
        );
        let elsewhere = git("credential.helper", Some(1), None);
        assert_eq!(edits(&elsewhere, text.as_bytes()), Err(Error::Gone));
    }

    #[test]
    fn a_value_of_git_is_set_with_its_subsection() {
        let change = git("http.https://h/.sslcainfo", None, Some("/a \"b\""));
        assert_eq!(changed(&change, ""), "[http \"https://h/\"]\n\tsslcainfo = \"/a \\\"b\\\"\"\n");
        let (key, value) = ("url.https://h/.insteadOf".to_owned(), "ssh://git@h/".to_owned());
        let change = Change::GitAdd { file: "f".into(), key, value };
        assert_eq!(
            changed(&change, "[url \"https://h/\"]\r\n\tinsteadOf = git@h:"),
            "[url \"https://h/\"]\r\n\tinsteadOf = git@h:\n[url \"https://h/\"]\r\n\tinsteadOf = \"ssh://git@h/\"\r\n"
        );
        assert!(edits(&change, b"[url").is_err());
    }

    #[test]
    fn what_git_cannot_read_is_closed_or_switched_off() {
        let change = Change::Unreadable { file: "f".into() };
        assert_eq!(
            changed(&change, "[user\n\tname = A\n[http]\n\tx = \"y\n\tz = 1\nnot a line!\n"),
            "[user]\n# gocred doctor: [user\n\tname = A\n[http]\n# gocred doctor: \tx = \"y\n\tz = 1\n\
             # gocred doctor: not a line!\n"
        );
        assert_eq!(
            changed(&change, "name = A\n[user x\ny = 1"),
            "# gocred doctor: name = A\n# gocred doctor: [user x\n# gocred doctor: y = 1"
        );
        assert_eq!(edits(&change, b"[user]\n"), Err(Error::Gone));
    }

    #[test]
    fn gocreds_helper_is_put_first() {
        let ours = "/usr/bin/git-credential-gocred";
        let change = Change::FirstHelper { file: "f".into(), helper: ours.to_owned() };
        let text = format!("[credential]\n\thelper = store\n\thelper = {ours}\n");
        let after = changed(&change, &text);
        let at = |what: &str| after.find(what).unwrap();
        assert!(at(ours) < at("store"), "{after}");
    }

    #[test]
    fn a_line_gives_way_to_another() {
        let change = Change::Line { file: "f".into(), line: 2, text: Some("export A=2".into()) };
        assert_eq!(
            changed(&change, "x\nexport A=1\ny\n"),
            "x\nexport A=2\n# gocred doctor: export A=1\ny\n"
        );
        assert_eq!(
            changed(&change, "x\r\nexport A=1"),
            "x\r\nexport A=2\n# gocred doctor: export A=1"
        );
        assert_eq!(edits(&change, b"x\n"), Err(Error::Gone));
    }

    #[test]
    fn a_part_of_a_line_gives_way_and_what_is_not_utf_8_stays() {
        let change = Change::Part {
            file: "f".into(),
            line: 2,
            nth: 1,
            from: "\"".into(),
            to: String::new(),
        };
        let text = b"\xff\npassword \"p\xfe\"\n";
        let edits = edits(&change, text).unwrap();
        assert_eq!(apply(text, &edits).unwrap(), b"\xff\npassword \"p\xfe\n");
        assert_eq!(super::edits(&change, b"\npassword \"p\n"), Err(Error::Gone));
    }
}
