//! Pages that proxies send for people, as far as a program may read them: whether bytes are a page at
//! all, and whether the page of a 407 says why a login was rejected.
//!
//! A few words in a few languages, and the names that Windows gives these two states. A page that says
//! something else says nothing here: a wrong reason is worse than none.

/// The longest part of a page that is looked at, in bytes.
pub const MAX: usize = 4096;

/// Why a proxy's page says that it rejected a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The account is locked.
    Locked,
    /// The password has expired.
    Expired,
}

/// The words for each, in lower case. squid's own page advises to "change your default password", and
/// many a page has "forgot your password?": neither is here.
const WORDS: &[(Why, &[&str])] = &[
    (
        Why::Locked,
        &[
            "nt_status_account_locked_out",
            "nt_status_account_disabled",
            "account locked",
            "account is locked",
            "account has been locked",
            "account is currently locked",
            "account was locked",
            "account is disabled",
            "account has been disabled",
            "locked out",
            "konto ist gesperrt",
            "konto wurde gesperrt",
            "konto gesperrt",
            "compte est verrouillé",
            "compte verrouillé",
            "cuenta está bloqueada",
            "cuenta bloqueada",
            "账户已锁定",
            "帐户已锁定",
            "账号已锁定",
            "帐号已锁定",
            "账户已被锁定",
            "账号已被锁定",
        ],
    ),
    (
        Why::Expired,
        &[
            "nt_status_password_expired",
            "nt_status_password_must_change",
            "password expired",
            "password has expired",
            "password is expired",
            "password has been expired",
            "must change your password",
            "kennwort ist abgelaufen",
            "passwort ist abgelaufen",
            "kennwort abgelaufen",
            "passwort abgelaufen",
            "mot de passe a expiré",
            "mot de passe est expiré",
            "mot de passe expiré",
            "contraseña ha caducado",
            "contraseña caducada",
            "contraseña ha expirado",
            "密码已过期",
            "密码已经过期",
        ],
    ),
];

/// What makes a sentence advice and not news: "if your account is locked, call us".
const CONDITIONS: &[&str] =
    &["if ", "whether ", "when ", "in case ", "wenn ", "falls ", "si ", "如果", "若", "not "];

/// Returns why a page says that a login was rejected. Any bytes will do.
pub fn why(page: &[u8]) -> Option<Why> {
    let text = String::from_utf8_lossy(page.get(..MAX).unwrap_or(page)).to_lowercase();
    let text = words_of(&text);
    let is_said = |words: &str| text.match_indices(words).any(|(at, _)| is_news(&text, at));
    WORDS.iter().find(|(_, words)| words.iter().any(|words| is_said(words))).map(|(why, _)| *why)
}

/// Returns the text of a page without its tags, each run of white space as one space.
fn words_of(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut is_tag = false;
    for c in page.chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if is_tag => {}
            c if c.is_whitespace() => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            c => text.push(c),
        }
    }
    text
}

/// Returns whether no condition stands before the words, in the same sentence.
fn is_news(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let sentence = before.rsplit(['.', '!', '?', ':', '。', '！', '？']).next().unwrap_or_default();
    !CONDITIONS.iter().any(|condition| {
        sentence.match_indices(condition).any(|(at, _)| {
            // A word of its own, and not the end of another.
            let last = sentence.get(..at).and_then(|left| left.chars().next_back());
            !condition.is_ascii() || last.is_none_or(|c| !c.is_alphanumeric())
        })
    })
}

/// Returns whether bytes begin a page, or an HTTP answer. No protocol that lets the server speak first
/// begins like that.
pub fn is_page(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    [&b"<!doctype"[..], b"<html", b"<head", b"<body", b"<?xml", b"http/1."].iter().any(|start| {
        bytes.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Why, is_page, why};

    #[test]
    fn a_page_that_says_why_is_understood() {
        for (page, expected) in [
            ("<html><p>Your account is <b>locked</b>.", Some(Why::Locked)),
            ("Access denied: NT_STATUS_ACCOUNT_LOCKED_OUT", Some(Why::Locked)),
            ("Ihr Konto\n ist gesperrt", Some(Why::Locked)),
            ("<h1>密码已过期</h1>", Some(Why::Expired)),
            ("The PASSWORD   HAS\r\nEXPIRED.", Some(Why::Expired)),
            ("Call 12345. You must change your password!", Some(Why::Expired)),
        ] {
            assert_eq!(why(page.as_bytes()), expected, "{page}");
        }
    }

    #[test]
    fn advice_is_no_news() {
        for page in [
            "",
            "If your account is locked, call the help desk",
            "Wrong password. If you think that your password has expired, change it.",
            "contact the cache administrator or change your default password",
            "如果您的密码已过期，请修改",
            "your account is not locked out",
            "forgot your password?",
        ] {
            assert_eq!(why(page.as_bytes()), None, "{page}");
        }
        // What only looks like a condition is none.
        assert_eq!(why("VERIF account is locked".as_bytes()), Some(Why::Locked));
    }

    #[test]
    fn only_a_page_is_one() {
        for page in
            ["\r\n<!DOCTYPE html>", "<HTML lang=en>", "HTTP/1.1 302 Found", "\u{feff}<html>"]
        {
            assert!(is_page(page.as_bytes()), "{page}");
        }
        for other in ["", "<", "<h", "SSH-2.0-x", "220 mail ESMTP", "\x16\x03\x01", "* OK IMAP"] {
            assert!(!is_page(other.as_bytes()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (why(&bytes), is_page(&bytes));
        }
    }
}
