//! Whether an origin is ours at all (decisions.md, "Ours"), and in which namespace its secrets are.
//!
//! A foreign origin is decided without the keyring, from at most four small files: the index,
//! `config.toml` (read by the caller), the netrc and go's environment file.

#[cfg(feature = "full")]
use crate::broker::{Renew, Sources};
use crate::{
    broker::Journal,
    core::{
        config::{Config, DEFAULT_LISTEN, Loopback, Upstream},
        credential::{Kind, Record, UnixTime},
        origin::Origin,
        pattern,
    },
    store::{
        self, Store,
        index::{self, Index},
        netrc::{self, Dialect},
    },
    sys::{env::Env, goenv, paths::Paths},
};

/// Answers one caller's questions.
pub struct Broker<'a> {
    pub(super) store: &'a mut dyn Store,
    pub(super) env: &'a Env,
    pub(super) paths: &'a Paths,
    pub(super) config: &'a Config,
    pub(super) now: UnixTime,
    pub(super) journal: Option<&'a mut dyn Journal>,
    #[cfg(feature = "full")]
    pub(super) renewer: Option<&'a mut dyn Renew>,
    #[cfg(feature = "full")]
    pub(super) sources: Option<&'a mut dyn Sources>,
    damage: Option<store::Error>,
}

/// What the index says, or why nothing is known.
pub(super) enum Known {
    /// The origins that the store holds something for.
    Index(Index),
    /// There is no index, and the store cannot be asked either. It is not asked twice: that would
    /// double the time limit.
    Nothing(store::Error),
}

impl Known {
    pub(super) fn has(&self, kind: Kind, origin: &Origin) -> bool {
        match self {
            Self::Index(index) => index.has(kind, origin),
            Self::Nothing(_) => false,
        }
    }
}

/// What an origin is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is known of it, or nothing may be said.
    Foreign,
    /// It is ours, and so are the secrets of this namespace.
    Ours(Kind),
}

impl<'a> Broker<'a> {
    /// Starts with what was read once. Nothing is asked yet.
    pub fn new(
        store: &'a mut dyn Store,
        env: &'a Env,
        paths: &'a Paths,
        config: &'a Config,
        now: UnixTime,
    ) -> Self {
        Self {
            store,
            env,
            paths,
            config,
            now,
            journal: None,
            #[cfg(feature = "full")]
            renewer: None,
            #[cfg(feature = "full")]
            sources: None,
            damage: None,
        }
    }

    /// Writes down what is released.
    #[must_use]
    pub fn journal(self, journal: &'a mut dyn Journal) -> Self {
        Self { journal: Some(journal), ..self }
    }

    /// Renews what has ended.
    #[cfg(feature = "full")]
    #[must_use]
    pub fn renewer(self, renewer: &'a mut dyn Renew) -> Self {
        Self { renewer: Some(renewer), ..self }
    }

    /// Asks the sources of the configuration.
    #[cfg(feature = "full")]
    #[must_use]
    pub fn sources(self, sources: &'a mut dyn Sources) -> Self {
        Self { sources: Some(sources), ..self }
    }

    /// Returns what is wrong with the audit, the index, the netrc or the store, if something is. It keeps no question from
    /// being answered, so that it is not the question's error.
    pub fn damage(&mut self) -> Option<store::Error> {
        let omission = self.journal.as_mut().and_then(|journal| journal.omission());
        omission.map(Into::into).or_else(|| self.damage.take()).or_else(|| self.store.damage())
    }

    /// Returns what changes with every [`reject`](Self::reject); `None` while there is no index.
    pub fn stamp(&self) -> Option<u64> {
        index::stamp(&self.paths.state)
    }

    /// Reads the index; a missing or damaged one is rebuilt from the store.
    pub(super) fn known(&mut self) -> Known {
        match Index::load(&self.paths.state) {
            Ok(Some(index)) => return Known::Index(index),
            Ok(None) => {}
            Err(damage) => self.damage = Some(damage),
        }
        match index::learn(&self.paths.state, self.store) {
            Ok((index, damage)) => {
                self.damage = self.damage.take().or(damage);
                Known::Index(index)
            }
            Err(trouble) => Known::Nothing(trouble),
        }
    }

    /// Returns what an origin is to us. The cheap answers come first.
    pub(super) fn standing(&mut self, known: &Known, origin: &Origin) -> Standing {
        let ours = Standing::Ours(Kind::Git);
        match origin.scheme() {
            "http" if self.is_our_listener(origin) => return Standing::Foreign,
            "http" if self.is_proxy(known, origin) => return Standing::Ours(Kind::Proxy),
            "http" if !self.allows_http(origin) => return Standing::Foreign,
            "http" | "https" => {}
            // `cert`, `smtp`, `imap`: other helpers' matter.
            _ => return Standing::Foreign,
        }
        if known.has(Kind::Git, origin) || self.config.host(origin).is_some() {
            return ours;
        }
        // What others keep is in no index of ours.
        if !self.config.store.fallback.is_empty() {
            return ours;
        }
        if self.in_netrc(origin, None).is_some() || self.is_private(origin) {
            return ours;
        }
        Standing::Foreign
    }

    /// Returns what the netrc holds for an origin, as curl reads it: git asks with libcurl. A netrc
    /// that cannot be read is told and holds nothing.
    pub(super) fn in_netrc(&mut self, origin: &Origin, user: Option<&str>) -> Option<Record> {
        match netrc::find(self.paths, origin, Dialect::Curl, user) {
            Ok(found) => found.map(|(record, _)| record),
            Err(error) => {
                self.damage.get_or_insert(error);
                None
            }
        }
    }

    /// Returns whether GOPRIVATE names the host.
    fn is_private(&self, origin: &Origin) -> bool {
        let go = goenv::read(self.env, self.paths.goenv.as_deref());
        pattern::may_match_host(&go.goprivate, &origin.authority())
    }

    /// Returns whether secrets may go to this http origin in clear text.
    pub(super) fn allows_http(&self, origin: &Origin) -> bool {
        self.config.host(origin).is_some_and(|host| host.allow_http)
    }

    /// Returns whether an http origin is a forward proxy: git asks about those as it asks about
    /// hosts, and its `store` and `erase` must not reach them (git-helper.md §1.7.2).
    pub(super) fn is_proxy(&self, known: &Known, origin: &Origin) -> bool {
        let is_upstream = |upstream: &Upstream| match upstream {
            Upstream::Direct => false,
            Upstream::Via(proxy) => proxy == origin,
        };
        self.config.proxy.upstream.iter().any(is_upstream) || known.has(Kind::Proxy, origin)
    }

    /// Returns whether an origin is our own loopback proxy. What opens it is no secret of the store.
    pub(super) fn is_our_listener(&self, origin: &Origin) -> bool {
        is_our_listener(self.config, origin)
    }
}

/// Returns whether an origin is where our own loopback proxy listens by configuration.
pub fn is_our_listener(config: &Config, origin: &Origin) -> bool {
    let port = origin.port();
    let host = origin.host().trim_start_matches('[').trim_end_matches(']');
    let is_it = |listener: Loopback| {
        let address = listener.address();
        Some(address.port()) == port && (host == "localhost" || host.parse() == Ok(address.ip()))
    };
    if config.proxy.listen.is_empty() {
        return DEFAULT_LISTEN.iter().filter_map(|text| Loopback::parse(text)).any(is_it);
    }
    config.proxy.listen.iter().copied().any(is_it)
}
