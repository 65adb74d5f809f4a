//! What `doctor --fix` changes in a file, as edits. A line that goes is made a comment: nothing of the user's
//! is lost, no copy of it is kept elsewhere, and `--undo` has only our own text to take back.

use thiserror::Error;

use crate::core::{
    doctor::finding::Change,
    setup::{
        Edit,
        gitconfig::{self, Entry},
    },
};

/// What stands before a line that was switched off.
const MARK: &str = "# gocred doctor: ";

/// Why a file is left alone.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// What was to be changed is not there any more.
    #[error("what was to be changed is not there")]
    Gone,
    /// The file is not in its grammar.
    #[error("{0}")]
    Grammar(#[from] gitconfig::Error),
    /// It has a header and a value on one line, or several lines in one value.
    #[error("it is written in a way that cannot be edited safely")]
    Unsafe,
}

/// Returns the edits that a change makes in its file, in order; a missing file is an empty one. A change that
/// edits no text makes none.
pub fn edits(change: &Change, text: &[u8]) -> Result<Vec<Edit>, Error> {
    match change {
        Change::GoEnv { name, value } => Ok(go_env(text, name, value.as_deref())),
        Change::GitConfig { file: _, key, value } => git_config(text, key, value.as_deref()),
        Change::Line { file: _, line, text: new } => one_line(text, *line, new.as_deref()),
        Change::Folder { .. } | Change::Mode { .. } | Change::Run { .. } => Ok(Vec::new()),
    }
}

/// Go passes over a line that does not begin with a name of its own (cmd/go `cfg.readEnvFile`).
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

fn git_config(text: &[u8], key: &str, value: Option<&str>) -> Result<Vec<Edit>, Error> {
    let (section, name) = key.rsplit_once('.').ok_or(Error::Gone)?;
    let mut edits: Vec<Edit> = Vec::new();
    for entry in gitconfig::parse(text)? {
        let Entry { section: own, key, .. } = &entry;
        if own != section || key != name {
            continue;
        }
        let lines = entry.lines().ok_or(Error::Unsafe)?;
        let part = text.get(lines.clone()).unwrap_or_default();
        for at in starts(part) {
            edits.push(Edit::insert(lines.start + at + shift(&edits), MARK));
        }
    }
    if let Some(value) = value {
        let (head, sub) = section.split_once('.').unwrap_or((section, ""));
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let sub = if sub.is_empty() { String::new() } else { format!(" \"{}\"", quoted(sub)) };
        let line = format!("[{head}{sub}]\n\t{name} = \"{}\"\n", quoted(value));
        edits.push(appended(text, &edits, &line));
    }
    if edits.is_empty() { Err(Error::Gone) } else { Ok(edits) }
}

fn one_line(text: &[u8], line: usize, new: Option<&str>) -> Result<Vec<Edit>, Error> {
    let at = starts(text).nth(line.checked_sub(1).ok_or(Error::Gone)?).ok_or(Error::Gone)?;
    let new = new.map(|new| format!("{new}\n")).unwrap_or_default();
    Ok(vec![Edit::insert(at, new + MARK)])
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
    use crate::core::setup::{Reverted, apply};

    fn changed(change: &Change, text: &str) -> String {
        let edits = edits(change, text.as_bytes()).unwrap();
        let after = apply(text.as_bytes(), &edits).unwrap();
        let mut back = after.clone();
        for edit in edits.iter().rev() {
            let Reverted::Exactly(before) = edit.revert(&back) else { panic!("{edit:?}") };
            back = before;
        }
        assert_eq!(back, text.as_bytes(), "taken back");
        String::from_utf8(after).unwrap()
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
    }

    #[test]
    fn a_value_of_git_is_switched_off_wherever_it_stands() {
        let change = Change::GitConfig { file: "f".into(), key: "http.proxy".into(), value: None };
        assert_eq!(
            changed(&change, "[http]\n\tproxy = a\n\tsslVerify = true\n[http]\n\tproxy = b\n"),
            "[http]\n# gocred doctor: \tproxy = a\n\tsslVerify = true\n[http]\n# gocred doctor: \tproxy = b\n"
        );
        assert_eq!(edits(&change, b"[http]\n\tsslVerify = true\n"), Err(Error::Gone));
        assert_eq!(edits(&change, b"[http] proxy = a\n"), Err(Error::Unsafe));
    }

    #[test]
    fn a_value_of_git_is_set_with_its_subsection() {
        let key = "http.https://h/.sslcainfo".to_owned();
        let change = Change::GitConfig { file: "f".into(), key, value: Some("/a \"b\"".into()) };
        assert_eq!(changed(&change, ""), "[http \"https://h/\"]\n\tsslcainfo = \"/a \\\"b\\\"\"\n");
    }

    #[test]
    fn a_line_gives_way_to_another() {
        let change = Change::Line { file: "f".into(), line: 2, text: Some("export A=2".into()) };
        assert_eq!(
            changed(&change, "x\nexport A=1\ny\n"),
            "x\nexport A=2\n# gocred doctor: export A=1\ny\n"
        );
        assert_eq!(edits(&change, b"x\n"), Err(Error::Gone));
    }
}
