//! macOS Keychain and Windows Credential Manager, through the stores of the `keyring` project.
//!
//! It deliberately keeps everything of a record in the secret: these keyrings have no attributes of
//! ours. So [`Store::list`] reads secrets too (and drops them), every search looks at all of our
//! entries, and Windows takes 2,560 bytes an entry at most.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use keyring_core::{CredentialStore, Entry as Place, Error as Failure};
use secrecy::zeroize::Zeroizing;

#[cfg(any(target_os = "macos", target_os = "windows"))]
use crate::sys::env::Env;
use crate::{
    core::credential::{Entry, Hidden, Key, Query, Record, Secrets},
    store::{
        Error, Saved, Store,
        item::{self, Attributes},
    },
};

/// What the service name of all our entries begins with.
const PREFIX: &str = "gocred:";
/// The account of an entry without one: the Keychain takes no empty text.
const NOBODY: &str = "(no user)";

/// The keyring of the system.
pub struct Native {
    /// `None` where it could not be opened.
    keyring: Result<Arc<CredentialStore>, Error>,
}

impl Native {
    /// Opens the user's own keychain.
    #[cfg(target_os = "macos")]
    pub fn open(_env: &Env) -> Self {
        match apple_native_keyring_store::keychain::Store::new() {
            Ok(keychain) => Self { keyring: Ok(keychain) },
            Err(error) => Self { keyring: Err(failed(error)) },
        }
    }

    /// Opens the user's credential set.
    #[cfg(target_os = "windows")]
    pub fn open(_env: &Env) -> Self {
        // A target is the user, a blank, and our service name, which has no blank.
        let configuration = HashMap::from([("prefix", ""), ("divider", " "), ("suffix", "")]);
        match windows_native_keyring_store::Store::new_with_configuration(&configuration) {
            Ok(manager) => Self { keyring: Ok(manager) },
            Err(error) => Self { keyring: Err(failed(error)) },
        }
    }

    fn keyring(&self) -> Result<&Arc<CredentialStore>, Error> {
        self.keyring.as_ref().map_err(Clone::clone)
    }

    fn place(&self, key: &Key) -> Result<Place, Error> {
        let user = if key.user.is_empty() { NOBODY } else { &key.user };
        self.keyring()?.build(&service(key), user, None).map_err(failed)
    }

    fn write(&self, record: &Record) -> Result<(), Error> {
        let Record { entry, secrets } = record;
        let text = encode(entry, secrets)?;
        self.place(&entry.key)?.set_secret(text.as_bytes()).map_err(failed)
    }
}

