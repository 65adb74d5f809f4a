//! The standard error of a program that has a connection to us: for what the connection cannot carry.
//!
//! Behind TLS nobody but the server can speak to the client, and libcurl shows nothing of an answer to CONNECT
//! but its status. So the line goes where the program's own would go, as `write(1)` brings one to a terminal.
//!
//! - Only to a process of this user, where it may write there itself, and not where ours goes: that is told already.
//! - A terminal and a pipe are opened once more, so that nobody is waited for.
//! - A file, or the socket that `node` gives its children in place of a pipe, has to be the program's own one, with
//!   its place in the file: else one would write over the other's bytes. The system lends that only to whom it lets
//!   trace the process (`pidfd_getfd(2)`, `ptrace_scope`). A file that is only appended to can be opened once more.
//!
//! Whoever calls this does it on a thread that nobody waits for: a file may lie at the other end of a network.

#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;

#[cfg(target_os = "linux")]
use rustix::{
    fd::OwnedFd,
    fs::{FileType, Mode, OFlags, Stat, fstat, major, open, stat},
    net::{AddressFamily, SendFlags, getsockname, send},
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

#[cfg(target_os = "linux")]
use crate::sys::{owner, peer, process};

/// The majors of terminals: consoles and serial lines, and those of programs (`devices.txt`). `/dev/tty` is none of
/// them: it is another one for each who opens it.
#[cfg(target_os = "linux")]
const TERMINALS: [std::ops::RangeInclusive<u32>; 2] = [4..=4, 136..=143];

/// The standard error of another process, open for one line.
#[derive(Debug)]
pub struct Stderr {
    #[cfg(target_os = "linux")]
    file: OwnedFd,
    #[cfg(target_os = "linux")]
    kind: FileType,
}

impl Stderr {
    /// Opens that of the process `pid`, where it holds the socket `inode`. `None`: it has ended, is another
    /// user's, or what it has in that place is not for words.
    #[cfg(target_os = "linux")]
    pub fn of(pid: i32, inode: u32) -> Option<Self> {
        if std::fs::metadata(format!("/proc/{pid}")).ok()?.uid() != peer::own_uid() {
            return None;
        }
        let path = format!("/proc/{pid}/fd/2");
        let flags = flags(pid)?;
        // Before it is opened: to open a device may do something.
        let seen = stat(&path).ok()?;
        if !is_for_words(&seen) {
            return None;
        }
        let kind = FileType::from_raw_mode(seen.st_mode);
        let again = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |more| open(&path, again | more, Mode::empty()).ok();
        let file = match kind {
            FileType::RegularFile if flags.contains(OFlags::APPEND) => open(OFlags::APPEND)?,
            FileType::RegularFile | FileType::Socket => lent(pid)?,
            _ => open(OFlags::empty())?,
        };
        // After it was opened: the number may have become another process's, the socket may not.
        let is_it = is_same(&fstat(&file).ok()?, &seen) && owner::holds(pid, inode);
        let is_near = kind != FileType::Socket
            || getsockname(&file).is_ok_and(|it| it.address_family() == AddressFamily::UNIX);
        (is_it && is_near).then_some(Self { file, kind })
    }

    /// Opens nothing: it is not known how here.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_pid: i32, _inode: u32) -> Option<Self> {
        None
    }

    /// Says a line of at most 4,095 bytes, which come in one piece (`pipe(7)`, `PIPE_BUF`). Where there is no
    /// room, or nobody who reads, nothing is said.
    #[cfg(target_os = "linux")]
    pub fn say(&self, line: &str) {
        let line = format!("{line}\n");
        let _ = if self.kind == FileType::Socket {
            send(&self.file, line.as_bytes(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
        } else {
            rustix::io::write(&self.file, line.as_bytes())
        };
    }

    /// Says nothing: there is none here.
    #[cfg(not(target_os = "linux"))]
    pub fn say(&self, _line: &str) {}
}

/// Returns how the process has opened it, where it may write to it (`proc_pid_fdinfo(5)`).
#[cfg(target_os = "linux")]
fn flags(pid: i32) -> Option<OFlags> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/2")).ok()?;
    let digits = text.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
    let flags = OFlags::from_bits_retain(u32::from_str_radix(digits, 8).ok()?);
    let access = flags & OFlags::ACCMODE;
    let may_write = access == OFlags::WRONLY || access == OFlags::RDWR;
    (may_write && !flags.contains(OFlags::PATH)).then_some(flags)
}

/// Returns whether a line may go there.
#[cfg(target_os = "linux")]
fn is_for_words(seen: &Stat) -> bool {
    let is_ours = fstat(rustix::stdio::stderr()).is_ok_and(|own| is_same(&own, seen));
    let is_terminal = TERMINALS.iter().any(|majors| majors.contains(&major(seen.st_rdev)));
    !is_ours
        && match FileType::from_raw_mode(seen.st_mode) {
            FileType::Fifo | FileType::RegularFile | FileType::Socket => true,
            // In the background of its own terminal a process is stopped for a word (`stty tostop`).
            FileType::CharacterDevice => is_terminal && process::terminal() != Some(seen.st_rdev),
            _ => false,
        }
}

#[cfg(target_os = "linux")]
fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev)
}

