//! The processes below this one: whose end is ours, and whom we outlive.

use std::{
    fs, io,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, set_child_subreaper,
    set_parent_process_death_signal, waitpid,
};

/// How long a process that was killed may take to go: one that waits for a broken disk is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the kernel send a signal to this process when the thread ends that started it. Stays over an exec.
/// `false`: the parent, whose pid is given, has gone already.
pub fn die_with(parent: i32, signal: Signal) -> bool {
    set_parent_process_death_signal(Some(signal)).is_ok() && is_child_of(parent)
}

/// Returns whether a process is our parent. One that has ended is not.
pub fn is_child_of(parent: i32) -> bool {
    getppid().is_some_and(|pid| pid.as_raw_nonzero().get() == parent)
}

/// Makes this process the parent of those below it whose own parent ends: none of them gets lost.
pub fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Passes a signal on; a process that has gone needs none.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

/// Collects the processes that were adopted and have ended; `own` is waited for by somebody else.
pub fn collect(own: u32) {
    for pid in children().filter(|pid| u32::try_from(pid.as_raw_nonzero().get()) != Ok(own)) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Ends every process below this one.
pub fn end() {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let mut is_empty = true;
        for pid in children() {
            is_empty = false;
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        // Whose parent was killed has become our child.
        if is_empty {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns whether the terminal that controls us gives its signals to our process group: a Ctrl-C reaches
/// everybody in it, and need not be passed on.
pub fn is_in_foreground() -> bool {
    // pid (comm) state ppid pgrp session tty_nr tpgid
    let own = fields("self");
    own.as_deref().is_some_and(|own| own.get(2).is_some_and(|group| own.get(5) == Some(group)))
}

/// Returns whether a signal is ignored here, as `nohup` has it and a shell for what runs in the background:
/// then it is for those below, too.
pub fn ignores(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(signal.as_raw() - 1).ok().and_then(|bit| 1_u64.checked_shl(bit));
    bit.is_some_and(|bit| mask.unwrap_or_default() & bit != 0)
}

/// Makes this process another program (execvp). It returns only where that fails.
#[expect(clippy::disallowed_methods, reason = "this process becomes it; nobody waits for it here")]
pub fn become_program(words: &[std::ffi::OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;
    match words.split_first() {
        Some((program, arguments)) => Command::new(program).args(arguments).exec(),
        None => io::ErrorKind::NotFound.into(),
    }
}

fn children() -> impl Iterator<Item = Pid> {
    let own = getpid().as_raw_nonzero().get().to_string();
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let pids = numbers.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter(move |pid| fields(pid).is_some_and(|fields| fields.get(1) == Some(&own)))
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
}

/// Returns what `/proc/PID/stat` says behind the name, which may hold anything.
fn fields(pid: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{children, fields, is_child_of};

    #[test]
    fn who_is_our_child_is_read_from_proc() {
        #[expect(clippy::disallowed_methods, reason = "a child is needed")]
        let mut child = std::process::Command::new("/bin/sleep").arg("100").spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        assert!(children().any(|pid| pid.as_raw_nonzero().get() == id));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children().any(|pid| pid.as_raw_nonzero().get() == id));
        assert!(!is_child_of(id));
        assert!(fields("self").unwrap().len() > 20);
    }
}
