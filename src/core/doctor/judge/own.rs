//! What gocred itself says where it stands in between: its loopback proxy and its module proxy refuse with a code of
//! the catalogue (`Proxy-Status: gocred; …`, RFC 9209), and its store or a source fails in place of an answer to
//! git or go. That word is nearer to the cause than what a status usually means.

use std::net::{IpAddr, SocketAddr};

use crate::core::{
    doctor::{
        catalogue,
        finding::{Finding, Kind, Severity},
        judge::{Case, say},
        leg::{Failed, Leg, port},
        place::Place,
        plan::{goauth, helper},
    },
    setup::gitconfig::runs_gocred,
    text::printable,
};

/// Returns what gocred answered in place of a server.
pub(super) fn refusal(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let (fields, took) = match leg.failed()? {
        Failed::Connect(connect) => (&connect.fields, connect.took),
        Failed::Http(http) => (&http.fields, http.took),
        _ => return None,
    };
    let (host, port) = match leg.proxy() {
        Some(proxy) => (proxy.host.clone(), proxy.port),
        None => (leg.host().to_owned(), port(&leg.asked.link.origin)),
    };
    // Anybody can send that field; what answers on this machine is ours, or as near to it as makes no difference.
    if !is_here(&host, port, case) {
        return None;
    }
    let mut status = fields.iter().filter(|(name, _)| name == "proxy-status");
    let (_, said) = status.find(|(_, value)| value.starts_with("gocred;"))?;
    let (code, what, command) = word(said)?;
    let place = format!("{host}:{port}");
    let reason = format!("gocred, at {place}, says: {what}.");
    let mut finding = say::about(leg, code, reason)
        .severity(Severity::Error)
        .explains(&["K01", "K02", "E48"])
        .run("gocred proxy status");
    if let Some(command) = command {
        finding = finding.run(command);
    }
    Some(finding.seen(Kind::Connect, Place::Endpoint(place), what, "a tunnel").took(took))
}

/// Returns what keeps gocred from giving git or go the login that was wanted.
pub(super) fn withheld(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let Some(Failed::Http(http)) = leg.failed() else { return None };
    if !matches!(http.status, Some(401 | 403 | 404)) || http.has_login {
        return None;
    }
    let link = &leg.asked.link;
    let helpers = helper::all(case.machine, link);
    let asks = helpers.iter().any(|helper| runs_gocred(helper.value.value.raw()))
        || goauth::names_gocred(case.machine);
    let (code, what) = case.wallet.trouble(link).filter(|_| asks)?;
    // The store as a whole is the checks'.
    if case.machine.gocred.store_error.is_some() {
        return None;
    }
    let entry = catalogue::find(code)?;
    let what = printable(&what);
    let reason = format!("gocred has no login for {}: {what}.", link.origin.authority());
    let finding = say::about(leg, entry.code, reason)
        .severity(Severity::Error)
        .seen(Kind::Program, Place::Store("gocred"), what, "a login")
        .run("gocred status")
        .explains(&["A01", "A03", "A04", "A14", "G04", "H19", "H20", "H21", "M01", "M03", "M04"]);
    Some(finding)
}

/// Whether an address is one on which gocred listens, or may: a loopback address.
fn is_here(host: &str, port: u16, case: &Case<'_>) -> bool {
    let host = host.trim_matches(['[', ']']);
    let Ok(address) = host.parse::<IpAddr>() else { return host == "localhost" };
    let own = &case.machine.gocred;
    address.is_loopback() || own.listen.contains(&SocketAddr::new(address, port))
}

/// Reads `gocred; …; details="gocred[K11]: what; run: gocred x"`: the code, what happened, and a command of ours.
fn word(status: &str) -> Option<(&'static str, String, Option<String>)> {
    let (_, said) = status.split_once("details=\"gocred[")?;
    let (code, said) = said.split_once("]: ")?;
    let said = said.trim_end_matches('"');
    let (what, command) = match said.split_once("; run: ") {
        Some((what, command)) => (what, Some(command)),
        None => (said, None),
    };
    let is_ours = |command: &&str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " -._:/=@[]".contains(c);
        command.starts_with("gocred ") && command.chars().all(is_plain)
    };
    let code = catalogue::find(code)?.code;
    Some((code, printable(what), command.filter(is_ours).map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn the_word_of_gocred_is_read_and_nobody_elses_command() {
        let status = "gocred; error=proxy_loop_detected; details=\"gocred[K11]: it is itself\"";
        assert_eq!(word(status), Some(("K11", "it is itself".to_owned(), None)));
        let asks = "gocred; error=x; details=\"gocred[P01]: a login; run: gocred login --proxy http://p:1\"";
        let command = Some("gocred login --proxy http://p:1".to_owned());
        assert_eq!(word(asks), Some(("P01", "a login".to_owned(), command)));
        let bad = "gocred; details=\"gocred[P01]: a login; run: gocred x; rm -rf y\"";
        assert_eq!(word(bad), Some(("P01", "a login".to_owned(), None)));
        assert_eq!(word("gocred; details=\"gocred[Z99]: x\""), None);
        assert_eq!(word("squid; details=\"x\""), None);
    }
}
