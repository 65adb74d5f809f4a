//! Kernel pipes that carry bytes from one socket to another without a copy (splice(2)).
//!
//! A pipe costs two files, and pages of the kernel while it holds bytes, so there is a small pool for
//! the whole process: a pipe is taken when much is there to move, and given back empty. Nothing here
//! waits. Whoever gets none copies, as everybody does where the system has no splice(2).

#[cfg(target_os = "linux")]
pub use linux::Pipe;

/// How many pipes there are at most.
const MOST: usize = 64;
/// How many files that are.
pub const FILES: u64 = if cfg!(target_os = "linux") { 2 * MOST as u64 } else { 0 };

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io,
        os::fd::{AsFd, OwnedFd},
        sync::{Mutex, MutexGuard, PoisonError},
    };

    use rustix::{
        io::Errno,
        pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
    };

    use super::MOST;

    /// How many empty pipes are kept; the others are closed.
    const SPARE: usize = 16;
    /// How large a pipe is, in bytes: the most that Linux gives everybody. One that empties a socket at
    /// once costs a third of what the usual 64 KiB cost, because the sender sends larger pieces, too.
    const LARGE: usize = 1024 * 1024;
    /// From so many on they are smaller: a user's pipes may hold 64 MiB before each further one is tiny
    /// (`pipe-user-pages-soft`, pipe(7)), and ours are not the only ones.
    const MANY: usize = 32;

    static POOL: Mutex<Pool> = Mutex::new(Pool { lent: 0, spare: Vec::new(), splices: true });

    struct Pool {
        lent: usize,
        spare: Vec<Ends>,
        /// Whether the system moves bytes between sockets and pipes.
        splices: bool,
    }

    struct Ends {
        read: OwnedFd,
        write: OwnedFd,
    }

    /// A pipe, lent until it is dropped. One that still holds bytes is closed then, with them.
    pub struct Pipe {
        ends: Option<Ends>,
        held: usize,
    }

    impl Pipe {
        /// Takes an empty pipe. There is none when too many are lent, or no file is left.
        pub fn take() -> Option<Self> {
            let mut pool = pool();
            if pool.lent >= MOST || !pool.splices {
                return None;
            }
            let ends = pool.spare.pop().or_else(|| {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
                let size = if pool.lent < MANY { LARGE } else { LARGE / 2 };
                // A system that refuses leaves the usual 64 KiB.
                let _ = fcntl_setpipe_size(&write, size);
                Some(Ends { read, write })
            })?;
            pool.lent += 1;
            Some(Self { ends: Some(ends), held: 0 })
        }

        /// Moves into it what a socket has received; 0 is the end. An error of the kind
        /// `Unsupported` is the system's, and nothing was moved.
        ///
        /// Only for an empty pipe: of a full one, `WouldBlock` would not say who has to be waited for.
        pub fn fill(&mut self, from: impl AsFd) -> io::Result<usize> {
            let Some(ends) = &self.ends else { return Ok(0) };
            match splice(from, None, &ends.write, None, LARGE, SpliceFlags::NONBLOCK) {
                Ok(length) => {
                    self.held += length;
                    Ok(length)
                }
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    pool().splices = false;
                    Err(io::ErrorKind::Unsupported.into())
                }
                Err(error) => Err(error.into()),
            }
        }

        /// Moves into a socket what it holds, as much as the socket takes.
        pub fn drain(&mut self, to: impl AsFd) -> io::Result<usize> {
            let Some(ends) = &self.ends else { return Ok(0) };
            let moved = splice(&ends.read, None, to, None, self.held, SpliceFlags::NONBLOCK)?;
            self.held = self.held.saturating_sub(moved);
            Ok(moved)
        }

        /// Returns whether it holds nothing.
        pub fn is_empty(&self) -> bool {
            self.held == 0
        }
    }

    impl Drop for Pipe {
        fn drop(&mut self) {
            let mut pool = pool();
            pool.lent = pool.lent.saturating_sub(1);
            let ends = self.ends.take().filter(|_| self.held == 0 && pool.spare.len() < SPARE);
            pool.spare.extend(ends);
        }
    }

    fn pool() -> MutexGuard<'static, Pool> {
        POOL.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    mod tests {
        use std::{
            io::{ErrorKind, Read, Write},
            net::{TcpListener, TcpStream},
            sync::{Mutex, PoisonError},
        };

        use super::{MOST, Pipe, SPARE, pool};

        /// The pool belongs to the process; the tests that count it take turns.
        static TURN: Mutex<()> = Mutex::new(());

        fn pair() -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let far = listener.accept().unwrap().0;
            near.set_nonblocking(true).unwrap();
            (near, far)
        }

        #[test]
        fn bytes_pass_from_socket_to_socket_and_the_end_is_seen() {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let (from, mut sender) = pair();
            let (to, mut receiver) = pair();
            let mut pipe = Pipe::take().unwrap();
            assert_eq!(pipe.fill(&from).unwrap_err().kind(), ErrorKind::WouldBlock);
            sender.write_all(b"hello").unwrap();
            drop(sender);
            assert_eq!(pipe.fill(&from).unwrap(), 5);
            assert!(!pipe.is_empty());
            assert_eq!(pipe.drain(&to).unwrap(), 5);
            assert!(pipe.is_empty());
            let mut hello = [0; 5];
            receiver.read_exact(&mut hello).unwrap();
            assert_eq!(&hello, b"hello");
            assert_eq!(pipe.fill(&from).unwrap(), 0);
        }

        #[test]
        fn there_are_only_so_many_and_few_are_kept() {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let taken: Vec<Pipe> = std::iter::from_fn(Pipe::take).collect();
            assert_eq!(taken.len(), MOST);
            drop(taken);
            let pool = pool();
            assert_eq!((pool.lent, pool.spare.len()), (0, SPARE));
        }

        #[test]
        fn a_pipe_that_holds_bytes_is_not_lent_again() {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let (from, mut sender) = pair();
            let (to, _receiver) = pair();
            sender.write_all(b"secret of one tunnel").unwrap();
            let mut pipe = Pipe::take().unwrap();
            pipe.fill(&from).unwrap();
            drop(pipe);
            let mut all: Vec<Pipe> = std::iter::from_fn(Pipe::take).collect();
            assert_eq!(all.len(), MOST);
            for pipe in &mut all {
                pipe.held = 1;
                assert_eq!(pipe.drain(&to).unwrap_err().kind(), ErrorKind::WouldBlock);
            }
        }
    }
}
