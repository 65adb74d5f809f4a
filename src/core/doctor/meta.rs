//! A `?go-get=1` page, read as cmd/go reads it (`vcs/discovery.go`): the go-import tags, and which of them
//! a module takes.
//!
//! It follows encoding/xml's lax mode as far as pages use it: comments, directives and any tags pass,
//! `<` before something that begins no tag ends the reading. It does not look whether a repository's URL is
//! any good.

/// A go-import tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The path of the repository's root.
    pub prefix: String,
    /// `git`, `hg`, `svn`, `bzr`, `fossil`, `mod`, or what the page says.
    pub vcs: String,
    /// Where the repository is: a URL.
    pub repository: String,
    /// The folder in it, where the page names one.
    pub folder: Option<String>,
}

/// The page breaks off, or is no page, before a tag came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Which tag a module takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// There are tags, and none is for it.
    Mismatch,
    /// There is no tag at all.
    Missing,
    /// This one.
    One(&'a Tag),
    /// More than one is for it: go takes none.
    Several,
}

/// Returns the tags of a page, those of `mod` first, without those that a `mod` of the same prefix
/// replaces. Reading ends with the head.
pub fn tags(page: &[u8]) -> Result<Vec<Tag>, Broken> {
    let text = String::from_utf8_lossy(page);
    let mut found = Vec::new();
    let mut rest = text.as_ref();
    while let Some((_, behind)) = rest.split_once('<') {
        let Some((element, after)) = element(behind) else {
            if found.is_empty() {
                return Err(Broken);
            }
            break;
        };
        rest = after;
        match element {
            Element::Open(name, _) if name.eq_ignore_ascii_case("body") => break,
            Element::Close(name) if name.eq_ignore_ascii_case("head") => break,
            Element::Open(name, attributes) if name.eq_ignore_ascii_case("meta") => {
                found.extend(tag(&attributes));
            }
            Element::Open(..) | Element::Close(_) | Element::Other => {}
        }
    }
    let (mut list, others): (Vec<Tag>, Vec<Tag>) =
        found.into_iter().partition(|tag| tag.vcs == "mod");
    let replaced = |tag: &Tag, list: &[Tag]| list.iter().any(|own| own.prefix == tag.prefix);
    let others: Vec<Tag> = others.into_iter().filter(|tag| !replaced(tag, &list)).collect();
    list.extend(others);
    Ok(list)
}

/// Returns which tag a module takes (cmd/go `matchGoImport`).
pub fn choose<'a>(tags: &'a [Tag], module: &str) -> Choice<'a> {
    let mut chosen: Option<&Tag> = None;
    for tag in tags.iter().filter(|tag| is_below(module, &tag.prefix)) {
        match chosen {
            Some(first) if first.vcs == "mod" && tag.vcs != "mod" => break,
            Some(_) => return Choice::Several,
            None => chosen = Some(tag),
        }
    }
    match chosen {
        Some(tag) => Choice::One(tag),
        None if tags.is_empty() => Choice::Missing,
        None => Choice::Mismatch,
    }
}

/// Returns whether a path is a prefix, or below it.
pub fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// Returns whether a page asks for a password: a login page, or a portal's.
pub fn is_login_page(page: &[u8]) -> bool {
    let text = String::from_utf8_lossy(page).to_ascii_lowercase();
    ["type=\"password\"", "type='password'", "type=password"].iter().any(|form| text.contains(form))
}

enum Element<'a> {
    Open(&'a str, Vec<(&'a str, String)>),
    Close(&'a str),
    Other,
}

/// Takes what follows `<`, up to and with its `>`.
fn element(text: &str) -> Option<(Element<'_>, &str)> {
    if let Some(comment) = text.strip_prefix("!--") {
        let (_, rest) = comment.split_once("-->")?;
        return Some((Element::Other, rest));
    }
    if let Some(data) = text.strip_prefix("![CDATA[") {
        let (_, rest) = data.split_once("]]>")?;
        return Some((Element::Other, rest));
    }
    if text.starts_with(['!', '?']) {
        let (_, rest) = text.split_once('>')?;
        return Some((Element::Other, rest));
    }
    if let Some(closing) = text.strip_prefix('/') {
        let (name, rest) = name(closing)?;
        let rest = rest.trim_start().strip_prefix('>')?;
        return Some((Element::Close(name), rest));
    }
    let (own, mut rest) = name(text)?;
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            return Some((Element::Open(own, attributes), rest));
        }
        let (key, after) = name(rest)?;
        let (value, after) = value(after)?;
        attributes.push((key, value));
        rest = after;
    }
}

/// Takes the name of a tag or an attribute.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_name = |c: char| c.is_alphanumeric() || "_:.-".contains(c);
    let end = text.find(|c| !is_name(c))?;
    let (name, rest) = text.split_at(end);
    let first = name.chars().next()?;
    (first.is_alphabetic() || "_:".contains(first)).then_some((name, rest))
}

