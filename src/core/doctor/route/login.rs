//! What a tool itself sends to an origin: netrc in its own dialect.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        finding::Tool,
        machine::Machine,
        place::Place,
        route::{Link, Login, Scheme},
    },
    netrc,
    secret::SecretString,
};

/// Returns the login.
pub(super) fn of(tool: Tool, link: &Link, machine: &Machine) -> Option<Login> {
    // Go sends nothing of netrc in clear (cmd/go/internal/web `securityMode`).
    if tool == Tool::Go && link.origin.scheme() != "https" {
        return None;
    }
    let path = file(tool, machine)?;
    let text = machine.netrc.get(&path)?.text.as_ref()?.expose_secret().as_bytes();
    let found = match tool {
        Tool::Go => netrc::go::lookup(text, &link.origin.authority()),
        Tool::Git | Tool::Curl => netrc::curl::lookup(text, link.origin.host(), None),
    };
    let found = found.ok().flatten()?;
    Some(Login {
        user: found.login.unwrap_or_default(),
        secret: found.password.unwrap_or_else(|| SecretString::from(String::new())),
        scheme: Scheme::Basic,
        place: Place::File(path, Some(found.line)),
    })
}

/// Returns a tool's netrc file: `$NETRC` counts for Go only.
fn file(tool: Tool, machine: &Machine) -> Option<PathBuf> {
    match machine.variable("NETRC") {
        Some(path) if tool == Tool::Go => Some(PathBuf::from(path.raw())),
        _ => Some(machine.home.as_ref()?.join(".netrc")),
    }
}
