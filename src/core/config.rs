//! `config.toml`: from text to types, with the line of everything that is wrong.
//!
//! Unknown keys are errors, because a typing mistake in a security setting must not pass silently.
//! Repository-local files are never configuration.

use std::{collections::BTreeMap, net::SocketAddr, ops::Range};

use thiserror::Error;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
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
}

/// `[proxy]`: the loopback proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// `listen`: where to listen. Empty: [`DEFAULT_LISTEN`].
    pub listen: Vec<Loopback>,
    /// `upstream`: the corporate proxies, in order. Empty: everything goes direct.
    pub upstream: Vec<Upstream>,
    /// `no_proxy`: what goes direct, in the grammar of `NO_PROXY`.
    pub no_proxy: String,
    /// `allow`: targets that are refused by default (loopback, link-local), as CIDR blocks or addresses.
    pub allow: Vec<String>,
}

/// Where the proxy listens when nothing says otherwise.
pub const DEFAULT_LISTEN: [&str; 2] = ["127.0.0.1:7407", "[::1]:7407"];

/// A loopback address and port. There is no way to build one of another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(SocketAddr);

impl Loopback {
    /// Parses `127.0.0.1:7407` or `[::1]:7407`; port 0 lets the system choose.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback()).map(Self)
    }

    /// Returns the address.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

/// One element of `upstream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// No proxy.
    Direct,
    /// `http://host[:port]`; the port is explicit or 80.
    Via(Origin),
}

impl Upstream {
    /// Parses `DIRECT` or `http://host:port`, with an optional slash at the end.
    pub fn parse(text: &str) -> Result<Self, UpstreamError> {
        if text.eq_ignore_ascii_case("DIRECT") {
            return Ok(Self::Direct);
        }
        let (origin, path) = Origin::from_url(text)?;
        match (origin.scheme(), path) {
            ("http", "" | "/") => Ok(Self::Via(origin)),
            ("http", _) => Err(UpstreamError::Path),
            _ => Err(UpstreamError::Scheme),
        }
    }
}

/// Why a text is not an upstream.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UpstreamError {
    /// Not an origin.
    #[error(transparent)]
    Origin(#[from] crate::core::origin::Error),
    /// There is a path.
    #[error("a proxy URL has no path")]
    Path,
    /// Not `http`.
    #[error("the scheme of an upstream proxy must be http")]
    Scheme,
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

/// What is wrong with the file. The value is never repeated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}")]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// The key and what is wrong with it.
    pub what: String,
}

impl Config {
    /// Parses the text of `config.toml`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let reader = Reader { text };
        let root = DeTable::parse(text).map_err(|error| Error {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            what: "this is not TOML".to_owned(),
        })?;
        let mut config = Self::default();
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "git" => config.git = reader.git(value)?,
                "host" => config.hosts = reader.hosts(value)?,
                "proxy" => config.proxy = reader.proxy(value)?,
                other => {
                    let known = ["git", "host", "proxy"];
                    return Err(reader.unknown(key.span(), "", other, &known));
                }
            }
        }
        Ok(config)
    }

    /// Returns the settings of a host: those of `host:port` where they exist, else those of `host`.
    pub fn host(&self, origin: &Origin) -> Option<&Host> {
        self.hosts.get(&origin.authority()).or_else(|| self.hosts.get(origin.host()))
    }
}

