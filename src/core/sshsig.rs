//! What an SSH key signs where the signature is kept as a secret: the blob of `ssh-keygen -Y sign`
//! (OpenSSH, PROTOCOL.sshsig), so that no other use of the key ever signs the same bytes.

use sha2::{Digest, Sha512};

use crate::core::secret::SecretSlice;

const MAGIC: &[u8] = b"SSHSIG";
const HASH: &[u8] = b"sha512";

/// The key types whose signatures are the same each time: Ed25519 (RFC 8032) and RSA with PKCS #1 v1.5
/// (RFC 8332). ECDSA signs with a random number, and a security key with a counter.
pub const REPEATABLE: [&str; 2] = ["ssh-ed25519", "ssh-rsa"];

/// Returns what is signed for a message.
pub fn signed(namespace: &str, message: &[u8]) -> Vec<u8> {
    let digest = Sha512::digest(message);
    let mut blob = MAGIC.to_vec();
    for field in [namespace.as_bytes(), b"", HASH, digest.as_slice()] {
        put(&mut blob, field);
    }
    blob
}

/// Returns the type of a public key, such as `ssh-ed25519`.
pub fn key_type(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(take(&mut { key })?).ok()
}

/// Returns the bare signature, if it was made in one of the [`REPEATABLE`] ways.
pub fn bare(signature: &[u8]) -> Option<SecretSlice<u8>> {
    let mut rest = signature;
    let way = take(&mut rest)?;
    let bytes = take(&mut rest)?;
    let is_fit = rest.is_empty() && [&b"ssh-ed25519"[..], b"rsa-sha2-512"].contains(&way);
    is_fit.then(|| bytes.to_vec().into())
}

/// Appends a string of the SSH protocol (RFC 4251 §5).
pub fn put(blob: &mut Vec<u8>, field: &[u8]) {
    blob.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    blob.extend(field);
}

/// Takes a string of the SSH protocol from the front.
pub fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (field, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::{bare, key_type, put, signed, take};
    use crate::core::secret::ExposeSecret;

    fn strings(fields: &[&[u8]]) -> Vec<u8> {
        let mut blob = Vec::new();
        for field in fields {
            put(&mut blob, field);
        }
        blob
    }

    #[test]
    fn it_is_the_blob_of_the_document() {
        let blob = signed("gocred", b"message");
        let rest =
            blob.strip_prefix(b"SSHSIG\0\0\0\x06gocred\0\0\0\0\0\0\0\x06sha512\0\0\0\x40").unwrap();
        assert_eq!(rest.len(), 64);
        assert_ne!(signed("gocred", b"other"), blob);
    }

    #[test]
    fn only_signatures_that_repeat_are_taken() {
        let of = |way: &[u8]| bare(&strings(&[way, b"signature"]));
        assert_eq!(of(b"ssh-ed25519").unwrap().expose_secret(), b"signature");
        assert!(of(b"rsa-sha2-512").is_some());
        for way in [
            &b"rsa-sha2-256"[..],
            b"ssh-rsa",
            b"ecdsa-sha2-nistp256",
            b"",
            b"sk-ssh-ed25519@openssh.com",
        ] {
            assert!(of(way).is_none());
        }
        assert!(bare(&strings(&[b"ssh-ed25519", b"signature", b"more"])).is_none());
    }

    #[test]
    fn a_string_is_taken_whole_or_not() {
        let blob = strings(&[b"ssh-rsa", b"x"]);
        assert_eq!(key_type(&blob), Some("ssh-rsa"));
        for length in 0..11 {
            assert_eq!(take(&mut &blob[..length]), None);
        }
    }
}
