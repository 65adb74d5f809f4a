//! Every system call of a flow fails, one at a time, in every way that it can.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    flow::{self, Change, Flow},
    process::{Drive, Finished, finish},
    trace::{self, Failure},
    world::World,
};

/// No flow may take longer, whatever fails.
const LIMIT: Duration = Duration::from_secs(10);
/// With `--short`, as many failures of each flow, evenly taken.
const SHORT: usize = 30;
/// The worlds that live at the same time: much of it is waiting.
const AT_ONCE: usize = 4;

/// Where tokio panics, which no program can keep it from, and why that is no bug of ours.
const EXCUSED: &[(&str, &str)] = &[
    ("/src/runtime/io/driver.rs:", "it wakes itself by a number in memory, which cannot fail"),
    ("/src/runtime/signal/mod.rs:", "it reads from a socket pair of its own, which cannot fail so"),
    ("/src/signal/unix.rs:", "it gets no socket pair, although there was room for it just before"),
    ("src/proxy/spare.rs:", "it gets no first thread, although there was one just before"),
];

#[derive(Clone, Copy, Default)]
struct Tally {
    failures: usize,
    panics: usize,
    hangs: usize,
    corruptions: usize,
    leaks: usize,
    codes: usize,
    excused: usize,
    slowest: Duration,
}

pub fn run(programs: &Path, is_short: bool, only: Option<&str>) -> ExitCode {
    let mut flows = flow::all();
    flows.retain(|flow| only.is_none_or(|only| flow.name.contains(only)));
    let (next, tallies) = (AtomicUsize::new(0), Mutex::new(vec![Tally::default(); flows.len()]));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(flow) = flows.get(at)
                {
                    let tally = Torture::new(flow, programs).run(is_short);
                    tallies.lock().expect("tallies")[at] = tally;
                }
            });
        }
    });
    print(&flows, &tallies.into_inner().expect("tallies"), start.elapsed())
}

fn print(flows: &[Flow], tallies: &[Tally], took: Duration) -> ExitCode {
    println!(
        "flow                             injections panics hangs corruptions leaks codes excused slowest"
    );
    let mut sum = Tally::default();
    let line = |name: &str, tally: &Tally| {
        let Tally { failures, panics, hangs, corruptions, leaks, codes, excused, slowest } = tally;
        let slowest = slowest.as_secs_f32();
        println!(
            "{name:33}{failures:10}{panics:7}{hangs:6}{corruptions:12}{leaks:6}{codes:6}{excused:8}{slowest:6.1} s"
        );
    };
    for (flow, tally) in flows.iter().zip(tallies) {
        line(flow.name, tally);
        sum.failures += tally.failures;
        sum.panics += tally.panics;
        sum.hangs += tally.hangs;
        sum.corruptions += tally.corruptions;
        sum.leaks += tally.leaks;
        sum.codes += tally.codes;
        sum.excused += tally.excused;
        sum.slowest = sum.slowest.max(tally.slowest);
    }
    line(&format!("{} flows, in {} s", flows.len(), took.as_secs()), &sum);
    let bad = sum.panics + sum.hangs + sum.corruptions + sum.leaks + sum.codes;
    ExitCode::from(u8::from(bad > 0 || sum.failures == 0))
}

/// One flow in its world.
struct Torture<'a> {
    flow: &'a Flow,
    world: World,
    trace: PathBuf,
    /// The secret that is stored now, by its turn.
    now: Option<usize>,
    turn: usize,
    /// What the flow prints when nothing fails.
    output: Vec<u8>,
    tally: Tally,
}

impl<'a> Torture<'a> {
    fn new(flow: &'a Flow, programs: &Path) -> Self {
        let world = (flow.world)(World::new(programs));
        let trace = world.beside("trace");
        let (output, tally) = (Vec::new(), Tally::default());
        Self { flow, world, trace, now: Some(0), turn: 0, output, tally }
    }

    fn run(mut self, is_short: bool) -> Tally {
        let failures = self.failures();
        let step = if is_short { failures.len().div_ceil(SHORT).max(1) } else { 1 };
        // Another offset for each flow, so that not all of them take the same calls.
        for failure in failures.iter().skip(self.flow.name.len() % step).step_by(step) {
            self.fail(failure);
        }
        self.tally
    }

    /// Lets the flow run to its end, and returns what could fail.
    fn failures(&mut self) -> Vec<Failure> {
        self.begin();
        let command = trace::whole(&self.flow.command(&self.world), &self.trace);
        let finished = self.finish(command, LIMIT * 6);
        assert_eq!(finished.code, Some(0), "{}: {}", self.flow.name, finished.err());
        if let Err(what) = self.look(&finished, None) {
            panic!("{}, with nothing failing: {what}", self.flow.name);
        }
        self.output = finished.out;
        trace::failures(&self.trace)
    }

