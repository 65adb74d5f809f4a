//! JSON that holds secrets: read without a copy in plain `String`s, written into a buffer that never
//! grows.

use std::{
    fmt,
    io::{self, Write},
};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Trouble;
use crate::core::{
    fault::{Fault, Kind},
    secret::SecretString,
};

/// A text that is secret from the moment it is read.
#[derive(Debug, Default)]
pub(super) struct Secret(pub(super) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(text.into()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Secret, E> {
                Ok(Secret(text.into()))
            }
        }
        from.deserialize_string(Visitor)
    }
}

/// Reads a question. An error repeats nothing of it but line and column: serde's own words would.
pub(super) fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Trouble> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Trouble::usage(format!(
            "the question is not what it should be: line {line}, column {column}"
        ))
    })
}

/// Writes an answer, and ends the line.
pub(super) fn line<T: Serialize>(answer: &T) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let failed =
        |error| Trouble::from(Fault::new(Kind::Internal, "the answer is not JSON").cause(error));
    let mut length = Length(1);
    serde_json::to_writer(&mut length, answer).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *bytes, answer).map_err(failed)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::{Secret, line, parse};
    use crate::core::secret::ExposeSecret;

    #[derive(Debug, Deserialize)]
    struct Question {
        secret: Secret,
    }

    #[test]
    fn a_secret_is_read_whole_and_never_shown() {
        let question: Question = parse(br#"{"secret":"a\n\"b\" \u00e9"}"#).unwrap();
        assert_eq!(question.secret.0.expose_secret(), "a\n\"b\" \u{e9}");
        assert!(!format!("{question:?}").contains('b'));
    }

    #[test]
    fn an_error_repeats_nothing_of_the_question() {
        for text in
            [r#"{"secret":"hunter2""#, r#"{"hunter2":1}"#, r#"{"secret":["hunter2"]}"#, "hunter2"]
        {
            let error = parse::<Question>(text.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_answer_fits_its_buffer() {
        #[derive(Serialize)]
        struct Answer<'a> {
            secret: &'a str,
        }
        let bytes = line(&Answer { secret: "\"\n\u{1}" }).unwrap();
        assert_eq!(bytes.as_slice(), b"{\"secret\":\"\\\"\\n\\u0001\"}\n");
        assert_eq!(bytes.capacity(), bytes.len());
    }
}
