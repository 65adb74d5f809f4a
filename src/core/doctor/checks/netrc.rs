//! netrc: entries that one tool reads and another does not. A24–A29.

use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        checks::{Facts, NO_LOGIN, facts::Asked, fix},
        finding::{Change, Finding, Kind, Severity, Tool},
        machine::{Netrc, What},
        place::Place,
    },
    netrc::{self, Entry, Machine as Named},
};

/// Returns what is wrong with the files.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let asked = facts.asked();
    for (path, file) in &facts.machine.netrc {
        found.extend(closed(facts, path, file));
        found.extend(open(facts, path, file));
        if let Some(text) = &file.text {
            let text = text.expose_secret();
            for place in asked.iter().filter(|place| place.scheme.starts_with("http")) {
                found.extend(entries(facts, path, text, place));
            }
        }
    }
    found.extend(two_files(facts));
    found
}

fn tools(facts: &Facts<'_>, path: &Path) -> Vec<Tool> {
    let named = facts.machine.variable("NETRC");
    let is_gos = named.is_none_or(|named| Path::new(named.raw()) == path);
    let is_usual = path.file_name().is_some_and(|name| name == ".netrc" || name == "_netrc");
    let go = is_gos.then_some(Tool::Go);
    go.into_iter()
        .chain(is_usual.then_some([Tool::Git, Tool::Curl]).into_iter().flatten())
        .collect()
}

/// A27: nobody can read it.
fn closed(facts: &Facts<'_>, path: &Path, file: &Netrc) -> Option<Finding> {
    let named = facts.machine.variable("NETRC").is_some_and(|named| Path::new(named.raw()) == path);
    let why = match file.stat.what {
        What::Folder => "is a folder",
        What::Missing if named => "is not there, though NETRC names it",
        What::Missing => return None,
        _ if !file.stat.is_readable => "cannot be read",
        What::File | What::Other => return None,
    };
    let cause = format!("{} {why}: no tool says so, and none finds a login there.", path.display());
    let finding = facts
        .finding("A27", Severity::Warning, cause)
        .seen(Kind::File, Place::File(path.to_owned(), None), why, "a file")
        .affects(&tools(facts, path))
        .reproduce(format!("ls -ld {}", fix::quoted(&path.display().to_string())))
        .explains(NO_LOGIN);
    let shown = fix::quoted(&path.display().to_string());
    Some(match file.stat.what {
        What::Folder => finding.run(format!("mv {shown} {shown}.folder")),
        What::Missing => fix::variable(facts, finding, "NETRC", None),
        _ if file.stat.owner == facts.machine.uid => finding
            .run(format!("chmod 600 {shown}"))
            .change(Change::Mode { file: path.to_owned(), mode: 0o600 }),
        _ => finding.run(format!("sudo chown \"$USER\" {shown}")),
    })
}

/// A28: others can read it.
fn open(facts: &Facts<'_>, path: &Path, file: &Netrc) -> Option<Finding> {
    let is_open = file.stat.what == What::File && file.stat.mode & 0o077 != 0;
    let has_secret =
        file.text.as_ref().is_some_and(|text| text.expose_secret().contains("password"));
    if !is_open || !has_secret || cfg!(windows) {
        return None;
    }
    let cause =
        format!("{} holds passwords, and other users of this machine can read it.", path.display());
    let mode = file.stat.mode & 0o600;
    let finding = facts
        .finding("A28", Severity::Warning, cause)
        .seen(
            Kind::File,
            Place::File(path.to_owned(), None),
            format!("mode {:04o}", file.stat.mode),
            "mode 0600",
        )
        .run(format!("chmod 600 {}", fix::quoted(&path.display().to_string())));
    Some(finding.change(Change::Mode { file: path.to_owned(), mode }))
}

