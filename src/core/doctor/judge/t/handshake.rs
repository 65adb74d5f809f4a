//! Handshakes that do not come to an end.

use crate::core::doctor::{
    catalogue::entry,
    finding::{Confidence, Finding, Kind, Tool},
    judge::say,
    leg::{Leg, Why},
    place::Place,
    probe::{Http, ReadFlaw, Tls, TlsFlaw, Twist},
};

/// RFC 8446 §6: the alerts that say what is wrong.
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const INSUFFICIENT_SECURITY: u8 = 71;
const UNRECOGNIZED_NAME: u8 = 112;
const CERTIFICATE_REQUIRED: u8 = 116;

/// Returns what a handshake that failed means.
pub(super) fn finding(leg: &Leg<'_>, tls: &Tls, flaw: &TlsFlaw) -> Option<Finding> {
    if tls.asks_for_certificate || *flaw == TlsFlaw::Alert(CERTIFICATE_REQUIRED) {
        return Some(client_certificate(leg, &say::handshake(flaw)));
    }
    // Inside a tunnel the proxy may be who said it: `p` judges.
    if leg.proxy().is_some() && matches!(flaw, TlsFlaw::NotTls(_) | TlsFlaw::Reset) {
        return None;
    }
    if let TlsFlaw::NotTls(bytes) = flaw {
        return Some(not_tls(leg, bytes));
    }
    let speaks = |twist| {
        leg.also(Why::Twist(twist))
            .and_then(|also| also.seen.tls.as_ref())
            .filter(|tls| tls.flaw.is_none() && !tls.version.is_empty())
    };
    if let Some(version) = speaks(Twist::OldTls).map(|tls| tls.version.as_str())
        && ["TLSv1.0", "TLSv1.1", "TLSv1"].contains(&version)
    {
        return Some(old(leg, version));
    }
    if matches!(flaw, TlsFlaw::Old | TlsFlaw::Alert(PROTOCOL_VERSION)) {
        return Some(old(leg, "an older version of TLS"));
    }
    if *flaw == TlsFlaw::Alert(UNRECOGNIZED_NAME) || speaks(Twist::OtherName).is_some() {
        return Some(name(leg, flaw));
    }
    let (code, cause) = cut(leg.host(), flaw)?;
    let finding = base(leg, code, cause, &say::handshake(flaw), "a handshake").took(tls.took);
    let is_sure = !matches!(flaw, TlsFlaw::Other(_));
    Some(if is_sure { finding } else { finding.confidence(Confidence::Possible) })
}

/// T16 to T19: it ends, or nothing comes, and no other way to ask tells more.
fn cut(host: &str, flaw: &TlsFlaw) -> Option<(&'static str, String)> {
    Some(match flaw {
        TlsFlaw::Alert(number @ (HANDSHAKE_FAILURE | INSUFFICIENT_SECURITY)) => (
            "T16",
            format!(
                "{host} shares no cipher or curve with today's clients: it ends the handshake with alert {number}."
            ),
        ),
        TlsFlaw::Alert(number) => {
            ("T16", format!("{host} ends the handshake with alert {number}."))
        }
        TlsFlaw::Closed => (
            "T17",
            format!(
                "The connection to {host} is closed as soon as TLS begins: a filter on the way does not let \
                 TLS to this host pass, or the server is broken."
            ),
        ),
        TlsFlaw::Reset => (
            "T18",
            format!(
                "TCP to {host} works, but the connection is reset as soon as TLS begins: a firewall that \
                 reads the server's name cuts it. Such a network usually wants its proxy to be used."
            ),
        ),
        TlsFlaw::Silent => (
            "T19",
            format!(
                "{host} accepts the connection and does not answer the handshake: something on the way \
                 swallows it, or the server is overloaded."
            ),
        ),
        TlsFlaw::Other(error) => ("T16", format!("The handshake with {host} fails: {error}.")),
        TlsFlaw::Old | TlsFlaw::NotTls(_) => return None,
    })
}

