//! git's configuration files: where each value stands, and the edits that put our helper first.
//!
//! It follows no `include` and knows no file but the one it is given; what git makes of all of its
//! files together is asked of git itself ([`parse_list`]).

mod parse;

use thiserror::Error;

pub use self::parse::parse;
use crate::core::setup::Edit;

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Section, lower case, with `.subsection` as it is written.
    pub section: String,
    /// Key, lower case.
    pub key: String,
    /// Value, unquoted; `None` is a key without `=`.
    pub value: Option<Vec<u8>>,
    /// The first byte of its section's header.
    header: usize,
    /// The bytes of its lines, with the newline; `None` where the header stands on the same line.
    line: Option<(usize, usize)>,
    /// The byte after its last line.
    end: usize,
}

impl Entry {
    /// Returns where its section's header begins.
    pub(in crate::core) fn header(&self) -> usize {
        self.header
    }

    /// Returns the bytes of its lines; `None` where the header stands on the first of them.
    pub(in crate::core) fn lines(&self) -> Option<std::ops::Range<usize>> {
        self.line.map(|(start, end)| start..end)
    }

    /// Returns the byte after its last line.
    pub(in crate::core) fn end(&self) -> usize {
        self.end
    }
}

/// Why a file is left alone.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// git would refuse the file, too.
    #[error("line {0} is not in the grammar of git's configuration")]
    Grammar(usize),
    /// An edit would not come out as intended.
    #[error("the file is written in a way that cannot be edited safely")]
    Unsafe,
}

/// What is to be the first helper, and what git asks before this file is read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The value of `credential.helper`.
    pub helper: &'a str,
    /// The helpers of the files that git reads before this one, in order.
    pub inherited: &'a [String],
}

/// Returns the edits that make git ask our helper first and every other one after it.
pub fn wire(text: &[u8], wanted: Wanted<'_>) -> Result<Vec<Edit>, Error> {
    let mut edits = Vec::new();
    let mut text = text.to_vec();
    let before = parse(&text)?;
    let active = active(&before);
    if active.first().is_some_and(|first| is_value(first, wanted.helper))
        && (wanted.inherited.is_empty() || has_reset(&before))
    {
        return Ok(edits);
    }
    // An older line of ours goes, wherever it stands.
    while let Some(entry) =
        parse(&text)?.into_iter().find(|entry| is_helper(entry) && is_ours(entry))
    {
        let (from, to) = entry.line.ok_or(Error::Unsafe)?;
        let removed = text.get(from..to).ok_or(Error::Unsafe)?;
        let removed = std::str::from_utf8(removed).map_err(|_| Error::Unsafe)?.to_owned();
        let edit = Edit { at: from, removed, inserted: String::new() };
        text = edit.apply(&text).ok_or(Error::Unsafe)?;
        edits.push(edit);
    }
    let entries = parse(&text)?;
    let edit = insertion(&text, &entries, wanted);
    let after = edit.apply(&text).ok_or(Error::Unsafe)?;
    let added = if has_reset(&entries) || wanted.inherited.is_empty() {
        1
    } else {
        2 + wanted.inherited.len()
    };
    check(&entries, &parse(&after)?, added, wanted.helper)?;
    edits.push(edit);
    Ok(edits)
}

/// Returns the edit that sets `http.proxy`, or nothing where it is set to that already.
pub fn proxy(text: &[u8], url: &str) -> Result<Option<Edit>, Error> {
    let entries = parse(text)?;
    let current = entries.iter().rfind(|entry| entry.section == "http" && entry.key == "proxy");
    if current.is_some_and(|entry| is_value(entry, url)) {
        return Ok(None);
    }
    let edit = append(text, &format!("[http]\n\tproxy = {}\n", quote(url)));
    let after = parse(&edit.apply(text).ok_or(Error::Unsafe)?)?;
    let kept = after.len() == entries.len() + 1 && after.iter().zip(&entries).all(same);
    if kept && after.last().is_some_and(|entry| is_value(entry, url)) {
        Ok(Some(edit))
    } else {
        Err(Error::Unsafe)
    }
}

