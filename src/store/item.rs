//! How a record becomes an item of a keyring, and back: attributes, label, payload.
//!
//! It deliberately talks to nobody.
//!
//! # What a search asks for
//! One attribute, `origin`, that holds namespace, scheme, host and port in one text: it selects
//! what the attributes `kind`, `protocol`, `host` and `port` select together. gnome-keyring-daemon
//! compares every item of every collection, one attribute after the other; with 5,000 items a
//! search by seven attributes took 3.2 ms, by one 0.9 ms (0.4 ms with one item).

use std::fmt::Write as _;

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::{
    credential::{Entry, Hidden, Key, Kind, Proof, Secrets, UnixTime},
    origin::Origin,
    secret::{ExposeSecret, SecretString},
    sorted::Sorted,
    text,
};

/// The attributes of an item; not secret.
pub(super) type Attributes = Sorted<String, String>;

/// The schema of our items: those of others are never ours, whatever else they carry.
const SCHEMA: &str = "dev.gocred.Secret";
/// Stands for "none", so that a search for none never finds some.
const NONE: &str = "-";
/// The largest secret that is kept, in bytes.
pub(super) const MAX_PAYLOAD: usize = 64 * 1024;

/// Returns the attributes that identify a record.
pub(super) fn key_attributes(key: &Key) -> Attributes {
    let Key { kind, origin, path, user } = key;
    let none = || NONE.to_owned();
    [
        ("host", origin.host().to_owned()),
        ("kind", kind.as_str().to_owned()),
        ("origin", origin_text(*kind, origin)),
        ("path", path.clone().unwrap_or_else(none)),
        ("port", origin.port().map_or_else(none, |port| port.to_string())),
        ("protocol", origin.scheme().to_owned()),
        ("user", user.clone()),
        ("xdg:schema", SCHEMA.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Returns all attributes of an item: the key's, and what is known of it.
pub(super) fn attributes(entry: &Entry) -> Attributes {
    let Entry { key, expires, stored, hidden } = entry;
    let mut attributes = key_attributes(key);
    attributes.insert("stored".to_owned(), stored.to_string());
    if let Some(expires) = expires {
        attributes.insert("expires".to_owned(), expires.to_string());
    }
    if let Some(hidden) = hidden {
        attributes.insert("hidden".to_owned(), hidden_text(hidden));
    }
    attributes
}

/// Returns all attributes of an item that had others before. A service may only ever add some, as
/// `KeePassXC` does: a mark that is gone is said, too.
pub(super) fn attributes_after(before: &Attributes, entry: &Entry) -> Attributes {
    let mut attributes = attributes(entry);
    if entry.hidden.is_none() && before.get("hidden").is_some() {
        attributes.insert("hidden".to_owned(), NONE.to_owned());
    }
    attributes
}

/// Returns the attributes that a search asks for. What it finds is more than the query wants.
pub(super) fn search_attributes(kind: Kind, origin: Option<&Origin>) -> Attributes {
    let wanted = match origin {
        Some(origin) => ("origin", origin_text(kind, origin)),
        None => ("kind", kind.as_str().to_owned()),
    };
    [wanted, ("xdg:schema", SCHEMA.to_owned())].map(|(name, value)| (name.to_owned(), value)).into()
}

/// Returns the mark of a hidden record as the attribute has it: `<time> <by>`.
pub(super) fn hidden_text(hidden: &Hidden) -> String {
    format!("{} {}", hidden.at, hidden.by)
}

/// Parses what [`hidden_text`] returns. A mark that we cannot read still hides.
pub(super) fn hidden(mark: &str) -> Hidden {
    let (at, by) = mark.split_once(' ').unwrap_or((mark, ""));
    Hidden { at: at.parse().unwrap_or(0), by: by.to_owned() }
}

/// Parses the attributes of an item. `None`: not one of ours, or not what we write.
pub(super) fn entry(attributes: &Attributes) -> Option<Entry> {
    let text = |name: &str| attributes.get(name).map(String::as_str);
    let some = |name: &str| text(name).map(|text| (text != NONE).then_some(text));
    if text("xdg:schema") != Some(SCHEMA) {
        return None;
    }
    let port = match some("port")? {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    let key = Key {
        kind: Kind::parse(text("kind")?)?,
        origin: Origin::from_parts(text("protocol")?, text("host")?, port).ok()?,
        path: some("path")?.map(str::to_owned),
        user: text("user")?.to_owned(),
    };
    let hidden = text("hidden").filter(|mark| *mark != NONE).map(hidden);
    Some(Entry {
        key,
        expires: text("expires").and_then(|time| time.parse().ok()),
        stored: text("stored").and_then(|time| time.parse().ok()).unwrap_or(0),
        hidden,
    })
}

/// Returns what people see in their keyring program.
pub(super) fn label(key: &Key) -> String {
    let path = key.path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
    text::printable(&format!("gocred: {}{path} ({})", key.origin, key.user))
}

/// What a keyring says of a secret that is too large for it.
const IN_FILE: &str = "in=file\n";

/// Returns whether a payload says that the secret is in the encrypted file.
pub(super) fn is_in_file(payload: &[u8]) -> bool {
    payload == IN_FILE.as_bytes()
}

/// Stands for a secret that is in the encrypted file. No scheme of HTTP has this name (RFC 9110 §5.6.2).
#[cfg(feature = "full")]
const ELSEWHERE: &str = "in/file";

/// Returns what stands for a secret that is in the encrypted file.
#[cfg(feature = "full")]
pub(super) fn elsewhere() -> Secrets {
    let authtype = ELSEWHERE.to_owned();
    Secrets::of(Proof::Encoded { authtype, credential: SecretString::from("") })
}

/// Returns whether a secret is what stands for one in the encrypted file.
#[cfg(feature = "full")]
pub(super) fn is_elsewhere(secrets: &Secrets) -> bool {
    matches!(&secrets.proof, Proof::Encoded { authtype, credential: _ } if authtype == ELSEWHERE)
}

/// Returns whether a keyring does not take a secret of this size.
#[cfg(feature = "full")]
pub(super) fn is_too_long(secrets: &Secrets, expires: Option<UnixTime>) -> bool {
    matches!(payload(secrets, expires), Err(Error::TooLong))
}

/// Why a record cannot be kept, or its payload not be read. No value is ever repeated.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Error {
    /// A line break would start another field.
    #[error("a secret with a line break or NUL cannot be kept in the keyring")]
    LineBreak,
    /// A name that our attributes cannot carry.
    #[error("the path `-`, or a user or path with a line break or NUL, cannot be kept")]
    Name,
    /// The payload is not what we write.
    #[error("its secret is not in gocred's form")]
    Payload,
    /// More than [`MAX_PAYLOAD`].
    #[error("a secret larger than 64 KiB cannot be kept in the keyring")]
    TooLong,
}

/// Checks that a key can be told apart from all others by its attributes.
pub(super) fn check(key: &Key) -> Result<(), Error> {
    let Key { kind: _, origin: _, path, user } = key;
    let breaks = |text: &str| text.contains(['\0', '\n']);
    if path.as_deref().is_some_and(|path| path == NONE || breaks(path)) || breaks(user) {
        return Err(Error::Name);
    }
    Ok(())
}

/// Returns the secret of an item: `key=value` lines. The expiry stands here too, because a secret
/// and its expiry must change in one step; the attribute is what a list shows.
pub(super) fn payload(
    secrets: &Secrets,
    expires: Option<UnixTime>,
) -> Result<Zeroizing<String>, Error> {
    #[cfg(feature = "full")]
    if is_elsewhere(secrets) {
        return Ok(Zeroizing::new(IN_FILE.to_owned()));
    }
    let Secrets { proof, refresh_token, session } = secrets;
    let mut lines = Vec::with_capacity(5);
    match proof {
        Proof::Password(password) => lines.push(("password", password.expose_secret())),
        Proof::Encoded { authtype, credential } => {
            lines.push(("authtype", authtype));
            lines.push(("credential", credential.expose_secret()));
        }
    }
    if let Some(token) = refresh_token {
        lines.push(("oauth_refresh_token", token.expose_secret()));
    }
    if let Some(session) = session {
        lines.push(("oauth_session", session.expose_secret()));
    }
    let time = expires.map(|time| time.to_string());
    if let Some(time) = &time {
        lines.push(("expires", time));
    }
    let size: usize = lines.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    if size > MAX_PAYLOAD {
        return Err(Error::TooLong);
    }
    let mut payload = Zeroizing::new(String::with_capacity(size));
    for (key, value) in lines {
        if value.contains(['\n', '\0']) {
            return Err(Error::LineBreak);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(payload, "{key}={value}");
    }
    Ok(payload)
}

/// Parses what [`payload`] returns.
pub(super) fn secrets(payload: &[u8]) -> Result<(Secrets, Option<UnixTime>), Error> {
    #[cfg(feature = "full")]
    if is_in_file(payload) {
        return Ok((elsewhere(), None));
    }
    let text = std::str::from_utf8(payload).map_err(|_| Error::Payload)?;
    let text = text.strip_suffix('\n').ok_or(Error::Payload)?;
    let (mut password, mut authtype, mut credential) = (None, None, None);
    let (mut refresh_token, mut session, mut expires) = (None, None, None);
    for line in text.split('\n') {
        let (key, value) = line.split_once('=').ok_or(Error::Payload)?;
        let field = match key {
            "authtype" => &mut authtype,
            "credential" => &mut credential,
            "expires" => &mut expires,
            "oauth_refresh_token" => &mut refresh_token,
            "oauth_session" => &mut session,
            "password" => &mut password,
            _ => return Err(Error::Payload),
        };
        if field.replace(value).is_some() {
            return Err(Error::Payload);
        }
    }
    let proof = match (password, authtype, credential) {
        (Some(password), None, None) => Proof::Password(SecretString::from(password)),
        (None, Some(authtype), Some(credential)) => Proof::Encoded {
            authtype: authtype.to_owned(),
            credential: SecretString::from(credential),
        },
        _ => return Err(Error::Payload),
    };
    let expires = match expires {
        Some(time) => Some(time.parse().map_err(|_| Error::Payload)?),
        None => None,
    };
    let (refresh_token, session) = (refresh_token.map(Into::into), session.map(Into::into));
    Ok((Secrets { proof, refresh_token, session }, expires))
}

fn origin_text(kind: Kind, origin: &Origin) -> String {
    format!("{} {origin}", kind.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Attributes, Entry, Error, ExposeSecret, Hidden, Key, Kind, MAX_PAYLOAD, Origin, Proof,
        Secrets, attributes, check, entry, key_attributes, label, payload, search_attributes,
        secrets,
    };

    fn sample() -> Entry {
        Entry {
            key: Key {
                kind: Kind::Git,
                origin: Origin::new("https", "h:8443").unwrap(),
                path: Some("team/lib".into()),
                user: "ana".into(),
            },
            expires: Some(99),
            stored: 7,
            hidden: Some(Hidden { at: 8, by: "git erase".into() }),
        }
    }

    fn of(text: &str) -> Result<(), Error> {
        secrets(text.as_bytes()).map(drop)
    }

    #[test]
    fn an_entry_survives_its_attributes() {
        let whole = sample();
        assert_eq!(entry(&attributes(&whole)), Some(whole.clone()));
        let key = Key { path: None, user: String::new(), ..whole.key };
        let bare = Entry { key, expires: None, stored: 0, hidden: None };
        assert_eq!(entry(&attributes(&bare)), Some(bare.clone()));
        assert_eq!(entry(&key_attributes(&bare.key)), Some(bare));
    }

    #[test]
    fn a_search_finds_all_items_of_its_origin_and_no_other() {
        let whole = attributes(&sample());
        let is_found = |search: &Attributes| search.iter().all(|(k, v)| whole.get(k) == Some(v));
        let of = |kind, scheme, authority| {
            search_attributes(kind, Some(&Origin::new(scheme, authority).unwrap()))
        };
        assert!(is_found(&of(Kind::Git, "https", "h:8443")));
        assert!(is_found(&search_attributes(Kind::Git, None)));
        assert!(!is_found(&of(Kind::Proxy, "https", "h:8443")));
        assert!(!is_found(&of(Kind::Git, "http", "h:8443")));
        assert!(!is_found(&of(Kind::Git, "https", "h")));
        assert!(!is_found(&search_attributes(Kind::Proxy, None)));
    }

    #[test]
    fn what_is_not_ours_is_no_entry() {
        for (name, value) in [
            ("xdg:schema", "org.git.Password"),
            ("kind", "svn"),
            ("protocol", "HTTPS"),
            ("host", "h/x"),
            ("port", "http"),
        ] {
            let mut other = attributes(&sample());
            other.insert(name.into(), value.into());
            assert_eq!(entry(&other), None, "{name}");
            other.remove(name);
            assert_eq!(entry(&other), None, "no {name}");
        }
    }

    #[test]
    fn a_mark_that_cannot_be_read_still_hides() {
        let mut marked = attributes(&sample());
        marked.insert("hidden".into(), "yes".into());
        assert_eq!(entry(&marked).unwrap().hidden, Some(Hidden { at: 0, by: String::new() }));
    }

    #[test]
    fn payloads_that_we_do_not_write_are_refused() {
        for text in [
            "",
            "\n",
            "password=x",
            "password\n",
            "hunter2\n",
            "password=x\npassword=y\n",
            "password=x\n\n",
            "password=x\nauthtype=Bearer\ncredential=y\n",
            "authtype=Bearer\n",
            "credential=y\n",
            "password=x\nquit=1\n",
            "password=x\nexpires=soon\n",
            "expires=9\n",
        ] {
            assert_eq!(of(text), Err(Error::Payload), "{text:?}");
        }
        assert_eq!(secrets(b"password=\xff\n").map(drop), Err(Error::Payload));
        assert_eq!(of("password=\n"), Ok(()));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let of = |password: &str| {
            let proof = Proof::Password(password.into());
            payload(&Secrets::of(proof), None).map(drop)
        };
        assert_eq!(of("a\nhost=evil"), Err(Error::LineBreak));
        assert_eq!(of("a\0"), Err(Error::LineBreak));
        assert_eq!(of(&"x".repeat(MAX_PAYLOAD)), Err(Error::TooLong));
        assert_eq!(of(&"x".repeat(MAX_PAYLOAD - 10)), Ok(()));
        for (path, user) in [(Some("-"), "u"), (None, "u\0"), (Some("a\0"), "u"), (None, "a\nb")] {
            let key = Key { path: path.map(str::to_owned), user: user.into(), ..sample().key };
            assert_eq!(check(&key), Err(Error::Name));
        }
        assert_eq!(check(&sample().key), Ok(()));
    }

    #[test]
    fn a_label_says_whose_it_is_and_is_safe_to_show() {
        assert_eq!(label(&sample().key), "gocred: https://h:8443/team/lib (ana)");
        let key = Key { user: "a\u{1b}[2J".into(), path: None, ..sample().key };
        assert_eq!(label(&key), "gocred: https://h:8443 (a\\u{1b}[2J)");
    }

    proptest! {
        #[test]
        fn secrets_survive_their_payload(
            first in "[^\n\0]{0,40}",
            scheme in proptest::option::of("[A-Za-z]{1,8}"),
            token in proptest::option::of("[^\n\0]{0,40}"),
            session in proptest::option::of("[^\n\0]{0,40}"),
            expires: Option<u64>,
        ) {
            let proof = match scheme.clone() {
                Some(authtype) => Proof::Encoded { authtype, credential: first.as_str().into() },
                None => Proof::Password(first.as_str().into()),
            };
            let refresh_token = token.clone().map(Into::into);
            let given = Secrets { proof, refresh_token, session: session.clone().map(Into::into) };
            let written = payload(&given, expires).unwrap();
            let (read, read_expires) = secrets(written.as_bytes()).unwrap();
            prop_assert_eq!(read_expires, expires);
            let read_token = read.refresh_token.map(|token| token.expose_secret().to_owned());
            prop_assert_eq!(read_token, token);
            let read_session = read.session.map(|session| session.expose_secret().to_owned());
            prop_assert_eq!(read_session, session);
            let (read_scheme, read_first) = match read.proof {
                Proof::Password(password) => (None, password),
                Proof::Encoded { authtype, credential } => (Some(authtype), credential),
            };
            prop_assert_eq!((read_scheme, read_first.expose_secret()), (scheme, first.as_str()));
        }

        #[test]
        fn no_payload_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = secrets(&bytes);
        }
    }
}
