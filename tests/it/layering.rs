//! The direction of the crate's layers, and the purity of its lowest one.

use std::{fs, path::Path};

/// Each layer, and the layers that it may name in `crate::…`.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &["core"]),
    ("sys", &["core", "sys"]),
    ("store", &["core", "sys", "store"]),
    ("broker", &["core", "sys", "store", "broker"]),
    ("net", &["core", "sys", "net"]),
    ("proxy", &["core", "sys", "store", "broker", "net", "proxy"]),
    ("front", &["broker", "cli", "core", "front", "net", "proxy", "store", "sys"]),
];

/// What `core` cannot name: everything that makes it depend on more than its arguments.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "tokio",
    "async fn",
];

/// Where code may be asynchronous.
const ASYNC: &[&str] = &["src/net", "src/proxy", "src/front/login", "src/front/proxy_cmd"];

#[test]
fn modules_only_use_the_layers_below_them() {
    let mut wrong = Vec::new();
    for (layer, allowed) in LAYERS {
        sources(layer, &mut |path, number, line| {
            let named = line.split("crate::").skip(1).filter_map(|rest| {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .filter(|name| !name.is_empty())
            });
            for module in named.filter(|module| !allowed.contains(module)) {
                wrong.push(format!("{path}:{number}: {layer} uses {module}"));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `use crate::{…}` over several lines names its modules at the first level of indentation.
#[test]
fn grouped_imports_only_name_the_layers_below_them() {
    let mut wrong = Vec::new();
    for (layer, allowed) in LAYERS {
        let mut inside = false;
        sources(layer, &mut |path, number, line| {
            if line.trim_end().ends_with("use crate::{") {
                inside = true;
            } else if inside && line.starts_with('}') {
                inside = false;
            } else if inside && line.starts_with("    ") && !line.starts_with("     ") {
                let module = line
                    .trim()
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or_default();
                if !module.is_empty() && !allowed.contains(&module) {
                    wrong.push(format!("{path}:{number}: {layer} uses {module}"));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn core_is_pure() {
    let mut wrong = Vec::new();
    sources("core", &mut |path, number, line| {
        for word in IMPURE.iter().filter(|word| line.contains(**word)) {
            wrong.push(format!("{path}:{number}: {word}"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
        files(layer, &mut |path, text| {
            let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            if lines > 450 {
                wrong.push(format!("{path}: {lines} lines before its tests"));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns whether a line waits for a future, not for a field called `awaited`.
fn awaits(line: &str) -> bool {
    line.split(".await").skip(1).any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

/// Calls `visit` for every line of a layer that is neither comment nor test.
fn sources(layer: &str, visit: &mut dyn FnMut(&str, usize, &str)) {
    files(layer, &mut |path, text| {
        let code = text.lines().enumerate().take_while(|(_, line)| {
            !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test")
        });
        for (number, line) in code.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            visit(path, number + 1, line);
        }
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
