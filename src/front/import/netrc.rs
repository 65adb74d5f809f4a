//! `gocred import netrc`: stores the entries of a netrc in the keyring, reads them back, and with
//! `--remove` takes those out of the file.
//!
//! It deliberately never shows a password, never replaces one that the keyring has, and leaves no
//! copy of the file behind.

use std::path::{Path, PathBuf};

use crate::{
    cli::Import,
    core::{
        credential::{Key, Proof, Query, Record, Secrets},
        fault::{Fault, Kind},
        netrc::import::{GoView, Item, Plan, Stay, Verdict},
        secret::{ExposeSecret, SecretSlice, SecretString, same},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        import::removed,
        keyring::{self, fault},
        ui,
    },
    store::{self, Error, Store, index, netrc},
    sys::{clock, files},
};

/// Runs the command.
pub(super) fn run(arguments: &Import, context: &Context) -> Outcome {
    let Import { file, remove, undo, .. } = arguments;
    let file = file.as_ref().unwrap_or(&context.paths.netrc);
    let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
    let mut store = keyring::open(context);
    let mut import = Run { context, store: store.as_mut(), file };
    if *undo {
        return removed::undo(&mut import);
    }
    import.import(if *remove { Then::Remove } else { Then::Keep })
}

/// What happens to the entries that are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Remove,
}

/// What became of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The keyring has another password for it, which stays.
    Conflict,
    Left(Stay),
    Stored,
}

pub(super) struct Run<'a> {
    pub(super) context: &'a Context,
    pub(super) store: &'a mut dyn Store,
    pub(super) file: PathBuf,
}

