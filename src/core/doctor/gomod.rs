//! What a diagnosis needs of go.mod and `vendor/modules.txt`: which modules at which versions, and which
//! Go. It is no full parser: what it does not understand it passes over, and go itself complains.

use std::collections::BTreeSet;

use crate::core::doctor::machine::Text;

/// What a go.mod says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoMod {
    /// `go 1.24`, and its line.
    pub go: Option<(String, usize)>,
    /// `toolchain go1.24.1`, without `go`, and its line.
    pub toolchain: Option<(String, usize)>,
    /// Each `require`.
    pub requires: Vec<Require>,
}

/// A module that a go.mod requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// The line that says so.
    pub line: usize,
    /// Path and version of what is fetched for it: itself, or what replaces it. `None`: a folder does.
    pub fetched: Option<(String, String)>,
}

impl GoMod {
    /// Reads a file.
    pub fn parse(text: &Text) -> Self {
        let mut found = Self::default();
        let statements = statements(text);
        let rules: Vec<(&[String], &[String])> =
            statements.iter().filter_map(|(_, words)| replacement(words)).collect();
        for (line, words) in &statements {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["go", version] => found.go = Some(((*version).to_owned(), *line)),
                ["toolchain", name] => {
                    let version = name.strip_prefix("go").unwrap_or(name);
                    found.toolchain = Some((version.to_owned(), *line));
                }
                ["require", path, version] => {
                    let fetched = fetched(&rules, path, version);
                    let (path, version) = ((*path).to_owned(), (*version).to_owned());
                    found.requires.push(Require { path, version, line: *line, fetched });
                }
                _ => {}
            }
        }
        found
    }

    /// Returns paths and versions of what is fetched.
    pub fn fetched(self) -> impl Iterator<Item = (String, String)> {
        self.requires.into_iter().filter_map(|require| require.fetched)
    }
}

/// Returns both sides of a `replace`.
fn replacement(words: &[String]) -> Option<(&[String], &[String])> {
    let (keyword, rest) = words.split_first()?;
    let at = rest.iter().position(|word| word == "=>")?;
    let (old, new) = (rest.get(..at)?, rest.get(at + 1..)?);
    (keyword == "replace").then_some((old, new))
}

/// Returns what is fetched for a module. A rule for its version counts before one for all of them.
fn fetched(
    rules: &[(&[String], &[String])],
    path: &str,
    version: &str,
) -> Option<(String, String)> {
    let rule = |is_it: &dyn Fn(&[String]) -> bool| {
        rules.iter().find(|(old, _)| is_it(old)).map(|(_, new)| *new)
    };
    let new = rule(&|old| matches!(old, [own, at] if own == path && at == version))
        .or_else(|| rule(&|old| matches!(old, [own] if own == path)));
    match new {
        None => Some((path.to_owned(), version.to_owned())),
        Some([path, version]) => Some((path.clone(), version.clone())),
        Some(_) => None,
    }
}

/// Whether what replaces a module is a folder (x/mod `modfile.IsDirectoryPath`).
pub fn is_folder(path: &str) -> bool {
    [".", ".."].contains(&path) || ["./", "../", "/"].iter().any(|start| path.starts_with(start))
}

/// Returns what go.mod takes from folders: path, folder and line of each `replace path => ./folder`.
pub fn folders(text: &Text) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    for (line, words) in statements(text) {
        if let Some(([path, ..], [folder])) = replacement(&words)
            && is_folder(folder)
        {
            found.push((path.clone(), folder.clone(), line));
        }
    }
    found
}

/// Returns the folders that a go.work uses.
pub fn used(text: &Text) -> Vec<String> {
    let uses = statements(text).into_iter();
    let uses = uses.filter(|(_, words)| words.first().is_some_and(|word| word == "use"));
    uses.filter_map(|(_, words)| words.into_iter().nth(1)).collect()
}

/// Returns the path that a go.mod declares.
pub fn declared(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("module"))?;
    let path = line.split("//").next()?.trim().trim_matches(['"', '`']);
    (line.starts_with([' ', '\t']) && !path.is_empty()).then_some(path)
}

/// Returns the statements with their lines, a block's keyword before each of its lines.
pub fn statements(text: &Text) -> Vec<(usize, Vec<String>)> {
    let mut statements = Vec::new();
    let mut block: Option<String> = None;
    for (index, line) in text.lines.iter().flatten().enumerate() {
        let line = line.raw().split("//").next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if line == ")" {
            block = None;
            continue;
        }
        let mut words: Vec<String> =
            line.split_whitespace().map(|word| word.trim_matches(['"', '`']).to_owned()).collect();
        if words.last().is_some_and(|word| word == "(") {
            block = words.first().cloned();
            continue;
        }
        if let Some(block) = &block {
            words.insert(0, block.clone());
        }
        statements.push((index + 1, words));
    }
    statements
}