/// Returns what an answer means that a server gives to who has no certificate: TLS 1.3 asks for it after
/// the handshake, and nginx answers over HTTP.
pub(super) fn late(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    leg.seen.tls.as_ref().filter(|tls| tls.asks_for_certificate)?;
    let told = match (&http.flaw, http.status) {
        (Some(ReadFlaw::Closed(0) | ReadFlaw::Reset(0)), _) => "it ends the session".to_owned(),
        (_, Some(status @ (400 | 401 | 403 | 495 | 496))) => format!("status {status}"),
        _ => return None,
    };
    Some(
        client_certificate(leg, &told).explains(&["H05", "H24", "H19", "H20", "A01", "A03", "M03"]),
    )
}

fn client_certificate(leg: &Leg<'_>, told: &str) -> Finding {
    let host = leg.host();
    let cause = format!("{host} asks for a client certificate, and none is configured for it.");
    let command = format!(
        "git config --global http.https://{}/.sslCert ~/client.pem",
        leg.origin_endpoint().trim_end_matches(":443")
    );
    let mut finding = base(leg, "T13", cause, told, "a session without a client certificate")
        .explains(&["T17", "T18", "T16", "H05"]);
    finding.fix.text = format!(
        "get a client certificate for {host} and name it to git, with its key (http.sslKey); go cannot \
         show one: use the company's module proxy for modules of {host}"
    );
    finding.run(command)
}

fn not_tls(leg: &Leg<'_>, bytes: &[u8]) -> Finding {
    let (host, endpoint) = (leg.host(), leg.origin_endpoint());
    let start: String = String::from_utf8_lossy(bytes)
        .chars()
        .take_while(|letter| !letter.is_control())
        .take(40)
        .collect();
    let is_http = bytes.starts_with(b"HTTP/");
    let what = if is_http { "plain HTTP" } else { "no TLS" };
    let cause = format!("{endpoint} speaks {what}: the URL says https, the server does not.");
    let finding = base(leg, "T15", cause, &format!("`{start}`"), "a TLS record");
    let finding = if is_http {
        finding.reproduce(format!("curl -v http://{endpoint}/"))
    } else {
        finding.reproduce(format!("nc {} {}", host, endpoint.rsplit(':').next().unwrap_or("443")))
    };
    finding.confidence(if is_http { Confidence::Certain } else { Confidence::Likely })
}

fn old(leg: &Leg<'_>, version: &str) -> Finding {
    let host = leg.host();
    let cause = format!(
        "{host} speaks nothing newer than {version}. go refuses it, as do current TLS libraries; a git that \
         is built with an older one may still take it."
    );
    let finding = base(leg, "T12", cause, version, "TLS 1.2 or newer")
        .reproduce(format!("curl -v --tls-max 1.1 --tlsv1.0 https://{}/", leg.origin_endpoint()));
    // What the tool itself would take is not known; where go asks, it is.
    let finding = finding.affects(&[Tool::Go]);
    if leg.tool == Tool::Go { finding } else { finding.confidence(Confidence::Likely) }
}

fn name(leg: &Leg<'_>, flaw: &TlsFlaw) -> Finding {
    let host = leg.host();
    let cause = format!(
        "The handshake is refused because of the name {host}, and with another name it goes on: the server \
         does not know this name, or a filter on the way forbids it."
    );
    base(leg, "T14", cause, &say::handshake(flaw), "a handshake for this name")
}

/// Starts a finding about a handshake.
pub(super) fn base(
    leg: &Leg<'_>,
    code: &'static str,
    cause: String,
    observed: &str,
    expected: &str,
) -> Finding {
    let place = Place::Endpoint(leg.origin_endpoint());
    Finding::new(entry(code), cause)
        .affects(&leg.affects())
        .seen(Kind::Tls, place, observed, expected)
        .reproduce(super::openssl(leg))
}
