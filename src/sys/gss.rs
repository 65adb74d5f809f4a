//! Placeholder until the binding lands.
/// A ticket.
pub struct Ticket {
    /// who
    pub principal: String,
    /// when
    pub expires: Option<u64>,
}
/// Why not.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// e
    #[error("expired")]
    Expired,
    /// e
    #[error("{0}")]
    Failed(String),
    /// e
    #[error("no library")]
    NoLibrary,
    /// e
    #[error("no ticket")]
    NoTicket,
}
/// A context.
pub struct Context;
/// A step.
pub struct Step {
    /// t
    pub token: Vec<u8>,
    /// d
    pub done: bool,
}
/// Asks.
pub fn ticket() -> Result<Ticket, Error> {
    Err(Error::NoLibrary)
}
impl Context {
    /// New.
    pub fn new(_: &str, _: Option<&[u8]>) -> Result<Self, Error> {
        Err(Error::NoLibrary)
    }
    /// Step.
    pub fn step(&mut self, _: Option<&[u8]>) -> Result<Step, Error> {
        Err(Error::NoLibrary)
    }
}