/// Returns the edit that makes git tell the paths of an origin, such as `https://git.corp.example`, or
/// nothing where this file says so already. git tells none unless it is told to (gitcredentials(7)).
pub fn paths(text: &[u8], origin: &str) -> Result<Option<Edit>, Error> {
    let entries = parse(text)?;
    let section = format!("credential.{origin}");
    let of =
        |section: &str| entries.iter().rfind(|it| it.section == section && it.key == "usehttppath");
    if of(&section).or_else(|| of("credential")).is_some_and(is_true) {
        return Ok(None);
    }
    let edit = append(text, &format!("[credential \"{origin}\"]\n\tuseHttpPath = true\n"));
    let after = parse(&edit.apply(text).ok_or(Error::Unsafe)?)?;
    let kept = after.len() == entries.len() + 1 && after.iter().zip(&entries).all(same);
    let is_it = |entry: &Entry| entry.section == section && is_true(entry);
    if kept && after.last().is_some_and(is_it) { Ok(Some(edit)) } else { Err(Error::Unsafe) }
}

/// Returns whether a value is true (git's `git_parse_maybe_bool_text`; a key without value is).
fn is_true(entry: &Entry) -> bool {
    let Some(value) = &entry.value else { return true };
    let value = value.to_ascii_lowercase();
    matches!(value.as_slice(), b"true" | b"yes" | b"on" | b"1")
}

/// Returns the command as a value of `credential.helper`: git hands it to a shell, and takes it for
/// a path only where it starts with a slash, so that every character is escaped on its own.
pub fn helper_value(path: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c) || !c.is_ascii();
    if path.chars().any(char::is_control) {
        return None;
    }
    let mut value = String::new();
    for c in path.chars() {
        if !plain(c) {
            value.push('\\');
        }
        value.push(c);
    }
    Some(value)
}

/// Returns whether a value of `credential.helper` runs gocred, of whatever place and version.
pub fn runs_gocred(value: &str) -> bool {
    let program = value.trim_start_matches('!').trim_matches(['"', '\'']);
    program == "gocred"
        || program.rsplit(['/', '\\']).next().is_some_and(|name| {
            matches!(name, "git-credential-gocred" | "git-credential-gocred.exe")
        })
}

/// A value as `git config --list --show-origin -z` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands, such as `file:/home/ana/.gitconfig`.
    pub origin: String,
    /// The whole key, such as `credential.helper`.
    pub key: String,
    /// The value; empty where there is none.
    pub value: String,
}

/// Returns the helper, if there is one, that writes every secret that git uses into a file in clear:
/// git tells what one helper answered to all of them (gitcredentials(7)).
pub fn clear_text_helper(listed: &[Listed]) -> Option<&Listed> {
    let mut found = None;
    for setting in listed {
        if setting.key == "credential.helper" && setting.value.is_empty() {
            found = None;
        }
        let is_helper = setting.key.starts_with("credential.") && setting.key.ends_with("helper");
        let program = setting.value.split_whitespace().next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        if is_helper && matches!(name, "store" | "git-credential-store") {
            found = Some(setting);
        }
    }
    found
}

/// Returns the command that takes such a helper out of its file.
pub fn removal(helper: &Listed) -> String {
    let Listed { origin, key, value: _ } = helper;
    let file = origin.strip_prefix("file:").unwrap_or(origin);
    format!("git config --file '{file}' --unset-all '{key}' '(^|/|-)store( |$)'")
}

/// Parses the output of `git config --list --show-origin -z`.
pub fn parse_list(bytes: &[u8]) -> Vec<Listed> {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = text.split('\0');
    let mut listed = Vec::new();
    while let (Some(origin), Some(setting)) = (fields.next(), fields.next()) {
        let (key, value) = setting.split_once('\n').unwrap_or((setting, ""));
        listed.push(Listed { origin: origin.into(), key: key.into(), value: value.into() });
    }
    listed
}

/// Returns the helpers for every host that are left after the last reset of the file.
fn active(entries: &[Entry]) -> Vec<&Entry> {
    let helpers = entries.iter().filter(|entry| is_helper(entry));
    let mut active = Vec::new();
    for entry in helpers {
        if is_value(entry, "") {
            active.clear();
        } else {
            active.push(entry);
        }
    }
    active
}

fn has_reset(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| is_helper(entry) && is_value(entry, ""))
}

fn is_helper(entry: &Entry) -> bool {
    entry.section == "credential" && entry.key == "helper"
}

