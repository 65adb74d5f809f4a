//! How `login` itself reaches a host: as go would, and with the proxy's password from the keyring.

use std::path::PathBuf;

use crate::{
    broker,
    core::{
        config::Upstream,
        credential::{Kind as Namespace, Proof, Query},
        noproxy,
        origin::Origin,
    },
    front::Context,
    net::probe::Route,
    store::Store,
    sys::clock,
};

/// Returns the route to an origin: `HTTPS_PROXY` and `NO_PROXY` of the environment, else the first
/// upstream of the configuration.
pub(super) fn to(origin: &Origin, store: &mut dyn Store, context: &Context) -> Route {
    let env = &context.env;
    let (upper, lower) = if origin.scheme() == "http" {
        ("HTTP_PROXY", "http_proxy")
    } else {
        ("HTTPS_PROXY", "https_proxy")
    };
    let (url, direct) = match env.text(upper).or_else(|| env.text(lower)) {
        Some(url) => (
            url.to_owned(),
            env.text("NO_PROXY").or_else(|| env.text("no_proxy")).unwrap_or_default(),
        ),
        None => match upstream(context) {
            Some(url) => (url, context.config.proxy.no_proxy.as_str()),
            None => return Route::Direct,
        },
    };
    let host = origin.host().trim_matches(['[', ']']);
    let default = if origin.scheme() == "http" { 80 } else { 443 };
    let port = origin.port().unwrap_or(default);
    if noproxy::go(direct, host, port) {
        return Route::Direct;
    }
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    Route::Via { login: login(&url, store), url }
}

/// Returns the files whose certificate authorities are trusted for an origin, beside the system's.
pub(super) fn authorities(origin: &Origin, context: &Context) -> Vec<PathBuf> {
    let own = context.config.host(origin).and_then(|host| host.ca.as_ref()).map(PathBuf::from);
    context.env.path("GIT_SSL_CAINFO").into_iter().chain(own).collect()
}

fn upstream(context: &Context) -> Option<String> {
    match context.config.proxy.upstream.first()? {
        Upstream::Direct => None,
        Upstream::Via(origin) => Some(origin.to_string()),
    }
}

/// Returns the stored account of a proxy. A keyring that does not answer is no reason to stop: the
/// proxy's own answer is the better message.
fn login(url: &str, store: &mut dyn Store) -> Option<(String, crate::core::secret::SecretString)> {
    let (origin, _) = Origin::from_url(url.trim_end_matches('/')).ok()?;
    let records = store.find(&Query::origin(Namespace::Proxy, origin)).ok()?;
    let record = broker::choose(records, clock::now())?;
    match record.secrets.proof {
        Proof::Password(password) => Some((record.entry.key.user, password)),
        Proof::Encoded { .. } => None,
    }
}
