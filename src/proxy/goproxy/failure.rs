//! What the front refuses itself, and what goes wrong on the way to a module proxy, in words. What an
//! answer of one means stands in [`crate::core::modproxy::explain`].

use crate::{
    core::{modproxy::explain::certificate_advice, origin::Origin, refusal::Refusal},
    net::{
        handshake::{self, Flaw},
        tls,
    },
    proxy::Trouble,
};

/// Only GET and HEAD are served, without a body.
pub(super) fn only_read() -> Refusal {
    Refusal::new(405, "http_request_denied", "a module proxy is only asked with GET and HEAD")
}

/// The request is for another host.
pub(super) fn other_host() -> Refusal {
    let message = "the Host of this request is not the address that this front listens on";
    Refusal::new(421, "http_request_denied", message)
}

/// A page of the web has caused the request.
pub(super) fn from_a_site() -> Refusal {
    let message = "a web page asks for this, and this front serves no web pages";
    Refusal::new(403, "http_request_denied", message)
}

/// The target is in absolute form.
pub(super) fn not_a_proxy() -> Refusal {
    Refusal::new(421, "http_request_error", "this is a module proxy, for GOPROXY")
        .detail("the address for HTTPS_PROXY is another one: gocred proxy status")
}

/// The path does not begin with the secret of this start.
pub(super) fn secret_needed() -> Refusal {
    let message = "the secret in the path of GOPROXY is missing, or of an earlier start";
    Refusal::new(403, "http_request_denied", message).code("K03").run("eval \"$(gocred env)\"")
}

/// TLS cannot be set up here.
pub(super) fn no_tls(origin: &Origin, error: &tls::Error) -> Refusal {
    let message = format!("no TLS with {}: {error}", origin.authority());
    Refusal::new(502, "proxy_configuration_error", message).code("T02")
}

/// There is no TLS with a server.
pub(super) fn tls(origin: &Origin, error: &handshake::Error) -> Refusal {
    let (status, kind, code) = match error {
        handshake::Error::NotTls => (502, "tls_protocol_error", "T15"),
        handshake::Error::Timeout => (504, "connection_timeout", "T19"),
        handshake::Error::Closed => (502, "connection_terminated", "T17"),
        handshake::Error::Reset | handshake::Error::Broken(_) => {
            (502, "connection_terminated", "T18")
        }
        handshake::Error::CertificateNeeded | handshake::Error::CertificateRefused(_) => {
            (502, "tls_alert_received", "T13")
        }
        handshake::Error::Protocol(_) => (502, "tls_alert_received", "T16"),
        handshake::Error::Untrusted(flaw) => (502, "tls_certificate_error", flaw_code(flaw)),
    };
    let who = origin.authority();
    let refusal = Refusal::new(status, kind, format!("{who}: {error}")).code(code);
    match error {
        handshake::Error::Untrusted(Flaw::Authority) => refusal
            .detail(format!("where its authority is your company's: `ca` of [host.\"{who}\"]"))
            .run("gocred config edit"),
        handshake::Error::CertificateNeeded | handshake::Error::CertificateRefused(_) => {
            refusal.detail(certificate_advice(&who)).run("gocred config edit")
        }
        _ => refusal,
    }
}

fn flaw_code(flaw: &Flaw) -> &'static str {
    match flaw {
        Flaw::Authority | Flaw::Other(_) => "T02",
        Flaw::AuthorityItself => "T01",
        Flaw::Expired => "T04",
        Flaw::NotYet => "T05",
        Flaw::Name(_) => "T07",
    }
}

/// There was no connection in time.
pub(super) fn no_connection(origin: &Origin) -> Refusal {
    let message = format!("there is no way to {} in time", origin.authority());
    Refusal::new(504, "connection_timeout", message).code("N02")
}

/// The store, or whoever tries a credential first, takes too long.
pub(super) fn no_turn(origin: &Origin) -> Refusal {
    let message = format!("the credential for {} was not ready in time", origin.authority());
    Refusal::new(504, "proxy_internal_response", message).code("K07").run("gocred status")
}

/// The store does not answer.
pub(super) fn store(origin: &Origin, trouble: &Trouble) -> Refusal {
    let (code, command) = match trouble {
        Trouble::Locked => ("K05", "gocred unlock".to_owned()),
        Trouble::Missing(_) => ("K06", "gocred status".to_owned()),
        Trouble::Failed(_) => ("K07", "gocred status".to_owned()),
        // Nothing but a person helps a login that is over.
        Trouble::Withheld { code: "A32", what: _ } => {
            ("A32", format!("gocred login {}", origin.authority()))
        }
        Trouble::Withheld { code: "K15", what: _ } => ("K15", "gocred audit verify".to_owned()),
        Trouble::Withheld { code, what: _ } => (*code, "gocred status".to_owned()),
    };
    let message = format!("the credential for {} cannot be read: {trouble}", origin.authority());
    Refusal::new(503, "proxy_internal_response", message).code(code).run(command)
}

/// What is stored cannot be shown to anybody.
pub(super) fn unfit(origin: &Origin) -> Refusal {
    let who = origin.authority();
    Refusal::new(
        502,
        "proxy_configuration_error",
        format!("no field holds the credential for {who}"),
    )
    .code("A15")
    .run(format!("gocred login {who}"))
}

/// A host of the list, or of a redirect, is no name.
pub(super) fn no_host(origin: &Origin) -> Refusal {
    let message = format!("{} is no name of a host", origin.authority());
    Refusal::new(502, "dns_error", message).code("D01")
}

#[cfg(test)]
mod tests {
    use super::{Origin, Trouble, store};

    #[test]
    fn what_keeps_a_credential_back_has_its_own_code_and_command() {
        let origin = Origin::new("https", "proxy.test").unwrap();
        for (code, command) in [
            ("A32", "gocred login proxy.test"),
            ("K15", "gocred audit verify"),
            ("K26", "gocred status"),
        ] {
            let refusal = store(&origin, &Trouble::Withheld { code, what: "why".to_owned() });
            assert_eq!((refusal.code, refusal.run.as_deref()), (Some(code), Some(command)));
            assert!(refusal.message.ends_with("why"), "{}", refusal.message);
        }
        assert_eq!(store(&origin, &Trouble::Failed("x".to_owned())).code, Some("K07"));
    }
}
