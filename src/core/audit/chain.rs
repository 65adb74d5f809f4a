//! The chain of records: each carries the hash of the one before it, so that none can be changed,
//! removed or put in without all the later ones being written anew.
//!
//! It deliberately has no key, so that whoever was given a log can check it. Who may write the file can
//! make a new chain: the last hash, kept elsewhere, is what proves that he did not.

use hmac_sha256::Hash;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// How much of the end of a file holds its last records: no line is longer than a third of it.
pub const WINDOW: u64 = 8192;

/// How every record begins.
pub(super) const HEAD: &str = r#"{"v":1,"seq":"#;
pub(super) const PREV: &str = r#","prev":""#;
pub(super) const HASH: &str = r#","hash":""#;
pub(super) const END: &str = r#""}"#;
/// The end of a line that its own hash cannot speak for.
const UNHASHED: usize = HASH.len() + 64 + END.len();

/// Where a chain ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The number of the last record; 0 is none.
    pub seq: u64,
    /// Its hash; without one it is all zeros.
    pub hash: Digest,
    /// Whether what stands behind the last record is no record: somebody was ended while he wrote it.
    pub is_torn: bool,
    /// Whether the last line has no end yet.
    pub is_open: bool,
}

impl Tail {
    /// Goes on with a line. What is no record becomes part of the chain, as if it were one: it cannot be
    /// changed either.
    pub(super) fn take(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        (self.seq, self.hash, self.is_torn) = match Shape::of(line) {
            Some(Shape { seq, prev: _, hash, body: _ }) => (seq, hash, false),
            None => (self.seq.saturating_add(1), digest(&self.hash, line), true),
        };
    }
}

/// Reads where the chain ends from the last bytes of a file, at most [`WINDOW`] of them.
pub fn tail(bytes: &[u8]) -> Tail {
    let mut end = Tail::default();
    if bytes.is_empty() {
        return end;
    }
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    // What stands before the last line counts only where that is no record.
    let last = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (before, line) = whole.split_at(last);
    if Shape::of(line).is_none() {
        before.split_inclusive(|byte| *byte == b'\n').for_each(|line| end.take(line));
    }
    end.take(line);
    Tail { is_open: whole.len() == bytes.len(), ..end }
}

/// What a line must look like to be a record.
pub(super) struct Shape<'a> {
    pub(super) seq: u64,
    pub(super) prev: Digest,
    pub(super) hash: Digest,
    /// What its hash speaks for.
    pub(super) body: &'a [u8],
}

impl<'a> Shape<'a> {
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let body = line.get(..line.len().checked_sub(UNHASHED)?)?;
        let own = line.get(body.len()..)?;
        let hash = own.strip_prefix(HASH.as_bytes())?.strip_suffix(END.as_bytes())?;
        let prev = body.get(body.len().checked_sub(PREV.len() + 64 + 1)?..)?;
        let prev = prev.strip_prefix(PREV.as_bytes())?.strip_suffix(b"\"")?;
        Some(Self { seq: seq(body)?, prev: unhex(prev)?, hash: unhex(hash)?, body })
    }
}

fn seq(body: &[u8]) -> Option<u64> {
    let mut seq: Option<u64> = None;
    for byte in body.strip_prefix(HEAD.as_bytes())? {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                seq = Some(seq.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            }
            b',' => return seq,
            _ => return None,
        }
    }
    None
}

/// Returns the hash of a record: of the hash before it, and of its line.
pub(super) fn digest(prev: &Digest, body: &[u8]) -> Digest {
    let mut hash = Hash::new();
    hash.update(prev);
    hash.update(body);
    hash.finalize()
}

/// Reads lower-case hexadecimal digits: upper case is another byte, and nobody wrote it.
fn unhex(text: &[u8]) -> Option<Digest> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut digest = Digest::default();
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(digest)
}
