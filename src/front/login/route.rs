//! How `login` itself reaches a host: as go would, and with the proxy's password from the keyring.

use std::path::PathBuf;

use crate::{
    broker,
    core::{
        config::Upstream,
        credential::{Kind as Namespace, Proof, Query},
        noproxy,
        origin::Origin,
        secret::SecretString,
        target::Authority,
    },
    front::{Context, login::proxy::HARMLESS, ui},
    net::{
        connect::{self, Answer},
        probe::Route,
    },
    store::{
        Store,
        guard::{Attempt, Guard},
    },
    sys::clock,
};

/// Returns the route to an origin: `HTTPS_PROXY` and `NO_PROXY` of the environment, else the first
/// upstream of the configuration.
pub(super) fn to(origin: &Origin, store: &mut dyn Store, context: &Context) -> Way {
    let straight = Way { route: Route::Direct, login: None };
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
            None => return straight,
        },
    };
    let host = origin.host().trim_matches(['[', ']']);
    let default = if origin.scheme() == "http" { 80 } else { 443 };
    let port = origin.port().unwrap_or(default);
    if noproxy::go(direct, host, port) {
        return straight;
    }
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    // A proxy that opens no tunnel to port 80 asks for the login of another one all the same.
    let target = match origin.scheme() {
        "https" => format!("{}:{port}", origin.host()),
        _ => HARMLESS.to_owned(),
    };
    let login = login(&url, &target, store, context);
    let account = login.as_ref().map(|login| (login.user.clone(), login.password.clone()));
    Way { route: Route::Via { url, login: account }, login }
}

/// Returns the files whose certificate authorities are trusted for an origin, beside the system's.
pub(super) fn authorities(origin: &Origin, context: &Context) -> Vec<PathBuf> {
    let own = context.config.host(origin).and_then(|host| host.ca.as_ref()).map(PathBuf::from);
    let variables = ["SSL_CERT_FILE", "GIT_SSL_CAINFO"];
    variables.into_iter().filter_map(|name| context.env.path(name)).chain(own).collect()
}

fn upstream(context: &Context) -> Option<String> {
    match context.config.proxy.upstream.first()? {
        Upstream::Direct => None,
        Upstream::Via(origin) => Some(origin.to_string()),
    }
}

/// Returns the account for a proxy that asks for one by Basic, unless it was rejected before. A
/// keyring or proxy that does not answer is no reason to stop: what follows says it better.
fn login(url: &str, target: &str, store: &mut dyn Store, context: &Context) -> Option<Login> {
    let (upstream, _) = Origin::from_url(url.trim_end_matches('/')).ok()?;
    let records = store.find(&Query::origin(Namespace::Proxy, upstream.clone())).ok()?;
    let record = broker::choose(records, clock::now())?;
    let Proof::Password(password) = record.secrets.proof else { return None };
    let target = Authority::parse(target).ok()?;
    let Ok(Answer::Challenge { schemes, realm }) = connect::ask(&upstream, &target, None) else {
        return None;
    };
    let login = Login { upstream, realm, user: record.entry.key.user, password };
    let is_offered = schemes.iter().any(|scheme| scheme == "basic");
    let guard = Guard::open(&context.paths.state).ok()?;
    let is_rejected = guard.knows(&login.attempt(), store);
    if let Some(damage) = guard.damage() {
        ui::err(&format!("note: {damage}"));
    }
    (is_offered && !is_rejected).then_some(login)
}

/// The account at a proxy.
struct Login {
    upstream: Origin,
    realm: String,
    user: String,
    password: SecretString,
}

impl Login {
    fn attempt(&self) -> Attempt<'_> {
        let Self { upstream, realm, user, password } = self;
        Attempt { upstream, realm, user, password }
    }
}

/// How an origin is reached, and as whom.
pub(super) struct Way {
    /// For the request.
    pub(super) route: Route,
    login: Option<Login>,
}

impl Way {
    /// Remembers that the proxy rejected the account, so that nobody sends it again.
    pub(super) fn reject(&self, store: &mut dyn Store, context: &Context) {
        if let (Some(login), Ok(guard)) = (&self.login, Guard::open(&context.paths.state)) {
            guard.remember(&login.attempt(), store);
        }
    }
}
