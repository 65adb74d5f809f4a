//! What the front did and does, for `gocred proxy status` and `gocred proxy top`. Fields are only ever
//! added.

use serde::{Deserialize, Serialize};

use crate::proxy::Finding;

/// The front's part of the report.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct FrontReport {
    /// Where it listens.
    pub listen: Vec<String>,
    /// Whom it asks, in the order of the list.
    pub upstreams: Vec<FrontUpstream>,
    /// What is left to go where none of them has it: `direct` or `off`; `None`: the list ends before.
    #[serde(default)]
    pub then: Option<String>,
    /// Since the start.
    pub totals: FrontTotals,
    /// What is under way, oldest first.
    pub transfers: Vec<Transfer>,
    /// The last things that went wrong, oldest first.
    pub findings: Vec<Finding>,
}

/// One module proxy behind the front.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct FrontUpstream {
    /// Its URL.
    pub url: String,
    /// `good`, or that it is out of order, and until when.
    pub health: String,
    /// `untried`, `none` (no credential is known for it), `unreadable` (the store does not answer),
    /// `accepted`, or `refused`.
    pub credential: String,
    /// Questions that it answered, also with a refusal of its own.
    pub answered: u64,
    /// Questions that it did not answer, or not in time.
    pub failed: u64,
    /// Connections that wait to be used again.
    pub kept: u64,
}

impl FrontUpstream {
    /// One whose host is no name, so that nobody asks it.
    pub(super) fn named(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }
}

/// The sums of a [`FrontReport`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct FrontTotals {
    /// Requests of clients.
    pub requests: u64,
    /// Those that got an answer, also that nobody has it.
    pub answered: u64,
    /// Those that got a refusal of the front.
    pub refused: u64,
    /// Bodies that broke off after their beginning had reached the client.
    pub broken: u64,
    /// Questions that were put again after a failure that passes.
    pub retries: u64,
    /// Connections made to upstreams and to whom they redirect.
    pub connections: u64,
    /// Bytes of bodies that reached clients.
    pub bytes: u64,
    /// How the requests ended that have.
    #[serde(default)]
    pub outcomes: FrontOutcomes,
}

/// How many requests ended how. One that is under way is none of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct FrontOutcomes {
    /// With an answer of an upstream.
    pub answered: u64,
    /// With 404 or 410, of an upstream or because the rest is left to go.
    pub missing: u64,
    /// With a refusal of the front.
    pub refused: u64,
    /// With an answer that broke off.
    pub broken: u64,
    /// Without a client that still waited for it.
    pub gone: u64,
}

/// One answer under way.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Transfer {
    /// Its number, which no other has.
    pub id: u64,
    /// Who asks: what the client says it is, and its port.
    pub who: String,
    /// What is asked for, such as `example.com/m@v1.2.3.zip`.
    pub what: String,
    /// Who is asked; empty before anybody is.
    pub upstream: String,
    /// `waiting`, `connecting`, `asking`, `receiving`, `retrying`.
    pub stage: String,
    /// Bytes of the body so far.
    pub bytes: u64,
    /// How many there will be, where it is known.
    pub total: Option<u64>,
    /// How long it has taken so far.
    pub millis: u64,
}
