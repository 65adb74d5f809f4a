//! The engine's process: it reads runs from standard input, and writes how they ended.
//!
//! A script comes from the network and runs in an engine of C. Here it has no secrets beside it, and
//! whatever it does to the engine, the proxy lives on. The engine looks at the clock between its
//! steps; a step that takes long by itself is ended by the watchman, with the process.

use std::{
    io::{self, BufRead, Write},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    core::pac::question::Question,
    net::pac::{
        engine::{self, Engine},
        message::{Ended, Job, Reply, Said, Task},
    },
};

/// How much later than the engine's own limit the watchman comes.
const GRACE: Duration = Duration::from_millis(40);
/// How long the engine may compute after it is late: far less ends a step that can be interrupted.
const STEP: Duration = Duration::from_millis(5);
/// How often he looks, while there is a run.
const LOOK: Duration = Duration::from_millis(5);

/// Serves runs until the input ends.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
) -> io::Result<()> {
    let watch = Arc::new(Watch::default());
    let watched = Arc::clone(&watch);
    let engine = thread::Builder::new().stack_size(engine::STACK).spawn(move || {
        let result = work(input, output, &watched);
        watched.set(State::Over);
        result
    })?;
    watch.keep();
    engine.join().map_err(|_| io::Error::other("the engine panicked"))?
}

fn work(mut input: impl BufRead, mut output: impl Write, watch: &Watch) -> io::Result<()> {
    let mut engine = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Job { task, names, mut left } = serde_json::from_slice(&line)?;
        let late = match task {
            Task::Find { .. } => Instant::now().checked_add(engine::PATIENCE),
            Task::Load(_) => None,
        };
        let (now, most) = (clock(), left.saturating_add(GRACE));
        let (until, long) = (now.saturating_add(most), now.saturating_add(engine::LONG));
        watch.set(State::Busy { until, long, late });
        let result = match (task, &engine) {
            (Task::Load(script), _) => match Engine::load(&script, names, &mut left) {
                Ok(Ended::Done(loaded)) => {
                    engine = Some(loaded);
                    Ok(Ended::Done(Said::default()))
                }
                Ok(Ended::Missing(name)) => Ok(Ended::Missing(name)),
                Ok(Ended::Unloaded) => Ok(Ended::Unloaded),
                Err(error) => Err(error),
            },
            (Task::Find { url, host, record }, Some(engine)) => {
                engine.find(&Question { url, host }, names, record, &mut left)
            }
            (Task::Find { .. }, None) => Ok(Ended::Unloaded),
        };
        watch.set(State::Idle);
        let mut reply = serde_json::to_vec(&Reply { result, left })?;
        reply.push(b'\n');
        output.write_all(&reply)?;
        output.flush()?;
    }
}

/// What the engine does, for the watchman.
#[derive(Debug, Default)]
struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// It runs a script, which may last until the process has computed for so long.
    Busy {
        until: Duration,
        /// From this time on it is late, if it has computed for `long` by then.
        late: Option<Instant>,
        long: Duration,
    },
    #[default]
    Idle,
    Over,
}

impl Watch {
    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_one();
    }

    /// Watches until it is over.
    fn keep(&self) {
        let mut overdue = None;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            state = match *state {
                State::Over => return,
                State::Idle => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                State::Busy { until, late, long } if is_over(until, late, long, &mut overdue) => {
                    std::process::abort()
                }
                State::Busy { .. } => {
                    let waited = self.changed.wait_timeout(state, LOOK);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// `overdue` is kept from look to look: which run was found late, and what it had computed then. Until
/// it has computed on, the machine is only busy with something else.
fn is_over(
    until: Duration,
    late: Option<Instant>,
    long: Duration,
    overdue: &mut Option<(Instant, Duration)>,
) -> bool {
    let computed = clock();
    let is_late = |late: &Instant| computed >= long && Instant::now() >= *late;
    let Some(late) = late.filter(is_late) else { return computed >= until };
    let since = match *overdue {
        Some((run, since)) if run == late => since,
        Some(_) | None => computed,
    };
    *overdue = Some((late, since));
    computed >= until || computed >= since.saturating_add(STEP)
}

/// Returns the time that this process has computed.
#[cfg(unix)]
fn clock() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Returns the time since the first call.
#[cfg(not(unix))]
fn clock() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
