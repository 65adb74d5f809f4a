//! A secret that is nowhere else, and the search for it in every form that programs give a secret, whole
//! or in part: a block of memory that was freed has lost its beginning.

use std::{fs::File, io::Read};

/// A secret of this run: `PREFIX/CORE`, where a piece of the core is long enough to be unique.
pub struct Secret {
    prefix: String,
    core: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl Secret {
    pub fn random() -> Self {
        let (prefix, core) = (letters(6), letters(PIECE * 4));
        let forms = forms(&core);
        Self { prefix, core, forms }
    }

    /// The secret of a turn: all of them have the same core.
    pub fn of(&self, turn: usize) -> String {
        // The slash is percent-encoded, and `turn` is behind what is searched for.
        format!("{}/{}-{turn}", self.prefix, self.core)
    }

    /// Returns the turn of a secret.
    pub fn turn(&self, text: &str) -> Option<usize> {
        let start = format!("{}/{}-", self.prefix, self.core);
        text.strip_prefix(start.as_str())?.parse().ok()
    }

    /// Returns where it stands in the bytes, and in which form.
    pub fn find(&self, bytes: &[u8]) -> Option<(&'static str, usize)> {
        self.forms.iter().find_map(|(form, needle)| Some((*form, position(bytes, needle)?)))
    }

    /// Returns every place where it stands. Pieces of one are one.
    pub fn all(&self, bytes: &[u8]) -> Vec<(&'static str, usize)> {
        let mut found = Vec::new();
        for (form, needle) in &self.forms {
            let mut from = 0;
            while let Some(at) = position(&bytes[from..], needle) {
                found.push((*form, from + at));
                from += at + needle.len();
            }
        }
        found.sort_by_key(|(_, at)| *at);
        found.dedup_by(|next, first| next.0 == first.0 && next.1 - first.1 < PIECE * 16);
        found
    }
}

/// How many letters of the secret are enough to know it by.
const PIECE: usize = 8;

/// Pieces of the core as text (so, too, in JSON, percent-encoded and in quotes), in base64 at each of its
/// three alignments, in hex of both cases, and in UTF-16. base64url is the same: letters and digits give
/// no `+` and no `/` that would differ, or a piece beside it has none.
fn forms(core: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = core.as_bytes();
    let mut forms = Vec::new();
    for piece in bytes.chunks(PIECE) {
        let hex = |upper: bool| {
            let digits = piece.iter().map(|byte| format!("{byte:02x}"));
            digits.map(|two| if upper { two.to_uppercase() } else { two }).collect::<String>()
        };
        forms.push(("text", piece.to_vec()));
        forms.push(("hex", hex(false).into_bytes()));
        forms.push(("hex", hex(true).into_bytes()));
        forms.push(("UTF-16", piece.iter().flat_map(|byte| [*byte, 0]).collect()));
    }
    for skip in 0..3 {
        // Whole groups of three only: what stands before and behind is not known.
        for piece in bytes[skip..].chunks_exact(PIECE / 3 * 3 + 3) {
            forms.push(("base64", base64(piece).into_bytes()));
        }
    }
    forms
}

/// Standard base64.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut number = 0;
        for at in 0..3 {
            number = number << 8 | u32::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, last) = (*needle.first()?, needle.len());
    let mut from = 0;
    while from + last <= bytes.len() {
        let end = bytes.len() - last + 1;
        from += bytes[from..end].iter().position(|byte| *byte == first)?;
        if bytes[from..from + last] == *needle {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// Returns random letters and digits.
pub fn letters(count: usize) -> String {
    let mut bytes = vec![0; count];
    let mut source = File::open("/dev/urandom").expect("randomness");
    source.read_exact(&mut bytes).expect("randomness");
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::{Secret, base64};

    #[test]
    fn it_is_found_in_every_form() {
        let secret = Secret::random();
        let text = secret.of(7);
        assert_eq!(secret.turn(&text), Some(7));
        assert_eq!(base64(b"ana:p"), "YW5hOnA=");
        let json = format!("{{\"x\":\"{}\"}}", text.replace('/', "%2F"));
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut all = vec![text.clone().into_bytes(), json.into_bytes(), utf16, hex.into_bytes()];
        for user in ["a", "an", "ana", ""] {
            all.push(base64(format!("{user}:{text}").as_bytes()).into_bytes());
        }
        for bytes in all {
            let bytes = [b"before ", bytes.as_slice(), b" after"].concat();
            assert!(secret.find(&bytes).is_some(), "{:?}", String::from_utf8_lossy(&bytes));
            assert_eq!(secret.all(&bytes).len(), 1);
        }
        let half = &text.as_bytes()[text.len() / 2..];
        assert_eq!(secret.all(half).len(), 1);
        assert_eq!(secret.all(&[half, &[0; 999], half].concat()).len(), 2);
        assert!(secret.find(Secret::random().of(7).as_bytes()).is_none());
    }
}
