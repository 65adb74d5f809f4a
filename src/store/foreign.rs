//! A keyring with a fallback: where it holds nothing, the items that git-credential-libsecret and
//! secret-tool wrote are read in place (`[store] fallback = ["libsecret"]`).
//!
//! It deliberately changes none of them. What git erases is copied, and the copy is hidden; what it
//! stores anew is kept as ours, and goes before theirs.

use crate::{
    core::{
        config::Session,
        credential::{Entry, Hidden, Key, Kind, Query, Record},
        gitproto::receipt::Source,
        libsecret,
    },
    store::{
        Error, Saved, Store,
        conversation::{Conversation, Error as Trouble, Item, Need, Rest},
        secret_client::Client,
    },
    sys::env::Env,
};

/// What is said of a secret that is another program's.
const THEIRS: &str = "another program wrote this secret, and it is only read here; remove it with \
                      `secret-tool clear`, or in your keyring application";

/// Ours first, then theirs.
pub(super) struct WithForeign {
    main: Box<dyn Store>,
    theirs: Client,
}

impl WithForeign {
    /// Reads the items of others on the session bus where `main` has none.
    pub(super) fn new(main: Box<dyn Store>, env: &Env, session: Session) -> Self {
        Self { main, theirs: Client::by(env, session) }
    }

    /// Returns what others keep, newest first of each key.
    fn theirs(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        if query.kind != Kind::Git {
            return Ok(Vec::new());
        }
        let mut records = self.theirs.ask(|service| read(service, query))?;
        records.sort_by(|a, b| {
            let (a, b) = (&a.entry, &b.entry);
            a.key.cmp(&b.key).then(b.stored.cmp(&a.stored))
        });
        records.dedup_by(|older, newer| older.entry.key == newer.entry.key);
        Ok(records)
    }

    fn is_ours(&mut self, key: &Key) -> Result<bool, Error> {
        let entries = self.main.list(&exactly(key))?;
        Ok(entries.iter().any(|entry| entry.key == *key))
    }

    /// Returns what others keep under exactly this key.
    fn their(&mut self, key: &Key) -> Result<Option<Record>, Error> {
        let records = self.theirs(&exactly(key))?;
        Ok(records.into_iter().find(|record| record.entry.key == *key))
    }
}

impl Store for WithForeign {
    fn name(&self) -> &'static str {
        self.main.name()
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        let mut entries = self.main.list(query)?;
        let theirs = self.theirs(query)?.into_iter().map(|record| record.entry);
        let new: Vec<Entry> =
            theirs.filter(|their| entries.iter().all(|ours| ours.key != their.key)).collect();
        entries.extend(new);
        Ok(entries)
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let mut records = self.main.find(query)?;
        if records.iter().any(|record| record.entry.hidden.is_none()) {
            return Ok(records);
        }
        let theirs = self.theirs(query)?;
        let is_new = |their: &Record| records.iter().all(|ours| ours.entry.key != their.entry.key);
        let new: Vec<Record> = theirs.into_iter().filter(is_new).collect();
        records.extend(new);
        Ok(records)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        self.main.save(record)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        if hidden.is_some()
            && !self.is_ours(key)?
            && let Some(record) = self.their(key)?
        {
            self.main.save(&record)?;
        }
        self.main.mark(key, hidden)
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        if key.kind == Kind::Git && !self.is_ours(key)? && self.their(key)?.is_some() {
            return Err(Error::ReadOnly(THEIRS));
        }
        self.main.remove(key)
    }

    fn source(&self) -> Source {
        self.main.source()
    }

    fn damage(&mut self) -> Option<Error> {
        self.main.damage()
    }
}

fn exactly(key: &Key) -> Query {
    let Key { kind, origin, path, user } = key.clone();
    Query { kind, origin: Some(origin), path, user: Some(user) }
}

fn read(service: &mut Conversation, query: &Query) -> Result<Vec<Record>, Trouble> {
    let found = service.search(&libsecret::search(query.origin.as_ref()), Need::Secrets)?;
    let matches: Vec<(Item, Key)> = found
        .items
        .into_iter()
        .filter_map(|item| libsecret::key(&item.attributes).map(|key| (item, key)))
        .filter(|(_, key)| query.matches(key))
        .collect();
    if let (true, Rest::Locked(item)) = (matches.is_empty(), found.rest) {
        service.missing(Rest::Locked(item))?;
    }
    let items: Vec<&Item> = matches.iter().map(|(item, _)| item).collect();
    let payloads = service.secrets(&items)?;
    let mut records = Vec::with_capacity(matches.len());
    for (item, key) in matches {
        let payload = payloads.get(&item.path);
        let Some((secrets, expires)) = payload.and_then(|bytes| libsecret::secrets(bytes)) else {
            continue;
        };
        let stored = modified(service, &item.path)?;
        records.push(Record { entry: Entry { key, expires, stored, hidden: None }, secrets });
    }
    Ok(records)
}

/// Returns when an item was last changed.
fn modified(service: &mut Conversation, item: &str) -> Result<u64, Trouble> {
    let reply = service.get(item, "org.freedesktop.Secret.Item", "Modified")?;
    Ok(reply.read("v")?.variant("t")?.u64()?)
}
