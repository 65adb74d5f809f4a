//! What a diagnosis is about: a module, a URL, or everything that the go.mod here needs.

use thiserror::Error;

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
    #[error("only https://, http:// and ssh:// URLs are looked at, not {0}://")]
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
            if !["https", "http", "ssh"].contains(&scheme.as_str()) {
                return Err(Error::Scheme(scheme));
            }
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            return Ok(Self::Url(format!("{scheme}://{host}{path}")));
        }
        let (path, version) = match word.split_once('@') {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (word, None),
        };
        Ok(Self::Module { path: path.to_owned(), version })
    }
}
