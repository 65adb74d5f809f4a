//! What a tool names and wants, and which credential is one for it.

use super::Trouble;
use crate::{
    broker::Proofs,
    core::{credential::Proof, fault::Kind, origin::Origin, secret::SecretString},
    front::{
        login::target::{self, Target},
        ui,
    },
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
    /// Returns whether what is kept for one path is for another.
    pub(super) fn covers(self, kept: Option<&str>, wanted: Option<&str>) -> bool {
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
                let command = format!("gocred login {}", ui::place(origin));
                let what = "what is stored is no token";
                Err(Trouble::at(Kind::Rejected, origin, what, &command))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Reach};

    #[test]
    fn a_name_is_a_url_or_a_host() {
        let shown = |text: &str| {
            let Place { origin, path } = Place::parse(text).ok()?;
            Some(format!("{origin} {}", path.as_deref().unwrap_or("-")))
        };
        for (text, place) in [
            ("registry.corp.test:5000", "https://registry.corp.test:5000 -"),
            ("https://H.test/Simple/", "https://h.test Simple"),
            ("http://h.test/a/b?c=d#e", "http://h.test a/b"),
            ("[::1]:8443/x", "https://[::1]:8443 x"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(place), "{text}");
        }
        for text in ["", "https://", "ana:pw@h", "https://ana@h/", "h h", "h/\n", "a:b:1"] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_credential_is_for_what_lies_below_its_path() {
        let covers = |kept, wanted| Reach::Below.covers(kept, wanted);
        for wanted in [None, Some("a"), Some("a/../b"), Some("a//b")] {
            assert!(covers(None, wanted), "{wanted:?}");
        }
        for wanted in ["a/b", "a/b/c", "a/b/c.d"] {
            assert!(covers(Some("a/b"), Some(wanted)), "{wanted}");
        }
        for wanted in [
            "a",
            "a/bc",
            "b/a/b",
            "A/b",
            "a/b/../c",
            "a/b/%2E%2e/c",
            "a/b//c",
            "a/b/\\..\\c",
            "a/b%2fc",
        ] {
            assert!(!covers(Some("a/b"), Some(wanted)), "{wanted}");
        }
        assert!(!covers(Some("a"), None));
        assert!(Reach::Exact.covers(Some("a"), Some("a")) && Reach::Exact.covers(None, None));
        assert!(
            !Reach::Exact.covers(None, Some("a")) && !Reach::Exact.covers(Some("a"), Some("a/b"))
        );
    }
}