/// The text, for line numbers.
struct Reader<'a> {
    text: &'a str,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn proxy(&self, value: &Value<'_>) -> Result<Proxy, Error> {
        let mut proxy = Proxy::default();
        for (key, value) in self.table(value, "proxy")? {
            match key.get_ref().as_ref() {
                "allow" => proxy.allow = self.texts(value, "proxy.allow")?,
                "listen" => {
                    for text in self.texts(value, "proxy.listen")? {
                        proxy.listen.push(Loopback::parse(&text).ok_or_else(|| {
                            self.wrong(
                                value,
                                "proxy.listen",
                                "must be loopback addresses with a port, such as `127.0.0.1:7407`",
                            )
                        })?);
                    }
                }
                "no_proxy" => proxy.no_proxy = self.string(value, "proxy.no_proxy")?,
                "upstream" => {
                    for text in self.texts(value, "proxy.upstream")? {
                        proxy.upstream.push(Upstream::parse(&text).map_err(|error| {
                            self.wrong(value, "proxy.upstream", &error.to_string())
                        })?);
                    }
                }
                other => {
                    let known = ["allow", "listen", "no_proxy", "upstream"];
                    return Err(self.unknown(key.span(), "proxy.", other, &known));
                }
            }
        }
        Ok(proxy)
    }

    fn git(&self, value: &Value<'_>) -> Result<Git, Error> {
        let mut git = Git::default();
        for (key, value) in self.table(value, "git")? {
            match key.get_ref().as_ref() {
                "store" => {
                    git.store = match self.string(value, "git.store")?.as_str() {
                        "any" => GitStore::Any,
                        "login-only" => GitStore::LoginOnly,
                        _ => {
                            return Err(self.wrong(
                                value,
                                "git.store",
                                "must be \"any\" or \"login-only\"",
                            ));
                        }
                    }
                }
                other => return Err(self.unknown(key.span(), "git.", other, &["store"])),
            }
        }
        Ok(git)
    }

    fn hosts(&self, value: &Value<'_>) -> Result<BTreeMap<String, Host>, Error> {
        let mut hosts = BTreeMap::new();
        for (name, value) in self.table(value, "host")? {
            let name = name.get_ref().as_ref();
            if Origin::new("https", name).is_err() {
                return Err(self.wrong(value, "host", "its name must be `host` or `host:port`"));
            }
            let mut host = Host::default();
            for (key, value) in self.table(value, "host")? {
                match key.get_ref().as_ref() {
                    "allow_http" => host.allow_http = self.boolean(value, "host.allow_http")?,
                    "ca" => host.ca = Some(self.string(value, "host.ca")?),
                    "username" => host.username = Some(self.string(value, "host.username")?),
                    other => {
                        let known = ["allow_http", "ca", "username"];
                        return Err(self.unknown(key.span(), "host.", other, &known));
                    }
                }
            }
            hosts.insert(name.to_owned(), host);
        }
        Ok(hosts)
    }

    fn table<'v, 'i>(&self, value: &'v Value<'i>, key: &str) -> Result<&'v DeTable<'i>, Error> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(value, key, "must be a table")),
        }
    }

    fn string(&self, value: &Value<'_>, key: &str) -> Result<String, Error> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            _ => Err(self.wrong(value, key, "must be a string")),
        }
    }

    fn boolean(&self, value: &Value<'_>, key: &str) -> Result<bool, Error> {
        match value.get_ref() {
            DeValue::Boolean(truth) => Ok(*truth),
            _ => Err(self.wrong(value, key, "must be true or false")),
        }
    }

    fn texts(&self, value: &Value<'_>, key: &str) -> Result<Vec<String>, Error> {
        match value.get_ref() {
            DeValue::Array(array) => array.iter().map(|value| self.string(value, key)).collect(),
            _ => Err(self.wrong(value, key, "must be an array of strings")),
        }
    }

    fn wrong(&self, value: &Value<'_>, key: &str, what: &str) -> Error {
        Error { line: line_of(self.text, value.span().start), what: format!("`{key}` {what}") }
    }

    fn unknown(&self, span: Range<usize>, prefix: &str, key: &str, known: &[&str]) -> Error {
        let near = known.iter().find(|name| distance(name, key) <= 2);
        let hint = near.map_or_else(
            || format!("; known here: {}", known.join(", ")),
            |name| format!("; did you mean `{prefix}{name}`?"),
        );
        let shown: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
        Error {
            line: line_of(self.text, span.start),
            what: format!("unknown key `{prefix}{shown}`{hint}"),
        }
    }
}

/// Returns the line, from 1, of a byte offset.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Returns the number of single-character edits between two short words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let next = (diagonal + usize::from(a != *b)).min(last + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, next);
            last = next;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Config, Loopback, Upstream, distance};

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
    fn only_loopback_is_listened_on() {
        assert!(Loopback::parse("127.0.0.1:0").is_some());
        assert!(Loopback::parse("[::1]:7407").is_some());
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost:1", "127.0.0.1"] {
            assert_eq!(Loopback::parse(text), None, "{text}");
        }
    }

    #[test]
    fn near_words_are_near() {
        assert_eq!((distance("listen", "listen"), distance("listen", "lsiten")), (0, 2));
        assert_eq!(distance("", "abc"), 3);
    }
}
