//! What a tool printed, made plain: one line without its frame, white space and repetitions.

use std::collections::BTreeSet;

use crate::core::{
    doctor::explain::{dialect, frame::Unframed, hop},
    text::start,
};

/// How much of a text is read at each of its ends: a log may be long, and its failure stands at one.
const ENDS: usize = 64 << 10;

/// A text, made plain.
#[derive(Default)]
pub(super) struct Said {
    /// One line, each run of white space one blank, the lines that are there twice once.
    pub(super) text: String,
    /// The same with the lines put together that a window may have broken.
    pub(super) joined: Option<String>,
    /// Whether nothing but progress was printed: the tool hung.
    pub(super) is_silent: bool,
    /// Whether go began to download.
    pub(super) has_downloads: bool,
    /// The codes that gocred itself named: `gocred[K08]: …`.
    pub(super) own: BTreeSet<String>,
}

impl Said {
    pub(super) fn of(text: &str) -> Self {
        let unframed = Unframed::of(&ends(text));
        let mut said = Self { is_silent: true, ..Self::default() };
        said.text = said.line(&unframed.lines);
        said.joined = unframed.joined.as_deref().map(|joined| said.line(joined));
        said
    }

    /// Makes one line of lines, and looks at what they are.
    fn line(&mut self, lines: &[String]) -> String {
        let (mut plain, mut seen) = (String::new(), BTreeSet::new());
        for line in lines {
            let line = line.trim();
            let is_download =
                line.starts_with("go: downloading ") || line.starts_with("go: finding ");
            self.has_downloads |= is_download;
            if line.is_empty() || !seen.insert(line) {
                continue;
            }
            self.is_silent &= is_download || is_end(line);
            // French has blanks of another kind before a colon, and the words of the dialects have them, too.
            plain.extend(line.split_ascii_whitespace().flat_map(|word| [word, " "]));
        }
        let plain = hop::marked(dialect::plain(plain));
        let own = plain.split("gocred[").skip(1).filter_map(|rest| rest.split_once(']'));
        self.own.extend(own.map(|(code, _)| code.to_owned()));
        plain
    }

    /// Returns whether something is in the text, however its lines are read.
    pub(super) fn says(&self, is_there: impl Fn(&str) -> bool) -> bool {
        is_there(&self.text) || self.joined.as_deref().is_some_and(is_there)
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
