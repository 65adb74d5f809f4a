//! Which corporate proxy `login --proxy` means, and its place in the configuration.

use crate::{
    core::{
        config::Upstream,
        fault::{Fault, Kind},
        origin::Origin,
        text::printable,
    },
    front::{
        self, Context,
        login::{configure, target},
        ui,
    },
};

/// Returns the proxy: as named, else as configured, else of `HTTPS_PROXY`.
pub(super) fn named(url: &str, context: &Context) -> Result<Origin, Fault> {
    if !url.is_empty() {
        return target::proxy(url);
    }
    let configured = context.config.proxy.upstream.iter().find_map(|upstream| match upstream {
        Upstream::Direct => None,
        Upstream::Via(origin) => Some(origin.clone()),
    });
    let env = &context.env;
    let variable = env.text("HTTPS_PROXY").or_else(|| env.text("https_proxy"));
    match (configured, variable) {
        (Some(origin), _) => Ok(origin),
        (None, Some(url)) => from_variable(url),
        (None, None) => Err(Fault::new(Kind::Usage, "which proxy? none is configured")
            .hint("run `gocred login --proxy http://HOST:PORT`")),
    }
}

/// Takes the host out of `HTTPS_PROXY`, which may hold a password.
fn from_variable(url: &str) -> Result<Origin, Fault> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host != authority {
        ui::err(
            "warning: HTTPS_PROXY holds an account in clear; after this login: `unset HTTPS_PROXY`",
        );
    }
    let origin = target::proxy(&format!("{scheme}://{host}"))?;
    if is_loopback(&origin) {
        return Err(Fault::new(
            Kind::Usage,
            "HTTPS_PROXY names a proxy on this machine, such as gocred",
        )
        .hint("run `gocred login --proxy http://HOST:PORT`"));
    }
    Ok(origin)
}

/// Whether it is a proxy on this machine, such as our own.
pub(super) fn is_loopback(proxy: &Origin) -> bool {
    proxy.host().starts_with("127.") || matches!(proxy.host(), "localhost" | "[::1]")
}

/// Refuses a proxy that the administrator's list has no room for. Which ones a script names is not
/// known here.
pub(super) fn refuse_foreign(origin: &Origin, context: &Context) -> Result<(), Fault> {
    let proxy = &context.config.proxy;
    let is_listed =
        proxy.upstream.iter().any(|one| matches!(one, Upstream::Via(one) if one == origin));
    if is_listed || proxy.pac.is_some() {
        return Ok(());
    }
    let what = format!("{} cannot be an upstream", origin.authority());
    front::refuse_locked(&what, &["proxy", "upstream"], context)
}

/// Names the proxy in the configuration where that names none; says what became of it.
pub(super) fn configured(origin: &Origin, context: &Context) -> Result<Option<String>, Fault> {
    let upstreams = &context.config.proxy.upstream;
    let config = printable(&context.paths.config.display().to_string());
    if upstreams.is_empty() {
        configure::upstream(origin, context)?;
        return Ok(Some(format!("added it as upstream to {config}")));
    }
    let is_other = !upstreams.iter().any(|one| matches!(one, Upstream::Via(one) if one == origin));
    Ok(is_other.then(|| {
        format!("`gocred proxy run` uses other proxies: add it to `[proxy] upstream` in {config}")
    }))
}

#[cfg(test)]
mod tests {
    use super::from_variable;

    #[test]
    fn our_own_loopback_is_no_upstream() {
        for text in ["http://127.0.0.1:7407", "localhost:1", "http://[::1]:7407"] {
            assert!(from_variable(text).is_err(), "{text}");
        }
    }
}
