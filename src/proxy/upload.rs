//! The body of a request, from the client to the next hop, one cancellable step at a time.

use std::io;

use crate::{
    core::{
        http1::{Body, Coding, Framing},
        refusal::Refusal,
    },
    net::wire::{HeadError, Reader, Writer, fill},
    proxy::failure,
};

/// The body of a request on its way. Every step may be cancelled; nothing is lost.
pub(crate) struct Upload {
    rest: Body,
    /// Bytes that are ready for the server, and how many of them were written.
    ready: (Vec<u8>, usize),
    begun: Begun,
    over: bool,
    /// How much the server has taken, in bytes.
    pub(crate) sent: u64,
}

impl Upload {
    pub(crate) fn new(framing: Framing) -> Self {
        let rest = Body::new(framing, Coding::Chunked);
        Self { rest, ready: (Vec::new(), 0), begun: Begun::No, over: false, sent: 0 }
    }

    pub(crate) fn begun(&self) -> Begun {
        self.begun
    }

    /// Sends no more; what the client still sends is not read.
    pub(crate) fn give_up(&mut self) {
        self.over = true;
    }

    /// Returns whether there is nothing more to send.
    pub(crate) fn is_over(&self) -> bool {
        self.over || (self.rest.is_done() && self.ready.0.is_empty())
    }

    /// Reads from the client, or writes to the server. A server that takes no more ends the upload
    /// without an error: it may still be answering.
    pub(crate) async fn step(
        &mut self,
        client: &Reader<'_>,
        unread: &mut Vec<u8>,
        server: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let (bytes, written) = &mut self.ready;
        if let Some(left) = bytes.get(*written..).filter(|left| !left.is_empty()) {
            match server.write(left).await {
                Ok(length @ 1..) => {
                    *written += length;
                    self.sent += length as u64;
                }
                Ok(0) | Err(_) => self.over = true,
            }
            return Ok(());
        }
        self.ready = (Vec::new(), 0);
        if self.rest.is_done() {
            return Ok(());
        }
        if unread.is_empty() && !matches!(fill(client, unread).await, Ok(1..)) {
            return Err(Error::Client(failure::bad_request("the body of the request breaks off")));
        }
        self.begun = Begun::Yes;
        let used = self.rest.feed(unread, &mut self.ready.0);
        unread.drain(..used.map_err(|error| Error::Client(failure::malformed(error)))?);
        Ok(())
    }
}

/// Whether the upload has taken anything from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    No,
    Yes,
}

/// Whose fault it is that there is no answer.
pub(crate) enum Error {
    Client(Refusal),
    Server(HeadError),
}

impl Error {
    /// Returns whether the server broke off, or answered what is none. Silence is neither.
    pub(crate) fn is_broken_off(&self) -> bool {
        match self {
            Self::Client(_) => false,
            Self::Server(HeadError::Broken(error)) => error.kind() != io::ErrorKind::TimedOut,
            Self::Server(_) => true,
        }
    }
}

impl<T: Into<HeadError>> From<T> for Error {
    fn from(error: T) -> Self {
        Self::Server(error.into())
    }
}
