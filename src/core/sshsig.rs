//! What an SSH key signs where the signature is kept as a secret: the blob of `ssh-keygen -Y sign`
//! (OpenSSH, PROTOCOL.sshsig), so that no other use of the key ever signs the same bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;
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

/// Parses a line of a `.pub` file: the key, and its comment.
pub fn public_line(line: &str) -> Option<(Vec<u8>, String)> {
    let mut words = line.trim().splitn(3, ' ');
    let (kind, text) = (words.next()?, words.next()?);
    let key = STANDARD.decode(text).ok()?;
    let is_it = key_type(&key) == Some(kind) && REPEATABLE.contains(&kind);
    is_it.then(|| (key, words.next().unwrap_or_default().to_owned()))
}

/// Whether a key file can be used by who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// It has a passphrase.
    Closed,
    /// It has none.
    Open,
}

/// Looks at the beginning of a key file (OpenSSH, PROTOCOL.key). `None`: it is of another form.
pub fn key_file(file: &[u8]) -> Option<KeyFile> {
    let text = file.strip_prefix(b"-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let text: Vec<u8> =
        text.iter().filter(|byte| !byte.is_ascii_whitespace()).take(64).copied().collect();
    // 48 bytes: the name of the cipher is among them, and nothing secret.
    let head = STANDARD.decode(text).ok()?;
    let mut rest = head.strip_prefix(b"openssh-key-v1\0")?;
    Some(if take(&mut rest)? == b"none" { KeyFile::Open } else { KeyFile::Closed })
}

/// Takes the signature out of what `ssh-keygen -Y sign` prints. `None`: it is something else, or of
/// another key or use.
pub fn armored(text: &str, key: &[u8], namespace: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body = text.trim().strip_prefix("-----BEGIN SSH SIGNATURE-----")?;
    let body = body.strip_suffix("-----END SSH SIGNATURE-----")?;
    let mut compact = Zeroizing::new(String::with_capacity(body.len()));
    compact.extend(body.split_whitespace());
    let mut blob = Zeroizing::new(Vec::with_capacity(compact.len()));
    STANDARD.decode_vec(compact.as_bytes(), &mut blob).ok()?;
    let mut rest = blob.strip_prefix(MAGIC)?.strip_prefix(&1_u32.to_be_bytes())?;
    let [of, use_, reserved, hash] =
        [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?, take(&mut rest)?];
    let signature = take(&mut rest)?;
    let is_it = of == key
        && use_ == namespace.as_bytes()
        && reserved.is_empty()
        && hash == HASH
        && rest.is_empty();
    is_it.then(|| Zeroizing::new(signature.to_vec()))
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
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::{KeyFile, armored, bare, key_file, key_type, public_line, put, signed, take};
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
    fn a_key_file_says_whether_it_has_a_passphrase() {
        let of = |cipher: &[u8]| {
            let fields = strings(&[cipher, b"bcrypt"]);
            let blob = [b"openssh-key-v1\0", fields.as_slice(), &[0; 64]];
            let text = STANDARD.encode(blob.concat());
            let (first, second) = text.split_at(70);
            let begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
            key_file(format!("{begin}\n{first}\n{second}\n").as_bytes())
        };
        assert_eq!((of(b"none"), of(b"aes256-ctr")), (Some(KeyFile::Open), Some(KeyFile::Closed)));
        for other in [
            &b""[..],
            b"-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n!",
        ] {
            assert_eq!(key_file(other), None);
        }
    }

    #[test]
    fn a_line_of_a_public_key_is_read() {
        let key = strings(&[b"ssh-ed25519", &[7; 32]]);
        let line = format!("ssh-ed25519 {} ana at home\n", STANDARD.encode(&key));
        assert_eq!(public_line(&line), Some((key.clone(), "ana at home".to_owned())));
        let other = format!("ssh-rsa {}", STANDARD.encode(&key));
        let ecdsa = STANDARD.encode(strings(&[b"ecdsa-sha2-nistp256"]));
        for line in [&other, &format!("ecdsa-sha2-nistp256 {ecdsa}"), "", "ssh-rsa", "ssh-rsa !"] {
            assert_eq!(public_line(line), None);
        }
    }

    #[test]
    fn what_ssh_keygen_prints_is_the_signature_of_its_key_and_use_only() {
        let text = |key: &[u8], namespace: &[u8]| {
            let fields = strings(&[key, namespace, b"", b"sha512", b"the signature"]);
            let blob = [b"SSHSIG", &1_u32.to_be_bytes()[..], &fields].concat();
            let text = STANDARD.encode(blob);
            let (first, second) = text.split_at(20);
            format!(
                "-----BEGIN SSH SIGNATURE-----\n{first}\n{second}\n-----END SSH SIGNATURE-----\n"
            )
        };
        let of = |text: &str| armored(text, b"key", "gocred").map(|signature| signature.to_vec());
        assert_eq!(of(&text(b"key", b"gocred")), Some(b"the signature".to_vec()));
        assert_eq!(of(&text(b"other", b"gocred")), None);
        assert_eq!(of(&text(b"key", b"file")), None);
        assert_eq!(of("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----"), None);
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
