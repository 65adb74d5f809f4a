//! What is asked of an authorization server: metadata, device codes, tokens, renewal, revocation.
//!
//! It decides nothing: every answer is read in `core::oauth`.

use std::time::Duration;

use thiserror::Error;

use crate::{
    core::{
        oauth::{
            Client, ClientAuth, DEVICE_GRANT, OFFLINE, Session,
            device::{self, Device},
            metadata::{self, Place},
            server::Server,
            token::{self, Answer, Grant, Malformed, Refusal},
        },
        secret::{ExposeSecret, SecretString},
    },
    net::{
        api::{Api, Body, Call, Response, Verb},
        probe::{self, Signature},
    },
};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long one that a program waits for may take.
const RENEWAL: Duration = Duration::from_secs(8);

/// Why there is nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It cannot be asked.
    #[error("{0}")]
    Unreachable(#[from] probe::Error),
    /// It answers in no words of OAuth 2.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// It refuses.
    #[error("{0}")]
    Refused(Refusal),
}

/// Asks a place for metadata. `Ok(None)`: there is none.
pub fn metadata(
    api: &Api,
    place: &Place,
    allows_http: bool,
) -> Result<Option<Result<Server, metadata::Error>>, probe::Error> {
    let answer = api.call(
        &Call {
            method: Verb::Get,
            url: &place.url,
            signature: Signature::None,
            fields: &[],
            body: Body::Empty,
        },
        LIMIT,
    )?;
    if answer.status != 200 {
        return Ok(None);
    }
    match metadata::parse(&answer.body, place, allows_http) {
        // A page for people, which many hosts have for every path.
        Err(metadata::Error::Malformed) => Ok(None),
        read => Ok(Some(read)),
    }
}

/// Asks for a code that a person types elsewhere (RFC 8628 §3.1).
pub fn device(api: &Api, url: &str, client: &Client, scopes: &[String]) -> Result<Device, Error> {
    let scope = SecretString::from(scopes.join(" "));
    let mut fields = Vec::with_capacity(4);
    if !scopes.is_empty() {
        fields.push(("scope", &scope));
    }
    let consent = SecretString::from("consent");
    if scopes.iter().any(|scope| scope == OFFLINE) {
        // OpenID Connect Core §11, as where a browser asks.
        fields.push(("prompt", &consent));
    }
    let answer = post(api, url, client, &fields, LIMIT)?;
    device::parse(answer.status, &answer.body)?.map_err(Error::Refused)
}

/// Asks whether the code has been typed (RFC 8628 §3.4).
pub fn poll(api: &Api, url: &str, client: &Client, code: &SecretString) -> Result<Answer, Error> {
    let grant = SecretString::from(DEVICE_GRANT);
    tokens(api, url, client, &[("grant_type", &grant), ("device_code", code)], LIMIT)
}

/// A code that a browser brought, and what goes with it.
#[derive(Clone, Copy, Debug)]
pub struct Brought<'a> {
    /// The code.
    pub code: &'a SecretString,
    /// Where it was brought to.
    pub redirect_uri: &'a str,
    /// What proves that it is ours.
    pub verifier: &'a SecretString,
}

/// Redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub fn redeem(
    api: &Api,
    url: &str,
    client: &Client,
    brought: &Brought<'_>,
) -> Result<Grant, Error> {
    let grant = SecretString::from("authorization_code");
    let redirect_uri = SecretString::from(brought.redirect_uri);
    let fields = [
        ("grant_type", &grant),
        ("code", brought.code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", brought.verifier),
    ];
    granted(tokens(api, url, client, &fields, LIMIT)?)
}

/// Renews a login (RFC 6749 §6). No scope is named: the same ones are meant.
pub fn renew(api: &Api, session: &Session, token: &SecretString) -> Result<Grant, Error> {
    let grant = SecretString::from("refresh_token");
    let fields = [("grant_type", &grant), ("refresh_token", token)];
    granted(tokens(api, &session.token_url, &client(session), &fields, RENEWAL)?)
}

/// Takes a token back (RFC 7009 §2.1). A token that is unknown there is taken back, too.
pub fn revoke(
    api: &Api,
    url: &str,
    session: &Session,
    token: &SecretString,
    hint: &str,
) -> Result<(), Error> {
    let hint = SecretString::from(hint);
    let answer =
        post(api, url, &client(session), &[("token", token), ("token_type_hint", &hint)], LIMIT)?;
    match answer.status {
        200..=299 => Ok(()),
        status => match token::parse(status, &answer.body)? {
            Answer::Refused(refusal) => Err(Error::Refused(refusal)),
            Answer::Granted(_) => Err(Malformed::Json(status).into()),
        },
    }
}

fn client(session: &Session) -> Client {
    let Session { client_id, client_secret, client_auth, .. } = session;
    Client { id: client_id.clone(), secret: client_secret.clone(), auth: *client_auth }
}

fn granted(answer: Answer) -> Result<Grant, Error> {
    match answer {
        Answer::Granted(grant) => Ok(grant),
        Answer::Refused(refusal) => Err(Error::Refused(refusal)),
    }
}

fn tokens(
    api: &Api,
    url: &str,
    client: &Client,
    fields: &[(&str, &SecretString)],
    limit: Duration,
) -> Result<Answer, Error> {
    let answer = post(api, url, client, fields, limit)?;
    Ok(token::parse(answer.status, &answer.body)?)
}

/// Sends a form as this client.
fn post(
    api: &Api,
    url: &str,
    client: &Client,
    fields: &[(&str, &SecretString)],
    limit: Duration,
) -> Result<Response, probe::Error> {
    let id = SecretString::from(client.id.as_str());
    // What is in a Basic credential is encoded as in a form (RFC 6749 §2.3.1).
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let name = encoded(&client.id);
    let secret = client.secret.as_ref();
    let shown = secret.map(|secret| SecretString::from(encoded(secret.expose_secret())));
    let mut fields = fields.to_vec();
    let signature = match (client.auth, &shown, secret) {
        (ClientAuth::Basic, Some(shown), _) => Signature::Basic(&name, shown),
        (ClientAuth::Body, _, Some(secret)) => {
            fields.extend([("client_id", &id), ("client_secret", secret)]);
            Signature::None
        }
        (_, _, None) | (_, None, Some(_)) => {
            fields.push(("client_id", &id));
            Signature::None
        }
    };
    let body = Body::Form(&fields);
    api.call(&Call { method: Verb::Post, url, signature, fields: &[], body }, limit)
}
