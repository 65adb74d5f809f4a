//! Where go finds the repository of a module that it asks for directly (cmd/go/internal/vcs): by the path
//! itself, or by the `go-import` tags of a page.

/// A `go-import` tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core::doctor) struct Import {
    /// The module path's prefix that it is for.
    pub(in crate::core::doctor) prefix: String,
    /// `git`, `hg`, `mod`, …
    pub(in crate::core::doctor) vcs: String,
    /// The repository, or with `mod` the module proxy.
    pub(in crate::core::doctor) root: String,
}

/// What a page says of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core::doctor) enum Discovery {
    /// One tag is for it.
    Found(Import),
    /// There is no tag (G17).
    None,
    /// The tags are for other modules (G16).
    Mismatch(Vec<Import>),
    /// Several tags are for it (G18).
    Several,
}

/// What the path itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core::doctor) struct Static {
    /// `git`, `hg`, …
    pub(in crate::core::doctor) vcs: String,
    /// The repository, without a scheme.
    pub(in crate::core::doctor) repository: String,
}

/// Returns the repository of a path that go knows without asking: the hosts of its table, and paths with an
/// element that ends with `.git` and the like (`vcsPaths`).
pub(in crate::core::doctor) fn known(path: &str) -> Option<Static> {
    let elements: Vec<&str> = path.split('/').collect();
    let first = |count: usize| Some(elements.get(..count)?.join("/"));
    let of = |vcs: &str, repository: String| Some(Static { vcs: vcs.to_owned(), repository });
    match elements.first().copied().unwrap_or_default() {
        "github.com" | "bitbucket.org" | "git.openstack.org" => return of("git", first(3)?),
        "hub.jazz.net" if elements.get(1) == Some(&"git") => return of("git", first(4)?),
        "git.apache.org" => return of("git", first(2)?),
        "chiselapp.com" => return of("fossil", first(5)?),
        _ => {}
    }
    for (index, element) in elements.iter().enumerate().skip(1) {
        let Some((name, vcs)) = element.rsplit_once('.') else { continue };
        if !name.is_empty() && ["bzr", "fossil", "git", "hg", "svn"].contains(&vcs) {
            return of(vcs, first(index + 1)?);
        }
    }
    None
}

/// Reads the tags of a page, and finds the one for a module. A tag with `mod` counts before the others.
pub(in crate::core::doctor) fn discover(page: &[u8], path: &str) -> Discovery {
    let imports = tags(page);
    if imports.is_empty() {
        return Discovery::None;
    }
    let matching: Vec<&Import> =
        imports.iter().filter(|import| has_prefix(path, &import.prefix)).collect();
    let proxies: Vec<&Import> =
        matching.iter().copied().filter(|import| import.vcs == "mod").collect();
    let chosen = if proxies.is_empty() { matching } else { proxies };
    match chosen.as_slice() {
        [] => Discovery::Mismatch(imports),
        [import] => Discovery::Found((*import).clone()),
        _ => Discovery::Several,
    }
}

fn has_prefix(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns every `<meta name="go-import" content="PREFIX VCS ROOT">` of a page's head (`parseMetaGoImports`).
pub(in crate::core::doctor) fn tags(page: &[u8]) -> Vec<Import> {
    let text = String::from_utf8_lossy(page);
    let mut rest: &str = &text;
    let mut imports = Vec::new();
    while let Some((_, behind)) = rest.split_once('<') {
        if let Some(comment) = behind.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        let (tag, behind) = split_tag(behind);
        rest = behind;
        let name = tag.split([' ', '\t', '\n', '\r', '/']).next().unwrap_or_default();
        if name.eq_ignore_ascii_case("body") || tag.eq_ignore_ascii_case("/head") {
            break;
        }
        if !name.eq_ignore_ascii_case("meta") {
            continue;
        }
        let attributes = attributes(tag.get(name.len()..).unwrap_or_default());
        let of = |name: &str| {
            attributes
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        if of("name").map(String::as_str) != Some("go-import") {
            continue;
        }
        let words: Vec<&str> =
            of("content").map_or_else(Vec::new, |c| c.split_whitespace().collect());
        // A fourth word is a folder of the repository (go 1.25).
        if let [prefix, vcs, root] | [prefix, vcs, root, _] = words.as_slice() {
            let [prefix, vcs, root] = [prefix, vcs, root].map(|word| (*word).to_owned());
            imports.push(Import { prefix, vcs, root });
        }
    }
    imports
}

/// Splits a tag from what follows its `>`; quotes may hold one.
fn split_tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => {
                return (
                    text.get(..at).unwrap_or_default(),
                    text.get(at + 1..).unwrap_or_default(),
                );
            }
            _ => {}
        }
    }
    (text, "")
}

fn attributes(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, behind)) = rest.split_once('=') {
        let name = name.trim().rsplit(char::is_whitespace).next().unwrap_or_default();
        let behind = behind.trim_start();
        let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => {
                let inner = behind.get(1..).unwrap_or_default();
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            None => behind.split_once(char::is_whitespace).unwrap_or((behind, "")),
        };
        found.push((name.to_owned(), unescaped(value)));
        rest = after.trim_start();
    }
    found
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<");
    text.replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{Discovery, Import, discover, known};

    fn import(prefix: &str, vcs: &str, root: &str) -> Import {
        Import { prefix: prefix.to_owned(), vcs: vcs.to_owned(), root: root.to_owned() }
    }

    #[test]
    fn tags_are_read_as_go_reads_them() {
        let tag = |content: &str| format!("<meta name=\"go-import\" content=\"{content}\">");
        let lib = tag("h.test/team/lib git https://h.test/team/lib.git");
        let found =
            Discovery::Found(import("h.test/team/lib", "git", "https://h.test/team/lib.git"));
        for (page, expected) in [
            (lib.clone(), found.clone()),
            (format!("<!DOCTYPE html><html><head><title>x</title>{lib}</head>"), found.clone()),
            (
                "<META content='h.test/team/lib git https://h.test/team/lib.git' NAME=go-import />"
                    .to_string(),
                found,
            ),
            (format!("<!-- {lib} -->"), Discovery::None),
            (format!("<body>{lib}"), Discovery::None),
            (format!("</head>{lib}"), Discovery::None),
            (format!("{lib}{lib}"), Discovery::Several),
            (
                tag("h.test/other git https://x"),
                Discovery::Mismatch(vec![import("h.test/other", "git", "https://x")]),
            ),
            (
                tag("h.test/team/li git https://x"),
                Discovery::Mismatch(vec![import("h.test/team/li", "git", "https://x")]),
            ),
            (
                format!("{lib}{}", tag("h.test/team mod https://p")),
                Discovery::Found(import("h.test/team", "mod", "https://p")),
            ),
            ("<html>Please sign in".to_owned(), Discovery::None),
        ] {
            assert_eq!(discover(page.as_bytes(), "h.test/team/lib"), expected, "{page}");
        }
    }

    #[test]
    fn some_paths_tell_their_repository() {
        for (path, repository) in [
            ("github.com/a/b/v2", Some("github.com/a/b")),
            ("github.com/a", None),
            ("git.corp.test/team/lib.git", Some("git.corp.test/team/lib.git")),
            ("git.corp.test/team/lib.git/sub", Some("git.corp.test/team/lib.git")),
            ("git.corp.test/team/lib", None),
            ("gitlab.com/a/b", None),
        ] {
            assert_eq!(known(path).map(|known| known.repository).as_deref(), repository, "{path}");
        }
    }
}
