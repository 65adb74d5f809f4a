//! A connection as a stack of layers: TCP, TLS to a proxy, TLS to the origin. Each is only bytes for the
//! one above it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::core::doctor::probe::ReadFlaw;

/// How many of the first bytes are remembered.
const FIRST: usize = 256;

/// What can be read and written.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A connection.
pub(super) type Stream = Box<dyn Bytes>;

/// The first bytes that came from below, for whoever wants to know what is spoken there.
#[derive(Clone, Debug, Default)]
pub(super) struct First(Arc<Mutex<Vec<u8>>>);

impl First {
    /// Returns them.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, bytes: &[u8]) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FIRST.saturating_sub(first.len());
        first.extend(bytes.iter().take(room));
    }
}

/// A connection whose first bytes are remembered. What was read too early is read again first.
///
/// A reset is remembered, too: the system tells it once, maybe to a write of TLS that nobody waits for, and
/// from then on of an end only.
pub(super) struct Watched {
    stream: Stream,
    early: io::Cursor<Vec<u8>>,
    first: First,
    is_reset: bool,
}

impl Watched {
    /// Watches a connection.
    pub(super) fn new(stream: Stream, early: Vec<u8>) -> (Self, First) {
        let first = First::default();
        let early = io::Cursor::new(early);
        (Self { stream, early, first: first.clone(), is_reset: false }, first)
    }

    fn note<T>(&mut self, polled: &Poll<io::Result<T>>) {
        if let Poll::Ready(Err(error)) = polled {
            self.is_reset |= matches!(read_flaw(error, 0), ReadFlaw::Reset(_));
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let own = &mut *self;
        let mut polled = Pin::new(&mut own.early).poll_read(context, buffer);
        if buffer.filled().len() == before {
            polled = Pin::new(&mut own.stream).poll_read(context, buffer);
        }
        own.first.note(buffer.filled().get(before..).unwrap_or_default());
        own.note(&polled);
        let is_end = matches!(polled, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
        if is_end && own.is_reset && buffer.remaining() > 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.note(&polled);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Appends what arrives next; 0 is the end. Nothing is lost when it is cancelled.
pub(super) async fn fill(stream: &mut Stream, into: &mut Vec<u8>) -> io::Result<usize> {
    into.reserve(16 * 1024);
    stream.read_buf(into).await
}

/// Returns what an error of reading or writing is, after so many bytes of the answer.
pub(super) fn read_flaw(error: &io::Error, bytes: usize) -> ReadFlaw {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ReadFlaw::Reset(bytes),
        _ => ReadFlaw::Closed(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

    use super::{ReadFlaw, Watched, fill, read_flaw};

    /// As Linux tells of a reset that a write met: of an end from then on.
    struct Reset;

    impl AsyncRead for Reset {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_reset_that_a_write_met_is_told_to_who_reads() {
        let mut stream: super::Stream = Box::new(Watched::new(Box::new(Reset), Vec::new()).0);
        assert_eq!(fill(&mut stream, &mut Vec::new()).await.unwrap(), 0);
        assert!(stream.write_all(b"x").await.is_err());
        let error = fill(&mut stream, &mut Vec::new()).await.unwrap_err();
        assert_eq!(read_flaw(&error, 0), ReadFlaw::Reset(0));
    }
}
