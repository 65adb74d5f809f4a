//! What a diagnosis is doing, on a terminal, where it takes longer than a person wonders.

use std::{
    fmt::Write as _,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::core::{doctor::probe::Probe, text::printable};

/// Nothing is said before that.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is said anew.
const STEP: Duration = Duration::from_millis(250);

/// Shows it until it is dropped.
pub(super) struct Progress {
    now: Arc<Mutex<String>>,
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to show it.
    pub(super) fn start() -> Self {
        let now = Arc::new(Mutex::new("this machine".to_owned()));
        let (end, ended) = mpsc::channel();
        let shown = Arc::clone(&now);
        let thread = thread::Builder::new().spawn(move || show(&ended, &shown)).ok();
        Self { now, end: Some(end), thread }
    }

    /// Says what is asked now.
    pub(super) fn asks(&self, probes: &[Probe]) {
        let mut places: Vec<String> = probes.iter().map(place).collect();
        places.sort_unstable();
        places.dedup();
        let more = places.len().saturating_sub(2);
        places.truncate(2);
        let mut text = places.join(", ");
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = printable(&text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn show(ended: &mpsc::Receiver<()>, now: &Mutex<String>) {
    let (start, mut is_shown) = (Instant::now(), false);
    let mut patience = PATIENCE;
    while ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
        let text = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let seconds = start.elapsed().as_secs();
        let text: String = format!("{seconds} s: asking {text}").chars().take(70).collect();
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K{text}");
        (is_shown, patience) = (true, STEP);
    }
    if is_shown {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
}

fn place(probe: &Probe) -> String {
    match probe {
        Probe::Exchange(exchange) => match &exchange.proxy {
            Some(proxy) => format!("{}:{}", proxy.host, proxy.port),
            None => exchange.link.origin.authority(),
        },
        Probe::Banner { host, port } => format!("{host}:{port}"),
        Probe::Names { .. } => "name servers".to_owned(),
        Probe::Program { .. } => "a helper program".to_owned(),
    }
}