/// Borrows the standard error of a process as it is.
#[cfg(target_os = "linux")]
fn lent(pid: i32) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    pidfd_getfd(process, 2, PidfdGetfdFlags::empty()).ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        os::unix::net::UnixStream,
        process::{Child, Command, Stdio},
    };

    use rustix::{
        fs::{CWD, FileType, Mode, OFlags, mknodat, open},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    };

    use super::{OwnedFd, Stderr};
    use crate::sys::peer::Registry;

    /// A process that holds a connection, and its socket.
    fn holder(stderr: impl Into<Stdio>) -> (Child, u32) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, remote) = listener.accept().unwrap();
        let inode =
            Registry::default().socket(accepted.local_addr().unwrap(), remote).unwrap().inode;
        let stdin = OwnedFd::from(client);
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
        child.kill().unwrap();
        child.wait().unwrap();
        let mut said = String::new();
        let mut reader = child.stderr.take().unwrap();
        drop(stderr);
        reader.read_to_string(&mut said).unwrap();
        // Whole lines, as many as have room.
        assert!(said.lines().all(|it| it == line) && (1..100).contains(&said.lines().count()));
        let (mut child, inode) = holder(Stdio::piped());
        let stderr = Stderr::of(pid(&child), inode).unwrap();
        drop(child.stderr.take());
        stderr.say("nobody reads");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_file_keeps_the_order_of_what_both_say() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut shared = File::create(file.path()).unwrap();
        let (mut child, inode) = holder(shared.try_clone().unwrap());
        shared.write_all(b"first\n").unwrap();
        Stderr::of(pid(&child), inode).unwrap().say("second");
        shared.write_all(b"third\n").unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "first\nsecond\nthird\n");
        child.kill().unwrap();
        child.wait().unwrap();
        let mut shared = File::options().append(true).open(file.path()).unwrap();
        let (mut child, inode) = holder(shared.try_clone().unwrap());
        Stderr::of(pid(&child), inode).unwrap().say("fourth");
        shared.write_all(b"fifth\n").unwrap();
        let said = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(said, "first\nsecond\nthird\nfourth\nfifth\n");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_terminal_takes_a_line() {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = File::options().write(true).open(name.to_str().unwrap()).unwrap();
        let (mut child, inode) = holder(terminal);
        Stderr::of(pid(&child), inode).unwrap().say("a line");
        let mut said = [0; 8];
        File::from(controller).read_exact(&mut said).unwrap();
        assert_eq!(&said, b"a line\r\n");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_a_process_may_only_read_or_name_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let both = File::options().read(true).write(true).open(&path).unwrap();
        let flags =
            |flags| File::from(open(&path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap());
        for stderr in [flags(OFlags::RDONLY | OFlags::NONBLOCK), flags(OFlags::PATH)] {
            let (mut child, inode) = holder(stderr);
            assert!(Stderr::of(pid(&child), inode).is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        drop(both);
    }

    #[test]
    fn a_socket_takes_a_line_where_it_is_one_of_this_machine() {
        let (mut own, other) = UnixStream::pair().unwrap();
        let (mut child, inode) = holder(OwnedFd::from(other));
        Stderr::of(pid(&child), inode).unwrap().say("a line");
        child.kill().unwrap();
        child.wait().unwrap();
        let mut said = String::new();
        own.read_to_string(&mut said).unwrap();
        assert_eq!(said, "a line\n");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outside = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut child, inode) = holder(OwnedFd::from(outside));
        assert!(Stderr::of(pid(&child), inode).is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn devices_and_processes_without_the_socket_are_left_alone() {
        let (mut child, inode) = holder(Stdio::null());
        assert!(Stderr::of(pid(&child), inode).is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut child, inode) = holder(Stdio::piped());
        assert!(Stderr::of(pid(&child), inode + 1).is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
