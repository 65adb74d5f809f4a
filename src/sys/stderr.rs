//! The standard error of a program that has a connection to us: for what the connection cannot carry.
//!
//! Behind TLS nobody but the server can speak to the client, and libcurl shows nothing of an answer to CONNECT
//! but its status. So the line goes where the program's own would go, as `write(1)` brings one to a terminal:
//! to a terminal or a pipe of a process of this user, never to a file (bytes that others write there would be
//! overwritten) nor to a socket, and nobody is waited for.

/// The standard error of another process, open for one line.
#[derive(Debug)]
pub struct Stderr(#[cfg(target_os = "linux")] rustix::fd::OwnedFd);

impl Stderr {
    /// Opens that of the process `pid`, where it holds the socket `inode`. `None`: it has ended, is another
    /// user's, or its standard error is neither a terminal nor a pipe.
    #[cfg(target_os = "linux")]
    pub fn of(pid: i32, inode: u32) -> Option<Self> {
        use rustix::{
            fs::{FileType, Mode, OFlags, open, stat},
            termios::isatty,
        };
        let path = format!("/proc/{pid}/fd/2");
        // Before it is opened: to open a device may do something.
        let kind = FileType::from_raw_mode(stat(&path).ok()?.st_mode);
        if !matches!(kind, FileType::Fifo | FileType::CharacterDevice) {
            return None;
        }
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = open(&path, flags, Mode::empty()).ok()?;
        let is_right = kind == FileType::Fifo || isatty(&file);
        // After it was opened: the number may have become another process's, the socket may not.
        (is_right && super::owner::holds(pid, inode)).then_some(Self(file))
    }

    /// Opens nothing: it is not known how here.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_pid: i32, _inode: u32) -> Option<Self> {
        None
    }

    /// Says a line of at most 4,095 bytes, which come in one piece (`pipe(7)`, `PIPE_BUF`). Where there is no
    /// room, or nobody who reads, nothing is said.
    pub fn say(&self, line: &str) {
        #[cfg(target_os = "linux")]
        let _ = rustix::io::write(&self.0, format!("{line}\n").as_bytes());
        #[cfg(not(target_os = "linux"))]
        let _ = line;
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        fs::File,
        io::Read,
        net::{TcpListener, TcpStream},
        process::{Child, Command, Stdio},
    };

    use super::Stderr;
    use crate::sys::peer::Registry;

    /// A process that holds a connection, and its socket.
    fn holder(stderr: impl Into<Stdio>) -> (Child, u32) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, remote) = listener.accept().unwrap();
        let inode =
            Registry::default().socket(accepted.local_addr().unwrap(), remote).unwrap().inode;
        let stdin: rustix::fd::OwnedFd = client.into();
        #[expect(clippy::disallowed_methods, reason = "the test starts a program")]
        let mut command = Command::new("cat");
        let child = command.stdin(stdin).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        // Its end comes with that of the connection.
        std::mem::forget(accepted);
        (child, inode)
    }

    fn pid(child: &Child) -> i32 {
        i32::try_from(child.id()).unwrap()
    }

    #[test]
    fn a_pipe_takes_a_line_and_ends_with_who_holds_it() {
        let (mut child, inode) = holder(Stdio::piped());
        let stderr = Stderr::of(pid(&child), inode).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        stderr.say("gocred[H01]: a line");
        assert!(Stderr::of(pid(&child), inode).is_none());
        drop(stderr);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "gocred[H01]: a line\n");
    }

    #[test]
    fn a_full_pipe_and_one_without_a_reader_are_not_waited_for() {
        let (mut child, inode) = holder(Stdio::piped());
        let stderr = Stderr::of(pid(&child), inode).unwrap();
        let line = "x".repeat(4000);
        (0..100).for_each(|_| stderr.say(&line));
        drop(child.stderr.take());
        stderr.say("nobody reads");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn files_devices_and_processes_without_the_socket_are_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for stderr in [Stdio::null(), Stdio::from(File::create(file.path()).unwrap())] {
            let (mut child, inode) = holder(stderr);
            assert!(Stderr::of(pid(&child), inode).is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let (mut child, inode) = holder(Stdio::piped());
        assert!(Stderr::of(pid(&child), inode + 1).is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