fn is_value(entry: &Entry, value: &str) -> bool {
    entry.value.as_deref() == Some(value.as_bytes())
}

fn is_ours(entry: &Entry) -> bool {
    let value = entry.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
    value.is_some_and(runs_gocred)
}

fn insertion(text: &[u8], entries: &[Entry], wanted: Wanted<'_>) -> Edit {
    let mut lines = format!("\thelper = {}\n", quote(wanted.helper));
    let last_reset = entries.iter().rfind(|entry| is_helper(entry) && is_value(entry, ""));
    if let Some(reset) = last_reset {
        let open = text.get(..reset.end).is_some_and(|before| !before.ends_with(b"\n"));
        return Edit::insert(reset.end, if open { format!("\n{lines}") } else { lines });
    }
    if !wanted.inherited.is_empty() {
        let kept = wanted.inherited.iter().map(|helper| format!("\thelper = {}\n", quote(helper)));
        lines = format!("\thelper = \n{lines}{}", kept.collect::<String>());
    }
    let section = format!("[credential]\n{lines}");
    match entries.iter().find(|entry| is_helper(entry)) {
        Some(first) => {
            let open = text
                .get(..first.header)
                .is_some_and(|before| !before.is_empty() && !before.ends_with(b"\n"));
            Edit::insert(first.header, if open { format!("\n{section}") } else { section })
        }
        None => append(text, &section),
    }
}

fn append(text: &[u8], section: &str) -> Edit {
    let open = !text.is_empty() && !text.ends_with(b"\n");
    Edit::insert(text.len(), if open { format!("\n{section}") } else { section.to_owned() })
}

/// Makes sure that an edit added `added` helpers, ours first, and changed nothing else.
fn check(before: &[Entry], after: &[Entry], added: usize, helper: &str) -> Result<(), Error> {
    let other = |entries: &[Entry]| -> Vec<(String, String, Option<Vec<u8>>)> {
        let rest = entries.iter().filter(|entry| !is_helper(entry));
        rest.map(|entry| (entry.section.clone(), entry.key.clone(), entry.value.clone())).collect()
    };
    let first = active(after).first().is_some_and(|first| is_value(first, helper));
    if first && after.len() == before.len() + added && other(before) == other(after) {
        Ok(())
    } else {
        Err(Error::Unsafe)
    }
}

fn same((left, right): (&Entry, &Entry)) -> bool {
    left.section == right.section && left.key == right.key && left.value == right.value
}

