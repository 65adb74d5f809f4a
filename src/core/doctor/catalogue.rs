//! The catalogue of failures: one file a code in `catalogue/`, checked and compiled in by `build.rs`. What
//! is shown with a finding stands in a small table; the rest of each page lies in one text without
//! relocations, and costs nothing until somebody reads it.

use crate::core::doctor::finding::{Layer, Severity};

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The pages, as `build/catalogue.rs` wrote them: eight lines each, then a line a pattern.
static PAGES: &str = include_str!(concat!(env!("OUT_DIR"), "/catalogue.txt"));

/// A code and its page.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Such as `P02`. Never used for anything else, even after it is retired.
    pub code: &'static str,
    /// What it is, in a few words: lower case, no full stop.
    pub title: &'static str,
    /// Where on the way.
    pub layer: Layer,
    /// How bad it usually is.
    pub severity: Severity,
    /// What is to be done: a sentence or two.
    pub fix: &'static str,
    /// How often companies have it, from 1 to 9: what decides between codes whose output is the same.
    pub common: u8,
    /// Where its page begins and ends in [`PAGES`].
    page: (usize, usize),
}

/// The languages of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

/// A page in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub title: &'static str,
    /// What it means and why it happens: a paragraph.
    pub cause: &'static str,
    /// What it is recognised by.
    pub evidence: &'static str,
    /// What is to be done.
    pub fix: &'static str,
    /// A command for that, or one that shows more; with example names in it.
    pub command: &'static str,
}

impl Entry {
    /// Returns its page.
    pub fn page(&self, language: Language) -> Page {
        let [title, cause, cause_zh, evidence, evidence_zh, fix, command, _] = self.lines();
        match language {
            Language::English => {
                Page { title: self.title, cause, evidence, fix: self.fix, command }
            }
            Language::Chinese => {
                Page { title, cause: cause_zh, evidence: evidence_zh, fix, command }
            }
        }
    }

    /// Returns what the tools print: who, and a pattern of [`super::explain`].
    pub fn patterns(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = self.text().lines().skip(8);
        lines.filter_map(|line| line.split_once(' '))
    }

    /// Returns the code of the test that injects it, or why it cannot be injected, behind
    /// `not injected: `.
    pub fn test(&self) -> &'static str {
        let [.., test] = self.lines();
        test
    }

    fn lines(&self) -> [&'static str; 8] {
        let mut lines = self.text().lines();
        std::array::from_fn(|_| lines.next().unwrap_or_default())
    }

    fn text(&self) -> &'static str {
        let (start, end) = self.page;
        PAGES.get(start..end).unwrap_or_default()
    }
}

/// Returns the entry of a code, in either case.
pub fn find(code: &str) -> Option<&'static Entry> {
    let code = code.to_ascii_uppercase();
    ENTRIES.iter().find(|entry| entry.code == code)
}

/// Returns a few entries for what is no code: those of its letter with the nearest numbers, or those whose titles
/// have its words.
pub fn near(what: &str) -> Vec<&'static Entry> {
    let what = what.trim().to_ascii_lowercase();
    let (letter, digits) = what.split_at(what.chars().next().map_or(0, char::len_utf8));
    let number = digits.trim_start_matches('-').parse::<i32>().ok();
    let far = |entry: &Entry| match number {
        Some(number) => distance(entry, letter, number),
        None => hits(entry, &what).map(|hits| -hits),
    };
    let mut found: Vec<(i32, &Entry)> =
        ENTRIES.iter().filter_map(|entry| Some((far(entry)?, entry))).collect();
    found.sort_by_key(|(far, entry)| (*far, std::cmp::Reverse(entry.common), entry.code));
    found.into_iter().take(3).map(|(_, entry)| entry).collect()
}

/// Returns how far the number of an entry of this letter is.
fn distance(entry: &Entry, letter: &str, number: i32) -> Option<i32> {
    let own = entry.code.to_ascii_lowercase().strip_prefix(letter)?.parse::<i32>().ok()?;
    Some(own.saturating_sub(number).saturating_abs())
}

