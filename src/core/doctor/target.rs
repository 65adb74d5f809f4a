//! What a diagnosis is about: a module, a URL, or everything that the go.mod here needs.

use thiserror::Error;

use crate::core::secret::SecretString;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A module, maybe at a version.
    Module {
        /// Its path; a package path is taken, too.
        path: String,
        /// `v1.2.3`, `latest`, a branch, a revision.
        version: Option<String>,
    },
    /// A URL: a repository, or a server.
    Url(String),
    /// The modules that the go.mod of this folder needs.
    Here,
}

/// Why it is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It is empty, or holds blanks or control characters.
    #[error("`{0}` is neither a module, `module@version`, nor a URL")]
    Nothing(String),
    /// A URL that nobody here asks.
    #[error("only https://, http://, ssh:// and git:// URLs are looked at, not {0}://")]
    Scheme(String),
}

impl Target {
    /// Reads a word of the command line. Userinfo of a URL is dropped at once.
    pub fn parse(word: &str) -> Result<Self, Error> {
        if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Error::Nothing(word.escape_debug().to_string()));
        }
        if let Some((scheme, rest)) = word.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            if !["https", "http", "ssh", "git"].contains(&scheme.as_str()) {
                return Err(Error::Scheme(scheme));
            }
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            return Ok(Self::Url(format!("{scheme}://{host}{path}")));
        }
        if let Some((host, path)) = scp(word) {
            return Ok(Self::Url(format!("ssh://{host}/{path}")));
        }
        let (path, version) = match word.split_once('@') {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (word, None),
        };
        Ok(Self::Module { path: path.to_owned(), version })
    }
}

/// Reads `user@host:path` and `host:path`, which git takes for ssh, unless a rule makes a URL of it (its
/// `url_is_local_not_ssh`: no slash stands before the colon). `host:8443/path` is a module path gone wrong.
fn scp(word: &str) -> Option<(&str, &str)> {
    let (place, path) = word.split_once(':').filter(|(place, _)| !place.contains('/'))?;
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let is_port = path.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok());
    let is_it = !host.is_empty() && path.contains('/') && !is_port;
    is_it.then(|| (host, path.trim_start_matches('/')))
}

/// Returns user and password of a URL of the web on the command line, as written there. The password of a user
/// alone is empty: what the tools look up, they look up for that user.
pub fn login(word: &str) -> Option<(String, SecretString)> {
    let (scheme, rest) = word.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let userinfo = authority.rsplit_once('@')?.0;
    let (user, secret) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let is_web = ["http", "https"].iter().any(|own| scheme.eq_ignore_ascii_case(own));
    let is_something = !secret.is_empty() || is_web && !user.is_empty();
    is_something.then(|| (user.to_owned(), SecretString::from(secret.to_owned())))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Target, login};

    #[test]
    fn what_git_takes_for_ssh_is_a_url() {
        let url = |url: &str| Ok(Target::Url(url.to_owned()));
        assert_eq!(Target::parse("git@h.test:team/lib.git"), url("ssh://h.test/team/lib.git"));
        assert_eq!(Target::parse("git://h.test/x"), url("git://h.test/x"));
        assert!(matches!(Target::parse("h.test/x@v1.0.0"), Ok(Target::Module { .. })));
        assert!(matches!(Target::parse("h.test:8443/x@v1.0.0"), Ok(Target::Module { .. })));
    }

    #[test]
    fn the_login_of_a_url_is_kept_apart_from_it() {
        assert_eq!(
            login("https://ana:p%40ss@h.test/x").map(|(user, _)| user).as_deref(),
            Some("ana")
        );
        let alone = login("https://ana@h.test/x");
        assert_eq!(
            alone.map(|(user, secret)| (user, secret.expose_secret().is_empty())),
            Some(("ana".to_owned(), true))
        );
        assert!(login("ssh://git@h.test/x").is_none());
        assert!(login("https://h.test/x@v1:2").is_none());
    }
}
