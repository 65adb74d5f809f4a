//! Where a login keeps its secret: the flag, what was chosen before, or what this machine has.

use crate::{
    cli::Login,
    core::{choice::Choice, fault::Fault},
    front::{Context, keyring, unbuilt},
    store,
};

/// Chooses the store, before a person is asked for a secret.
pub(super) fn choose(arguments: &Login, context: &Context) -> Result<(), Fault> {
    if arguments.store.is_some() {
        return Err(unbuilt("gocred login --store"));
    }
    // Stored before it was asked for is stored at all: a fresh token is not lost to a locked keyring.
    match store::choice(&context.env, &context.config).map_err(keyring::fault)? {
        Choice::Keyring if !arguments.with_token => open_keyring(context),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn open_keyring(context: &Context) -> Result<(), Fault> {
    crate::front::keyring_unlock::before_login(context)
}

#[cfg(not(target_os = "linux"))]
fn open_keyring(_context: &Context) -> Result<(), Fault> {
    Ok(())
}
