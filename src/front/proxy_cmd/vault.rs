//! What the proxy is given of the keyring: the passwords of its upstreams, and the guard's memory.

use crate::{
    broker,
    core::{
        credential::{Kind, Proof, Query},
        origin::Origin,
    },
    front::ui,
    proxy::{Account, Trouble, Vault},
    store::{
        self,
        guard::{Attempt, Guard},
    },
    sys::{clock, env::Env},
};

/// The passwords of the keyring, and the memory of the rejected ones.
pub(super) struct Keyring {
    env: Env,
    guard: Guard,
}

impl Keyring {
    pub(super) fn new(env: Env, guard: Guard) -> Self {
        Self { env, guard }
    }

    fn tell_damage(&self) {
        if let Some(damage) = self.guard.damage() {
            ui::err(&damage.to_string());
        }
    }
}

impl Vault for Keyring {
    fn account(&self, upstream: &Origin) -> Result<Option<Account>, Trouble> {
        let query = Query::origin(Kind::Proxy, upstream.clone());
        let records = store::open(&self.env).find(&query).map_err(|error| match error {
            store::Error::Locked => Trouble::Locked,
            store::Error::NoService(_) => Trouble::Missing(error.to_string()),
            store::Error::Silent(_)
            | store::Error::Service(_)
            | store::Error::File { .. }
            | store::Error::Refused(_) => Trouble::Failed(error.to_string()),
        })?;
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
}
