//! The proxy under load, and what the kernel says of its process.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

pub struct Daemon {
    child: Child,
    gocred: String,
    home: PathBuf,
    pub address: SocketAddr,
    goproxy: Option<SocketAddr>,
}

/// What the process holds.
pub struct Holdings {
    /// Resident memory.
    pub kib: u64,
    pub files: usize,
    pub tasks: usize,
}

impl Daemon {
    pub fn start(gocred: &str, upstreams: &[&str]) -> Self {
        let upstreams = upstreams.iter().flat_map(|upstream| ["--upstream", upstream]);
        Self::run(gocred, &upstreams.collect::<Vec<_>>())
    }

    /// One that is a module proxy, too, in front of another on this machine.
    pub fn front(gocred: &str, upstream: &str) -> Self {
        let goproxy = ["--goproxy", "127.0.0.1:0", "--goproxy-upstream", upstream];
        Self::run(gocred, &[&["--upstream", "DIRECT"], &goproxy[..]].concat())
    }

    fn run(gocred: &str, arguments: &[&str]) -> Self {
        static HOMES: AtomicUsize = AtomicUsize::new(0);
        let number = HOMES.fetch_add(1, Ordering::Relaxed);
        let home = format!("gocred-soak-{}-{number}", std::process::id());
        let home = std::env::temp_dir().join(home);
        fs::create_dir_all(home.join("run")).expect("a home");
        fs::create_dir_all(home.join(".config/gocred")).expect("a home");
        let configuration = "[proxy]\nallow = [\"127.0.0.0/8\"]\n";
        fs::write(home.join(".config/gocred/config.toml"), configuration).expect("config.toml");
        let mut command = commanded(gocred, &home);
        command.args(["proxy", "run", "--listen", "127.0.0.1:0"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("gocred");
        let mut lines = BufReader::new(child.stdout.as_mut().expect("stdout")).lines();
        let mut address = |what: &str| -> SocketAddr {
            let line = lines.next().expect("a line").expect("a line");
            let address = line.strip_prefix(what).unwrap_or_else(|| panic!("{what}: {line}"));
            address.parse().expect("an address")
        };
        let proxy = address("listening on http://");
        let is_front = arguments.contains(&"--goproxy");
        let goproxy = is_front.then(|| address("goproxy on http://"));
        Self { child, gocred: gocred.to_owned(), home, address: proxy, goproxy }
    }

    /// Where a module proxy is.
    pub fn goproxy(&self) -> SocketAddr {
        self.goproxy.expect("a front")
    }

    /// `gocred proxy status --json`
    pub fn report(&self) -> String {
        let output =
            commanded(&self.gocred, &self.home).args(["proxy", "status", "--json"]).output();
        String::from_utf8_lossy(&output.expect("gocred").stdout).into_owned()
    }

    /// Nobody is in, and nothing is open, soon after the last client has gone.
    pub fn is_at_rest(&self) -> Result<(), String> {
        let is = || {
            let report = self.report();
            ["clients", "tunnels_open"].iter().all(|name| number(&report, name) == Some(0))
        };
        if within(Duration::from_secs(75), is) {
            Ok(())
        } else {
            Err(format!("not at rest: {}", self.report()))
        }
    }

    pub fn holdings(&self) -> Holdings {
        // Kept connections to upstreams, and threads that resolved names, are given back after a while.
        let mut last = self.look();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(100));
            let now = self.look();
            if (now.files, now.tasks) == (last.files, last.tasks) && now.kib == last.kib {
                return now;
            }
            last = now;
        }
        last
    }

    fn look(&self) -> Holdings {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(folder.join("status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB");
        let count = |name| fs::read_dir(folder.join(name)).map_or(0, Iterator::count);
        Holdings { kib, files: count("fd"), tasks: count("task") }
    }

    /// The time that it has computed.
    pub fn cpu(&self) -> Duration {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its times");
        let (_, after) = stat.rsplit_once(')').expect("a name");
        let ticks: u64 =
            after.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn commanded(gocred: &str, home: &PathBuf) -> Command {
    let mut command = Command::new(gocred);
    command.env_clear().env("HOME", home).env("XDG_RUNTIME_DIR", home.join("run"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn number(report: &str, name: &str) -> Option<u64> {
    let (_, after) = report.split_once(&format!("\"{name}\":"))?;
    after.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Waits until it is so.
pub fn within(limit: Duration, mut is: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if is() {
            return true;
        }
        thread::sleep(Duration::from_millis(50));
    }
    false
}
