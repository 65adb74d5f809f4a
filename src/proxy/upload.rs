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

    /// Returns whether the whole body has left: else the client's next bytes are still of it.
    pub(crate) fn is_complete(&self) -> bool {
        !self.over && self.is_over()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::net::sockopt::set_socket_linger;
    use tokio::net::{TcpListener, TcpStream};

    use super::{Framing, Upload};
    use crate::net::wire::Wire;

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(near), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_body_that_the_server_does_not_take_is_over_and_not_complete() {
        let ((mut client, sender), (mut server, receiver)) = (pair().await, pair().await);
        let mut upload = Upload::new(Framing::Length(8));
        sender.try_write(b"half").unwrap();
        set_socket_linger(&receiver, Some(Duration::ZERO)).unwrap();
        drop(receiver);
        let (from, unread, _) = client.split();
        let (_, _, mut to) = server.split();
        while !upload.is_over() {
            assert!(upload.step(&from, unread, &mut to).await.is_ok());
        }
        assert!(!upload.is_complete());
    }

    #[tokio::test]
    async fn a_body_that_has_left_is_complete() {
        let ((mut client, sender), (mut server, _receiver)) = (pair().await, pair().await);
        let mut upload = Upload::new(Framing::Length(4));
        sender.try_write(b"all!").unwrap();
        let (from, unread, _) = client.split();
        let (_, _, mut to) = server.split();
        assert!(!upload.is_complete());
        while !upload.is_over() {
            assert!(upload.step(&from, unread, &mut to).await.is_ok());
        }
        assert!(upload.is_complete());
    }
}
