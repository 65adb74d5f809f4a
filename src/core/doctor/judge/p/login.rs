//! P01 to P09 and P33 to P35: a proxy that wants a login, or another one than it got.

use secrecy::ExposeSecret as _;

use crate::core::{
    challenge::Challenge,
    doctor::{
        finding::{Finding, Kind, Severity, Tool},
        judge::{Case, negotiate, say},
        leg::{Leg, Why},
        place::Place,
        plan::real_git,
        private::Private,
        probe::{Connect, Http, Seen, Twist},
        route::{Proxy, Via, git_proxy},
    },
    page,
};

/// A 407, of CONNECT or of a plain request.
pub(super) struct Refused<'a> {
    challenges: &'a [Challenge],
    has_login: bool,
    body: &'a [u8],
    took: u64,
    is_plain: bool,
}

impl<'a> Refused<'a> {
    /// The answer to CONNECT.
    pub(super) fn tunnel(leg: &Leg<'_>, connect: &'a Connect) -> Self {
        let Connect { challenges, has_login, body, took, .. } = connect;
        let is_plain = leg.asked.link.origin.scheme() == "http";
        Self { challenges, has_login: *has_login, body, took: *took, is_plain }
    }

    /// The answer to a plain request, which the proxy gave in place of the server.
    pub(super) fn request(proxy: &Proxy, http: &'a Http) -> Self {
        let Http { challenges, body, took, .. } = http;
        let has_login = proxy.login.is_some();
        Self { challenges, has_login, body, took: *took, is_plain: true }
    }

    fn has(&self, scheme: &str) -> bool {
        self.challenges.iter().any(|challenge| challenge.is(scheme))
    }

    fn has_only(&self, scheme: &str) -> bool {
        !self.challenges.is_empty() && self.challenges.iter().all(|challenge| challenge.is(scheme))
    }

    /// Returns the schemes as the proxy names them.
    fn offered(&self) -> String {
        let schemes: Vec<&str> =
            self.challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
        if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(", ") }
    }
}

/// Returns what a 407 says.
pub(super) fn finding(leg: &Leg<'_>, refused: &Refused<'_>, case: &Case<'_>) -> Finding {
    let finding = if let Some(value) = only_scheme(leg, refused, case) {
        unoffered(leg, refused, value)
    } else if refused.has("basic") && refused.has_login {
        rejected(leg, refused)
    } else if refused.has("basic") {
        missing(leg, refused, case)
    } else {
        spoken(leg, other_scheme(leg, refused), case)
    };
    let sent = if refused.has_login { "a login was sent" } else { "no login was sent" };
    let observed = format!("407, {sent}; offered: {}", refused.offered());
    let place = Place::Endpoint(leg.endpoint());
    finding.seen(Kind::Connect, place, observed, "200").took(refused.took)
}

/// git is told to use one scheme only, and what the proxy offers was seen without a login: what we sent is not
/// what git sends.
pub(super) fn pinned(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let asked = leg.also(Why::Twist(Twist::NoProxyLogin))?;
    let connect = asked.seen.connect.as_ref().filter(|connect| connect.status == Some(407))?;
    let refused = Refused { has_login: false, ..Refused::tunnel(leg, connect) };
    only_scheme(leg, &refused, case)
        .map(|_| finding(leg, &refused, case))
        .or_else(|| negotiate::at_proxy(leg, case))
}

/// Returns the setting that keeps git to one scheme, where the proxy does not offer that one.
fn only_scheme(leg: &Leg<'_>, refused: &Refused<'_>, case: &Case<'_>) -> Option<(Private, Place)> {
    git_proxy::method(case.machine, &leg.asked.link.to_string())
        .filter(|(method, _)| leg.tool == Tool::Git && !refused.has(method.raw()))
}

/// P09: git may use a scheme only that is not offered.
fn unoffered(leg: &Leg<'_>, refused: &Refused<'_>, (method, place): (Private, Place)) -> Finding {
    let offered = refused.offered();
    let cause = format!(
        "git is told to use {method} at proxies ({place}); {} offers {offered}.",
        leg.endpoint()
    );
    let (name, command) = match &place {
        Place::Variable(name) => (name.clone(), format!("unset {name}")),
        _ => (
            "http.proxyAuthMethod".to_owned(),
            "git config --global --unset-all http.proxyAuthMethod".to_owned(),
        ),
    };
    say::about(leg, "P09", cause)
        .seen(Kind::File, place, format!("{name} = {method}"), offered)
        .run(command)
        .explains(&["P01", "P02"])
}

