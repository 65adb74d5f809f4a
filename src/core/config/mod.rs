//! `config.toml`: from text to types, with the line of everything that is wrong.
//!
//! Unknown keys are errors, because a typing mistake in a security setting must not pass silently.
//! Repository-local files are never configuration.

mod key;
mod layers;
mod naming;
mod proxy;
mod read;
#[cfg(feature = "full")]
mod show;
mod upstream;

use std::{collections::BTreeMap, path::PathBuf};

use thiserror::Error;

#[cfg(feature = "full")]
pub use self::show::Row;
pub use self::{
    key::{Key, Table},
    layers::{Origins, Setting},
    proxy::{
        DEFAULT_LISTEN, Loopback, PacError, PacSource, Proxy, Upstream, UpstreamError,
        upstream_port,
    },
    read::{Entry, Item},
    upstream::UpstreamSettings,
};
use crate::core::origin::Origin;

/// The typed configuration. The default value is an empty file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[proxy]`
    pub proxy: Proxy,
    /// `[git]`
    pub git: Git,
    /// `[host."…"]`, by `host` or `host:port`.
    pub hosts: BTreeMap<String, Host>,
    /// `[upstream."…"]`, by `host:port` or `scheme://host:port`.
    pub upstreams: BTreeMap<String, UpstreamSettings>,
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

    /// Returns the settings of an upstream: those of its URL where they exist, else those of
    /// `host:port`.
    pub fn upstream(&self, origin: &Origin) -> Option<&UpstreamSettings> {
        upstream::names(origin)?.iter().find_map(|name| self.upstreams.get(name))
    }

    /// Puts the home folder in the place of `~` in every path.
    #[must_use]
    pub fn at_home(mut self, home: &std::path::Path) -> Self {
        let upstreams = self.upstreams.values_mut();
        let files = upstreams.flat_map(|it| [&mut it.ca, &mut it.client_cert, &mut it.client_key]);
        for path in files.chain([&mut self.proxy.access_log]).flatten() {
            expand(path, home);
        }
        if let Some(PacSource::File(path)) = &mut self.proxy.pac {
            expand(path, home);
        }
        self
    }

    /// Makes a table exist: one without keys names its host, too.
    fn open(&mut self, table: &Table) {
        match table {
            Table::Git | Table::Proxy => {}
            Table::Host(name) => drop(self.hosts.entry(name.clone()).or_default()),
            Table::Upstream(name) => drop(self.upstreams.entry(name.clone()).or_default()),
        }
    }

    /// Sets one key; the error is what its value must be.
    fn set(&mut self, key: &Key, item: &Item) -> Result<(), String> {
        match &key.table {
            Table::Git => self.git.set(item),
            Table::Host(name) => self.hosts.entry(name.clone()).or_default().set(key.name, item),
            Table::Proxy => self.proxy.set(key.name, item),
            Table::Upstream(name) => {
                self.upstreams.entry(name.clone()).or_default().set(key.name, item)
            }
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
            _ => self.username = Some(item.text()?.to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Upstream};
    use crate::core::{auth::Scheme, origin::Origin};

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let config = Config::parse(
            r#"
[proxy]
listen = ["127.0.0.1:7407", "[::1]:7407"]
upstream = ["http://proxy.corp.example:8080", "DIRECT"]
no_proxy = "localhost,.corp.example"
allow = ["127.77.0.0/16"]
[git]
store = "login-only"
[host."git.corp.example"]
username = "ana"
ca = "/etc/ssl/corp.pem"
allow_http = false
"#,
        )
        .unwrap();
        assert_eq!(config.proxy.listen.len(), 2);
        assert_eq!(config.proxy.upstream[1], Upstream::Direct);
        assert_eq!(config.hosts["git.corp.example"].username.as_deref(), Some("ana"));
    }

    #[test]
    fn an_unknown_key_names_its_line_and_its_neighbour() {
        let error = Config::parse("[proxy]\n\nupstraem = []\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert_eq!(error.what, "unknown key `proxy.upstraem`; did you mean `proxy.upstream`?");
    }

    #[test]
    fn an_error_never_repeats_a_value() {
        for text in [
            "[proxy]\nupstream = [\"http://ana:hunter2@p:8080\"]\n",
            "[proxy]\nno_proxy = [\"hunter2\"]\n",
            "[host.\"h\"]\nallow_http = \"hunter2\"\n",
            "hunter2 hunter2\n",
            "[proxy]\nlisten = [\"0.0.0.0:1\", \"hunter2\"]\n",
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.line > 0);
        }
    }

    #[test]
    fn the_settings_of_an_upstream_are_those_of_its_url_or_of_its_host_and_port() {
        let config = Config::parse(
            r#"
[upstream."p:443"]
schemes = ["negotiate", "NTLM"]
username = "CORP\\ana"
spn = "HTTP/p.corp.example"
[upstream."https://p"]
ca = "/etc/corp.pem"
client_cert = "~/me.pem"
"#,
        )
        .unwrap()
        .at_home(std::path::Path::new("/home/ana"));
        let of = |url: &str| config.upstream(&Origin::from_url(url).unwrap().0);
        assert_eq!(of("http://p:443").unwrap().schemes, [Scheme::Negotiate, Scheme::Ntlm]);
        let certificate = of("https://p").unwrap().client_cert.as_deref();
        assert_eq!(certificate, Some(std::path::Path::new("/home/ana/me.pem")));
        assert_eq!(of("https://p:443"), of("https://p"));
        assert_eq!((of("http://p"), of("ftp://p")), (None, None));
    }

    #[test]
    fn what_has_no_meaning_is_refused_with_its_key() {
        for (text, what) in [
            ("[proxy]\nupstream = [\"socks5://p\"]", "`proxy.upstream` is wrong: write socks5h://"),
            ("[proxy]\naccess_log = \"log\"", "`proxy.access_log` must be an absolute path"),
            ("[proxy]\npac = \"x\"", "`proxy.pac` is wrong: \"desktop\", \"wpad\""),
            ("[upstream.\"p:1\"]\nschemes = []", "`upstream.\"p:1\".schemes` must name at least"),
            (
                "[upstream.\"p:1\"]\nschemes = [\"kerberos\"]",
                "`upstream.\"p:1\".schemes` must be an",
            ),
            (
                "[upstream.\"p:1\"]\nusrname = \"\"",
                "unknown key `upstream.\"p:1\".usrname`; did you",
            ),
            ("[upstream.p]", "`upstream`: its name must be"),
            (
                "[upstream.\"http://p\"]\n[upstream.\"http://p:80\"]",
                "`upstream`: it is there twice",
            ),
            ("upstream = 1", "`upstream` must be a table"),
            ("[proxi]", "unknown key `proxi`; did you mean `proxy`?"),
            ("[git]\nstore = 1", "`git.store` must be a string"),
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(error.what.starts_with(what), "{error}");
        }
    }
}
