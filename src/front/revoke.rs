//! Takes the tokens of logins back at their servers (RFC 7009).
//!
//! The refresh token goes first: a server that takes it back takes what it gave back, too. Whoever
//! cannot be reached still has to be asked, so that nothing is forgotten here before.

use crate::{
    broker::renew,
    core::{
        credential::{Entry, Proof, Record},
        fault::{Fault, Kind},
        oauth::Session,
        origin::Origin,
        text::printable,
    },
    front::{Context, keyring, login::line::Line, ui},
    net::oauth::{self, Error},
    store::Store,
};

/// Takes the tokens of these back; returns how many logins have none left at the server.
pub(super) fn all(
    entries: &[Entry],
    store: &mut dyn Store,
    context: &Context,
) -> Result<usize, Fault> {
    let mut revoked = 0;
    for entry in entries {
        let records = store.find(&renew::query(&entry.key)).map_err(keyring::fault)?;
        let Some(record) = records.into_iter().find(|record| record.entry.key == entry.key) else {
            continue;
        };
        let user = printable(&entry.key.user);
        let Some((session, url)) = endpoint(&record) else {
            ui::out(&format!("{user}: its server takes no token back from here"));
            continue;
        };
        one(&record, &session, &url, context)?;
        let place = Origin::from_url(&url).map_or_else(|_| url.clone(), |it| it.0.authority());
        ui::out(&format!("{user}: {place} has taken the tokens back"));
        revoked += 1;
    }
    Ok(revoked)
}

fn endpoint(record: &Record) -> Option<(Session, String)> {
    let session = Session::parse(record.secrets.session.as_ref()?)?;
    let url = session.revoke_url.clone()?;
    Some((session, url))
}

fn one(record: &Record, session: &Session, url: &str, context: &Context) -> Result<(), Fault> {
    let line = Line::to_url(url, &record.entry.key.origin, context)?;
    let access = match &record.secrets.proof {
        Proof::Password(token) | Proof::Encoded { credential: token, .. } => token,
    };
    let refresh = record.secrets.refresh_token.as_ref().map(|token| (token, "refresh_token"));
    for (token, hint) in refresh.into_iter().chain([(access, "access_token")]) {
        match oauth::revoke(&line.api, url, session, token, hint) {
            Ok(()) => {}
            // RFC 7009 §2.2.1: this server takes only the other kind back.
            Err(Error::Refused(refusal)) if refusal.error == "unsupported_token_type" => {}
            Err(Error::Unreachable(error)) => {
                let fault = line.fault(&error, context);
                return Err(Fault {
                    message: format!("{} cannot be asked; nothing was removed", line.place()),
                    ..fault
                });
            }
            Err(error) => {
                return Err(Fault::new(
                    Kind::Rejected,
                    format!("{} does not take the token back; nothing was removed", line.place()),
                )
                .cause(error)
                .hint("leave `--revoke` out to forget it here only"));
            }
        }
    }
    Ok(())
}
