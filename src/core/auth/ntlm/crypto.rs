//! The arithmetic of NTLMv2: MD4, HMAC-MD5, RC4 ([MS-NLMP] §3.3.2, §3.4, §6).
//!
//! Broken by today's measure, and all that the protocol has.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;
use secrecy::zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::message::Flags;

/// A key that is wiped after use.
pub(super) type Key = Zeroizing<[u8; 16]>;

/// Returns text as messages carry it, UTF-16LE. What it is made of may be a password.
pub(super) fn utf16(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * text.len()));
    text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_le_bytes()));
    bytes
}

/// Returns the key that a password gives for a user (NTOWFv2, §3.3.2).
pub(super) fn ntowf_v2(password: &str, user: &str, domain: &str) -> Key {
    let mut hash: Key = Zeroizing::new(Md4::digest(&utf16(password)[..]).into());
    let identity = [&utf16(&upper(user))[..], &utf16(domain)].concat();
    let key = hmac_md5(&hash, &[&identity]);
    hash.zeroize();
    key
}

/// Returns the name in capitals, each character by itself, as Windows' table does: `ß` stays.
fn upper(name: &str) -> String {
    let simple = |c: char| {
        let mut capitals = c.to_uppercase();
        capitals.next().filter(|_| capitals.next().is_none()).unwrap_or(c)
    };
    name.chars().map(simple).collect()
}

/// Returns the HMAC-MD5 of the parts, one after the other.
pub(super) fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> Key {
    // 64 bytes are MD5's block; a shorter key is padded with zeros (RFC 2104 §2).
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Md5>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Returns the session key as it is sent (RC4K, §3.1.5.1.2).
pub(super) fn rc4_key(key: &[u8; 16], session_key: &[u8; 16]) -> Key {
    let mut sealed = Zeroizing::new(*session_key);
    Rc4::new(key).apply(&mut *sealed);
    sealed
}

/// Signs what the client says after the login (§3.4.4.2), from sequence number 0 on.
pub(in super::super) struct Signer {
    key: Key,
    seal: Option<Rc4>,
    sequence: u32,
}

impl Signer {
    pub(super) fn new(session_key: &[u8; 16], flags: Flags) -> Self {
        let derive = |kept: &[u8], purpose: &[u8]| -> Key {
            let hash = Md5::new().chain_update(kept).chain_update(purpose);
            Zeroizing::new(hash.finalize().into())
        };
        // §3.4.5.3: how much of the key the two sides have agreed to use.
        let (forty, fifty_six) = (session_key.first_chunk::<5>(), session_key.first_chunk::<7>());
        let kept = if flags.has(Flags::KEY_128) {
            &session_key[..]
        } else if flags.has(Flags::KEY_56) {
            fifty_six.map_or(&session_key[..], |kept| &kept[..])
        } else {
            forty.map_or(&session_key[..], |kept| &kept[..])
        };
        let seal = derive(kept, b"session key to client-to-server sealing key magic constant\0");
        Self {
            key: derive(
                session_key,
                b"session key to client-to-server signing key magic constant\0",
            ),
            seal: flags.has(Flags::KEY_EXCHANGE).then(|| Rc4::new(&seal)),
            sequence: 0,
        }
    }

    /// Returns the signature of the next message.
    pub(in super::super) fn sign(&mut self, message: &[u8]) -> [u8; 16] {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let mut mac = hmac_md5(&self.key, &[&sequence, message]);
        let mut signature = [0; 16];
        if let Some(checksum) = mac.first_chunk_mut::<8>() {
            if let Some(seal) = &mut self.seal {
                seal.apply(checksum);
            }
            let bytes = [1, 0, 0, 0].into_iter().chain(*checksum).chain(sequence);
            signature.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        signature
    }
}

/// RC4 with a key of 16 bytes. Twenty lines are less than a dependency.
struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    fn new(key: &[u8; 16]) -> Self {
        let mut rc4 = Self { state: std::array::from_fn(|i| i.to_le_bytes()[0]), i: 0, j: 0 };
        for (i, key) in (0..=u8::MAX).zip(key.iter().cycle()) {
            rc4.j = rc4.j.wrapping_add(rc4.at(i)).wrapping_add(*key);
            rc4.state.swap(i.into(), rc4.j.into());
        }
        rc4.j = 0;
        rc4
    }

    fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            self.j = self.j.wrapping_add(self.at(self.i));
            self.state.swap(self.i.into(), self.j.into());
            *byte ^= self.at(self.at(self.i).wrapping_add(self.at(self.j)));
        }
    }

    fn at(&self, index: u8) -> u8 {
        self.state.get(usize::from(index)).copied().unwrap_or_default()
    }
}

impl Drop for Rc4 {
    fn drop(&mut self) {
        self.state.zeroize();
    }
}

impl ZeroizeOnDrop for Rc4 {}

#[cfg(test)]
pub(super) mod tests {
    use super::{Flags, Rc4, Signer, hmac_md5, ntowf_v2, rc4_key, upper};

    pub(in super::super) fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn key(hex: &str) -> [u8; 16] {
        bytes(hex).try_into().unwrap()
    }

    /// [MS-NLMP] §4.2.4.1 and §4.2.4.2.
    #[test]
    fn the_vectors_of_the_specification_are_met() {
        let response_key = ntowf_v2("Password", "User", "Domain");
        assert_eq!(*response_key, key("0c868a403bfd7a93a3001ef22ef02e3f"), "§4.2.4.1.1");
        let temp = bytes(
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d006100\
             69006e0001000c005300650072007600650072000000000000000000",
        );
        let proof = hmac_md5(&response_key, &[&bytes("0123456789abcdef"), &temp]);
        assert_eq!(*proof, key("68cd0ab851e51c96aabc927bebef6a1c"), "§4.2.4.2.2");
        let base_key = hmac_md5(&response_key, &[&proof[..]]);
        assert_eq!(*base_key, key("8de40ccadbc14a82f15cb0ad0de95ca3"), "§4.2.4.1.2");
        let sent = rc4_key(&base_key, &[0x55; 16]);
        assert_eq!(*sent, key("c5dad2544fc9799094ce1ce90bc9d03e"), "§4.2.4.2.3");
    }

    /// [MS-NLMP] §4.2.4.4: the message is sealed, then its checksum with the same key stream.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let flags = Flags(0xe28a_8233);
        let mut signer = Signer::new(&[0x55; 16], flags);
        assert_eq!(*signer.key, key("4788dc861b4782f35d43fd98fe1a2d39"), "§4.2.4.4");
        let plain = bytes("50006c00610069006e007400650078007400");
        let mut sealed = plain.clone();
        signer.seal.as_mut().unwrap().apply(&mut sealed);
        assert_eq!(sealed, bytes("54e50165bf1936dc996020c1811b0f06fb5f"));
        assert_eq!(signer.sign(&plain).to_vec(), bytes("010000007fb38ec5c55d497600000000"));
        assert_eq!(signer.sequence, 1);
    }

    /// RFC 6229 §2, a key of 128 bits.
    #[test]
    fn rc4_is_that_of_the_rfc() {
        let mut stream = [0; 16];
        Rc4::new(&key("0102030405060708090a0b0c0d0e0f10")).apply(&mut stream);
        assert_eq!(stream, key("9ac7cc9a609d1ef7b2932899cde41b97"));
    }

    #[test]
    fn capitals_are_taken_one_by_one() {
        assert_eq!(upper("jörg.straße"), "JÖRG.STRAßE");
        assert_eq!(upper("ünïcode-ж"), "ÜNÏCODE-Ж");
    }
}
