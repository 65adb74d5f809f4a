//! A secret that waits for its use, on a system where no page is locked: it is only wiped in the end.

use std::io;

use crate::core::secret::SecretString;

/// A secret.
#[derive(Clone, Debug)]
pub struct Sealed(SecretString);

impl Sealed {
    /// Keeps a secret.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub fn of(secret: &SecretString) -> io::Result<Self> {
        Ok(Self(secret.clone()))
    }

    /// Returns it.
    pub fn open(&self) -> SecretString {
        self.0.clone()
    }
}
