//! A credential was accepted: keep it, unless it is kept already or must not be.

use crate::{
    broker::{
        Broker, is_expired,
        standing::{Known, Standing},
    },
    core::{
        config::GitStore,
        credential::{HIDDEN_FOR, Kind, Query, Record},
        origin::Origin,
    },
    store::{
        Error, Saved, index,
        netrc::{self, Dialect},
    },
};

impl Broker<'_> {
    /// Keeps a record that a server accepted. An error is told only for an origin that is ours
    /// already: a machine without a keyring must not complain about every public host.
    pub fn approve(&mut self, mut record: Record) -> Result<Saved, Error> {
        let origin = record.entry.key.origin.clone();
        if is_expired(&record, self.now) {
            return Ok(Saved::Unchanged);
        }
        let known = self.known();
        if !self.may_keep(&known, &origin) || self.is_in_netrc(&record)? {
            return Ok(Saved::Unchanged);
        }
        self.keep(&known, &mut record).or_else(|error| match self.standing(&known, &origin)? {
            Standing::Foreign => Ok(Saved::Unchanged),
            Standing::Ours(_) => Err(error),
        })
    }

    fn may_keep(&self, known: &Known, origin: &Origin) -> bool {
        let scheme_allows = match origin.scheme() {
            "https" => true,
            "http" => {
                self.allows_http(origin)
                    && !self.is_proxy(known, origin)
                    && !self.is_our_listener(origin)
            }
            _ => false,
        };
        let is_welcome = match self.config.git.store {
            GitStore::Any => true,
            GitStore::LoginOnly => {
                known.has(Kind::Git, origin) || self.config.host(origin).is_some()
            }
        };
        scheme_allows && is_welcome
    }

    /// Returns whether the netrc says the same. It is compared, not believed: `state[]` may be of an
    /// earlier answer, and the credential another helper's (osxkeychain before git 2.53).
    fn is_in_netrc(&self, record: &Record) -> Result<bool, Error> {
        let key = &record.entry.key;
        let found = netrc::find(self.paths, &key.origin, Dialect::Curl, Some(&key.user))?;
        Ok(found.is_some_and(|(same, _)| same.secrets.proof.same(&record.secrets.proof)))
    }

    /// Writes the record if it says anything new, and the index after it.
    fn keep(&mut self, known: &Known, record: &mut Record) -> Result<Saved, Error> {
        if let Known::Nothing(trouble) = known {
            return Err(trouble.clone());
        }
        let key = record.entry.key.clone();
        let Record { entry, secrets } = &mut *record;
        let stored = self.store.find(&Query {
            kind: key.kind,
            origin: Some(key.origin.clone()),
            path: key.path.clone(),
            user: Some(key.user.clone()),
        })?;
        let same = stored
            .into_iter()
            .find(|old| old.entry.key == key && old.secrets.proof.same(&secrets.proof));
        let mut saved = Saved::Written;
        if let Some(old) = same {
            // A git that does not know these attributes drops them; they still belong to the secret.
            let refreshed = secrets.refresh_token.as_ref().is_some_and(|new| {
                old.secrets
                    .refresh_token
                    .as_ref()
                    .is_none_or(|old| !crate::core::secret::same(old, new))
            });
            entry.expires = entry.expires.or(old.entry.expires);
            if !refreshed {
                secrets.refresh_token = old.secrets.refresh_token;
            }
            let is_visible = old.entry.hidden.is_none() && !refreshed;
            if is_visible && entry.expires == old.entry.expires {
                saved = Saved::Unchanged;
            }
        }
        if saved == Saved::Written {
            saved = self.store.save(record)?;
            self.remove_old(&key.origin)?;
        }
        if !known.has(key.kind, &key.origin) {
            index::add(&self.paths.state, key.kind, &key.origin)?;
        }
        Ok(saved)
    }

    /// Removes what has been hidden for [`HIDDEN_FOR`], now that something is written anyway.
    fn remove_old(&mut self, origin: &Origin) -> Result<(), Error> {
        for entry in self.store.list(&Query::origin(Kind::Git, origin.clone()))? {
            if entry.hidden.is_some_and(|hidden| hidden.at.saturating_add(HIDDEN_FOR) < self.now) {
                self.store.remove(&entry.key)?;
            }
        }
        Ok(())
    }
}