impl Store for Native {
    fn name(&self) -> &'static str {
        if cfg!(windows) { "Windows Credential Manager" } else { "macOS Keychain" }
    }

    fn list(&mut self, query: &Query) -> Result<Vec<Entry>, Error> {
        Ok(self.find(query)?.into_iter().map(|record| record.entry).collect())
    }

    fn find(&mut self, query: &Query) -> Result<Vec<Record>, Error> {
        let places = self.keyring()?.search(&HashMap::new()).map_err(failed)?;
        let mut records = Vec::new();
        for place in places {
            let ours = place.get_specifiers().filter(|(service, _)| is_of(service, query));
            if ours.is_some()
                && let Some(record) = read(&place)?
                && query.matches(&record.entry.key)
            {
                records.push(record);
            }
        }
        Ok(records)
    }

    fn save(&mut self, record: &Record) -> Result<Saved, Error> {
        let Record { entry, secrets } = record;
        let refused = |error: item::Error| Error::Refused(error.to_string());
        item::check(&entry.key).map_err(refused)?;
        if let Some(old) = read(&self.place(&entry.key)?)?
            && old.entry.key == entry.key
            && old.entry.hidden.is_none()
        {
            let old = item::payload(&old.secrets, old.entry.expires).map_err(refused)?;
            if old == item::payload(secrets, entry.expires).map_err(refused)? {
                return Ok(Saved::Unchanged);
            }
        }
        self.write(record)?;
        Ok(Saved::Written)
    }

    fn mark(&mut self, key: &Key, hidden: Option<&Hidden>) -> Result<(), Error> {
        match read(&self.place(key)?)? {
            Some(mut record) if record.entry.key == *key => {
                record.entry.hidden = hidden.cloned();
                self.write(&record)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn remove(&mut self, key: &Key) -> Result<(), Error> {
        match self.place(key)?.delete_credential() {
            Ok(()) | Err(Failure::NoEntry) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Returns the service name of a key: no blank, and beginning with what [`is_of`] looks for.
fn service(key: &Key) -> String {
    let Key { kind, origin, path, user: _ } = key;
    let path = path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
    format!("{PREFIX}{}:{origin}{path}", kind.as_str()).replace(' ', "%20")
}

/// Returns whether a service name may belong to an answer; its payload decides.
fn is_of(service: &str, query: &Query) -> bool {
    let Query { kind, origin, path: _, user: _ } = query;
    let kind = format!("{PREFIX}{}:", kind.as_str());
    service.strip_prefix(&kind).is_some_and(|rest| match origin {
        Some(origin) => rest.starts_with(&origin.to_string()),
        None => true,
    })
}

fn read(place: &Place) -> Result<Option<Record>, Error> {
    // Bytes, not a password: Windows would double them to UTF-16.
    let secret = match place.get_secret() {
        Ok(secret) => Zeroizing::new(secret),
        Err(Failure::NoEntry) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let (service, _) = place.get_specifiers().unwrap_or_default();
    decode(&secret)
        .map(Some)
        .ok_or_else(|| Error::Service(format!("the entry {service} is not in gocred's form")))
}

/// Writes a record as text: its attributes, an empty line, its secrets.
fn encode(entry: &Entry, secrets: &Secrets) -> Result<Zeroizing<String>, Error> {
    let payload =
        item::payload(secrets, entry.expires).map_err(|error| Error::Refused(error.to_string()))?;
    let attributes = item::attributes(entry);
    let size: usize = attributes.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let mut text = Zeroizing::new(String::with_capacity(size + payload.len() + 1));
    for (key, value) in attributes {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key}={value}");
    }
    text.push('\n');
    text.push_str(&payload);
    Ok(text)
}

fn decode(secret: &[u8]) -> Option<Record> {
    let (attributes, payload) = std::str::from_utf8(secret).ok()?.split_once("\n\n")?;
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.into(), value.into()));
    let attributes: Attributes = attributes.split('\n').map(pair).collect::<Option<_>>()?;
    let mut entry = item::entry(&attributes)?;
    let (secrets, expires) = item::secrets(payload.as_bytes()).ok()?;
    entry.expires = expires;
    Some(Record { entry, secrets })
}

/// Tells a keyring's failure by what it means; the texts of these stores hold no secret.
fn failed(error: Failure) -> Error {
    match error {
        Failure::NoStorageAccess(_) => Error::Locked,
        Failure::TooLong(_, limit) => {
            Error::Refused(format!("the keyring keeps no secret longer than {limit} bytes"))
        }
        // Their values may hold what was read.
        Failure::BadEncoding(_) | Failure::BadDataFormat(..) => {
            Error::Service("an entry is not text".to_owned())
        }
        // The enum is not exhaustive, and the rest has one meaning for the caller.
        other => Error::Service(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use keyring_core::mock;

    use super::Native;
    use crate::{
        core::{
            credential::{Hidden, Key, Kind, Proof, Query, Record, Secrets},
            origin::Origin,
            secret::ExposeSecret,
        },
        store::{Error, Saved, Store, record},
    };

    fn native() -> Native {
        Native { keyring: Ok(mock::Store::new().unwrap()) }
    }

    fn key(user: &str, path: Option<&str>) -> Key {
        let origin = Origin::new("https", "h:8443").unwrap();
        Key { kind: Kind::Git, origin, path: path.map(str::to_owned), user: user.to_owned() }
    }

    fn of(key: Key, password: &str) -> Record {
        let proof = Proof::Password(password.into());
        record(key, Secrets::of(proof), Some(9), 7)
    }

    fn password(record: &Record) -> &str {
        match &record.secrets.proof {
            Proof::Password(password) => password.expose_secret(),
            Proof::Encoded { .. } => panic!("not a password"),
        }
    }

    #[test]
    fn what_is_saved_is_found_and_a_second_time_nothing_is_written() {
        let mut native = native();
        let saved = of(key("ana", Some("team/a b")), "pw");
        assert_eq!(native.save(&saved), Ok(Saved::Written));
        assert_eq!(native.save(&saved), Ok(Saved::Unchanged));
        assert_eq!(native.save(&of(key("", None), "other")), Ok(Saved::Written));
        let found = native.find(&Query::origin(Kind::Git, saved.entry.key.origin.clone())).unwrap();
        assert_eq!(found.len(), 2);
        let query = Query { user: Some("ana".into()), ..Query::all(Kind::Git) };
        let found = native.find(&query).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].entry, password(&found[0])), (&saved.entry, "pw"));
        assert!(native.find(&Query::all(Kind::Proxy)).unwrap().is_empty());
    }

    #[test]
    fn a_hidden_record_stays_and_saving_brings_it_back() {
        let mut native = native();
        let saved = of(key("ana", None), "pw");
        native.save(&saved).unwrap();
        let mark = Hidden { at: 5, by: "git erase".into() };
        native.mark(&saved.entry.key, Some(&mark)).unwrap();
        assert_eq!(native.list(&Query::all(Kind::Git)).unwrap()[0].hidden, Some(mark));
        assert_eq!(native.save(&saved), Ok(Saved::Written));
        assert_eq!(native.list(&Query::all(Kind::Git)).unwrap()[0].hidden, None);
        native.remove(&saved.entry.key).unwrap();
        native.remove(&saved.entry.key).unwrap();
        assert!(native.list(&Query::all(Kind::Git)).unwrap().is_empty());
    }

    #[test]
    fn a_keyring_that_cannot_be_opened_says_so_each_time() {
        let mut native = Native { keyring: Err(Error::Locked) };
        assert_eq!(native.list(&Query::all(Kind::Git)), Err(Error::Locked));
        assert_eq!(native.remove(&key("ana", None)), Err(Error::Locked));
    }
}
