//! How a person signs in: a password or token, a code for a browser elsewhere, or the browser here.

use crate::{
    cli::Login,
    core::fault::Fault,
    front::{Context, unbuilt},
};

/// Chooses the method.
pub(super) fn choose(arguments: &Login, _context: &Context) -> Result<(), Fault> {
    let Login { device, web, client_id, scopes, .. } = arguments;
    if *device || *web || client_id.is_some() || !scopes.is_empty() {
        return Err(unbuilt("signing in with OAuth"));
    }
    Ok(())
}