/// Takes `= value`; an attribute without a value has its own name for one, which no one looks at.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(text) = text.trim_start().strip_prefix('=') else {
        return Some((String::new(), text));
    };
    let text = text.trim_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (value, rest) = quoted.split_once(quote)?;
            return Some((decoded(value), rest));
        }
    }
    // encoding/xml takes letters, digits and `_:-` without quotes.
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
    let end = text.find(|c| !is_bare(c))?;
    let (value, rest) = text.split_at(end);
    Some((value.to_owned(), rest))
}

/// Resolves XML's own five entities; lax reading leaves the others alone.
fn decoded(value: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(value.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

/// Reads the attributes of a `meta`.
fn tag(attributes: &[(&str, String)]) -> Option<Tag> {
    let attribute = |name: &str| {
        let found = attributes.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    };
    if attribute("name") != "go-import" {
        return None;
    }
    let mut words = attribute("content").split_whitespace().map(str::to_owned);
    let tag = Tag {
        prefix: words.next()?,
        vcs: words.next()?,
        repository: words.next()?,
        folder: words.next(),
    };
    words.next().is_none().then_some(tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Broken, Choice, Tag, choose, is_login_page, tags};

    fn prefixes(page: &str) -> Vec<String> {
        let tags = tags(page.as_bytes()).unwrap_or_default();
        tags.iter().map(|tag| format!("{} {} {}", tag.prefix, tag.vcs, tag.repository)).collect()
    }

    fn page(contents: &[&str]) -> String {
        let tag = |content: &&str| format!("<meta name=\"go-import\" content=\"{content}\">");
        format!("<html><head>{}</head></html>", contents.iter().map(tag).collect::<String>())
    }

    #[test]
    fn tags_of_the_head_are_read_however_they_are_written() {
        let expected = vec!["h.test/x git https://h.test/x.git"];
        let content = "h.test/x git https://h.test/x.git";
        for text in [
            format!(
                "<!DOCTYPE html><!-- <meta> --><HTML><HEAD><META NAME='go-import' CONTENT='{content}'/>"
            ),
            format!("<meta content=\"\n{content} \" data-x name=go-import >"),
            format!(
                "<meta charset=utf-8><link rel=\"icon\"><meta name=\"go-import\" content=\"{content}\"></head><a <b"
            ),
        ] {
            assert_eq!(prefixes(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_in_the_body_or_has_other_fields_is_none() {
        for text in [
            "<body><meta name=\"go-import\" content=\"h/x git https://h/x\">",
            "<head></head><meta name=\"go-import\" content=\"h/x git https://h/x\">",
            "<meta name=\"go-import\" content=\"h/x git\">",
            "<meta name=\"go-import\" content=\"h/x git https://h/x sub more\">",
            "<meta name=\"Go-Import\" content=\"h/x git https://h/x\">",
        ] {
            assert_eq!(tags(text.as_bytes()), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn a_page_that_breaks_off_before_a_tag_is_broken() {
        for text in ["<html", "<html><meta name=\"go-imp", "<< >", "<script>if (a < b) {}</script>"]
        {
            assert_eq!(tags(text.as_bytes()), Err(Broken), "{text}");
        }
        assert_eq!(tags(b"no page"), Ok(Vec::new()));
    }

    #[test]
    fn a_module_takes_the_one_tag_that_is_for_it() {
        let one = tags(page(&["h/x git https://h/x", "h/y git https://h/y"]).as_bytes()).unwrap();
        assert!(matches!(choose(&one, "h/x/sub"), Choice::One(tag) if tag.prefix == "h/x"));
        assert_eq!(choose(&one, "h/xy"), Choice::Mismatch);
        assert_eq!(choose(&[], "h/xy"), Choice::Missing);
        let two = tags(page(&["h/x git https://h/x", "h/x git https://i/x"]).as_bytes()).unwrap();
        assert_eq!(choose(&two, "h/x"), Choice::Several);
        let proxy =
            tags(page(&["h/x git https://h/x", "h/x mod https://p", "h git https://h"]).as_bytes());
        let proxy: Vec<Tag> = proxy.unwrap();
        assert!(matches!(choose(&proxy, "h/x"), Choice::One(tag) if tag.vcs == "mod"));
    }

    #[test]
    fn a_page_with_a_password_is_a_login_page() {
        assert!(is_login_page(b"<form><INPUT TYPE='password'></form>"));
        assert!(!is_login_page(b"<p>password</p>"));
    }

    proptest! {
        #[test]
        fn no_page_panics(page in "[<>/a-z!='\" -]{0,60}") {
            let _ = tags(page.as_bytes());
        }
    }
}
