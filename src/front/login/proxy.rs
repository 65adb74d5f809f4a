//! `gocred login --proxy`: the account at the corporate forward proxy.
//!
//! A wrong password is tried once: the domain behind the proxy counts.

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    cli::Login,
    core::{
        config::Upstream,
        credential::{Key, Kind as Namespace, Query},
        fault::{Fault, Kind},
        origin::Origin,
        secret::{ExposeSecret, SecretString},
        target::Authority,
        text::printable,
    },
    front::{
        self, Context, Outcome, keyring,
        login::{
            account, configure, keep,
            report::{Form, Report},
            survey::{Checked, is_loopback},
            target, token,
        },
        ui,
    },
    net::connect::{self, Answer},
    store::{Store, guard},
};

/// A host that every corporate proxy lets through, where no better one is known.
pub(super) const HARMLESS: &str = "proxy.golang.org:443";

/// Signs in. `url` is empty for the configured proxy.
pub(super) fn run(url: &str, arguments: &Login, context: &Context) -> Outcome {
    let origin = upstream(url, context)?;
    refuse_foreign(&origin, context)?;
    let place = origin.authority();
    let mut store = keyring::open(context);
    keyring::prove(&mut *store)?;
    let target = harmless(&mut *store)?;
    let without = match &target {
        // The question goes over clear text, where a TLS or SOCKS proxy would not understand it.
        Some(target) if !arguments.no_verify && origin.scheme() == "http" => {
            let answer = connect::ask(&origin, target, None);
            Some(serving(&origin, answer.map_err(|error| unreachable(&origin, &error))?)?)
        }
        Some(_) | None => None,
    };
    if !arguments.json && origin.scheme() == "http" {
        ui::err(&format!(
            "warning: {place} is asked over clear text: who can read the network on the way reads the \
             password; signing in permits that for this proxy"
        ));
    }
    let user = account(arguments.username.as_deref(), None, &place, context)?;
    let from = if arguments.with_token { token::From::Stdin } else { token::From::Terminal };
    let asked = format!("Password of {} at the proxy {place}: ", printable(&user));
    let secret = token::read(from, &asked, context)?;
    let checked = match (&target, without) {
        (Some(target), Some(without)) => {
            let login = Attempt { origin: &origin, target, user: &user, secret: &secret };
            Some(check(&login, &without)?)
        }
        (_, _) => None,
    };
    if let Some(Checked::Rejected(_)) = &checked {
        let user = printable(&user);
        return Err(Fault::new(
            Kind::Rejected,
            format!("the proxy {place} rejected the password of {user}; it was not stored"),
        )
        .cause("407 without it and with it")
        .hint(format!(
            "it was tried once; run `gocred login --proxy {origin} --username {}`",
            ui::word(&user)
        )));
    }
    let key = Key { kind: Namespace::Proxy, origin: origin.clone(), path: None, user };
    let saved = keep(&mut *store, &key, &secret, context)?;
    // A login is the user's word that the secret may be tried again.
    if let Some(damage) = guard::forget(&context.paths.state, &origin).map_err(keyring::fault)? {
        ui::err(&format!("note: {damage}"));
    }
    // The secret is stored by now: what happens to the configuration is told after that.
    let (mut notes, failed) = match configured(&origin, context) {
        Ok(note) => (Vec::from_iter(note), None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    notes.push(
        "`gocred proxy run` serves it on loopback; `eval \"$(gocred env)\"` sends tools there"
            .into(),
    );
    let form = if arguments.json { Form::Json } else { Form::Words };
    let report = Report { key: &key, store: store.name(), saved, checked, setup: None, notes };
    report.begin(form);
    let answer = report.end(form)?;
    failed.map_or(Ok(answer), Err)
}

/// Names the proxy in the configuration where that names none; says what became of it.
fn configured(origin: &Origin, context: &Context) -> Result<Option<String>, Fault> {
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

/// Refuses a proxy that the administrator's list has no room for. Which ones a script names is not
/// known here.
fn refuse_foreign(origin: &Origin, context: &Context) -> Result<(), Fault> {
    let proxy = &context.config.proxy;
    let is_listed =
        proxy.upstream.iter().any(|one| matches!(one, Upstream::Via(one) if one == origin));
    if is_listed || proxy.pac.is_some() {
        return Ok(());
    }
    let what = format!("{} cannot be an upstream", origin.authority());
    front::refuse_locked(&what, &["proxy", "upstream"], context)
}

/// Passes the answer of a forward proxy on. A server that does not know CONNECT, or takes it for a
/// page, is none: it gets no password, and is not configured as upstream.
fn serving(origin: &Origin, answer: Answer) -> Result<Answer, Fault> {
    match answer {
        Answer::Refused(status @ (400 | 404 | 405 | 501)) => Err(Fault::new(
            Kind::Network,
            format!("{} is a server, but no forward proxy; nothing was stored", origin.authority()),
        )
        .cause(format!("it answers {status} to CONNECT"))
        .hint(
            "look up the proxy's host and port, and run `gocred login --proxy http://HOST:PORT`",
        )),
        Answer::Challenge { .. } | Answer::Open | Answer::Refused(_) => Ok(answer),
    }
}

/// What is sent once.
struct Attempt<'a> {
    origin: &'a Origin,
    target: &'a Authority,
    user: &'a str,
    secret: &'a SecretString,
}

fn check(login: &Attempt<'_>, without: &Answer) -> Result<Checked, Fault> {
    let schemes = match without {
        Answer::Challenge { schemes, realm: _ } => schemes,
        Answer::Open => {
            return Ok(Checked::Undecidable("the proxy serves everybody, without a login".into()));
        }
        Answer::Refused(status) => {
            return Ok(Checked::Undecidable(format!(
                "the proxy answers {status} for {} before it asks for a login",
                login.target
            )));
        }
    };
    if !schemes.iter().any(|scheme| scheme == "basic") {
        return Ok(Checked::Undecidable(format!(
            "the proxy offers {}, and this gocred speaks Basic",
            printable(&schemes.join(", "))
        )));
    }
    let pair = format!("{}:{}", login.user, login.secret.expose_secret());
    let pair = SecretString::from(pair);
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair.expose_secret()));
    let undecidable = |what: &str| {
        let target = login.target;
        Checked::Undecidable(format!(
            "the proxy answers 407 without the password, and {what} for {target} with it"
        ))
    };
    Ok(match connect::ask(login.origin, login.target, Some(&value.into())) {
        Ok(Answer::Challenge { .. }) => Checked::Rejected(login.origin.to_string()),
        Ok(Answer::Open) => Checked::Accepted,
        Ok(Answer::Refused(status)) => undecidable(&status.to_string()),
        // It refuses at once without a password: it may well be dialling by now.
        Err(connect::Error::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
            undecidable("nothing in time")
        }
        Err(error) => return Err(unreachable(login.origin, &error)),
    })
}

fn unreachable(origin: &Origin, error: &connect::Error) -> Fault {
    Fault::new(Kind::Network, format!("the proxy {} cannot be asked", origin.authority()))
        .cause(printable(&error.to_string()))
        .hint("store it unseen with `--no-verify`")
}

/// Returns the proxy: as named, else as configured, else of `HTTPS_PROXY`.
fn upstream(url: &str, context: &Context) -> Result<Origin, Fault> {
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

/// Returns what the tunnel is asked for: a host that the person uses anyway.
fn harmless(store: &mut dyn Store) -> Result<Option<Authority>, Fault> {
    let entries = store.list(&Query::all(Namespace::Git)).map_err(keyring::fault)?;
    let newest = entries
        .into_iter()
        .filter(|entry| entry.key.origin.scheme() == "https")
        .max_by_key(|entry| entry.stored)
        .map(|entry| entry.key.origin);
    let known = newest.map(|origin| format!("{}:{}", origin.host(), origin.port().unwrap_or(443)));
    Ok(Authority::parse(known.as_deref().unwrap_or(HARMLESS)).ok())
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
