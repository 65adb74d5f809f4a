//! What a server, a certificate, a name server or a command may show of a failure is read without a
//! panic, shown without what is secret, and never grows.
//!
//! The first byte of an input chooses who reads the others.
#![no_main]

use std::time::Duration;

use gocred::core::doctor::{
    answer, certificate, dns, explain, gitfile, gomod, hello, machine::Text, private::Private,
    refs, target::Target, watch::Watch,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match kind % 8 {
        0 => name_server(bytes),
        1 => {
            hello::read(bytes);
        }
        2 => {
            certificate::parse(bytes);
        }
        3 => {
            let (kind, body) = bytes.split_at(bytes.len().min(usize::from(*kind)));
            refs::read(&String::from_utf8_lossy(kind), body);
            refs::read("application/x-git-upload-pack-advertisement", bytes);
        }
        4 => head(bytes),
        5 => explained(&text),
        6 => hidden(&text),
        _ => watched(&text),
    }
});

fn name_server(bytes: &[u8]) {
    let question = dns::question(7, "git.corp.test", dns::Kind::A).expect("a question");
    if let Some(message) = dns::answer(&question, bytes) {
        assert!(message.addresses.len() <= bytes.len() / 4);
    }
    let name = String::from_utf8_lossy(bytes);
    if let Some(question) = dns::question(7, &name, dns::Kind::Aaaa) {
        assert!(question.len() <= 280);
        // It may come back as it is.
        assert_eq!(dns::answer(&question, &question), None);
    }
}

fn head(bytes: &[u8]) {
    if let answer::Read::Whole(head) = answer::read(bytes) {
        assert!(head.used <= bytes.len());
        head.framing();
    }
}

fn explained(text: &str) {
    let explanation = explain::explain(text, &explain::signs::Signs::default());
    assert!(explanation.candidates.len() <= 3);
    if let Some(target) = explain::about::About::of(text).target {
        assert!(Target::parse(&target).is_ok(), "{target}");
    }
}

/// What stands before the `@` of a URL is not shown.
fn hidden(text: &str) {
    const SECRET: &str = "hunter2hunter2";
    // A list of URLs has these between them; a password that holds both may be cut there.
    let is_list = text.contains("://") && text.contains([',', '|', ';', ' ', '"', '\'', ')', '.']);
    if is_list || text.contains(SECRET) || text.contains(['\n', '@']) {
        return;
    }
    let urls = [
        format!("http://ana:{SECRET}{text}@h.test"),
        format!("http://ana:{text}{SECRET}@h.test"),
        format!("https://{SECRET}@h.test/{text}"),
        format!("{text}://ana:{SECRET}@h.test"),
    ];
    for url in urls {
        let private = Private::new(url.clone());
        assert!(!format!("{private} {private:?}").contains(SECRET), "{url}");
    }
}

fn watched(text: &str) {
    let file = Text::of("/f", text);
    gomod::vendored(&file);
    gomod::version(text);
    gitfile::lines(text.as_bytes());
    let mut watch = Watch::default();
    for (second, line) in text.lines().enumerate() {
        let now = Duration::from_secs(u64::try_from(second).unwrap_or_default());
        match line.strip_prefix('{') {
            Some(_) => watch.event(line, now),
            None => {
                watch.line(line, now);
            }
        }
    }
    assert!(watch.slowest(9, Duration::from_secs(9999)).len() <= 9);
    watch.failing();
    watch.waits_for();
}
