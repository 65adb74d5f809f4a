//! `gocred doctor --bundle FILE`: the report and what is known of the machine, as a tar archive to attach to a
//! ticket. Every value in it was redacted by its type.

use std::fmt::Write as _;

use crate::{
    core::{
        doctor::{
            finding::Report,
            machine::{GitValue, Machine},
            private::Private,
        },
        text::printable,
    },
    front::doctor::{json, page, style::Style, words},
};

/// The size of a tar block, in bytes (POSIX ustar).
const BLOCK: usize = 512;

/// Returns the archive.
pub(super) fn archive(report: &Report, machine: &Machine) -> Vec<u8> {
    let now = machine.now;
    let mut tar = Vec::new();
    let report_json = json::value(report).to_string();
    let files = [
        ("gocred-doctor/report.json", report_json),
        ("gocred-doctor/report.html", page::html(report)),
        ("gocred-doctor/report.txt", words::lines(report, Style::default()).join("\n") + "\n"),
        ("gocred-doctor/machine.txt", about(&report.run_id, machine)),
    ];
    for (name, text) in files {
        entry(&mut tar, name, text.as_bytes(), now);
    }
    // Two empty blocks are the end.
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// What is known of the machine, a line each.
fn about(run_id: &str, machine: &Machine) -> String {
    let mut text = format!("gocred {}, run {run_id}\n", env!("CARGO_PKG_VERSION"));
    for (name, program) in [("go", &machine.go), ("git", &machine.git)] {
        if let Some(program) = program {
            let _ = writeln!(text, "{name}: {} {}", program.path.display(), program.version);
        }
    }
    for (name, value) in &machine.variables {
        let _ = writeln!(text, "{name}={}", printable(&value.of_go(name)));
    }
    for line in machine.goenv.iter().filter_map(|file| file.lines.as_ref()).flatten() {
        let shown = match line.raw().split_once('=') {
            Some((name, value)) => format!("{name}={}", Private::new(value).of_go(name)),
            None => line.to_string(),
        };
        let _ = writeln!(text, "go/env: {}", printable(&shown));
    }
    for value in &machine.git_config {
        let (key, said) = (Private::new(value.key.as_str()), of_git(value));
        let _ = writeln!(text, "git: {} {}={}", value.place, printable(&key.to_string()), said);
    }
    text
}

/// What is shown of a value of git's: a header may be a password; an alias or a helper may hold one.
fn of_git(value: &GitValue) -> String {
    let plain = ["http.proxy", "http.sslcainfo", "http.sslverify"];
    if plain.contains(&value.key.as_str()) || value.key.starts_with("url.") {
        return printable(&value.value.to_string());
    }
    let is_program = value.key == "credential.helper" && !value.value.raw().starts_with('!');
    if is_program { printable(&value.value.programs()) } else { "(set)".to_owned() }
}

/// Appends a file.
fn entry(tar: &mut Vec<u8>, name: &str, bytes: &[u8], now: u64) {
    let mut head = [0; BLOCK];
    put(&mut head, 0, name);
    put(&mut head, 100, "0000600\0");
    put(&mut head, 108, "0000000\0");
    put(&mut head, 116, "0000000\0");
    put(&mut head, 124, &format!("{:011o}\0", bytes.len()));
    put(&mut head, 136, &format!("{now:011o}\0"));
    // The sum is taken with blanks in its own place.
    put(&mut head, 148, "        ");
    put(&mut head, 156, "0");
    put(&mut head, 257, "ustar\0");
    put(&mut head, 263, "00");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut head, 148, &format!("{sum:06o}\0 "));
    tar.extend(head);
    tar.extend(bytes);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}

fn put(head: &mut [u8; BLOCK], at: usize, text: &str) {
    for (to, from) in head.iter_mut().skip(at).zip(text.bytes()) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::core::doctor::{
        finding::Report,
        machine::{GitValue, Machine},
        place::Place,
        private::Private,
    };

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tar says whether it is one")]
    fn tar_reads_it_and_no_password_is_in_it() {
        let mut machine = Machine { now: 1_700_000_000, ..Machine::default() };
        machine.variables.insert("GOPROXY".into(), Private::new("https://a:hunter2@h"));
        for (key, value) in [
            ("url.https://oauth2:hunter2@h/.insteadof", "https://h/"),
            ("credential.helper", "!f() { echo password=hunter2; }; f"),
            ("credential.helper", "store --file /home/hunter2"),
            ("http.https://h/.extraheader", "Authorization: Bearer hunter2"),
        ] {
            let (key, value) = (key.to_owned(), Private::new(value));
            let place = Place::Default("git");
            machine.git_config.push(GitValue { key, value, place, is_local: false });
        }
        let report = Report { target: "t".into(), ..Report::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.tar");
        let bytes = super::archive(&report, &machine);
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
        std::fs::write(&path, bytes).unwrap();
        let listed = Command::new("tar").arg("-tf").arg(&path).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.lines().count(), 4, "{listed}");
        assert!(listed.contains("gocred-doctor/report.html"));
    }
}
