//! What the login is given of the store: the account of an upstream, and what is remembered of it.

use thiserror::Error;

use crate::core::{auth::floor::Floor, origin::Origin, secret::SecretString};

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
}
