//! D16: the proxy looks for a name that it cannot find.

use crate::core::{
    doctor::{
        catalogue::entry,
        finding::{Confidence, Finding, Kind, Tool},
        leg::Leg,
        place::Place,
        shell::quoted,
    },
    text::{printable, start},
};

/// So much of a proxy's words is repeated, in bytes.
const MOST: usize = 80;

/// Returns what a leg through a proxy shows.
pub(super) fn finding(leg: &Leg<'_>) -> Option<Finding> {
    let connect =
        leg.seen.connect.as_ref().filter(|connect| connect.status.is_some_and(|it| it >= 500))?;
    let says = connect.field("x-squid-error").filter(|value| value.contains("DNS_FAIL"));
    let page = String::from_utf8_lossy(&connect.body).to_ascii_lowercase();
    let in_page = [
        "unable to determine ip address",
        "dns_fail",
        "name resolution",
        "host not found",
        "dns lookup failed",
    ]
    .iter()
    .any(|words| page.contains(words));
    let is_unknown = leg.origin_names.is_some_and(|names| names.system.is_err());
    // A 5xx alone may mean anything; that nobody here knows the name either makes it likely.
    let confidence = match (says.is_some() || in_page, is_unknown) {
        (true, _) => Confidence::Certain,
        (false, true) => Confidence::Likely,
        (false, false) => return None,
    };
    let (host, proxy) = (leg.host(), leg.endpoint());
    let status = connect.status.unwrap_or_default();
    let observed = match says {
        Some(value) => format!("{status}, X-Squid-Error: {}", printable(start(value, MOST))),
        None => format!("{status} {}", printable(start(&connect.reason, MOST))),
    };
    let advice =
        if is_unknown { "" } else { " This machine can: an exception (NO_PROXY) may help." };
    let finding = Finding::new(
        entry("D16"),
        format!("The proxy {proxy} cannot find an address of {host}.{advice}"),
    )
    .confidence(confidence)
    .seen(Kind::Connect, Place::Endpoint(proxy.clone()), observed, "200")
    .took(connect.took)
    .affects(&leg.affects())
    .reproduce(format!("curl -sSv -o /dev/null -x http://{proxy} {}", quoted(&leg.url())))
    .explains(&["P12", "P13", "P14", "P15", "H15", "H16", "H17", "H18"]);
    Some(match leg.tool {
        _ if is_unknown => finding.run(format!("getent hosts {host}")),
        Tool::Git => finding.run(format!("git config --global http.https://{host}.proxy ''")),
        _ => finding.run(format!("export NO_PROXY=\"${{NO_PROXY:+$NO_PROXY,}}{host}\" no_proxy=\"${{no_proxy:+$no_proxy,}}{host}\"")),
    })
}
