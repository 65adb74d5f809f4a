//! The few rules of DER (X.690 §8, §10) that certificates and SPNEGO need: tag, definite length,
//! contents.
//!
//! One-byte tags and lengths below 2^24 only; it does not look into primitive values.

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;

/// Returns the tag of a constructed, context-specific element.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// What is left of an element's contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next element, whatever it is.
    pub(crate) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        // More tag bytes follow (X.690 §8.1.2.4): nothing that we read has them.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, contents))
    }

    /// Takes the next element with its tag and length, as it stands.
    #[cfg(feature = "diagnosis")]
    pub(crate) fn whole(&mut self) -> Option<&'a [u8]> {
        let before = self.0;
        self.element()?;
        before.get(..before.len() - self.0.len())
    }

    /// Takes the next element if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut rest = *self;
        let (found, contents) = rest.element()?;
        if found != tag {
            return None;
        }
        *self = rest;
        Some(contents)
    }
}

/// Reads a length in its shortest form (X.690 §10.1).
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(*first & 0x7f);
    if !(1..=3).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    let shortest = if length < 0x80 { 0 } else { bytes_of(length) };
    (count == shortest).then_some((length, rest))
}

/// Returns an element. Contents of 2^24 bytes or more do not occur.
pub(crate) fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 5);
    out.push(tag);
    let digits = length.to_be_bytes();
    if length < 0x80 {
        out.extend(digits.last());
    } else {
        let count = bytes_of(length);
        out.push(0x80 | u8::try_from(count).unwrap_or_default());
        out.extend(digits.iter().skip(digits.len() - count));
    }
    for part in contents {
        out.extend_from_slice(part);
    }
    out
}

fn bytes_of(length: usize) -> usize {
    size_of::<usize>() - (length.leading_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{OCTET_STRING, Reader, SEQUENCE, element};

    #[test]
    fn only_the_shortest_form_of_a_length_is_read() {
        for (bytes, read) in [
            (&b"\x04\x00"[..], true),
            (b"\x04\x01x", true),
            (b"\x04\x02x", false),
            (b"\x04\x81\x01x", false),
            (b"\x04\x80x\x00\x00", false),
            (b"\x04\x84\x00\x00\x00\x01x", false),
            (b"\x1f\x01\x01x", false),
            (b"\x04", false),
            (b"", false),
        ] {
            assert_eq!(Reader::new(bytes).element().is_some(), read, "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(length in prop_oneof![0_usize..300, 65_500_usize..65_600], after in any::<u8>()) {
            let contents = vec![7; length];
            let mut bytes = element(SEQUENCE, &[&element(OCTET_STRING, &[&contents]), b""]);
            bytes.push(after);
            let mut outer = Reader::new(&bytes);
            let mut inner = Reader::new(outer.take(SEQUENCE).unwrap());
            prop_assert_eq!(inner.take(OCTET_STRING), Some(&contents[..]));
            prop_assert!(inner.is_empty() && !outer.is_empty());
        }
    }
}
