//! One question to the running loopback proxy, on its control socket, within a tenth of a second: what
//! git's helper may wait. It reads no answer but its line, and starts nothing.

use std::path::Path;

use thiserror::Error;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The socket, or who listens there, is another user's.
    #[error("the control socket of the loopback proxy belongs to another user")]
    Foreign,
    /// Nobody listens.
    #[error("the loopback proxy is not running")]
    NotRunning,
    /// There was none in time, or the system does not let us ask.
    #[error("the loopback proxy does not answer")]
    Silent,
}

/// Asks, and returns the line of the answer.
#[cfg(unix)]
pub fn ask(path: &Path, question: &str) -> Result<String, Error> {
    unix::ask(path, question)
}

/// There is no control socket on this system.
#[cfg(not(unix))]
pub fn ask(_path: &Path, _question: &str) -> Result<String, Error> {
    Err(Error::NotRunning)
}

#[cfg(unix)]
mod unix {
    use std::{
        os::fd::OwnedFd,
        path::Path,
        time::{Duration, Instant},
    };

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::{Errno, ioctl_fionbio},
        net::{
            AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, connect, recv, send,
            socket,
        },
    };

    use super::Error;
    use crate::sys::peer;

    /// How long it may take.
    const LIMIT: Duration = Duration::from_millis(100);
    /// The longest answer, in bytes.
    const MAX_ANSWER: usize = 4096;

    pub(super) fn ask(path: &Path, question: &str) -> Result<String, Error> {
        let end = Instant::now() + LIMIT;
        let socket = open(path)?;
        // The question fits into the buffer of the socket; SIGPIPE is ignored from the start.
        match send(&socket, question.as_bytes(), SendFlags::empty()) {
            Ok(length) if length == question.len() => {}
            Ok(_) | Err(_) => return Err(Error::Silent),
        }
        let mut answer = Vec::with_capacity(MAX_ANSWER);
        loop {
            wait(&socket, end)?;
            let mut block = [0; 1024];
            match recv(&socket, &mut block, RecvFlags::empty()) {
                Ok((_, count @ 1..)) if answer.len() + count <= MAX_ANSWER => {
                    answer.extend(block.iter().take(count));
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Ok(_) | Err(_) => return Err(Error::Silent),
            }
            if answer.ends_with(b"\n") {
                return String::from_utf8(answer).map_err(|_| Error::Silent);
            }
        }
    }

    /// Waits until there is something to read.
    fn wait(socket: &OwnedFd, end: Instant) -> Result<(), Error> {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| Error::Silent)?;
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&left)) {
            Ok(1..) | Err(Errno::INTR) => Ok(()),
            Ok(0) | Err(_) => Err(Error::Silent),
        }
    }

    /// Connects without waiting: a queue that is full is that of a proxy that hangs.
    fn open(path: &Path) -> Result<OwnedFd, Error> {
        let address = SocketAddrUnix::new(path).map_err(|_| Error::NotRunning)?;
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None);
        let socket = socket.map_err(|_| Error::Silent)?;
        ioctl_fionbio(&socket, true).map_err(|_| Error::Silent)?;
        match connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::CONNREFUSED | Errno::NOENT) => return Err(Error::NotRunning),
            Err(_) => return Err(Error::Silent),
        }
        if is_own(path, &socket) { Ok(socket) } else { Err(Error::Foreign) }
    }

    /// Whether who listens is this user: nobody else is told anything, or believed.
    #[cfg(target_os = "linux")]
    fn is_own(_path: &Path, socket: &OwnedFd) -> bool {
        let peer = rustix::net::sockopt::socket_peercred(socket);
        peer.is_ok_and(|peer| peer.uid.as_raw() == peer::own_uid())
    }

    /// Whether the socket is this user's: nobody else can put one of ours there.
    #[cfg(not(target_os = "linux"))]
    fn is_own(path: &Path, _socket: &OwnedFd) -> bool {
        use std::os::unix::fs::MetadataExt;
        path.symlink_metadata().is_ok_and(|about| about.uid() == peer::own_uid())
    }

    #[cfg(test)]
    mod tests {
        use std::{
            io::{BufRead, BufReader, Write},
            os::unix::net::UnixListener,
            thread,
            time::{Duration, Instant},
        };

        use super::{Error, ask};

        #[test]
        fn an_answer_is_one_line_in_pieces_or_whole() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let listener = UnixListener::bind(&path).unwrap();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                for piece in ["{\"a\"", ":1}", "\n"] {
                    stream.write_all(piece.as_bytes()).unwrap();
                }
                line
            });
            assert_eq!(ask(&path, "question\n").unwrap(), "{\"a\":1}\n");
            assert_eq!(server.join().unwrap(), "question\n");
        }

        #[test]
        fn who_does_not_answer_keeps_nobody() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            assert!(matches!(ask(&path, "q\n"), Err(Error::NotRunning)));
            let listener = UnixListener::bind(&path).unwrap();
            // It never accepts, so that its queue fills up.
            let start = Instant::now();
            for _ in 0..3 {
                assert!(matches!(ask(&path, "q\n"), Err(Error::Silent)));
            }
            assert!(start.elapsed() < Duration::from_secs(2));
            drop(listener);
            assert!(matches!(ask(&path, "q\n"), Err(Error::NotRunning)));
        }
    }
}
