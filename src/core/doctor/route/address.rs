//! A proxy as a tool's own parser reads it, before anybody asks whether it makes sense.

use std::fmt;

use crate::core::secret::SecretString;

/// A proxy's URL, taken apart.
pub struct Address {
    /// In lower case; empty where the parser found none.
    pub scheme: String,
    /// Without brackets.
    pub host: String,
    /// As written; empty where none is.
    pub port: String,
    /// User and password, percent-decoded.
    pub login: Option<(String, SecretString)>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, login } = self;
        write!(f, "{scheme}://{}{host}:{port}", if login.is_some() { "***@" } else { "" })
    }
}

/// Undoes percent-encoding; a broken triplet stays as it is (libcurl's `Curl_urldecode`, git's
/// `url_decode`).
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let byte = if *first == b'%' { triplet(rest) } else { None };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// Returns the byte that the percent triplet at the start of a text stands for.
pub(super) fn triplet(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn a_broken_triplet_stays_as_it_is() {
        for (text, plain) in [
            ("a%40b", "a@b"),
            ("p%ss", "p%ss"),
            ("%", "%"),
            ("%4", "%4"),
            ("%C3%A9", "é"),
            ("%2b+", "++"),
        ] {
            assert_eq!(decoded(text), plain);
        }
    }
}
