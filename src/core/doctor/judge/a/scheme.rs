//! Which schemes of authentication an origin offers, where none of them is one that go and git send by
//! themselves (RFC 9110 §11.6.1).
//!
//! A list with Basic in it is nobody's trouble here, whatever else it holds.

use super::{answered, login_command, sent};
use crate::core::doctor::{
    finding::Finding,
    judge::say,
    leg::Leg,
    probe::Http,
    route::{Login, Scheme},
};

/// Returns what a 401's list of challenges explains.
pub(super) fn finding(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    let host = leg.origin_endpoint();
    if http.challenges.is_empty() {
        let reason = format!(
            "{host} answers 401 without saying which login it wants (no WWW-Authenticate): git does not even \
             ask its helpers then."
        );
        return Some(answered("A12", reason, leg, http).explains(NEXT).run(login_command(leg)));
    }
    let offered = say::schemes(&http.challenges);
    if offered.contains(&"Basic") || sent(leg, http).is_some_and(is_ready) {
        return None;
    }
    let list = offered.join(", ");
    let (code, reason) = if offered.contains(&"NTLM") {
        let reason =
            format!("{host} offers {list} only: a login of NTLM, which go does not speak.");
        ("A08", reason)
    } else if offered.contains(&"Negotiate") {
        ("A09", format!("{host} offers Negotiate (Kerberos) only, and go does not speak it."))
    } else if offered.contains(&"Bearer") {
        let reason = format!(
            "{host} offers Bearer only: a token in a header, not a user and a password, which is all that \
             netrc and most helpers give."
        );
        ("A10", reason)
    } else if offered.contains(&"Digest") {
        ("A11", format!("{host} offers Digest only, and go does not speak it."))
    } else {
        return None;
    };
    let finding = answered(code, reason, leg, http).explains(NEXT);
    Some(match code {
        "A09" => finding.run("kinit"),
        _ => finding.run(login_command(leg)),
    })
}

/// What a missing or useless login is called otherwise.
const NEXT: &[&str] = &["A01", "A02", "A03", "A14", "A15"];

/// Whether a login is a ready header: the helper or the person who wrote it has seen the list, and it is the
/// login that is wrong.
fn is_ready(login: &Login) -> bool {
    matches!(login.scheme, Scheme::Header(_))
}
