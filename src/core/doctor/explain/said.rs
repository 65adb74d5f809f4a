//! What a tool printed, made plain: one line without colours, white space and repetitions.

use std::collections::BTreeSet;

use crate::core::{doctor::explain::dialect, text::start};

/// How much of a text is read at each of its ends: a log may be long, and its failure stands at one.
const ENDS: usize = 64 << 10;

/// A text, made plain.
pub(super) struct Said {
    /// One line, each run of white space one blank, the lines that are there twice once.
    pub(super) text: String,
    /// Whether nothing but progress was printed: the tool hung.
    pub(super) is_silent: bool,
    /// Whether go began to download.
    pub(super) has_downloads: bool,
    /// The codes that gocred itself named: `gocred[K08]: …`.
    pub(super) own: BTreeSet<String>,
}

impl Said {
    pub(super) fn of(text: &str) -> Self {
        let (mut plain, mut has_downloads, mut is_silent) = (String::new(), false, true);
        let mut seen = BTreeSet::new();
        for line in dialect::plain(ends(text)).lines() {
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
        let own = plain.split("gocred[").skip(1).filter_map(|rest| rest.split_once(']'));
        let own = own.map(|(code, _)| code.to_owned()).collect();
        Self { text: plain, is_silent, has_downloads, own }
    }
}

/// Returns whether a line only says that a person or a time limit ended the tool.
fn is_end(line: &str) -> bool {
    let ends = ["^C", "Killed", "Terminated", "signal: interrupt", "signal: killed"];
    ends.contains(&line) || line.starts_with("Cloning into ")
}

/// Returns the beginning and the end of a long text, in whole lines: half a line may end within a login.
pub(super) fn ends(text: &str) -> String {
    if text.len() <= 2 * ENDS {
        return text.to_owned();
    }
    let end = (text.len() - ENDS..text.len()).find_map(|at| text.get(at..)).unwrap_or_default();
    let end = end.split_once('\n').map_or("", |(_, end)| end);
    let start = start(text, ENDS).rsplit_once('\n').map_or("", |(start, _)| start);
    format!("{start}\n…\n{end}")
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
