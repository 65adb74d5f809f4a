//! P20 and P24: the tunnel is open, and what comes through is not the server.

use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Kind},
        judge::say,
        leg::Leg,
        place::Place,
        probe::{Connect, Http, ReadFlaw, Tls, TlsFlaw},
    },
    page,
};

/// Returns what took the place of the handshake.
pub(super) fn replaced(leg: &Leg<'_>, tls: &Tls) -> Option<Finding> {
    let connect = leg.seen.connect.as_ref()?;
    let (place, host) = (leg.endpoint(), leg.host());
    let (finding, observed) = match &tls.flaw {
        Some(TlsFlaw::NotTls(bytes)) if page::is_page(bytes) || bytes.starts_with(b"<") => {
            let cause = format!(
                "{place} says 200 to CONNECT and then sends a page in place of {host}: somebody has to sign in first."
            );
            (say::about(leg, "P20", cause).run("gocred portal open"), say::words(bytes))
        }
        Some(_) if has_body(connect) => {
            let cause = format!(
                "{place} says 200 to CONNECT and sends a page with it, in place of {host}: somebody has to sign in first."
            );
            let finding = say::about(leg, "P20", cause).run("gocred portal open");
            (finding, "200 with a body".to_owned())
        }
        Some(TlsFlaw::Reset) => {
            let cause = format!(
                "The tunnel through {place} is reset during the handshake with {host}: a filter on the way (DLP, IPS) does not let it pass."
            );
            let finding = say::about(leg, "P24", cause).confidence(Confidence::Likely);
            (finding, "connection reset in the handshake".to_owned())
        }
        _ => return None,
    };
    let finding = finding.explains(&["T15", "T17", "T18", "T19"]);
    let place = Place::Endpoint(place);
    Some(finding.seen(Kind::Connect, place, observed, "a TLS handshake").took(tls.took))
}

/// Whether a 200 announces a body, which the answer to CONNECT never has (RFC 9110 §9.3.6).
fn has_body(connect: &Connect) -> bool {
    connect.fields.iter().any(|(name, value)| {
        (name == "content-length" && value != "0")
            || (name == "content-type" && value.contains("html"))
    })
}

/// Returns where an answer was cut, which a filter does that has read enough: the server itself would not.
pub(super) fn cut(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    leg.seen.connect.as_ref()?;
    let Some(ReadFlaw::Reset(bytes)) = http.flaw else { return None };
    let place = leg.endpoint();
    let cause = format!(
        "The tunnel through {place} was reset after {bytes} bytes of the answer of {}: a filter on the way (DLP, IPS) cut it.",
        leg.host()
    );
    let finding = say::about(leg, "P24", cause)
        .confidence(Confidence::Likely)
        .explains(&["H04", "H05", "G23"])
        .seen(Kind::Http, Place::Endpoint(place), "connection reset", "a whole answer")
        .took(http.took);
    Some(finding)
}
