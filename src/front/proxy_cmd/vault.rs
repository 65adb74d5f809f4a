//! What the proxy is given of the keyring: the passwords of its upstreams, and the guard's memory.

use std::path::PathBuf;

use crate::{
    broker,
    core::{
        auth::floor::Floor,
        credential::{Kind, Proof, Query},
        origin::Origin,
    },
    front::ui,
    proxy::{Account, Trouble, Vault},
    store::{
        self,
        guard::{Attempt, Guard},
        strongest,
    },
    sys::{clock, env::Env},
};

/// The passwords of the keyring, and the memory of the rejected ones.
pub(crate) struct Keyring {
    env: Env,
    /// The state folder.
    state: PathBuf,
    guard: Guard,
}

impl Keyring {
    pub(crate) fn new(env: Env, state: PathBuf, guard: Guard) -> Self {
        Self { env, state, guard }
    }

    fn tell_damage(&self) {
        if let Some(damage) = self.guard.damage() {
            ui::err(&damage.to_string());
        }
    }
}

impl Vault for Keyring {
    fn account(
        &self,
        upstream: &Origin,
        username: Option<&str>,
    ) -> Result<Option<Account>, Trouble> {
        let query = Query::origin(Kind::Proxy, upstream.clone());
        let mut records = store::open(&self.env).find(&query).map_err(|error| match error {
            store::Error::Locked => Trouble::Locked,
            store::Error::NoService(_) => Trouble::Missing(error.to_string()),
            store::Error::Silent(_)
            | store::Error::Service(_)
            | store::Error::File { .. }
            | store::Error::Refused(_) => Trouble::Failed(error.to_string()),
        })?;
        records.retain(|record| username.is_none_or(|user| user == record.entry.key.user));
        let record = broker::choose(records, clock::now());
        Ok(record.and_then(|record| match record.secrets.proof {
            Proof::Password(password) => Some(Account { user: record.entry.key.user, password }),
            Proof::Encoded { .. } => None,
        }))
    }

    fn is_rejected(&self, upstream: &Origin, realm: &str, account: &Account) -> bool {
        let Account { user, password } = account;
        let attempt = Attempt { upstream, realm, user, password };
        let known = self.guard.knows(&attempt, &mut *store::open(&self.env));
        self.tell_damage();
        known
    }

    fn reject(&self, upstream: &Origin, realm: &str, account: &Account) {
        let Account { user, password } = account;
        let attempt = Attempt { upstream, realm, user, password };
        self.guard.remember(&attempt, &mut *store::open(&self.env));
        self.tell_damage();
    }

    fn floor(&self, upstream: &Origin) -> Option<Floor> {
        strongest::read(&self.state, upstream)
    }

    fn raise_floor(&self, upstream: &Origin, floor: Floor) {
        if let Err(error) = strongest::raise(&self.state, upstream, floor) {
            ui::err(&format!("what {upstream} offers is not remembered: {error}"));
        }
    }
}
