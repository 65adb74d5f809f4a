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
        bare(before, &mut shown);
        shown.push_str("://");
        let end = after.find(BETWEEN).unwrap_or(after.len());
        let (url, behind) = after.split_at(end);
        // A password may hold `/`, `?` and `#` unescaped (E37): everything before the last `@` counts.
        match url.rsplit_once('@') {
            Some((login, place)) => {
                hide(login, &mut shown);
                shown.push_str(place);
            }
            None => shown.push_str(url),
        }
        rest = behind;
    }
    bare(rest, &mut shown);
    shown
}

/// What stands between URLs in lists and in text.
const BETWEEN: [char; 7] = [',', '|', ' ', '\t', '\n', '"', '\''];

/// Writes text without schemes: the tools take `user:password@proxy:3128` for a proxy, too. `git@host:path` is
/// how ssh is written, and no secret.
fn bare(text: &str, shown: &mut String) {
    for piece in text.split_inclusive(BETWEEN) {
        match piece.rsplit_once('@') {
            Some((login, place)) if login != "git" => {
                hide(login, shown);
                shown.push_str(place);
            }
            _ => shown.push_str(piece),
        }
    }
}

/// Writes a login with its `@`: the user where a password follows, else nothing of it.
fn hide(login: &str, shown: &mut String) {
    match login.split_once(':') {
        Some((user, _)) => {
            shown.push_str(user);
            shown.push_str(":***@");
        }
        None => shown.push_str("***@"),
    }
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
            ("ana:hunter2@proxy:3128", "ana:***@proxy:3128"),
            ("hunter2@proxy:99999", "***@proxy:99999"),
            ("git@h:team/lib.git", "git@h:team/lib.git"),
            ("ana:hunter2@proxy,https://h", "ana:***@proxy,https://h"),
        ] {
            let value = Private::new(value);
            assert_eq!(value.to_string(), shown);
            assert!(!format!("{value:?}").contains("hunter2"));
        }
    }
}
