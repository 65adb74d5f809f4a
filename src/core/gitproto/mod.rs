//! git's credential-helper protocol as of git 2.55: the operations, and what a request says.
//! [`decode`] reads one, [`answer`] writes the reply.
//!
//! It deliberately decides nothing: who is answered, and with what, is the broker's and the front's
//! matter. Sources: gitcredentials(7), git-credential(1), and credential.c.

pub mod answer;
pub mod decode;
pub mod receipt;
mod url;

use crate::core::{
    credential::{Proof, Secrets, UnixTime},
    origin::Origin,
    secret::SecretString,
};

/// What a helper is asked to do. Any other word is to be passed over in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Say which capabilities the helper has (git 2.46).
    Capability,
    /// Forget a credential that was rejected.
    Erase,
    /// Answer with a credential.
    Get,
    /// Keep a credential that was accepted.
    Store,
}

impl Operation {
    /// Parses the helper's first argument.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "capability" => Some(Self::Capability),
            "erase" => Some(Self::Erase),
            "get" => Some(Self::Get),
            "store" => Some(Self::Store),
            _ => None,
        }
    }

    /// Returns the word that [`Self::parse`] reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::Erase => "erase",
            Self::Get => "get",
            Self::Store => "store",
        }
    }
}

/// What the asking side understands. An answer must not use what is not announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `authtype`, `credential`, `ephemeral`.
    pub authtype: bool,
    /// `state[]`, `continue`.
    pub state: bool,
}

/// A request. A missing attribute is `None`; one that is there and empty is not.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `capability[]`
    pub capabilities: Capabilities,
    /// `protocol`: the URL's scheme.
    pub protocol: Option<String>,
    /// `host`: `host[:port]`, exactly as in the URL. Empty for `cert:///path`.
    pub host: Option<String>,
    /// `path`, without slashes at its ends; an empty one is none.
    pub path: Option<String>,
    /// `username`
    pub username: Option<String>,
    /// `password`
    pub password: Option<SecretString>,
    /// `password_expiry_utc`; `None` is never.
    pub password_expiry_utc: Option<UnixTime>,
    /// `oauth_refresh_token`
    pub oauth_refresh_token: Option<SecretString>,
    /// `authtype`
    pub authtype: Option<String>,
    /// `credential`: what follows the authtype in the Authorization field.
    pub credential: Option<SecretString>,
    /// `ephemeral`: the credential is not to be kept.
    pub ephemeral: bool,
    /// `continue`: this is one leg of several (NTLM, Kerberos).
    pub multistage: bool,
    /// `wwwauth[]`: the server's challenges, in order. Text from outside: bytes that are not UTF-8
    /// are replaced, and it is never printed raw.
    pub wwwauth: Vec<String>,
    /// `state[]`: only what we said ourselves, `gocred:…`.
    pub state: Vec<String>,
}

impl Request {
    /// Returns the origin that is asked for. `None` when protocol or host is missing, empty, or
    /// cannot be part of an origin: nothing is a wildcard here (CVE-2020-11008).
    pub fn origin(&self) -> Option<Origin> {
        Origin::new(self.protocol.as_deref()?, self.host.as_deref()?).ok()
    }

    /// Returns the credential that the request carries, if it is a complete one. An encoded one wins,
    /// as in git.
    pub fn secrets(&self) -> Option<Secrets> {
        let proof = match (&self.authtype, &self.credential, &self.username, &self.password) {
            (Some(authtype), Some(credential), _, _) => {
                Proof::Encoded { authtype: authtype.clone(), credential: credential.clone() }
            }
            (_, _, Some(_), Some(password)) => Proof::Password(password.clone()),
            (_, _, _, _) => return None,
        };
        Some(Secrets { refresh_token: self.oauth_refresh_token.clone(), ..Secrets::of(proof) })
    }
}

/// The longest line, in bytes, line feed included (git-credential(1), git 2.46).
pub const MAX_LINE: usize = 65_535;

/// The largest request, in bytes (decisions.md, "Helper output").
pub const MAX_REQUEST: usize = 1024 * 1024;

/// The prefix of what is ours in `state[]`.
pub const STATE_PREFIX: &str = "gocred:";
