//! A connection, TCP or TLS over it, and what was read from it and not yet used.
//!
//! It has no time limits of its own: whoever waits sets them. Every wait may be cancelled; nothing
//! is lost.

use std::{
    cell::RefCell,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use thiserror::Error;
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use crate::{
    core::http1::{self, Feed, HeadReader},
    net::session::{Pushed, Session},
};

/// How much is read at once, in bytes. Memory for it exists only while bytes are there.
pub const BLOCK: usize = 32 * 1024;

/// A connection.
#[derive(Debug)]
pub struct Wire {
    tcp: TcpStream,
    /// Locked for a moment at a time, never while anybody waits.
    session: Option<Box<Mutex<Session>>>,
    /// Bytes that were read and not yet used.
    pub unread: Vec<u8>,
}

impl Wire {
    /// Takes a connection. Small writes go out at once, and a peer that vanished is noticed after
    /// about a minute (resilience-security.md §4: keep-alive 30 s, 10 s × 3).
    pub fn new(tcp: TcpStream) -> Self {
        let _ = tcp.set_nodelay(true);
        keep_alive(&tcp);
        Self { tcp, session: None, unread: Vec::new() }
    }

    /// Takes a connection of a listener that was [`prepare`]d.
    pub(crate) fn accepted(tcp: TcpStream) -> Self {
        if cfg!(target_os = "linux") {
            // It has the listener's options.
            return Self { tcp, session: None, unread: Vec::new() };
        }
        Self::new(tcp)
    }

    /// Goes on in TLS.
    pub(crate) fn secured(self, session: Session) -> Self {
        Self { session: Some(Box::new(Mutex::new(session))), ..self }
    }

    /// Returns whether its TLS handshake still goes on.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.session.as_deref().is_some_and(|session| lock(session).is_handshaking())
    }

    /// Lends the reading side, what is unread, and the writing side.
    pub fn split(&mut self) -> (Reader<'_>, &mut Vec<u8>, Writer<'_>) {
        let (read, write) = self.tcp.split();
        let session = self.session.as_deref();
        (Reader { tcp: read, session }, &mut self.unread, Writer { tcp: write, session })
    }

    /// Reads a head. The reader keeps what came, so that a caller may stop waiting and go on later.
    pub async fn head(&mut self, reader: &mut HeadReader) -> Result<Vec<u8>, HeadError> {
        let (read, unread, _) = self.split();
        read_head(&read, unread, reader).await
    }

    /// Returns whether the peer has neither closed nor said anything, which would answer nothing.
    pub(crate) fn is_silent(&mut self) -> bool {
        let (read, unread, _) = self.split();
        let nothing_new = matches!(
            read.take(unread),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock
        );
        nothing_new && unread.is_empty()
    }

    /// Ends it with a reset, so that nobody takes the end of the connection for that of the answer.
    pub(crate) fn reset(self) {
        let _ = self.tcp.set_zero_linger();
    }

    /// Returns the certificate that the peer showed, in DER; only TLS has one.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        lock(self.session.as_deref()?).certificate()
    }

    /// Returns the socket where its bytes are the connection's: not under TLS.
    pub fn tcp(&self) -> Option<&TcpStream> {
        self.session.is_none().then_some(&self.tcp)
    }
}

/// The reading side of a connection.
#[derive(Debug)]
pub struct Reader<'a> {
    tcp: ReadHalf<'a>,
    session: Option<&'a Mutex<Session>>,
}

