//! What those who renew one login write for each other: which login, and what became of it.
//!
//! Nothing in it is secret: of a refresh token there is a hash, which only says whether it is the same.

use std::fmt::Write;

use form_urlencoded::{Serializer, parse};
use hmac_sha256::Hash;

use crate::core::{
    credential::{Key, Kind, UnixTime},
    origin::Origin,
    secret::{ExposeSecret, SecretString},
};

/// Returns the name of the files of a login: 32 hexadecimal digits.
pub fn name(key: &Key) -> String {
    hex(&Hash::hash(ticket(key).as_bytes()))
}

/// Returns what tells one refresh token from another.
pub fn fingerprint(token: &SecretString) -> String {
    let mut hash = Hash::new();
    hash.update(b"gocred renewal\0");
    hash.update(token.expose_secret().as_bytes());
    hex(&hash.finalize())
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes down which login is meant.
pub fn ticket(key: &Key) -> String {
    let Key { kind, origin, path, user } = key;
    let mut text = Serializer::new(String::new());
    text.append_pair("kind", kind.as_str()).append_pair("origin", &origin.to_string());
    if let Some(path) = path {
        text.append_pair("path", path);
    }
    text.append_pair("user", user).finish()
}

/// Reads what [`ticket`] wrote.
pub fn parse_ticket(text: &str) -> Option<Key> {
    let (mut kind, mut origin, mut path, mut user) = (None, None, None, None);
    for (key, value) in parse(text.trim_end().as_bytes()) {
        match key.as_ref() {
            "kind" => kind = Kind::parse(&value),
            "origin" => origin = Origin::from_url(&value).ok().map(|(origin, _)| origin),
            "path" => path = Some(value.into_owned()),
            "user" => user = Some(value.into_owned()),
            _ => return None,
        }
    }
    Some(Key { kind: kind?, origin: origin?, path, user: user? })
}

/// What became of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When.
    pub at: UnixTime,
    /// Which one of this second: two are never the same.
    pub nonce: u64,
    /// What.
    pub what: What,
}

/// What.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The login is renewed, and stored.
    Renewed,
    /// The server does not take the refresh token of this fingerprint any more.
    Rejected {
        /// Of the token.
        fingerprint: String,
        /// What to tell.
        why: String,
    },
    /// It did not work this time, because of this.
    Failed(String),
}

impl Outcome {
    /// Writes it down.
    pub fn encode(&self) -> String {
        let mut text = Serializer::new(String::new());
        text.append_pair("at", &self.at.to_string()).append_pair("nonce", &self.nonce.to_string());
        match &self.what {
            What::Renewed => text.append_pair("what", "renewed"),
            What::Rejected { fingerprint, why } => text
                .append_pair("what", "rejected")
                .append_pair("fingerprint", fingerprint)
                .append_pair("why", why),
            What::Failed(why) => text.append_pair("what", "failed").append_pair("why", why),
        };
        text.finish()
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut at, mut nonce, mut what) = (None, None, None);
        let (mut fingerprint, mut why) = (None, None);
        for (key, value) in parse(text.as_bytes()) {
            match key.as_ref() {
                "at" => at = value.parse().ok(),
                "fingerprint" => fingerprint = Some(value.into_owned()),
                "nonce" => nonce = value.parse().ok(),
                "what" => what = Some(value.into_owned()),
                "why" => why = Some(value.into_owned()),
                _ => return None,
            }
        }
        let what = match what?.as_str() {
            "renewed" => What::Renewed,
            "rejected" => What::Rejected { fingerprint: fingerprint?, why: why? },
            "failed" => What::Failed(why?),
            _ => return None,
        };
        Some(Self { at: at?, nonce: nonce?, what })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Outcome, What, fingerprint, name, parse_ticket, ticket};
    use crate::core::{
        credential::{Key, Kind},
        origin::Origin,
    };

    fn key(path: Option<&str>, user: &str) -> Key {
        let origin = Origin::new("https", "h:8443").unwrap();
        Key { kind: Kind::Git, origin, path: path.map(str::to_owned), user: user.to_owned() }
    }

    #[test]
    fn each_login_has_files_of_its_own_and_no_token_is_told_by_its_fingerprint() {
        let names = [key(None, "a"), key(Some(""), "a"), key(Some("a"), ""), key(None, "b")];
        let names: std::collections::BTreeSet<_> = names.iter().map(name).collect();
        assert_eq!(names.len(), 4);
        assert!(names.iter().all(|name| name.len() == 32));
        assert_ne!(fingerprint(&"one".into()), fingerprint(&"other".into()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(path: Option<String>, user: String, why: String, at: u64, nonce: u64) {
            let key = Key { path, ..key(None, &user) };
            prop_assert_eq!(parse_ticket(&ticket(&key)), Some(key));
            let rejected = What::Rejected { fingerprint: user, why: why.clone() };
            for what in [What::Renewed, rejected, What::Failed(why)] {
                let outcome = Outcome { at, nonce, what };
                let text = outcome.encode();
                prop_assert!(!text.contains('\n'));
                prop_assert_eq!(Outcome::parse(&text), Some(outcome));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,99}") {
            let _ = (parse_ticket(&text), Outcome::parse(&text));
        }
    }
}
