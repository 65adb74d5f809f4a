//! Which account a login was, where an origin did not take it: a stale one, one of several, one that belongs
//! to another port.
//!
//! Of secrets nothing is looked at but the date that a JSON web token carries.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;

use super::{STATUSES, answered, login_command};
use crate::core::{
    doctor::{
        checks,
        finding::{Confidence, Finding, Kind, Tool},
        gitstore,
        judge::Case,
        leg::{Leg, Why},
        machine::Account,
        place::Place,
        plan::second,
        probe::Http,
        route::Login,
        shell::quoted,
    },
    origin::Origin,
};

/// 401, and this login was sent.
pub(super) fn rejected(leg: &Leg<'_>, http: &Http, login: &Login, case: &Case<'_>) -> Finding {
    let host = leg.origin_endpoint();
    let user = if login.user.is_empty() { String::new() } else { format!(" of {}", login.user) };
    let place = &login.place;
    if let Some(since) = ended(login, leg, case) {
        let days = case.machine.now.saturating_sub(since) / 86_400;
        let reason = format!(
            "the token{user} that {place} gives for {host} ended {days} days ago, by its own date."
        );
        return answered("A31", reason, leg, http)
            .explains(&["A02", "A15", "G07"])
            .run(login_command(leg));
    }
    let is_module = leg.purpose.is_module() || leg.purpose.is_sumdb();
    let (code, reason) = if is_module {
        ("A15", format!("the module proxy {host} does not take the login{user} of {place}."))
    } else if leg.tool == Tool::Git && is_helper(place, case) {
        if let Some(finding) = one_of_several(leg, http, login, case) {
            return finding;
        }
        let reason = format!(
            "the helper of {place} answers with a login{user} that {host} does not take: it is stale or wrong."
        );
        ("G07", reason)
    } else {
        ("A02", format!("{host} does not take the login{user} of {place}: it is stale or wrong."))
    };
    let finding = answered(code, reason, leg, http)
        .seen(Kind::File, place.clone(), format!("a login{user}"), "one that the server takes")
        .explains(STATUSES)
        .run(login_command(leg));
    behind(finding, leg, case)
}

/// A netrc may have another entry for the host, which does not count behind the one that was rejected.
fn behind(finding: Finding, leg: &Leg<'_>, case: &Case<'_>) -> Finding {
    let tried = leg.also(Why::Second).and_then(|also| also.seen.http.as_ref()?.status);
    let (Some(status), Some(second)) = (tried, second::of(leg, case.machine)) else {
        return finding;
    };
    let place = second.login.place.clone();
    if status != 200 {
        let observed = format!("another entry for the same host: {status} with its login");
        return finding.seen(Kind::File, place, observed, "200");
    }
    let observed = "another entry for the same host, which the server takes";
    let finding = finding.seen(Kind::File, place, observed, "the first one counts");
    checks::before(case.machine, finding, &second)
}

/// 401 to one of several users of git-credential-store's file: git takes the first that fits.
fn one_of_several(leg: &Leg<'_>, http: &Http, login: &Login, case: &Case<'_>) -> Option<Finding> {
    let asked = &leg.asked.link.origin;
    let stored = gitstore::all(case.machine);
    let own = || stored.iter().filter(|it| it.origin == *asked);
    let first = own().find(|it| it.user == login.user)?;
    let next = own().find(|it| it.user != login.user)?;
    let host = leg.origin_endpoint();
    let reason = format!(
        "{host} does not take the login of {} of {}, and git asks with no other: that of {} of {} stands behind it.",
        login.user, first.place, next.user, next.place
    );
    let finding = answered("A30", reason, leg, http)
        .confidence(Confidence::Likely)
        .seen(
            Kind::File,
            first.place.clone(),
            format!("a login of {}", first.user),
            "one that the server takes",
        )
        .seen(Kind::File, next.place.clone(), format!("a login of {}", next.user), "")
        .explains(STATUSES);
    let value = quoted(&next.user);
    Some(finding.run(format!("git config --global credential.{asked}.username {value}")))
}

