//! The catalogue of failures: one file a code in `catalogue/`, checked and compiled in by `build.rs`.

use crate::core::doctor::finding::{Layer, Severity};

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// A code and its page.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Such as `P02`. Never used for anything else, even after it is retired.
    pub code: &'static str,
    /// What it is, in a few words: lower case, no full stop.
    pub title: &'static str,
    /// The same in Chinese.
    pub title_zh: &'static str,
    /// Where on the way.
    pub layer: Layer,
    /// How bad it usually is.
    pub severity: Severity,
    /// What it means and why it happens: a paragraph.
    pub cause: &'static str,
    /// The same in Chinese.
    pub cause_zh: &'static str,
    /// What it is recognised by.
    pub evidence: &'static str,
    /// What is to be done: a sentence or two.
    pub fix: &'static str,
    /// The same in Chinese.
    pub fix_zh: &'static str,
    /// What the tools print, as patterns of `explain -`: `tool`, and texts that all occur in this order, with
    /// `…` between them.
    pub patterns: &'static [(&'static str, &'static str)],
    /// The test that injects it (`tests/it/doctor_inject`), or why it cannot be injected, behind `not injected: `.
    pub test: &'static str,
}

/// Returns the entry of a code, in either case.
pub fn find(code: &str) -> Option<&'static Entry> {
    let code = code.to_ascii_uppercase();
    ENTRIES.iter().find(|entry| entry.code == code)
}

/// Returns the entry of a code that the program itself names. A unit test checks that each is there.
pub fn entry(code: &'static str) -> &'static Entry {
    ENTRIES.iter().find(|entry| entry.code == code).unwrap_or(&UNKNOWN)
}

static UNKNOWN: Entry = Entry {
    code: "K70",
    title: "a finding without an entry in the catalogue",
    title_zh: "目录中没有此条目",
    layer: Layer::Gocred,
    severity: Severity::Error,
    cause: "gocred found something that its own catalogue does not know: a bug of ours.",
    cause_zh: "gocred 发现了自己的目录中没有的问题:这是我们的缺陷。",
    evidence: "",
    fix: "report it",
    fix_zh: "请报告",
    patterns: &[],
    test: "not injected: it is a bug",
};
