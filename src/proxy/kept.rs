//! A tunnel on a connection that has logged in, which its CONNECT does not say again.
//!
//! A login that has expired is asked for again, and so is, by some proxies, one that is good where the
//! target is forbidden: a `proxy_auth` at the end of a deny rule of squid. Only on a connection that
//! has logged in this moment is it certain that the password is not to blame.

use tokio::time::Instant;

use crate::{
    core::connect::{Connect, Step},
    net::{
        tunnel::{self, Error},
        wire::Wire,
    },
    proxy::{
        Shared, failure,
        hop::{Failed, Wish},
        pool::Keeps,
        through::{broken, spare},
        upstreams::Upstream,
    },
};

/// Opens a tunnel on a connection that has logged in. `None`: the CONNECT has to carry the login.
pub(crate) async fn tunnel(
    shared: &Shared,
    upstream: &Upstream,
    wish: &Wish,
    wire: Wire,
    deadline: Instant,
) -> Result<Option<Wire>, Failed> {
    match ask(upstream, wish, wire, deadline).await? {
        Bare::Open(wire) => return Ok(Some(wire)),
        Bare::Closed => return Ok(None),
        // It may keep the login for other requests, and not for these.
        Bare::Challenged if !upstream.pool.has_served() => {
            upstream.pool.learn(Keeps::No);
            return Ok(None);
        }
        Bare::Challenged => upstream.pool.doubt(),
    }
    let Some(wire) = spare(shared, upstream).await? else { return Ok(None) };
    match ask(upstream, wish, wire, deadline).await? {
        Bare::Open(wire) => Ok(Some(wire)),
        Bare::Closed => Ok(None),
        Bare::Challenged => {
            let refusal = failure::forbidden_to_user(&upstream.origin, &wish.target);
            Err(Failed::Request(refusal))
        }
    }
}

/// What comes of a CONNECT without a login, on a connection that has logged in.
enum Bare {
    Open(Wire),
    Challenged,
    /// Closed in the meantime; nothing is lost with a CONNECT that was not answered.
    Closed,
}

async fn ask(
    upstream: &Upstream,
    wish: &Wish,
    mut wire: Wire,
    deadline: Instant,
) -> Result<Bare, Failed> {
    let Wish { target, via, named: _ } = wish;
    match tunnel::ask(&mut wire, Connect::new(target), via, None, deadline).await {
        Ok(Step::Open { .. }) => {
            upstream.works();
            upstream.pool.serves();
            Ok(Bare::Open(wire))
        }
        Ok(Step::Refused { status, reason, retry_after: later }) => {
            upstream.works();
            upstream.pool.serves();
            let refusal = failure::refused(&upstream.origin, target, status, &reason, later);
            Err(Failed::Request(refusal))
        }
        Ok(Step::Challenge { .. }) => Ok(Bare::Challenged),
        Ok(Step::More | Step::LoggedIn { .. }) => {
            Err(Failed::Request(failure::bug("an answer without an end")))
        }
        Err(Error::Closed | Error::Reset | Error::Broken(_)) => Ok(Bare::Closed),
        Err(error) => Err(broken(upstream, &error)),
    }
}
