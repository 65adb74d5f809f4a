//! Every way in which the proxy fails a client, in words, with the code of the failure catalogue.

use std::net::SocketAddr;

use crate::{
    core::{
        auth::{
            Scheme,
            choice::{Lack, Method, TicketState},
        },
        challenge::Challenge,
        http1,
        origin::Origin,
        refusal::Refusal,
        socks,
        target::{self, Authority},
    },
    net::{self, dial, handshake, tls, tunnel},
    proxy::Trouble,
};

/// A bug of ours, said as one.
pub(crate) fn bug(what: &str) -> Refusal {
    Refusal::new(500, "proxy_internal_error", format!("this is a bug in gocred: {what}"))
}

/// The client's message cannot be read.
pub(crate) fn malformed(error: http1::Error) -> Refusal {
    let status = match error {
        http1::Error::Malformed(_) => 400,
        http1::Error::TooLarge(_) => 431,
        http1::Error::Version => 505,
    };
    Refusal::new(status, "http_request_error", error.to_string())
}

/// The client's target is not one of a proxy.
pub(crate) fn target(error: target::Error) -> Refusal {
    let status = if error == target::Error::Form { 421 } else { 400 };
    let refusal = Refusal::new(status, "http_request_error", error.to_string());
    if error == target::Error::Form {
        return refusal.detail("this is a proxy, not a web server: set HTTPS_PROXY to its address");
    }
    refusal
}

/// The client's message is understood, and wrong.
pub(crate) fn bad_request(what: &str) -> Refusal {
    Refusal::new(400, "http_request_error", what)
}

/// The head was not complete in time.
pub(crate) fn slow_head() -> Refusal {
    Refusal::new(408, "http_request_error", "the head of the request took longer than 10 s")
}

/// The target of a CONNECT is not `host:port`.
pub(crate) fn connect_target(error: target::Error) -> Refusal {
    Refusal::new(400, "http_request_error", error.to_string())
        .detail("the target of CONNECT is host:port, v4:port or [v6]:port")
}

/// The caller may not use this proxy.
pub(crate) fn stranger(uid: Option<u32>) -> Refusal {
    let who = uid.map_or_else(
        || "nobody owns the other end of this connection".to_owned(),
        |uid| format!("this proxy serves another user than uid {uid}"),
    );
    Refusal::new(403, "http_request_denied", who).code("K03")
}

/// The caller has to show the token.
pub(crate) fn token_needed() -> Refusal {
    Refusal::new(407, "http_request_denied", "this proxy cannot see who asks, and needs its token")
        .run("eval \"$(gocred env)\"")
}

/// Everybody is being served.
pub(crate) fn crowded(limit: usize) -> Refusal {
    Refusal::new(503, "connection_limit_reached", format!("all {limit} connections are in use"))
        .code("K16")
}

/// There is no file left to ask who is there.
pub(crate) fn no_files() -> Refusal {
    Refusal::new(503, "connection_limit_reached", "gocred has too many open files").code("K16")
}

/// The request has been here before.
pub(crate) fn looped() -> Refusal {
    Refusal::new(508, "proxy_loop_detected", "this request came back to the proxy that sent it")
        .code("K11")
        .detail("an upstream of [proxy] leads back here")
}

/// The target is refused by default.
pub(crate) fn forbidden(target: &Authority, why: &str) -> Refusal {
    Refusal::new(403, "destination_ip_prohibited", format!("{target} is {why}"))
        .detail("to allow it, name its address in `allow` of [proxy] in gocred's config.toml")
}

/// The total time is over.
pub(crate) fn too_late(target: &Authority) -> Refusal {
    Refusal::new(504, "http_response_timeout", format!("there is no way to {target} within 45 s"))
        .code("N02")
}

/// There is no secret for an upstream.
pub(crate) fn no_credential(upstream: &Origin) -> Refusal {
    let who = upstream.authority();
    Refusal::new(502, "http_request_denied", format!("{who} asks for a login, and none is stored"))
        .code("P01")
        .run(login(upstream))
}