/// Returns the modules that `vendor/modules.txt` marks as explicit, as path and version (cmd/go
/// `modload.readVendorList`).
pub fn vendored(text: &Text) -> BTreeSet<(String, String)> {
    let mut explicit = BTreeSet::new();
    let mut current: Option<(String, String)> = None;
    for line in text.lines.iter().flatten() {
        let line = line.raw();
        if let Some(marks) = line.strip_prefix("## ") {
            if marks.split(';').any(|mark| mark.trim() == "explicit") {
                explicit.extend(current.clone());
            }
        } else if let Some(module) = line.strip_prefix("# ") {
            let mut words = module.split_whitespace();
            current = words
                .next()
                .zip(words.next())
                .map(|(path, version)| (path.to_owned(), version.to_owned()));
        }
    }
    explicit
}

/// Returns a path or version as the module cache and the proxies write it: `!` and a small letter for a
/// capital one (x/mod `module.EscapePath`).
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// Returns the numbers of a Go version, `1.24.1` or `1.24rc1`, for comparing; a release candidate is
/// less than its release.
pub fn version(text: &str) -> Option<(u32, u32, i64)> {
    let text = text.trim();
    let text = text.strip_prefix("go").unwrap_or(text);
    let text = text.split(['-', ' ', '+']).next().unwrap_or_default();
    let mut parts = text.splitn(3, '.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().unwrap_or("0");
    let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
    let (number, stage) = minor.split_at(digits);
    let patch = match parts.next() {
        Some(patch) => patch.parse().unwrap_or(0),
        None if stage.is_empty() => 0,
        None => -1,
    };
    Some((major, number.parse().ok()?, patch))
}

#[cfg(test)]
mod tests {
    use super::{GoMod, declared, escaped, folders, used, vendored, version};
    use crate::core::doctor::machine::Text;

    #[test]
    fn requires_are_read_from_lines_and_blocks() {
        let text = Text::of(
            "go.mod",
            "module m\n\ngo 1.24 // x\ntoolchain go1.24.3\nrequire a.test/x v1.0.0\n\
             require (\n\tb.test/y v1.2.3 // indirect\n\t\"c.test/z\" v0.1.0\n)\n\
             replace c.test/z => ../z\nreplace a.test/x v1.0.0 => d.test/x v1.1.0\n",
        );
        let module = GoMod::parse(&text);
        assert_eq!(module.go, Some(("1.24".to_owned(), 3)));
        assert_eq!(module.toolchain, Some(("1.24.3".to_owned(), 4)));
        let lines: Vec<_> = module.requires.iter().map(|it| (it.path.as_str(), it.line)).collect();
        assert_eq!(lines, [("a.test/x", 5), ("b.test/y", 7), ("c.test/z", 8)]);
        let fetched: Vec<_> =
            module.fetched().map(|(path, version)| format!("{path}@{version}")).collect();
        assert_eq!(fetched, ["d.test/x@v1.1.0", "b.test/y@v1.2.3"]);
    }

    #[test]
    fn a_version_is_replaced_before_its_module() {
        for (rules, fetched) in [
            ("replace a.test/x v1.0.1 => b.test/x v1.1.0", Some(("a.test/x", "v1.0.0"))),
            (
                "replace a.test/x => ../x\nreplace a.test/x v1.0.0 => b.test/x v1.1.0",
                Some(("b.test/x", "v1.1.0")),
            ),
            ("replace (\n\ta.test/x => ../x\n)", None),
        ] {
            let text = Text::of("go.mod", &format!("require a.test/x v1.0.0\n{rules}\n"));
            let own = GoMod::parse(&text).fetched().next();
            let own = own.as_ref().map(|(path, version)| (path.as_str(), version.as_str()));
            assert_eq!(own, fetched, "{rules}");
        }
    }

    #[test]
    fn folders_of_go_mod_and_go_work_are_read() {
        let text = Text::of(
            "go.mod",
            "replace (\n\ta.test/x v1.0.0 => ../x\n\tb.test/y => c.test/z v1.0.0\n)\n",
        );
        assert_eq!(folders(&text), [("a.test/x".to_owned(), "../x".to_owned(), 2)]);
        let text = Text::of("go.work", "go 1.21\n\nuse ./a\nuse (\n\t./b // c\n)\n");
        assert_eq!(used(&text), ["./a", "./b"]);
        assert_eq!(declared("// x\nmodule \"a.test/x\" // y\n"), Some("a.test/x"));
        assert_eq!(declared("modules x\n"), None);
    }

    #[test]
    fn only_explicit_modules_count_as_vendored() {
        let text = Text::of(
            "modules.txt",
            "# a.test/x v1.0.0\n## explicit; go 1.21\na.test/x\n# b.test/y v1.0.0\n## go 1.21\n",
        );
        assert_eq!(vendored(&text).len(), 1);
    }

    #[test]
    fn versions_compare_and_capitals_are_escaped() {
        assert!(version("1.27.3") > version("go1.27rc1"));
        assert!(version("1.99") > version("go1.27.3"));
        assert_eq!(version("1.21"), Some((1, 21, 0)));
        assert_eq!(version("x"), None);
        assert_eq!(escaped("github.com/BurntSushi/toml"), "github.com/!burnt!sushi/toml");
    }
}
