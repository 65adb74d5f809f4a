//! How `login` itself reaches a host: as go would, and through the engine of the loopback proxy where
//! a corporate proxy is on the way, so that every login of such a proxy works here, too.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    broker,
    core::{
        config::{Config, Upstream},
        credential::UnixTime,
        fault::{Fault, Kind},
        noproxy,
        origin::Origin,
    },
    front::{Context, daemon, engine, login::upstream::is_loopback},
    net::probe::Route,
    proxy::{Callers, inside::Inside},
    sys::clock,
};

/// How an origin is reached.
pub(crate) struct Way {
    /// For the request.
    pub(crate) route: Route,
    /// The proxy on the way, as it may be shown.
    pub(crate) through: Option<String>,
    voice: Voice,
}

/// Who says why the way ends where it does.
enum Voice {
    /// The running loopback proxy, in what it has found since.
    Daemon(UnixTime),
    /// Our own engine, and what it has said last.
    Inside { _engine: Inside, said: Arc<Mutex<Option<String>>> },
    /// Nobody.
    None,
}

/// Returns the way to an origin: by `HTTPS_PROXY` and `NO_PROXY` of the environment, else by the
/// configuration.
pub(crate) fn to(origin: &Origin, context: &Context) -> Result<Way, Fault> {
    let env = &context.env;
    let (upper, lower) = if origin.scheme() == "http" {
        ("HTTP_PROXY", "http_proxy")
    } else {
        ("HTTPS_PROXY", "https_proxy")
    };
    let variable = env.text(upper).or_else(|| env.text(lower));
    let proxy = &context.config.proxy;
    let no_proxy = match variable {
        Some(_) => env.text("NO_PROXY").or_else(|| env.text("no_proxy")).unwrap_or_default(),
        None => &proxy.no_proxy,
    };
    let host = origin.host().trim_matches(['[', ']']);
    let default = if origin.scheme() == "http" { 80 } else { 443 };
    if noproxy::go(no_proxy, host, origin.port().unwrap_or(default)) {
        return Ok(Way::straight());
    }
    match variable {
        Some(url) => by_variable(url, context),
        None if proxy.upstream.is_empty() && proxy.pac.is_none() => Ok(Way::straight()),
        None => by_configuration(context),
    }
}

/// Goes through the proxy that a variable names. Our own logs in itself; one that holds an account is
/// used with that, as other tools do.
fn by_variable(url: &str, context: &Context) -> Result<Way, Fault> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let shown = Origin::from_url(url.trim_end_matches('/')).map(|(origin, _)| origin).ok();
    let upstream = Upstream::parse(url.trim_end_matches('/')).ok();
    match (upstream, &shown) {
        (Some(Upstream::Via(upstream)), _) if !is_ours(&upstream, context) => {
            let mut config = context.config.clone();
            config.proxy.upstream = vec![Upstream::Via(upstream.clone())];
            config.proxy.pac = None;
            config.proxy.no_proxy = String::new();
            Way::inside(config, Some(upstream.to_string()), context)
        }
        (Some(_) | None, shown) => {
            let through = shown.as_ref().map(ToString::to_string);
            Ok(Way { route: Route::Via(url), through, voice: Voice::None })
        }
    }
}

/// Whether it is the loopback proxy, by configuration or because it runs there.
fn is_ours(proxy: &Origin, context: &Context) -> bool {
    broker::is_our_listener(&context.config, proxy)
        || is_loopback(proxy) && daemon::place(context).is_some_and(|url| url == proxy.to_string())
}

/// Goes as the configuration says: through the loopback proxy that runs, else through its engine.
fn by_configuration(context: &Context) -> Result<Way, Fault> {
    match daemon::url(context) {
        Some(url) => Ok(Way {
            route: Route::Via(url),
            through: daemon::place(context),
            voice: Voice::Daemon(clock::now()),
        }),
        None => Way::inside(context.config.clone(), None, context),
    }
}

/// Returns the files whose certificate authorities are trusted for an origin, beside the system's.
pub(crate) fn authorities(origin: &Origin, context: &Context) -> Vec<PathBuf> {
    let own = context.config.host(origin).and_then(|host| host.ca.as_ref()).map(PathBuf::from);
    engine::roots(context).into_iter().chain(own).collect()
}

impl Way {
    fn straight() -> Self {
        Self { route: Route::Direct, through: None, voice: Voice::None }
    }

    fn inside(
        mut config: Config,
        through: Option<String>,
        context: &Context,
    ) -> Result<Self, Fault> {
        let broken = |error: std::io::Error| {
            Fault::new(Kind::Internal, "the engine of the loopback proxy does not start")
                .cause(error)
        };
        // It serves this command only, which may ask every host that the person names.
        config.proxy.allow = vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()];
        let vault = engine::keyring(context)?;
        let said = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&said);
        let voice = move |line: &str| {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.to_owned());
        };
        // Nobody else is to find it, and a uid does not tell two processes apart.
        let settings = engine::settings(config, Callers::Token, vault, voice, context)?;
        let engine = Inside::start(settings).map_err(broken)?;
        let route = Route::Via(engine.url().to_owned());
        Ok(Self { route, through, voice: Voice::Inside { _engine: engine, said } })
    }

    /// Returns what is known of why the host was not reached: `gocred[P02]: …; run: …`.
    pub(crate) fn said(&self, context: &Context) -> Option<String> {
        match &self.voice {
            Voice::Daemon(since) => daemon::last_finding(context, *since),
            Voice::Inside { _engine, said } => {
                said.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
            Voice::None => None,
        }
    }

    /// Whether it goes through a proxy on this machine that a variable names.
    pub(crate) fn is_loopback(&self) -> bool {
        let through = self.through.as_ref().and_then(|url| Origin::from_url(url).ok());
        through.is_some_and(|(origin, _)| is_loopback(&origin))
    }
}