impl Reader<'_> {
    /// Returns the socket.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.tcp.as_ref()
    }

    /// Waits until reading may give something. Under TLS it also sends what the writing side was
    /// not let finish, and the session's own answers.
    pub async fn readable(&self) -> io::Result<()> {
        let Some(session) = self.session else { return self.tcp.readable().await };
        loop {
            let interest = {
                let mut session = lock(session);
                if session.is_over() {
                    return Ok(());
                }
                match session.push(self.tcp.as_ref()) {
                    // What a peer that takes no more has said before can still be read.
                    Ok(Pushed::All) | Err(_) => Interest::READABLE,
                    Ok(Pushed::Part) => Interest::READABLE | Interest::WRITABLE,
                }
            };
            let ready = self.tcp.ready(interest).await?;
            if ready.is_readable() || ready.is_read_closed() {
                return Ok(());
            }
        }
    }

    /// Appends what is there; 0 is the end, `WouldBlock` is nothing yet. Under TLS, an end that the
    /// peer did not announce is `UnexpectedEof`.
    pub fn try_read_buf(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self.session {
            None => self.tcp.try_read_buf(into),
            Some(session) => lock(session).pull(self.tcp.as_ref(), into),
        }
    }

    /// The same, and `into` grows by what it gets and no further.
    fn take(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        if self.session.is_none() {
            return lend(self.tcp.as_ref(), |bytes| {
                into.extend_from_slice(bytes);
                bytes.len()
            });
        }
        into.reserve(BLOCK);
        let taken = self.try_read_buf(into);
        into.shrink_to_fit();
        taken
    }
}

/// Reads what a socket has, and lends it: all connections of a thread share one block of memory. No
/// bytes are the end.
///
/// A read that does not fill the block has emptied the socket; tokio is told, as its own `read` does,
/// which spares a read that would find nothing. The end, where epoll has told of it already, is not
/// forgotten by that.
pub(crate) fn lend<T>(from: &TcpStream, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
    thread_local! {
        static SHARED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(BLOCK));
    }
    SHARED.with_borrow_mut(|block| {
        block.clear();
        let mut emptied = false;
        let read = from.try_io(Interest::READABLE, || match from.try_read_buf(block)? {
            length @ 1.. if length < BLOCK => {
                emptied = true;
                Err(io::ErrorKind::WouldBlock.into())
            }
            length => Ok(length),
        });
        if !emptied {
            read?;
        }
        Ok(take(block))
    })
}

/// The writing side of a connection.
#[derive(Debug)]
pub struct Writer<'a> {
    tcp: WriteHalf<'a>,
    session: Option<&'a Mutex<Session>>,
}

impl Writer<'_> {
    /// Writes some bytes; returns how many. Bytes are taken once, also where it is cancelled: they
    /// leave with the next write or shutdown, or while somebody waits for the reading side.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = self.session else { return self.tcp.write(bytes).await };
        self.flush().await?;
        let mut session = lock(session);
        let taken = session.encrypt(bytes)?;
        session.push(self.tcp.as_ref())?;
        Ok(taken)
    }

    /// Writes all of the bytes, to where the system has them.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.session.is_none() {
            return self.tcp.write_all(bytes).await;
        }
        while !bytes.is_empty() {
            let taken = self.write(bytes).await?;
            bytes = bytes.get(taken..).filter(|_| taken > 0).ok_or(io::ErrorKind::WriteZero)?;
        }
        self.flush().await
    }

    /// Says that nothing more comes; what the peer sends can still be read.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        if let Some(session) = self.session {
            lock(session).close();
            self.flush().await?;
        }
        self.tcp.shutdown().await
    }

    /// Waits until the system has everything that a session still has to send.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let Some(session) = self.session else { return Ok(()) };
        loop {
            let pushed = lock(session).push(self.tcp.as_ref())?;
            if pushed == Pushed::All {
                return Ok(());
            }
            self.tcp.writable().await?;
        }
    }
}

/// Whoever panicked has left a session that rustls keeps consistent.
fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
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
    from: &Reader<'_>,
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
        // Where TLS ends without a word makes no difference here: there is no head either way.
        let more = match fill(from, unread).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            result => result?,
        };
        if more == 0 {
            return Err(if reader.is_empty() { HeadError::Closed } else { HeadError::Truncated });
        }
    }
}

/// Appends what arrives next; 0 is the end. Nothing is lost when it is cancelled.
pub async fn fill(from: &Reader<'_>, into: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.take(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// Gives a listener the options that its connections shall have: on Linux they inherit them, which
/// spares five calls for each.
pub(crate) fn prepare(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_nodelay(listener, true);
    keep_alive(listener);
}

/// Returns whether a connection has the options of a listener that was [`prepare`]d.
pub(crate) fn is_prepared(tcp: &TcpStream) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::net::sockopt::socket_keepalive(tcp) == Ok(true);
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(unix)]
fn keep_alive(stream: impl std::os::fd::AsFd + Copy) {
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
fn keep_alive<T>(_socket: T) {}
