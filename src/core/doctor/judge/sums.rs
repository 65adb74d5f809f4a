//! `h1:` sums of what a module proxy served (golang.org/x/mod/sumdb/dirhash), as far as it was read: of a zip
//! that fits into what is read of an answer, and whose files are stored or deflated.

use std::fmt::Write as _;

use std::collections::BTreeMap;

use base64::Engine as _;
use hmac_sha256::Hash;

use crate::core::doctor::{judge::packed, probe::Http};

/// Returns the sum of a go.mod.
pub(super) fn of_go_mod(text: &[u8]) -> String {
    sum([("go.mod".to_owned(), Hash::hash(text))].into())
}

/// Returns the sum of a zip. `None`: it is not whole here, or packed in a way that is not read.
pub(super) fn of_zip(http: &Http) -> Option<String> {
    let zip = &http.body;
    let mut files = BTreeMap::new();
    let mut left = packed::MOST;
    for entry in entries(zip)? {
        let data = data(zip, &entry)?;
        let hash = match entry.method {
            0 => Hash::hash(data),
            8 => Hash::hash(&packed::file(data, &mut left)?),
            _ => return None,
        };
        files.insert(entry.name, hash);
    }
    (!files.is_empty()).then(|| sum(files))
}

/// Returns the name of the first file of a zip, from its first local header.
pub(super) fn first_name(zip: &[u8]) -> Option<String> {
    if !zip.starts_with(b"PK\x03\x04") {
        return None;
    }
    let length = usize::from(short(zip, 26)?);
    Some(String::from_utf8_lossy(zip.get(30..30 + length)?).into_owned())
}

/// A file, as the central directory lists it (APPNOTE 4.3.12).
struct Entry {
    name: String,
    method: u16,
    packed: usize,
    at: usize,
}

fn entries(zip: &[u8]) -> Option<Vec<Entry>> {
    let end = zip.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let (count, mut at) = (short(zip, end + 10)?, long(zip, end + 16)?);
    let mut entries = Vec::new();
    for _ in 0..count {
        if zip.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let length = usize::from(short(zip, at + 28)?);
        let name = String::from_utf8(zip.get(at + 46..at + 46 + length)?.to_vec()).ok()?;
        entries.push(Entry {
            name,
            method: short(zip, at + 10)?,
            packed: long(zip, at + 20)?,
            at: long(zip, at + 42)?,
        });
        at += 46 + length + usize::from(short(zip, at + 30)?) + usize::from(short(zip, at + 32)?);
    }
    Some(entries)
}

fn data<'a>(zip: &'a [u8], entry: &Entry) -> Option<&'a [u8]> {
    let from = entry.at
        + 30
        + usize::from(short(zip, entry.at + 26)?)
        + usize::from(short(zip, entry.at + 28)?);
    zip.get(from..from.checked_add(entry.packed)?)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

fn sum(files: BTreeMap<String, [u8; 32]>) -> String {
    let mut list = String::new();
    for (name, hash) in files {
        for byte in hash {
            let _ = write!(list, "{byte:02x}");
        }
        let _ = writeln!(list, "  {name}");
    }
    format!("h1:{}", base64::engine::general_purpose::STANDARD.encode(Hash::hash(list.as_bytes())))
}
