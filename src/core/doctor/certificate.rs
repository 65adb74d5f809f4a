//! X.509 certificates (RFC 5280), as far as a diagnosis tells about them and a verdict needs them.
//!
//! It judges nothing: [`crate::core::doctor::verdict`] does. Policies, revocation and names other than
//! DNS names and addresses are not read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::core::{
    auth::der::{OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, context},
    doctor::probe::Certificate,
    time,
};

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const BMP_STRING: u8 = 0x1e;

/// A certificate, taken apart.
#[derive(Clone, Debug, Default)]
pub struct X509 {
    /// What people are told.
    pub shown: Certificate,
    /// Its addresses among the names.
    pub addresses: Vec<IpAddr>,
    /// Whether it has a subjectAltName extension at all.
    pub has_names: bool,
    /// What the issuer may not sign for, or only.
    pub constraints: Constraints,
    /// All of it.
    pub(crate) der: Vec<u8>,
    /// What is signed.
    pub(crate) signed: Vec<u8>,
    /// The contents of the signature's object identifier.
    pub(crate) algorithm: Vec<u8>,
    /// The signature.
    pub(crate) signature: Vec<u8>,
    /// The names as they stand: equal bytes are equal names.
    pub(crate) issuer: Vec<u8>,
    /// See `issuer`.
    pub(crate) subject: Vec<u8>,
    /// The kind of its key, and the key.
    pub(crate) kind: KeyKind,
    /// See `kind`.
    pub(crate) key: Vec<u8>,
}

/// DNS names of a nameConstraints extension (RFC 5280 §4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// Nothing but these, where there are any.
    pub permitted: Vec<String>,
    /// None of these.
    pub excluded: Vec<String>,
}

/// Keys that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
    #[default]
    Other,
}

/// Reads a certificate. `None`: it is none.
pub fn parse(der: &[u8]) -> Option<X509> {
    let mut whole = Reader::new(Reader::new(der).take(SEQUENCE)?);
    let signed = whole.whole()?;
    let mut algorithm = Reader::new(whole.take(SEQUENCE)?);
    let algorithm = algorithm.take(OBJECT_IDENTIFIER)?;
    let signature = bits(whole.take(BIT_STRING)?)?;
    let mut body = Reader::new(Reader::new(signed).take(SEQUENCE)?);
    let _version = body.take(context(0));
    body.take(INTEGER)?;
    body.take(SEQUENCE)?;
    let issuer = body.whole()?;
    let mut validity = Reader::new(body.take(SEQUENCE)?);
    let valid = (moment(&mut validity)?, moment(&mut validity)?);
    let subject = body.whole()?;
    let (kind, key, described, rsa_bits) = key(body.take(SEQUENCE)?)?;
    let mut parsed = X509 {
        der: der.to_vec(),
        signed: signed.to_vec(),
        algorithm: algorithm.to_vec(),
        signature: signature.to_vec(),
        issuer: issuer.to_vec(),
        subject: subject.to_vec(),
        kind,
        key,
        ..X509::default()
    };
    parsed.shown = Certificate {
        subject: name(subject).unwrap_or_default(),
        issuer: name(issuer).unwrap_or_default(),
        valid,
        is_self_signed: subject == issuer,
        key: described,
        rsa_bits,
        fingerprint: hmac_sha256::Hash::hash(der).iter().fold(String::new(), |hex, byte| {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
            hex + &String::from_iter([digit(byte >> 4), digit(byte & 15)])
        }),
        ..Certificate::default()
    };
    while !body.is_empty() {
        let (tag, contents) = body.element()?;
        if tag == context(3) {
            extensions(&mut parsed, contents)?;
        }
    }
    Some(parsed)
}

/// Returns the bytes of a bit string of whole bytes.
fn bits(contents: &[u8]) -> Option<&[u8]> {
    contents.split_first().filter(|(unused, _)| **unused == 0).map(|(_, rest)| rest)
}

