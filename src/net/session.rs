//! A TLS session over a TCP connection, without waiting: records in, records out.
//!
//! It keeps no plaintext between two calls: what was decrypted is in the caller's hands before a
//! call returns. Whoever waits, in [`crate::net::wire`], may stop at any time, and nothing is lost.

use std::io::{self, BufRead, IoSlice, Write};

use rustls::ClientConnection;
use tokio::net::TcpStream;

use crate::net::{handshake, tls::Shown, wire::BLOCK};

/// So many blocks are read for their data before others get their turn.
const MAX_EMPTY: u8 = 4;

/// The client's end of a TLS session.
#[derive(Debug)]
pub(crate) struct Session {
    tls: ClientConnection,
    shown: Shown,
    over: Option<Over>,
}

/// How the peer's half of a session ended.
#[derive(Debug)]
enum Over {
    /// With `close_notify` (RFC 8446 §6.1).
    Closed,
    /// The session is void.
    Failed(rustls::Error),
    /// Without `close_notify`: anybody on the way may have cut it.
    Truncated,
}

impl Session {
    pub(crate) fn new(tls: ClientConnection, shown: Shown) -> Self {
        Self { tls, shown, over: None }
    }

    /// Returns whether the handshake still goes on.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Returns the peer's own certificate, in DER.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        self.tls.peer_certificates()?.first().map(|certificate| certificate.as_ref().to_vec())
    }

    /// Returns whether reading gives its answer at once, because the peer's half has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Appends what the peer sent; 0 is the end. `WouldBlock` when nothing is there. An end without
    /// `close_notify` is `UnexpectedEof`; a void session is the [`handshake::Error`] that says why.
    pub(crate) fn pull(&mut self, tcp: &TcpStream, into: &mut Vec<u8>) -> io::Result<usize> {
        if let Some(over) = &self.over {
            return over.tell(&self.shown);
        }
        let before = into.len();
        // rustls itself reads 4 KiB at a time.
        let mut records = Vec::with_capacity(BLOCK);
        // A peer that sends records without data for ever gets no more than its turn.
        for _ in 0..MAX_EMPTY {
            records.clear();
            if tcp.try_read_buf(&mut records)? == 0 {
                self.over = Some(Over::Truncated);
            }
            if let Err(error) = self.decrypt(&records, into) {
                // The alert that says what was wrong with it; nobody waits for it to leave.
                let _ = self.push(tcp);
                self.over = Some(Over::Failed(error));
            }
            match (into.len() - before, &self.over) {
                (0, Some(over)) => return over.tell(&self.shown),
                // Tickets, say; what comes after them may be the end.
                (0, None) => {}
                (length, _) => return Ok(length),
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn decrypt(&mut self, mut records: &[u8], into: &mut Vec<u8>) -> Result<(), rustls::Error> {
        while !records.is_empty() && self.over.is_none() {
            // Reading from memory fails only where a message has no end.
            if self.tls.read_tls(&mut records).is_err() {
                return Err(rustls::Error::PeerSentOversizedRecord);
            }
            let processed = self.tls.process_new_packets();
            let mut reader = self.tls.reader();
            loop {
                match reader.fill_buf() {
                    Ok([]) => {
                        self.over = Some(Over::Closed);
                        break;
                    }
                    Ok(plain) => {
                        into.extend_from_slice(plain);
                        let length = plain.len();
                        reader.consume(length);
                    }
                    // There is no more for now.
                    Err(_) => break,
                }
            }
            processed?;
        }
        Ok(())
    }

    /// Takes bytes to send; everything before them must have left (see [`Self::push`]), so that
    /// what waits here is bounded.
    pub(crate) fn encrypt(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tls.writer().write(bytes)
    }

    /// Tells the peer that nothing more comes. What it still sends can be read.
    pub(crate) fn close(&mut self) {
        self.tls.send_close_notify();
    }

    /// Sends what waits to be sent, as far as the connection takes it now; returns how far.
    pub(crate) fn push(&mut self, tcp: &TcpStream) -> io::Result<Pushed> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Now(tcp)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Pushed::Part);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Pushed::All)
    }
}

/// What has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Everything.
    All,
    /// Not everything: the connection takes no more for now.
    Part,
}

impl Over {
    fn tell(&self, shown: &Shown) -> io::Result<usize> {
        match self {
            Self::Closed => Ok(0),
            Self::Failed(error) => {
                let error = handshake::Error::of(error, shown);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
            Self::Truncated => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Writes what goes out without waiting.
struct Now<'a>(&'a TcpStream);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
