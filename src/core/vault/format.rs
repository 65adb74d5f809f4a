//! The whole file: a head that anybody reads, and a sealed body.

use secrecy::zeroize::Zeroizing;

use crate::core::vault::{
    Malformed, NONCE, SealKey, TAG, open,
    read::Reader,
    seal,
    wrap::{self, Wrap},
};

const MAGIC: &[u8; 8] = b"gocredV1";
/// What every version begins with.
const FAMILY: &[u8] = b"gocredV";
/// The length of what is before the wraps, in bytes.
const HEAD: usize = 64;
/// The wraps are not longer.
const MAX_WRAPS: usize = 65_536;
/// The body is not longer, tag included.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// No file is longer.
pub const MAX_FILE: u64 = (HEAD + MAX_WRAPS + MAX_BODY) as u64;
/// So many first bytes have the generation and the id.
pub const PEEK: usize = 32;

/// The id of a file.
pub type Id = [u8; 16];

/// What is not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// One more with every write, from 1.
    pub generation: u64,
    /// Which file this is, whatever its name and generation.
    pub id: Id,
    /// The nonce of the body; another one with every write.
    pub nonce: [u8; NONCE],
    /// Who opens it.
    pub wraps: Vec<Wrap>,
}

/// A file that was read and is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// What is not secret.
    pub header: Header,
    /// What the body was sealed with.
    along: &'a [u8],
    body: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Parses a file.
    pub fn parse(file: &'a [u8]) -> Result<Self, Malformed> {
        let damaged = |what| move || Malformed::Damaged(what);
        let short = damaged("it is too short");
        let mut reader = Reader(file);
        let magic: [u8; 8] = reader.array().ok_or_else(short)?;
        if magic != *MAGIC {
            let is_newer = magic.starts_with(FAMILY) && magic > *MAGIC;
            return Err(if is_newer { Malformed::Newer } else { damaged("its first bytes")() });
        }
        let generation = reader.u64().ok_or_else(short)?;
        let id = reader.array().ok_or_else(short)?;
        let nonce = reader.array().ok_or_else(short)?;
        let mut length = || Some(reader.u32()? as usize);
        let (wraps, body) = (length().ok_or_else(short)?, length().ok_or_else(short)?);
        if wraps > MAX_WRAPS || !(TAG..=MAX_BODY).contains(&body) {
            return Err(damaged("a length in it")());
        }
        if file.len() != HEAD + wraps + body {
            return Err(damaged("its length")());
        }
        let (along, body) = file.split_at_checked(HEAD + wraps).ok_or_else(short)?;
        let wraps = reader.take(wraps).ok_or_else(short)?;
        let wraps = wrap::parse(wraps).ok_or_else(damaged("its list of keys"))?;
        if generation == 0 {
            return Err(damaged("its generation")());
        }
        Ok(Self { header: Header { generation, id, nonce, wraps }, along, body })
    }

    /// Opens the body. `None`: it is another key, or the file was changed.
    pub fn open(&self, key: &SealKey) -> Option<Zeroizing<Vec<u8>>> {
        open(key, &self.header.nonce, self.along, self.body)
    }
}

/// Returns a whole file; `body` is sealed in place.
pub fn encode(
    header: &Header,
    key: &SealKey,
    mut body: Zeroizing<Vec<u8>>,
) -> Result<Vec<u8>, Malformed> {
    let Header { generation, id, nonce, wraps } = header;
    let wraps = wrap::encode(wraps).ok_or(Malformed::Damaged("there are too many keys"))?;
    let length = body.len() + TAG;
    if wraps.len() > MAX_WRAPS || length > MAX_BODY {
        return Err(Malformed::Damaged("it is too long"));
    }
    let mut file = Vec::with_capacity(HEAD + wraps.len() + length);
    file.extend(MAGIC);
    file.extend(generation.to_be_bytes());
    file.extend(id);
    file.extend(nonce);
    for length in [wraps.len(), length] {
        file.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    file.extend(wraps);
    seal(key, nonce, &file, &mut body)?;
    file.extend(body.as_slice());
    Ok(file)
}

/// Returns the generation and the id from the first [`PEEK`] bytes of a file.
pub fn peek(start: &[u8]) -> Option<(u64, Id)> {
    let mut reader = Reader(start);
    let is_ours = reader.array::<8>()? == *MAGIC;
    let found = (reader.u64()?, reader.array()?);
    is_ours.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::{Header, Sealed, encode, peek};
    use crate::core::vault::{
        Malformed, SealKey,
        wrap::{Kind, Label, Wrap},
    };

    fn key() -> SealKey {
        SealKey::copied(&[7; 32]).unwrap()
    }

    fn header() -> Header {
        let (name, params) = ("one".to_owned(), b"/bin/true".to_vec());
        let label = Label { kind: Kind::Command, name, params };
        let wrap = Wrap::seal(label, &key(), &key(), &[3; 16], [4; 24]);
        Header { generation: 5, id: [3; 16], nonce: [6; 24], wraps: vec![wrap.unwrap()] }
    }

    fn file() -> Vec<u8> {
        encode(&header(), &key(), b"body".to_vec().into()).unwrap()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let file = file();
        let sealed = Sealed::parse(&file).unwrap();
        assert_eq!(sealed.header, header());
        assert_eq!(**sealed.open(&key()).unwrap(), *b"body");
        assert_eq!(peek(&file[..32]), Some((5, [3; 16])));
        assert_eq!(peek(&file[..31]), None);
    }

    #[test]
    fn every_bit_counts() {
        let file = file();
        for at in 0..file.len() * 8 {
            let mut changed = file.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let opened = Sealed::parse(&changed).ok().and_then(|sealed| sealed.open(&key()));
            assert!(opened.is_none(), "bit {at}");
        }
    }

    #[test]
    fn a_piece_or_more_is_no_file() {
        let file = file();
        for length in 0..file.len() {
            assert!(Sealed::parse(&file[..length]).is_err(), "{length}");
        }
        assert!(Sealed::parse(&[file, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut later = file();
        later[7] = b'2';
        assert_eq!(Sealed::parse(&later), Err(Malformed::Newer));
        later[0] = b'x';
        assert!(matches!(Sealed::parse(&later), Err(Malformed::Damaged(_))));
    }
}
