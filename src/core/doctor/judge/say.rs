//! The sentences and commands that several letters share.

use crate::core::{
    challenge::Challenge,
    doctor::{
        catalogue::entry,
        finding::{Finding, Kind},
        leg::{Leg, Purpose},
        place::Place,
        probe::{CertificateFlaw, Http, ReadFlaw, Tls, TlsFlaw},
        shell::quoted,
    },
    text,
};

/// So much of a server's words is repeated, in bytes.
const MOST: usize = 160;

/// Starts a finding about a leg.
pub(super) fn about(leg: &Leg<'_>, code: &'static str, cause: impl Into<String>) -> Finding {
    Finding::new(entry(code), cause).affects(&leg.affects()).reproduce(command(leg))
}

/// Adds what was answered at the URL that was asked.
pub(super) fn answered(
    finding: Finding,
    leg: &Leg<'_>,
    http: &Http,
    observed: impl Into<String>,
    expected: impl Into<String>,
) -> Finding {
    finding.seen(Kind::Http, Place::Endpoint(leg.url()), observed, expected).took(http.took)
}

/// Returns the plain command that shows the same.
pub(super) fn command(leg: &Leg<'_>) -> String {
    let url = leg.url();
    match leg.purpose {
        Purpose::Repository => {
            let repository = quoted(url.split("/info/refs?").next().unwrap_or_default());
            format!("GIT_CURL_VERBOSE=1 GIT_TERMINAL_PROMPT=0 git ls-remote {repository}")
        }
        Purpose::Ssh => {
            format!("ssh -vT -p {} {}", super::super::leg::port(&leg.asked.link.origin), leg.host())
        }
        _ => match leg.proxy() {
            Some(proxy) => {
                format!(
                    "curl -sSv -o /dev/null -x {}://{}:{} {}",
                    proxy.scheme,
                    proxy.host,
                    proxy.port,
                    quoted(&url)
                )
            }
            None => format!("curl -sSv -o /dev/null --noproxy '*' {}", quoted(&url)),
        },
    }
}

/// Returns a status with its reason, as it came: `403 Forbidden`.
pub(super) fn status(status: Option<u16>, reason: &str) -> String {
    let reason = text::printable(text::start(reason, MOST));
    let number = status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
    format!("{number} {reason}").trim_end().to_owned()
}

/// Returns the first words that an answer has for people, without tags; empty where it has none.
pub(super) fn words(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body.get(..4096).unwrap_or(body));
    let mut plain = String::new();
    let mut is_tag = false;
    for c in body.chars() {
        match c {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                plain.push(' ');
            }
            _ if is_tag => {}
            c => plain.push(c),
        }
    }
    let plain: Vec<&str> = plain.split_whitespace().collect();
    text::printable(text::start(&plain.join(" "), MOST))
}

/// Returns those words as a sentence that goes on after another; empty where there are none.
pub(super) fn it_says(body: &[u8]) -> String {
    let words = words(body);
    if words.is_empty() { words } else { format!(" It says: {words}") }
}

/// Returns what is wrong with the bytes of an answer.
pub(super) fn flaw(flaw: &ReadFlaw) -> String {
    match flaw {
        ReadFlaw::Closed(bytes) => format!("the connection was closed after {bytes} bytes"),
        ReadFlaw::Reset(bytes) => format!("the connection was reset after {bytes} bytes"),
        ReadFlaw::Silent(0) => "not a byte came in time".to_owned(),
        ReadFlaw::Silent(bytes) => format!("nothing more came after {bytes} bytes"),
        ReadFlaw::Slow(bytes) => format!("{bytes} bytes came in all that time"),
        ReadFlaw::NotHttp(bytes) => {
            let start = String::from_utf8_lossy(bytes.get(..32).unwrap_or(bytes)).into_owned();
            format!("the answer begins with `{}`, which is not HTTP", text::printable(&start))
        }
        ReadFlaw::TooLarge => "the head of the answer is larger than 64 KiB".to_owned(),
    }
}

/// Returns why TLS came to nothing: the handshake, or the certificate. `None`: it is good.
pub(super) fn tls(tls: &Tls) -> Option<String> {
    match (&tls.flaw, &tls.verdict) {
        (Some(flaw), _) => Some(handshake(flaw)),
        (None, Some(Err(flaw))) => Some(format!("the certificate: {}", certificate(flaw))),
        (None, _) => None,
    }
}

/// Returns how a handshake ended.
pub(super) fn handshake(flaw: &TlsFlaw) -> String {
    match flaw {
        TlsFlaw::Alert(number) => format!("alert {number}"),
        TlsFlaw::Closed => "closed".to_owned(),
        TlsFlaw::Reset => "reset".to_owned(),
        TlsFlaw::Silent => "no answer".to_owned(),
        TlsFlaw::NotTls(_) => "something else than TLS".to_owned(),
        TlsFlaw::Old => "an old version only".to_owned(),
        TlsFlaw::Other(error) => error.clone(),
    }
}

/// Returns why a certificate is not taken.
pub(super) fn certificate(flaw: &CertificateFlaw) -> String {
    let words = match flaw {
        CertificateFlaw::Expired => "it has expired",
        CertificateFlaw::NotYetValid => "it is not valid yet",
        CertificateFlaw::WrongName => "it is for another name",
        CertificateFlaw::NoNames => "it names no host",
        CertificateFlaw::NameConstraint => "its authority may not sign for this name",
        CertificateFlaw::WrongPurpose => "it is not meant for servers",
        CertificateFlaw::SelfSigned => "it signed itself",
        CertificateFlaw::NoRoots => "no authority is trusted here",
        CertificateFlaw::Weak(what) => return format!("{what} is too weak"),
        CertificateFlaw::UnknownIssuer(issuer) => {
            return format!("nobody who is trusted signed it (issuer: {issuer})");
        }
        CertificateFlaw::Other(error) => return error.clone(),
    };
    words.to_owned()
}

/// Returns the schemes of authentication that are offered, each once, as this program knows them.
pub(super) fn schemes(challenges: &[Challenge]) -> Vec<&'static str> {
    let known = ["Basic", "Bearer", "Digest", "Negotiate", "NTLM"];
    known.into_iter().filter(|name| challenges.iter().any(|one| one.is(name))).collect()
}

/// Returns whether an answer is a page for people.
pub(super) fn is_html(http: &Http) -> bool {
    let kind = http.field("content-type").unwrap_or_default().to_ascii_lowercase();
    kind.starts_with("text/html") || crate::core::page::is_page(&http.body)
}

/// Returns whether a page asks somebody to sign in.
pub(super) fn is_login_page(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body).to_lowercase();
    body.contains("type=\"password\"")
        || body.contains("type=password")
        || body.contains("type='password'")
}
