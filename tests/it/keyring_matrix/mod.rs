//! Every state that a keyring is found in, times get, store and erase, through git's helper and through
//! the commands: each ends within 2 s with its own code, and no other store is touched.
//!
//! `cargo test --test it keyring_matrix -- --nocapture` prints the table.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod state;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gocred::{
    core::{
        credential::{Entry, Key, Kind},
        origin::Origin,
    },
    store::index,
};

use self::state::{STATES, State, World};
use crate::support::{
    home::{Home, Output, Run},
    program,
};

/// No cell may take longer.
const LIMIT: Duration = Duration::from_secs(2);
/// What is stored before the question. Part of every secret here.
const OLD: &str = "S3cret-before";
const NEW: &str = "S3cret-after";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    Store,
    Erase,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `git-credential-gocred`
    Helper,
    /// `gocred goauth`, `gocred login`, `gocred logout`
    Command,
}

const CELLS: [(Operation, Way); 6] = [
    (Operation::Get, Way::Helper),
    (Operation::Get, Way::Command),
    (Operation::Store, Way::Helper),
    (Operation::Store, Way::Command),
    (Operation::Erase, Way::Helper),
    (Operation::Erase, Way::Command),
];

/// What came out of a cell: `ok`, or the code; and how long it took.
type Cell = (String, Duration);

/// A home where `git.test` is known to be stored.
fn home() -> Home {
    let home = Home::new();
    let origin = Origin::new("https", "git.test").expect("an origin");
    let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
    let entry = Entry { key, expires: None, stored: 1, hidden: None };
    index::rebuild(&home.state().join("gocred"), &[entry]).expect("an index");
    home
}

/// Prepares the program of a cell.
fn prepare(home: &Home, world: &World, operation: Operation, way: Way) -> Run {
    let question = "protocol=https\nhost=git.test\n";
    let run = match (operation, way) {
        (Operation::Get, Way::Helper) => home.helper().arg("get").input(question),
        (Operation::Store, Way::Helper) => {
            home.helper().arg("store").input(format!("{question}username=ana\npassword={NEW}\n"))
        }
        (Operation::Erase, Way::Helper) => {
            home.helper().arg("erase").input(format!("{question}username=ana\npassword={OLD}\n"))
        }
        (Operation::Get, Way::Command) => home
            .gocred()
            .args(["goauth", "https://git.test/m/@v/list"])
            .input("HTTP/1.1 401 Unauthorized\r\n\r\n"),
        (Operation::Store, Way::Command) => home
            .gocred()
            .args(["login", "git.test", "--username", "ana", "--with-token", "--no-verify"])
            .input(format!("{NEW}\n")),
        (Operation::Erase, Way::Command) => home.gocred().args(["logout", "git.test"]),
    };
    let run = world.env.iter().fold(run, |run, (name, value)| run.env(name, value));
    let run = world.without.iter().fold(run, |run, name| run.without(name));
    run.limit(Duration::from_secs(20))
}

/// Runs a cell in a world of its own. `None`: skipped.
fn cell(state: &State, operation: Operation, way: Way) -> Option<Cell> {
    let (home, mut world) = (home(), (state.make)()?);
    let run = prepare(&home, &world, operation, way);
    let output = ask(run, &mut world);
    let what = format!("{} / {operation:?} / {way:?}", state.name);
    let said = judge(&output, operation, way, &what);
    untouched(home.path(), &what);
    Some((said, output.took))
}

/// Runs the program, and lets happen what happens meanwhile.
fn ask(run: Run, world: &mut World) -> Output {
    let during = world.during.take();
    thread::scope(|scope| {
        let asking = scope.spawn(|| run.output());
        if let Some(during) = during {
            during();
        }
        asking.join().expect("no panic")
    })
}

/// Reads what a program said: `ok`, `none`, or its code. Whatever it says must have its form.
fn judge(output: &Output, operation: Operation, way: Way, what: &str) -> String {
    let (out, err) = (output.out(), output.err());
    assert!(!err.contains("S3cret") && !err.contains("panicked"), "{what}: {output:?}");
    let (before, after) = match way {
        Way::Helper => ("gocred[", "]: git.test: "),
        Way::Command if operation == Operation::Get => {
            ("gocred[", "] goauth: go gets no credentials: ")
        }
        Way::Command => ("error[", "]: "),
    };
    let code =
        err.strip_prefix(before).and_then(|rest| rest.split_once(after)).map(|(code, _)| code);
    let Some(code) = code else {
        assert_eq!(output.code, Some(0), "{what}: {output:?}");
        let is_answered = out.contains("password=") || out.contains("Authorization: Basic ");
        assert!(!is_answered || operation == Operation::Get, "{what}: {output:?}");
        assert!(
            is_answered || operation != Operation::Get,
            "it was taken for missing: {what}: {output:?}"
        );
        return "ok".to_owned();
    };
    let is_one_line = err.trim_end().lines().count() == 1;
    match way {
        Way::Helper => assert!(is_one_line && err.contains("; run: "), "{what}: {output:?}"),
        Way::Command if operation == Operation::Get => {
            assert!(is_one_line && err.contains("; run `"), "{what}: {output:?}");
        }
        Way::Command => assert!(err.contains("\nhint: "), "no hint: {what}: {output:?}"),
    }
    let is_five = way == Way::Command && operation != Operation::Get;
    assert_eq!(output.code, Some(if is_five { 5 } else { 0 }), "{what}: {output:?}");
    assert_eq!(out, "", "{what}: {output:?}");
    code.to_owned()
}

