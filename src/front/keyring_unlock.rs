//! Opens the keyring for a person at a terminal: asks for its password, or for that of a new one.
//!
//! It deliberately opens no window and unlocks nothing on a question of git or go.

use crate::{
    core::{
        fault::{Fault, Kind},
        secret::{ExposeSecret, SecretString},
    },
    front::{Context, keyring, login::prompt, ui},
    store::{
        Error,
        gnome::{Gnome, Opened, State},
    },
};

/// So often a password may be mistyped.
const TRIES: usize = 3;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// A new one was created; it is open.
    Created,
    /// It was open before.
    Nothing,
    /// It was unlocked.
    Unlocked,
}

/// Unlocks the keyring; in an account that has none it is created.
pub(crate) fn unlock(context: &Context) -> Result<Done, Fault> {
    let mut gnome = gnome(context);
    match gnome.state().map_err(keyring::fault)? {
        State::Open => Ok(Done::Nothing),
        State::Elsewhere => Err(elsewhere()),
        State::Locked | State::Absent if !prompt::is_attended(&context.env) => Err(unattended()),
        State::Locked => ask(&mut gnome),
        State::Absent => create(&mut gnome),
    }
}

/// Unlocks or creates it where a person is there to do so, before a login needs it. What is wrong with
/// it otherwise is for the login to find.
pub(crate) fn before_login(context: &Context) -> Result<(), Fault> {
    if !prompt::is_attended(&context.env) {
        return Ok(());
    }
    match gnome(context).state() {
        Ok(State::Locked | State::Absent) => unlock(context).map(drop),
        Ok(State::Open | State::Elsewhere) | Err(_) => Ok(()),
    }
}

fn gnome(context: &Context) -> Gnome {
    Gnome::new(&context.env, context.config.secret_service.session)
}

fn ask(gnome: &mut Gnome) -> Result<Done, Fault> {
    for _ in 0..TRIES {
        let password = prompt::secret("Password of the keyring: ")?;
        match gnome.unlock(&password).map_err(keyring::fault)? {
            Opened::Yes => return Ok(Done::Unlocked),
            Opened::WrongPassword => ui::err("that is not its password"),
        }
    }
    Err(Fault::new(Kind::Store, "the keyring stays locked: none of these was its password")
        .code(Error::Locked.code())
        .hint("often it is the password of your account, or the one before you changed that")
        .hint("run `gocred unlock` to try again"))
}

fn create(gnome: &mut Gnome) -> Result<Done, Fault> {
    ui::err(
        "this account has no keyring yet; a new one is created\n\
         with the password of your account, your desktop opens it for you when you log in",
    );
    for _ in 0..TRIES {
        let password = prompt::secret("Password of the new keyring: ")?;
        if password.expose_secret().is_empty() {
            // gnome-keyring-daemon keeps the secrets of such a keyring in clear text.
            ui::err("without a password it would not be encrypted");
            continue;
        }
        if is_same(&password, &prompt::secret("The same again: ")?) {
            gnome.create(&password).map_err(keyring::fault)?;
            return Ok(Done::Created);
        }
        ui::err("these are two different passwords");
    }
    Err(Fault::new(Kind::Store, "no keyring was created")
        .code(Error::NoCollection.code())
        .hint("run `gocred unlock` to try again"))
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

fn elsewhere() -> Fault {
    Fault::new(Kind::Store, "the keyring is locked, and takes its password in its own window only")
        .code(Error::Locked.code())
        .hint("open the application that provides it, such as KeePassXC, and unlock it there")
        .hint("`gocred status --store` shows which stores this machine has")
}

fn unattended() -> Fault {
    Fault::new(Kind::Store, "the keyring is locked, and nobody is at the terminal to unlock it")
        .code(Error::Locked.code())
        .hint("run `gocred unlock` in a terminal")
}
