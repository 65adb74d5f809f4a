//! `bazel-credential-gocred`: a credential helper of Bazel's (github.com/EngFlow/credential-helper-spec),
//! one `Authorization` for a URI.
//!
//! Bazel keeps an answer in its server's memory: for half an hour, or until `expires`. No credentials are
//! an empty answer, and Bazel goes on without.

use std::{collections::BTreeMap, io};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::{Desk, Place, Reach, Said, Trouble, Wish, json, read};
use crate::{
    broker::Proofs,
    core::{fault::Kind, goauth, secret::ExposeSecret, time::rfc3339},
};

/// Answers.
pub(super) fn run(arguments: &[&str]) -> Said {
    match arguments {
        ["get", ..] => get(io::stdin().lock()).into(),
        _ => Err(Trouble::usage("usage: bazel-credential-gocred get")).into(),
    }
}

#[derive(Deserialize)]
struct Question {
    uri: String,
}

#[derive(Default, Serialize)]
struct Answer<'a> {
    headers: BTreeMap<&'static str, [&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

fn get(input: impl io::Read) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let bytes = read(input)?;
    let Question { uri } = json::parse(&bytes)?;
    // gRPC over TLS is HTTP/2 on the same host and port.
    let uri =
        uri.strip_prefix("grpcs://").map_or_else(|| uri.clone(), |rest| format!("https://{rest}"));
    let place = Place::parse(&uri)?;
    let wish =
        Wish { place: &place, user: None, own: None, proofs: Proofs::All, reach: Reach::Below };
    let Some(record) = Desk::open()?.ask(&wish)? else { return json::line(&Answer::default()) };
    let user = &record.entry.key.user;
    let value = goauth::authorization(user, &record.secrets.proof).ok_or_else(|| {
        let what = "the stored credential does not fit into an Authorization header";
        let command = format!("gocred login {}", place.origin.authority());
        Trouble::at(Kind::Rejected, &place.origin, what, &command)
    })?;
    json::line(&Answer {
        headers: BTreeMap::from([("Authorization", [value.expose_secret()])]),
        expires: record.entry.expires.map(|end| rfc3339(end.saturating_mul(1000))),
    })
}