/// The secret for an upstream is wrong.
pub(crate) fn rejected(upstream: &Origin, user: &str) -> Refusal {
    let who = upstream.authority();
    let message = format!("{who} rejected the password of {user}");
    Refusal::new(502, "http_request_denied", message)
        .code("P02")
        .detail("gocred does not send this password again, so that the account is not locked")
        .run(login(upstream))
}

/// A user name that Basic cannot carry (RFC 7617 §2).
pub(crate) fn user_with_colon(upstream: &Origin) -> Refusal {
    let who = upstream.authority();
    let message = format!("the user name stored for {who} has a colon, which Basic cannot carry");
    Refusal::new(502, "proxy_configuration_error", message).code("P02").run(login(upstream))
}

/// The secret was not judged in time for those who waited.
pub(crate) fn no_turn(upstream: &Origin) -> Refusal {
    let who = upstream.authority();
    let message = format!("{who} has not said within 15 s whether it accepts the password");
    Refusal::new(504, "http_response_timeout", message).code("P17")
}

/// The store does not give the secret.
pub(crate) fn store(upstream: &Origin, trouble: &Trouble) -> Refusal {
    let (code, hint) = match trouble {
        Trouble::Failed(_) => ("K07", "gocred status"),
        Trouble::Locked => ("K05", "gocred status"),
        Trouble::Missing(_) => ("K06", "gocred status"),
    };
    let message = format!("the password for {} is out of reach: {trouble}", upstream.authority());
    Refusal::new(502, "proxy_internal_error", message).code(code).run(hint)
}

/// There is no way to log in.
pub(crate) fn lack(upstream: &Origin, lack: &Lack, challenges: &[Challenge]) -> Refusal {
    let who = upstream.authority();
    let denied = |message: String| Refusal::new(502, "http_request_denied", message);
    match lack {
        Lack::Account => no_credential(upstream),
        Lack::Downgrade(before) => denied(format!(
            "{who} offers only {}, after {before} before; somebody on the way may want the password",
            schemes(challenges)
        ))
        .code("P40")
        .detail("if its operators have changed that, sign in again")
        .run(login(upstream)),
        Lack::NoChallenge => Refusal::new(
            502,
            "http_protocol_error",
            format!("{who} answered 407 and does not say which login it wants"),
        )
        .code("P07"),
        Lack::Ticket(state) => ticket(upstream, state),
        Lack::Unsupported => unsupported(upstream, challenges),
        Lack::Weak(stronger) => denied(format!(
            "{who} offers {stronger} and does not do it; Basic would send the password in clear"
        ))
        .code("P08")
        .detail(format!("to allow that: schemes = [\"basic\"] in [upstream.\"{who}\"]")),
    }
}

/// Only a Kerberos ticket would do, and there is no good one.
fn ticket(upstream: &Origin, state: &TicketState) -> Refusal {
    let who = upstream.authority();
    let denied = |message: String| Refusal::new(502, "http_request_denied", message);
    match state {
        TicketState::Expired => {
            denied(format!("{who} wants a Kerberos ticket, and yours has expired"))
                .code("P37")
                .run("kinit")
        }
        TicketState::Failed(what) => {
            denied(format!("{who} wants a Kerberos ticket, and there is none for it: {what}"))
                .code("P04")
                .run("kinit")
        }
        TicketState::NoLibrary => {
            denied(format!("{who} wants a Kerberos ticket, and this machine has no GSSAPI library"))
                .code("P38")
                .run("sudo apt-get install libgssapi-krb5-2 krb5-user")
        }
        TicketState::None | TicketState::Usable => {
            denied(format!("{who} wants a Kerberos ticket, and there is none"))
                .code("P04")
                .run("kinit")
        }
        TicketState::Rejected => {
            denied(format!("{who} does not accept your Kerberos ticket")).code("P39").run("klist")
        }
    }
}

/// The upstream asks for what we do not speak, or may not.
fn unsupported(upstream: &Origin, challenges: &[Challenge]) -> Refusal {
    let who = upstream.authority();
    let is_spoken = |challenge: &Challenge| Scheme::parse(&challenge.scheme).is_some();
    let message = if challenges.iter().any(is_spoken) {
        format!("{who} offers {}, and none of it can be used", schemes(challenges))
    } else {
        format!("{who} offers only {}, which gocred does not speak", schemes(challenges))
    };
    Refusal::new(502, "http_request_denied", message)
        .code("P08")
        .detail(format!("`schemes` of [upstream.\"{who}\"] in config.toml may say otherwise"))
}

