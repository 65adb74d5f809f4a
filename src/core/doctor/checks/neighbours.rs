//! What other programs know and the tools do not, and checks that are switched off. E59, E60.

use crate::core::doctor::{
    checks::{DIRECT, Facts, fix},
    finding::{Finding, Kind, Severity, Tool},
    place::Place,
};

/// Returns what is noticed.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        unchecked(facts).or_else(|| careless(facts)).into_iter().collect();
    found.extend(known_to_others(facts));
    found
}

/// E59: whoever is on the way may be the server.
fn unchecked(facts: &Facts<'_>) -> Option<Finding> {
    let start = |place: Place, observed: String, cause: String| {
        facts
            .finding("E59", Severity::Warning, cause)
            .seen(Kind::File, place, observed, "not set, and the authority installed")
            .affects(&[Tool::Git, Tool::Go])
            .reproduce("git config --show-origin --get-regexp sslverify")
    };
    let is_off = |value: &str| matches!(value, "false" | "0" | "no" | "off");
    let own = facts.machine.git_config.iter().chain(&facts.machine.git_here);
    let entries = own.rev().filter(|entry| {
        entry.key.starts_with("http.")
            && entry.key.ends_with("sslverify")
            && is_off(entry.value.raw())
    });
    let mut found = entries.map(|entry| {
        let why = format!(
            "{} ({}) makes git take any certificate: whoever is on the way reads the login.",
            entry.key, entry.place
        );
        let finding = start(entry.place.clone(), format!("{}={}", entry.key, entry.value), why);
        fix::git(facts, finding, entry, None)
    });
    if let Some(value) = facts.machine.variable("GIT_SSL_NO_VERIFY") {
        let place = Place::Variable("GIT_SSL_NO_VERIFY".to_owned());
        let why = "GIT_SSL_NO_VERIFY makes git take any certificate: whoever is on the way reads the login.";
        let finding = start(place, value.to_string(), why.to_owned());
        let finding = fix::variable(facts, finding, "GIT_SSL_NO_VERIFY", None);
        return Some(found.fold(finding, Finding::with_changes_of));
    }
    let first = found.next()?;
    Some(found.fold(first, Finding::with_changes_of))
}

/// E59 of a program beside go and git: what it downloads runs on this machine, too.
fn careless(facts: &Facts<'_>) -> Option<Finding> {
    let (program, place) = facts.machine.careless.first()?;
    let (setting, command) = match *program {
        "npm" => ("strict-ssl=false", "npm config delete strict-ssl"),
        _ => ("trusted-host", "pip config unset global.trusted-host"),
    };
    let cause = format!(
        "{setting} ({place}) makes {program} take any certificate: whoever is on the way changes what it installs."
    );
    let finding = facts
        .finding("E59", Severity::Warning, cause)
        .seen(Kind::File, place.clone(), setting, "not set, and the authority installed")
        .reproduce(format!(
            "grep -n '{}' ~/.npmrc ~/.config/pip/pip.conf",
            setting.split('=').next().unwrap_or_default()
        ))
        .run(command);
    Some(finding)
}

/// E60: apt, npm or pip go through a proxy, and go and git do not know it.
fn known_to_others(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let has_own = facts.first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]).is_some()
        || machine.git_value("http.proxy").is_some();
    let (program, value, place) = machine.neighbours.first().filter(|_| !has_own)?;
    let cause = format!(
        "{program} goes through the proxy {value} ({place}); go and git are not told of it."
    );
    let finding = facts
        .finding("E60", Severity::Info, cause)
        .seen(Kind::File, place.clone(), value.to_string(), "HTTPS_PROXY, too")
        .seen(
            Kind::Variable,
            Place::Variable("HTTPS_PROXY".to_owned()),
            "not set",
            value.to_string(),
        )
        .affects(&[Tool::Go, Tool::Git, Tool::Curl])
        .reproduce("env | grep -i _proxy")
        .explains(DIRECT);
    let is_plain = value.to_string() == value.raw();
    Some(finding.run(if is_plain {
        format!("export HTTPS_PROXY={}", fix::quoted(value.raw()))
    } else {
        "gocred login --proxy http://HOST:PORT".to_owned()
    }))
}