/// Fails the test if the home holds a secret, or any file but the index of hosts and the record of what was
/// released.
fn untouched(home: &Path, what: &str) {
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(home).expect("below").display().to_string();
            // Which store is used is written down by the first login, and what is released.
            let config = name.strip_prefix(".config/gocred/");
            let state = name.strip_prefix(".local/state/gocred/");
            let is_known = config
                .is_some_and(|it| ["config.toml", "config.toml.lock"].contains(&it))
                || state.is_some_and(|it| {
                    ["hosts", "hosts.lock", "audit.jsonl", "audit.key"].contains(&it)
                });
            assert!(is_known, "{what}: {name} was written");
            let bytes = fs::read(&path).expect("a file");
            assert!(!bytes.windows(6).any(|window| window == b"S3cret"), "{what}: in {name}");
        }
    }
}

/// Runs every state, a few at once: most of them wait.
fn run_all<T: Send>(run: impl Fn(&State) -> Option<T> + Sync) -> BTreeMap<usize, T> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(state) = STATES.get(at) else { break };
                    if let Some(result) = run(state) {
                        results.lock().expect("no panic").insert(at, result);
                    }
                }
            });
        }
    });
    results.into_inner().expect("no panic")
}

#[test]
fn every_state_ends_in_two_seconds_with_its_own_code_and_no_other_store() {
    assert!(STATES.len() >= 30, "{} states", STATES.len());
    let rows = run_all(|state| {
        CELLS
            .iter()
            .map(|&(operation, way)| cell(state, operation, way))
            .collect::<Option<Vec<_>>>()
    });
    println!("{:<58}{:>20}{:>20}{:>20}", "", "get", "store", "erase");
    println!(
        "{:<58}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "state", "helper", "command", "helper", "command", "helper", "command"
    );
    let (mut wrong, mut slowest) = (Vec::new(), Duration::ZERO);
    for (at, cells) in &rows {
        let Some(state) = STATES.get(*at) else { continue };
        let mut line = format!("{:<58}", state.name);
        for (asked, ((said, took), expected)) in
            CELLS.iter().zip(cells.iter().zip(state.expected()))
        {
            // What hangs does so every time; a machine that is busy with other tests does not.
            let again = || cell(state, asked.0, asked.1).map(|(_, took)| took);
            let mut took = *took;
            for _ in 0..10 {
                if took >= LIMIT {
                    took = again().unwrap_or(took);
                }
            }
            slowest = slowest.max(took);
            let _ = write!(line, "{said:>5}{:>5}", took.as_millis());
            if said != expected || took >= LIMIT {
                wrong.push(format!("{}: {said} in {took:?}, not {expected}", state.name));
            }
        }
        println!("{line}");
    }
    println!(
        "{} states, {} cells, slowest {} ms",
        rows.len(),
        rows.len() * CELLS.len(),
        slowest.as_millis()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_state_makes_a_program_open_another_store() {
    let Some(strace) = program("strace", "strace") else { return };
    run_all(|state| {
        for (operation, way) in CELLS {
            let (home, mut world) = (home(), (state.make)()?);
            for other in
                [".local/share/gocred/vault", ".git-credentials", ".config/git/credentials"]
            {
                home.write(other, "another store");
            }
            let log = home.path().join("trace");
            let run = prepare(&home, &world, operation, way);
            let _ = ask(run.traced(strace.clone(), "open,openat,execve", &log), &mut world);
            let trace = fs::read_to_string(&log).expect("a trace");
            let what = format!("{} / {operation:?} / {way:?}", state.name);
            for other in ["gocred/vault", "credentials\""] {
                assert!(!trace.contains(other), "{what}: {other}: {trace}");
            }
            let started = trace.lines().filter(|line| line.contains("execve("));
            // A helper may hand over to the program that it belongs to.
            let is_known = |line: &&str| line.contains("/git\"") || line.contains("/gocred\"");
            let other = started.skip(1).find(|line| !is_known(line));
            assert_eq!(other, None, "{what}: {trace}");
        }
        Some(())
    });
}
