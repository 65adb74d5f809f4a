//! Whether a login is known for the proxy and for the host, and where it would come from. What kind of login
//! somebody wants is not known without asking: that is the doctor's part.

use super::{Kept, Signs, leads_to_gocred, proxy};
use crate::core::{
    doctor::{
        finding::Tool,
        machine::Machine,
        plan::goauth,
        route::{Route, Via},
    },
    origin::Origin,
};

/// Weighs them.
pub(super) fn weigh(route: &Route, machine: &Machine, kept: &Kept, signs: &mut Signs) {
    at_proxy(route, machine, kept, signs);
    at_host(route, machine, kept, signs);
    by_command(route, machine, signs);
}

/// 407.
fn at_proxy(route: &Route, machine: &Machine, kept: &Kept, signs: &mut Signs) {
    let Some(proxy) = proxy(route) else { return };
    let is_kept =
        kept.proxies.iter().any(|own| own.host() == proxy.host && port(own) == proxy.port);
    if proxy.login.is_some() || is_kept || leads_to_gocred(route, machine) {
        // It knows a login, so that the proxy did not take it, or wants another kind.
        signs.add(-40, &["P01"]);
        signs.add(12, &["P02", "P34", "P35"]);
        // An account of a Windows domain: such a proxy asks for NTLM.
        let is_domains = proxy.login.as_ref().is_some_and(|it| it.user.contains('\\'));
        signs.add(if is_domains { 20 } else { 0 }, &["P03"]);
    } else {
        signs.add(20, &["P01"]);
        signs.add(-40, &["P02", "P34", "P35"]);
        // Somebody who never logs in there does so by the domain's own ways.
        signs.add(6, &["P03", "P04"]);
    }
    if route.tool == Tool::Git && machine.git_value("http.proxyauthmethod").is_some() {
        signs.add(30, &["P09"]);
    }
    if machine.others.contains("KRB5CCNAME") {
        signs.add(8, &["P04", "P37", "P39", "A09"]);
    }
}

/// 401, and git's question for a user name.
fn at_host(route: &Route, machine: &Machine, kept: &Kept, signs: &mut Signs) {
    let origin = &route.link.origin;
    let is_kept = kept.hosts.contains(origin);
    // gocred never gives a login to another port.
    let is_near = !is_kept && kept.hosts.iter().any(|own| own.host() == origin.host());
    let has_helper = machine.git_config.iter().any(|entry| {
        entry.key.starts_with("credential.")
            && entry.key.ends_with("helper")
            && !entry.value.raw().is_empty()
    });
    if is_near && route.login.is_none() {
        signs.add(30, &["A33"]);
    }
    if route.login.is_some() {
        signs.add(-40, &["A01", "A14", "A03"]);
        signs.add(12, &["A02", "A07", "A15", "A10"]);
        signs.add(8, &["A05", "A06", "G07", "A31"]);
    } else if is_kept || has_helper {
        signs.add(6, &["A02", "A05", "A06", "A15", "A32"]);
    } else {
        signs.add(12, &["A01", "A03", "A14"]);
        // Nothing that could be wrong, old or without a right is sent.
        signs.add(-24, &["A02", "A07", "A15", "A31", "A32", "A05", "A06", "G07"]);
        // A scheme that needs no stored login is answered without one, or not at all.
        signs.add(2, &["A08", "A09"]);
    }
}

/// GOAUTH: its commands give the login, and go is silent about what they print.
fn by_command(route: &Route, machine: &Machine, signs: &mut Signs) {
    let (commands, _) = goauth::commands(machine);
    let has_program = commands.iter().any(|it| matches!(it, goauth::Command::Program(_)));
    if has_program && !matches!(route.via, Via::Broken { .. }) {
        signs.add(20, &["A20", "A21", "A22"]);
    } else {
        signs.add(-20, &["A20", "A21", "A22"]);
    }
}

fn port(origin: &Origin) -> u16 {
    let default = if origin.scheme() == "https" { 443 } else { 80 };
    origin.port().unwrap_or(default)
}
