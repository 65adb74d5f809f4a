//! The direction of the crate's layers, and the purity of its lowest one.

#![expect(clippy::string_slice, reason = "a test fails by panicking")]

use std::{fs, path::Path};

/// Each layer, and the layers that it may name in `crate::…`.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &["core"]),
    ("sys", &["core", "sys"]),
    ("store", &["core", "sys", "store"]),
    ("broker", &["core", "sys", "store", "broker"]),
    ("net", &["core", "sys", "net"]),
    ("agent", &["core", "sys", "store", "broker", "agent"]),
    ("source", &["core", "sys", "store", "broker", "net", "source"]),
    ("proxy", &["core", "sys", "store", "broker", "net", "proxy", "agent"]),
    (
        "front",
        &["agent", "broker", "cli", "core", "front", "net", "proxy", "source", "store", "sys"],
    ),
];

/// What `core` cannot name: everything that makes it depend on more than its arguments.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
];

/// The same, of what is called by a name that an import has shortened.
const IMPURE_CALLS: &[&str] = &["Instant::now", "SystemTime::now", "tokio", "async fn"];

/// Where code may be asynchronous.
const ASYNC: &[&str] = &[
    "src/net",
    "src/proxy",
    "src/front/doctor/wrap",
    "src/front/exec",
    "src/front/login",
    "src/front/proxy_cmd",
];

#[test]
fn modules_only_use_the_layers_below_them() {
    let mut wrong = Vec::new();
    for (layer, allowed) in LAYERS {
        code(layer, &mut |path, text| {
            for (number, named) in paths(text, "crate") {
                let module = named.split("::").nth(1).unwrap_or_default();
                if !allowed.contains(&module) {
                    wrong.push(format!("{path}:{number}: {layer} uses {named}"));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path that climbs out of its layer would not be seen as one that names another.
#[test]
fn paths_upwards_stay_in_their_layer() {
    let mut wrong = Vec::new();
    for (layer, _) in LAYERS {
        sources(layer, &mut |path, number, line| {
            let depth = path.strip_suffix("/mod.rs").unwrap_or(path).matches('/').count();
            let climbs = line.matches("super::").count();
            if climbs >= depth && climbs > 0 {
                wrong.push(format!("{path}:{number}: {line}"));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn core_is_pure() {
    let mut wrong = Vec::new();
    code("core", &mut |path, text| {
        for (number, named) in paths(text, "std") {
            if IMPURE.iter().any(|impure| named.starts_with(impure)) {
                wrong.push(format!("{path}:{number}: {named}"));
            }
        }
    });
    sources("core", &mut |path, number, line| {
        for word in IMPURE_CALLS.iter().filter(|word| line.contains(**word)) {
            wrong.push(format!("{path}:{number}: {word}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_way_to_write_a_path_is_seen() {
    let text = "use crate::{\n    core::{a, b::C},\n    front::{ui as U},\n};\n\
                use crate::sys; use crate::{net::x, store};\nfn f() { crate::broker::ask(); }\n\
                use notcrate::x; // crate::cli\n";
    let seen: Vec<String> = paths(text, "crate").into_iter().map(|(_, path)| path).collect();
    assert_eq!(
        seen,
        [
            "crate::core::a",
            "crate::core::b::C",
            "crate::front::ui",
            "crate::sys",
            "crate::net::x",
            "crate::store",
            "crate::broker::ask",
        ]
    );
    assert_eq!(paths(text, "crate").last().map(|(line, _)| *line), Some(6));
}

#[test]
fn only_the_network_waits_for_two_things_at_once() {
    let mut wrong = Vec::new();
    for (layer, _) in LAYERS {
        sources(layer, &mut |path, number, line| {
            let waits =
                ["async fn", "tokio::"].iter().any(|word| line.contains(word)) || awaits(line);
            if waits && !ASYNC.iter().any(|allowed| path.starts_with(allowed)) {
                wrong.push(format!("{path}:{number}"));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_hold_one_idea() {
    let mut wrong = Vec::new();
    for (layer, _) in LAYERS {
        code(layer, &mut |path, text| {
            let lines = text.lines().count();
            if lines > 450 {
                wrong.push(format!("{path}: {lines} lines before its tests"));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns every path that starts with a name, groups resolved, each with its line.
fn paths(code: &str, root: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&format!("{root}::")) {
        let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_whole {
            let line = code[..at].matches('\n').count() + 1;
            let mut rest = &code[at..];
            let mut named = Vec::new();
            path(&mut rest, "", &mut named);
            found.extend(named.into_iter().map(|named| (line, named)));
        }
    }
    found
}

/// Reads one path, or a group of them, from the start of `rest`.
fn path(rest: &mut &str, prefix: &str, named: &mut Vec<String>) {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let (start, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after;
    let here = format!("{prefix}{start}");
    let Some(group) = here.ends_with("::").then(|| rest.strip_prefix('{')).flatten() else {
        named.push(here);
        return;
    };
    *rest = group;
    loop {
        *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return;
        }
        let before = rest.len();
        path(rest, &here, named);
        if rest.starts_with(" as ") {
            *rest = rest.trim_start_matches(|c| c != ',' && c != '}');
        }
        assert!(rest.len() < before, "not a list of paths: {rest}");
    }
}

/// Returns whether a line waits for a future, not for a field called `awaited`.
fn awaits(line: &str) -> bool {
    line.split(".await").skip(1).any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

/// Calls `visit` for every line of a layer that is neither comment nor test.
fn sources(layer: &str, visit: &mut dyn FnMut(&str, usize, &str)) {
    code(layer, &mut |path, text| {
        let lines = text.lines().enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            visit(path, number + 1, line);
        }
    });
}

/// Calls `visit` for every file of a layer, without its tests.
fn code(layer: &str, visit: &mut dyn FnMut(&str, &str)) {
    files(layer, &mut |path, text| {
        // Unit tests that have a file of their own.
        if path.ends_with("/tests.rs") {
            return;
        }
        let tests = text.match_indices("\n#[cfg(").find(|(at, _)| {
            let mut lines = text[at + 1..].lines();
            lines.next().is_some_and(|line| line.contains("test"))
                && lines.next().is_some_and(|line| line.starts_with("mod tests {"))
        });
        visit(path, &text[..tests.map_or(text.len(), |(at, _)| at)]);
    });
}

fn files(layer: &str, visit: &mut dyn FnMut(&str, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    let mut pending = vec![root.join(layer), root.join(layer).with_extension("rs")];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            seen += 1;
            let shown =
                path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
            visit(&shown, &fs::read_to_string(&path).unwrap());
        }
    }
    assert!(seen > 0, "the layer {layer} has no file");
}
