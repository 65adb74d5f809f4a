//! The bytes of a script as text: by their byte order mark, else by the charset that came with them,
//! else UTF-8 where they are UTF-8, else Latin-1.

use thiserror::Error;

/// A script is no longer than this, in bytes.
pub const MAX_LENGTH: usize = 1024 * 1024;

/// Why bytes are not a script.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// They are a page: a portal that wants a login, or a server's error.
    #[error("it is a web page, not a script")]
    Html,
    /// There are too many.
    #[error("it is larger than {MAX_LENGTH} bytes")]
    Length,
    /// They are not text in their own charset.
    #[error("it is not text")]
    Text,
}

/// Decodes a script. `charset` is the parameter of `Content-Type`.
pub fn decode(bytes: &[u8], charset: Option<&str>) -> Result<String, Error> {
    if bytes.len() > MAX_LENGTH {
        return Err(Error::Length);
    }
    let charset = charset.map(|name| name.trim_matches(['"', ' ']).to_ascii_lowercase());
    let text = match (bytes, charset.as_deref()) {
        ([0xef, 0xbb, 0xbf, rest @ ..], _) => utf8(rest)?,
        ([0xff, 0xfe, rest @ ..], _) => utf16(rest, u16::from_le_bytes)?,
        ([0xfe, 0xff, rest @ ..], _) => utf16(rest, u16::from_be_bytes)?,
        (bytes, Some("utf-8" | "utf8")) => utf8(bytes)?,
        (bytes, Some("utf-16le")) => utf16(bytes, u16::from_le_bytes)?,
        // Without a mark it is big-endian (RFC 2781 §4.3).
        (bytes, Some("utf-16" | "utf-16be")) => utf16(bytes, u16::from_be_bytes)?,
        (bytes, _) => {
            utf8(bytes).unwrap_or_else(|_| bytes.iter().copied().map(char::from).collect())
        }
    };
    if text.contains('\0') {
        return Err(Error::Text);
    }
    if text.trim_start().starts_with('<') && !text.trim_start().starts_with("<!--") {
        return Err(Error::Html);
    }
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let pairs = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map(unit));
    let units: Vec<u16> = pairs.collect::<Result<_, _>>().map_err(|_| Error::Text)?;
    String::from_utf16(&units).map_err(|_| Error::Text)
}

#[cfg(test)]
mod tests {
    use super::{Error, MAX_LENGTH, decode};

    #[test]
    fn the_mark_comes_before_the_charset_and_the_charset_before_a_guess() {
        let wide = |text: &str, mark: bool, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let mark = mark.then_some(0xfeff);
            mark.into_iter().chain(text.encode_utf16()).flat_map(unit).collect()
        };
        for (bytes, charset) in [
            ("// é".as_bytes().to_vec(), None),
            ("\u{feff}// é".as_bytes().to_vec(), Some("iso-8859-1")),
            (b"// \xe9".to_vec(), None),
            (b"// \xe9".to_vec(), Some("windows-1252")),
            (wide("// é", true, u16::to_le_bytes), None),
            (wide("// é", true, u16::to_be_bytes), Some("utf-8")),
            (wide("// é", false, u16::to_le_bytes), Some("\"UTF-16LE\"")),
            (wide("// é", false, u16::to_be_bytes), Some("utf-16")),
        ] {
            assert_eq!(decode(&bytes, charset).as_deref(), Ok("// é"), "{charset:?}");
        }
    }

    #[test]
    fn what_is_no_script_is_refused() {
        assert_eq!(decode(b"// \xe9", Some("utf-8")), Err(Error::Text));
        assert_eq!(decode(b"\xff\xfea", None), Err(Error::Text));
        assert_eq!(decode(b"a\0b", None), Err(Error::Text));
        assert_eq!(decode(b"\n<!DOCTYPE html>", None), Err(Error::Html));
        assert_eq!(decode(&vec![b'a'; MAX_LENGTH + 1], None), Err(Error::Length));
        assert!(decode(b"<!-- an old browser's comment\n", None).is_ok());
    }
}
