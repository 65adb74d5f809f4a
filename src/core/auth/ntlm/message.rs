//! The three messages as bytes ([MS-NLMP] §2.2.1).

use secrecy::zeroize::Zeroizing;

use super::Error;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// Where the payload of a type 3 message starts: after the version (which we do not tell) and the
/// message integrity code.
const PAYLOAD: usize = 88;
/// Where its message integrity code stands.
const MIC: usize = 72;

/// What the two sides agree on (§2.2.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u32);

impl Flags {
    pub(super) const UNICODE: u32 = 0x1;
    pub(super) const REQUEST_TARGET: u32 = 0x4;
    pub(super) const SIGN: u32 = 0x10;
    pub(super) const NTLM: u32 = 0x200;
    pub(super) const ALWAYS_SIGN: u32 = 0x8000;
    pub(super) const EXTENDED_SESSION_SECURITY: u32 = 0x8_0000;
    pub(super) const TARGET_INFO: u32 = 0x80_0000;
    pub(super) const KEY_128: u32 = 0x2000_0000;
    pub(super) const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub(super) const KEY_56: u32 = 0x8000_0000;

    pub(super) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

/// Returns a type 1 message, without a domain, a workstation and a version.
pub(super) fn negotiate(flags: Flags) -> Vec<u8> {
    let mut message = Vec::with_capacity(32);
    message.extend_from_slice(SIGNATURE);
    message.extend_from_slice(&1_u32.to_le_bytes());
    message.extend_from_slice(&flags.0.to_le_bytes());
    message.extend_from_slice(&[0; 16]);
    message
}

/// A type 2 message of a server that can do NTLMv2.
#[derive(Debug)]
pub(super) struct Challenge<'a> {
    pub(super) flags: Flags,
    pub(super) nonce: [u8; 8],
    pub(super) target_info: &'a [u8],
}

impl<'a> Challenge<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Error> {
        if chunk(message, 0) != Some(*SIGNATURE) {
            return Err(Error::Malformed("no signature"));
        }
        if number(message, 8) != Some(2) {
            return Err(Error::Malformed("not of type 2"));
        }
        let short = Error::Malformed("it ends early");
        let flags = Flags(number(message, 20).ok_or(short)?);
        let nonce = chunk(message, 24).ok_or(short)?;
        for (flag, missing) in [
            (Flags::UNICODE, "no Unicode"),
            (Flags::EXTENDED_SESSION_SECURITY, "no extended session security"),
            (Flags::TARGET_INFO, "no target information"),
        ] {
            if !flags.has(flag) {
                return Err(Error::Weak(missing));
            }
        }
        let outside = Error::Malformed("its target information is not inside of it");
        let target_info = field(message, 40).ok_or(outside)?;
        Ok(Self { flags, nonce, target_info })
    }
}

/// Returns what a field points to: length, space and offset (§2.2.1.2).
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_le_bytes(chunk(message, at)?));
    let offset = usize::try_from(number(message, at + 4)?).ok()?;
    message.get(offset..offset.checked_add(length)?)
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    chunk(message, at).map(u32::from_le_bytes)
}

fn chunk<const N: usize>(message: &[u8], at: usize) -> Option<[u8; N]> {
    message.get(at..)?.first_chunk().copied()
}

/// The contents of a type 3 message.
pub(super) struct Answer<'a> {
    pub(super) domain: Zeroizing<Vec<u8>>,
    pub(super) user: Zeroizing<Vec<u8>>,
    pub(super) lm_response: [u8; 24],
    pub(super) nt_response: Zeroizing<Vec<u8>>,
    pub(super) session_key: &'a [u8],
    pub(super) flags: Flags,
}

