//! What go prints with `-x` (cmd/go `web.get`, `codehost.Run`), and without.

use std::time::Duration;

use crate::core::{
    doctor::watch::{Download, MOST, Open, Watch, place},
    modproxy::request::unescape,
};

/// Returns whether a command of go asks the network and prints no commands of a compiler with `-x`, which
/// could not be told from what the person wants to see.
pub fn asks_for_trace(arguments: &[&str]) -> bool {
    let mut words = arguments.iter().copied();
    // `-C folder` is the only flag that may stand before the command.
    let mut command = words.next();
    while let Some(word) = command.filter(|word| word.starts_with('-')) {
        if word == "-C" || word == "--C" {
            words.next();
        }
        command = words.next();
    }
    match command {
        Some("mod" | "get") => true,
        // Without `-m` it may compile, for cgo.
        Some("list") => words.any(|word| word == "-m" || word == "--m"),
        _ => false,
    }
}

/// Reads a line. `true`: it is of `-x`.
pub(super) fn read(watch: &mut Watch, line: &str, now: Duration) -> bool {
    if let Some(rest) = line.strip_prefix("go: downloading ") {
        if let Some((path, version)) = rest.split_once(' ')
            && watch.downloads.len() < MOST
        {
            let (path, version) = (path.to_owned(), version.to_owned());
            watch.downloads.push(Download { path, version, began: now });
        }
        return false;
    }
    if let Some(rest) = line.strip_prefix("# get ") {
        get(watch, rest, now);
        return true;
    }
    is_step(line)
}

fn get(watch: &mut Watch, rest: &str, now: Duration) {
    let Some((url, outcome)) = rest.split_once(": ") else {
        let Some((what, stage, url)) = meaning(rest) else { return };
        let open = Open { what, stage, began: now, url, outcome: String::new() };
        watch.begin(rest.to_owned(), open);
        return;
    };
    // `404 Not Found (0.012s)`
    let status = outcome.rsplit_once(" (").map_or(outcome, |(status, _)| status);
    let said = match status.split_once(": ") {
        // `Get "URL": dial tcp …`: the URL stands in the line already.
        Some((head, why)) if head.ends_with('"') => why,
        _ => status,
    };
    watch.end(url, now, said);
    if status.starts_with("200") {
        watch.last = place(url).map(|(_, url)| url);
    }
}

/// What a URL is about: a module and the step of the module protocol, or a place.
fn meaning(url: &str) -> Option<(String, &'static str, String)> {
    let (rest, diagnosed) = place(url)?;
    if let Some((path, _)) = rest.split_once("?go-get=1") {
        return Some((path.to_owned(), "go-import", diagnosed));
    }
    if rest.contains("/sumdb/") || rest.contains("/lookup/") || rest.contains("/tile/") {
        return Some((rest, "sumdb", diagnosed));
    }
    let module = |escaped: &str| {
        // Which part of it is the base of the proxy is not said: a module begins with a host.
        let (_, path) = escaped.split_once('/')?;
        let at = path.match_indices('/').map(|(at, _)| at + 1);
        let mut starts = std::iter::once(0).chain(at);
        let found = starts.find_map(|at| {
            let path = path.get(at..)?;
            path.split('/').next().filter(|first| first.contains('.')).map(|_| unescape(path))
        });
        Some(found.unwrap_or_else(|| path.to_owned()))
    };
    if let Some((head, file)) = rest.split_once("/@v/") {
        let path = module(head)?;
        if file == "list" {
            return Some((path, "list", diagnosed));
        }
        let (version, kind) = file.rsplit_once('.')?;
        let stage = ["info", "mod", "zip"].into_iter().find(|stage| *stage == kind)?;
        return Some((format!("{path}@{version}"), stage, diagnosed));
    }
    if let Some(head) = rest.strip_suffix("/@latest") {
        return Some((module(head)?, "latest", diagnosed));
    }
    Some((rest, "get", diagnosed))
}

/// Returns whether a line is a step of `-x`: of go's work in its cache of repositories.
fn is_step(line: &str) -> bool {
    let is_cached = |line: &str| line.contains("/cache/vcs") || line.contains("\\cache\\vcs");
    if line.starts_with("# lock ") || line.starts_with("mkdir -p ") || line.starts_with("cd ") {
        return is_cached(line);
    }
    if line.starts_with("# ignoring directory ") {
        return true;
    }
    // `0.012s # cd …; git …`
    line.split_once("s # ").is_some_and(|(seconds, _)| {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        !seconds.is_empty() && seconds.chars().all(is_number)
    })
}
