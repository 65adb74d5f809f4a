//! `gocred export`: secrets out of the store, in clear, for a program that asks nobody.
//!
//! It deliberately writes to nobody but who was asked for: a pipe, a new file of mode 0600, or with
//! `--show` a terminal. Each release is the broker's, and so written down first.

use std::{
    io::{self, Write},
    path::Path,
};

use secrecy::zeroize::Zeroizing;
use serde::Serialize;

use crate::{
    broker::{Found, Proofs, Question},
    cli::{Export, ExportFormat},
    core::{
        credential::{Entry, Kind as Namespace, Proof, Record},
        export,
        fault::{Fault, Kind},
        secret::ExposeSecret,
        text::printable,
    },
    front::{
        Answer, Context, Outcome, keyring,
        login::{
            prompt::{self, Consent},
            target,
        },
        parts::Parts,
        ui,
    },
    sys::{clock, files, tty},
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;
/// What stands around a secret, in bytes.
const ROOM: usize = 4096;

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    credentials: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    kind: &'static str,
    url: String,
    path: Option<&'a str>,
    account: &'a str,
    expires: Option<u64>,
    password: Option<&'a str>,
    authtype: Option<&'a str>,
    credential: Option<&'a str>,
}

/// Runs the command.
pub fn run(arguments: &Export, context: &Context) -> Outcome {
    let Export { host, format, output, show, yes } = arguments;
    let origin = host.as_deref().map(target::parse_any).transpose()?.map(|target| target.origin);
    match output {
        Some(file) if file.symlink_metadata().is_ok() => {
            return Err(Fault::new(
                Kind::Usage,
                "the file is there already; secrets go into a new one",
            )
            .at(file.display()));
        }
        Some(_) => {}
        None => check_stdout(*show)?,
    }
    let mut store = keyring::open(context);
    let entries = keyring::entries(store.as_mut(), origin.as_ref())?;
    let is_live = |entry: &Entry| {
        entry.hidden.is_none() && entry.expires.is_none_or(|end| end >= clock::now())
    };
    let takes = |entry: &Entry| *format == ExportFormat::Json || entry.key.kind == Namespace::Git;
    let entries: Vec<Entry> =
        entries.into_iter().filter(|entry| is_live(entry) && takes(entry)).collect();
    if entries.is_empty() {
        ui::err("nothing is stored for that; see `gocred list`");
        return Ok(Answer::No);
    }
    consent(entries.len(), *yes, context)?;
    let mut parts = Parts::of(context);
    let mut records = Vec::with_capacity(entries.len());
    for Entry { key, .. } in &entries {
        let question = Question {
            origin: &key.origin,
            path: key.path.as_deref(),
            user: Some(&key.user),
            proofs: if key.kind == Namespace::Git { Proofs::All } else { Proofs::Passwords },
        };
        let found = parts.broker(store.as_mut(), context).ask(&question).map_err(keyring::fault)?;
        match found {
            Some(Found::Complete(record, _)) if record.entry.key == *key => records.push(record),
            Some(_) | None => {
                left_out(&key.origin.authority(), &key.user, "it is not answered now");
            }
        }
    }
    let (text, count) = written(&records, *format)?;
    if count == 0 {
        return Ok(Answer::No);
    }
    match output {
        Some(file) => write(file, &text)?,
        None => print(&text)?,
    }
    ui::err(&format!("exported {count} of {} in clear text", entries.len()));
    Ok(if count == entries.len() { Answer::Yes } else { Answer::No })
}

/// Refuses a standard output that others may read, or that stays on a screen.
fn check_stdout(show: bool) -> Result<(), Fault> {
    if tty::stdout_is_terminal() {
        return if show {
            Ok(())
        } else {
            Err(Fault::new(
                Kind::Usage,
                "standard output is a terminal, which would show the secrets",
            )
            .hint("`--output FILE` writes a file of mode 0600; `--show` shows them"))
        };
    }
    match files::is_stdout_shared() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Fault::new(Kind::Usage, "standard output is a file that others may read")
            .hint("`--output FILE` writes one of mode 0600; or set `umask 077` first")),
        Err(error) => Err(Fault::new(Kind::Usage, "standard output cannot be used").cause(error)),
    }
}

