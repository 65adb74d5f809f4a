//! Layer 5: the only layer that talks to people.

#[cfg(feature = "full")]
pub(crate) mod daemon;
#[cfg(feature = "full")]
pub mod env_cmd;
pub mod git;
#[cfg(feature = "full")]
pub mod goauth;
#[cfg(feature = "full")]
pub mod import;
#[cfg(feature = "full")]
pub(crate) mod keyring;
#[cfg(feature = "full")]
pub mod list;
#[cfg(feature = "full")]
pub mod login;
#[cfg(feature = "full")]
pub mod logout;
#[cfg(feature = "full")]
pub mod man;
#[cfg(feature = "full")]
pub mod proxy_cmd;
#[cfg(feature = "full")]
pub mod setup;
#[cfg(feature = "full")]
pub mod status;
pub mod ui;
#[cfg(feature = "full")]
pub mod undo;
#[cfg(feature = "full")]
pub(crate) mod wiring;

#[cfg(feature = "full")]
use crate::sys::clock;
use crate::{
    core::{
        config::Config,
        fault::{Fault, Kind},
    },
    sys::{env::Env, files, paths::Paths},
};

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

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Exit 0.
    Yes,
    /// The answer is no: exit 1.
    No,
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

/// Reads `config.toml`; a missing file is the default configuration.
pub fn config(paths: &Paths) -> Result<Config, Fault> {
    let file = paths.config.display();
    let unreadable = |cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, "your configuration cannot be read").cause(cause).at(&file)
    };
    let Some(bytes) = files::read(&paths.config, MAX_CONFIG).map_err(|error| unreadable(&error))?
    else {
        return Ok(Config::default());
    };
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8"))?;
    let config = Config::parse(&text).map_err(|error| {
        Fault::new(Kind::Config, "your configuration is wrong")
            .cause(&error.what)
            .at(format!("{file}:{}", error.line))
            .hint(format!("run `\"${{EDITOR:-vi}}\" +{} '{file}'`", error.line))
    })?;
    Ok(config.at_home(&paths.home))
}
