//! CONNECT at a proxy: without a login, and once more with one where the proxy asks for Basic, or asks for
//! a login without saying how. Other schemes are judged by what the proxy offers.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::{
    core::{
        auth,
        challenge::{self, Challenge},
        doctor::{
            probe::Connect,
            route::{Login, Proxy, Scheme},
        },
        secret::SecretString,
    },
    net::doctor::{
        http::{Begun, Request, body, exchange},
        since,
        stream::Stream,
        until,
    },
};

/// How long a proxy may take, its own connection to the target included.
const ANSWER: Duration = Duration::from_secs(7);
/// How long the page of a refusal may take.
const PAGE: Duration = Duration::from_millis(700);
/// How much of it is read.
const MAX_PAGE: usize = 4096;

/// Asks for a tunnel to `host:port`. Where it is open, the bytes that came too early are returned.
pub(super) async fn ask(
    stream: &mut Stream,
    target: &str,
    login: Option<&Login>,
    deadline: Instant,
) -> (Connect, Option<Vec<u8>>) {
    let start = Instant::now();
    let mut request = Request::new("CONNECT", target, target);
    if let Some(value) = login.and_then(authorization) {
        request = request.field("Proxy-Authorization", value.expose_secret());
    }
    let mut bytes = Vec::new();
    let mut begun = Begun::default();
    let answered =
        exchange(stream, &request.end(), &mut bytes, &mut begun, until(deadline, ANSWER)).await;
    let mut connect = Connect {
        took: since(start),
        has_login: login.is_some(),
        interim: begun.interim,
        ..Connect::default()
    };
    let head = match answered {
        Ok(head) => head,
        Err(flaw) => {
            connect.flaw = Some(flaw);
            return (connect, None);
        }
    };
    connect.status = Some(head.status);
    connect.challenges = challenges(&head.fields);
    connect.reason.clone_from(&head.reason);
    let early = if (200..300).contains(&head.status) {
        // A page instead of a tunnel: TLS begins with a record, and never by itself.
        connect.body = bytes.iter().take(MAX_PAGE).copied().collect();
        Some(bytes)
    } else {
        let limit = until(deadline, PAGE);
        connect.body = body(stream, &head, bytes, MAX_PAGE, limit).await.text;
        None
    };
    connect.fields = head.fields;
    (connect, early)
}

/// Returns whether a proxy that answered like this may take the password itself.
pub(super) fn asks_for_basic(connect: &Connect) -> bool {
    let challenges = &connect.challenges;
    connect.status == Some(407)
        && (challenges.is_empty() || challenges.iter().any(|challenge| challenge.is("Basic")))
}

/// Returns the challenges of a proxy.
pub(super) fn challenges(fields: &[(String, String)]) -> Vec<Challenge> {
    fields
        .iter()
        .filter(|(name, _)| name == "proxy-authenticate")
        .flat_map(|(_, value)| challenge::parse(value.as_bytes()))
        .collect()
}

/// Returns the value that sends a login.
pub(super) fn authorization(login: &Login) -> Option<SecretString> {
    match login.scheme {
        Scheme::Basic => Some(auth::basic(&login.user, &login.secret)),
        Scheme::Header(_) => None,
    }
}

/// Returns how a proxy is called.
pub(super) fn place(proxy: &Proxy) -> String {
    format!("{}:{}", proxy.host, proxy.port)
}
