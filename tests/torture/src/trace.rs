//! strace: which calls a program makes, and the failure of one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// What each call may fail with. What the kernel never returns there is not asked for: a `read` that
/// says ENOSPC tests nobody. EAGAIN is for threads and processes that cannot be started. `close` is not
/// here: it ends a descriptor whatever it returns, and one that strace lets fail does not. Neither is
/// `futex`: to wake others never fails.
const ERRORS: &[(&[&str], &[&str])] = &[
    (&["open", "openat", "openat2", "creat"], &["EIO", "ENOSPC", "EMFILE", "EINTR"]),
    (&["read", "readv", "pread64"], &["EIO", "EINTR", "ECONNRESET", "ETIMEDOUT"]),
    (&["write", "writev", "pwrite64"], &["EIO", "ENOSPC", "EINTR", "ECONNRESET"]),
    (&["recvfrom", "recvmsg"], &["ECONNRESET", "ETIMEDOUT", "EINTR"]),
    (&["sendto", "sendmsg", "sendmmsg"], &["ECONNRESET", "ETIMEDOUT", "EINTR"]),
    (&["connect"], &["ETIMEDOUT", "ECONNRESET", "EINTR"]),
    (&["accept", "accept4"], &["EMFILE", "EINTR", "ECONNRESET"]),
    (&["socket", "socketpair", "pipe", "pipe2", "dup", "dup2", "dup3", "fcntl"], &["EMFILE"]),
    (&["epoll_create1", "eventfd2", "timerfd_create", "inotify_init1", "pidfd_open"], &["EMFILE"]),
    (&["epoll_ctl"], &["ENOSPC"]),
    (&["fsync", "fdatasync", "ftruncate", "fallocate"], &["EIO", "ENOSPC", "EINTR"]),
    (&["sendfile", "splice", "copy_file_range"], &["EIO", "ENOSPC", "EINTR"]),
    (&["rename", "renameat", "renameat2", "link", "linkat"], &["EIO", "ENOSPC"]),
    (&["symlink", "mkdir", "mkdirat", "bind"], &["EIO", "ENOSPC"]),
    (&["unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "utimensat"], &["EIO"]),
    (&["stat", "fstat", "lstat", "newfstatat", "statx", "access", "faccessat2"], &["EIO"]),
    (&["readlink", "readlinkat", "getdents64", "getcwd", "ioctl"], &["EIO"]),
    (&["flock", "getrandom", "wait4", "waitid"], &["EINTR"]),
    (&["poll", "ppoll", "epoll_wait", "epoll_pwait", "select", "pselect6"], &["EINTR"]),
    (&["nanosleep", "clock_nanosleep"], &["EINTR"]),
    (&["execve"], &["EIO", "EMFILE"]),
    (&["clone", "clone3", "fork", "vfork"], &["EAGAIN"]),
];

/// One call of a name does not get more than this many failures: a loop is a loop.
const MOST: usize = 60;

/// A failure: the `at`th call of a name, in each thread and process.
#[derive(Clone, Debug)]
pub struct Failure {
    pub call: String,
    pub at: usize,
    pub error: &'static str,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "inject={}:error={}:when={}", self.call, self.error, self.at)
    }
}

/// Prepares a command so that every call is written to a file.
pub fn whole(command: &Command, to: &Path) -> Command {
    around(command, &["-f", "-qq", "-o", &to.display().to_string()])
}

/// Prepares a command so that all that is executed is written to a file, with arguments and environment.
pub fn executions(command: &Command, to: &Path) -> Command {
    let to = to.display().to_string();
    around(
        command,
        &["-f", "--seccomp-bpf", "-qq", "-v", "-s", "65536", "-e", "trace=execve", "-o", &to],
    )
}

/// Prepares a command so that one call fails. The file says whether it did, and all that was executed,
/// with arguments and environment.
pub fn failing(command: &Command, failure: &Failure, to: &Path) -> Command {
    let calls = format!("trace={},execve", failure.call);
    let words = ["-f", "--seccomp-bpf", "-qq", "-y", "-v", "-s", "65536", "-e", &calls, "-e"];
    let to = to.display().to_string();
    around(command, &[&words[..], &[&failure.to_string(), "-o", &to]].concat())
}

/// Prepares a command so that it waits before its last call, for longer than anybody looks at it.
pub fn held_at_end(command: &Command) -> Command {
    let hold = "inject=exit_group:delay_enter=60s";
    around(command, &["-qq", "-e", "trace=exit_group", "-e", hold, "-o", "/dev/null"])
}

fn around(command: &Command, words: &[&str]) -> Command {
    let mut outer = Command::new("strace");
    outer.env_clear().args(words).arg(command.get_program()).args(command.get_args());
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// Returns the process that a trace begins with.
pub fn first(trace: &Path) -> Option<u32> {
    fs::read_to_string(trace).ok()?.split_whitespace().next()?.parse().ok()
}

/// Returns whether a failure took place, and only at calls that can fail so. An eventfd in memory
/// cannot, and neither can the byte of a signal handler, which goes through a socket pair.
pub fn took_place(trace: &str) -> bool {
    let is_possible = |line: &str| {
        let is_signal = line.contains(" sendto(") && line.contains("\"\\1\", 1, MSG_NOSIGNAL");
        !is_signal && !line.contains("anon_inode:[eventfd")
    };
    let mut injected = trace.lines().filter(|line| line.ends_with("(INJECTED)")).peekable();
    injected.peek().is_some() && injected.all(is_possible)
}

/// Returns every failure that a traced program can meet. What the loader does comes before our first
/// call, which forbids core dumps; it has errors of its own.
pub fn failures(trace: &Path) -> Vec<Failure> {
    let text = fs::read_to_string(trace).expect("a trace");
    let mut counts = BTreeMap::<(u32, String), usize>::new();
    let mut wanted = BTreeSet::<(String, usize)>::new();
    let main = text.split_whitespace().next().and_then(|pid| pid.parse().ok()).unwrap_or(0);
    let mut has_started = false;
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let (Ok(pid), Some((name, _))) = (pid.parse::<u32>(), rest.trim_start().split_once('('))
        else {
            continue;
        };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        has_started |= rest.contains("prctl(PR_SET_DUMPABLE");
        let count = counts.entry((pid, name.to_owned())).or_default();
        *count += 1;
        if (pid != main || has_started) && *count <= MOST {
            wanted.insert((name.to_owned(), *count));
        }
    }
    let errors = |name: &str| {
        let of = ERRORS.iter().find(|(names, _)| names.contains(&name));
        of.map_or(&[][..], |(_, errors)| errors)
    };
    let failure = |(call, at): (String, usize)| {
        let errors = errors(&call).iter();
        errors.map(move |error| Failure { call: call.clone(), at, error }).collect::<Vec<_>>()
    };
    wanted.into_iter().flat_map(failure).collect()
}