impl Run<'_> {
    fn import(&mut self, then: Then) -> Outcome {
        let source = self.read()?.ok_or_else(|| self.missing())?;
        let bytes = source.expose_secret();
        let plan = Plan::of(bytes).map_err(|error| {
            Fault::new(Kind::Config, "your netrc cannot be read, and nothing was changed")
                .cause(error.what)
                .at(self.at(error.line))
        })?;
        self.remark()?;
        let mut fates = Vec::with_capacity(plan.items.len());
        for item in &plan.items {
            let fate = self.execute(&item.verdict)?;
            self.tell(item, fate);
            fates.push(fate);
        }
        for line in &plan.only_go {
            ui::out(&format!("{}  read by go alone, left in place", self.at(*line)));
        }
        let places = |wanted| fates.iter().enumerate().filter(move |(_, fate)| **fate == wanted);
        let stored: Vec<usize> = places(Fate::Stored).map(|(place, _)| place).collect();
        let conflicts = places(Fate::Conflict).count();
        let mut left = conflicts + fates.iter().filter(|fate| has_lost_password(**fate)).count();
        ui::out(&format!("{} of {} entries are in the keyring", stored.len(), plan.items.len()));
        if then == Then::Remove {
            left += self.remove(bytes, &plan, &stored)?;
        } else if !stored.is_empty() {
            ui::err(&format!(
                "hint: `gocred import netrc --remove{}` takes them out of the file",
                self.option()
            ));
        }
        Ok(if left == 0 && !stored.is_empty() { Answer::Yes } else { Answer::No })
    }

    /// Stores one item, and reads it back.
    fn execute(&mut self, verdict: &Verdict) -> Result<Fate, Fault> {
        let (key, password) = match verdict {
            Verdict::Stay(stay) => return Ok(Fate::Left(*stay)),
            Verdict::Store(key, password) => (key, password),
        };
        match self.find(key)? {
            Some(record) if record.entry.hidden.is_none() && !is_password(&record, password) => {
                return Ok(Fate::Conflict);
            }
            Some(_) | None => {}
        }
        let secrets = Secrets::of(Proof::Password(password.clone()));
        let record = store::record(key.clone(), secrets, None, clock::now());
        // First, because a secret that is stored and not listed is never answered.
        keyring::index(self.context, |state| index::add(state, key.kind, &key.origin))?;
        self.store.save(&record).map_err(fault)?;
        match self.find(key)? {
            Some(record) if is_password(&record, password) => Ok(Fate::Stored),
            Some(_) | None => Err(fault(Error::Service(format!(
                "it did not give back what it took for {}",
                key.origin
            )))),
        }
    }

    /// Takes stored items out of the file; returns how many had to stay.
    fn remove(&self, source: &[u8], plan: &Plan<'_>, stored: &[usize]) -> Result<usize, Fault> {
        let removal = plan.remove(stored);
        for (place, why) in &removal.kept {
            let line = plan.items.get(*place).map_or(0, |item| item.line);
            ui::out(&format!("{}  not taken out: {why}", self.at(line)));
        }
        if !removal.pieces.is_empty() {
            let unchanged = self.read()?.is_some_and(|now| now.expose_secret() == source);
            if !unchanged {
                return Err(Fault::new(Kind::Config, "your netrc was changed meanwhile")
                    .cause("nothing was taken out")
                    .at(self.file.display())
                    .hint("run the command again"));
            }
            removed::execute(self, &removal)?;
            let count = stored.len() - removal.kept.len();
            ui::out(&format!("{count} taken out of {}", self.shown()));
            ui::err("hint: `gocred import netrc --undo` puts them back");
        }
        Ok(removal.kept.len())
    }

    /// Says what is unusual about the file, on standard error.
    fn remark(&self) -> Result<(), Fault> {
        let about = files::about(&self.file).map_err(|error| self.unusable(&error))?;
        let Some(files::About { length: _, modified: _, link, shared }) = about else {
            return Ok(());
        };
        if let Some(target) = link {
            let target = printable(&target.display().to_string());
            ui::err(&format!("note: {} is a symbolic link to {target}", self.shown()));
        }
        if shared {
            ui::err(&format!(
                "warning: others may read {0}; run `chmod 600 {0}`, and change its passwords",
                self.shown()
            ));
        }
        Ok(())
    }

    fn tell(&self, item: &Item, fate: Fate) {
        let host = item.host.as_deref().map_or_else(|| "default".to_owned(), printable);
        let entry = match &item.verdict {
            Verdict::Store(key, _) => format!("{}  {}  ****", key.origin, printable(&key.user)),
            Verdict::Stay(_) => host,
        };
        let fate = match fate {
            Fate::Conflict => "left in place: the keyring has another password for it; \
                               `gocred logout` removes that one"
                .to_owned(),
            Fate::Left(stay) => format!("left in place: {stay}"),
            Fate::Stored => "stored".to_owned(),
        };
        ui::out(&format!("{}  {entry}  {fate}", self.at(item.line)));
        match (&item.verdict, item.go) {
            (Verdict::Stay(_), _) | (Verdict::Store(..), GoView::Agrees) => {}
            (Verdict::Store(..), GoView::Blind) => {
                ui::err(&format!("note: go did not read line {}", item.line));
            }
            (Verdict::Store(..), GoView::Differs(line)) => ui::err(&format!(
                "note: go read another login or password for it than git, from line {line}"
            )),
        }
    }

    /// Returns the record of a key, hidden or not.
    pub(super) fn find(&mut self, key: &Key) -> Result<Option<Record>, Fault> {
        let Key { kind, origin, path: _, user } = key.clone();
        let query = Query { kind, origin: Some(origin), path: None, user: Some(user) };
        let records = self.store.find(&query).map_err(fault)?;
        Ok(records.into_iter().find(|record| record.entry.key == *key))
    }

    pub(super) fn read(&self) -> Result<Option<SecretSlice<u8>>, Fault> {
        netrc::read(&self.file).map_err(|error| match error {
            Error::File { file: _, line: _, what } => self.unusable(&what),
            error => fault(error),
        })
    }

    pub(super) fn unusable(&self, cause: &dyn std::fmt::Display) -> Fault {
        Fault::new(Kind::Config, "your netrc cannot be read").cause(cause).at(self.file.display())
    }

    fn missing(&self) -> Fault {
        Fault::new(Kind::NotFound, "there is no netrc").at(self.shown())
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.shown())
    }

    pub(super) fn shown(&self) -> String {
        printable(&self.file.display().to_string())
    }

    /// Returns the option that names the file again, if it is not the usual one.
    fn option(&self) -> String {
        let usual = self.file == self.context.paths.netrc;
        if usual { String::new() } else { format!(" --file {}", self.shown()) }
    }
}

/// Whether a secret stays in clear text although the person wanted it to move. `default` is not
/// counted: gocred has no place for it.
fn has_lost_password(fate: Fate) -> bool {
    match fate {
        Fate::Conflict | Fate::Stored | Fate::Left(Stay::Default | Stay::NoPassword) => false,
        Fate::Left(
            Stay::Control
            | Stay::NoLogin
            | Stay::NotAHost
            | Stay::NotText
            | Stay::Shadowed(_)
            | Stay::TokenAsLogin,
        ) => true,
    }
}

fn is_password(record: &Record, password: &SecretString) -> bool {
    match &record.secrets.proof {
        Proof::Password(stored) => same(stored, password),
        Proof::Encoded { authtype: _, credential: _ } => false,
    }
}

/// Returns where the record of what was taken out is kept.
pub(super) fn record_file(state: &Path) -> PathBuf {
    state.join("netrc-removed.json")
}
