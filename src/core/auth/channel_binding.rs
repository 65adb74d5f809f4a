//! Channel bindings: what ties a login to the TLS connection that it is sent on, so that it is
//! worth nothing on another one (RFC 5056, RFC 5929).
//!
//! Only `tls-server-end-point`: it is what proxies check (Extended Protection), and it needs nothing
//! but the certificate.

use md5::{Digest, Md5};
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use crate::core::auth::der::{OBJECT_IDENTIFIER, Reader, SEQUENCE, context};

/// Returns the binding for a server's certificate (RFC 5929 §4): the prefix and the hash of the
/// certificate. `None`: for its signature algorithm none is defined (§4.1: Ed25519 and whatever
/// names no hash function), or these bytes are no certificate.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash: Vec<u8> = match signature_hash(certificate)? {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
        Hash::Sha512Of224 => Sha512_224::digest(certificate).to_vec(),
        Hash::Sha512Of256 => Sha512_256::digest(certificate).to_vec(),
    };
    Some([b"tls-server-end-point:", &hash[..]].concat())
}

/// Returns the form of a binding that NTLM carries ([MS-NLMP] §2.2.2.1, `MsvAvChannelBindings`): the
/// MD5 of a `gss_channel_bindings_struct` without addresses (RFC 4121 §4.1.1.2, little-endian).
pub fn ntlm(binding: &[u8]) -> [u8; 16] {
    let length = u32::try_from(binding.len()).unwrap_or(u32::MAX);
    let hash = Md5::new().chain_update([0; 16]).chain_update(length.to_le_bytes());
    hash.chain_update(binding).finalize().into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512Of224,
    Sha512Of256,
}

/// Returns the hash function of the certificate's signature (RFC 5280 §4.1.1.2); SHA-256 in place of
/// MD5 and SHA-1 (RFC 5929 §4.1).
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let mut certificate = Reader::new(Reader::new(certificate).take(SEQUENCE)?);
    let _to_be_signed = certificate.take(SEQUENCE)?;
    let mut algorithm = Reader::new(certificate.take(SEQUENCE)?);
    let oid = algorithm.take(OBJECT_IDENTIFIER)?;
    if oid == RSASSA_PSS { pss_hash(algorithm) } else { known(SIGNATURES, oid) }
}

/// Reads the hash function out of the parameters of RSASSA-PSS (RFC 4055 §3.1): SHA-1 by default.
fn pss_hash(mut algorithm: Reader<'_>) -> Option<Hash> {
    let mut parameters = Reader::new(algorithm.take(SEQUENCE)?);
    let Some(hash) = parameters.take(context(0)) else { return Some(Hash::Sha256) };
    let mut hash = Reader::new(Reader::new(hash).take(SEQUENCE)?);
    known(HASHES, hash.take(OBJECT_IDENTIFIER)?)
}

fn known(table: &[(&[u8], Hash)], oid: &[u8]) -> Option<Hash> {
    table.iter().find(|(known, _)| *known == oid).map(|(_, hash)| *hash)
}

/// 1.2.840.113549.1.1.10
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

const SIGNATURES: &[(&[u8], Hash)] = &[
    // PKCS #1 (RFC 8017 appendix C, RFC 4055 §5): MD2, MD5, SHA-1, then the SHA-2 family.
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", Hash::Sha384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", Hash::Sha512),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", Hash::Sha224),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0f", Hash::Sha512Of224),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x10", Hash::Sha512Of256),
    // ECDSA (RFC 3279 §2.2.3, RFC 5758 §3.2).
    (b"\x2a\x86\x48\xce\x3d\x04\x01", Hash::Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x01", Hash::Sha224),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", Hash::Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", Hash::Sha384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", Hash::Sha512),
];

const HASHES: &[(&[u8], Hash)] = &[
    // MD5 (RFC 8017 appendix B.1), SHA-1 and SHA-2 (RFC 4055 §2.1).
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x05", Hash::Sha256),
    (b"\x2b\x0e\x03\x02\x1a", Hash::Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", Hash::Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", Hash::Sha384),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", Hash::Sha512),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x04", Hash::Sha224),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x05", Hash::Sha512Of224),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x06", Hash::Sha512Of256),
];

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::{end_point, ntlm};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Certificates and hashes by openssl (`tests/corpus/certificates/make.sh`).
    #[test]
    fn a_certificate_is_hashed_as_it_was_signed() {
        for (certificate, hash, ntlm_form) in [
            (
                &include_bytes!("../../../tests/corpus/certificates/ec1.der")[..],
                "208a77b8a533c6ad77ed0b0390b402306c51bfcfb4fe0e23263b630252e57c70",
                "239b193ff805d389402f868b1a531a94",
            ),
            (
                &include_bytes!("../../../tests/corpus/certificates/ec256.der")[..],
                "da6ab01125f9eeed42a910c8a9d26ecffec025b1b721a165423eb9f0637bfa9e",
                "83eea653a69e52a68f925b2381c6a600",
            ),
            (
                &include_bytes!("../../../tests/corpus/certificates/ec384.der")[..],
                "b9da631883768b38c3ff0d101d7713476249272b87ff7bf8e6024fc1df2880660abd1da37535f47ee4901c4f33c03044",
                "99afe4abc7dd3bf603468f7ea949340a",
            ),
            (
                &include_bytes!("../../../tests/corpus/certificates/ec512.der")[..],
                "a166ac7fda05cf50bdb85ecd18b0fb34a0da4308cbcd72567977c8b1c11433e089ec0fc7de4526680bfe79a0d37f3255c60a09eb0fd1b99adfbb7b81ebf4caae",
                "e458177a89dc44ea9f1048b309b561d2",
            ),
            (
                &include_bytes!("../../../tests/corpus/certificates/pss384.der")[..],
                "10ff5ba7792d15926c3a701ddd474cc8bbc41a68a918ab21111b11a1cee8c756f9afd1fcf01c274aadc3383dea483058",
                "24b1e54ce76236111d4586c1deed25e3",
            ),
            (
                &include_bytes!("../../../tests/corpus/certificates/rsa256.der")[..],
                "b6734c388b1f6646635e16ca513cd2203bb6b68db2f94265a8e78f4713f2476d",
                "56a4ab9f97d5e3a783be8df44b6f1ac4",
            ),
        ] {
            let binding = end_point(certificate).unwrap();
            let (prefix, read) = binding.split_at("tls-server-end-point:".len());
            assert_eq!(prefix, b"tls-server-end-point:");
            assert_eq!(hex(read), hash);
            assert_eq!(hex(&ntlm(&binding)), ntlm_form);
        }
    }

    /// RFC 5929 §4.1: undefined where the signature has no hash function of its own.
    #[test]
    fn ed25519_has_no_binding() {
        let certificate = include_bytes!("../../../tests/corpus/certificates/ed.der");
        assert_eq!(end_point(certificate), None);
    }

    #[test]
    fn half_a_certificate_has_no_binding() {
        let certificate = include_bytes!("../../../tests/corpus/certificates/ec256.der");
        for end in 0..certificate.len() {
            assert_eq!(end_point(&certificate[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = end_point(&bytes);
        }
    }
}
