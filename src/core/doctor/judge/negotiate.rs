//! P08 and A09 where a login works and git does not send it: of several schemes libcurl takes Negotiate first, whose
//! ticket nobody has here, and tries no other one with the same login (libcurl's `pickoneauth`; git allows all, its
//! http.c `CURLAUTH_ANY`). go sends the login that it has.

use crate::core::{
    challenge::Challenge,
    doctor::{
        finding::{Confidence, Finding, Kind, Tool},
        judge::{Case, say},
        leg::{Leg, Why},
        machine::{Machine, What},
        place::Place,
        probe::Twist,
        route::{Login, Scheme, git_proxy},
    },
};

/// Returns what git meets at a proxy that took our Basic login.
pub(super) fn at_proxy(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let also = leg.also(Why::Twist(Twist::NoProxyLogin))?;
    let connect = also.seen.connect.as_ref().filter(|connect| connect.status == Some(407))?;
    let is_told = git_proxy::method(case.machine, &leg.asked.link.to_string()).is_some();
    if is_told || !is_taken_first(&connect.challenges) || has_ticket(case.machine) {
        return None;
    }
    let (place, offered) = (leg.endpoint(), names(&connect.challenges));
    let why = format!(
        "{place} offers {offered}, and git takes Negotiate of these, for which there is no Kerberos ticket here: it does not send the login that it has."
    );
    let finding = say::about(leg, "P08", why)
        .confidence(Confidence::Likely)
        .seen(Kind::Connect, Place::Endpoint(place), format!("407; offered: {offered}"), "Basic")
        .run("git config --global http.proxyAuthMethod basic");
    Some(finding)
}

/// Returns what git meets at an origin that took our login of netrc. What a helper says git sends later, when it has
/// given up Negotiate.
pub(super) fn at_origin(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let also = leg.also(Why::NoLogin)?;
    let http = also.seen.http.as_ref().filter(|http| http.status == Some(401))?;
    if !is_taken_first(&http.challenges) || has_ticket(case.machine) {
        return None;
    }
    let login = leg.asked.login.as_ref()?;
    let (place, offered) = (leg.origin_endpoint(), names(&http.challenges));
    let why = format!(
        "{place} offers {offered}, and git takes Negotiate of these, for which there is no Kerberos ticket here: the login of {} is not sent.",
        login.place
    );
    let finding = say::about(leg, "A09", why).confidence(Confidence::Likely);
    let finding = say::answered(finding, leg, http, format!("401; offered: {offered}"), "Basic");
    Some(finding.run(format!("gocred login {}", leg.origin_endpoint())))
}

/// Whether a login is asked for in several ways, Negotiate and Basic among them.
fn is_taken_first(challenges: &[Challenge]) -> bool {
    let has = |scheme: &str| challenges.iter().any(|challenge| challenge.is(scheme));
    has("negotiate") && has("basic")
}

fn names(challenges: &[Challenge]) -> String {
    let names: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
    names.join(", ")
}

/// Whether there may be a Kerberos ticket: the variable names a store, or the usual file is there.
fn has_ticket(machine: &Machine) -> bool {
    let usual = format!("/tmp/krb5cc_{}", machine.uid);
    machine.others.contains("KRB5CCNAME")
        || machine.stat(std::path::Path::new(&usual)).what != What::Missing
}

/// Whether git's own way to log in is to be looked at, though ours worked: at a proxy, at an origin.
pub(in crate::core::doctor) fn may_differ(leg: &Leg<'_>) -> (bool, bool) {
    let is_basic = |login: &Login| {
        let is_netrc = matches!(&login.place, Place::File(file, _) if file.ends_with(".netrc"));
        login.scheme == Scheme::Basic && is_netrc
    };
    let is_git = leg.tool == Tool::Git;
    let at_proxy = leg.proxy().is_some_and(|proxy| proxy.login.is_some());
    let at_origin = leg.asked.login.as_ref().is_some_and(is_basic);
    (is_git && at_proxy, is_git && at_origin)
}
