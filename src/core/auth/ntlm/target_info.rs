//! What a server tells of itself, and what we sign of it ([MS-NLMP] §2.2.2.1, §2.2.2.7).

use super::{Error, Facts, crypto::utf16};

const END: u16 = 0;
const DOMAIN: u16 = 2;
const FLAGS: u16 = 6;
const TIMESTAMP: u16 = 7;
const TARGET_NAME: u16 = 9;
const CHANNEL_BINDINGS: u16 = 10;

/// The flag that says that there is a message integrity code.
const HAS_MIC: u32 = 2;

/// The list of a type 2 message.
pub(super) struct TargetInfo<'a> {
    pairs: Vec<(u16, &'a [u8])>,
    /// The server's clock.
    pub(super) timestamp: Option<[u8; 8]>,
    flags: u32,
}

impl<'a> TargetInfo<'a> {
    pub(super) fn parse(mut bytes: &'a [u8]) -> Result<Self, Error> {
        let mut info = Self { pairs: Vec::new(), timestamp: None, flags: 0 };
        let open = Error::Malformed("its target information has no end");
        loop {
            let (head, rest) = bytes.split_first_chunk::<4>().ok_or(open)?;
            let [id_low, id_high, low, high] = *head;
            let id = u16::from_le_bytes([id_low, id_high]);
            let length = usize::from(u16::from_le_bytes([low, high]));
            let (value, rest) = rest.split_at_checked(length).ok_or(open)?;
            bytes = rest;
            let size = Error::Malformed("a number in its target information has another size");
            match id {
                END => return Ok(info),
                FLAGS => info.flags = u32::from_le_bytes(value.try_into().map_err(|_| size)?),
                TIMESTAMP => info.timestamp = Some(value.try_into().map_err(|_| size)?),
                _ => {}
            }
            info.pairs.push((id, value));
        }
    }

    /// Returns the NetBIOS name of the server's domain, empty if it names none.
    pub(super) fn domain(&self) -> String {
        let value = self.pairs.iter().find(|(id, _)| *id == DOMAIN).map(|(_, value)| *value);
        let units = value.unwrap_or_default().chunks_exact(2);
        let units = units.filter_map(|pair| pair.first_chunk().copied().map(u16::from_le_bytes));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }

    /// Returns the part of the NTLMv2 response that the proof is over (§2.2.2.7): the server's list,
    /// with what we add to it (§3.1.5.1.2).
    pub(super) fn reply(&self, facts: &Facts<'_>, has_mic: bool) -> Vec<u8> {
        let Self { pairs, timestamp, flags } = self;
        let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
        blob.extend_from_slice(&timestamp.unwrap_or(facts.now.to_le_bytes()));
        blob.extend_from_slice(&facts.client_challenge);
        blob.extend_from_slice(&[0; 4]);
        // What is ours to say does not come from the server.
        let ours = [FLAGS, TARGET_NAME, CHANNEL_BINDINGS];
        let theirs = pairs.iter().filter(|(id, _)| !ours.contains(id));
        theirs.for_each(|(id, value)| push(&mut blob, *id, value));
        let flags = if has_mic { flags | HAS_MIC } else { flags & !HAS_MIC };
        if flags != 0 {
            push(&mut blob, FLAGS, &flags.to_le_bytes());
        }
        push(&mut blob, CHANNEL_BINDINGS, &facts.channel_binding.unwrap_or_default());
        if let Some(service) = facts.service {
            push(&mut blob, TARGET_NAME, &utf16(service));
        }
        push(&mut blob, END, &[]);
        blob.extend_from_slice(&[0; 4]);
        blob
    }
}

/// Appends a pair. A value that is longer than a length can say makes the whole answer too long,
/// which is found when the message is written.
fn push(blob: &mut Vec<u8>, id: u16, value: &[u8]) {
    blob.extend_from_slice(&id.to_le_bytes());
    blob.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    blob.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{TargetInfo, push};
    use crate::core::auth::ntlm::{Error, Facts, tests::FACTS};

    #[test]
    fn a_list_ends_with_its_end() {
        for (bytes, fine) in [
            (&b"\0\0\0\0"[..], true),
            (b"\0\0\0\0after", true),
            (b"", false),
            (b"\x02\0\x02\0A\0", false),
            (b"\x02\0\x03\0A\0", false),
            (b"\x06\0\x03\0\x01\0\0\0\0\0\0", false),
            (b"\x07\0\x04\0\x01\0\0\0\0\0\0\0", false),
        ] {
            assert_eq!(TargetInfo::parse(bytes).is_ok(), fine, "{bytes:x?}");
        }
        let error = TargetInfo::parse(b"\x02\0\xff\xff").err();
        assert!(matches!(error, Some(Error::Malformed(_))));
    }

    /// A server, or who sits before it, cannot choose what we are bound to.
    #[test]
    fn what_is_ours_to_say_is_not_copied() {
        let mut bytes = Vec::new();
        push(&mut bytes, 6, &[2, 0, 0, 0]);
        push(&mut bytes, 9, b"H\0");
        push(&mut bytes, 10, &[7; 16]);
        push(&mut bytes, 0, &[]);
        let reply = TargetInfo::parse(&bytes).unwrap().reply(&FACTS, false);
        let mut expected = Vec::new();
        push(&mut expected, 10, &[0; 16]);
        push(&mut expected, 0, &[]);
        expected.extend([0; 4]);
        assert_eq!(reply[28..], expected);
    }

    proptest! {
        #[test]
        fn what_is_replied_is_a_list_of_the_same(pairs in prop::collection::vec((11_u16..40, prop::collection::vec(any::<u8>(), 0..20)), 0..5)) {
            let mut bytes = Vec::new();
            for (id, value) in &pairs {
                push(&mut bytes, *id, value);
            }
            push(&mut bytes, 0, &[]);
            let facts = Facts { service: Some("HTTP/p"), ..FACTS };
            let reply = TargetInfo::parse(&bytes).unwrap().reply(&facts, true);
            let again = TargetInfo::parse(&reply[28..]).unwrap();
            prop_assert_eq!(again.pairs.len(), pairs.len() + 3);
            for ((id, value), (known, same)) in pairs.iter().zip(&again.pairs) {
                prop_assert_eq!((id, &value[..]), (known, *same));
            }
        }
    }
}
