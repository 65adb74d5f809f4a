//! Writes what a helper answers.
//!
//! It deliberately cannot write protocol, host, path or challenges: they are the asking side's
//! (decisions.md, "Helper output").

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::{
    credential::{Proof, Record, Secrets, UnixTime},
    gitproto::Capabilities,
    secret::{ExposeSecret, SecretString},
};

/// The answer to `capability`: what we have, in the form of git 2.46.
pub const CAPABILITY: &[u8] = b"version 0\ncapability authtype\ncapability state\n";

/// Tells git to ask nobody else, no person either.
pub const QUIT: &[u8] = b"quit=1\n";

/// How much of a record is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    Whole,
    /// Account, refresh token and expiry of a record whose secret has expired: enough for a helper
    /// that renews it (git 2.41 passes them on).
    Renewal,
}

/// A value that git's protocol has no form for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the stored {0} holds a line break or a NUL byte and cannot be told to git")]
pub struct Unsendable(pub &'static str);

/// Encodes an answer. What needs a capability that was not announced is left out, except that an
/// encoded credential without it is an empty answer. `state` is the value of `state[]`.
pub fn encode(
    record: &Record,
    part: Part,
    state: Option<&str>,
    accepts: Capabilities,
) -> Result<Zeroizing<Vec<u8>>, Unsendable> {
    let Record { entry, secrets: Secrets { proof, refresh_token, session } } = record;
    let expires = entry.expires.map(|time: UnixTime| time.to_string());
    let user = entry.key.user.as_str();
    let mut lines: Vec<(&'static str, &str)> = Vec::with_capacity(8);
    match (part, proof) {
        (Part::Whole, Proof::Encoded { authtype: _, credential: _ }) if !accepts.authtype => {
            return Ok(Zeroizing::default());
        }
        (Part::Whole, Proof::Encoded { authtype, credential }) => {
            lines.push(("capability[]", "authtype"));
            lines.push(("authtype", authtype));
            lines.push(("credential", credential.expose_secret()));
            if !user.is_empty() {
                lines.push(("username", user));
            }
        }
        (Part::Whole, Proof::Password(password)) => {
            lines.push(("username", user));
            lines.push(("password", password.expose_secret()));
        }
        // Another helper cannot renew it.
        (Part::Renewal, _) if session.is_some() => return Ok(Zeroizing::default()),
        (Part::Renewal, Proof::Password(_) | Proof::Encoded { authtype: _, credential: _ }) => {
            lines.push(("username", user));
        }
    }
    if let Some(expires) = &expires {
        lines.push(("password_expiry_utc", expires));
    }
    // What we renew ourselves stays here: git would bring an old token back, and a server that rotates
    // them ends the login when it sees one twice (RFC 9700 §4.14.2).
    let told = refresh_token.as_ref().filter(|_| session.is_none());
    if let Some(token) = told.map(SecretString::expose_secret) {
        lines.push(("oauth_refresh_token", token));
    }
    if let Some(state) = state.filter(|_| accepts.state) {
        // Before everything that depends on it (git-credential(1), "capability[]").
        lines.insert(0, ("capability[]", "state"));
        lines.push(("state[]", state));
    }
    write(&lines)
}

/// Encodes a user name and what goes with it, which come from no record.
pub fn login(user: &str, password: &str) -> Result<Zeroizing<Vec<u8>>, Unsendable> {
    write(&[("username", user), ("password", password)])
}

/// Writes the lines into a buffer that never grows, so that no copy stays behind.
fn write(lines: &[(&'static str, &str)]) -> Result<Zeroizing<Vec<u8>>, Unsendable> {
    let size = lines.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    for (key, value) in lines {
        if value.contains(['\n', '\r', '\0']) {
            return Err(Unsendable(key));
        }
        for piece in [key, "=", value, "\n"] {
            bytes.extend_from_slice(piece.as_bytes());
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part, Unsendable, encode};
    use crate::core::{
        credential::{Entry, Key, Kind, Proof, Record, Secrets},
        gitproto::{Capabilities, Request},
        origin::Origin,
        secret::{ExposeSecret, SecretString},
    };

    const NONE: Capabilities = Capabilities { authtype: false, state: false };
    const ALL: Capabilities = Capabilities { authtype: true, state: true };

    fn record(user: &str, proof: Proof) -> Record {
        let origin = Origin::new("https", "h").unwrap();
        let key = Key { kind: Kind::Git, origin, path: None, user: user.to_owned() };
        Record {
            entry: Entry { key, expires: None, stored: 1, hidden: None },
            secrets: Secrets::of(proof),
        }
    }

    fn password(password: &str) -> Record {
        record("ana", Proof::Password(password.into()))
    }

    fn bearer() -> Proof {
        Proof::Encoded { authtype: "Bearer".to_owned(), credential: "t0ken".into() }
    }

    fn text(record: &Record, part: Part, accepts: Capabilities) -> String {
        let bytes =
            encode(record, part, (part == Part::Whole).then_some("gocred:source=keyring"), accepts)
                .unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_password_is_answered_with_its_account_only() {
        assert_eq!(
            text(&password("hunter2"), Part::Whole, NONE),
            "username=ana\npassword=hunter2\n"
        );
    }

    #[test]
    fn an_encoded_credential_needs_the_capability() {
        assert_eq!(text(&record("", bearer()), Part::Whole, NONE), "");
        assert_eq!(
            text(&record("", bearer()), Part::Whole, Capabilities { authtype: true, state: false }),
            "capability[]=authtype\nauthtype=Bearer\ncredential=t0ken\n"
        );
    }

    #[test]
    fn expiry_refresh_token_and_state_are_told() {
        let mut record = password("p");
        record.entry.expires = Some(17);
        record.secrets.refresh_token = Some("r".into());
        assert_eq!(
            text(&record, Part::Whole, ALL),
            "capability[]=state\nusername=ana\npassword=p\npassword_expiry_utc=17\n\
             oauth_refresh_token=r\nstate[]=gocred:source=keyring\n"
        );
        assert_eq!(
            text(&record, Part::Renewal, ALL),
            "username=ana\npassword_expiry_utc=17\noauth_refresh_token=r\n"
        );
    }

    #[test]
    fn what_gocred_renews_itself_leaves_no_refresh_token_with_git() {
        let mut record = password("p");
        record.secrets.refresh_token = Some("r3fresh".into());
        record.secrets.session = Some("s3ssion".into());
        let answer = text(&record, Part::Whole, ALL);
        assert!(answer.contains("password=p\n"), "{answer}");
        assert!(!answer.contains("r3fresh") && !answer.contains("s3ssion"), "{answer}");
        assert_eq!(text(&record, Part::Renewal, ALL), "");
        let mut encoded = record;
        encoded.secrets.proof = bearer();
        let answer = text(&encoded, Part::Whole, ALL);
        assert!(answer.contains("credential=t0ken\n") && !answer.contains("r3fresh"), "{answer}");
    }

    #[test]
    fn what_would_break_the_line_is_not_sent() {
        for value in ["a\nhost=h", "a\r", "a\0b"] {
            let error = encode(&password(value), Part::Whole, None, NONE).unwrap_err();
            assert_eq!(error, Unsendable("password"));
        }
    }

    proptest! {
        #[test]
        fn what_is_answered_is_what_git_reads(user in "[^\r\n\0]{0,9}", secret in "[^\r\n\0]{0,9}") {
            let record = record(&user, Proof::Password(secret.as_str().into()));
            let bytes = encode(&record, Part::Whole, Some("gocred:x"), ALL).unwrap();
            let request = Request::decode(&bytes).unwrap();
            prop_assert_eq!(request.username.as_deref(), Some(user.as_str()));
            let read = request.password.as_ref().map(SecretString::expose_secret);
            prop_assert_eq!(read, Some(secret.as_str()));
        }
    }
}
