//! A checksum database as files: signed, with its tree, as golang.org/design/25530-sumdb and
//! golang.org/x/mod/sumdb describe it. The tree has fewer than 256 records, so one tile of hashes is all
//! that a client asks for.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::Path};

use base64::Engine as _;
use hmac_sha256::Hash;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::modules::Sum;

/// Its name: go asks `https://sum.corp.test`.
const NAME: &str = "sum.corp.test";
/// Ed25519 in a note's key (golang.org/x/mod/sumdb/note).
const ALGORITHM: u8 = 1;

/// Writes `sumdb/`, and returns the key as GOSUMDB names it.
pub(super) fn make(folder: &Path, sums: &[Sum]) -> String {
    let base64 = base64::engine::general_purpose::STANDARD;
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let mut public = vec![ALGORITHM];
    public.extend(pair.public_key().as_ref());
    let mut named = format!("{NAME}\n").into_bytes();
    named.extend(&public);
    let hash = Hash::hash(&named);
    let (hash, _) = hash.split_first_chunk::<4>().expect("32 bytes");

    let mut tile = Vec::new();
    let mut records = Vec::new();
    for (path, zip, go_mod) in sums {
        let record = format!("{path} v1.0.0 {zip}\n{path} v1.0.0/go.mod {go_mod}\n");
        tile.push(leaf(record.as_bytes()));
        records.push((path, record));
    }
    let root = root(&tile);
    let text = format!("go.sum database tree\n{}\n{}\n", tile.len(), base64.encode(root));
    let mut signature = hash.to_vec();
    signature.extend(pair.sign(text.as_bytes()).as_ref());
    let note = format!("{text}\n\u{2014} {NAME} {}\n", base64.encode(signature));

    let place = folder.join("sumdb");
    fs::create_dir_all(place.join("tile/8/0/000.p")).expect("a folder");
    fs::write(place.join(format!("tile/8/0/000.p/{}", tile.len())), tile.concat()).expect("a tile");
    fs::write(place.join("latest"), &note).expect("written");
    fs::write(place.join("supported"), "").expect("written");
    for (id, (path, record)) in records.into_iter().enumerate() {
        let mut escaped = String::new();
        for letter in path.chars() {
            if letter.is_ascii_uppercase() {
                escaped.push('!');
            }
            escaped.push(letter.to_ascii_lowercase());
        }
        let file = place.join(format!("lookup/{escaped}@v1.0.0"));
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, format!("{id}\n{record}\n{note}")).expect("written");
    }
    let mut words = String::new();
    for byte in hash {
        let _ = write!(words, "{byte:02x}");
    }
    format!("{NAME}+{words}+{}", base64.encode(public))
}

/// RFC 6962 §2.1: a leaf has a zero in front.
fn leaf(record: &[u8]) -> [u8; 32] {
    Hash::hash(&[&[0], record].concat())
}

/// RFC 6962 §2.1: a node has a one in front; the left half is the largest power of two.
fn root(hashes: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = hashes {
        return *only;
    }
    let half = (hashes.len() - 1).checked_ilog2().map_or(1, |bits| 1 << bits);
    let (left, right) = hashes.split_at(half);
    Hash::hash(&[&[1][..], &root(left), &root(right)].concat())
}
