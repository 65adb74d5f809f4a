//! The request that git sends after the references: a POST, which some on the way deny where they let a GET pass. An
//! empty one is sent; nothing is fetched.

use crate::core::doctor::{
    leg::Purpose,
    plan::follow::Ask,
    probe::{Exchange, Http, ReadFlaw, Trace},
    refs,
    route::Link,
};

/// Returns what git sends to a repository next, to the same server with the same login.
pub(super) fn after(ask: &Ask, exchange: &Exchange, http: Option<&Http>) -> Option<Ask> {
    let http = http.filter(|http| http.status == Some(200) && http.flaw.is_none())?;
    let is_smart = http.field("content-type").is_some_and(refs::is_advertisement);
    let (root, _) = exchange.link.path.split_once("/info/refs?")?;
    (ask.purpose == Purpose::Repository && is_smart).then(|| Ask {
        purpose: Purpose::Pack,
        link: Link {
            path: format!("{root}/git-upload-pack"),
            origin: exchange.link.origin.clone(),
        },
        userinfo: exchange.login.clone(),
        ..ask.clone()
    })
}

/// Whether something keeps the second request of git's from its server. What a server makes of an empty one by itself,
/// such as 400 or 500, is none of that.
pub(super) fn is_blocked(trace: &Trace) -> bool {
    match &trace.http {
        Some(http) => match http.status {
            Some(status) => matches!(status, 403 | 405 | 407 | 411 | 413 | 451 | 511),
            None => matches!(http.flaw, Some(ReadFlaw::Reset(_) | ReadFlaw::Closed(_))),
        },
        None => false,
    }
}
