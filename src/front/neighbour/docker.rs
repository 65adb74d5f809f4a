//! `docker-credential-gocred`: docker's credential store (docker-credential-helpers), which podman,
//! skopeo and buildah ask, too.
//!
//! docker names a registry by host and port, and takes it for https. What it stores is kept for the
//! path of the registry's API, so that it does not stand in the way of git on the same host; what
//! `gocred login` stored for the whole host is answered where docker stored nothing. An error goes to
//! standard output, where docker looks for it, and "not found" is said in its very words.

use std::{collections::BTreeMap, io};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::{
    Desk, Forgotten, Place, Reach, Said, Trouble, Wish,
    json::{self, Secret},
    read,
};
use crate::{
    broker::Proofs,
    core::{
        credential::{Key, Proof},
        origin::Origin,
        secret::ExposeSecret,
    },
};

const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";
const NO_USER: &str = "no credentials username";
const USAGE: &str = "Usage: docker-credential-gocred <store|get|erase|list|version>";

/// Where the API of a registry is.
const API: &str = "v2";
/// Where that of Docker Hub was, whose name docker keeps: `https://index.docker.io/v1/`.
const OLD_API: &str = "v1";

type Answer = Result<Zeroizing<Vec<u8>>, Failure>;

/// What docker is told.
#[derive(Debug)]
enum Failure {
    /// A text that docker knows, or shows.
    Known(&'static str),
    Trouble(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Answers.
pub(super) fn run(arguments: &[&str]) -> Said {
    let answer = match arguments {
        ["erase"] => name(io::stdin().lock()).and_then(|server| erase(&server)),
        ["get"] => name(io::stdin().lock()).and_then(|server| get(&server)),
        ["list"] => list(),
        ["store"] => store(io::stdin().lock()),
        ["version"] => Ok(Zeroizing::new(
            format!("docker-credential-gocred {}\n", env!("CARGO_PKG_VERSION")).into_bytes(),
        )),
        _ => Err(Failure::Known(USAGE)),
    };
    match answer {
        Ok(out) => Said { out, ..Said::default() },
        Err(failure) => {
            let line = match failure {
                Failure::Known(text) => text.to_owned(),
                Failure::Trouble(trouble) => trouble.to_string(),
            };
            Said { out: Zeroizing::new(format!("{line}\n").into_bytes()), err: None, code: 1 }
        }
    }
}

/// Reads the name of a registry.
fn name(input: impl io::Read) -> Result<String, Failure> {
    let bytes = read(input)?;
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    if name.is_empty() { Err(Failure::Known(NO_SERVER)) } else { Ok(name) }
}

/// Returns where a registry is, by its name.
fn place(server: &str) -> Result<Place, Trouble> {
    let mut place = Place::parse(server)?;
    place.path.get_or_insert_with(|| API.to_owned());
    Ok(place)
}

/// Whether the whole host's credential is one for this path. docker keeps the tokens of Docker Hub
/// below the name of its registry (`https://index.docker.io/v1/access-token`).
fn reach(place: &Place) -> Reach {
    let is_api = matches!(place.path.as_deref(), Some(API | OLD_API));
    if is_api { Reach::Below } else { Reach::Exact }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    #[serde(rename = "ServerURL")]
    server: &'a str,
    username: &'a str,
    secret: &'a str,
}

fn get(server: &str) -> Answer {
    let place = place(server)?;
    let (proofs, reach) = (Proofs::Passwords, reach(&place));
    let wish = Wish { place: &place, user: None, own: None, proofs, reach };
    let record = Desk::open()?.ask(&wish)?.ok_or(Failure::Known(NOT_FOUND))?;
    let Proof::Password(secret) = &record.secrets.proof else {
        return Err(Failure::Known(NOT_FOUND));
    };
    let username = &record.entry.key.user;
    Ok(json::line(&Credentials { server, username, secret: secret.expose_secret() })?)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: Secret,
}

fn store(input: impl io::Read) -> Answer {
    let bytes = read(input)?;
    let Stored { server, username, secret: Secret(secret) } = json::parse(&bytes)?;
    if server.trim().is_empty() {
        return Err(Failure::Known(NO_SERVER));
    }
    if username.is_empty() {
        return Err(Failure::Known(NO_USER));
    }
    Desk::open()?.keep(&place(server.trim())?, &username, secret)?;
    Ok(Zeroizing::default())
}

fn erase(server: &str) -> Answer {
    let place = place(server)?;
    match Desk::open()?.forget(&place, None, "docker erase")? {
        Forgotten::Hidden => Ok(Zeroizing::default()),
        Forgotten::Nothing => Err(Failure::Known(NOT_FOUND)),
    }
}

/// Lists what docker stored, and nothing else: docker goes on to ask for each of these.
fn list() -> Answer {
    let entries = Desk::open()?.entries()?;
    let visible = entries.iter().filter(|entry| entry.hidden.is_none());
    let names: BTreeMap<String, &str> =
        visible.filter_map(|entry| Some((server(&entry.key)?, entry.key.user.as_str()))).collect();
    Ok(json::line(&names)?)
}

/// Returns the name under which docker stored a credential. `None`: it was not docker.
fn server(key: &Key) -> Option<String> {
    let Key { kind: _, origin, path, user: _ } = key;
    let of_hub = |origin: &Origin, rest: &str| format!("{origin}/{OLD_API}/{rest}");
    match path.as_deref()? {
        API if origin.scheme() == "https" => Some(origin.authority()),
        API => Some(origin.to_string()),
        OLD_API => Some(of_hub(origin, "")),
        path => path.strip_prefix("v1/").map(|rest| of_hub(origin, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, place, reach, server};
    use crate::core::credential::{Key, Kind};

    #[test]
    fn a_name_is_listed_as_docker_stored_it() {
        for name in [
            "registry.corp.test",
            "registry.corp.test:5000",
            "http://registry.corp.test:5000",
            "https://index.docker.io/v1/",
            "https://index.docker.io/v1/access-token",
        ] {
            let place = place(name).unwrap();
            let (origin, path) = (place.origin, place.path);
            let key = Key { kind: Kind::Git, origin, path, user: "ana".to_owned() };
            assert_eq!(server(&key).as_deref(), Some(name));
            assert_eq!(server(&Key { path: None, ..key }), None);
        }
    }

    #[test]
    fn the_password_of_a_host_is_no_token_of_docker_hub() {
        let of = |name| reach(&place(name).unwrap());
        assert_eq!(of("index.docker.io"), Reach::Below);
        assert_eq!(of("https://index.docker.io/v1/"), Reach::Below);
        assert_eq!(of("https://index.docker.io/v1/access-token"), Reach::Exact);
    }
}
