//! What a tool stores, and takes back: `docker login` and `logout`, and their like.

use super::{Desk, Place, Trouble};
use crate::{
    broker::{self, Refuted},
    core::{
        config::GitStore,
        credential::{Entry, Key, Kind as Namespace, Proof, Query, Secrets},
        fault::Kind,
        origin::Origin,
        secret::SecretString,
    },
    front::{Context, parts::Parts, ui},
    store::{
        self, Error, Saved,
        index::{self, Index},
        netrc::{self, Dialect},
    },
    sys::clock,
};

/// What became of what is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgotten {
    /// It is hidden; `gocred undo` brings it back.
    Hidden,
    /// There is none.
    Nothing,
}

impl Desk {
    /// Says why nothing can be kept for an origin, if that is so.
    pub(super) fn may_keep(&mut self, origin: &Origin) -> Result<(), Trouble> {
        let Context { env: _, paths, config } = &self.context;
        let place = ui::place(origin);
        let refused =
            |what: &str, command: &str| Err(Trouble::at(Kind::Policy, origin, what, command));
        let is_clear = origin.scheme() != "https" && !self.allows_http(origin);
        if is_clear || broker::is_our_listener(config, origin) {
            let command = format!("gocred login {origin} --allow-http");
            return refused("a secret would be sent there in clear text", &command);
        }
        if config.has_source(origin) {
            return refused(
                "its credentials come from a [source] of the configuration",
                "gocred config show",
            );
        }
        let is_known = || {
            let index = Index::load(&paths.state).ok().flatten();
            index.is_some_and(|index| index.has(Namespace::Git, origin))
        };
        if config.git.store == GitStore::LoginOnly && config.host(origin).is_none() && !is_known() {
            let what = "only what `gocred login` stores is kept ([git] store)";
            return refused(what, &format!("gocred login {place}"));
        }
        Ok(())
    }

    /// Keeps a secret, or says why not.
    pub(super) fn keep(
        &mut self,
        place: &Place,
        user: &str,
        secret: SecretString,
    ) -> Result<(), Trouble> {
        let Place { origin, path } = place.clone();
        self.may_keep(&origin)?;
        if user.contains(char::is_control) {
            return Err(Trouble::usage("the account has a character that no account has"));
        }
        let trouble = |error: Error| Trouble::of_store(&origin, &error);
        let key = Key { kind: Namespace::Git, origin: origin.clone(), path, user: user.to_owned() };
        let secrets = Secrets::of(Proof::Password(secret));
        let mut parts = Parts::of(&self.context);
        let mut broker = parts.broker(self.store.as_mut(), &self.context);
        let saved = broker.approve(key.clone(), secrets.clone(), None).map_err(trouble)?;
        match saved {
            Saved::Written => return Ok(()),
            // It may be there already, or not have been taken.
            Saved::Unchanged => {}
        }
        let query = Query::origin(Namespace::Git, origin.clone());
        let entries = self.store.list(&query).map_err(trouble)?;
        let is_it = |entry: &Entry| entry.hidden.is_none() && entry.key.user == user;
        let paths = &self.context.paths;
        let in_netrc = netrc::find(paths, &origin, Dialect::Curl, Some(user));
        if entries.iter().any(is_it) || in_netrc.is_ok_and(|found| found.is_some()) {
            return Ok(());
        }
        // Of a store that fails for a host that is nobody's yet the broker says nothing: git asks about
        // every host. Here somebody waits to hear why.
        let record = store::record(key, secrets, None, clock::now());
        self.store.save(&record).map_err(trouble)?;
        index::add(&paths.state, Namespace::Git, &origin).map_err(trouble)
    }

    /// Hides what is kept for exactly this place. What answers for more than that is another login, and
    /// stays: that is told.
    pub(super) fn forget(
        &mut self,
        place: &Place,
        user: Option<&str>,
        by: &str,
    ) -> Result<Forgotten, Trouble> {
        let Place { origin, path } = place;
        let refuted =
            Refuted { origin, path: path.as_deref(), user, password: None, credential: None };
        let mut parts = Parts::of(&self.context);
        let hidden = parts.broker(self.store.as_mut(), &self.context).reject(&refuted, by);
        if hidden.map_err(|error| Trouble::of_store(origin, &error))? > 0 {
            return Ok(Forgotten::Hidden);
        }
        let is_other = |entry: &Entry| entry.hidden.is_none() && entry.key.path.is_none();
        if self.of(origin).iter().any(is_other) {
            let command = format!("gocred logout {}", ui::place(origin));
            let what = "it was signed in by `gocred login` or git, and stays";
            return Err(Trouble::at(Kind::NotFound, origin, what, &command));
        }
        Ok(Forgotten::Nothing)
    }
}
