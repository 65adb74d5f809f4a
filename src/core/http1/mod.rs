//! HTTP/1.1 messages (RFC 9112), strictly: what two parsers could read differently is an error.
//!
//! No IO and no interpretation beyond framing: whoever reads feeds bytes, however they were split.

mod body;
mod fields;
mod head;

use thiserror::Error;

pub use self::{
    body::{Body, Coding, Framing},
    fields::{Field, Fields},
    head::{Feed, HeadReader, Request, Response, Version},
};

/// The largest head, in bytes, with its line ends.
pub const MAX_HEAD: usize = 64 * 1024;
/// The longest line, in bytes, without its line end.
pub const MAX_LINE: usize = 16 * 1024;
/// The most fields of a head, and of a trailer section.
pub const MAX_FIELDS: usize = 100;

/// Why a message is not taken. Nothing of the message is repeated.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It can be read in two ways, or in none.
    #[error("{0}")]
    Malformed(&'static str),
    /// It is larger than we take.
    #[error("{0}")]
    TooLarge(&'static str),
    /// It is not HTTP/1.0 or HTTP/1.1.
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
}

/// Returns whether a byte may stand in a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
