//! The control socket where there are no Unix sockets: there is none yet.

use std::{convert::Infallible, io, path::Path};

use thiserror::Error;

use crate::proxy::{Proxy, Report};

/// Why there is no answer.
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
    Foreign(std::path::PathBuf),
    /// The proxy is there and does not answer in its protocol.
    #[error("the proxy does not answer on its control socket")]
    Silent,
    /// There is no control socket on this system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The control socket of a running proxy.
#[derive(Debug)]
pub struct Control(Infallible);

impl Control {
    /// There is none to take.
    pub fn bind(_path: &Path) -> Result<Self, Error> {
        Err(unsupported())
    }

    /// Answers until the runtime ends.
    pub async fn serve(&self, _proxy: &Proxy) {
        match self.0 {}
    }
}

/// There is nobody to ask.
pub fn status(_path: &Path) -> Result<Report, Error> {
    Err(unsupported())
}

/// There is nobody to ask.
pub fn url(_path: &Path) -> Result<String, Error> {
    Err(unsupported())
}

/// There is nobody to stop.
pub fn stop(_path: &Path) -> Result<(), Error> {
    Err(unsupported())
}

fn unsupported() -> Error {
    io::Error::from(io::ErrorKind::Unsupported).into()
}
