//! git itself, for a question that only it can answer: whether it logs in at a proxy that offers nothing but Digest or
//! NTLM, which libcurl speaks and our own request does not. It is run once, outside of every repository, where git
//! has a login for the proxy; a wrong one costs one attempt more.

use secrecy::ExposeSecret as _;

use crate::core::doctor::{
    finding::Tool,
    leg::{Failed, Leg},
    probe::Probe,
};

/// Returns what to run after a 407; `None`: there is no such question.
pub(in crate::core::doctor) fn probe(leg: &Leg<'_>) -> Option<Probe> {
    let Some(Failed::Connect(connect)) = leg.failed() else { return None };
    let login = leg.proxy()?.login.as_ref()?;
    let has = |scheme: &str| connect.challenges.iter().any(|challenge| challenge.is(scheme));
    let is_open = connect.status == Some(407)
        && !login.secret.expose_secret().is_empty()
        && (has("digest") || has("ntlm"))
        && !has("basic");
    if leg.tool != Tool::Git || !is_open {
        return None;
    }
    let url = leg.first_link().to_string();
    let url = url.split("/info/refs?").next().unwrap_or_default().to_owned();
    let command = ["git", "-C", "/", "ls-remote", "--quiet", "--", &url];
    Some(Probe::Program {
        command: command.map(str::to_owned).to_vec(),
        input: String::new(),
        // An empty one keeps git from every other way to ask (git `prompt.c`).
        variables: [("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    })
}
