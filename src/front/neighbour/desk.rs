//! What every tool is answered from: the configuration, the chosen store, and the broker over it.
//!
//! A tool names a URL where git names a host. So the credential is looked for that is kept nearest to the
//! URL: for the longest part of its path, else for the whole origin. What is kept for another part of the
//! host is not for it. Where the nearest is, the store's list says, which releases nothing; what is
//! released, the broker decides.

use super::Trouble;
use crate::{
    broker::{self, Found, Proofs, Question, Refuted},
    core::{
        account,
        config::GitStore,
        credential::{Entry, Key, Kind as Namespace, Proof, Query, Record, Secrets},
        fault::{Fault, Kind},
        origin::Origin,
        secret::SecretString,
    },
    front::{
        self, Context, keyring,
        login::target::{self, Target},
        parts::Parts,
    },
    store::{
        self, Error, Saved, Store,
        index::{self, Index},
        netrc::{self, Dialect},
        unusable::Unusable,
    },
    sys::{clock, env::Env, paths::Paths},
};

/// Where something is that a tool names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) origin: Origin,
    /// Without slash at either end, and without query.
    pub(super) path: Option<String>,
}

impl Place {
    /// Reads a URL, or `host[:port]`, which is https. An error does not repeat it.
    pub(super) fn parse(text: &str) -> Result<Self, Trouble> {
        let Target { origin, path } = target::parse_any(text)?;
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        Ok(Self { origin, path: (!path.is_empty()).then(|| path.to_owned()) })
    }
}

/// Which paths a credential may be kept for, to be an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// For one that the URL's path is below, or for none.
    Below,
    /// For the very path.
    Exact,
}

impl Reach {
    fn covers(self, kept: Option<&str>, wanted: Option<&str>) -> bool {
        match (self, kept) {
            (Self::Exact, kept) => kept == wanted,
            (Self::Below, None) => true,
            (Self::Below, Some(kept)) => wanted.is_some_and(|wanted| {
                let rest = wanted.strip_prefix(kept);
                let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                is_below && is_straight(wanted)
            }),
        }
    }
}

/// Whether a path leads where it says: a server may take `a/%2e%2e/b` for `b`.
fn is_straight(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let is_plain = |element: &str| !matches!(element, "" | "." | "..");
    path.split('/').all(is_plain)
        && !["%2e", "%2f", "%5c", "\\"].iter().any(|code| path.contains(code))
}

/// What a tool wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) place: &'a Place,
    /// The account, if it is settled.
    pub(super) user: Option<&'a str>,
    /// The account that the tool's own logins are kept under; it goes before others.
    pub(super) own: Option<&'a str>,
    pub(super) proofs: Proofs,
    pub(super) reach: Reach,
}

impl Wish<'_> {
    /// Returns the bearer token that a credential is.
    pub(super) fn token<'p>(&self, proof: &'p Proof) -> Result<&'p SecretString, Trouble> {
        match proof {
            Proof::Password(token) => Ok(token),
            Proof::Encoded { authtype, credential } if authtype.eq_ignore_ascii_case("bearer") => {
                Ok(credential)
            }
            Proof::Encoded { authtype: _, credential: _ } => {
                let origin = &self.place.origin;
                let command = format!("gocred login {}", front::ui::place(origin));
                let what = "what is stored is no token";
                Err(Trouble::at(Kind::Rejected, origin, what, &command))
            }
        }
    }
}

/// What became of what is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgotten {
    /// It is hidden; `gocred undo` brings it back.
    Hidden,
    /// There is none.
    Nothing,
}

/// One tool's question, and what answers it.
pub(super) struct Desk {
    context: Context,
    store: Box<dyn Store>,
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
        let nearest = self.nearest(wish);
        let question = Question {
            origin,
            path: nearest.path.as_deref(),
            user: user.or(nearest.user.as_deref()),
            proofs,
        };
        let mut parts = Parts::of(&self.context);
        let found = parts.broker(self.store.as_mut(), &self.context).ask(&question);
        match found.map_err(|error| Trouble::of_store(origin, &error))? {
            Some(Found::Complete(record, _)) => {
                let kept = record.entry.key.path.as_deref();
                let is_for_it = nearest.is_ruled || reach.covers(kept, path.as_deref());
                Ok(is_for_it.then_some(record))
            }
            Some(Found::Renewable(_)) => {
                let command = format!("gocred login {}", front::ui::place(origin));
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
            return Nearest { path: path.clone(), user: None, is_ruled: true };
        }
        let now = clock::now();
        let of_user = |entry: &Entry| user.is_none_or(|user| user == entry.key.user);
        let entries = self.of(origin).into_iter().filter(|entry| {
            entry.hidden.is_none() && of_user(entry) && {
                reach.covers(entry.key.path.as_deref(), path.as_deref())
            }
        });
        let is_own = |entry: &Entry| own.is_some_and(|own| own == entry.key.user);
        let best = entries.max_by_key(|entry| {
            let has_ended = entry.expires.is_some_and(|end| end < now);
            let length = entry.key.path.as_ref().map(String::len);
            (!has_ended, is_own(entry), length, entry.stored)
        });
        let Some(best) = best else {
            let path = if reach == Reach::Exact { path.clone() } else { None };
            return Nearest { path, user: None, is_ruled: false };
        };
        let user = is_own(&best).then(|| best.key.user.clone());
        Nearest { path: best.key.path, user, is_ruled: false }
    }

    /// Lists what is stored for an origin of ours; nothing where a source answers for it. A store that
    /// fails is not asked again: the broker hears what it said.
    fn of(&mut self, origin: &Origin) -> Vec<Entry> {
        if self.context.config.has_source(origin) {
            return Vec::new();
        }
        let state = &self.context.paths.state;
        let index = match Index::load(state) {
            Ok(Some(index)) => Ok(index),
            Ok(None) | Err(_) => index::learn(state, self.store.as_mut()).map(|(index, _)| index),
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

    /// Says why nothing can be kept for an origin, if that is so.
    pub(super) fn may_keep(&mut self, origin: &Origin) -> Result<(), Trouble> {
        let Context { env: _, paths, config } = &self.context;
        let place = front::ui::place(origin);
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
            let command = format!("gocred logout {}", front::ui::place(origin));
            let what = "it was signed in by `gocred login` or git, and stays";
            return Err(Trouble::at(Kind::NotFound, origin, what, &command));
        }
        Ok(Forgotten::Nothing)
    }
}

/// What the broker is to be asked for.
struct Nearest {
    path: Option<String>,
    user: Option<String>,
    /// Whether a rule of the configuration settles the account.
    is_ruled: bool,
}
