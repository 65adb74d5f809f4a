//! `config.toml`: from text to types, with the line of everything that is wrong.
//!
//! Unknown keys are errors, because a typing mistake in a security setting must not pass silently.
//! Repository-local files are never configuration.

#[cfg(feature = "full")]
mod goproxy;
mod key;
mod layers;
mod naming;
mod proxy;
mod read;
#[cfg(feature = "full")]
mod show;
#[cfg(feature = "full")]
mod source;
pub(crate) mod span;
mod store;
#[cfg(feature = "full")]
mod upstream;

use std::path::PathBuf;

use thiserror::Error;

#[cfg(feature = "full")]
pub use self::show::Row;
#[cfg(feature = "full")]
pub use self::{
    goproxy::GoProxy,
    source::{Login, OAuthClient, OpenBao, Provider, SourceRule},
    upstream::UpstreamSettings,
};
pub use self::{
    key::{Key, Table},
    layers::{Origins, Setting},
    proxy::{
        DEFAULT_GOPROXY, DEFAULT_LISTEN, Loopback, PacError, PacSource, Proxy, Upstream,
        UpstreamError, upstream_port,
    },
    read::{Entry, Item},
    store::{Audit, Fallback, Remember, SecretService, Session, Store},
};
use crate::core::{
    account::{self, Rule},
    origin::Origin,
    sorted::Sorted,
};

/// The typed configuration. The default value is an empty file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[proxy]`
    pub proxy: Proxy,
    /// `[git]`
    pub git: Git,
    /// `[goproxy]`
    #[cfg(feature = "full")]
    pub goproxy: GoProxy,
    /// `[host."…"]`, by `host` or `host:port`.
    pub hosts: Sorted<String, Host>,
    /// `[store]`
    pub store: Store,
    /// `[secret_service]`
    pub secret_service: SecretService,
    /// `[account."…"]`
    pub accounts: Vec<Rule>,
    /// `[audit]`
    pub audit: Audit,
    /// The `host` or `host:port` of every `[source."…"]`.
    pub source_names: Vec<String>,
    /// `[source."…"]`, by `host` or `host:port`.
    #[cfg(feature = "full")]
    pub sources: Sorted<String, SourceRule>,
    /// `[openbao]`
    #[cfg(feature = "full")]
    pub openbao: OpenBao,
    /// `[oauth."…"]`, by `host` or `host:port`.
    #[cfg(feature = "full")]
    pub oauth: Sorted<String, OAuthClient>,
    /// `[upstream."…"]`, by `host:port` or `scheme://host:port`.
    #[cfg(feature = "full")]
    pub upstreams: Sorted<String, UpstreamSettings>,
    /// Where each value came from.
    pub origins: Origins,
}

/// `[git]`: the credential helper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Git {
    /// `store`: what a `store` from git may add.
    pub store: GitStore,
}

/// What a `store` from git may add to the keyring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GitStore {
    /// `"any"`: any https host, as every helper does.
    #[default]
    Any,
    /// `"login-only"`: only hosts that `login` or the configuration names.
    LoginOnly,
}

/// `[host."git.corp.example"]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// `username`: the account that is answered when the question names none.
    pub username: Option<String>,
    /// `ca`: a PEM file with the roots of this host.
    pub ca: Option<String>,
    /// `allow_http`: secrets may go to this host in clear text.
    pub allow_http: bool,
    /// `header`: the field that takes the secret in the place of `Authorization`, for module proxies.
    #[cfg(feature = "full")]
    pub header: Option<String>,
    /// `client_cert`: a PEM file with the certificate chain that is shown to a module proxy.
    #[cfg(feature = "full")]
    pub client_cert: Option<PathBuf>,
    /// `client_key`: a PEM file with its key. Absent: it is in `client_cert`.
    #[cfg(feature = "full")]
    pub client_key: Option<PathBuf>,
}

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one of the machine, which may lock keys.
    System,
    /// The user's own.
    User,
}

/// What is wrong with a file. The value is never repeated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}")]
pub struct Error {
    /// The file.
    pub place: Place,
    /// The line, from 1.
    pub line: usize,
    /// The key and what is wrong with it.
    pub what: String,
}