fn schemes(challenges: &[Challenge]) -> String {
    let names: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
    names.join(", ")
}

/// What the upstream said within a login cannot be answered.
pub(crate) fn bad_challenge(upstream: &Origin, method: Method, what: &str) -> Refusal {
    let (who, scheme) = (upstream.authority(), method.scheme());
    Refusal::new(502, "http_protocol_error", format!("{who}, login by {scheme}: {what}"))
        .code("P41")
}

/// The upstream closed where the scheme needs one connection.
pub(crate) fn closed_within_login(upstream: &Origin, method: Method) -> Refusal {
    let (who, scheme) = (upstream.authority(), method.scheme());
    let message = format!("{who} closes the connection in the middle of the login by {scheme}");
    Refusal::new(502, "connection_terminated", message).code("P41")
}

/// The upstream asks again and again.
pub(crate) fn endless_login(upstream: &Origin) -> Refusal {
    let message = format!("{} asks for a login without end", upstream.authority());
    Refusal::new(502, "http_protocol_error", message).code("P41")
}

/// The upstream wants a login that lives on the connection, and forgets it.
pub(crate) fn forgets_login(upstream: &Origin) -> Refusal {
    let message =
        format!("{} does not keep a login by NTLM for http:// requests", upstream.authority());
    Refusal::new(502, "http_protocol_error", message).code("P41")
}

/// A PAC file names more upstreams than anybody has.
pub(crate) fn too_many_upstreams(limit: usize) -> Refusal {
    let message = format!("the PAC file has named more than {limit} proxies");
    Refusal::new(502, "proxy_configuration_error", message).code("P36")
}

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
        Error::Closed => (502, "connection_terminated", "P18"),
        Error::Reset | Error::Broken(_) => (502, "connection_terminated", "P19"),
        // An HTTP proxy answers in HTTP, and nothing at all to what it cannot read.
        Error::Refused(socks::Error::NotSocks(_)) => (502, "proxy_configuration_error", "P32"),
        Error::Refused(_) => (502, "http_protocol_error", "P21"),
    };
    let message = format!("the SOCKS proxy {}: {error}", upstream.authority());
    Refusal::new(status, kind, message).code(code)
}

