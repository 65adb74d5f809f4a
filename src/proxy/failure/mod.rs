//! Every way in which the proxy fails a client, in words, with the code of the failure catalogue: here
//! what is the client's or our own, in [`login`] and [`reach`] what is an upstream's or the network's.

mod login;
mod reach;

use std::net::SocketAddr;

pub(crate) use self::{login::*, reach::*};
use crate::core::{
    http1,
    refusal::Refusal,
    target::{self, Authority},
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

/// One of our own pages, asked for in a way that gets nothing.
pub(crate) fn not_there(why: &str) -> Refusal {
    Refusal::new(403, "http_request_denied", format!("the status of this proxy is not told: {why}"))
}

/// One of our own pages, without its token.
pub(crate) fn no_status_token() -> Refusal {
    not_there("its token is missing or wrong").run("gocred proxy status --url")
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

/// A web page came in place of a repository (H08).
pub(crate) fn page_for_git(from: &str) -> Refusal {
    let message = format!("a web page came in place of the answer of {from} to git");
    Refusal::new(502, "http_protocol_error", message)
        .code("H08")
        .detail("a portal or a sign-in stands between: sign in with a browser, then try again")
        .detail("or there is no repository at this URL")
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

/// A PAC file names more upstreams than anybody has.
pub(crate) fn too_many_upstreams(limit: usize) -> Refusal {
    let message = format!("the PAC file has named more than {limit} proxies");
    Refusal::new(502, "proxy_configuration_error", message).code("P36")
}

/// The PAC file gives no answer, and nothing is configured for that case.
pub(crate) fn no_script(trouble: &str) -> Refusal {
    Refusal::new(502, "proxy_configuration_error", format!("the PAC file: {trouble}"))
        .code("P42")
        .detail("`upstream` of [proxy] in config.toml is used while it gives no answer")
}

/// The target is this proxy.
pub(crate) fn own_listener(target: &Authority) -> Refusal {
    Refusal::new(508, "proxy_loop_detected", format!("{target} is this proxy itself")).code("K11")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{
            auth::{
                Scheme,
                choice::{Lack, Method, TicketState},
            },
            challenge,
            origin::Origin,
            page::Why,
            refusal::{MAX_REASON, With},
            stall::Stall,
        },
        net::{dial, tunnel},
        proxy::Trouble,
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
            let told = refused(&upstream, &target, status, b"", None).status;
            assert!((400..=599).contains(&told) && told != 401 && told != 407, "{status}: {told}");
        }
    }

    /// Every refusal there is, with names as hostile as they can be.
    #[expect(clippy::too_many_lines, reason = "one each")]
    fn all() -> Vec<Refusal> {
        let upstream = &Origin::new("https", "p.corp.example:3128").unwrap();
        let target = &Authority::parse("h:443").unwrap();
        let evil = "\u{1b}[31m\r\nX: y\n\u{202e}\"\\<script>";
        let challenges = &challenge::parse(b"Negotiate, NTLM, Odd");
        let (io, method) = (|| std::io::Error::other(evil), Method::Ticket);
        let mut all = vec![silent(upstream), never_answered(upstream, evil)];
        all.extend([
            bug(evil),
            slow_head(),
            stranger(None),
            stranger(Some(7)),
            token_needed(),
            not_there(evil),
            no_status_token(),
            crowded(7),
            no_files(),
            looped(),
            forbidden(target, evil),
            forbidden_to_user(upstream, target),
            too_late(target),
            too_many_upstreams(7),
            no_script(evil),
            own_listener(target),
            bad_request(evil),
            no_credential(upstream),
            user_with_colon(upstream),
            no_turn(upstream),
            store(upstream, &Trouble::Failed(evil.to_owned())),
            store(upstream, &Trouble::Locked),
            bad_challenge(upstream, method, evil),
            closed_within_login(upstream, method),
            endless_login(upstream),
            forgets_login(upstream),
            body_was_sent(upstream),
            direct_407(target),
            bad_answer(evil, &evil),
            no_answer(evil),
            empty_answer(evil),
            cut_off(Some(upstream), target, 7),
            cut_off(None, target, 7),
            stalled(Some(upstream), target, Stall::Unanswered),
            stalled(None, target, Stall::Forgotten(std::time::Duration::from_secs(300))),
            stopped(evil, Stall::Stopped),
            stalled(None, target, Stall::Drips),
            stalled(
                None,
                target,
                Stall::GivenUp { after: std::time::Duration::from_secs(10), is_begun: false },
            ),
            stalled(
                Some(upstream),
                target,
                Stall::GivenUp { after: std::time::Duration::from_secs(10), is_begun: true },
            ),
            handshake(upstream, &tunnel::Error::Silent),
            handshake(upstream, &tunnel::Error::WebPage),
            handshake(upstream, &tunnel::Error::Broken(io())),
            handshake(upstream, &tunnel::Error::NotHttp(http1::Error::Malformed("x"))),
            unreachable(target, &dial::Error::NoName),
            unreachable(target, &dial::Error::Other(io())),
            upstream_unreachable(upstream, &dial::Error::Refused),
            upstream_unreachable(upstream, &dial::Error::Other(io())),
        ]);
        all.extend(
            [None, Some(Why::Locked), Some(Why::Expired)].map(|why| rejected(upstream, evil, why)),
        );
        all.extend(
            [Lack::Account, Lack::NoChallenge, Lack::Unsupported]
                .map(|what| lack(upstream, &what, challenges)),
        );
        all.extend((100..=999).map(|status| {
            refused(upstream, target, status, evil.as_bytes(), Some("120".to_owned()))
        }));
        all
    }

    #[test]
    fn every_refusal_can_be_read_by_go_git_and_people() {
        for mut refusal in all() {
            refusal.is_about("http://p:3128".to_owned());
            let text = String::from_utf8(refusal.encode(With::Body)).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let reason = head.lines().next().unwrap().splitn(3, ' ').nth(2).unwrap();
            assert!(reason.starts_with("gocred") && reason.len() <= MAX_REASON, "{text}");
            let start = format!("gocred; error={}; next-hop=\"http://p:3128\"", refusal.error);
            let value = head.lines().find_map(|line| line.strip_prefix("Proxy-Status: "));
            let value = value.unwrap();
            assert!(value.starts_with(&start) && value.is_ascii(), "{text}");
            assert_eq!(value.replace("\\\"", "").matches('"').count(), 4, "{text}");
            assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
            assert!((1..=8).contains(&body.lines().count()), "{text}");
            assert!(!head.contains("\r\nX: ") && !body.contains("\nX: "), "{text}");
            let rest = text.replace("\r\n", "").replace('\n', "");
            assert!(!rest.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text}");
        }
    }

    #[test]
    fn what_an_upstream_says_of_itself_gets_its_own_code() {
        let upstream = Origin::new("http", "p:3128").unwrap();
        let target = Authority::parse("h:443").unwrap();
        for (status, code, after) in
            [(503, "P14", true), (429, "P16", true), (403, "P10", false), (504, "P15", false)]
        {
            let refusal = refused(&upstream, &target, status, b"", Some("7".to_owned()));
            let text = String::from_utf8(refusal.encode(With::Body)).unwrap();
            assert_eq!(refusal.code, Some(code));
            assert_eq!(text.contains("\r\nRetry-After: 7\r\n"), after, "{text}");
            assert!(text.contains(&format!("; received-status={status};")), "{text}");
        }
        assert_eq!(refused(&upstream, &target, 503, b"", None).code, Some("P12"));
        for (why, code) in [(None, "P02"), (Some(Why::Locked), "P34"), (Some(Why::Expired), "P35")]
        {
            assert_eq!(rejected(&upstream, "ana", why).code, Some(code));
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
