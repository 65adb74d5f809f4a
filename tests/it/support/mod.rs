//! What the tests stand on: a home of their own, and real programs started and ended by them.
//! Nothing here knows what gocred should do.

pub(crate) mod agent;
pub(crate) mod bao;
pub(crate) mod chromium;
pub(crate) mod developer;
pub(crate) mod domain;
pub(crate) mod git;
pub(crate) mod go;
pub(crate) mod home;
pub(crate) mod keyring;
pub(crate) mod lab;
pub(crate) mod neighbour;
pub(crate) mod oidc;
pub(crate) mod oracle;
pub(crate) mod python;
pub(crate) mod random;
pub(crate) mod secret_service;
pub(crate) mod server;
pub(crate) mod stall;
pub(crate) mod terminal;
pub(crate) mod tls;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use gocred::sys::run;

/// Finds a program that a test needs. In CI a missing one fails the test and says what to install;
/// elsewhere it is said, and the test is skipped.
#[must_use]
pub(crate) fn program(name: &str, package: &str) -> Option<PathBuf> {
    let found = run::find(name, &path()).or_else(|| run::find(name, "/usr/sbin:/sbin"));
    if found.is_none() {
        skipped(&format!("{name} is missing; run `apt-get install {package}`"));
    }
    found
}

/// Says that a test is skipped, which CI (`CI` set) does not accept.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "tests run where they start")]
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI must run this test: {why}");
    println!("skipped: {why}");
}

/// Returns the start of a command line that runs a program as another user. `None`: skipped, because
/// only root has one, and not in a user namespace that knows a single account.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests run where they start, and fail by panicking"
)]
pub(crate) fn as_another_user() -> Option<std::process::Command> {
    let setpriv = program("setpriv", "util-linux")?;
    let command = || {
        let mut command = std::process::Command::new(&setpriv);
        command.args(["--reuid", "65534", "--clear-groups"]);
        command
    };
    let works = command().arg("true").output().expect("setpriv").status.success();
    if !works {
        skipped("only root can become another user");
    }
    works.then(command)
}

/// The `PATH` of the test run: the only variable that a program under test inherits.
#[expect(clippy::disallowed_methods, reason = "tests run where they start")]
pub(crate) fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// Polls until there is an answer, for at most 20 s.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub(crate) fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if let Some(answer) = answer() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("{what}: not within 20 s")
}

/// Runs a question several times; returns the shortest time and the last answer. What is asserted of
/// a time must hold on a busy machine.
pub(crate) fn quickest<T>(mut question: impl FnMut() -> T) -> (T, Duration) {
    let mut ask = || {
        let start = Instant::now();
        (question(), start.elapsed())
    };
    (0..9).fold(ask(), |(_, quickest), _| {
        let (answer, took) = ask();
        (answer, took.min(quickest))
    })
}