/// Reads a time (RFC 5280 §4.1.2.5). What lies before 1970 is 0.
fn moment(from: &mut Reader<'_>) -> Option<u64> {
    let (tag, text) = from.element()?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let century = match text.get(..2)?.parse::<u8>().ok()? {
        _ if tag != UTC_TIME => "",
        50.. => "19",
        _ => "20",
    };
    let text = format!("{century}{text}");
    let part = |from: usize, to: usize| text.get(from..to);
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let stamp = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Some(time::timestamp(&stamp).unwrap_or_default())
}

fn key(contents: &[u8]) -> Option<(KeyKind, Vec<u8>, String, u32)> {
    const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
    const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
    const P521: &[u8] = b"\x2b\x81\x04\x00\x23";
    const ED25519: &[u8] = b"\x2b\x65\x70";
    let mut info = Reader::new(contents);
    let mut algorithm = Reader::new(info.take(SEQUENCE)?);
    let kind = algorithm.take(OBJECT_IDENTIFIER)?;
    let key = bits(info.take(BIT_STRING)?)?;
    let told = |kind, text: &str| Some((kind, key.to_vec(), text.to_owned(), 0));
    match (kind, algorithm.take(OBJECT_IDENTIFIER)) {
        (RSA, _) => {
            let mut numbers = Reader::new(Reader::new(key).take(SEQUENCE)?);
            let modulus = numbers.take(INTEGER)?;
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            let first = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros());
            let bits = u32::try_from((modulus.len() - zeros) * 8).ok()?.checked_sub(first)?;
            Some((KeyKind::Rsa, key.to_vec(), format!("RSA {bits}"), bits))
        }
        (EC, Some(P256)) => told(KeyKind::P256, "EC P-256"),
        (EC, Some(P384)) => told(KeyKind::P384, "EC P-384"),
        (EC, Some(P521)) => told(KeyKind::Other, "EC P-521"),
        (ED25519, _) => told(KeyKind::Ed25519, "Ed25519"),
        _ => told(KeyKind::Other, "of another kind"),
    }
}

/// Writes a name as one line, in the order of the certificate.
fn name(whole: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut sets = Reader::new(Reader::new(whole).take(SEQUENCE)?);
    while let Some(set) = sets.take(SET) {
        let mut pairs = Reader::new(set);
        while let Some(pair) = pairs.take(SEQUENCE) {
            let mut pair = Reader::new(pair);
            let kind = match pair.take(OBJECT_IDENTIFIER)? {
                b"\x55\x04\x03" => "CN",
                b"\x55\x04\x06" => "C",
                b"\x55\x04\x07" => "L",
                b"\x55\x04\x08" => "ST",
                b"\x55\x04\x0a" => "O",
                b"\x55\x04\x0b" => "OU",
                _ => continue,
            };
            let (tag, value) = pair.element()?;
            parts.push(format!("{kind}={}", text(tag, value)));
        }
    }
    Some(parts.join(", "))
}

/// Returns a text that can be printed: a certificate is written by anybody.
fn text(tag: u8, value: &[u8]) -> String {
    let wide = || {
        let units = value.chunks_exact(2).map(|pair| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        });
        char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
    };
    let text: String =
        if tag == BMP_STRING { wide() } else { String::from_utf8_lossy(value).into_owned() };
    text.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn extensions(parsed: &mut X509, contents: &[u8]) -> Option<()> {
    let mut list = Reader::new(Reader::new(contents).take(SEQUENCE)?);
    while let Some(extension) = list.take(SEQUENCE) {
        let mut extension = Reader::new(extension);
        let kind = extension.take(OBJECT_IDENTIFIER)?;
        let _critical = extension.take(BOOLEAN);
        let value = Reader::new(extension.take(OCTET_STRING)?);
        match kind {
            b"\x55\x1d\x11" => alternative_names(parsed, value)?,
            b"\x55\x1d\x13" => parsed.shown.is_authority = is_authority(value)?,
            b"\x55\x1d\x1e" => constraints(parsed, value)?,
            b"\x55\x1d\x25" => parsed.shown.purposes = Some(purposes(value)?),
            b"\x2b\x06\x01\x05\x05\x07\x01\x01" => parsed.shown.issuer_url = issuer_url(value),
            _ => {}
        }
    }
    Some(())
}

