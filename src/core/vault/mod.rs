//! The encrypted file: its form and its seals, without files and without randomness.
//!
//! One random data key seals the body, which is all records. Each *wrap* holds that key sealed under a
//! key of its own: a passphrase's, an SSH key's, a TPM's. Whoever opens one wrap opens the file, and a
//! wrap comes and goes without the others.
//!
//! ```text
//! 0   8  "gocredV1"                      8  8  generation, from 1     16 16  id of the file, random, never changes
//! 32 24  nonce of the body               56 4  length H of the wraps  60  4  length B of the body
//! 64  H  wraps: u8 count, each: u8 kind, u8+name, u16+params, 24 nonce, 48 sealed data key
//! 64+H B body: XChaCha20-Poly1305(data key; what is authenticated with it: bytes 0 .. 64+H)
//! ```
//! All integers are big-endian.

pub mod body;
pub mod format;
mod read;
pub mod wrap;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{AeadInOut, KeyInit},
};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

/// The length of a key, in bytes.
pub const KEY: usize = 32;
/// The length of a nonce: long enough to be chosen at random each time (draft-irtf-cfrg-xchacha §3.1).
pub const NONCE: usize = 24;
/// What a seal is longer than its plain text.
pub const TAG: usize = 16;

/// A key that seals. It stays at one place of the heap, and is wiped when it is dropped.
pub struct SealKey(Box<Zeroizing<[u8; KEY]>>);

impl SealKey {
    /// Makes a key of what `fill` writes.
    pub fn filled<E>(fill: impl FnOnce(&mut [u8; KEY]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self(Box::new(Zeroizing::new([0; KEY])));
        fill(&mut key.0)?;
        Ok(key)
    }

    /// Copies a key. `None`: it has another length.
    pub fn copied(bytes: &[u8]) -> Option<Self> {
        let is_fit = |key: &mut [u8; KEY]| {
            let fits = bytes.len() == KEY;
            fits.then(|| key.copy_from_slice(bytes)).ok_or(())
        };
        Self::filled(is_fit).ok()
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey([REDACTED])")
    }
}

/// Why bytes are not an encrypted file of ours.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// It is another file, or a damaged one.
    #[error("it is damaged, or no encrypted file of gocred: {0}")]
    Damaged(&'static str),
    /// It has what a later version wrote. It is not to be replaced.
    #[error("it was written by a newer gocred")]
    Newer,
}

/// Seals in place: what was in the buffer is gone.
fn seal(
    key: &SealKey,
    nonce: &[u8; NONCE],
    along: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), Malformed> {
    // The tag must not make it move: what is behind would be a copy in plain text.
    buffer.reserve_exact(TAG);
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let too_long = |_| Malformed::Damaged("it is too long");
    cipher.encrypt_in_place(&XNonce::from(*nonce), along, buffer).map_err(too_long)
}

/// Opens what [`seal`] sealed. `None`: with another key, or it was changed.
fn open(
    key: &SealKey,
    nonce: &[u8; NONCE],
    along: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    cipher.decrypt_in_place(&XNonce::from(*nonce), along, &mut *buffer).ok()?;
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::{SealKey, open, seal};

    #[test]
    fn only_the_same_key_nonce_and_company_open_a_seal() {
        let key = |byte| SealKey::copied(&[byte; 32]).unwrap();
        let mut sealed = b"hunter2".to_vec();
        seal(&key(1), &[2; 24], b"along", &mut sealed).unwrap();
        assert_eq!(sealed.len(), 7 + 16);
        assert_eq!(**open(&key(1), &[2; 24], b"along", &sealed).unwrap(), *b"hunter2");
        assert!(open(&key(9), &[2; 24], b"along", &sealed).is_none());
        assert!(open(&key(1), &[9; 24], b"along", &sealed).is_none());
        assert!(open(&key(1), &[2; 24], b"other", &sealed).is_none());
        assert!(open(&key(1), &[2; 24], b"along", &[1; 15]).is_none());
    }

    #[test]
    fn it_is_the_cipher_of_the_draft() {
        // draft-irtf-cfrg-xchacha-03 §A.3.1
        let hex = |text: &str| -> Vec<u8> {
            let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
            text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
        };
        let text =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
                     the future, sunscreen would be it.";
        let key = SealKey::filled(|key| -> Result<(), ()> {
            (0x80u8..).zip(key).for_each(|(byte, place)| *place = byte);
            Ok(())
        });
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let mut buffer = text.to_vec();
        seal(&key.unwrap(), &nonce, &hex("50515253c0c1c2c3c4c5c6c7"), &mut buffer).unwrap();
        assert_eq!(buffer[..16], hex("bd6d179d3e83d43b9576579493c0e939"));
        assert_eq!(buffer[text.len()..], hex("c0875924c1c7987947deafd8780acf49"));
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", SealKey::copied(&[7; 32]).unwrap()), "SealKey([REDACTED])");
        assert!(SealKey::copied(&[7; 31]).is_none());
    }
}
