//! How a record becomes an item of the Secret Service, and back: attributes, label, payload.
//!
//! It deliberately talks to nobody.

use std::fmt::Write as _;

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::{
    core::{
        credential::{Entry, Hidden, Key, Kind, Proof, Query, Secrets, UnixTime},
        origin::Origin,
        secret::{ExposeSecret, SecretString},
        text,
    },
    store::secret_client::Attributes,
};

/// The schema of our items: those of others are never ours, whatever else they carry.
const SCHEMA: &str = "dev.gocred.Secret";
/// Stands for "none", so that a search for none never finds some.
const NONE: &str = "-";
/// The largest secret that is kept, in bytes.
pub(super) const MAX_PAYLOAD: usize = 64 * 1024;

/// Returns the attributes that identify a record.
pub(super) fn key_attributes(key: &Key) -> Attributes {
    let Key { kind, origin, path, user } = key;
    let mut attributes = origin_attributes(*kind, origin);
    attributes.insert("path".to_owned(), path.clone().unwrap_or_else(|| NONE.to_owned()));
    attributes.insert("user".to_owned(), user.clone());
    attributes
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

/// Returns the attributes that a search asks for.
pub(super) fn search_attributes(query: &Query) -> Attributes {
    let Query { kind, origin, path, user } = query;
    let mut attributes = match origin {
        Some(origin) => origin_attributes(*kind, origin),
        None => kind_attributes(*kind),
    };
    attributes.extend(path.clone().map(|path| ("path".to_owned(), path)));
    attributes.extend(user.clone().map(|user| ("user".to_owned(), user)));
    attributes
}

/// Returns the mark of a hidden record as the attribute has it: `<time> <by>`.
pub(super) fn hidden_text(hidden: &Hidden) -> String {
    format!("{} {}", hidden.at, hidden.by)
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
    let hidden = text("hidden").map(|mark| {
        // A mark that we cannot read still hides.
        let (at, by) = mark.split_once(' ').unwrap_or((mark, ""));
        Hidden { at: at.parse().unwrap_or(0), by: by.to_owned() }
    });
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

/// Why a record cannot be kept, or its payload not be read. No value is ever repeated.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Error {
    /// A line break would start another field.
    #[error("a secret with a line break or NUL cannot be kept in the keyring")]
    LineBreak,
    /// A name that D-Bus or our attributes cannot carry.
    #[error("the path `-`, and a user or path with a NUL, cannot be kept in the keyring")]
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
    let nul = |text: &str| text.contains('\0');
    if path.as_deref().is_some_and(|path| path == NONE || nul(path)) || nul(user) {
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
    let Secrets { proof, refresh_token } = secrets;
    let mut lines = Vec::with_capacity(4);
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
    let text = std::str::from_utf8(payload).map_err(|_| Error::Payload)?;
    let text = text.strip_suffix('\n').ok_or(Error::Payload)?;
    let (mut password, mut authtype, mut credential) = (None, None, None);
    let (mut refresh_token, mut expires) = (None, None);
    for line in text.split('\n') {
        let (key, value) = line.split_once('=').ok_or(Error::Payload)?;
        let field = match key {
            "authtype" => &mut authtype,
            "credential" => &mut credential,
            "expires" => &mut expires,
            "oauth_refresh_token" => &mut refresh_token,
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
    Ok((Secrets { proof, refresh_token: refresh_token.map(SecretString::from) }, expires))
}

fn kind_attributes(kind: Kind) -> Attributes {
    [("xdg:schema", SCHEMA), ("kind", kind.as_str())]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn origin_attributes(kind: Kind, origin: &Origin) -> Attributes {
    let port = origin.port().map_or_else(|| NONE.to_owned(), |port| port.to_string());
    let mut attributes = kind_attributes(kind);
    attributes.insert("protocol".to_owned(), origin.scheme().to_owned());
    attributes.insert("host".to_owned(), origin.host().to_owned());
    attributes.insert("port".to_owned(), port);
    attributes
}
