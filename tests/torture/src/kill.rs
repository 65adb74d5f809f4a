//! A write that is ended with SIGKILL leaves the old secret or the new one.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use crate::home::{Home, was_killed};

/// What a write cannot do without: at each of these calls one must have been killed. (strace ends
/// nobody at the first `execve`, which is its own.)
const VITAL: [&str; 5] = ["flock", "fsync", "openat", "rename", "write"];

struct Tally {
    home: Home,
    /// The secret that is answered.
    now: usize,
    /// The one that was written last.
    last: usize,
    killed: usize,
    lost: usize,
}

pub fn run(programs: &Path, random: usize) -> ExitCode {
    let mut tally = Tally { home: Home::new(programs), now: 0, last: 0, killed: 0, lost: 0 };
    let calls = tally.calls();
    let total: usize = calls.values().sum();
    let mut reached = BTreeMap::<&str, usize>::new();
    for (name, count) in &calls {
        for at in 1..=*count {
            if tally.kill_at(name, at) {
                *reached.entry(name).or_default() += 1;
            }
        }
    }
    for name in VITAL {
        let (hit, all) = (reached.get(name).copied().unwrap_or(0), calls.get(name).copied());
        assert!(all.is_some_and(|all| hit == all), "{name}: {hit} of {all:?}");
    }
    let exhaustive = tally.killed;
    println!(
        "a write at each of its system calls: {exhaustive} of {total} killed, {} lost",
        tally.lost
    );
    let typical = tally.typical();
    for round in 0..random {
        tally.kill_after(pseudo_random(round) % (typical.as_micros() as u64 * 5 / 4));
    }
    println!(
        "a write at random within {} ms: {random} tried, {} killed, {} lost",
        typical.as_millis(),
        tally.killed - exhaustive,
        tally.lost
    );
    tally.end()
}

impl Tally {
    fn next(&mut self) -> usize {
        self.last += 1;
        self.last
    }

    /// Returns how often a write makes each call.
    fn calls(&mut self) -> BTreeMap<String, usize> {
        let trace = self.home.file("trace");
        let mut command = self.home.run(Path::new("/usr/bin/strace"));
        command.arg("-o").arg(&trace).arg(self.home.helper()).arg("store");
        self.finish(command);
        let text = fs::read_to_string(&trace).expect("strace");
        let mut calls = BTreeMap::new();
        for line in text.lines() {
            if let Some((name, _)) = line.split_once('(')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            {
                *calls.entry(name.to_owned()).or_default() += 1;
            }
        }
        calls
    }

    /// Lets a write run to its end.
    fn finish(&mut self, command: Command) {
        let secret = self.next();
        let output = self.home.store(command, secret).wait_with_output().expect("the helper");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(self.home.get(), Ok(secret));
        self.now = secret;
    }

    /// Kills a write as it makes its `at`th call of one name. Returns whether it came so far.
    fn kill_at(&mut self, name: &str, at: usize) -> bool {
        let mut command = self.home.run(Path::new("/usr/bin/strace"));
        command.args(["-o", "/dev/null", "-e"]);
        command.arg(format!("inject={name}:signal=KILL:when={at}"));
        command.arg(self.home.helper()).arg("store");
        let secret = self.next();
        let output = self.home.store(command, secret).wait_with_output().expect("strace");
        let is_killed = was_killed(&output);
        self.look(secret, is_killed, &format!("{name} {at}"));
        is_killed
    }

    /// Kills a write after some microseconds.
    fn kill_after(&mut self, micros: u64) {
        let mut command = self.home.run(&self.home.helper());
        command.arg("store");
        let secret = self.next();
        let mut child = self.home.store(command, secret);
        thread::sleep(Duration::from_micros(micros));
        let _ = child.kill();
        let output = child.wait_with_output().expect("the helper");
        self.look(secret, was_killed(&output), &format!("after {micros} µs"));
    }

    /// Looks at what is left: the old secret or the new one, and no word of damage.
    fn look(&mut self, secret: usize, is_killed: bool, what: &str) {
        self.killed += usize::from(is_killed);
        match self.home.get() {
            Ok(found) if found == secret || is_killed && found == self.now => self.now = found,
            found => {
                self.lost += 1;
                eprintln!("{what}: {} or {secret} expected, {found:?} found", self.now);
                self.now = found.unwrap_or(self.now);
            }
        }
    }

    /// Returns how long a write takes.
    fn typical(&mut self) -> Duration {
        let mut times = Vec::new();
        for _ in 0..21 {
            let mut command = self.home.run(&self.home.helper());
            command.arg("store");
            let start = Instant::now();
            let secret = self.next();
            let output = self.home.store(command, secret).wait_with_output().expect("the helper");
            times.push(start.elapsed());
            assert!(output.status.success());
            self.now = secret;
        }
        times.sort();
        times[10]
    }

    /// The next write succeeds, and clears away what the killed ones left.
    fn end(mut self) -> ExitCode {
        let mut command = self.home.run(&self.home.helper());
        command.arg("store");
        self.finish(command);
        let names = self.home.names();
        assert_eq!(names, ["vault", "vault.lock", "vault.prev"]);
        ExitCode::from(u8::from(self.lost > 0))
    }
}

/// SplitMix64: the moments are the same in each run.
fn pseudo_random(round: usize) -> u64 {
    let mut z = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
