//! Stub until branch `netrc` is merged.
use std::path::PathBuf;

use crate::{
    core::{credential::Record, origin::Origin},
    store::Error,
    sys::paths::Paths,
};

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Stub.
    Curl,
}

/// Stub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Stub.
    pub file: PathBuf,
    /// Stub.
    pub line: usize,
}

/// Stub.
pub fn find(
    _paths: &Paths,
    _origin: &Origin,
    _dialect: Dialect,
    _login: Option<&str>,
) -> Result<Option<(Record, Provenance)>, Error> {
    Ok(None)
}
