//! `gocred unlock` and `gocred lock`: the keys of the stores, for every program.

use crate::{
    cli::Unlock,
    core::{
        choice::Choice,
        fault::{Fault, Kind},
    },
    front::{self, Answer, Context, Outcome, keyring, ui},
    store,
};

/// Runs `gocred unlock`.
pub fn run(arguments: &Unlock, context: &Context) -> Outcome {
    let choice = match &arguments.store {
        Some(name) => Choice::parse(name)
            .ok_or_else(|| Fault::new(Kind::Usage, "there is no store of this name"))?,
        None => store::choice(&context.env, &context.config).map_err(keyring::fault)?,
    };
    if choice != Choice::Keyring {
        return Err(front::unbuilt("gocred unlock of another store than the keyring"));
    }
    keyring(context)
}

/// Unlocks the keyring of the system, or creates it.
#[cfg(target_os = "linux")]
fn keyring(context: &Context) -> Outcome {
    use crate::front::keyring_unlock::{Done, unlock};
    ui::out(match unlock(context)? {
        Done::Created => "a new keyring was created; it is open until you log out",
        Done::Nothing => "the keyring is open",
        Done::Unlocked => "the keyring is open until you log out",
    });
    Ok(Answer::Yes)
}

/// The system unlocks it when its user logs in.
#[cfg(not(target_os = "linux"))]
fn keyring(_context: &Context) -> Outcome {
    ui::out("the keyring of this system opens when you log in");
    Ok(Answer::Yes)
}

/// Runs `gocred lock`.
pub fn lock(_context: &Context) -> Outcome {
    Err(front::unbuilt("gocred lock"))
}
