//! Whom a failure names: in the sentences of go, git, curl and ssh, and in no others. A test that fails
//! may print any URL.

use crate::core::doctor::target::Target;

/// The sentences in which git, curl and go put a URL between quotes.
const QUOTED: &[(&str, char)] = &[
    ("unable to access '", '\''),
    ("Authentication failed for '", '\''),
    ("could not read Username for '", '\''),
    ("could not read Password for '", '\''),
    ("repository '", '\''),
    ("Get \"", '"'),
    ("Head \"", '"'),
    ("Post \"", '"'),
];
/// Those in which go puts one before a colon or a blank.
const PLAIN: &[&str] = &["reading ", "fetching "];
/// Those in which go names a module or a package without a version.
const MODULES: &[&str] = &[
    "unrecognized import path \"",
    "cannot find module providing package ",
    "no required module provides package ",
    "finding module for package ",
    "module lookup disabled by GOPROXY=off for ",
    "module ",
];

/// What was named so far, the first of each kind.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// A code of gocred's own: `gocred[P02]`.
    pub(super) code: Option<String>,
    module: Option<Target>,
    url: Option<Target>,
}

impl Named {
    /// Reads a line.
    pub(super) fn read(&mut self, line: &str) {
        if self.code.is_none() {
            self.code = code(line);
        }
        if self.module.is_none() {
            self.module = versioned(line).or_else(|| unversioned(line));
        }
        if self.url.is_none() {
            self.url = url(line);
        }
    }

    /// Returns what is to be diagnosed.
    pub(super) fn target(&self) -> Option<Target> {
        self.module.clone().or_else(|| self.url.clone())
    }
}

fn code(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("gocred[")?;
    let (code, _) = rest.split_once(']')?;
    let is_one = code.len() == 3 && code.chars().all(|c| c.is_ascii_alphanumeric());
    is_one.then(|| code.to_owned())
}

/// `PATH@VERSION: …`, where go is speaking.
fn versioned(line: &str) -> Option<Target> {
    let is_of_go = line.starts_with("go: ") || line.starts_with(['\t', ' ']);
    let mut words = line.split_whitespace().filter(|_| is_of_go);
    words.find_map(|word| {
        let word = word.strip_suffix([':', ',']).unwrap_or(word);
        let (path, version) = word.split_once('@')?;
        let is_version = version.starts_with('v') || version == "latest";
        module(path).filter(|_| is_version && !version.contains('/'))?;
        Target::parse(word).ok()
    })
}

fn unversioned(line: &str) -> Option<Target> {
    let path = MODULES.iter().find_map(|before| {
        let (_, rest) = line.split_once(before)?;
        let end = rest.find(['"', ':', ' ', ';']).unwrap_or(rest.len());
        module(rest.get(..end)?)
    })?;
    Target::parse(path).ok()
}

/// Returns a path that may be a module's of a host: its first part has a dot.
fn module(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    // `x.go:3:8:`
    let is_file = std::path::Path::new(first).extension().is_some_and(|end| end == "go");
    let is_host = first.contains('.') && !first.starts_with('.') && !is_file;
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/!+".contains(c));
    (is_host && is_plain).then_some(path)
}

fn url(line: &str) -> Option<Target> {
    let quoted = QUOTED.iter().find_map(|(before, end)| {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once(*end)?.0)
    });
    let plain = || {
        PLAIN.iter().find_map(|before| {
            let (_, rest) = line.split_once(before)?;
            rest.split_whitespace().next().filter(|word| word.contains("://"))
        })
    };
    let found = quoted.or_else(plain).map(|url| url.trim_end_matches(':'));
    if let Some(Ok(target @ Target::Url(_))) = found.map(Target::parse) {
        return Some(target);
    }
    let host = ssh(line)?;
    Target::parse(&format!("ssh://{host}/")).ok()
}

/// `ssh: connect to host H port P: …`, `ssh: Could not resolve hostname H: …`, `git@H: Permission denied (…)`
fn ssh(line: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("ssh: connect to host ") {
        let (host, rest) = rest.split_once(" port ")?;
        let port = rest.split(':').next()?;
        return Some(format!("{host}:{port}"));
    }
    if let Some(rest) = line.strip_prefix("ssh: Could not resolve hostname ") {
        return Some(rest.split(':').next()?.to_owned());
    }
    let (login, _) = line.split_once(": Permission denied (")?;
    Some(login.rsplit_once('@')?.1.to_owned())
}
