//! Records as they lie in memory: sealed under a key in a page that never leaves it.

use std::io;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{AeadInOut, KeyInit},
};
use secrecy::zeroize::Zeroizing;

use crate::{
    core::{credential::Record, vault::body},
    sys::{locked::LockedKey, random},
};

const NONCE: usize = 24;

/// The key of it all.
pub(super) struct Sealer(LockedKey);

/// Records that only their [`Sealer`] opens.
pub(super) struct Sealed {
    nonce: [u8; NONCE],
    pub(super) bytes: Vec<u8>,
}

impl Sealer {
    pub(super) fn new() -> io::Result<Self> {
        LockedKey::random().map(Self)
    }

    /// Seals records. `None`: the system gives no random number.
    pub(super) fn seal(&self, records: &[Record]) -> Option<Sealed> {
        let nonce = random::bytes().ok()?;
        let mut plain = body::encode(records);
        let mut bytes = std::mem::take(&mut *plain);
        if self.cipher().encrypt_in_place(&XNonce::from(nonce), b"", &mut bytes).is_err() {
            drop(Zeroizing::new(bytes));
            return None;
        }
        Some(Sealed { nonce, bytes })
    }

    /// Opens what it has sealed.
    pub(super) fn open(&self, sealed: &Sealed) -> Option<Vec<Record>> {
        let mut bytes = Zeroizing::new(sealed.bytes.clone());
        self.cipher().decrypt_in_place(&XNonce::from(sealed.nonce), b"", &mut *bytes).ok()?;
        body::parse(&bytes).ok()
    }

    /// Returns whether the key stays in memory.
    pub(super) fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        self.0.with(|key| XChaCha20Poly1305::new(key.into()))
    }
}