fn consent(count: usize, yes: bool, context: &Context) -> Result<(), Fault> {
    if yes {
        return Ok(());
    }
    if !prompt::is_attended(&context.env) {
        return Err(Fault::new(Kind::Usage, "nobody is at the terminal to agree")
            .hint("`gocred export --yes` does not ask"));
    }
    let what = if count == 1 { "one secret".to_owned() } else { format!("{count} secrets") };
    match prompt::consent(&format!("Write {what} in clear text?"))? {
        Consent::Given => Ok(()),
        Consent::Refused => Err(Fault::new(Kind::Interrupted, "nothing was written")),
    }
}

/// Writes the records in their form; returns how many there are.
fn written(records: &[Record], format: ExportFormat) -> Result<(Zeroizing<Vec<u8>>, usize), Fault> {
    // Every character may need an escape of six; what grows would leave copies behind.
    let size = |record: &Record| match &record.secrets.proof {
        Proof::Password(secret) | Proof::Encoded { authtype: _, credential: secret } => {
            6 * secret.expose_secret().len() + ROOM
        }
    };
    let size = records.iter().map(size).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    let mut count = 0;
    let line = match format {
        ExportFormat::GitCredentials => export::git_credentials,
        ExportFormat::Netrc => export::netrc,
        ExportFormat::Json => {
            let credentials = records.iter().map(row).collect();
            let json = Json { schema: SCHEMA, credentials };
            serde_json::to_writer(&mut *text, &json).map_err(|error| {
                Fault::new(Kind::Internal, "the answer is not JSON").cause(error)
            })?;
            text.push(b'\n');
            return Ok((text, records.len()));
        }
    };
    for record in records {
        match line(record) {
            Ok(line) => {
                text.extend_from_slice(line.expose_secret().as_bytes());
                count += 1;
            }
            Err(why) => {
                let key = &record.entry.key;
                left_out(&key.origin.authority(), &key.user, &why.to_string());
            }
        }
    }
    Ok((text, count))
}

fn row(record: &Record) -> Row<'_> {
    let key = &record.entry.key;
    let (password, authtype, credential) = match &record.secrets.proof {
        Proof::Password(password) => (Some(password.expose_secret()), None, None),
        Proof::Encoded { authtype, credential } => {
            (None, Some(authtype.as_str()), Some(credential.expose_secret()))
        }
    };
    Row {
        kind: key.kind.as_str(),
        url: key.origin.to_string(),
        path: key.path.as_deref(),
        account: &key.user,
        expires: record.entry.expires,
        password,
        authtype,
        credential,
    }
}

fn left_out(place: &str, user: &str, why: &str) {
    ui::err(&format!("note: {} at {place} is left out: {why}", printable(user)));
}

/// Writes a new file: 0600 from its first byte, whole or not at all.
fn write(file: &Path, text: &[u8]) -> Result<(), Fault> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = if folder.is_none_or(Path::is_dir) {
        files::write_private(file, text)
    } else {
        // A mistyped folder is not made.
        Err(io::ErrorKind::NotFound.into())
    };
    written.map_err(|error| {
        Fault::new(Kind::Config, "the file cannot be written").cause(error).at(file.display())
    })
}

/// Writes to standard output past its buffer, which would keep a copy.
fn print(text: &[u8]) -> Result<(), Fault> {
    let lost = |error: io::Error| {
        Fault::new(Kind::Config, "standard output cannot be written; it is incomplete").cause(error)
    };
    let mut stdout = files::stdout().map_err(lost)?;
    stdout.write_all(text).map_err(lost)
}
