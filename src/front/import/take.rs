//! Moves secrets: each into the store and read back, then what undoes the change, then the file.
//!
//! In this order, so that a kill, a full disk or a locked keyring at any point leaves the secret where
//! it was, or in two places, and never nowhere.

use std::path::Path;

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        credential::{Key, Query, Record, Secrets},
        door,
        fault::{Fault, Kind},
        import::{self, MAX_FILE, Move, Put, backup::Backup, edit},
        netrc::import::Kept,
        text::printable,
    },
    front::{
        Context, env_cmd,
        import::{
            scan::{Fate, Reason, Scan},
            sealed,
        },
        keyring::{self, fault},
        login::configure,
        setup::short,
    },
    store::{self, Error, Store, index},
    sys::{clock, files},
};

/// [`MAX_FILE`], as files are measured.
const LIMIT: u64 = MAX_FILE as u64;

/// Who moves.
pub(super) struct Taker<'a> {
    pub(super) context: &'a Context,
    pub(super) store: &'a mut dyn Store,
    /// Whether git asks us, so that it can be sent to the loopback proxy under our name.
    pub(super) is_git_wired: bool,
    /// Whether the loopback proxy knows where to go.
    pub(super) has_upstream: bool,
}

impl Taker<'_> {
    /// Moves what was chosen, and returns what went wrong. That of one file does not stop the others; a
    /// store that fails does.
    pub(super) fn take(&mut self, scan: &mut Scan, chosen: &[(usize, usize)]) -> Vec<Fault> {
        let mut problems = Vec::new();
        let run = match self.run() {
            Ok(run) => run,
            Err(fault) => return vec![fault],
        };
        for sheet in 0..scan.sheets.len() {
            let of_this = chosen.iter().filter(|(one, _)| *one == sheet).copied();
            let mut stored = Vec::new();
            let all = self.store_all(scan, of_this, &mut stored);
            let is_answering = all.is_ok();
            match all.and_then(|()| self.edit(scan, sheet, &stored, run)) {
                Ok(kept) => {
                    for place in stored {
                        scan.set((sheet, place), Fate::Moved);
                    }
                    for (place, why) in kept {
                        scan.set((sheet, place), Fate::Stored(Reason::Netrc(why)));
                    }
                }
                Err(problem) => {
                    let reason = problem.causes.first().unwrap_or(&problem.message).clone();
                    for place in stored {
                        scan.set((sheet, place), Fate::Stored(Reason::File(reason.clone())));
                    }
                    problems.push(problem);
                    if !is_answering {
                        break;
                    }
                }
            }
        }
        problems
    }

    /// Stores what was chosen of one file. `stored` is what can then go out of it.
    fn store_all(
        &mut self,
        scan: &mut Scan,
        chosen: impl Iterator<Item = (usize, usize)>,
        stored: &mut Vec<usize>,
    ) -> Result<(), Fault> {
        for place in chosen {
            let Some(one) = scan.moving(place).cloned() else { continue };
            let is_movable = scan.fate(place) == Some(&Fate::Movable);
            match self.store(&one)? {
                Ok(()) if is_movable => stored.push(place.1),
                Ok(()) => {
                    let next = self.upstream(&one.key)?;
                    scan.set(place, Fate::Stored(next));
                }
                Err(reason) => scan.set(place, Fate::Stays(reason)),
            }
        }
        Ok(())
    }

    /// Numbers this run: later than every one before, whatever the clock says.
    fn run(&mut self) -> Result<u64, Fault> {
        let last = sealed::all(self.store)?.last().map_or(0, |sealed| sealed.run);
        Ok(clock::now().max(last + 1))
    }

    /// Stores a secret and reads it back. The inner error is one of this secret alone.
    fn store(&mut self, one: &Move) -> Result<Result<(), Reason>, Fault> {
        let Move { key, proof, asker: _, cut: _ } = one;
        match self.find(key)? {
            Some(record) if record.entry.hidden.is_none() => {
                // It may be more than this: a login that renews itself.
                let is_same = record.secrets.proof.same(proof);
                return Ok(if is_same { Ok(()) } else { Err(Reason::Conflict) });
            }
            Some(_) | None => {}
        }
        let record = store::record(key.clone(), Secrets::of(proof.clone()), None, clock::now());
        // First, because a secret that is stored and not listed is never answered.
        keyring::index(self.context, |state| index::add(state, key.kind, &key.origin))?;
        match self.store.save(&record) {
            Ok(_) => {}
            Err(Error::Refused(what)) => return Ok(Err(Reason::Refused(what))),
            Err(error) => return Err(fault(error)),
        }
        match self.find(key)? {
            Some(record) if record.secrets.proof.same(proof) && record.entry.hidden.is_none() => {
                Ok(Ok(()))
            }
            Some(_) | None => {
                let what = format!("it did not give back what it took for {}", key.origin);
                Err(fault(Error::Service(what)))
            }
        }
    }

    fn find(&mut self, key: &Key) -> Result<Option<Record>, Fault> {
        let Key { kind, origin, path: _, user } = key.clone();
        let query = Query { kind, origin: Some(origin), path: None, user: Some(user) };
        let records = self.store.find(&query).map_err(fault)?;
        Ok(records.into_iter().find(|record| record.entry.key == *key))
    }

    /// Makes a proxy the upstream where there is none; says what is left to do.
    fn upstream(&mut self, key: &Key) -> Result<Reason, Fault> {
        if !self.has_upstream {
            configure::upstream(&key.origin, self.context)?;
            self.has_upstream = true;
        }
        let next = "run `gocred proxy install`, then `gocred import` again";
        Ok(Reason::NoProxy(next.to_owned()))
    }

    /// Takes stored secrets out of their file.
    fn edit(
        &mut self,
        scan: &Scan,
        sheet: usize,
        stored: &[usize],
        run: u64,
    ) -> Result<Vec<(usize, Kept)>, Fault> {
        let Some(one) = scan.sheets.get(sheet).filter(|_| !stored.is_empty()) else {
            return Ok(Vec::new());
        };
        let file = &one.place.file;
        let url = env_cmd::proxy_url(self.context);
        let put = |put| match put {
            Put::Nothing => String::new(),
            Put::ProxyOfGit if self.is_git_wired => of_git(&url),
            Put::Proxy | Put::ProxyOfGit => url.clone(),
        };
        let (splices, kept) = import::take(one.place.form, &one.source, &one.found, stored, put);
        if splices.is_empty() {
            return Ok(kept);
        }
        let after = edit::apply(&one.source, &splices);
        let after = after.filter(|after| {
            edit::revert(after, &splices).is_some_and(|before| *before == *one.source)
        });
        let after = Zeroizing::new(after.ok_or_else(|| {
            problem(file, "the edit would not come out as intended", self.context)
        })?);
        let backup = Backup {
            file: file.display().to_string(),
            before: sealed::hash(&one.source),
            after: sealed::hash(&after),
            splices,
        };
        let sealed = sealed::keep(self.store, (run, sheet), &backup)?;
        let Err(problem) = self.write(file, &one.source, &after) else { return Ok(kept) };
        // An error may come after the new file has its name, from the fsync of the folder, say.
        match files::read(file, LIMIT).ok().flatten().map(Zeroizing::new) {
            Some(now) if *now == *after => return Ok(kept),
            // Nothing was taken out: there is nothing to undo.
            Some(now) if *now == *one.source => sealed::forget(self.store, &sealed)?,
            // Who knows: what undoes it stays.
            Some(_) | None => {}
        }
        Err(problem)
    }

    /// Writes a file, unless it is another one by now.
    fn write(&self, file: &Path, source: &[u8], after: &[u8]) -> Result<(), Fault> {
        let now = files::read(file, LIMIT)
            .map_err(|error| problem(file, &error.to_string(), self.context))?;
        if now.map(Zeroizing::new).is_none_or(|now| *now != source) {
            return Err(problem(file, "it was changed meanwhile", self.context)
                .hint("run `gocred import` again"));
        }
        let swept = files::sweep(file);
        swept
            .and_then(|()| files::write_private(file, after))
            .map_err(|error| problem(file, &error.to_string(), self.context))
    }
}

/// Names the account that makes git ask its helper what opens the loopback proxy's door.
fn of_git(url: &str) -> String {
    match url.strip_prefix("http://") {
        Some(place) => format!("http://{}@{place}", door::USER),
        None => url.to_owned(),
    }
}

fn problem(file: &Path, cause: &str, context: &Context) -> Fault {
    let shown = short(file, context);
    Fault::new(Kind::Config, format!("{shown} was left as it is; its secrets are stored"))
        .cause(printable(cause))
        .at(shown)
}
