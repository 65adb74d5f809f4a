//! What goes wrong on the way: to an upstream, within its answer, or to the target.

use crate::{
    core::{
        http1,
        origin::Origin,
        refusal::Refusal,
        socks,
        stall::{SILENCE, Stall},
        target::Authority,
    },
    net::{self, dial, handshake, tls, tunnel},
    proxy::failure::{forbidden, own_listener},
};

/// A SOCKS upstream refuses the target.
pub(crate) fn socks_refused(
    upstream: &Origin,
    target: &Authority,
    refusal: socks::Refusal,
) -> Refusal {
    use socks::Refusal as Said;
    let (status, kind, code) = match refusal {
        Said::NotAllowed => (403, "http_request_denied", "P10"),
        Said::Expired => (504, "connection_timeout", "P15"),
        Said::General
        | Said::NetworkUnreachable
        | Said::HostUnreachable
        | Said::ConnectionRefused
        | Said::Command
        | Said::AddressKind
        | Said::Other(_) => (503, "destination_unavailable", "P12"),
    };
    let message = format!("the SOCKS proxy {} for {target}: {refusal}", upstream.authority());
    Refusal::new(status, kind, message).code(code)
}

/// There is no tunnel through a SOCKS upstream.
pub(crate) fn socks(upstream: &Origin, error: &net::socks::Error) -> Refusal {
    use net::socks::Error;
    let (status, kind, code) = match error {
        Error::Silent => (504, "http_response_timeout", "P17"),
        Error::Closed | Error::NoVerdict => (502, "connection_terminated", "P18"),
        Error::Reset | Error::Broken(_) => (502, "connection_terminated", "P19"),
        // An HTTP proxy answers in HTTP, and nothing at all to what it cannot read.
        Error::Refused(socks::Error::NotSocks(_)) => (502, "proxy_configuration_error", "P32"),
        Error::Refused(_) => (502, "http_protocol_error", "P21"),
    };
    let message = format!("the SOCKS proxy {}: {error}", upstream.authority());
    Refusal::new(status, kind, message).code(code)
}

/// TLS with the upstream cannot be set up here.
pub(crate) fn no_tls(upstream: &Origin, error: &tls::Error) -> Refusal {
    let message = format!("no TLS with the proxy {}: {error}", upstream.authority());
    Refusal::new(502, "proxy_configuration_error", message).code("P31")
}

/// There is no TLS with the upstream.
pub(crate) fn upstream_tls(upstream: &Origin, error: &handshake::Error) -> Refusal {
    let (status, kind, code) = match error {
        handshake::Error::NotTls => (502, "tls_protocol_error", "P29"),
        handshake::Error::Timeout => (504, "connection_timeout", "P17"),
        handshake::Error::Closed => (502, "connection_terminated", "P18"),
        handshake::Error::Reset | handshake::Error::Broken(_) => {
            (502, "connection_terminated", "P19")
        }
        handshake::Error::CertificateNeeded
        | handshake::Error::CertificateRefused(_)
        | handshake::Error::Protocol(_) => (502, "tls_alert_received", "P31"),
        handshake::Error::Untrusted(_) => (502, "tls_certificate_error", "P31"),
    };
    let message = format!("the proxy {}: {error}", upstream.authority());
    Refusal::new(status, kind, message).code(code)
}

/// The target was not reached directly.
pub(crate) fn unreachable(target: &Authority, error: &dial::Error) -> Refusal {
    let (status, kind, code) = match error {
        dial::Error::NoName => (502, "dns_error", "D01"),
        dial::Error::NameTimeout => (504, "dns_timeout", "D04"),
        dial::Error::Refused => (502, "connection_refused", "N01"),
        dial::Error::Timeout => (504, "connection_timeout", "N02"),
        dial::Error::Unreachable => (502, "destination_ip_unroutable", "N04"),
        dial::Error::NoFiles => (503, "proxy_internal_error", "N07"),
        dial::Error::Other(_) => (502, "destination_unavailable", "N05"),
        dial::Error::Vetoed(_, dial::Veto::Own) => return own_listener(target),
        dial::Error::Vetoed(address, dial::Veto::Special(special)) => {
            let why = format!("resolved to {address}, {}", special.as_str());
            return forbidden(target, &why);
        }
    };
    Refusal::new(status, kind, format!("{target}: {error}")).code(code)
}

