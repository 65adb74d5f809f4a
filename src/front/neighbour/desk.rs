//! What every tool is answered from: the configuration, the chosen store, and the broker over it.
//!
//! A tool names a URL where git names a host. So the credential is looked for that is kept nearest to the
//! URL: for the longest part of its path, else for the whole origin. What is kept for another part of the
//! host is not for it. Where the nearest is, the store's list says, which releases nothing; what is
//! released, the broker decides.

use super::{Place, Reach, Trouble, Wish, relay::relay};
use crate::{
    broker::{Found, Question},
    core::{
        account,
        credential::{Entry, Kind as Namespace, Query, Record},
        fault::{Fault, Kind},
        origin::Origin,
    },
    front::{self, Context, keyring, parts::Parts, ui},
    store::{
        self, Error, Store,
        index::{self, Index},
        unusable::Unusable,
    },
    sys::{clock, env::Env, paths::Paths},
};

/// One tool's question, and what answers it.
pub(super) struct Desk {
    pub(super) context: Context,
    pub(super) store: Box<dyn Store>,
}

impl Desk {
    /// Reads the configuration. The store is asked for nothing yet.
    pub(super) fn open() -> Result<Self, Trouble> {
        let env = Env::take();
        let paths = Paths::resolve(&env)
            .ok_or_else(|| Fault::new(Kind::Config, "there is no home folder").hint("set HOME"))?;
        let config = front::config(&paths)?;
        let context = Context { env, paths, config };
        let store = store::open(&context.desk());
        Ok(Self { context, store })
    }

    /// Returns whether nobody can be asked anything.
    pub(super) fn is_unattended(&self) -> bool {
        self.context.env.is_unattended()
    }

    /// Returns whether the configuration lets this host see secrets in clear.
    pub(super) fn allows_http(&self, origin: &Origin) -> bool {
        self.context.config.host(origin).is_some_and(|host| host.allow_http)
    }

    /// Lists what is stored.
    pub(super) fn entries(&mut self) -> Result<Vec<Entry>, Trouble> {
        Ok(self.store.list(&Query::all(Namespace::Git)).map_err(keyring::fault)?)
    }

    /// Returns what a tool wants. `Ok(None)` is "nothing".
    pub(super) fn ask(&mut self, wish: &Wish<'_>) -> Result<Option<Record>, Trouble> {
        let Wish { place: Place { origin, path }, user, own: _, proofs, reach } = *wish;
        let has_source = self.context.config.has_source(origin);
        if has_source && reach == Reach::Exact {
            // A source knows hosts.
            return Ok(None);
        }
        let nearest = self.nearest(wish);
        let question = Question {
            origin,
            path: nearest.path.as_deref(),
            user: user.or(nearest.user.as_deref()),
            proofs,
        };
        let is_sure = nearest.is_kept || has_source;
        if let Some(answer) = is_sure.then(|| relay(&question, &self.context)).flatten() {
            return answer;
        }
        let mut parts = Parts::of(&self.context);
        let mut broker = parts.broker(self.store.as_mut(), &self.context);
        let found = broker.ask(&question);
        if let Some(damage) = broker.damage() {
            ui::err(&Trouble::of_store(origin, &damage).to_string());
        }
        match found.map_err(|error| Trouble::of_store(origin, &error))? {
            Some(Found::Complete(record, _)) => {
                let kept = record.entry.key.path.as_deref();
                let is_ruled = nearest.is_ruled && reach == Reach::Below;
                let is_for_it = is_ruled || reach.covers(kept, path.as_deref());
                Ok(is_for_it.then_some(record))
            }
            Some(Found::Renewable(_)) => {
                let command = format!("gocred login {}", ui::place(origin));
                Err(Trouble::at(Kind::Rejected, origin, "the credential has expired", &command))
            }
            None => Ok(None),
        }
    }

    /// Returns what the broker is to be asked for.
    fn nearest(&mut self, wish: &Wish<'_>) -> Nearest {
        let Wish { place: Place { origin, path }, user, own, proofs: _, reach } = *wish;
        let rule = account::choose(&self.context.config.accounts, origin, path.as_deref());
        if rule.is_some_and(|rule| user.is_none_or(|user| user == rule.user)) {
            // The broker keeps to the rule, whose accounts are kept without a path.
            return Nearest { path: path.clone(), user: None, is_ruled: true, is_kept: false };
        }
        let now = clock::now();
        let of_user = |entry: &Entry| user.is_none_or(|user| user == entry.key.user);
        let entries = self.of(origin).into_iter().filter(|entry| {
            entry.hidden.is_none() && of_user(entry) && {
                reach.covers(entry.key.path.as_deref(), path.as_deref())
            }
        });
        let is_own = |entry: &Entry| own.is_some_and(|own| own == entry.key.user);
        let host = self.context.config.host(origin);
        let configured = host.and_then(|host| host.username.clone());
        let best = entries.max_by_key(|entry| {
            let has_ended = entry.expires.is_some_and(|end| end < now);
            let length = entry.key.path.as_ref().map(String::len);
            let is_configured = configured.as_ref() == Some(&entry.key.user);
            (!has_ended, is_own(entry), length, is_configured, entry.stored)
        });
        let Some(best) = best else {
            let path = if reach == Reach::Exact { path.clone() } else { None };
            return Nearest { path, user: None, is_ruled: false, is_kept: false };
        };
        // Which of the accounts of a whole host it is, the broker decides.
        let is_settled = is_own(&best) || best.key.path.is_some();
        let user = is_settled.then(|| best.key.user.clone());
        Nearest { path: best.key.path, user, is_ruled: false, is_kept: true }
    }

    /// Lists what is stored for an origin of ours; nothing where a source answers for it. A store that
    /// fails is not asked again: the broker hears what it said.
    pub(super) fn of(&mut self, origin: &Origin) -> Vec<Entry> {
        if self.context.config.has_source(origin) {
            return Vec::new();
        }
        let state = &self.context.paths.state;
        let tell = |damage: &Error| ui::err(&Trouble::of_store(origin, damage).to_string());
        let index = Index::load(state).unwrap_or_else(|damage| {
            tell(&damage);
            None
        });
        let index = match index {
            Some(index) => Ok(index),
            None => index::learn(state, self.store.as_mut()).map(|(index, damage)| {
                damage.as_ref().map_or_else(|| (), tell);
                index
            }),
        };
        let entries = match index {
            Ok(index) if index.has(Namespace::Git, origin) => {
                self.store.list(&Query::origin(Namespace::Git, origin.clone()))
            }
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        entries.unwrap_or_else(|error| {
            self.store = Box::new(Unusable(error));
            Vec::new()
        })
    }
}

/// What the broker is to be asked for.
struct Nearest {
    path: Option<String>,
    user: Option<String>,
    /// Whether a rule of the configuration settles the account.
    is_ruled: bool,
    /// Whether the store's list has it.
    is_kept: bool,
}
