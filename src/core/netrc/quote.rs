//! How a value is written, as far as that can be told without the value.
//!
//! It deliberately knows the plain ways only; a value that is written otherwise, such as over two
//! lines, cannot be put back and is not taken out.

use crate::core::secret::{ExposeSecret, SecretString};

/// How a value stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// As it is.
    Bare,
    /// In quotes, with an escape for `"`, `\`, line feed, carriage return and tab, and no other.
    Quoted,
}

impl Quoting {
    /// Tells how `written` says `value`; `None` if it is neither of the two.
    pub fn of(written: &[u8], value: &SecretString) -> Option<Self> {
        [Self::Bare, Self::Quoted]
            .into_iter()
            .find(|quoting| quoting.write(value).expose_secret().as_bytes() == written)
    }

    /// Writes a value this way.
    pub fn write(self, value: &SecretString) -> SecretString {
        let value = value.expose_secret();
        match self {
            Self::Bare => value.into(),
            Self::Quoted => {
                let mut written = String::with_capacity(2 * value.len() + 2);
                written.push('"');
                for c in value.chars() {
                    let escaped = match c {
                        '\n' => 'n',
                        '\r' => 'r',
                        '\t' => 't',
                        '"' | '\\' => c,
                        _ => {
                            written.push(c);
                            continue;
                        }
                    };
                    written.extend(['\\', escaped]);
                }
                written.push('"');
                written.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Quoting;

    #[test]
    fn only_what_can_be_put_back_has_a_quoting() {
        for (written, value, quoting) in [
            ("a#b", "a#b", Some(Quoting::Bare)),
            ("\"a b\"", "a b", Some(Quoting::Quoted)),
            (r#""a\"\\\tb""#, "a\"\\\tb", Some(Quoting::Quoted)),
            (r#""\a""#, "a", None),
            ("\"a\tb\"", "a\tb", None),
        ] {
            assert_eq!(Quoting::of(written.as_bytes(), &value.into()), quoting, "{written}");
        }
    }
}