/// 401, nothing was sent, and git's store has a login for another port or scheme of the host.
fn stored_elsewhere(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let asked = &leg.asked.link.origin;
    let stored = gitstore::all(case.machine);
    if leg.tool != Tool::Git || stored.iter().any(|it| it.origin == *asked) {
        return None;
    }
    let other = stored.iter().find(|it| it.origin.host() == asked.host())?;
    let reason = format!(
        "{} has a login for {}, and {asked} is another origin: a login is given to exactly the one that it is for.",
        other.place, other.origin
    );
    let finding = answered("A33", reason, leg, http)
        .seen(Kind::File, other.place.clone(), other.origin.to_string(), asked.to_string())
        .explains(&["A01", "A03", "A14"]);
    Some(finding.run(login_command(leg)))
}

/// 401, nothing was sent, and gocred keeps a login for another port or scheme of the host.
pub(super) fn elsewhere(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let asked = &leg.asked.link.origin;
    if let Some(finding) = stored_elsewhere(leg, http, case) {
        return Some(finding);
    }
    let accounts = || case.machine.gocred.accounts.iter().filter(|account| !account.is_proxy);
    let is_known = |origin: &Origin| accounts().any(|one| origin_of(one).as_ref() == Some(origin));
    if is_known(asked) {
        return None;
    }
    let other = accounts().find(|account| {
        origin_of(account).is_some_and(|origin| origin.host() == asked.host() && origin != *asked)
    })?;
    let reason = format!(
        "gocred has a login for {}, and {} is another origin: a login is given to exactly the one that it is for.",
        other.origin, asked
    );
    let finding = answered("A33", reason, leg, http)
        .seen(
            Kind::File,
            Place::Store(case.machine.gocred.store),
            &*other.origin,
            asked.to_string(),
        )
        .explains(&["A01", "A03", "A14"]);
    Some(finding.run(login_command(leg)))
}

/// 403 or 404 to one of several accounts.
pub(super) fn other(leg: &Leg<'_>, http: &Http, login: &Login, case: &Case<'_>) -> Option<Finding> {
    let asked = &leg.asked.link.origin;
    let accounts = case.machine.gocred.accounts.iter().filter(|account| {
        !account.is_proxy && account.hidden.is_none() && origin_of(account).as_ref() == Some(asked)
    });
    let others: Vec<&str> = accounts.map(|account| account.user.as_str()).collect();
    if others.len() < 2 || !matches!(login.place, Place::Store(_)) {
        return None;
    }
    let host = leg.origin_endpoint();
    let reason = format!(
        "{host} does not let {} read this; gocred has {} accounts for it: {}.",
        login.user,
        others.len(),
        others.join(", ")
    );
    let next = others.iter().find(|user| **user != login.user)?;
    let finding = answered("A30", reason, leg, http).confidence(Confidence::Likely);
    Some(
        finding
            .explains(&["A04", "A05", "H19", "H20", "H21"])
            .run(format!("git config --global credential.{asked}.username {}", quoted(next))),
    )
}

/// Returns when a login ended, where it has.
fn ended(login: &Login, leg: &Leg<'_>, case: &Case<'_>) -> Option<u64> {
    let asked = &leg.asked.link.origin;
    let stored = || {
        let mut accounts = case.machine.gocred.accounts.iter();
        let account = accounts.find(|account| {
            account.user == login.user && origin_of(account).as_ref() == Some(asked)
        })?;
        account.expires.filter(|_| matches!(login.place, Place::Store(_)))
    };
    stored().or_else(|| dated(login)).filter(|at| *at < case.machine.now)
}

/// Returns the `exp` of a JSON web token (RFC 7519 §4.1.4).
fn dated(login: &Login) -> Option<u64> {
    let secret = login.secret.expose_secret();
    let token = secret.split_once(' ').map_or(secret, |(_, token)| token);
    let payload = token.split('.').nth(1).filter(|_| token.starts_with("ey"))?;
    let payload: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    payload.get("exp")?.as_u64()
}

/// Whether a place is a helper's: its line of git's configuration, or gocred's store.
fn is_helper(place: &Place, case: &Case<'_>) -> bool {
    let is_key = |key: &str| key.starts_with("credential.") && key.ends_with("helper");
    let mut values = case.machine.git_config.iter();
    matches!(place, Place::Store(_)) || values.any(|own| is_key(&own.key) && own.place == *place)
}

/// An account's origin, without the path that may follow it.
fn origin_of(account: &Account) -> Option<Origin> {
    Origin::from_url(&account.origin).ok().map(|(origin, _)| origin)
}
