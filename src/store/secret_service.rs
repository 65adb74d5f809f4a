//! The default store on Linux: the Secret Service, which gnome-keyring and others provide.
//!
//! It deliberately opens no prompt: a keyring that wants one is locked, and that is the answer.
//! *Missing* is said only when the default collection is there and open.

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Query, Record},
        sorted::Sorted,
    },
    store::{
        self, Saved, Store,
        conversation::{Conversation, Error, Item, Need, New},
        item::{self, Attributes},
        secret_client::Client,
    },
    sys::env::Env,
};

/// The Secret Service on the session bus.
pub struct SecretService {
    client: Client,
}

impl SecretService {
    /// Takes the address of the session bus from the environment; connects on the first question.
    pub fn new(env: &Env) -> Self {
        Self { client: Client::new(env) }
    }

    /// The same, with secrets travelling in a session of this kind.
    #[cfg(feature = "full")]
    pub(super) fn by(env: &Env, session: crate::core::config::Session) -> Self {
        Self { client: Client::by(env, session) }
    }
}

impl Store for SecretService {
    fn name(&self) -> &'static str {
        "Secret Service"
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, store::Error> {
        let matches = self.client.ask(|service| find(service, query, Need::Attributes))?;
        Ok(newest(matches.into_iter().map(|(_, entry)| entry), |entry| entry))
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, store::Error> {
        let found = self.client.ask(|service| {
            let matches = find(service, query, Need::Secrets)?;
            let items: Vec<&Item> = matches.iter().map(|(item, _)| item).collect();
            let secrets = service.secrets(&items)?;
            Ok((matches, secrets))
        })?;
        let (matches, payloads) = found;
        let mut records = Vec::with_capacity(matches.len());
        for (item, mut entry) in matches {
            let Some(payload) = payloads.get(&item.path) else { continue };
            if !self.client.is_whole() && item::is_in_file(payload) {
                return Err(store::Error::Elsewhere);
            }
            let (secrets, expires) = item::secrets(payload).map_err(|error| {
                store::Error::Damaged(format!("the item of {}: {error}", entry.key.origin))
            })?;
            entry.expires = expires;
            records.push(Record { entry, secrets });
        }
        Ok(newest(records.into_iter(), |record| &record.entry))
    }

    fn save(&mut self, record: &Record) -> Result<Saved, store::Error> {
        let Record { entry, secrets } = record;
        let refused = |error: item::Error| match error {
            item::Error::TooLong if !self.client.is_whole() => store::Error::Elsewhere,
            error => store::Error::Refused(error.to_string()),
        };
        item::check(&entry.key).map_err(refused)?;
        let payload = item::payload(secrets, entry.expires).map_err(refused)?;
        self.client.ask(|service| save(service, entry, payload.as_bytes()))
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), store::Error> {
        self.client.ask(|service| {
            for (item, entry) in twins(service, key)? {
                if entry.hidden.as_ref() != hidden {
                    // Ours alone: KeePassXC shows some of its own, and lets nobody set them.
                    let entry = Entry { hidden: hidden.cloned(), ..entry };
                    let attributes = item::attributes_after(&item.attributes, &entry);
                    service.set_attributes(&item.path, &attributes)?;
                }
            }
            Ok(())
        })
    }

    fn remove(&mut self, key: &Key) -> Result<(), store::Error> {
        self.client.ask(|service| {
            for (item, _) in twins(service, key)? {
                service.delete(&item.path)?;
            }
            Ok(())
        })
    }
}

/// Returns the items that answer a query by their own attributes, whatever the search says.
fn find(
    service: &mut Conversation,
    query: &Query,
    need: Need,
) -> Result<Vec<(Item, Entry)>, Error> {
    let wanted = item::search_attributes(query.kind, query.origin.as_ref());
    search(service, &wanted, need, |key| query.matches(key))
}

/// Returns the items of one key: none, one, or several that others have made.
fn twins(service: &mut Conversation, key: &Key) -> Result<Vec<(Item, Entry)>, Error> {
    let wanted = item::search_attributes(key.kind, Some(&key.origin));
    search(service, &wanted, Need::Attributes, |other| other == key)
}

fn search(
    service: &mut Conversation,
    wanted: &Attributes,
    need: Need,
    is_wanted: impl Fn(&Key) -> bool,
) -> Result<Vec<(Item, Entry)>, Error> {
    let found = service.search(wanted, need)?;
    let matches: Vec<_> = found
        .items
        .into_iter()
        .filter_map(|item| item::entry(&item.attributes).map(|entry| (item, entry)))
        .filter(|(_, entry)| is_wanted(&entry.key))
        .collect();
    if matches.is_empty() {
        service.missing(found.rest)?;
    }
    Ok(matches)
}

/// Keeps the newest record of each key, in the order of the keys.
fn newest<T>(records: impl Iterator<Item = T>, entry: impl Fn(&T) -> &Entry) -> Vec<T> {
    let mut newest = Sorted::default();
    for record in records {
        let Entry { key, stored, .. } = entry(&record);
        if newest.get(key).is_none_or(|other| entry(other).stored < *stored) {
            newest.insert(key.clone(), record);
        }
    }
    newest.into_iter().map(|(_, record)| record).collect()
}

/// Writes unless the same is there. Of several items with the same key one is left.
fn save(service: &mut Conversation, entry: &Entry, payload: &[u8]) -> Result<Saved, Error> {
    let wanted = item::search_attributes(entry.key.kind, Some(&entry.key.origin));
    let found = service.search(&wanted, Need::Secrets)?;
    let twins: Vec<_> = found
        .items
        .iter()
        .filter(|item| item::entry(&item.attributes).is_some_and(|old| old.key == entry.key))
        .collect();
    let secrets = service.secrets(&twins)?;
    if let [item] = twins.as_slice()
        && item::entry(&item.attributes).is_some_and(|old| old.hidden.is_none())
        && secrets.get(&item.path).is_some_and(|old| old.as_slice() == payload)
    {
        return Ok(Saved::Unchanged);
    }
    let collection = match twins.first().and_then(|item| item.path.rsplit_once('/')) {
        Some((collection, _)) => collection.to_owned(),
        None => service.missing(found.rest)?,
    };
    // Only with the attributes of the key, so that the service finds what it is to replace.
    let key = item::key_attributes(&entry.key);
    let twin = twins.first().map(|twin| twin.path.as_str());
    let label = item::label(&entry.key);
    let new = New { label: &label, attributes: &key, secret: payload, twin };
    let path = service.create(&collection, &new)?;
    let before = twins.iter().find(|twin| twin.path == path);
    let attributes = match before {
        Some(before) => item::attributes_after(&before.attributes, entry),
        None => item::attributes(entry),
    };
    service.set_attributes(&path, &attributes)?;
    for twin in twins.into_iter().filter(|twin| twin.path != path) {
        service.delete(&twin.path)?;
    }
    Ok(Saved::Written)
}