/// The PAC file gives no answer, and nothing is configured for that case.
pub(crate) fn no_script(trouble: &str) -> Refusal {
    Refusal::new(502, "proxy_configuration_error", format!("the PAC file: {trouble}"))
        .code("P42")
        .detail("`upstream` of [proxy] in config.toml is used while it gives no answer")
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

/// A 407 came when the body of the request had already been sent.
pub(crate) fn body_was_sent(upstream: &Origin) -> Refusal {
    let message = format!("{} asked for a login after the upload had begun", upstream.authority());
    Refusal::new(502, "http_request_denied", message).code("P33").detail("try again")
}

/// A server that we reached directly asks for a proxy login, which nobody gets (proxy.md, test 8).
pub(crate) fn direct_407(target: &Authority) -> Refusal {
    let message = format!("{target} is no proxy of ours and asks for a proxy login");
    Refusal::new(502, "http_protocol_error", message)
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

/// The target is this proxy.
pub(crate) fn own_listener(target: &Authority) -> Refusal {
    Refusal::new(508, "proxy_loop_detected", format!("{target} is this proxy itself")).code("K11")
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
    };
    let message = format!("the proxy {}: {error}", upstream.authority());
    Refusal::new(status, kind, message).code(code)
}

/// The upstream refused a CONNECT. Its status is passed on, except what would make a client send a
/// password (401, 407) or take the refusal for a success.
pub(crate) fn refused(
    upstream: &Origin,
    target: &Authority,
    status: u16,
    reason: &[u8],
) -> Refusal {
    let (told, code) = match status {
        403 if target.port == 443 => (403, Some("P10")),
        403 => (403, Some("P11")),
        429 => (429, Some("P16")),
        502 => (502, Some("P13")),
        503 => (503, Some("P12")),
        504 => (504, Some("P15")),
        300..=399 => (502, Some("P22")),
        400 | 404..=406 | 408..=428 | 430..=499 | 500 | 501 | 505..=599 => (status, None),
        _ => (502, None),
    };
    let reason = String::from_utf8_lossy(reason);
    let message =
        format!("the proxy {} answered {status} {reason} for {target}", upstream.authority());
    let refusal = Refusal::new(told, "http_request_denied", message);
    match code {
        Some(code) => refusal.code(code),
        None => refusal,
    }
}

/// What came back cannot be passed on.
pub(crate) fn bad_answer(from: &str, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(502, "http_protocol_error", format!("the answer of {from} is broken: {error}"))
}

/// Nothing came back.
pub(crate) fn no_answer(from: &str) -> Refusal {
    Refusal::new(504, "http_response_timeout", format!("{from} sends no answer")).code("H01")
}

/// The connection ended before an answer.
pub(crate) fn empty_answer(from: &str) -> Refusal {
    Refusal::new(502, "connection_terminated", format!("{from} closed without an answer"))
        .code("H05")
}

/// Returns whether connecting there would be connecting to ourselves.
pub(crate) fn is_own(own: &[SocketAddr], address: SocketAddr) -> bool {
    let ip = match crate::core::address::canonical(address.ip()) {
        // Linux takes the unspecified address for the machine itself.
        ip if ip.is_unspecified() => None,
        ip => Some(ip),
    };
    own.iter().any(|own| own.port() == address.port() && ip.is_none_or(|ip| ip == own.ip()))
}

fn login(upstream: &Origin) -> String {
    format!("gocred login --proxy {upstream}")
}

#[cfg(test)]
mod tests {
    use super::{is_own, lack, refused};
    use crate::core::{
        auth::{
            Scheme,
            choice::{Lack, TicketState},
        },
        challenge,
        origin::Origin,
        target::Authority,
    };

    #[test]
    fn each_lack_has_its_code() {
        let upstream = Origin::new("http", "p:3128").unwrap();
        let challenges = challenge::parse(b"Negotiate, NTLM");
        for (what, code) in [
            (Lack::Account, "P01"),
            (Lack::Downgrade(Scheme::Ntlm), "P40"),
            (Lack::NoChallenge, "P07"),
            (Lack::Ticket(TicketState::Expired), "P37"),
            (Lack::Ticket(TicketState::Failed("x".into())), "P04"),
            (Lack::Ticket(TicketState::NoLibrary), "P38"),
            (Lack::Ticket(TicketState::None), "P04"),
            (Lack::Ticket(TicketState::Rejected), "P39"),
            (Lack::Unsupported, "P08"),
            (Lack::Weak(Scheme::Ntlm), "P08"),
        ] {
            assert_eq!(lack(&upstream, &what, &challenges).code, Some(code), "{what:?}");
        }
    }

    #[test]
    fn no_refusal_asks_the_client_for_a_password_or_looks_like_success() {
        let upstream = Origin::new("http", "p:3128").unwrap();
        let target = Authority::parse("h:443").unwrap();
        for status in 100..=999 {
            let told = refused(&upstream, &target, status, b"").status;
            assert!((400..=599).contains(&told) && told != 401 && told != 407, "{status}: {told}");
        }
    }

    #[test]
    fn we_know_ourselves_in_every_spelling() {
        let own = ["127.0.0.1:7407".parse().unwrap(), "[::1]:7407".parse().unwrap()];
        for address in
            ["127.0.0.1:7407", "[::ffff:127.0.0.1]:7407", "0.0.0.0:7407", "[::]:7407", "[::1]:7407"]
        {
            assert!(is_own(&own, address.parse().unwrap()), "{address}");
        }
        assert!(!is_own(&own, "127.0.0.1:7408".parse().unwrap()));
        assert!(!is_own(&own, "127.0.0.2:7407".parse().unwrap()));
    }
}
