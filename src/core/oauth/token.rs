//! The answers of a token endpoint (RFC 6749 §5), those of GitHub's too, which refuses with 200.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

use crate::core::{
    credential::UnixTime,
    oauth::scopes,
    secret::SecretString,
    text::{printable, start},
};

/// A longer token is no field's value anywhere, in bytes.
const MAX_TOKEN: usize = 60 * 1024;
/// Ten years, in seconds: more is no time that git could compute with.
const MAX_LIFETIME: u64 = 315_360_000;
/// What is shown of a server's own words, in bytes.
const MAX_WORDS: usize = 300;

/// What was answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A token.
    Granted(Grant),
    /// None.
    Refused(Refusal),
}

/// A token and what goes with it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The token, a Bearer's.
    pub access_token: SecretString,
    /// For how many seconds it is good, where that is known.
    pub lifetime: Option<u64>,
    /// What renews it. In the answer to a renewal: the one to use from now on; `None` keeps the old.
    pub refresh_token: Option<SecretString>,
    /// What was granted. `None`: what was asked for (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
}

impl Grant {
    /// Returns when the token is no longer given to anybody: a little before its end, because the way
    /// to the server takes time and clocks differ.
    pub fn ends(&self, now: UnixTime) -> Option<UnixTime> {
        let margin = |lifetime: u64| (lifetime / 10).min(30);
        self.lifetime.map(|lifetime| now.saturating_add(lifetime - margin(lifetime)))
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, such as `invalid_grant`.
    pub error: String,
    /// The server's own words, safe to show.
    pub words: String,
}

impl Refusal {
    pub(super) fn new(error: &str, description: Option<&str>) -> Self {
        let words = description.unwrap_or_default();
        Self { error: harmless(error), words: harmless(words) }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { error, words } = self;
        if words.is_empty() { f.write_str(error) } else { write!(f, "{error}: {words}") }
    }
}

fn harmless(text: &str) -> String {
    printable(start(text, MAX_WORDS))
}

/// An answer that is none of a token endpoint. It is not repeated: it may hold a token.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Not a JSON object that says what it must.
    #[error("it answers {0}, and not in the JSON of OAuth 2")]
    Json(u16),
    /// A token of another type than Bearer.
    #[error("it gives a token that is no Bearer token")]
    Type,
    /// A token that no field can carry.
    #[error("it gives a token that is empty, too long or has a character that no token has")]
    Token,
}

#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    access_token: Option<Cow<'a, str>>,
    token_type: Option<Cow<'a, str>>,
    expires_in: Option<Seconds<'a>>,
    #[serde(borrow)]
    refresh_token: Option<Cow<'a, str>>,
    // Bitbucket's word is another one.
    #[serde(alias = "scopes")]
    scope: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
    error_description: Option<Cow<'a, str>>,
}

/// A number, or a text that is one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Seconds<'a> {
    Number(u64),
    Fraction(f64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl Seconds<'_> {
    pub(super) fn get(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            // As far as it goes: nobody grants 2^53 seconds.
            Self::Fraction(number) => format!("{:.0}", number.floor()).parse().ok(),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

/// Reads an answer.
pub fn parse(status: u16, body: &[u8]) -> Result<Answer, Malformed> {
    let json: Json<'_> = serde_json::from_slice(body).map_err(|_| Malformed::Json(status))?;
    if let Some(error) = json.error.filter(|error| !error.is_empty()) {
        return Ok(Answer::Refused(Refusal::new(&error, json.error_description.as_deref())));
    }
    let access_token = json.access_token.filter(|_| matches!(status, 200..=299));
    let access_token = access_token.ok_or(Malformed::Json(status))?;
    // A type is required; who leaves it out means the only one there is.
    if json.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Malformed::Type);
    }
    let refresh_token = json.refresh_token.filter(|token| !token.is_empty());
    let lifetime = json.expires_in.as_ref().and_then(Seconds::get);
    Ok(Answer::Granted(Grant {
        access_token: token(&access_token)?,
        lifetime: lifetime.filter(|seconds| *seconds > 0).map(|seconds| seconds.min(MAX_LIFETIME)),
        refresh_token: refresh_token.map(|text| token(&text)).transpose()?,
        scopes: json.scope.map(|text| scopes(&text)),
    }))
}

