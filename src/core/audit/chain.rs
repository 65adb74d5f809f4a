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
pub(super) const HEAD: &[u8] = br#"{"v":1,"seq":"#;
pub(super) const PREV: &[u8] = br#","prev":""#;
pub(super) const HASH: &[u8] = br#"","hash":""#;
pub(super) const END: &[u8] = br#""}"#;
/// The end of a line that its own hash cannot speak for: `,"hash":"…"}`.
const UNHASHED: usize = HASH.len() - 1 + 64 + END.len();

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
    /// Takes what is no record into the chain, as if it were one: it cannot be changed either.
    pub(super) fn fold(&mut self, line: &[u8]) {
        self.seq = self.seq.saturating_add(1);
        self.hash = digest(&self.hash, line);
        self.is_torn = true;
    }
}

/// Reads where the chain ends from the last bytes of a file, at most [`WINDOW`] of them.
pub fn tail(bytes: &[u8]) -> Tail {
    let mut end = Tail::default();
    if bytes.is_empty() {
        return end;
    }
    let whole = bytes.strip_suffix(b"\n");
    let mut torn = Vec::new();
    for line in whole.unwrap_or(bytes).rsplit(|byte| *byte == b'\n') {
        if let Some(Shape { seq, prev: _, hash, body: _ }) = Shape::of(line) {
            end = Tail { seq, hash, ..end };
            break;
        }
        torn.push(line);
    }
    for line in torn.into_iter().rev() {
        end.fold(line);
    }
    Tail { is_open: whole.is_none(), ..end }
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
        let (_, own) = line.split_at_checked(body.len())?;
        let hash = own.strip_prefix(HASH.get(1..)?)?.strip_suffix(END)?;
        let (_, prev) = body.split_at_checked(body.len().checked_sub(PREV.len() + 64 + 1)?)?;
        let prev = prev.strip_prefix(PREV)?.strip_suffix(b"\"")?;
        Some(Self { seq: seq(body)?, prev: unhex(prev)?, hash: unhex(hash)?, body })
    }
}

fn seq(body: &[u8]) -> Option<u64> {
    let mut seq: Option<u64> = None;
    for byte in body.strip_prefix(HEAD)? {
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

pub(super) fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' - 10 + value };
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
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
