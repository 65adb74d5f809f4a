//! A tunnel through a SOCKS 5 upstream (RFC 1928), with a login where it asks for one (RFC 1929).

use std::{pin::pin, sync::Arc};

use crate::{
    core::{
        auth::Scheme, challenge::Challenge, connect::Connection, socks::Error as Refused,
        target::Authority,
    },
    net::{
        socks::{self, Error},
        wire::Wire,
    },
    proxy::{
        Shared, failure,
        hop::{Failed, to_upstream},
        login::{Company, Pass, verdict},
        upstreams::Upstream,
    },
};

/// Without a login, with the one that is known, and with the one that the store has since.
const MAX_TRIES: u8 = 3;

/// Opens a tunnel.
pub(crate) async fn tunnel(
    shared: &Shared,
    upstream: &Arc<Upstream>,
    target: &Authority,
) -> Result<Wire, Failed> {
    let (login, origin) = (&upstream.login, &upstream.origin);
    for _ in 0..MAX_TRIES {
        if let Some(failed) = login.barred() {
            return Err(failed);
        }
        let mut wire = to_upstream(shared, upstream).await?;
        let mut pass = login.pass(Company::Welcome).await?;
        let account = pass.as_ref().and_then(Pass::account).cloned();
        let proof = account.as_ref().map(|account| (account.user.as_str(), &account.password));
        let answer = {
            let connect = pin!(socks::connect(&mut wire, target, proof));
            verdict(&mut pass, connect).await
        };
        match answer {
            Ok(()) => {
                upstream.works();
                match pass {
                    Some(pass) => pass.accepted(None),
                    None => login.passed(),
                }
                return Ok(wire);
            }
            Err(Error::Refused(Refused::LoginNeeded | Refused::LoginRejected)) => {
                upstream.works();
                let learnt = login.challenged(pass, vec![asks()], Connection::Closed).await;
                learnt.map_err(Failed::Request)?;
            }
            Err(Error::Refused(Refused::Refused(refusal))) => {
                upstream.works();
                return Err(Failed::Request(failure::socks_refused(origin, target, refusal)));
            }
            Err(Error::Refused(error @ (Refused::Login | Refused::NoMethod))) => {
                return Err(Failed::Request(failure::socks(origin, &error.into())));
            }
            Err(error) => {
                if let Some(pass) = pass.filter(|_| matches!(error, Error::NoVerdict)) {
                    pass.was_broken_off();
                }
                upstream.fails();
                return Err(Failed::Hop(failure::socks(origin, &error)));
            }
        }
    }
    let endless = || Failed::Request(failure::endless_login(origin));
    Err(login.barred().unwrap_or_else(endless))
}

/// A server that wants a user name and a password asks for what Basic carries.
fn asks() -> Challenge {
    Challenge { scheme: Scheme::Basic.as_str().to_owned(), params: Vec::new(), token: None }
}
