//! What the login is given of the store: the account of an upstream, and what is remembered of it.

use std::io;

use thiserror::Error;

use crate::{
    core::{
        auth::floor::Floor,
        origin::Origin,
        secret::{SecretString, same},
    },
    sys::sealed::Sealed,
};

/// Where passwords are, and what is remembered of rejected ones. Called on blocking threads.
pub trait Vault: Send + Sync {
    /// Returns the account for an upstream, exactly as it is configured; of several, the one with
    /// this user name.
    fn account(
        &self,
        upstream: &Origin,
        username: Option<&str>,
    ) -> Result<Option<Account>, Trouble>;

    /// Returns whether this secret was rejected there before, or may have been for all that can be read.
    fn is_rejected(&self, upstream: &Origin, realm: &str, account: &Account) -> bool;

    /// Remembers that it was rejected, across restarts.
    fn reject(&self, upstream: &Origin, realm: &str, account: &Account);

    /// Returns the best that this upstream has ever offered.
    fn floor(&self, upstream: &Origin) -> Option<Floor>;

    /// Remembers that it has offered this, across restarts.
    fn raise_floor(&self, upstream: &Origin, floor: Floor);
}

/// A user and a password.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// An account between two logins: its password is sealed.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    user: String,
    password: Sealed,
}

impl Kept {
    pub(super) fn of(account: &Account) -> io::Result<Self> {
        let Account { user, password } = account;
        Ok(Self { user: user.clone(), password: Sealed::of(password)? })
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn open(&self) -> Account {
        Account { user: self.user.clone(), password: self.password.open() }
    }

    /// Returns whether it is this one.
    pub(super) fn is(&self, account: &Account) -> bool {
        self.user == account.user && same(&self.password.open(), &account.password)
    }
}

/// Why a vault does not answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Trouble {
    /// It is locked.
    #[error("the keyring is locked")]
    Locked,
    /// There is none.
    #[error("{0}")]
    Missing(String),
    /// It fails or is silent.
    #[error("{0}")]
    Failed(String),
    /// Something else than the store keeps it from being given: a renewal, a source, the audit.
    #[error("{what}")]
    Withheld {
        /// Its code, such as `A32` or `K15`.
        code: &'static str,
        /// What happened.
        what: String,
    },
}
