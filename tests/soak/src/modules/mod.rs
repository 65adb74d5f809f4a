//! Downloads of two hundred modules through the front, from a module proxy of which one answer in ten
//! fails: how many of them fail, and how much more the proxy is asked.
//!
//! A run is what `go mod download` asks, in its order, by as many workers as go has processors; as for
//! go, one failed answer is a failed run. That real go sees the same is for `goproxy_flaky` to show.

mod go;
mod server;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use crate::{Scale, daemon::Daemon};

/// How many modules a project needs, and how many files each has.
const MODULES: u64 = 200;
const FILES: u64 = 3;
/// How many answers of a thousand fail.
const FAILING: u64 = 100;
/// What is allowed: failed runs of a thousand, and percent of further requests.
const FAILED: u64 = 1;
const FURTHER: f64 = 15.0;
/// Runs at a time, each with a front and a server of its own.
const LANES: usize = 16;
/// How many workers there are, in one lane after the other.
const WIDTHS: [usize; 4] = [2, 4, 8, 16];
/// A front that has just started knows nothing of its upstream, one that has not does: each serves so
/// many runs.
const RUNS_OF_A_FRONT: u64 = 10;

/// The phase.
pub fn flaky(gocred: &str, scale: &Scale) -> Result<String, String> {
    let (next, asked, lost) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for width in WIDTHS.iter().cycle().take(LANES) {
            scope.spawn(|| {
                let server = server::Server::start();
                let mut front = None;
                for served in 0.. {
                    let run = next.fetch_add(1, Relaxed);
                    if run >= scale.downloads {
                        break;
                    }
                    if served % RUNS_OF_A_FRONT == 0 {
                        front = None;
                    }
                    let front = front.get_or_insert_with(|| Daemon::front(gocred, &server.url()));
                    server.begin(run);
                    if let Err(what) = go::download(front.goproxy(), run, *width) {
                        failures.lock().expect("the failures").push(what);
                    }
                }
                asked.fetch_add(server.asked(), Relaxed);
                lost.fetch_add(server.failed(), Relaxed);
            });
        }
    });
    let failures = failures.into_inner().expect("the failures");
    let (asked, runs, failed) = (asked.into_inner(), scale.downloads, failures.len() as u64);
    let percent = |part: f64, whole: u64| part * 100.0 / whole as f64;
    let needed = runs * MODULES * FILES;
    let further = percent(asked.saturating_sub(needed) as f64, needed);
    let told = format!(
        "{runs} runs of {MODULES} modules, {failed} failed ({:.3} %, with 95 % confidence below {:.3} %); \
         {:.1} % of {asked} answers failed, {further:.2} % further requests",
        percent(failed as f64, runs),
        percent(most_likely(failed), runs),
        percent(lost.into_inner() as f64, asked),
    );
    if failed * 1000 > runs * FAILED || further > FURTHER {
        return Err(format!("{told}; {:?}", failures.iter().take(3).collect::<Vec<_>>()));
    }
    Ok(told)
}

/// Returns the mean of rare events of which so many or fewer happen once in twenty times (Poisson): with
/// none it is the rule of three.
fn most_likely(seen: u64) -> f64 {
    let at_most = |mean: f64| {
        let (mut term, mut sum) = ((-mean).exp(), 0.0);
        for count in 0..=seen {
            sum += term;
            term *= mean / (count + 1) as f64;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 10.0 + 3.0 * seen as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// Returns what a file of a module holds.
fn file(path: &str) -> Vec<u8> {
    let (module, name) = path.trim_start_matches('/').split_once("/@v/").unwrap_or_default();
    match name.rsplit('.').next() {
        Some("info") => br#"{"Version":"v1.0.0","Time":"2026-01-02T03:04:05Z"}"#.to_vec(),
        Some("mod") => format!("module {module}\n\ngo 1.21\n").into_bytes(),
        _ => {
            let bytes = (0..ZIP).map(|at| (at * at + module.len()) as u8);
            b"PK\x03\x04".iter().copied().chain(bytes).collect()
        }
    }
}

/// The size of a zip; a small one.
const ZIP: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::most_likely;

    #[test]
    fn nothing_seen_is_the_rule_of_three() {
        for (seen, most) in [(0, 2.996), (1, 4.744), (2, 6.296), (10, 16.962)] {
            assert!((most_likely(seen) - most).abs() < 0.001, "{seen}: {}", most_likely(seen));
        }
    }
}
