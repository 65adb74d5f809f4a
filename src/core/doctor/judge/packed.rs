//! What came packed: whether it is what its coding promises, and a file of a zip.

use miniz_oxide::inflate::{
    DecompressError, TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit,
};

use crate::core::doctor::probe::MAX_BODY;

/// How large something may become that is unpacked, in bytes.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// Unpacks a file of a zip, and takes its size from what all of them may have: many entries may name the same bytes.
pub(super) fn file(data: &[u8], left: &mut usize) -> Option<Vec<u8>> {
    let file = decompress_to_vec_with_limit(data, *left).ok()?;
    *left = left.checked_sub(file.len())?;
    Some(file)
}

/// Whether a body is what its coding promises, to its end (RFC 1952, RFC 1950). Of what is larger than what is read of
/// an answer, only the beginning is looked at. Codings that nobody here asks for are not known.
pub(super) fn is_good(body: &[u8], coding: &str) -> bool {
    let is_cut = body.len() >= MAX_BODY;
    match coding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => member(body)
            .is_some_and(|data| is_cut || is_unpacked(decompress_to_vec_with_limit(data, MOST))),
        "deflate" => {
            let is_zlib = body.first().is_some_and(|first| first & 0x0f == 8);
            is_zlib && (is_cut || is_unpacked(decompress_to_vec_zlib_with_limit(body, MOST)))
        }
        _ => true,
    }
}

/// Whether nothing was wrong with it; that it becomes too large is none of its faults.
fn is_unpacked(result: Result<Vec<u8>, DecompressError>) -> bool {
    result.map_or_else(|error| error.status == TINFLStatus::HasMoreOutput, |_| true)
}

/// Returns what follows the head of a gzip member (RFC 1952 §2.3).
fn member(body: &[u8]) -> Option<&[u8]> {
    let flags = *body.strip_prefix(&[0x1f, 0x8b, 8])?.first()?;
    let mut rest = body.get(10..)?;
    if flags & 4 != 0 {
        let length = u16::from_le_bytes(rest.get(..2)?.try_into().ok()?);
        rest = rest.get(2 + usize::from(length)..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    use super::{file, is_good};

    #[test]
    fn what_is_cut_in_the_middle_is_not_what_it_promises() {
        let text = b"<html><meta name=\"go-import\"></html>".repeat(9);
        let packed = compress_to_vec(&text, 6);
        let mut left = 2 * text.len() - 1;
        assert_eq!(file(&packed, &mut left).as_deref(), Some(text.as_slice()));
        assert_eq!(file(&packed, &mut left), None, "both together are too large");
        let named = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], b"page.html\0", &packed].concat();
        let whole = [named.clone(), vec![0; 8]].concat();
        assert!(is_good(&whole, "GZIP"));
        assert!(!is_good(&named[..named.len() - 5], "gzip"));
        assert!(!is_good(b"no gzip at all", "gzip"));
        assert!(!is_good(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 9], "gzip"));
        let zlib = compress_to_vec_zlib(&text, 6);
        assert!(is_good(&zlib, "deflate"));
        assert!(!is_good(&zlib[..9], "deflate"));
        assert!(is_good(b"whatever", "br"));
    }
}
