//! Text of the user's machine that may hold a secret: it is shown without one, and it is never printed
//! in another way.

use std::fmt;

/// A value of a variable or a file. What it shows has no password; what it holds is for parsers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Private(String);

impl Private {
    /// Takes a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value as it is, for a parser. It is not for people.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Private {
    /// Writes it with every `user:password@` of a URL as `user:***@`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", shown(&self.0))
    }
}

/// Returns text without the passwords of its URLs. A user name alone may be a token, so it goes, too,
/// where no password follows.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find([',', '|', ' ', '\t', '\n', '"', '\'']).unwrap_or(after.len());
        let (url, behind) = after.split_at(end);
        // A password may hold `/`, `?` and `#` unescaped (E37): everything before the last `@` counts.
        match url.rsplit_once('@') {
            Some((login, place)) => {
                let user = login.split_once(':').map_or("***", |(user, _)| user);
                shown.push_str(user);
                if login.contains(':') {
                    shown.push_str(":***");
                }
                shown.push('@');
                shown.push_str(place);
            }
            None => shown.push_str(url),
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::Private;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        for (value, shown) in [
            ("http://ana:hunter2@proxy:3128", "http://ana:***@proxy:3128"),
            ("http://ana:hun/ter#2@proxy:3128", "http://ana:***@proxy:3128"),
            ("https://ghp_token@h/x,direct", "https://***@h/x,direct"),
            ("https://a:b@h|https://c:d@i/x", "https://a:***@h|https://c:***@i/x"),
            ("https://h/x", "https://h/x"),
            ("direct", "direct"),
        ] {
            let value = Private::new(value);
            assert_eq!(value.to_string(), shown);
            assert!(!format!("{value:?}").contains("hunter2"));
        }
    }
}
