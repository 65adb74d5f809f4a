//! What the proxy is given of the keyring: the passwords of its upstreams, and the guard's memory.

use std::sync::{Mutex, PoisonError};

use crate::{
    broker::{self, Asked, Journal, Log, Proofs, Question, Release, Secret},
    core::{
        audit::Via,
        auth::floor::Floor,
        choice::Choice,
        credential::{Key, Kind, Proof, Query, Record},
        origin::Origin,
        text::printable,
    },
    front::{Context, ui},
    proxy::{Account, Trouble, Vault},
    store::{
        self, Store,
        guard::{Attempt, Guard},
        strongest,
    },
    sys::clock,
};

/// The passwords of the store, and the memory of the rejected ones.
pub(crate) struct Keyring {
    context: Context,
    guard: Guard,
    /// The encrypted file, once it was opened: its passphrase is dear. A keyring is asked anew each
    /// time, because its service comes and goes.
    file: Mutex<Option<Box<dyn Store>>>,
}

impl Keyring {
    pub(crate) fn new(context: Context, guard: Guard) -> Self {
        Self { context, guard, file: Mutex::new(None) }
    }

    fn with_store<T>(&self, use_it: impl FnOnce(&mut dyn Store) -> T) -> T {
        let open = || store::open(&self.context.desk());
        if store::choice(&self.context.env, &self.context.config) != Ok(Choice::File) {
            return use_it(&mut *open());
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut **file.get_or_insert_with(open))
    }

    /// Writes down that the proxy gets a password: it keeps it for as long as it is accepted.
    fn release(&self, record: &Record, upstream: &Origin) -> Result<(), Trouble> {
        let Context { env: _, paths, config } = &self.context;
        let Some(mut log) = Log::of(config, paths, Via::Proxy, Asked::ByItself) else {
            return Ok(());
        };
        let Key { kind: _, origin: _, path: _, user } = &record.entry.key;
        let (path, user, proofs) = (None, Some(user.as_str()), Proofs::Passwords);
        let question = &Question { origin: upstream, path, user, proofs };
        let (part, source) = (Secret::Proof, self.with_store(|store| store.source()));
        let release = Release { record, part, source, question, rule: None };
        log.record(&release).map_err(|unrecorded| trouble(&unrecorded.into()))?;
        if let Some(omission) = log.omission() {
            ui::err(&format!("gocred[K15]: {}", printable(&omission.to_string())));
        }
        Ok(())
    }

    fn tell_damage(&self) {
        if let Some(damage) = self.guard.damage() {
            ui::err(&damage.to_string());
        }
    }
}

/// Says what is the matter with a store in the proxy's words.
pub(crate) fn trouble(error: &store::Error) -> Trouble {
    match error {
        store::Error::Locked
        | store::Error::NoCollection
        | store::Error::NotOpen { .. }
        | store::Error::Prompt => Trouble::Locked,
        store::Error::NoAgent(_) | store::Error::NoService(_) => {
            Trouble::Missing(error.to_string())
        }
        store::Error::Silent(_)
        | store::Error::Service(_)
        | store::Error::Damaged(_)
        | store::Error::Elsewhere
        | store::Error::InClear(_)
        | store::Error::File { .. }
        | store::Error::Full(_)
        | store::Error::ReadOnly(_)
        | store::Error::Refused(_)
        | store::Error::Rollback { .. } => Trouble::Failed(error.to_string()),
        store::Error::Withheld { code, what } => Trouble::Withheld { code, what: what.clone() },
    }
}

impl Vault for Keyring {
    fn account(
        &self,
        upstream: &Origin,
        username: Option<&str>,
    ) -> Result<Option<Account>, Trouble> {
        let query = Query::origin(Kind::Proxy, upstream.clone());
        let found = self.with_store(|store| store.find(&query));
        let mut records = found.map_err(|error| trouble(&error))?;
        records.retain(|record| username.is_none_or(|user| user == record.entry.key.user));
        let record = broker::choose(records, clock::now());
        if let Some(record) = &record {
            self.release(record, upstream)?;
        }
        Ok(record.and_then(|record| match record.secrets.proof {
            Proof::Password(password) => Some(Account { user: record.entry.key.user, password }),
            Proof::Encoded { .. } => None,
        }))
    }

    fn is_rejected(&self, upstream: &Origin, realm: &str, account: &Account) -> bool {
        let Account { user, password } = account;
        let attempt = Attempt { upstream, realm, user, password };
        let known = self.with_store(|store| self.guard.knows(&attempt, store));
        self.tell_damage();
        known
    }

    fn reject(&self, upstream: &Origin, realm: &str, account: &Account) {
        let Account { user, password } = account;
        let attempt = Attempt { upstream, realm, user, password };
        self.with_store(|store| self.guard.remember(&attempt, store));
        self.tell_damage();
    }

    fn floor(&self, upstream: &Origin) -> Option<Floor> {
        strongest::read(&self.context.paths.state, upstream)
    }

    fn raise_floor(&self, upstream: &Origin, floor: Floor) {
        if let Err(error) = strongest::raise(&self.context.paths.state, upstream, floor) {
            ui::err(&format!("what {upstream} offers is not remembered: {error}"));
        }
    }
}