fn alternative_names(parsed: &mut X509, mut value: Reader<'_>) -> Option<()> {
    parsed.has_names = true;
    let mut names = Reader::new(value.take(SEQUENCE)?);
    while !names.is_empty() {
        match names.element()? {
            (0x82, name) => parsed.shown.names.push(text(0, name)),
            (0x87, bytes) => {
                let v4 = <[u8; 4]>::try_from(bytes).map(|it| Ipv4Addr::from(it).into());
                let v6 = || <[u8; 16]>::try_from(bytes).map(|it| Ipv6Addr::from(it).into());
                let address: IpAddr = v4.or_else(|_| v6()).ok()?;
                parsed.addresses.push(address);
                parsed.shown.names.push(address.to_string());
            }
            _ => {}
        }
    }
    Some(())
}

fn is_authority(mut value: Reader<'_>) -> Option<bool> {
    Some(Reader::new(value.take(SEQUENCE)?).take(BOOLEAN) == Some(&[0xff]))
}

fn constraints(parsed: &mut X509, mut value: Reader<'_>) -> Option<()> {
    let mut both = Reader::new(value.take(SEQUENCE)?);
    for (tag, list) in [
        (context(0), &mut parsed.constraints.permitted),
        (context(1), &mut parsed.constraints.excluded),
    ] {
        let Some(trees) = both.take(tag) else { continue };
        let mut trees = Reader::new(trees);
        while let Some(tree) = trees.take(SEQUENCE) {
            if let (0x82, name) = Reader::new(tree).element()? {
                list.push(text(0, name));
            }
        }
    }
    Some(())
}

fn purposes(mut value: Reader<'_>) -> Option<Vec<String>> {
    let mut list = Reader::new(value.take(SEQUENCE)?);
    let mut purposes = Vec::new();
    while let Some(purpose) = list.take(OBJECT_IDENTIFIER) {
        purposes.push(match purpose {
            b"\x2b\x06\x01\x05\x05\x07\x03\x01" => "serverAuth".to_owned(),
            b"\x2b\x06\x01\x05\x05\x07\x03\x02" => "clientAuth".to_owned(),
            b"\x2b\x06\x01\x05\x05\x07\x03\x03" => "codeSigning".to_owned(),
            b"\x2b\x06\x01\x05\x05\x07\x03\x04" => "emailProtection".to_owned(),
            b"\x2b\x06\x01\x05\x05\x07\x03\x09" => "OCSPSigning".to_owned(),
            b"\x55\x1d\x25\x00" => "any".to_owned(),
            _ => "another".to_owned(),
        });
    }
    Some(purposes)
}

/// Returns where the issuer's certificate is (RFC 5280 §4.2.2.1).
fn issuer_url(mut value: Reader<'_>) -> Option<String> {
    let mut list = Reader::new(value.take(SEQUENCE)?);
    while let Some(entry) = list.take(SEQUENCE) {
        let mut entry = Reader::new(entry);
        let method = entry.take(OBJECT_IDENTIFIER)?;
        if let (b"\x2b\x06\x01\x05\x05\x07\x30\x02", (0x86, url)) = (method, entry.element()?) {
            return Some(text(0, url));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;

    // Whole certificates, as openssl writes them, are read by tests/it/doctor_certificates.
    proptest! {
        #[test]
        fn anything_is_a_certificate_or_none(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(parse(&bytes).is_none());
        }
    }
}
