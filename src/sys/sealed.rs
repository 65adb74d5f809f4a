//! A secret that waits for its use: in memory it lies under a key that never leaves it.
//!
//! One key for the process, in a page of its own. It is for what a daemon keeps for hours; what is used
//! at once, and wiped, is no safer for it.

use std::{io, sync::OnceLock};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{AeadInOut, KeyInit},
};
use secrecy::zeroize::Zeroizing;

use crate::{
    core::secret::{ExposeSecret, SecretString},
    sys::{locked::LockedKey, random},
};

const NONCE: usize = 24;
const TAG: usize = 16;
static KEY: OnceLock<LockedKey> = OnceLock::new();

/// A secret, sealed. It is opened by the process that sealed it.
#[derive(Clone)]
pub struct Sealed {
    nonce: [u8; NONCE],
    bytes: Vec<u8>,
}

impl Sealed {
    /// Seals a secret. It fails where the system gives no random numbers.
    pub fn of(secret: &SecretString) -> io::Result<Self> {
        if KEY.get().is_none() {
            // Another thread may be first; then its key is everybody's.
            let _ = KEY.set(LockedKey::random()?);
        }
        let nonce = random::bytes()?;
        let plain = secret.expose_secret().as_bytes();
        // Sealed where it is: it never grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
        bytes.extend_from_slice(plain);
        let sealed = cipher().and_then(|cipher| {
            cipher.encrypt_in_place(&XNonce::from(nonce), b"", &mut *bytes).ok()
        });
        sealed.ok_or_else(|| io::Error::other("a secret cannot be sealed"))?;
        Ok(Self { nonce, bytes: std::mem::take(&mut *bytes) })
    }

    /// Opens it. What is not sealed by this process is empty.
    pub fn open(&self) -> SecretString {
        let mut bytes = Zeroizing::new(self.bytes.clone());
        let opened = cipher().and_then(|cipher| {
            cipher.decrypt_in_place(&XNonce::from(self.nonce), b"", &mut *bytes).ok()
        });
        let text = opened.and_then(|()| str::from_utf8(&bytes).ok());
        SecretString::from(text.unwrap_or_default())
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed([REDACTED])")
    }
}

fn cipher() -> Option<XChaCha20Poly1305> {
    KEY.get().map(|key| key.with(|key| XChaCha20Poly1305::new(key.into())))
}

#[cfg(test)]
mod tests {
    use super::Sealed;
    use crate::core::secret::ExposeSecret;

    #[test]
    fn what_is_sealed_is_opened_again_and_never_shown() {
        for secret in ["", "hunter2-canary", &"x".repeat(60_000)] {
            let sealed = Sealed::of(&secret.into()).unwrap();
            assert_eq!(sealed.clone().open().expose_secret(), secret);
            assert!(secret.is_empty() || !String::from_utf8_lossy(&sealed.bytes).contains(secret));
            assert_eq!(format!("{sealed:?}"), "Sealed([REDACTED])");
        }
        let [one, other] = ["a", "a"].map(|secret| Sealed::of(&secret.into()).unwrap());
        assert_ne!(one.bytes, other.bytes);
    }

    #[test]
    fn what_was_changed_opens_nothing() {
        let mut sealed = Sealed::of(&"hunter2".into()).unwrap();
        sealed.bytes[0] ^= 1;
        assert_eq!(sealed.open().expose_secret(), "");
    }
}
