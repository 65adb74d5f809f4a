//! What goes wrong with a login at an upstream.

use crate::{
    core::{
        auth::{
            Scheme,
            choice::{Lack, Method, TicketState},
            floor::Floor,
        },
        challenge::Challenge,
        guard::UNANSWERED,
        origin::Origin,
        page::Why,
        refusal::Refusal,
        target::Authority,
    },
    proxy::Trouble,
};

/// There is no secret for an upstream.
pub(crate) fn no_credential(upstream: &Origin) -> Refusal {
    let who = upstream.authority();
    Refusal::new(502, "http_request_denied", format!("{who} asks for a login, and none is stored"))
        .code("P01")
        .run(login(upstream))
}

/// The secret for an upstream is wrong, or its page says what else is the matter.
pub(crate) fn rejected(upstream: &Origin, user: &str, why: Option<Why>) -> Refusal {
    let who = upstream.authority();
    let denied = |message: String| Refusal::new(502, "http_request_denied", message);
    match why {
        Some(Why::Locked) => denied(format!("{who} says that the account of {user} is locked"))
            .code("P34")
            .detail("have it unlocked; gocred sends nothing there until you sign in again")
            .run(login(upstream)),
        Some(Why::Expired) => denied(format!("{who} says that the password of {user} has expired"))
            .code("P35")
            .detail("change it where you sign in to your computer, then sign in again")
            .run(login(upstream)),
        None => denied(format!("{who} rejected the password of {user}"))
            .code("P02")
            .detail("gocred does not send this password again, so that the account is not locked")
            .run(login(upstream)),
    }
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
        Trouble::Withheld { code: code @ "K15", what: _ } => (*code, "gocred audit verify"),
        Trouble::Withheld { code, what: _ } => (*code, "gocred status"),
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
        .detail(permission(upstream, challenges)),
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

/// Says how the user permits what a proxy offers now. A login does not: who types a password at a
/// prompt does not see what asks for it.
fn permission(upstream: &Origin, challenges: &[Challenge]) -> String {
    let scheme = Floor::of(challenges).map_or(Scheme::Basic, |offer| offer.beside);
    let who = upstream.authority();
    format!(
        "if its operators have changed that: schemes = [\"{scheme}\"] in [upstream.\"{who}\"] of \
         config.toml"
    )
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

/// The upstream took the secret, and broke off or was silent, too often to be given it again.
pub(crate) fn never_answered(upstream: &Origin, user: &str) -> Refusal {
    let who = upstream.authority();
    let message =
        format!("{who} took the password of {user} {UNANSWERED} times without an answer to it");
    Refusal::new(502, "connection_terminated", message)
        .code("P41")
        .detail("gocred does not send this password for now, so that the account is not locked")
        .run(login(upstream))
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

/// The upstream asks for a login again that it has just accepted, for the sake of this target.
pub(crate) fn forbidden_to_user(upstream: &Origin, target: &Authority) -> Refusal {
    let who = upstream.authority();
    let message = format!("{who} accepts your login, and asks for another one for {target}");
    Refusal::new(403, "http_request_denied", message)
        .code("P10")
        .received(407)
        .detail("its operators decide what it lets through; what is inside belongs into `no_proxy`")
}

fn login(upstream: &Origin) -> String {
    format!("gocred login --proxy {upstream}")
}