/// Takes a token over (RFC 6749 A.12: visible ASCII and blanks; a blank ends a Bearer's).
pub(super) fn token(text: &str) -> Result<SecretString, Malformed> {
    let is_one = !text.is_empty() && text.len() <= MAX_TOKEN;
    (is_one && text.bytes().all(|byte| byte.is_ascii_graphic()))
        .then(|| SecretString::from(text))
        .ok_or(Malformed::Token)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Grant, Malformed, parse};
    use crate::core::secret::ExposeSecret;

    fn granted(body: &str) -> Grant {
        match parse(200, body.as_bytes()).unwrap() {
            Answer::Granted(grant) => grant,
            Answer::Refused(refusal) => panic!("{refusal}"),
        }
    }

    #[test]
    fn the_token_of_the_rfc_is_read() {
        let grant = granted(
            r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer","expires_in":3600,
            "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","example_parameter":"example_value"}"#,
        );
        assert_eq!(grant.access_token.expose_secret(), "2YotnFZFEjr1zCsicMWpAA");
        assert_eq!(grant.refresh_token.as_ref().unwrap().expose_secret(), "tGzv3JOkF0XG5Qx2TlKWIA");
        assert_eq!((grant.ends(1000), grant.scopes), (Some(4570), None));
    }

    #[test]
    fn lifetimes_and_scopes_come_in_several_spellings() {
        for (lifetime, expected) in [
            ("\"28800\"", Some(28_800)),
            ("60.9", Some(60)),
            ("0", None),
            ("\"x\"", None),
            ("18446744073709551615", Some(315_360_000)),
        ] {
            let body =
                format!(r#"{{"access_token":"t","scope":"repo,gist","expires_in":{lifetime}}}"#);
            let grant = granted(&body);
            assert_eq!(grant.lifetime, expected, "{lifetime}");
            assert_eq!(grant.scopes.unwrap(), ["repo", "gist"]);
        }
        assert_eq!(granted(r#"{"access_token":"t","expires_in":60}"#).ends(0), Some(54));
        let bitbucket = granted(r#"{"access_token":"t","scopes":"repository account"}"#);
        assert_eq!(bitbucket.scopes.unwrap().len(), 2);
    }

    #[test]
    fn a_refusal_says_why_and_is_safe_to_show() {
        let body = "{\"error\":\"invalid_grant\",\"error_description\":\"gone\\u001b[2J\"}";
        // GitHub refuses with 200.
        for status in [400, 200] {
            let Ok(Answer::Refused(refusal)) = parse(status, body.as_bytes()) else { panic!() };
            assert_eq!(refusal.to_string(), "invalid_grant: gone\\u{1b}[2J");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_and_not_repeated() {
        for (status, body, expected) in [
            (200, "<html>hunter2", Malformed::Json(200)),
            (502, "", Malformed::Json(502)),
            (500, r#"{"access_token":"hunter2"}"#, Malformed::Json(500)),
            (200, r#"{"access_token":"hunter2","token_type":"mac"}"#, Malformed::Type),
            (200, r#"{"access_token":"hunter2\nx"}"#, Malformed::Token),
            (200, r#"{"access_token":"hunter2 x"}"#, Malformed::Token),
            (200, r#"{"access_token":""}"#, Malformed::Token),
            (200, "[]", Malformed::Json(200)),
            (200, "null", Malformed::Json(200)),
        ] {
            let error = parse(status, body.as_bytes()).unwrap_err();
            assert_eq!(error, expected, "{body}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in ".{0,200}") {
            let _ = parse(status, body.as_bytes());
        }
    }
}
