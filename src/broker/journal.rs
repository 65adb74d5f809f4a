//! What is released is written down first.

use thiserror::Error;

use crate::{
    broker::{Broker, Question},
    core::{account::Rule, credential::Record, gitproto::receipt::Source},
    store,
};

/// Writes down what is about to be released. Who asks, its maker knows.
pub trait Journal: Send {
    /// Writes a release down, before the answer leaves [`Broker::ask`].
    fn record(&mut self, release: &Release<'_>) -> Result<(), Unrecorded>;
}

/// A credential that is about to be released.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The credential.
    pub record: &'a Record,
    /// Where it comes from.
    pub source: Source,
    /// The question, as it was asked.
    pub question: &'a Question<'a>,
    /// The rule that chose the account, if one did.
    pub rule: Option<&'a Rule>,
}

/// It could not be written down, and must therefore not be released.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("what is released must be written down first, and cannot be: {0}")]
pub struct Unrecorded(pub String);

impl Broker<'_> {
    /// Writes a release down, where there is a journal.
    pub(super) fn release(&mut self, release: &Release<'_>) -> Result<(), store::Error> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.record(release).map_err(|unrecorded| store::Error::Withheld {
            code: "K15",
            what: unrecorded.to_string(),
        })
    }
}
