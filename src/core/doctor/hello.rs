//! A TLS client's first message in its own hand, and the beginning of what a server answers: for what
//! no TLS library offers any more (TLS 1.0), and for a look at a server that refuses another hello.
//!
//! The handshake is never finished: after the server's hello everything is known that was asked.

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer<'a> {
    /// TLS 1.0 and 1.1, with the cipher suites of their time.
    Old,
    /// TLS 1.2, with everything that go and the libraries under git offer.
    Usual,
    /// TLS 1.2 with these suites only.
    These(&'a [u16]),
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Its hello: the version that it chose, and the cipher suite.
    Hello(u16, u16),
    /// A fatal alert.
    Alert(u8),
    /// Not enough bytes yet.
    More,
    /// No TLS.
    NotTls,
}

/// RFC 5246, RFC 4492, RFC 5289, RFC 7905, as numbers of IANA's registry: with AEAD, then CBC; with
/// ephemeral keys, then without; 3DES at the end.
const USUAL: [u16; 19] = [
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0xc023, 0xc027,
    0x009c, 0x009d, 0x002f, 0x0035, 0x009e, 0x009f, 0x000a,
];
const OLD: [u16; 9] = [0xc009, 0xc013, 0xc00a, 0xc014, 0x002f, 0x0035, 0x0033, 0x0039, 0x000a];

/// Returns the record of a hello. A name that is an address is not told (RFC 6066 §3).
pub fn hello(offer: Offer<'_>, name: &str, random: &[u8; 32]) -> Vec<u8> {
    let (version, suites): (u16, &[u16]) = match offer {
        Offer::Old => (0x0302, &OLD),
        Offer::Usual => (0x0303, &USUAL),
        Offer::These(suites) => (0x0303, suites),
    };
    let mut body = version.to_be_bytes().to_vec();
    body.extend(random);
    // No session to resume.
    body.push(0);
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    body.extend(counted(&suites));
    // No compression.
    body.extend([1, 0]);
    body.extend(counted(&extensions(offer, name)));
    let mut message = vec![1, 0];
    message.extend(counted(&body));
    let mut record = vec![0x16, 3, 1];
    record.extend(counted(&message));
    record
}

fn extensions(offer: Offer<'_>, name: &str) -> Vec<u8> {
    let mut all = Vec::new();
    let mut add = |number: u16, contents: &[u8]| {
        all.extend(number.to_be_bytes());
        all.extend(counted(contents));
    };
    let bare = name.trim_start_matches('[').trim_end_matches([']', '.']);
    if bare.parse::<std::net::IpAddr>().is_err() {
        let entry = [&[0][..], &counted(bare.as_bytes())].concat();
        add(0, &counted(&entry));
    }
    // supported_groups: x25519, P-256, P-384; ec_point_formats: uncompressed.
    add(10, &counted(&[0, 29, 0, 23, 0, 24]));
    add(11, &[1, 0]);
    if offer != Offer::Old {
        // signature_algorithms: ECDSA, RSA-PSS, RSA with SHA-256 to 512, then with SHA-1.
        add(
            13,
            &counted(&[4, 3, 5, 3, 6, 3, 8, 7, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1, 2, 1, 2, 3]),
        );
    }
    // renegotiation_info, empty (RFC 5746 §3.4).
    add(0xff01, &[0]);
    all
}

/// Returns bytes behind their number in two bytes. A name is never so long that it does not fit.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// Reads the beginning of an answer.
pub fn read(bytes: &[u8]) -> Reply {
    match *bytes {
        [] | [0x15 | 0x16] => Reply::More,
        [0x15, 3, _, 0, 2, _, number, ..] => Reply::Alert(number),
        [0x16, 3, _, _, _, 2, _, _, _, ref body @ ..] => server_hello(body),
        [0x15 | 0x16, 3, ..] if bytes.len() < 10 => Reply::More,
        _ => Reply::NotTls,
    }
}

/// Reads the version, passes over the random and the session, and reads the cipher suite.
fn server_hello(body: &[u8]) -> Reply {
    let number = |at: usize| {
        let bytes = body.get(at..at + 2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    let session = body.get(34).map(|length| usize::from(*length));
    let suite = session.and_then(|length| number(35 + length));
    match (number(0), suite) {
        (Some(version), Some(suite)) => Reply::Hello(version, suite),
        _ => Reply::More,
    }
}

/// Returns how a version is called.
pub fn version(number: u16) -> String {
    match number {
        0x0300 => "SSLv3".to_owned(),
        0x0301 => "TLSv1.0".to_owned(),
        0x0302 => "TLSv1.1".to_owned(),
        0x0303 => "TLSv1.2".to_owned(),
        0x0304 => "TLSv1.3".to_owned(),
        number => format!("{number:#06x}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::server::Acceptor;

    use super::{Offer, Reply, hello, read, version};

    #[test]
    fn a_tls_server_reads_the_hello() {
        let bytes = hello(Offer::Usual, "git.corp.test", &[7; 32]);
        let mut acceptor = Acceptor::default();
        acceptor.read_tls(&mut bytes.as_slice()).unwrap();
        let accepted = acceptor.accept().unwrap().unwrap();
        let told = accepted.client_hello();
        assert_eq!(told.server_name(), Some("git.corp.test"));
        assert_eq!(told.cipher_suites().len(), super::USUAL.len());
        assert_eq!(told.signature_schemes().len(), 12);
        let bytes = hello(Offer::Usual, "[::1]", &[7; 32]);
        let mut acceptor = Acceptor::default();
        acceptor.read_tls(&mut bytes.as_slice()).unwrap();
        assert_eq!(acceptor.accept().unwrap().unwrap().client_hello().server_name(), None);
    }

    #[test]
    fn what_is_no_tls_is_seen_at_once() {
        for (bytes, reply) in [
            (&b""[..], Reply::More),
            (b"\x15", Reply::More),
            (b"\x15\x03\x03\x00\x02\x02\x28", Reply::Alert(40)),
            (b"\x16\x03\x01\x00\x40\x02\x00\x00\x3c\x03\x01", Reply::More),
            (b"HTTP/1.1 400 Bad Request\r\n", Reply::NotTls),
            (b"\x16\x03\x01\x00\x40\x0e\x00\x00\x00\x00", Reply::NotTls),
            (b"SSH-2.0", Reply::NotTls),
        ] {
            assert_eq!(read(bytes), reply, "{bytes:x?}");
        }
        assert_eq!(version(0x0301), "TLSv1.0");
    }

    proptest! {
        #[test]
        fn anything_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&bytes);
            let _ = read(&[b"\x16\x03\x01\x00\x40\x02\x00\x00\x3c".as_slice(), &bytes].concat());
        }
    }
}
