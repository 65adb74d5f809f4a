//! One question to the running loopback proxy, on its control socket, within a tenth of a second: what
//! git's helper may wait. It reads no answer but its line, and starts nothing.

use std::{io, path::Path};

use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// The socket, or who listens there, is another user's.
    #[error("the control socket belongs to another user")]
    Foreign,
    /// Nobody listens.
    #[error("the loopback proxy is not running")]
    NotRunning,
    /// There was none in time.
    #[error("the loopback proxy does not answer")]
    Silent,
    /// The system refuses.
    #[error("the control socket cannot be used: {0}")]
    System(#[from] io::Error),
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
        fs,
        io::{self, Read, Write},
        os::unix::{fs::MetadataExt, net::UnixStream},
        path::Path,
        time::{Duration, Instant},
    };

    use rustix::{
        io::Errno,
        net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket},
    };

    use super::Error;
    use crate::sys::peer;

    /// How long it may take.
    const LIMIT: Duration = Duration::from_millis(100);
    /// The longest answer, in bytes.
    const MAX_ANSWER: usize = 16 * 1024;

    pub(super) fn ask(path: &Path, question: &str) -> Result<String, Error> {
        let end = Instant::now() + LIMIT;
        // Nobody else can put a socket of ours there.
        match fs::symlink_metadata(path) {
            Ok(about) if about.uid() != peer::own_uid() => return Err(Error::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NotRunning),
            Ok(_) | Err(_) => {}
        }
        let mut stream = open(path)?;
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_write_timeout(Some(left))?;
        stream.write_all(question.as_bytes()).map_err(silent)?;
        let mut answer = Vec::with_capacity(1024);
        let mut block = [0; 1024];
        while !answer.ends_with(b"\n") {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || answer.len() > MAX_ANSWER {
                return Err(Error::Silent);
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut block).map_err(silent)? {
                0 => return Err(Error::Silent),
                length => answer.extend(block.iter().take(length)),
            }
        }
        String::from_utf8(answer).map_err(|_| Error::Silent)
    }

    /// Connects without waiting: a queue that is full is that of a proxy that hangs.
    fn open(path: &Path) -> Result<UnixStream, Error> {
        let address = SocketAddrUnix::new(path).map_err(io::Error::from)?;
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None);
        let stream = UnixStream::from(socket.map_err(io::Error::from)?);
        stream.set_nonblocking(true)?;
        match connect(&stream, &address) {
            Ok(()) => {}
            Err(Errno::CONNREFUSED | Errno::NOENT) => return Err(Error::NotRunning),
            Err(Errno::AGAIN | Errno::INPROGRESS) => return Err(Error::Silent),
            Err(error) => return Err(io::Error::from(error).into()),
        }
        stream.set_nonblocking(false)?;
        #[cfg(target_os = "linux")]
        {
            let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(io::Error::from)?;
            if peer.uid.as_raw() != peer::own_uid() {
                return Err(Error::Foreign);
            }
        }
        Ok(stream)
    }

    fn silent(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Silent,
            _ => error.into(),
        }
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