impl Answer<'_> {
    /// Returns the message, its message integrity code zero.
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Self { domain, user, lm_response, nt_response, session_key, flags } = self;
        // In the order of the fields; the payload has the same.
        let fields: [(&[u8], &str); 6] = [
            (lm_response, "the LM response"),
            (nt_response, "the server's target information"),
            (domain, "the domain's name"),
            (user, "the user's name"),
            (&[], "the workstation's name"),
            (session_key, "the session key"),
        ];
        let payload: usize = fields.iter().map(|(bytes, _)| bytes.len()).sum();
        let mut message = Zeroizing::new(Vec::with_capacity(PAYLOAD + payload));
        message.extend_from_slice(SIGNATURE);
        message.extend_from_slice(&3_u32.to_le_bytes());
        let mut offset = PAYLOAD;
        for (bytes, name) in fields {
            let length = u16::try_from(bytes.len()).map_err(|_| Error::TooLong(name))?;
            let at = u32::try_from(offset).map_err(|_| Error::TooLong(name))?;
            message.extend_from_slice(&length.to_le_bytes());
            message.extend_from_slice(&length.to_le_bytes());
            message.extend_from_slice(&at.to_le_bytes());
            offset += bytes.len();
        }
        message.extend_from_slice(&flags.0.to_le_bytes());
        message.resize(PAYLOAD, 0);
        for (bytes, _) in fields {
            message.extend_from_slice(bytes);
        }
        Ok(message)
    }
}

/// Puts the message integrity code into a type 3 message.
pub(super) fn set_mic(message: &mut [u8], mic: &[u8; 16]) {
    let place = message.iter_mut().skip(MIC);
    place.zip(mic).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{Challenge, Error, Flags, SIGNATURE, negotiate};

    /// Returns a type 2 message, its nonce that of [MS-NLMP] §4.2.1.
    pub(in super::super) fn challenge(flags: Flags, target_info: &[u8]) -> Vec<u8> {
        let length = u16::try_from(target_info.len()).unwrap().to_le_bytes();
        let fields = [&length[..], &length, &56_u32.to_le_bytes()].concat();
        let start = [&SIGNATURE[..], &[2, 0, 0, 0], &[0; 8], &flags.0.to_le_bytes()].concat();
        let nonce = 0x0123_4567_89ab_cdef_u64.to_be_bytes();
        [&start[..], &nonce, &[0; 8], &fields, &[0; 8], target_info].concat()
    }

    /// Returns what a field points to.
    pub(in super::super) fn field(message: &[u8], at: usize) -> &[u8] {
        super::field(message, at).unwrap()
    }

    #[test]
    fn a_first_message_names_nobody() {
        let message = negotiate(Flags(0xe088_8215));
        assert_eq!(message[..12], *b"NTLMSSP\0\x01\0\0\0");
        assert_eq!(message[12..16], [0x15, 0x82, 0x88, 0xe0]);
        assert_eq!(message[16..], [0; 16]);
    }

    #[test]
    fn fields_stay_inside_of_the_message() {
        let message = challenge(Flags(u32::MAX), b"1234");
        assert_eq!(Challenge::parse(&message).unwrap().target_info, b"1234");
        for (at, byte) in [(40, 5), (41, 1), (44, 57), (45, 1), (47, 0xff)] {
            let mut wrong = message.clone();
            wrong[at] = byte;
            assert!(matches!(Challenge::parse(&wrong), Err(Error::Malformed(_))), "{at}");
        }
        for end in 0..message.len() {
            assert!(matches!(Challenge::parse(&message[..end]), Err(Error::Malformed(_))), "{end}");
        }
    }

    #[test]
    fn only_a_challenge_is_one() {
        for wrong in [&b""[..], b"NTLMSSP", &negotiate(Flags(0)), b"MTLMSSP\0\x02\0\0\0"] {
            assert!(matches!(Challenge::parse(wrong), Err(Error::Malformed(_))));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(info in prop::collection::vec(any::<u8>(), 0..200)) {
            let message = challenge(Flags(u32::MAX), &info);
            let read = Challenge::parse(&message).unwrap();
            prop_assert_eq!(read.target_info, &info[..]);
            prop_assert_eq!(read.nonce, 0x0123_4567_89ab_cdef_u64.to_be_bytes());
        }
    }
}