    /// Lets one call fail, and looks at what is left.
    fn fail(&mut self, failure: &Failure) {
        self.begin();
        let command = trace::failing(&self.flow.command(&self.world), failure, &self.trace);
        let finished = self.finish(command, LIMIT);
        let trace = fs::read_to_string(&self.trace).unwrap_or_default();
        let is_loader = finished.err().contains("error while loading shared libraries");
        if is_loader || !trace::took_place(&trace) {
            self.now = self.world.held(false).unwrap_or(self.now);
            return;
        }
        let tally = &mut self.tally;
        tally.failures += 1;
        tally.slowest = tally.slowest.max(finished.took);
        let mut told = Vec::new();
        let err = finished.err();
        if finished.hung {
            tally.hangs += 1;
            told.push("it hangs".to_owned());
        }
        let has_panicked = err.contains("this is a bug of gocred") || err.contains("panicked");
        let is_excused = EXCUSED.iter().any(|(place, _)| err.contains(place));
        if is_excused {
            tally.excused += 1;
        } else if has_panicked
            || matches!(finished.code, Some(101 | 134))
            || finished.signal.is_some()
        {
            tally.panics += 1;
            told.push(format!("it panics: {:?} {:?}", finished.code, finished.signal));
        } else if !finished.hung && !self.is_known(finished.code) {
            self.tally.codes += 1;
            told.push(format!("exit code {:?}", finished.code));
        }
        let leaks = self.leaks(&finished, &trace);
        self.tally.leaks += leaks.len();
        told.extend(leaks.into_iter().map(|leak| format!("a leak: {leak}")));
        if let Err(what) = self.look(&finished, Some(failure)) {
            self.tally.corruptions += 1;
            told.push(what);
        }
        for what in told {
            eprintln!("{}: {failure}: {what}; it said {:?}", self.flow.name, err.trim_end());
            let lines = trace.lines().filter(|line| line.ends_with("(INJECTED)"));
            lines.take(3).for_each(|line| eprintln!("    {line}"));
        }
    }

    /// product.md's codes; the helper has two of them.
    fn is_known(&self, code: Option<i32>) -> bool {
        let is_helper = self.flow.words.first() == Some(&"helper");
        match code {
            Some(0) => true,
            Some(1..=7 | 70) => !is_helper,
            _ => false,
        }
    }

    fn begin(&mut self) {
        self.turn += 1;
        (self.flow.before)(&self.world, self.turn);
        self.now = self.world.held(false).unwrap_or(self.now);
    }

    fn finish(&self, command: std::process::Command, limit: Duration) -> Finished {
        let input = self.flow.text(&self.world, self.now, self.turn);
        let drive = self.flow.drive.map(|drive| move |line: &str| drive(&self.world, line));
        let drive = drive.as_ref().map(|drive| drive as Drive<'_>);
        let finished = finish(command, input.as_bytes(), limit, drive);
        if finished.hung
            && let Some(pid) = trace::first(&self.trace)
        {
            crate::process::signal("KILL", pid);
        }
        finished
    }

    /// Returns where the secret is that it may not be.
    fn leaks(&self, finished: &Finished, trace: &str) -> Vec<String> {
        let mut leaks = self.world.leaks(self.flow.holds);
        let mut say = |what: &str, bytes: &[u8]| {
            if let Some((form, _)) = self.world.secret.find(bytes) {
                leaks.push(format!("{what} ({form})"));
            }
        };
        say("standard error", &finished.err);
        if self.flow.change != Change::Answers {
            say("standard output", &finished.out);
        }
        for line in trace.lines().filter(|line| line.contains(" execve(")) {
            say("arguments or environment", line.as_bytes());
        }
        leaks
    }

    /// The store has the old secret or the new one, and the new one if it was said to be done.
    fn look(&mut self, finished: &Finished, failure: Option<&Failure>) -> Result<(), String> {
        let before = self.now;
        // What nobody could hear was said nevertheless.
        let is_heard = failure.is_none_or(|failure| !failure.call.starts_with("write"));
        let is_done = finished.code == Some(0) && finished.err.is_empty() && is_heard;
        let held = self.world.held(false)?;
        self.now = held;
        if self.world.agent().is_some() && self.world.held(true)? != held {
            return Err("the agent answers another secret than the store".to_owned());
        }
        let new = match self.flow.change {
            Change::Answers | Change::None => before,
            Change::Stores => Some(self.turn),
            Change::Hides => None,
            Change::Shows => Some(self.turn),
        };
        if held != new && (held != before || is_done) {
            return Err(format!("{held:?} is stored; it was {before:?}, and {new:?} was meant"));
        }
        let is_answer = finished.out.is_empty() || finished.out == self.output;
        if self.flow.change == Change::Answers && failure.is_some() && !is_answer {
            return Err("the answer is neither whole nor empty".to_owned());
        }
        (self.flow.after)(&self.world, self.turn)
    }
}
