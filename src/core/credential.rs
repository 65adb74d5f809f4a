//! What is stored, what is asked for, and what is answered.

use crate::core::{
    origin::Origin,
    secret::{SecretString, same},
};

/// Seconds since 1970-01-01 UTC.
pub type UnixTime = u64;

/// The namespace of a stored secret. A search never leaves its namespace, so that what git says
/// (`erase` above all) cannot reach a proxy's password (git-helper.md §1.7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A key of ours: the guard's. Never released.
    Internal,
    /// A git host, module host or module proxy.
    Git,
    /// A forward proxy.
    Proxy,
}

impl Kind {
    /// Returns the word that stands for it in a store and in the index.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Git => "git",
            Self::Proxy => "proxy",
        }
    }

    /// Parses what [`Self::as_str`] returns.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Internal, Self::Git, Self::Proxy].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The identity of a stored secret: two records never have the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace.
    pub kind: Kind,
    /// The only origin it is released to.
    pub origin: Origin,
    /// The path it is limited to, without leading or trailing slash; `None` is the whole origin.
    pub path: Option<String>,
    /// The account; may be empty.
    pub user: String,
}

/// A search. Everything that is `Some` must be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The namespace, always.
    pub kind: Kind,
    /// `None` lists all origins of the namespace.
    pub origin: Option<Origin>,
    /// `None` is any path, and none (git's `credential_match`).
    pub path: Option<String>,
    /// `None` is any account.
    pub user: Option<String>,
}

impl Query {
    /// Asks for everything of a namespace.
    pub fn all(kind: Kind) -> Self {
        Self { kind, origin: None, path: None, user: None }
    }

    /// Asks for everything that is stored for an origin.
    pub fn origin(kind: Kind, origin: Origin) -> Self {
        Self { kind, origin: Some(origin), path: None, user: None }
    }

    /// Returns whether a key answers this query.
    pub fn matches(&self, key: &Key) -> bool {
        let Self { kind, origin, path, user } = self;
        *kind == key.kind
            && origin.as_ref().is_none_or(|origin| *origin == key.origin)
            && path.as_ref().is_none_or(|path| Some(path) == key.path.as_ref())
            && user.as_ref().is_none_or(|user| *user == key.user)
    }
}

/// The secret part of a record.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// How the origin is told who we are.
    pub proof: Proof,
    /// An OAuth 2 refresh token (RFC 6749 §1.5), as confidential as a password.
    pub refresh_token: Option<SecretString>,
    /// What renews it with the refresh token, as `core::oauth::Session` writes it; opaque here, so that
    /// the helper knows nothing of OAuth. Where it is, git gets neither it nor the refresh token.
    pub session: Option<SecretString>,
}

impl Secrets {
    /// A proof that nothing renews.
    pub fn of(proof: Proof) -> Self {
        Self { proof, refresh_token: None, session: None }
    }
}

/// How an origin is told who we are.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The password of the key's account.
    Password(SecretString),
    /// `Authorization: <authtype> <credential>`, already encoded (git 2.46).
    Encoded {
        /// The scheme, such as `Bearer`.
        authtype: String,
        /// What follows it.
        credential: SecretString,
    },
}

impl Proof {
    /// Returns whether two proofs are the same secret of the same kind.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Password(one), Self::Password(other)) => same(one, other),
            (
                Self::Encoded { authtype, credential },
                Self::Encoded { authtype: other_type, credential: other },
            ) => authtype == other_type && same(credential, other),
            (Self::Password(_), Self::Encoded { authtype: _, credential: _ })
            | (Self::Encoded { authtype: _, credential: _ }, Self::Password(_)) => false,
        }
    }
}

/// Why a record is not answered although it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// When.
    pub at: UnixTime,
    /// Who asked for it, such as `git erase`; printable ASCII.
    pub by: String,
}

/// What a store knows of a record without releasing its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its identity.
    pub key: Key,
    /// When the secret ends, if that is known.
    pub expires: Option<UnixTime>,
    /// When it was written; 0 is unknown.
    pub stored: UnixTime,
    /// Set while it is hidden.
    pub hidden: Option<Hidden>,
}

/// An entry with its secrets.
#[derive(Clone, Debug)]
pub struct Record {
    /// What is not secret.
    pub entry: Entry,
    /// What is.
    pub secrets: Secrets,
}

impl AsRef<Self> for Entry {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<Entry> for Record {
    fn as_ref(&self) -> &Entry {
        &self.entry
    }
}

/// How long a hidden record is kept before it is removed: 30 days, in seconds (decisions.md).
pub const HIDDEN_FOR: UnixTime = 30 * 24 * 60 * 60;
