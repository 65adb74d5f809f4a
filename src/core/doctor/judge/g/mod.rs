//! Git, go-import and what a repository answers.
//!
//! Portals and login pages in place of an answer are `h`'s, which knows them by more than that they are
//! pages; what files show by themselves (helpers, insteadOf, protocol.allow) is the checks'.

mod import;
mod repository;
mod revision;

pub(super) use import::nested;

use crate::core::doctor::{
    finding::{Finding, Kind},
    judge::{Case, say},
    leg::{Failed, Leg, Purpose},
    place::Place,
    probe::Http,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    let finding = match leg.purpose {
        Purpose::Meta => import::page(leg, case),
        Purpose::Repository => import::clear(leg, case).or_else(|| repository::finding(leg, case)),
        Purpose::Ssh => ssh(leg, case),
        Purpose::Info | Purpose::Latest | Purpose::List | Purpose::Mod | Purpose::Zip => {
            import::proxy(leg, case)
        }
        Purpose::Plain | Purpose::SumdbLookup | Purpose::SumdbSupported => None,
    };
    finding.into_iter().collect()
}

/// Starts a finding with what was answered, without anything of the body: a server may repeat in it what it
/// was sent.
pub(super) fn answered(code: &'static str, cause: String, leg: &Leg<'_>, http: &Http) -> Finding {
    let mut observed = match (http.status, &http.flaw) {
        (Some(status), None) => status.to_string(),
        (Some(status), Some(flaw)) => format!("{status}, {}", say::flaw(flaw)),
        (None, _) => "no status".to_owned(),
    };
    match leg.asked.login.as_ref().filter(|_| http.has_login) {
        Some(login) => observed.push_str(&format!(" with the login of {}", login.place)),
        None => observed.push_str(" without a login"),
    }
    let known = ["Basic", "Bearer", "Digest", "Negotiate", "NTLM"];
    let offered: Vec<&str> = known
        .into_iter()
        .filter(|name| http.challenges.iter().any(|challenge| challenge.is(name)))
        .collect();
    if !offered.is_empty() {
        observed.push_str(&format!("; it asks for {}", offered.join(", ")));
    }
    say::seen(say::about(leg, code, cause), Kind::Http, leg.url(), observed, "200", http.took)
}

/// Returns the host that redirected here, where it is another one.
pub(super) fn other_host(leg: &Leg<'_>) -> Option<String> {
    let (from, _) = leg.earlier.iter().rev().find(|(exchange, trace)| {
        let is_redirect = trace.http.as_ref().and_then(|http| http.field("location")).is_some();
        is_redirect && exchange.link.origin.host() != leg.host()
    })?;
    Some(from.link.origin.authority())
}

/// ssh that is not there, though something led git to it.
fn ssh(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let is_ssh = leg.banner.is_some_and(|banner| banner.starts_with(b"SSH-"));
    let is_down = matches!(leg.failed(), Some(Failed::Names(_) | Failed::Tcp(_)));
    if is_ssh || !(is_down || leg.banner.is_some()) {
        return None;
    }
    let endpoint = leg.endpoint();
    let observed = if is_down { "no connection" } else { "no SSH banner" };
    let seen = |code, cause| {
        say::about(leg, code, cause)
            .seen(Kind::Tcp, Place::Endpoint(endpoint.clone()), observed, "SSH-2.0-…")
            .explains(NETWORK)
    };
    if let Some(place) = &leg.route.rewritten {
        let cause =
            format!("{place} makes git use ssh ({endpoint}), which cannot be reached from here.");
        return Some(seen("G08", cause).seen(
            Kind::File,
            place.clone(),
            "insteadOf to ssh",
            "https",
        ));
    }
    let (page, import) = import::of(leg, case)?;
    if !["ssh://", "git+ssh://", "ssh+git://"].iter().any(|scheme| import.root.starts_with(scheme))
    {
        return None;
    }
    let host = leg.host();
    let cause = format!(
        "the go-import tag of {} names ssh ({endpoint}) as the repository's way, which cannot be reached from \
         here.",
        page.url()
    );
    let command = format!("git config --global url.https://{host}/.insteadOf ssh://git@{host}/");
    Some(seen("G14", cause).run(command))
}

/// What a way that nobody meant fails by.
const NETWORK: &[&str] = &["D01", "D02", "N01", "N02", "N03", "N04", "N05", "N08"];
