//! The items that git-credential-libsecret keeps in a keyring, and that people keep there with
//! secret-tool under the same attributes.
//!
//! It reads them and never writes one. git's helper leaves the port out of its search, and so gives
//! what is stored for `host:8443` to `host` (git-helper.md §5); here a port that is missing on one side
//! only is another origin.

use crate::core::{
    credential::{Key, Kind, Proof, Secrets, UnixTime},
    origin::Origin,
    secret::SecretString,
    sorted::Sorted,
};

/// The schemas that carry git's attributes: that of its helper (contrib/credential/libsecret), that of
/// secret-tool, and that of the helper before it (libgnome-keyring).
const SCHEMAS: [&str; 3] =
    ["org.git.Password", "org.freedesktop.Secret.Generic", "org.gnome.keyring.NetworkPassword"];

/// Returns what to search for: without an origin, everything for https. What is found is more than is
/// wanted. The schema is not asked for: git's helper leaves it out of some items.
pub fn search(origin: Option<&Origin>) -> Sorted<String, String> {
    let protocol = origin.map_or("https", Origin::scheme);
    let mut wanted = Sorted::default();
    wanted.insert("protocol".to_owned(), protocol.to_owned());
    if let Some(origin) = origin {
        wanted.insert("server".to_owned(), origin.host().to_owned());
    }
    wanted
}

/// Parses the attributes of an item. `None`: it is none of these.
pub fn key(attributes: &Sorted<String, String>) -> Option<Key> {
    let text = |name: &str| attributes.get(name).map(String::as_str);
    if text("xdg:schema").is_some_and(|schema| !SCHEMAS.contains(&schema)) {
        return None;
    }
    let port = match text("port") {
        None | Some("0") => None,
        Some(port) => Some(port.parse().ok()?),
    };
    Some(Key {
        kind: Kind::Git,
        origin: Origin::from_parts(text("protocol")?, text("server")?, port).ok()?,
        path: text("object").filter(|path| !path.is_empty()).map(str::to_owned),
        user: text("user").unwrap_or_default().to_owned(),
    })
}

/// Parses a secret: the password, and in lines of their own what git ≥ 2.46 adds. `None`: it is empty,
/// or no text.
pub fn secrets(payload: &[u8]) -> Option<(Secrets, Option<UnixTime>)> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut lines = text.split('\n');
    let password = lines.next().filter(|password| !password.is_empty())?;
    let mut secrets = Secrets::of(Proof::Password(SecretString::from(password)));
    let mut expires = None;
    for (name, value) in lines.filter_map(|line| line.split_once('=')) {
        match name {
            "oauth_refresh_token" => secrets.refresh_token = Some(SecretString::from(value)),
            "password_expiry_utc" => expires = value.parse().ok(),
            _ => {}
        }
    }
    Some((secrets, expires))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Origin, Proof, key, search, secrets};
    use crate::core::{secret::ExposeSecret, sorted::Sorted};

    fn of(pairs: &[(&str, &str)]) -> Sorted<String, String> {
        let mut all = Sorted::default();
        for (name, value) in pairs {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        all
    }

    #[test]
    fn a_missing_port_is_no_port() {
        let at = |port: Option<&str>| {
            let mut all = of(&[("protocol", "https"), ("server", "h"), ("user", "ana")]);
            if let Some(port) = port {
                all.insert("port".to_owned(), port.to_owned());
            }
            key(&all).map(|key| key.origin.to_string())
        };
        assert_eq!(at(None).as_deref(), Some("https://h"));
        assert_eq!(at(Some("0")).as_deref(), Some("https://h"));
        assert_eq!(at(Some("8443")).as_deref(), Some("https://h:8443"));
        assert_eq!(at(Some("x")), None);
    }

    #[test]
    fn every_search_finds_what_it_is_for() {
        let item =
            of(&[("xdg:schema", "org.git.Password"), ("protocol", "https"), ("server", "h")]);
        let origin = Origin::new("https", "h:8443").unwrap();
        for wanted in [search(None), search(Some(&origin))] {
            assert!(wanted.iter().all(|(name, value)| item.get(name) == Some(value)));
        }
    }

    #[test]
    fn the_items_of_other_programs_are_none_of_these() {
        for pairs in [
            [("xdg:schema", "dev.gocred.Secret"), ("protocol", "https"), ("server", "h")],
            [("xdg:schema", "org.git.Password"), ("protocol", "https"), ("host", "h")],
            [("xdg:schema", "org.git.Password"), ("protocol", "ht tps"), ("server", "h")],
            [("xdg:schema", "org.git.Password"), ("protocol", "https"), ("server", "h/x")],
        ] {
            assert_eq!(key(&of(&pairs)), None, "{pairs:?}");
        }
    }

    #[test]
    fn a_secret_is_its_first_line_and_what_git_adds() {
        let (read, expires) =
            secrets(b"pw\npassword_expiry_utc=99\noauth_refresh_token=r=1\nx=y").unwrap();
        let Proof::Password(password) = &read.proof else { panic!("a password") };
        assert_eq!((password.expose_secret(), expires), ("pw", Some(99)));
        assert_eq!(read.refresh_token.unwrap().expose_secret(), "r=1");
        for nothing in [b"".as_slice(), b"\npassword_expiry_utc=1", b"\xff"] {
            assert!(secrets(nothing).is_none());
        }
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = secrets(&bytes);
        }
    }
}
