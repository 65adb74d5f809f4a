//! Where something was found: what a person opens to look at it.

use std::{fmt, path::PathBuf};

/// A place on this machine, or an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A tool's own default.
    Default(&'static str),
    /// Host and port, or a URL without userinfo.
    Endpoint(String),
    /// A file, and its line where that is known, counted from 1.
    File(PathBuf, Option<usize>),
    /// gocred's store, by the store's name.
    Store(&'static str),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(tool) => write!(f, "the default of {tool}"),
            Self::Endpoint(place) => f.write_str(place),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Store(name) => write!(f, "gocred's store ({name})"),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}
