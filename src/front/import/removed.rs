//! What `--remove` took out of netrc files, and `--undo`.
//!
//! The record in the state folder has everything but the passwords: those are in the keyring, and
//! come from there when a file is put back. It deliberately is no copy of the file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    core::{
        credential::{Key, Kind as Namespace, Proof},
        fault::{Fault, Kind},
        netrc::{
            curl, edit,
            import::{Part, Piece, Quoting, Removal},
        },
        origin::Origin,
        secret::{ExposeSecret, SecretString, same},
    },
    front::{
        self, Answer, Outcome,
        import::netrc::{Run, record_file},
        ui,
    },
    sys::files,
};

/// The file's grammar.
const SCHEMA: u32 = 1;

/// The largest record that is read, in bytes: a netrc and its JSON, many times.
const MAX_RECORD: u64 = 4 * 1024 * 1024;

/// Everything that can be put back.
#[derive(Debug, Deserialize, Serialize)]
struct Journal {
    schema: u32,
    /// Oldest first.
    removals: Vec<Removed>,
}

/// One `--remove`.
#[derive(Debug, Deserialize, Serialize)]
struct Removed {
    file: PathBuf,
    /// The file as it was left. `None`: it was about to be written.
    left: Option<Left>,
    pieces: Vec<PieceRow>,
}

/// By what a file is known again. No hash: the file may hold further secrets.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Left {
    length: u64,
    modified: u64,
}

#[derive(Debug, Deserialize, Serialize)]
struct PieceRow {
    at: usize,
    parts: Vec<PartRow>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum PartRow {
    Text(String),
    Password { origin: String, user: String, quoted: bool },
}

/// Records a removal, writes the file, and records what it looks like then.
pub(super) fn execute(run: &Run<'_>, removal: &Removal) -> Result<(), Fault> {
    let record = record_file(&run.context.paths.state);
    let _lock = files::lock(&record).map_err(|error| unwritable(&record, &error))?;
    let mut journal = load(&record)?;
    let pieces = removal.pieces.iter().map(PieceRow::from).collect();
    journal.removals.push(Removed { file: run.file.clone(), left: None, pieces });
    save(&record, &journal)?;
    write(run, &removal.after)?;
    if let Some(last) = journal.removals.last_mut() {
        last.left = left(run)?;
    }
    save(&record, &journal)
}

/// Puts back what the last `--remove` took out of the file.
pub(super) fn undo(run: &mut Run<'_>) -> Outcome {
    let record = record_file(&run.context.paths.state);
    let _lock = files::lock(&record).map_err(|error| unwritable(&record, &error))?;
    let mut journal = load(&record)?;
    let Some(place) = journal.removals.iter().rposition(|removed| removed.file == run.file) else {
        ui::out(&format!("nothing was taken out of {}", run.shown()));
        ui::err("hint: what `gocred import` moved comes back with `gocred import --undo`");
        return Ok(Answer::No);
    };
    let removed = journal.removals.remove(place);
    let secrets = Secrets::of(run, &removed)?;
    let now = run.read()?;
    let now = now.as_ref().map_or(&b""[..], |now| now.expose_secret());
    let is_as_left = removed.left.is_some() && removed.left == left(run)?;
    if is_as_left {
        write(run, &secrets.insert(now))?;
        // An earlier removal left the file that is there again now.
        let earlier = journal.removals.iter_mut().rev().find(|earlier| earlier.file == run.file);
        if let Some(earlier) = earlier {
            earlier.left = left(run)?;
        }
    } else if !secrets.are_in(now) {
        ui::err(&format!("note: {} was changed since; they go to its end", run.shown()));
        let whole = secrets.append(now);
        if !secrets.are_in(&whole) {
            return Err(Fault::new(Kind::Config, "nothing was put back")
                .cause("at the end of your netrc, curl would not read it")
                .at(run.file.display())
                .hint("close the macro or the quote at its end, and try again"));
        }
        write(run, &whole)?;
    }
    save(&record, &journal)?;
    ui::out(&format!("{} put back into {}", secrets.passwords.len(), run.shown()));
    ui::err("hint: the keyring keeps them too; `gocred logout HOST` forgets a host there");
    Ok(Answer::Yes)
}

/// What was taken out, with its passwords.
struct Secrets {
    pieces: Vec<(usize, SecretString)>,
    passwords: Vec<(Key, SecretString)>,
}

impl Secrets {
    /// Takes the passwords back from the keyring.
    fn of(run: &mut Run<'_>, removed: &Removed) -> Result<Self, Fault> {
        let mut secrets = Self { pieces: Vec::new(), passwords: Vec::new() };
        for PieceRow { at, parts } in &removed.pieces {
            let mut piece: Vec<SecretString> = Vec::with_capacity(parts.len());
            for part in parts {
                match part {
                    PartRow::Text(text) => piece.push(text.as_str().into()),
                    PartRow::Password { origin, user, quoted } => {
                        let (key, password) = password(run, origin, user)?;
                        let quoting = if *quoted { Quoting::Quoted } else { Quoting::Bare };
                        piece.push(quoting.write(&password));
                        secrets.passwords.push((key, password));
                    }
                }
            }
            let mut whole =
                String::with_capacity(piece.iter().map(|part| part.expose_secret().len()).sum());
            for part in &piece {
                whole.push_str(part.expose_secret());
            }
            secrets.pieces.push((*at, whole.into()));
        }
        Ok(secrets)
    }

