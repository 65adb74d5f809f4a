//! A TCP connection, and what was read from it and not yet used.
//!
//! It has no time limits of its own: whoever waits sets them.

use std::io;

use thiserror::Error;
use tokio::net::{
    TcpStream,
    tcp::{ReadHalf, WriteHalf},
};

use crate::core::http1::{self, Feed, HeadReader};

/// How much is read at once, in bytes. Memory for it exists only while bytes are there.
pub const BLOCK: usize = 32 * 1024;

/// A connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Bytes that were read and not yet used.
    pub unread: Vec<u8>,
}

impl Wire {
    /// Takes a connection. Small writes go out at once, and a peer that vanished is noticed after
    /// about a minute (resilience-security.md §4: keep-alive 30 s, 10 s × 3).
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        keep_alive(&stream);
        Self { stream, unread: Vec::new() }
    }

    /// Returns the socket where its bytes are the connection's: not under TLS.
    pub fn tcp(&self) -> Option<&TcpStream> {
        Some(&self.stream)
    }

    /// Lends the reading side, what is unread, and the writing side.
    pub fn split(&mut self) -> (ReadHalf<'_>, &mut Vec<u8>, WriteHalf<'_>) {
        let (read, write) = self.stream.split();
        (read, &mut self.unread, write)
    }

    /// Reads a head. The reader keeps what came, so that a caller may stop waiting and go on later.
    pub async fn head(&mut self, reader: &mut HeadReader) -> Result<Vec<u8>, HeadError> {
        let (read, unread, _) = self.split();
        read_head(&read, unread, reader).await
    }
}

/// Why there is no head.
#[derive(Debug, Error)]
pub enum HeadError {
    /// The peer closed before the first byte.
    #[error("the connection was closed")]
    Closed,
    /// The peer closed within the head.
    #[error("the connection was closed within the head")]
    Truncated,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// What came is not HTTP/1.
    #[error(transparent)]
    Http(#[from] http1::Error),
}

/// Reads a head from one side of a connection.
pub async fn read_head(
    from: &ReadHalf<'_>,
    unread: &mut Vec<u8>,
    reader: &mut HeadReader,
) -> Result<Vec<u8>, HeadError> {
    loop {
        if !unread.is_empty() {
            let bytes = std::mem::take(unread);
            if let Feed::Done { lines, used } = reader.feed(&bytes)? {
                *unread = bytes.get(used..).unwrap_or_default().to_vec();
                return Ok(lines);
            }
        }
        if fill(from, unread).await? == 0 {
            return Err(if reader.is_empty() { HeadError::Closed } else { HeadError::Truncated });
        }
    }
}

/// Appends what arrives next; 0 is the end. Nothing is lost when it is cancelled.
pub async fn fill(from: &ReadHalf<'_>, into: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        from.readable().await?;
        into.reserve(BLOCK);
        match from.try_read_buf(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => into.shrink_to_fit(),
            result => return result,
        }
    }
}

#[cfg(unix)]
fn keep_alive(stream: &TcpStream) {
    use std::time::Duration;

    use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepintvl};
    // A system that refuses one of them keeps its own values.
    let _ = set_socket_keepalive(stream, true);
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(30));
    let _ = set_tcp_keepintvl(stream, Duration::from_secs(10));
    let _ = set_tcp_keepcnt(stream, 3);
}

#[cfg(not(unix))]
fn keep_alive(_stream: &TcpStream) {}