/// Returns how many of the words the title of an entry has; `None` for none.
fn hits(entry: &Entry, words: &str) -> Option<i32> {
    let title = entry.title.to_ascii_lowercase();
    let words = words.split_whitespace().filter(|word| word.len() > 1);
    i32::try_from(words.filter(|word| title.contains(word)).count()).ok().filter(|hits| *hits > 0)
}

/// Returns the entry of a code that the program itself names. A unit test checks that each is there.
pub fn entry(code: &'static str) -> &'static Entry {
    ENTRIES.iter().find(|entry| entry.code == code).unwrap_or(&UNKNOWN)
}

/// Stands for a code without a file. It has no page.
static UNKNOWN: Entry = Entry {
    code: "K70",
    title: "gocred found something that its catalogue does not know",
    layer: Layer::Gocred,
    severity: Severity::Error,
    fix: "Report it, with the archive that the doctor writes.",
    common: 1,
    page: (0, 0),
};

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::{ENTRIES, Language, PAGES, find, near};

    #[test]
    fn the_catalogue_has_at_least_three_hundred_whole_pages() {
        assert!(ENTRIES.len() >= 300, "{}", ENTRIES.len());
        for entry in ENTRIES {
            for language in [Language::English, Language::Chinese] {
                let page = entry.page(language);
                let texts = [page.title, page.cause, page.evidence, page.fix, page.command];
                assert!(texts.iter().all(|text| !text.is_empty()), "{}", entry.code);
            }
            let command = entry.page(Language::English).command;
            assert!(!command.contains('…'), "{}: {command} cannot be pasted", entry.code);
            let title = entry.title;
            assert!(!title.ends_with('.') && title.len() < 90, "{}: {title}", entry.code);
            assert!(!entry.test().is_empty() && (1..=9).contains(&entry.common));
        }
    }

    #[test]
    fn a_page_holds_nothing_that_a_terminal_acts_on() {
        assert!(!PAGES.contains(|c: char| c.is_control() && c != '\n'));
        assert_eq!(
            crate::core::text::printable(PAGES).matches("\\u{").count(),
            PAGES.lines().count()
        );
    }

    #[test]
    fn a_code_is_found_in_either_case() {
        assert_eq!(find("p02").map(|entry| entry.code), Some("P02"));
        assert!(find("P99").is_none() && find("").is_none() && find("密码").is_none());
    }

    #[test]
    fn what_is_no_code_leads_to_the_nearest() {
        let codes = |what| near(what).iter().map(|entry| entry.code).collect::<Vec<_>>();
        assert_eq!(codes("P99"), ["P43", "P42", "P41"]);
        assert_eq!(codes("p-2"), ["P02", "P01", "P03"]);
        assert!(codes("netrc readable").contains(&"A28"));
        assert!(codes("").is_empty() && codes("密码").is_empty() && codes("X01").is_empty());
        assert!(codes("P99999999999999999999").is_empty());
    }

    #[test]
    fn every_code_in_the_source_has_a_page() {
        let mut codes = BTreeSet::new();
        gather(Path::new("src"), &mut codes);
        assert!(codes.len() > 100);
        let unknown: Vec<&String> = codes.iter().filter(|code| find(code).is_none()).collect();
        assert!(unknown.is_empty(), "catalogue/ lacks {unknown:?}");
    }

    /// Collects `"X00"` from every file of a folder, before its tests.
    fn gather(folder: &Path, codes: &mut BTreeSet<String>) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                gather(&path, codes);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                codes.extend(code.split('"').filter(|word| is_code(word)).map(str::to_owned));
            }
        }
    }

    fn is_code(word: &str) -> bool {
        let mut letters = word.chars();
        letters.next().is_some_and(|letter| "EDNPTHAGMSLK".contains(letter))
            && word.len() == 3
            && letters.all(|digit| digit.is_ascii_digit())
    }
}
