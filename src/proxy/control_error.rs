//! Why the control socket gives no answer: the same words on every system.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why there is no control socket, or no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// Another proxy of this user runs.
    #[error("a proxy of yours is already running")]
    Running,
    /// No proxy of this user runs.
    #[error("no proxy of yours is running")]
    NotRunning,
    /// Somebody else could change what is in the folder.
    #[error("{} belongs to another user", .0.display())]
    Foreign(PathBuf),
    /// Others than this user can look into the folder, and it is not one of ours to close.
    #[error("{} is open to others than you", .0.display())]
    Open(PathBuf),
    /// The proxy is there and does not answer in its protocol.
    #[error("the proxy does not answer on its control socket")]
    Silent,
    /// The proxy could not use the new configuration, and goes on with the old one.
    #[error("the proxy goes on with its old settings: {0}")]
    Refused(String),
    /// A file cannot be used.
    #[error(transparent)]
    Io(#[from] io::Error),
}
