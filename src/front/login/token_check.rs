//! What a host's API says of a token: whose it is, what it may do, until when. The token goes to the
//! host, or to where its forge has put its API, and nowhere else.

use std::time::Duration;

use crate::{
    core::{
        credential::UnixTime,
        fault::Fault,
        forge::{Forge, Scheme},
        forge_api::{self, Holder},
        oauth::server::Server,
        origin::Origin,
        secret::SecretString,
    },
    front::{Context, login::line::Line},
    net::{
        api::{Body, Call, Response, Verb},
        probe::Signature,
    },
};

/// How long the API may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What the API said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Whose it is.
    Holder(Holder),
    /// It does not take it, at this URL.
    Rejected(String),
    /// Nothing that helps: it has no such page, or the token no right to see it.
    Nothing,
}

/// Whom a token is checked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The host.
    pub(super) origin: &'a Origin,
    /// Its forge, where it is known.
    pub(super) forge: Option<Forge>,
    /// The server that gave the token, where one did.
    pub(super) server: Option<&'a Server>,
    /// The account, where it is settled.
    pub(super) user: Option<&'a str>,
    /// The token.
    pub(super) token: &'a SecretString,
}

/// Asks.
pub(super) fn ask(subject: &Subject<'_>, now: UnixTime, context: &Context) -> Result<Said, Fault> {
    let Subject { origin, forge, server, user, token } = *subject;
    let url = match forge {
        Some(forge) => Some(forge.user_url(origin)),
        None => server.and_then(|server| server.userinfo.clone()),
    };
    let Some(url) = url else { return Ok(Said::Nothing) };
    // A password, and a token that its owner pasted, is shown as git shows it.
    let pasted = user.filter(|_| server.is_none());
    let basic = pasted.filter(|user| forge.and_then(|it| it.scheme(user)) == Some(Scheme::Basic));
    let signature = basic.map_or(Signature::Bearer(token), |user| Signature::Basic(user, token));
    let line = Line::to_url(&url, origin, context)?;
    let answer = get(&line, &url, signature, context)?;
    match answer.status {
        200 => {}
        401 => return Ok(Said::Rejected(url)),
        _ => return Ok(Said::Nothing),
    }
    let Some(mut holder) = forge_api::user(&answer.body, |name| answer.field(name)) else {
        return Ok(Said::Nothing);
    };
    for url in forge.map(|forge| forge_api::about_urls(forge, origin)).unwrap_or_default() {
        let answer = get(&line, &url, signature, context)?;
        if answer.status == 200 {
            forge_api::about(&answer.body, now, &mut holder);
            break;
        }
    }
    Ok(Said::Holder(holder))
}

fn get(
    line: &Line,
    url: &str,
    signature: Signature<'_>,
    context: &Context,
) -> Result<Response, Fault> {
    let call = Call { method: Verb::Get, url, signature, fields: &[], body: Body::Empty };
    line.api.call(&call, LIMIT).map_err(|error| line.fault(&error, context))
}
