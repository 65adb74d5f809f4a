//! What the proxy and the engine's process say to each other: one line of JSON each way.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::net::pac::Error;

/// What is known of names: their addresses, or none.
pub(super) type Names = BTreeMap<String, Vec<IpAddr>>;

/// One run.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) names: Names,
    /// How long it may compute.
    pub(super) left: Duration,
}

/// What to run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum Task {
    Find { url: String, host: String, record: Record },
    Load(String),
}

/// Whether the calls of a script are recorded.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) enum Record {
    Calls,
    Nothing,
}

/// How a run ended, and how long it may compute from now on.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Reply {
    pub(super) result: Result<Ended<Said>, Error>,
    pub(super) left: Duration,
}

/// How one run ended.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) enum Ended<T> {
    /// With a result.
    Done(T),
    /// At a name that is not known.
    Missing(String),
    /// At once: no script is loaded.
    Unloaded,
}

/// What one run of a script gave.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
}

/// One call of a function by the script.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The line of the script.
    pub line: Option<u32>,
    /// The function.
    pub function: String,
    /// Its arguments, each as the script would write it.
    pub arguments: Vec<String>,
    /// What it gave back, as the script would write it.
    pub result: String,
}
