//! git itself, for a question that only it can answer: whether it logs in at a proxy that offers nothing but Digest or
//! NTLM, which libcurl speaks and our own request does not. It is run once, outside of every repository, where git
//! has a login for the proxy; a wrong one costs one attempt more.

use secrecy::ExposeSecret as _;

use crate::core::doctor::{
    finding::Tool,
    leg::{Failed, Leg},
    machine::Machine,
    probe::{Probe, Ran},
};

/// No folder.
const NOWHERE: &str = "/nonexistent";

/// Whether it came through the proxy: to the references, or to an origin that wants a login of its own.
pub(in crate::core::doctor) fn is_through(ran: &Ran) -> bool {
    ran.code == Some(0) || ran.error.contains("could not read Username")
}

/// Returns what to run after a 407; `None`: there is no such question.
pub(in crate::core::doctor) fn probe(leg: &Leg<'_>, machine: &Machine) -> Option<Probe> {
    let Some(Failed::Connect(connect)) = leg.failed() else { return None };
    let login = leg.proxy()?.login.as_ref()?;
    let has = |scheme: &str| connect.challenges.iter().any(|challenge| challenge.is(scheme));
    let is_open = connect.status == Some(407)
        && !login.secret.expose_secret().is_empty()
        && (has("digest") || has("ntlm"))
        && !has("basic");
    // The proxy of a repository is not the one that git takes outside of it.
    let is_local = machine.git_config.iter().any(|it| it.is_local && it.key.ends_with("proxy"));
    if leg.tool != Tool::Git || !is_open || is_local {
        return None;
    }
    let url = leg.first_link().to_string();
    let url = url.split("/info/refs?").next().unwrap_or_default().to_owned();
    // No helper is asked, so that none is told of a rejected login (`erase`).
    let helpers = "credential.helper=";
    let command = ["git", "-C", "/", "-c", helpers, "ls-remote", "--quiet", "--", &url];
    Some(Probe::Program {
        command: command.map(str::to_owned).to_vec(),
        input: String::new(),
        // An empty GIT_ASKPASS keeps git from every other way to ask (git `prompt.c`). GIT_DIR, set by a hook, would
        // bring a repository in again.
        variables: [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("GIT_DIR", NOWHERE),
            ("GIT_COMMON_DIR", NOWHERE),
            ("LC_ALL", "C"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    })
}