    /// Returns the file that was: every byte of it.
    fn insert(&self, now: &[u8]) -> Vec<u8> {
        let pieces: Vec<(usize, &[u8])> =
            self.pieces.iter().map(|(at, piece)| (*at, piece.expose_secret().as_bytes())).collect();
        edit::insert(now, &pieces)
    }

    /// Returns a file with them at its end, each on its own lines.
    fn append(&self, now: &[u8]) -> Vec<u8> {
        let mut whole = now.to_vec();
        for (_, piece) in &self.pieces {
            if whole.last().is_some_and(|byte| *byte != b'\n') {
                whole.push(b'\n');
            }
            whole.extend_from_slice(piece.expose_secret().as_bytes());
        }
        whole
    }

    /// Tells whether curl finds all of them in a file.
    fn are_in(&self, source: &[u8]) -> bool {
        self.passwords.iter().all(|(key, password)| {
            let hosts = [key.origin.host().to_owned(), key.origin.authority()];
            hosts.iter().any(|host| match curl::lookup(source, host, Some(&key.user)) {
                Ok(Some(found)) => found.password.is_some_and(|found| same(&found, password)),
                Ok(None) | Err(_) => false,
            })
        })
    }
}

fn password(run: &mut Run<'_>, origin: &str, user: &str) -> Result<(Key, SecretString), Fault> {
    let damaged = |_| Fault::new(Kind::Config, DAMAGED).cause("a host in it is none");
    let (origin, _) = Origin::from_url(origin).map_err(damaged)?;
    let key = Key { kind: Namespace::Git, origin, path: None, user: user.to_owned() };
    match run.find(&key)?.map(|record| record.secrets.proof) {
        Some(Proof::Password(password)) => Ok((key, password)),
        Some(Proof::Encoded { authtype: _, credential: _ }) | None => Err(Fault::new(
            Kind::NotFound,
            format!("the keyring has no password any more for {} and this login", key.origin),
        )
        .cause("your netrc was not changed")
        .hint(format!("run `gocred login {}` with the same login, and try again", key.origin))),
    }
}

fn left(run: &Run<'_>) -> Result<Option<Left>, Fault> {
    let about = files::about(&run.file).map_err(|error| run.unusable(&error))?;
    Ok(about.map(|about| Left { length: about.length, modified: about.modified }))
}

fn write(run: &Run<'_>, bytes: &[u8]) -> Result<(), Fault> {
    files::write_private(&run.file, bytes).map_err(|error| {
        Fault::new(Kind::Config, "your netrc cannot be written, and was not changed")
            .cause(error)
            .at(run.file.display())
    })
}

const DAMAGED: &str = "the record of what was taken out cannot be read";

fn load(record: &Path) -> Result<Journal, Fault> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, DAMAGED).cause(cause).at(record.display())
    };
    let bytes = files::read(record, MAX_RECORD).map_err(|error| wrong(&error))?;
    let Some(bytes) = bytes else {
        return Ok(Journal { schema: SCHEMA, removals: Vec::new() });
    };
    let damaged = |error: serde_json::Error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        front::set_aside(wrong(&place), record)
    };
    let journal: Journal = serde_json::from_slice(&bytes).map_err(damaged)?;
    if journal.schema == SCHEMA {
        Ok(journal)
    } else {
        Err(wrong(&format!("it is of version {}, and this gocred knows {SCHEMA}", journal.schema)))
    }
}

fn save(record: &Path, journal: &Journal) -> Result<(), Fault> {
    let bytes = serde_json::to_vec(journal).map_err(|error| unwritable(record, &error))?;
    files::write_private(record, &bytes).map_err(|error| unwritable(record, &error))
}

fn unwritable(record: &Path, cause: &dyn std::fmt::Display) -> Fault {
    Fault::new(Kind::Config, "the record of what was taken out cannot be written")
        .cause(cause)
        .at(record.display())
}

impl From<&Piece> for PieceRow {
    fn from(piece: &Piece) -> Self {
        let Piece { at, parts } = piece;
        Self { at: *at, parts: parts.iter().map(PartRow::from).collect() }
    }
}

impl From<&Part> for PartRow {
    fn from(part: &Part) -> Self {
        match part {
            Part::Password(Key { kind: _, origin, path: _, user }, quoting) => Self::Password {
                origin: origin.to_string(),
                user: user.clone(),
                quoted: *quoting == Quoting::Quoted,
            },
            Part::Text(text) => Self::Text(text.clone()),
        }
    }
}
