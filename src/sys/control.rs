//! One question to the running daemon, on its control socket, within what git's helper may wait: a line
//! of the loopback proxy's within a tenth of a second, or a frame of the agent's. It starts nothing.

use std::path::Path;

use thiserror::Error;

use crate::core::agent::{Answer, Question};

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

/// Asks the agent. Whoever listens there must be this user, and say within a third of a second that he
/// works on it: one who is stopped costs no more.
#[cfg(unix)]
pub fn agent(path: &Path, question: &Question<'_>) -> Result<Answer, Error> {
    unix::agent(path, question)
}

/// There is no control socket on this system.
#[cfg(not(unix))]
pub fn agent(_path: &Path, _question: &Question<'_>) -> Result<Answer, Error> {
    Err(Error::NotRunning)
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
        io::Errno,
        net::{
            AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, connect, recv, send,
        },
    };

    #[cfg(target_os = "linux")]
    use rustix::net::{SocketFlags, socket_with};
    use secrecy::zeroize::Zeroizing;

    use super::Error;
    use crate::{
        core::agent::{Answer, Answered, Decoder, Flags, Question, Verb},
        sys::peer,
    };

    /// How long it may take.
    const LIMIT: Duration = Duration::from_millis(100);
    /// How long the agent may say nothing: it says thrice as often that it works.
    const SILENCE: Duration = Duration::from_millis(300);
    /// How long the agent may take.
    const WORK: Duration = Duration::from_secs(10);
    /// How long it may take where a person has to do something.
    const PERSON: Duration = Duration::from_secs(130);
    /// The longest answer, in bytes.
    const MAX_ANSWER: usize = 4096;

    pub(super) fn ask(path: &Path, question: &str) -> Result<String, Error> {
        let end = Instant::now() + LIMIT;
        let socket = open(path)?;
        say(&socket, question.as_bytes(), end)?;
        let mut answer = Vec::with_capacity(MAX_ANSWER);
        loop {
            wait(&socket, PollFlags::IN, end)?;
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

    pub(super) fn agent(path: &Path, question: &Question<'_>) -> Result<Answer, Error> {
        let bytes = question.encode().ok_or(Error::Silent)?;
        let is_slow = question.verb == Verb::Unlock && question.flags.has(Flags::PERSON);
        let start = Instant::now();
        let end = start + if is_slow { PERSON } else { WORK };
        let socket = open(path)?;
        say(&socket, &bytes, end.min(start + SILENCE))?;
        let mut decoder = Decoder::<Answered>::default();
        let mut block = Zeroizing::new([0; 4096]);
        loop {
            wait(&socket, PollFlags::IN, end.min(Instant::now() + SILENCE))?;
            let count = match recv(&socket, block.as_mut_slice(), RecvFlags::empty()) {
                Ok((_, count @ 1..)) => count,
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Ok(_) | Err(_) => return Err(Error::Silent),
            };
            let piece = block.get(..count).unwrap_or_default();
            if decoder.feed(piece).map_err(|_| Error::Silent)? {
                return decoder.finish().ok_or(Error::Silent);
            }
        }
    }

    /// Says all of it. SIGPIPE is ignored from the start.
    fn say(socket: &OwnedFd, mut bytes: &[u8], end: Instant) -> Result<(), Error> {
        loop {
            match send(socket, bytes, SendFlags::empty()) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(Error::Silent),
            }
            if bytes.is_empty() {
                return Ok(());
            }
            wait(socket, PollFlags::OUT, end)?;
        }
    }

    /// Waits until there is something to read, or room to write.
    fn wait(socket: &OwnedFd, what: PollFlags, end: Instant) -> Result<(), Error> {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| Error::Silent)?;
        match poll(&mut [PollFd::new(socket, what)], Some(&left)) {
            Ok(1..) | Err(Errno::INTR) => Ok(()),
            Ok(0) | Err(_) => Err(Error::Silent),
        }
    }

    /// Connects without waiting: a queue that is full is that of a proxy that hangs.
    fn open(path: &Path) -> Result<OwnedFd, Error> {
        let address = address(path).map_err(|_| Error::NotRunning)?;
        let socket = unconnected().map_err(|_| Error::Silent)?;
        match connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::CONNREFUSED | Errno::NOENT) => return Err(Error::NotRunning),
            Err(_) => return Err(Error::Silent),
        }
        if is_own(path, &socket) { Ok(socket) } else { Err(Error::Foreign) }
    }

    /// Returns the address of a path, or of the name that `gocred exec` gives its agent, which no folder
    /// holds (unix(7), "abstract").
    fn address(path: &Path) -> Result<SocketAddrUnix, Errno> {
        #[cfg(target_os = "linux")]
        if let Some(name) = path.as_os_str().as_encoded_bytes().strip_prefix(b"@") {
            return SocketAddrUnix::new_abstract_name(name);
        }
        SocketAddrUnix::new(path)
    }

    #[cfg(target_os = "linux")]
    fn unconnected() -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
    }

    #[cfg(not(target_os = "linux"))]
    fn unconnected() -> Result<OwnedFd, Errno> {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(socket)
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
            os::unix::net::{UnixListener, UnixStream},
            path::PathBuf,
            thread::{self, JoinHandle},
            time::{Duration, Instant},
        };

        use tempfile::TempDir;

        use super::{Error, agent, ask};
        use crate::core::agent::{Flags, Place, Question, Verb, WORK, Word};

        const QUESTION: Question<'_> = Question {
            verb: Verb::GitGet,
            place: Place::NOWHERE,
            flags: Flags::NONE,
            body: b"host=h\n",
        };

        /// Answers one question, and returns its line.
        fn server(
            answer: impl FnOnce(UnixStream) + Send + 'static,
        ) -> (TempDir, PathBuf, JoinHandle<String>) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let listener = UnixListener::bind(&path).unwrap();
            let server = thread::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                answer(stream);
                line
            });
            (folder, path, server)
        }

        #[test]
        fn an_agent_that_says_that_it_works_is_waited_for() {
            let (_folder, path, server) = server(|mut stream| {
                for _ in 0..5 {
                    thread::sleep(Duration::from_millis(100));
                    stream.write_all(WORK).unwrap();
                }
                stream.write_all(b"GOC1 ok 2 1\na").unwrap();
                stream.write_all(b"be").unwrap();
            });
            let answer = agent(&path, &QUESTION).unwrap();
            assert_eq!((answer.word, &answer.out[..], &*answer.err), (Word::Ok, &b"ab"[..], "e"));
            assert_eq!(server.join().unwrap(), "GOC1 git-get 0000000000000000 00 7\n");
        }

        #[test]
        fn an_agent_that_is_stopped_or_no_agent_costs_a_third_of_a_second() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            assert!(matches!(agent(&path, &QUESTION), Err(Error::NotRunning)));
            let listener = UnixListener::bind(&path).unwrap();
            let start = Instant::now();
            assert!(matches!(agent(&path, &QUESTION), Err(Error::Silent)));
            let took = start.elapsed();
            assert!(
                Duration::from_millis(300) <= took && took < Duration::from_secs(2),
                "{took:?}"
            );
            // More than the socket holds, and nobody reads.
            let body = vec![0; 1024 * 1024];
            let start = Instant::now();
            let question = Question { body: &body, ..QUESTION };
            assert!(matches!(agent(&path, &question), Err(Error::Silent)));
            assert!(start.elapsed() < Duration::from_secs(2));
            let server = thread::spawn(move || {
                for _ in 0..2 {
                    drop(listener.accept().unwrap());
                }
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(b"220 mail.corp.example ESMTP\r\n").unwrap();
            });
            assert!(matches!(agent(&path, &QUESTION), Err(Error::Silent)));
            server.join().unwrap();
        }

        #[test]
        fn an_answer_is_one_line_in_pieces_or_whole() {
            let (_folder, path, server) = server(|mut stream| {
                for piece in ["{\"a\"", ":1}", "\n"] {
                    stream.write_all(piece.as_bytes()).unwrap();
                }
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
