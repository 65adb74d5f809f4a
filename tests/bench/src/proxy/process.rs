//! A program that is measured: started, asked through /proc, ended.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running program. It ends with the value.
pub struct Process {
    child: Child,
    /// How long it took until it accepted a connection.
    pub took: Duration,
}

impl Process {
    /// Starts a program and waits until it accepts connections.
    pub fn start(mut command: Command, address: SocketAddr) -> Self {
        let name = command.get_program().display().to_string();
        let start = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        while std::net::TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "{name}: {}", ended.expect("its end"));
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{name} does not listen on {address}"
            );
            thread::sleep(Duration::from_micros(200));
        }
        Self { child, took: start.elapsed() }
    }

    /// Returns the CPU time of its processes, in seconds.
    pub fn cpu(&self) -> f64 {
        self.tree().into_iter().map(cpu_of).sum()
    }

    /// Returns the memory of its processes, in KiB.
    pub fn memory(&self) -> f64 {
        self.tree().into_iter().map(|pid| status(pid, "VmRSS:")).sum()
    }

    /// Returns how often its threads have gone to sleep: each was woken before.
    pub fn sleeps(&self) -> f64 {
        let threads = |pid| {
            let folder = fs::read_dir(format!("/proc/{pid}/task"));
            folder.into_iter().flatten().flatten().filter_map(|entry| {
                entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            })
        };
        let all = self.tree().into_iter().flat_map(threads);
        all.map(|thread| status(thread, "voluntary_ctxt_switches:")).sum()
    }

    /// Returns the process and its descendants.
    fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut at = 0;
        while let Some(pid) = tree.get(at).copied() {
            at += 1;
            let tasks = fs::read_dir(format!("/proc/{pid}/task"));
            for task in tasks.into_iter().flatten().flatten() {
                let children = fs::read_to_string(task.path().join("children"));
                let children = children.unwrap_or_default();
                tree.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            }
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its helpers end with it: their pipes close.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the CPU time of a process, in seconds: by its `stat`, which knows the threads that have
/// ended, or by the `schedstat` of those that live, which is exact.
fn cpu_of(pid: u32) -> f64 {
    const TICKS: f64 = 100.0; // USER_HZ, the same on every Linux of today
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold blanks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let exact = threads.filter_map(|thread| {
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split_whitespace().next()?.parse::<f64>().ok()
    });
    (exact.sum::<f64>() / 1e9).max(ticks / TICKS)
}

fn status(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
