//! Questions to a name server and its answers (RFC 1035 §4): A and AAAA, and what a refusal says.
//!
//! It does not follow aliases: a resolver sends what they lead to. It knows neither EDNS nor DNSSEC,
//! which a diagnosis does not need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The response code.
    pub code: u8,
    /// Whether it was cut (TC), and should be asked for over TCP.
    pub is_cut: bool,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

/// The class of the Internet.
const IN: u16 = 1;
/// The longest name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// More records than this are not looked at.
const MAX_RECORDS: u16 = 256;

impl Kind {
    fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
        }
    }
}

/// Returns a question. `None`: no name server could be asked for such a name.
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_NAME {
        return None;
    }
    let mut bytes = Vec::with_capacity(name.len() + 18);
    bytes.extend(id.to_be_bytes());
    // Recursion is desired; one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend(IN.to_be_bytes());
    Some(bytes)
}

/// Reads the answer to a question. `None`: it is none, or not to this question.
pub fn answer(question: &[u8], bytes: &[u8]) -> Option<Message> {
    let mut head = Reader { bytes, at: 0 };
    let asked = Reader { bytes: question, at: 0 }.number()?;
    let (id, flags) = (head.number()?, head.number()?);
    let (questions, records) = (head.number()?, head.number()?);
    let is_answer = flags & 0x8000 != 0;
    if id != asked || !is_answer {
        return None;
    }
    let mut message = Message {
        code: u8::try_from(flags & 0xf).unwrap_or_default(),
        is_cut: flags & 0x0200 != 0,
        addresses: Vec::new(),
    };
    head.at = 12;
    // A server that refuses may leave the question out.
    if questions == 1 {
        let start = head.at;
        head.name()?;
        head.at += 4;
        let echoed = bytes.get(start..head.at)?;
        if !echoed.eq_ignore_ascii_case(question.get(12..)?) {
            return None;
        }
    }
    // What is missing at the end of a message that was cut is no flaw.
    for _ in 0..records.min(MAX_RECORDS) {
        match head.record() {
            Some(Record::Address(address)) => message.addresses.push(address),
            Some(Record::Other) => {}
            None if message.is_cut => break,
            None => return None,
        }
    }
    Some(message)
}

enum Record {
    Address(IpAddr),
    Other,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Passes over a name. A pointer ends it (RFC 1035 §4.1.4), and is not followed: so none can lead
    /// in a circle.
    fn name(&mut self) -> Option<()> {
        let start = self.at;
        loop {
            let length = *self.take(1)?.first()?;
            match length {
                0 => return Some(()),
                1..=63 => {
                    self.take(usize::from(length))?;
                }
                0xc0.. => {
                    self.take(1)?;
                    return Some(());
                }
                _ => return None,
            }
            if self.at - start > MAX_NAME + 2 {
                return None;
            }
        }
    }

    /// Passes over a record, and returns its address. `None`: it is none.
    fn record(&mut self) -> Option<Record> {
        self.name()?;
        let (kind, class) = (self.number()?, self.number()?);
        self.take(4)?;
        let length = usize::from(self.number()?);
        let data = self.take(length)?;
        if class != IN {
            return Some(Record::Other);
        }
        match kind {
            1 => Some(Record::Address(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into())),
            28 => Some(Record::Address(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into())),
            _ => Some(Record::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::{Kind, Message, answer, question};

    /// What a server would send: the question as it came, and records that point to its name.
    fn reply(question: &[u8], flags: [u8; 2], records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = question[..2].to_vec();
        bytes.extend(flags);
        bytes.extend([0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        bytes.extend(&question[12..]);
        for (kind, data) in records {
            bytes.extend([0xc0, 12]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 60]);
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn addresses_are_read_and_aliases_passed_over() {
        let asked = question(7, "git.corp.test.", Kind::A).unwrap();
        assert_eq!(&asked[12..], b"\x03git\x04corp\x04test\0\0\x01\0\x01");
        let told = reply(
            &asked,
            [0x81, 0x80],
            &[(5, b"\x01x\xc0\x0c"), (1, &[127, 0, 0, 10]), (28, &[0; 16])],
        );
        let message = answer(&asked, &told).unwrap();
        let addresses: Vec<IpAddr> = vec!["127.0.0.10".parse().unwrap(), "::".parse().unwrap()];
        assert_eq!(message, Message { code: 0, is_cut: false, addresses });
    }

    #[test]
    fn a_refusal_says_its_code_with_and_without_the_question() {
        let asked = question(0x1234, "h", Kind::Aaaa).unwrap();
        for (code, flags) in [(2, [0x81, 0x82]), (3, [0x85, 0x83]), (5, [0x80, 0x05])] {
            let whole = reply(&asked, flags, &[]);
            assert_eq!(answer(&asked, &whole).unwrap().code, code);
            let mut bare = whole[..12].to_vec();
            bare[5] = 0;
            assert_eq!(answer(&asked, &bare).unwrap().code, code);
        }
    }

    #[test]
    fn what_was_cut_is_told_and_what_is_broken_is_not_taken() {
        let asked = question(1, "x.tc.test", Kind::A).unwrap();
        let whole = reply(&asked, [0x83, 0x80], &[(1, &[127, 0, 0, 1]), (1, &[127, 0, 0, 2])]);
        let part = answer(&asked, &whole[..whole.len() - 3]).unwrap();
        assert!(part.is_cut && part.addresses.len() == 1);
        let whole = reply(&asked, [0x81, 0x80], &[(1, &[127, 0, 0, 1])]);
        assert_eq!(answer(&asked, &whole[..whole.len() - 3]), None);
        let other = question(2, "x.tc.test", Kind::A).unwrap();
        assert_eq!(answer(&other, &whole), None, "the answer to another question");
        let other = question(1, "y.tc.test", Kind::A).unwrap();
        assert_eq!(answer(&other, &whole), None, "an answer about another name");
        assert_eq!(answer(&asked, &asked), None, "a question");
        assert_eq!(answer(&asked, &reply(&asked, [0x81, 0x80], &[(1, &[127, 0, 0])])), None);
    }

    #[test]
    fn a_pointer_to_itself_leads_nowhere() {
        let asked = question(1, "h", Kind::A).unwrap();
        let mut told = reply(&asked, [0x81, 0x80], &[(1, &[127, 0, 0, 1])]);
        let at = u8::try_from(asked.len()).unwrap();
        told[asked.len() + 1] = at;
        assert_eq!(answer(&asked, &told).unwrap().addresses.len(), 1);
        // The question's own name, as a pointer to itself.
        told[12] = 0xc0;
        told[13] = 12;
        assert_eq!(answer(&asked, &told), None);
    }

    #[test]
    fn names_that_cannot_be_asked_for_are_not() {
        for name in ["", ".", "a..b", &"a".repeat(64), &["abcdefg"; 40].join(".")] {
            assert_eq!(question(1, name, Kind::A), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let asked = question(0, "git.corp.test", Kind::A).unwrap();
            let mut told = reply(&asked, [0x81, 0x80], &[(1, &[127, 0, 0, 1])]);
            let _ = answer(&asked, &bytes);
            for (at, byte) in bytes.iter().enumerate().take(told.len() - 2) {
                told[at + 2] ^= byte;
            }
            let _ = answer(&asked, &told);
        }
    }
}
