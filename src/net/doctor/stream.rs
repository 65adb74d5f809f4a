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
pub(super) struct Watched {
    stream: Stream,
    early: io::Cursor<Vec<u8>>,
    first: First,
}

impl Watched {
    /// Watches a connection.
    pub(super) fn new(stream: Stream, early: Vec<u8>) -> (Self, First) {
        let first = First::default();
        (Self { stream, early: io::Cursor::new(early), first: first.clone() }, first)
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
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
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
