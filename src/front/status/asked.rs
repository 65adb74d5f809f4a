//! What `status` is asked about: a host, or a URL as git has it among its remotes.

use crate::{
    core::{
        credential::{Entry, Key, Kind as Namespace},
        fault::{Fault, Kind},
        origin::Origin,
        text::printable,
    },
    front::login::target::{self, Target},
};

/// What was asked about: a host, or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its scheme, host and port.
    pub(super) origin: Origin,
    /// The path, without slashes at its ends.
    pub(super) path: Option<String>,
    /// The account that the URL names.
    pub(super) user: Option<String>,
    has_scheme: bool,
}

impl Asked {
    /// Parses it. A URL may name an account, as remotes of git do, and no password.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let is_name = |user: &str| !user.is_empty() && !user.contains([':', '%', ' ']);
        if user.is_some_and(|user| !is_name(user) || user.contains(char::is_control)) {
            return Err(Fault::new(Kind::Usage, "the URL names more than an account")
                .hint("leave the password out: a command line is no place for it"));
        }
        let Target { origin, path } = target::parse_any(&format!("{scheme}://{authority}{path}"))?;
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        let path = (!path.is_empty()).then(|| path.to_owned());
        let has_scheme = text.contains("://");
        Ok(Self { origin, path, user: user.map(str::to_owned), has_scheme })
    }

    /// Takes the scheme that a host is stored with, where none was written. `None`: it is a proxy, which
    /// is no host that git or go would ask about.
    pub(super) fn among(self, entries: &[Entry]) -> Option<Self> {
        let authority = self.origin.authority();
        let mut known = entries.iter().map(|entry| &entry.key);
        let is_it = |key: &&Key| key.origin.authority() == authority;
        if self.has_scheme || known.clone().any(|key| key.origin == self.origin) {
            return Some(self);
        }
        match known.find(is_it) {
            Some(key) if key.kind == Namespace::Proxy => None,
            Some(key) => Some(Self { origin: key.origin.clone(), ..self }),
            None => Some(self),
        }
    }

    /// Returns it as git would be given it.
    pub(super) fn url(&self) -> String {
        let path = self.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        format!("{}://{user}{}{path}", self.origin.scheme(), self.origin.authority())
    }

    /// Returns it for people.
    pub(super) fn shown(&self) -> String {
        let path = self.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
        printable(&format!("{}{path}", self.origin))
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;
    use crate::core::{
        credential::{Entry, Key, Kind},
        origin::Origin,
    };

    #[test]
    fn a_host_without_scheme_is_the_one_that_is_stored() {
        let entry = |kind, scheme, host| {
            let origin = Origin::new(scheme, host).unwrap();
            let key = Key { kind, origin, path: None, user: "ana".to_owned() };
            Entry { key, expires: None, stored: 1, hidden: None }
        };
        let entries = [
            entry(Kind::Git, "http", "clear"),
            entry(Kind::Proxy, "http", "p:8080"),
            entry(Kind::Git, "https", "h"),
        ];
        let url = |text: &str| Some(Asked::parse(text).unwrap().among(&entries)?.url());
        assert_eq!(url("clear/x").as_deref(), Some("http://clear/x"));
        assert_eq!(url("https://clear").as_deref(), Some("https://clear"));
        assert_eq!(url("p:8080"), None);
        assert_eq!(url("h").as_deref(), Some("https://h"));
        assert_eq!(url("other").as_deref(), Some("https://other"));
    }

    #[test]
    fn a_url_may_name_an_account_and_no_password() {
        let asked = Asked::parse("https://ana@Git.Test/acme/lib.git?x#y").unwrap();
        assert_eq!(asked.url(), "https://ana@git.test/acme/lib.git");
        assert_eq!(asked.shown(), "https://git.test/acme/lib.git");
        assert_eq!(Asked::parse("h:8443").unwrap().url(), "https://h:8443");
        for text in [
            "https://ana:hunter2@h/x",
            "https://hunter2%0ahost=evil@h/",
            "https://:hunter2@h",
            "https://@h",
            "https://h/a\nhost=hunter2",
            "git@hunter2:x/y",
            "ssh://h/hunter2 x",
        ] {
            let fault = Asked::parse(text).unwrap_err();
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    }
}
