//! A key that the keyring of the system holds: the file is open wherever that is, and may hold what is
//! too large for it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        config::Session,
        credential::{Key, Kind, Proof, Query, Secrets},
        origin::Origin,
        secret::{ExposeSecret, SecretString},
        vault::{KEY, SealKey, format::Id},
    },
    store::{self, Error, Store, keys::no_random},
    sys::{clock, env::Env, random},
};

/// Stands where items have an origin; nobody's host is called so (RFC 6761 §6.4).
const ORIGIN: &str = "vault.gocred.invalid";

/// The item of one file.
pub(super) struct Item {
    keyring: Box<dyn Store>,
    key: Key,
}

impl Item {
    /// Takes where it is; asks the keyring for nothing.
    pub(super) fn new(env: &Env, session: Session, id: &Id) -> Result<Self, Error> {
        let origin = Origin::new("https", ORIGIN).map_err(|_| Error::Damaged("a name".into()))?;
        let user = format!("vault-{:032x}", u128::from_be_bytes(*id));
        let key = Key { kind: Kind::Internal, origin, path: None, user };
        Ok(Self { keyring: store::keyring_by(env, session), key })
    }

    /// Returns the key. `Ok(None)`: the keyring is open, and has none for this file.
    pub(super) fn read(&mut self) -> Result<Option<SealKey>, Error> {
        let Key { kind, origin, path: _, user } = &self.key;
        let user = Some(user.clone());
        let query = Query { user, ..Query::origin(*kind, origin.clone()) };
        let found = self.keyring.find(&query)?;
        let record = found.into_iter().find(|record| record.entry.key == self.key);
        let Some(record) = record else { return Ok(None) };
        let Proof::Password(text) = &record.secrets.proof else { return Ok(None) };
        // With room for what three bytes more would decode to, so that it never grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.expose_secret().len()));
        let decoded = STANDARD.decode_vec(text.expose_secret(), &mut bytes);
        Ok(decoded.ok().and_then(|()| SealKey::copied(&bytes)))
    }

    /// Returns the key, after a new one was put there if there was none. It is read back: what the
    /// keyring does not give would lock the file for good.
    pub(super) fn make(&mut self) -> Result<SealKey, Error> {
        if let Some(key) = self.read()? {
            return Ok(key);
        }
        let key = SealKey::filled(|key| random::fill(key)).map_err(|error| no_random(&error))?;
        let mut text = String::with_capacity(KEY * 2);
        STANDARD.encode_string(key.bytes(), &mut text);
        let secrets = Secrets::of(Proof::Password(SecretString::from(text)));
        self.keyring.save(&store::record(self.key.clone(), secrets, None, clock::now()))?;
        match self.read()? {
            Some(read) if read.bytes() == key.bytes() => Ok(key),
            Some(_) | None => {
                Err(Error::Service("it did not give back the key of the file".to_owned()))
            }
        }
    }

    /// Removes it.
    pub(super) fn remove(&mut self) -> Result<(), Error> {
        self.keyring.remove(&self.key)
    }
}