impl Config {
    /// Parses the text of the user's `config.toml`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::merge(None, Some(text))
    }

    /// Returns the settings of a host: those of `host:port` where they exist, else those of `host`.
    pub fn host(&self, origin: &Origin) -> Option<&Host> {
        self.hosts.get(&origin.authority()).or_else(|| self.hosts.get(origin.host()))
    }

    /// Returns whether credentials of an origin come from a source: one is named `host:port` as the
    /// origin has it. A port of its own is another origin, and never has the source of its host.
    pub fn has_source(&self, origin: &Origin) -> bool {
        matches!(origin.scheme(), "http" | "https")
            && self.source_names.contains(&origin.authority())
    }

    /// Returns the source of an origin.
    #[cfg(feature = "full")]
    pub fn source(&self, origin: &Origin) -> Option<&SourceRule> {
        self.has_source(origin).then(|| self.sources.get(&origin.authority())).flatten()
    }

    /// Returns how we log in at an origin.
    #[cfg(feature = "full")]
    pub fn oauth(&self, origin: &Origin) -> Option<&OAuthClient> {
        self.oauth.get(&origin.authority())
    }

    /// Returns the settings of an upstream: those of its URL where they exist, else those of
    /// `host:port`.
    #[cfg(feature = "full")]
    pub fn upstream(&self, origin: &Origin) -> Option<&UpstreamSettings> {
        upstream::names(origin)?.iter().find_map(|name| self.upstreams.get(name))
    }

    /// Puts the home folder in the place of `~` in every path.
    #[must_use]
    pub fn at_home(mut self, home: &std::path::Path) -> Self {
        for path in [&mut self.store.file, &mut self.audit.file].into_iter().flatten() {
            expand(path, home);
        }
        #[cfg(feature = "full")]
        {
            let upstreams = self.upstreams.values_mut();
            let files =
                upstreams.flat_map(|it| [&mut it.ca, &mut it.client_cert, &mut it.client_key]);
            let hosts = self.hosts.values_mut();
            let shown = hosts.flat_map(|it| [&mut it.client_cert, &mut it.client_key]);
            let files = files.chain(shown);
            let keys = self.sources.values_mut().map(|it| &mut it.key);
            let clients = self.oauth.values_mut().map(|it| &mut it.client_secret_file);
            let files = files.chain(keys).chain(clients).chain(self.openbao.files());
            for path in files.chain([&mut self.proxy.access_log]).flatten() {
                expand(path, home);
            }
            if let Some(PacSource::File(path)) = &mut self.proxy.pac {
                expand(path, home);
            }
        }
        self
    }

    /// Makes a table exist: one without keys names its host, too.
    fn open(&mut self, table: &Table) {
        match table {
            Table::Host(name) => self.hosts.with(name.clone(), |_| ()),
            Table::Source(name) => {
                self.source_names.retain(|known| known != name);
                self.source_names.push(name.clone());
                #[cfg(feature = "full")]
                self.sources.with(name.clone(), |_| ());
            }
            #[cfg(feature = "full")]
            Table::OAuth(name) => self.oauth.with(name.clone(), |_| ()),
            #[cfg(feature = "full")]
            Table::Upstream(name) => self.upstreams.with(name.clone(), |_| ()),
            _ => {}
        }
    }

    /// Sets one key; the error is what its value must be.
    fn set(&mut self, key: &Key, item: &Item) -> Result<(), String> {
        match &key.table {
            Table::Account(name) => {
                let user = item.text()?.to_owned();
                let rule = account::name(name).map(|rule| Rule { user, ..rule });
                // The user's over the system's.
                self.accounts.retain(|old| old.table() != *name);
                self.accounts.extend(rule);
                Ok(())
            }
            Table::Audit => self.audit.set(key.name, item),
            Table::Git => self.git.set(item),
            Table::Host(name) => self.hosts.with(name.clone(), |host| host.set(key.name, item)),
            Table::Proxy => self.proxy.set(key.name, item),
            Table::SecretService => self.secret_service.set(item),
            Table::Store => self.store.set(key.name, item),
            #[cfg(feature = "full")]
            Table::GoProxy => self.goproxy.set(key.name, item),
            #[cfg(feature = "full")]
            Table::OAuth(name) => self.oauth.with(name.clone(), |it| it.set(key.name, item)),
            #[cfg(feature = "full")]
            Table::OpenBao => self.openbao.set(key.name, item),
            #[cfg(feature = "full")]
            Table::Source(name) => self.sources.with(name.clone(), |it| it.set(key.name, item)),
            #[cfg(feature = "full")]
            Table::Upstream(name) => self.upstreams.with(name.clone(), |it| it.set(key.name, item)),
            #[cfg(not(feature = "full"))]
            Table::GoProxy
            | Table::OAuth(_)
            | Table::OpenBao
            | Table::Source(_)
            | Table::Upstream(_) => Ok(()),
        }
    }
}

fn expand(path: &mut PathBuf, home: &std::path::Path) {
    if let Ok(rest) = path.strip_prefix("~") {
        *path = home.join(rest);
    }
}

impl Git {
    fn set(&mut self, item: &Item) -> Result<(), String> {
        self.store = match item.text()? {
            "any" => GitStore::Any,
            "login-only" => GitStore::LoginOnly,
            _ => return Err("must be \"any\" or \"login-only\"".to_owned()),
        };
        Ok(())
    }
}

impl Host {
    fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "allow_http" => self.allow_http = item.truth()?,
            "ca" => self.ca = Some(item.text()?.to_owned()),
            #[cfg(feature = "full")]
            "header" => self.header = Some(goproxy::header(item.text()?)?),
            #[cfg(feature = "full")]
            "client_cert" => self.client_cert = Some(item.file()?),
            #[cfg(feature = "full")]
            "client_key" => self.client_key = Some(item.file()?),
            // The helper asks no server.
            #[cfg(not(feature = "full"))]
            "client_cert" | "client_key" | "header" => {}
            _ => self.username = Some(item.text()?.to_owned()),
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "full"))]
mod tests;
