//! One direction of a tunnel between two TCP sockets, on Linux.
//!
//! Little is copied, by one block of memory for all tunnels. Much goes through a pipe and is never copied (`sys::pipe`), at a third of the CPU time.

use std::io;

use tokio::{io::Interest, net::TcpStream, task::yield_now};

use crate::{
    net::wire::{BLOCK, lend},
    proxy::pump::{End, Tally},
    sys::pipe::Pipe,
};

/// How much one tunnel moves before it is another one's turn, in bytes.
const TURN: usize = 1024 * 1024;

/// How much a sender had for us when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supply {
    Little,
    Much,
}

/// Moves one direction to its end, and passes the end on.
pub(crate) async fn flow(
    from: &TcpStream,
    early: Vec<u8>,
    to: &TcpStream,
    tally: Tally<'_>,
) -> End {
    let Err(end) = ending(from, early, to, tally).await;
    end
}

async fn ending(
    from: &TcpStream,
    early: Vec<u8>,
    to: &TcpStream,
    tally: Tally<'_>,
) -> Result<std::convert::Infallible, End> {
    write(to, &early, tally).await?;
    drop(early);
    let mut supply = Supply::Little;
    loop {
        from.readable().await.map_err(|_| End::Reset)?;
        let pipe = if supply == Supply::Much { Pipe::take() } else { None };
        supply = match pipe {
            Some(pipe) => splice(from, to, pipe, tally).await?,
            None => copy(from, to, tally).await?,
        };
    }
}

/// Copies a block: what the receiver does not take at once has memory of its own until it does.
async fn copy(from: &TcpStream, to: &TcpStream, tally: Tally<'_>) -> Result<Supply, End> {
    let (length, rest) = match pass(from, to) {
        Ok(passed) => passed,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Supply::Little),
        Err(_) => return Err(End::Reset),
    };
    if length == 0 {
        return Err(finish(to, tally));
    }
    tally.count(length - rest.len());
    write(to, &rest, tally).await?;
    Ok(if length < BLOCK { Supply::Little } else { Supply::Much })
}

/// Reads what is there and writes what is taken; returns how much was read, and a copy of what is
/// left to write.
fn pass(from: &TcpStream, to: &TcpStream) -> io::Result<(usize, Vec<u8>)> {
    lend(from, |bytes| {
        if bytes.is_empty() {
            return (0, Vec::new());
        }
        // Whoever cannot be written to now is asked again for the rest, and says why.
        let written = to.try_write(bytes).unwrap_or(0);
        (bytes.len(), bytes.get(written..).unwrap_or_default().to_vec())
    })
}

async fn write(to: &TcpStream, mut bytes: &[u8], tally: Tally<'_>) -> Result<(), End> {
    while !bytes.is_empty() {
        match to.try_write(bytes) {
            Ok(length) => {
                tally.count(length);
                bytes = bytes.get(length..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                to.writable().await.map_err(|_| End::Deaf)?;
            }
            Err(_) => return Err(End::Deaf),
        }
    }
    Ok(())
}

/// Moves through a pipe what there is.
async fn splice(
    from: &TcpStream,
    to: &TcpStream,
    mut pipe: Pipe,
    tally: Tally<'_>,
) -> Result<Supply, End> {
    let (mut moved, mut turn) = (0, 0);
    loop {
        match from.try_io(Interest::READABLE, || pipe.fill(from)) {
            Ok(0) => return Err(finish(to, tally)),
            Ok(length) => (moved, turn) = (moved + length, turn + length),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock if moved < BLOCK => return Ok(Supply::Little),
                io::ErrorKind::WouldBlock | io::ErrorKind::Unsupported => return Ok(Supply::Much),
                _ => return Err(End::Reset),
            },
        }
        while !pipe.is_empty() {
            match to.try_io(Interest::WRITABLE, || pipe.drain(to)) {
                Ok(length) => tally.count(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    to.writable().await.map_err(|_| End::Deaf)?;
                }
                Err(_) => return Err(End::Deaf),
            }
        }
        if turn >= TURN {
            turn = 0;
            yield_now().await;
        }
    }
}

/// Passes the end on. The second one of a tunnel is passed on by closing both sockets, which is next.
fn finish(to: &TcpStream, tally: Tally<'_>) -> End {
    tally.count(0);
    if tally.is_second_end() {
        return End::Passed;
    }
    match rustix::net::shutdown(to, rustix::net::Shutdown::Write) {
        Ok(()) => End::Passed,
        Err(_) => End::Deaf,
    }
}