/// Quotes a value for the file.
fn quote(value: &str) -> String {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c)) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Error, Wanted, helper_value, parse_list, paths, proxy, runs_gocred, wire};
    use crate::core::setup::{Reverted, apply};

    const OURS: &str = "/bin/git-credential-gocred";

    fn wired(text: &str, inherited: &[String]) -> String {
        let edits = wire(text.as_bytes(), Wanted { helper: OURS, inherited }).unwrap();
        let after = apply(text.as_bytes(), &edits).unwrap();
        let again = wire(&after, Wanted { helper: OURS, inherited }).unwrap();
        assert!(again.is_empty(), "not idempotent: {text:?}");
        let mut back = after.clone();
        for edit in edits.iter().rev() {
            let Reverted::Exactly(before) = edit.revert(&back) else { panic!("{edit:?}") };
            back = before;
        }
        assert_eq!(back, text.as_bytes());
        String::from_utf8(after).unwrap()
    }

    #[test]
    fn ours_comes_first_and_the_others_stay() {
        let section = format!("[credential]\n\thelper = {OURS}\n");
        assert_eq!(wired("", &[]), section);
        assert_eq!(wired("[user]\n\tname = Ana", &[]), format!("[user]\n\tname = Ana\n{section}"));
        assert_eq!(
            wired("[credential]\n\thelper = store\n", &[]),
            format!("{section}[credential]\n\thelper = store\n")
        );
        assert_eq!(
            wired("[credential]\n\thelper =\n\thelper = store\n", &[]),
            format!("[credential]\n\thelper =\n\thelper = {OURS}\n\thelper = store\n")
        );
        assert_eq!(
            wired("[credential] helper =", &[]),
            format!("[credential] helper =\n\thelper = {OURS}\n")
        );
    }

    #[test]
    fn helpers_of_earlier_files_are_kept_behind_ours() {
        assert_eq!(
            wired("", &["osxkeychain".into(), "a b".into()]),
            format!(
                "[credential]\n\thelper = \n\thelper = {OURS}\n\thelper = osxkeychain\n\thelper = \"a b\"\n"
            )
        );
    }

    #[test]
    fn an_older_line_of_ours_is_replaced() {
        assert_eq!(
            wired("[credential]\n\thelper = /old/git-credential-gocred\n[a]\n\tb\n", &[]),
            format!("[credential]\n[a]\n\tb\n[credential]\n\thelper = {OURS}\n")
        );
        assert_eq!(
            wired("[credential]\n\thelper = store\n\thelper = gocred\n", &[]),
            format!("[credential]\n\thelper = {OURS}\n[credential]\n\thelper = store\n")
        );
    }

    #[test]
    fn what_git_refuses_is_left_alone() {
        let wanted = Wanted { helper: OURS, inherited: &[] };
        assert_eq!(wire(b"[user]\n\t=x\n", wanted), Err(Error::Grammar(2)));
        assert_eq!(wire(b"name = x\n", wanted), Err(Error::Grammar(1)));
        assert_eq!(wire(b"[a]\n\tb = \"x\n", wanted), Err(Error::Grammar(2)));
        assert_eq!(wire(b"[a]\n\tb = x\\", wanted), Err(Error::Grammar(2)));
    }

    #[test]
    fn the_proxy_is_appended_and_never_replaces() {
        let text = b"[http]\n\tproxy = http://ana:hunter2@p:1\n";
        let edit = proxy(text, "http://127.0.0.1:7407").unwrap().unwrap();
        assert_eq!((edit.at, edit.removed.as_str()), (text.len(), ""));
        let after = edit.apply(text).unwrap();
        assert_eq!(proxy(&after, "http://127.0.0.1:7407"), Ok(None));
    }

    #[test]
    fn git_is_made_to_tell_the_paths_of_a_host_once() {
        let added = "[credential \"https://h:1\"]\n\tuseHttpPath = true\n";
        for text in ["", "[user]\n\tname = Ana", "[credential \"https://h:1\"]\n\tusehttppath=no\n"]
        {
            let edit = paths(text.as_bytes(), "https://h:1").unwrap().unwrap();
            let after = edit.apply(text.as_bytes()).unwrap();
            assert!(after.ends_with(added.as_bytes()));
            assert_eq!(paths(&after, "https://h:1"), Ok(None));
            assert_eq!(edit.revert(&after), Reverted::Exactly(text.as_bytes().to_vec()));
            assert!(paths(&after, "https://h").unwrap().is_some(), "another host");
        }
        for told in ["[credential]\nuseHttpPath\n", "[credential \"https://h:1\"]useHttpPath = On"]
        {
            assert_eq!(paths(told.as_bytes(), "https://h:1"), Ok(None), "{told}");
        }
        assert_eq!(paths(b"[a]\n=", "https://h"), Err(Error::Grammar(2)));
    }

    #[test]
    fn a_path_is_escaped_for_the_shell() {
        assert_eq!(helper_value("/a/git-credential-gocred").unwrap(), "/a/git-credential-gocred");
        assert_eq!(helper_value("/a b/$(x)").unwrap(), "/a\\ b/\\$\\(x\\)");
        assert_eq!(helper_value("/a\nb"), None);
    }

    #[test]
    fn gocred_is_known_by_its_name() {
        for ours in ["gocred", "/x/git-credential-gocred", "!'/x y/git-credential-gocred'"] {
            assert!(runs_gocred(ours), "{ours}");
        }
        for other in ["store", "/x/gocred/git-credential-store", ""] {
            assert!(!runs_gocred(other), "{other}");
        }
    }

    #[test]
    fn gits_list_is_read() {
        let list = parse_list(b"file:/a\0credential.helper\nstore\0file:/b\0core.bare\0");
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].key.as_str(), list[0].value.as_str()), ("credential.helper", "store"));
        assert_eq!((list[1].origin.as_str(), list[1].value.as_str()), ("file:/b", ""));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = wire(&text, Wanted { helper: OURS, inherited: &[] });
            let _ = proxy(&text, "http://127.0.0.1:1");
            let _ = paths(&text, "https://h");
        }
    }
}
