//! What a question to the Secret Service finds, and why it ends without an answer.

use thiserror::Error;

use crate::{
    core::dbus::Malformed,
    store::{bus, item::Attributes},
};

/// An unlocked item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Its object path.
    pub(super) path: String,
    /// All of its attributes.
    pub(super) attributes: Attributes,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What can be read.
    pub(super) items: Vec<Item>,
    /// Whether something else matched.
    pub(super) rest: Rest,
}

/// What a search found besides the unlocked items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Items that are locked, such as this one; their attributes are not known.
    Locked(String),
    /// Nothing.
    Nothing,
}

/// What the caller needs after a search: the calls for it go out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The attributes only; no session is opened.
    Attributes,
    /// The secrets too.
    Secrets,
}

/// Why a conversation ended.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Error {
    /// The bus, or an error answer.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// It takes the whole program, and this is what the small helper has of it.
    #[error("the service wants more than the small helper can do")]
    Elsewhere,
    /// The collection is locked.
    #[error("the keyring is locked")]
    Locked,
    /// What was found was gone when it was read: another program is at work.
    #[error("the keyring changed while it was read")]
    Moved,
    /// There is no default collection: nothing was ever stored in this account.
    #[error("there is no default collection")]
    NoCollection,
    /// The service wants to ask a person, for an item whose collection is open.
    #[error("the service wants to ask a person")]
    Prompt,
}

impl Error {
    /// Returns whether no answer to an earlier call can still be on its way.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Bus(_) => false,
            Self::Elsewhere | Self::Locked | Self::Moved | Self::NoCollection | Self::Prompt => {
                true
            }
        }
    }
}

impl From<Malformed> for Error {
    fn from(error: Malformed) -> Self {
        Self::Bus(error.into())
    }
}
