//! Layer 5: the only layer that talks to people.

#[cfg(all(unix, feature = "full"))]
pub mod agent_cmd;
#[cfg(all(not(unix), feature = "full"))]
#[path = "agent_none.rs"]
pub mod agent_cmd;
#[cfg(all(unix, feature = "full"))]
pub(crate) mod agent_desk;
#[cfg(feature = "full")]
pub mod audit_cmd;
#[cfg(feature = "full")]
pub(crate) mod browser;
#[cfg(feature = "full")]
pub mod config_cmd;
#[cfg(feature = "full")]
pub(crate) mod daemon;
#[cfg(feature = "full")]
pub mod doctor;
#[cfg(feature = "full")]
pub(crate) mod engine;
#[cfg(feature = "full")]
pub mod env_cmd;
#[cfg(all(target_os = "linux", feature = "full"))]
pub mod exec;
#[cfg(all(not(target_os = "linux"), feature = "full"))]
#[path = "exec_none.rs"]
pub mod exec;
#[cfg(feature = "full")]
pub mod export;
pub mod git;
#[cfg(feature = "full")]
pub mod goauth;
#[cfg(feature = "full")]
pub(crate) mod goauth_sources;
#[cfg(feature = "full")]
pub(crate) mod goproxy_secrets;
#[cfg(feature = "full")]
pub mod helper_cmd;
#[cfg(feature = "full")]
pub mod import;
#[cfg(feature = "full")]
pub(crate) mod keyring;
#[cfg(all(target_os = "linux", feature = "full"))]
pub(crate) mod keyring_unlock;
#[cfg(feature = "full")]
pub mod list;
#[cfg(feature = "full")]
pub mod login;
#[cfg(feature = "full")]
pub mod logout;
#[cfg(feature = "full")]
pub mod man;
#[cfg(feature = "full")]
pub(crate) mod mirror;
#[cfg(feature = "full")]
pub mod neighbour;
#[cfg(feature = "full")]
pub(crate) mod parts;
#[cfg(feature = "full")]
pub mod proxy_cmd;
#[cfg(feature = "full")]
pub mod renew_worker;
#[cfg(feature = "full")]
mod revoke;
#[cfg(feature = "full")]
pub mod setup;
#[cfg(feature = "full")]
pub(crate) mod sources;
#[cfg(feature = "full")]
pub mod status;
#[cfg(feature = "full")]
pub mod store_cmd;
#[cfg(feature = "full")]
pub mod switch;
#[cfg(feature = "full")]
pub mod token;
pub mod ui;
#[cfg(feature = "full")]
pub mod undo;
#[cfg(feature = "full")]
pub mod unlock;
#[cfg(feature = "full")]
pub(crate) mod vault;
#[cfg(feature = "full")]
pub(crate) mod wiring;

use crate::{
    core::{
        config::{Config, Place},
        fault::{Fault, Kind},
    },
    sys::{env::Env, files, paths::Paths},
};
#[cfg(feature = "full")]
use crate::{store::Desk, sys::clock};

/// What every command starts from, read once.
#[derive(Clone, Debug)]
pub struct Context {
    /// The environment at the start.
    pub env: Env,
    /// Where the files are.
    pub paths: Paths,
    /// `config.toml`.
    pub config: Config,
}

impl Context {
    /// Returns what a store is opened with.
    #[cfg(feature = "full")]
    pub(crate) fn desk(&self) -> Desk<'_> {
        let Self { env, paths, config } = self;
        Desk { env, paths, config }
    }
}

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Exit 0.
    Yes,
    /// The answer is no: exit 1.
    No,
    /// It ends as a program did that it ran.
    #[cfg(feature = "full")]
    Exit(u8),
}

/// What a command returns.
pub type Outcome = Result<Answer, Fault>;

/// Moves a record of ours that is damaged aside, so that nothing of it is lost and the next run can
/// start a new one.
#[cfg(feature = "full")]
pub(crate) fn set_aside(fault: Fault, file: &std::path::Path) -> Fault {
    match files::move_aside(file, clock::now()) {
        Ok(aside) => fault
            .cause(format!("it was moved to {}", aside.display()))
            .hint("run the command again: it starts a new record"),
        Err(_) => fault,
    }
}

/// The largest `config.toml` that is read, in bytes.
pub(crate) const MAX_CONFIG: u64 = 1024 * 1024;

/// Reads the administrator's `config.toml` and the user's; a missing file says nothing.
pub fn config(paths: &Paths) -> Result<Config, Fault> {
    let unreadable = |place, cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, format!("{} cannot be read", owned(place)))
            .cause(cause)
            .at(file(paths, place).display())
    };
    let text = |place| {
        let bytes = match place {
            Place::System => files::read_of_administrator(&paths.system_config, MAX_CONFIG),
            Place::User => files::read(&paths.config, MAX_CONFIG),
        };
        let bytes = bytes.map_err(|error| unreadable(place, &error))?;
        let text = bytes.map(String::from_utf8).transpose();
        text.map_err(|_| unreadable(place, &"it is not UTF-8"))
    };
    let (system, user) = (text(Place::System)?, text(Place::User)?);
    let config = Config::merge(system.as_deref(), user.as_deref()).map_err(|error| {
        let file = file(paths, error.place).display();
        let hint = match error.place {
            Place::System => "the administrator of this machine wrote it".to_owned(),
            Place::User => format!("run `\"${{EDITOR:-vi}}\" +{} '{file}'`", error.line),
        };
        Fault::new(Kind::Config, format!("{} is wrong", owned(error.place)))
            .cause(&error.what)
            .at(format!("{file}:{}", error.line))
            .hint(hint)
    })?;
    Ok(config.at_home(&paths.home))
}

fn owned(place: Place) -> &'static str {
    match place {
        Place::System => "the configuration of this machine",
        Place::User => "your configuration",
    }
}

/// Returns the file of a place.
pub(crate) fn file(paths: &Paths, place: Place) -> &std::path::Path {
    match place {
        Place::System => &paths.system_config,
        Place::User => &paths.config,
    }
}

/// Refuses what would set a key that the administrator has locked: a flag, or a login.
#[cfg(feature = "full")]
pub(crate) fn refuse_locked(what: &str, key: &[&str], context: &Context) -> Result<(), Fault> {
    let Some(line) = context.config.origins.lock_on(key) else { return Ok(()) };
    let file = context.paths.system_config.display();
    Err(Fault::new(
        Kind::Policy,
        format!("{what}: the administrator has locked `{}`", key.join(".")),
    )
    .at(format!("{file}:{line}"))
    .hint("gocred config show --origin"))
}
