//! A login that has ended is renewed, once for all who ask.

use std::{fs::File, io, time::Duration};

use thiserror::Error;

use crate::{broker::Broker, core::credential::Record, store};

/// Who renews: a process of its own, which outlives those who wait for it.
pub trait Renew: Send {
    /// Starts it on the locked file that names the record, and waits for its end. The file's lock is
    /// the process's from then on. `false`: it has not ended within the limit.
    fn run(&mut self, locked: File, limit: Duration) -> io::Result<bool>;
}

/// Why a login was not renewed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RenewError {
    /// Somebody else renews it, and has not ended in time.
    #[error("another process renews this login and does not end")]
    Busy,
    /// The server refused: a person must log in again.
    #[error("{0}")]
    Rejected(String),
    /// The server cannot be reached; the login may still be good.
    #[error("{0}")]
    Unreachable(String),
}

impl From<RenewError> for store::Error {
    fn from(error: RenewError) -> Self {
        let code = match &error {
            RenewError::Busy => "K25",
            RenewError::Rejected(_) => "A32",
            RenewError::Unreachable(_) => "K26",
        };
        Self::Withheld { code, what: error.to_string() }
    }
}

impl Broker<'_> {
    /// Renews a record that has ended. `None`: nobody here can, and it stays with who asked.
    pub(super) fn renewed(&mut self, record: &Record) -> Option<Result<Record, RenewError>> {
        let _worker = self.renewer.as_mut().filter(|_| record.secrets.session.is_some())?;
        Some(Err(RenewError::Unreachable("renewing a login is not built yet".to_owned())))
    }
}