/// P02, P33 to P35: the login was sent.
fn rejected(leg: &Leg<'_>, refused: &Refused<'_>) -> Finding {
    let (place, tool) = (leg.endpoint(), leg.tool.name());
    match page::why(refused.body) {
        Some(page::Why::Locked) => {
            let cause = format!(
                "{place} says that the account is locked. Each further attempt keeps it so."
            );
            say::about(leg, "P34", cause).explains(&["P02"])
        }
        Some(page::Why::Expired) => {
            say::about(leg, "P35", format!("{place} says that the password has expired."))
                .explains(&["P02"])
        }
        None if is_of_module(leg, refused) => {
            let cause = format!("{place} rejects the login that {tool} sends for {}.", leg.host());
            say::about(leg, "P33", cause).run(store(leg))
        }
        None => {
            let cause = format!(
                "{place} rejects the login that {tool} sends: the password is wrong or was changed."
            );
            say::about(leg, "P02", cause).run(store(leg))
        }
    }
}

/// P01 and P33: no login was sent.
fn missing(leg: &Leg<'_>, refused: &Refused<'_>, case: &Case<'_>) -> Finding {
    let has_own =
        leg.proxy().is_some_and(|proxy| case.wallet.proxy_login(&proxy.host, proxy.port).is_some());
    let own = if has_own { " gocred has one: its own proxy would send it." } else { "" };
    let code = if is_of_module(leg, refused) { "P33" } else { "P01" };
    let why = format!("{} wants a login, and {} sends none.{own}", leg.endpoint(), leg.tool.name());
    say::about(leg, code, why).run(if has_own {
        "gocred setup --proxy".to_owned()
    } else {
        store(leg)
    })
}

/// P01: git knows a user of the proxy, and asks for the password before anything else, also where the proxy wants
/// none (http.c `init_curl_proxy_auth`).
pub(super) fn unanswered(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let Via::Proxy(Proxy { login: Some(login), .. }) = &leg.route.via else { return None };
    let has_none = leg.proxy().is_some_and(|proxy| proxy.login.is_none());
    if leg.tool != Tool::Git || !has_none || !login.secret.expose_secret().is_empty() {
        return None;
    }
    let is_silent =
        case.machine.variable("GIT_TERMINAL_PROMPT").is_some_and(|value| value.raw() == "0");
    // go tells git to ask nobody.
    let is_alone = leg.module.is_some() || is_silent || !case.machine.has_terminal;
    let severity = if is_alone { Severity::Error } else { Severity::Warning };
    let why = format!(
        "git knows a user of the proxy {} and no password: it asks a person for it, before it asks anybody else.",
        leg.endpoint()
    );
    Some(say::about(leg, "P01", why).severity(severity).run(store(leg)))
}

/// P03 to P08: what it offers go does not speak, or it offers nothing.
fn other_scheme(leg: &Leg<'_>, refused: &Refused<'_>) -> Finding {
    let place = leg.endpoint();
    if refused.challenges.is_empty() {
        let cause = format!(
            "{place} wants a login and does not say which: its 407 has no Proxy-Authenticate."
        );
        say::about(leg, "P07", cause)
    } else if refused.has_only("ntlm") {
        let cause = format!(
            "{place} takes NTLM only, which go does not speak, and git only with a login in the URL."
        );
        say::about(leg, "P03", cause).run(store(leg))
    } else if refused.has_only("negotiate") {
        let cause = format!(
            "{place} takes Kerberos (Negotiate) only: there has to be a ticket, and a program that shows it."
        );
        say::about(leg, "P04", cause).run("klist || kinit")
    } else if refused.has_only("digest") {
        say::about(leg, "P05", format!("{place} takes Digest only, which go does not speak."))
            .run(store(leg))
    } else if refused.has_only("bearer") {
        let cause =
            format!("{place} takes Bearer tokens only: a device agent has to provide them.");
        say::about(leg, "P06", cause)
    } else {
        let cause = format!("{place} offers {}; go speaks none of them.", refused.offered());
        say::about(leg, "P08", cause).run(store(leg))
    }
}

/// git's own attempt went well: what go does not speak is no matter of git's.
fn spoken(leg: &Leg<'_>, finding: Finding, case: &Case<'_>) -> Finding {
    let Some(probe) = real_git::probe(leg, case.machine) else { return finding };
    match case.answers.get(&probe.key()) {
        Some((_, Seen::Program(ran))) if real_git::is_through(ran) => {
            let mut finding = finding.severity(Severity::Info);
            finding.affects = [Tool::Go].into();
            finding
        }
        _ => finding,
    }
}

/// Whether go asked for a module in clear: no tunnel, the proxy answers each request itself.
fn is_of_module(leg: &Leg<'_>, refused: &Refused<'_>) -> bool {
    refused.is_plain && leg.purpose.is_module()
}

/// Returns the command that stores another login.
pub(super) fn store(leg: &Leg<'_>) -> String {
    format!("gocred login --proxy http://{}", leg.endpoint())
}