/// The upstream was not reached.
pub(crate) fn upstream_unreachable(upstream: &Origin, error: &dial::Error) -> Refusal {
    let who = upstream.authority();
    let (status, kind, code) = match error {
        dial::Error::NoName => (502, "dns_error", "P26"),
        dial::Error::NameTimeout => (504, "dns_timeout", "P26"),
        dial::Error::Refused => (502, "connection_refused", "P27"),
        dial::Error::Timeout => (504, "connection_timeout", "P28"),
        dial::Error::NoFiles => (503, "proxy_internal_error", "N07"),
        dial::Error::Unreachable | dial::Error::Other(_) => {
            (502, "destination_ip_unroutable", "P28")
        }
        dial::Error::Vetoed(..) => {
            let message = format!("the upstream {who} is this proxy itself");
            return Refusal::new(508, "proxy_loop_detected", message).code("K11");
        }
    };
    Refusal::new(status, kind, format!("the proxy {who}: {error}")).code(code)
}

/// The upstream did not answer a CONNECT.
pub(crate) fn handshake(upstream: &Origin, error: &tunnel::Error) -> Refusal {
    let (status, kind, code) = match error {
        tunnel::Error::Silent => (504, "http_response_timeout", "P17"),
        tunnel::Error::Closed | tunnel::Error::Truncated => (502, "connection_terminated", "P18"),
        tunnel::Error::Reset | tunnel::Error::Broken(_) => (502, "connection_terminated", "P19"),
        tunnel::Error::Secure(_) => (502, "tls_protocol_error", "P31"),
        tunnel::Error::Tls => (502, "http_protocol_error", "P30"),
        tunnel::Error::NotHttp(http1::Error::TooLarge(_)) => (502, "http_protocol_error", "P23"),
        tunnel::Error::NotHttp(_) => (502, "http_protocol_error", "P21"),
        tunnel::Error::WebPage => (502, "http_protocol_error", "P20"),
    };
    let message = format!("the proxy {}: {error}", upstream.authority());
    let refusal = Refusal::new(status, kind, message).code(code);
    match advice(code) {
        Some(advice) => refusal.detail(advice),
        None => refusal,
    }
}

/// The upstream refused a CONNECT. Its status is passed on, except what would make a client send a
/// password (401, 407) or take the refusal for a success.
pub(crate) fn refused(
    upstream: &Origin,
    target: &Authority,
    status: u16,
    reason: &[u8],
    retry_after: Option<String>,
) -> Refusal {
    let (told, code) = match status {
        403 if target.port == 443 => (403, Some("P10")),
        403 => (403, Some("P11")),
        429 => (429, Some("P16")),
        502 => (502, Some("P13")),
        503 if retry_after.is_some() => (503, Some("P14")),
        503 => (503, Some("P12")),
        504 => (504, Some("P15")),
        300..=399 => (502, Some("P22")),
        400 | 404..=406 | 408..=428 | 430..=499 | 500 | 501 | 505..=599 => (status, None),
        _ => (502, None),
    };
    let reason = String::from_utf8_lossy(reason);
    let message =
        format!("the proxy {} answered {status} {reason} for {target}", upstream.authority());
    let mut refusal = Refusal::new(told, "http_request_denied", message).received(status);
    refusal.code = code;
    if let Some(advice) = code.and_then(advice) {
        refusal = refusal.detail(advice);
    }
    refusal.retry_after(told, retry_after)
}

/// Returns what helps where an upstream refused.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "P10" => {
            "its operators decide what it lets through; what is inside belongs into `no_proxy`"
        }
        "P11" => "many proxies open tunnels to port 443 only",
        "P12" => "it did not reach the target; a target inside belongs into `no_proxy` of [proxy]",
        "P13" | "P15" => "something behind it failed, or was too slow; try again",
        "P16" => "it limits how often it is asked",
        "P20" | "P22" => {
            "it may want you to sign in: open any http:// page in a browser that uses it"
        }
        _ => return None,
    })
}

