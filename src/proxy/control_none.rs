//! The control socket where there are no Unix sockets: there is none yet.

use std::{convert::Infallible, io, path::Path};

use tokio::sync::{mpsc, oneshot};

pub use crate::proxy::control_error::Error;
use crate::proxy::{Proxy, Report};

/// Somebody who waits until the configuration was read anew; the error is what is wrong with it.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// How many threads answer.
pub const THREADS: usize = 8;

/// The control socket of a running proxy.
#[derive(Debug)]
pub struct Control(Infallible);

impl Control {
    /// There is none to take.
    pub fn bind(_path: &Path) -> Result<Self, Error> {
        Err(unsupported())
    }

    /// Answers until the runtime ends.
    pub async fn serve(&mut self, _proxy: &Proxy, _reloads: mpsc::Sender<Reload>) {
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

/// There is nobody to ask.
pub fn goproxy(_path: &Path) -> Result<String, Error> {
    Err(unsupported())
}

/// There is nobody to ask.
pub fn page(_path: &Path) -> Result<String, Error> {
    Err(unsupported())
}

/// There is nobody to tell.
pub fn reload(_path: &Path) -> Result<(), Error> {
    Err(unsupported())
}

/// There is nobody to stop.
pub fn stop(_path: &Path) -> Result<(), Error> {
    Err(unsupported())
}

/// There is nobody to stop.
pub fn stop_agent(_path: &Path) -> Result<(), Error> {
    Err(unsupported())
}

fn unsupported() -> Error {
    io::Error::from(io::ErrorKind::Unsupported).into()
}
