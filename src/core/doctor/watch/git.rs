//! What git says of itself (`GIT_TRACE2_EVENT`, git's api-trace2): which child it starts for a transport, a
//! credential or a pack, and when that ends.

use std::time::Duration;

use serde_json::Value;

use crate::core::doctor::watch::{Open, Watch, place};

/// Reads an event; what is none is passed over.
pub(super) fn read(watch: &mut Watch, line: &str, now: Duration) {
    let Ok(event) = serde_json::from_str::<Value>(line) else { return };
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = event.get("child_id").and_then(Value::as_u64).unwrap_or_default();
    // A process names those above it before itself: the first is the command that a person or go gave.
    let process = text("sid");
    let tree = process.split('/').next().unwrap_or_default();
    let key = format!("{process} {id}");
    match text("event") {
        "child_start" => {
            let words: Vec<&str> = event
                .get("argv")
                .and_then(Value::as_array)
                .map(|words| words.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            let child = Child { tree, key, class: text("child_class"), words };
            start(watch, child, now);
        }
        "child_exit" => {
            let code = event.get("code").and_then(Value::as_i64).unwrap_or_default();
            let outcome = if code == 0 { String::new() } else { format!("ended with {code}") };
            watch.end(&key, now, &outcome);
        }
        // What the transport says of its failure, before its end.
        "error" => {
            let place = watch.asked.get(tree).cloned();
            let open = watch.open.values_mut().find(|open| Some(&open.url) == place.as_ref());
            if let Some(open) = open {
                text("msg").clone_into(&mut open.outcome);
            }
        }
        _ => {}
    }
}

/// A child that git starts.
struct Child<'a> {
    /// The first process of its tree.
    tree: &'a str,
    key: String,
    class: &'a str,
    words: Vec<&'a str>,
}

fn start(watch: &mut Watch, child: Child<'_>, now: Duration) {
    let Child { tree, key, class, words } = child;
    let is_of = |name: &str| words.iter().take(2).any(|word| word.contains(name));
    let stage = if class.starts_with("remote-") || class.starts_with("transport/") {
        let Some(url) = url(class, &words) else { return };
        watch.asked.insert(tree.to_owned(), url);
        "fetch"
    } else if is_of("credential") {
        "credential"
    } else if is_of("index-pack") || is_of("unpack-objects") {
        "unpack"
    } else {
        return;
    };
    let Some(url) = watch.asked.get(tree).cloned() else { return };
    let Some((what, url)) = place(&url) else { return };
    watch.begin(key, Open { what, stage, began: now, url, outcome: String::new() });
}

/// The URL of a transport. One of ssh is put together from the words of `ssh`.
fn url(class: &str, words: &[&str]) -> Option<String> {
    let found = words.iter().rev().find_map(|word| Some(place(word)?.1));
    if class != "transport/ssh" || found.is_some() {
        return found;
    }
    let (ssh, rest) = words.split_first()?;
    let mut rest = rest.iter();
    let (mut port, mut host) = (None, None);
    while let Some(word) = rest.next() {
        match *word {
            "-p" => port = rest.next(),
            "-o" => drop(rest.next()),
            word if word.starts_with('-') => {}
            word => {
                host = Some(word);
                break;
            }
        }
    }
    let host = host.filter(|_| ssh.contains("ssh"))?;
    let (_, host) = host.rsplit_once('@').unwrap_or(("", host));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(place(&format!("ssh://{host}{port}/"))?.1)
}