/// What came back cannot be passed on.
pub(crate) fn bad_answer(from: &str, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(502, "http_protocol_error", format!("the answer of {from} is broken: {error}"))
}

/// Nothing came back.
pub(crate) fn no_answer(from: &str) -> Refusal {
    Refusal::new(504, "http_response_timeout", format!("{from} sends no answer")).code("H01")
}

/// The upstream does not even answer for itself.
pub(crate) fn silent(upstream: &Origin) -> Refusal {
    let message = format!("{} accepts connections and answers nothing", upstream.authority());
    Refusal::new(504, "http_response_timeout", message).code("P17")
}

/// The connection ended before an answer.
pub(crate) fn empty_answer(from: &str) -> Refusal {
    Refusal::new(502, "connection_terminated", format!("{from} closed without an answer"))
        .code("H05")
}

/// A server that we reached directly asks for a proxy login, which nobody gets (proxy.md, test 8).
pub(crate) fn direct_407(target: &Authority) -> Refusal {
    let message = format!("{target} is no proxy of ours and asks for a proxy login");
    Refusal::new(502, "http_protocol_error", message)
}

/// A 407 came when the body of the request had already been sent.
pub(crate) fn body_was_sent(upstream: &Origin) -> Refusal {
    let message = format!("{} asked for a login after the upload had begun", upstream.authority());
    Refusal::new(502, "http_request_denied", message).code("P33").detail("try again")
}

/// A tunnel was reset before its TLS handshake can have been over: something on the way has looked
/// into it (P24). The client knows already; this is for the findings.
pub(crate) fn cut_off(upstream: Option<&Origin>, target: &Authority, down: u64) -> Refusal {
    let way = upstream.map(|upstream| format!(" through {}", upstream.authority()));
    let way = way.unwrap_or_default();
    let message =
        format!("the tunnel to {target}{way} was reset after {down} bytes, within its handshake");
    Refusal::new(502, "connection_terminated", message)
        .code("P24")
        .detail("a filter on the way may do that: ask those who run it")
}

/// A tunnel has stalled (H01 to H03, N10). The client has seen a reset; this is for the findings.
pub(crate) fn stalled(upstream: Option<&Origin>, target: &Authority, how: Stall) -> Refusal {
    let way = upstream.map(|upstream| format!(" through {}", upstream.authority()));
    stall(&format!("the tunnel to {target}{}", way.unwrap_or_default()), how)
}

/// An answer that is on its way has stalled. The client sees that it breaks off; this is for the
/// findings.
pub(crate) fn stopped(from: &str, how: Stall) -> Refusal {
    stall(&format!("the answer of {from}"), how)
}

fn stall(of: &str, how: Stall) -> Refusal {
    let silence = SILENCE.as_secs();
    let (code, what, advice) = match how {
        Stall::Unanswered => (
            "H01",
            format!("nothing came for {silence} s after what the client had sent"),
            "the server, or something before it, takes connections and does not answer",
        ),
        Stall::Forgotten(idle) => (
            "N10",
            format!("it was idle for {} s, and nothing has come since", idle.as_secs()),
            "something on the way forgets idle connections; try again",
        ),
        Stall::Stopped => (
            "H02",
            format!("nothing more came for {silence} s"),
            "try again; a filter that looks into downloads may do that",
        ),
        Stall::GivenUp { after, is_begun } => (
            if is_begun { "H02" } else { "H01" },
            format!(
                "nothing {}came for {} s, and the program gave up",
                if is_begun { "more " } else { "" },
                after.as_secs()
            ),
            "the server, or something before it, takes connections and does not answer",
        ),
        Stall::Drips => (
            "H03",
            format!("only a few bytes a second have come for {silence} s"),
            "the server, or something before it, is overloaded or limits the rate",
        ),
    };
    Refusal::new(504, "http_response_timeout", format!("{of} was broken off: {what}"))
        .code(code)
        .detail(advice)
}
