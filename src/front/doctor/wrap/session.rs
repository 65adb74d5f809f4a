//! A command while it runs: what it says is passed on and read, what git traces is read, and when it says
//! nothing for long while it waits, the one that it waits for is diagnosed beside it.

use std::{
    collections::BTreeSet,
    io, thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    Trace,
    passing::Passing,
    relay::{Heard, Relay},
};
use crate::{
    core::doctor::{target::Target, watch::Watch},
    front::{
        Context,
        doctor::{
            look::{configured, diagnose},
            style::Style,
            words,
        },
        ui,
    },
};

/// How long a command may say nothing while it waits for an answer.
const SILENCE: Duration = Duration::from_secs(20);
/// How often the trace of git is read.
const TICK: Duration = Duration::from_millis(200);
/// How many hosts are diagnosed while the command runs.
const MOST: usize = 3;

/// The command, as it is known here.
pub(super) struct Session<'a> {
    pub(super) watch: Watch,
    pub(super) passing: Passing,
    trace: Option<Trace>,
    start: Instant,
    /// When something last happened.
    last: Instant,
    asked: BTreeSet<String>,
    context: &'a Context,
}

impl<'a> Session<'a> {
    pub(super) fn new(hides: bool, trace: Option<Trace>, context: &'a Context) -> Self {
        let (watch, passing) = (Watch::default(), Passing::new(hides));
        let start = Instant::now();
        Self { watch, passing, trace, start, last: start, asked: BTreeSet::new(), context }
    }

    /// How long it has run.
    pub(super) fn took(&self) -> Duration {
        self.start.elapsed()
    }

    /// Follows the command to its end; returns its code.
    pub(super) async fn follow(&mut self, relay: &mut Relay) -> io::Result<u8> {
        let (tell, mut told) = mpsc::unbounded_channel::<Vec<String>>();
        loop {
            let heard = tokio::select! {
                heard = relay.hear(TICK) => heard?,
                Some(lines) = told.recv() => {
                    self.passing.break_line();
                    for line in lines {
                        ui::err(&line);
                    }
                    continue;
                }
            };
            let now = self.took();
            match heard {
                Heard::Said(bytes) => {
                    self.passing.take(&bytes, &mut self.watch, now);
                    self.last = Instant::now();
                }
                Heard::Nothing => self.passing.show(),
                Heard::Ended(code) => {
                    self.read_trace();
                    return Ok(code);
                }
            }
            if self.read_trace() {
                self.last = Instant::now();
            }
            if self.last.elapsed() >= SILENCE {
                self.ask(&tell);
            }
        }
    }

    fn read_trace(&mut self) -> bool {
        let now = self.took();
        self.trace.as_mut().is_some_and(|trace| trace.read(&mut self.watch, now))
    }

    /// Diagnoses what it waits for, once, beside it.
    fn ask(&mut self, tell: &mpsc::UnboundedSender<Vec<String>>) {
        let Some(url) = self.watch.waits_for().map(str::to_owned) else { return };
        if self.asked.len() >= MOST || !self.asked.insert(url.clone()) {
            return;
        }
        let Ok(target) = Target::parse(&url) else { return };
        let (tell, context) = (tell.clone(), self.context.clone());
        let silence = SILENCE.as_secs();
        let work = move || {
            let head = format!("gocred wrap: nothing for {silence} s; it waits for {url}:");
            let mut lines = vec![head];
            let style = Style::of_errors(&context);
            let found = diagnose(&target, None, false, None, &configured(&context));
            lines.extend(words::short(&found.report, style));
            let _ = tell.send(lines);
        };
        let _ = thread::Builder::new().spawn(work);
    }
}
