//! Where a login keeps its secret: the flag, what was chosen before, or what this machine has.

use crate::{
    cli::Login,
    core::fault::Fault,
    front::{Context, unbuilt},
};

/// Chooses the store, before a person is asked for a secret.
pub(super) fn choose(arguments: &Login, _context: &Context) -> Result<(), Fault> {
    if arguments.store.is_some() {
        return Err(unbuilt("gocred login --store"));
    }
    Ok(())
}