/// A24, A25, A26: what stands there for a place, as go reads it and as it was meant.
fn entries(facts: &Facts<'_>, path: &Path, text: &str, asked: &Asked) -> Option<Finding> {
    let bytes = text.as_bytes();
    let curl = netrc::curl::read(bytes);
    let is_default_port = asked.port == if asked.scheme == "https" { 443 } else { 80 };
    let authority =
        if is_default_port { asked.host.clone() } else { format!("{}:{}", asked.host, asked.port) };
    let go = netrc::go::lookup(bytes, &authority).ok().flatten();
    let own = curl.entries.iter().find(|entry| is_for(entry, &asked.host));
    let place = |line: usize| Place::File(path.to_owned(), Some(line));
    let start =
        |code, line: usize, cause: String, observed: &str, expected: String, tools: &[Tool]| {
            facts
                .finding(code, Severity::Warning, cause)
                .seen(Kind::File, place(line), observed, expected)
                .affects(tools)
                .run(format!("gocred login {}", asked.host))
                .explains(NO_LOGIN)
        };
    if let Some(entry) = own {
        let quoted = entry.password.as_ref().is_some_and(|value| {
            bytes.get(value.span.clone()).is_some_and(|raw| raw.starts_with(b"\""))
        });
        if quoted && tools(facts, path).contains(&Tool::Go) {
            let cause = format!(
                "The password for {} ({}) is in quotes, which go sends along.",
                asked.host,
                place(entry.line)
            );
            let finding = start(
                "A26",
                entry.line,
                cause,
                "a password in quotes",
                "without quotes".to_owned(),
                &[Tool::Go],
            );
            let shown = fix::quoted(&path.display().to_string());
            return Some(finding.run(format!("\"${{EDITOR:-vi}}\" +{} {shown}", entry.line)));
        }
        return None;
    }
    if go.is_some() {
        return None;
    }
    let with_port = curl.entries.iter().find(|entry| match &entry.machine {
        Named::Host(host) => {
            let name = host.trim_start_matches("https://").trim_start_matches("http://");
            let name = name.split('/').next().unwrap_or_default();
            name.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case(&asked.host))
                && *host != asked.host
        }
        Named::Default | Named::Nobody => false,
    });
    if let Some(entry) = with_port {
        let Named::Host(written) = &entry.machine else { return None };
        let cause = format!(
            "{} names `machine {written}`, which no tool matches with {authority}.",
            place(entry.line)
        );
        let tools = tools(facts, path);
        let finding = start(
            "A24",
            entry.line,
            cause,
            "a port or a scheme",
            format!("machine {authority}"),
            &tools,
        );
        return Some(line_changed(finding, path, text, entry.line, written, &authority));
    }
    let default = curl.entries.iter().find(|entry| entry.machine == Named::Default)?;
    let cause = format!(
        "Only `default` ({}) is there for {}: go passes it over, git and curl take it.",
        place(default.line),
        asked.host
    );
    let finding = start(
        "A25",
        default.line,
        cause,
        "default",
        format!("machine {}", asked.host),
        &[Tool::Go],
    );
    Some(line_changed(
        finding,
        path,
        text,
        default.line,
        "default",
        &format!("machine {}", asked.host),
    ))
}

fn is_for(entry: &Entry, host: &str) -> bool {
    matches!(&entry.machine, Named::Host(own) if own.eq_ignore_ascii_case(host))
}

/// Changes a word of a line, where the line holds no secret.
fn line_changed(
    finding: Finding,
    path: &Path,
    text: &str,
    line: usize,
    from: &str,
    to: &str,
) -> Finding {
    let Some(own) = text.lines().nth(line.saturating_sub(1)).filter(|own| own.contains(from))
    else {
        return finding;
    };
    // A change is shown before it is made: a line with a password is a person's to change.
    if own.contains("password") {
        let shown = fix::quoted(&path.display().to_string());
        return finding.run(format!("\"${{EDITOR:-vi}}\" +{line} {shown}"));
    }
    let text = own.replacen(from, to, 1);
    finding.change(Change::Line { file: path.to_owned(), line, text: Some(text) })
}

/// A29: go reads another file than git and curl.
fn two_files(facts: &Facts<'_>) -> Option<Finding> {
    let value = facts.machine.variable("NETRC")?;
    let usual = facts.machine.home.as_ref()?.join(".netrc");
    if Path::new(value.raw()) == usual {
        return None;
    }
    let cause =
        format!("NETRC names {value}: go reads that, git and curl still read {}.", usual.display());
    let finding = facts
        .finding("A29", Severity::Info, cause)
        .seen(
            Kind::Variable,
            Place::Variable("NETRC".to_owned()),
            value.to_string(),
            usual.display().to_string(),
        )
        .affects(&[Tool::Git, Tool::Curl])
        .explains(&["A01", "A04"]);
    Some(fix::variable(facts, finding, "NETRC", None))
}
