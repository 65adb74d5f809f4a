//! Prints the figures of README as a table: each beside its goal, and beside a floor or a peer
//! that was measured in the same run.
//!
//! `bench HELPER [--short]`: HELPER is the release build of `git-credential-gocred`, with `gocred` beside it.
//! `bench --proxy GOCRED [--short] [ROW...]`: GOCRED is the release build of `gocred`; inside tests/lab/enter.sh.
//! `bench --goproxy GOCRED [--short] [ROW...]`: the same, of its module proxy front, beside go.

mod agent;
mod audit;
mod floor;
mod goproxy;
mod keyring;
mod proxy;
mod rounds;
mod source;
mod stores;
mod table;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

use keyring::Keyring;
use rounds::{Timed, medians};
use table::{Goal, Table};

/// How much is measured.
struct Scale {
    rounds: usize,
    entries: &'static [usize],
    workers: usize,
    gets: usize,
}

const WHOLE: Scale = Scale { rounds: 300, entries: &[1, 200, 5000], workers: 8, gets: 5000 };
const SHORT: Scale = Scale { rounds: 40, entries: &[1, 5000], workers: 8, gets: 150 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut files = arguments.iter().filter(|argument| !argument.starts_with("--"));
    let Some(program) = files.next().map(PathBuf::from) else {
        eprintln!("usage: bench [--proxy|--goproxy] PROGRAM [--short]");
        return ExitCode::from(2);
    };
    let program = fs::canonicalize(program).expect("the program");
    let is_short = arguments.iter().any(|argument| argument == "--short");
    let mut table = Table::default();
    let work = std::env::temp_dir().join(format!("gocred-bench-{}", std::process::id()));
    fs::create_dir_all(&work).expect("work folder");
    if arguments.iter().any(|argument| argument == "--proxy") {
        let only: Vec<String> = files.cloned().collect();
        proxy::run(&program, &work, is_short, &only, &mut table);
    } else if arguments.iter().any(|argument| argument == "--goproxy") {
        let only: Vec<String> = files.cloned().collect();
        goproxy::run(&program, &work, is_short, &only, &mut table);
    } else {
        let scale = if is_short { SHORT } else { WHOLE };
        let bench = Bench { helper: program, work: work.clone(), scale };
        bench.size(&mut table);
        bench.starts(&mut table);
        bench.agent(&mut table);
        bench.audit(&mut table);
        bench.source(&mut table);
        bench.cold_file(&mut table);
        bench.at_once(&mut table);
        bench.parallel(&mut table);
        bench.trouble(&mut table);
    }
    let _ = fs::remove_dir_all(&work);
    table.print();
    if table.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Bench {
    helper: PathBuf,
    work: PathBuf,
    scale: Scale,
}

impl Bench {
    fn size(&self, table: &mut Table) {
        let bytes = fs::metadata(&self.helper).expect("the helper").len();
        #[expect(clippy::cast_precision_loss, reason = "a file size")]
        table.count("size of `git-credential-gocred`, KB", bytes as f64 / 1000.0, 700.0, "");
    }

    /// Start times in turns: floor, peers, and the helper for each number of stored entries.
    fn starts(&self, table: &mut Table) {
        let floor = floor::compiled("floor", &self.work);
        let mut first = None;
        for &entries in self.scale.entries {
            let home = self.work.join(format!("home-{entries}"));
            keyring::seed(&home, entries);
            let keyring = Keyring::start(&home);
            let known = self.input("known", "h0.bench.test", None);
            let approval = self.input("approval", "h0.bench.test", Some("secret-0"));
            let foreign = self.input("foreign", "foreign.test", None);
            let receipt = self.receipt(&home, &known);
            let file = home.join("git-credentials");
            fs::write(&file, "https://ana:secret-0@h0.bench.test\n").expect("git-credentials");
            let git_store = ["--file", &file.display().to_string(), "get"].map(str::to_owned);
            // What asks the keyring is timed apart: its daemon leaves cold caches to its neighbours.
            let alone = [
                self.timed("C main", &floor, &[], &foreign, &home),
                self.timed("get, not ours", &self.helper, &["get"], &foreign, &home),
                self.timed("store, approved", &self.helper, &["store"], &receipt, &home),
                Timed {
                    arguments: git_store.to_vec(),
                    ..self.timed(
                        "git-credential-store",
                        &git_exec("git-credential-store"),
                        &[],
                        &known,
                        &home,
                    )
                },
            ];
            let times = medians(&alone, self.scale.rounds);
            let [quiet, foreign_get, approved, git_store] = times[..] else {
                unreachable!("four commands")
            };
            let asking = [
                self.timed("C main", &floor, &[], &foreign, &home),
                self.timed("get, keyring", &self.helper, &["get"], &known, &home),
                self.timed("store, unchanged", &self.helper, &["store"], &approval, &home),
                self.timed(
                    "secret-tool",
                    Path::new("/usr/bin/secret-tool"),
                    &["lookup", "xdg:schema", "dev.gocred.Secret", "host", "h0.bench.test"],
                    &known,
                    &home,
                ),
            ];
            let times = medians(&asking, self.scale.rounds);
            let [busy, get, store, secret_tool] = times[..] else { unreachable!("four commands") };
            table.time(
                &format!("`get`, host not ours, {entries} entries stored"),
                foreign_get / quiet,
                Goal::AtMost(1.7),
                &format!("git-credential-store {:.1} ×, floor {quiet:.2} ms", git_store / quiet),
            );
            table.time(
                &format!("`get` from gnome-keyring, {entries} entries"),
                get / busy,
                Goal::AtMost(4.5),
                &format!(
                    "{get:.2} ms; secret-tool {:.1} ×, floor {busy:.2} ms",
                    secret_tool / busy
                ),
            );
            table.time(
                &format!("unchanged `store` / `get`, {entries} entries, git before 2.46"),
                store / get,
                Goal::AtMost(1.1),
                &format!("{store:.2} ms"),
            );
            table.time(
                &format!("unchanged `store` / `get`, {entries} entries, git 2.46 and later"),
                approved / get,
                Goal::AtMost(1.1),
                &format!("{approved:.2} ms"),
            );
            let first = *first.get_or_insert(approved / quiet);
            if entries > 1 {
                table.time(
                    &format!("unchanged `store`, {entries} entries / 1 entry, git 2.46 and later"),
                    approved / quiet / first,
                    Goal::AtMost(1.1),
                    "each against its own floor",
                );
            }
            if entries == 1 {
                self.budget(table, &known, &home);
            }
            drop(keyring);
        }
    }

    /// System calls, threads and instructions of one `get`.
    fn budget(&self, table: &mut Table, input: &Path, home: &Path) {
        let trace = self.work.join("strace.out");
        let timed = self.timed("strace", Path::new("/usr/bin/strace"), &["-f", "-o"], input, home);
        let status = timed
            .command()
            .arg(&trace)
            .arg(&self.helper)
            .arg("get")
            .status()
            .expect("strace: apt-get install strace");
        assert!(status.success(), "strace {status}");
        let text = fs::read_to_string(&trace).expect("trace");
        let calls = text.lines().filter(|line| line.contains('(')).count();
        let children = text
            .lines()
            .filter(|line| {
                ["clone", "fork", "vfork"].iter().any(|call| line.contains(&format!(" {call}")))
            })
            .count();
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        {
            table.count("system calls of a `get`", calls as f64, 110.0, "strace -f");
            table.count("threads and children of a `get`", children as f64, 0.0, "strace -f");
        }
        let timed = self.timed("valgrind", Path::new("/usr/bin/valgrind"), &[], input, home);
        let counted = self.work.join("callgrind.out");
        let output = timed
            .command()
            .args(["--tool=callgrind", &format!("--callgrind-out-file={}", counted.display())])
            .arg(&self.helper)
            .arg("get")
            .status()
            .expect("valgrind: apt-get install valgrind");
        assert!(output.success(), "valgrind {output}");
        let text = fs::read_to_string(&counted).expect("callgrind.out");
        let total = text.lines().find_map(|line| {
            line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: "))
        });
        let instructions: f64 =
            total.and_then(|number| number.trim().parse().ok()).expect("callgrind's total");
        table.count("million instructions of a `get`", instructions / 1e6, 3.0, "callgrind");
    }

    /// Parallel short-lived processes on one keyring: no failure, the daemon survives.
    fn parallel(&self, table: &mut Table) {
        let home = self.work.join("home-parallel");
        let mut keyring = Keyring::start(&home);
        self.fill(&home, 1);
        let input = self.input("known", "h0.bench.test", None);
        let start = Instant::now();
        let failures: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.scale.workers)
                .map(|_| {
                    scope.spawn(|| {
                        (0..self.scale.gets)
                            .filter(|_| {
                                let timed =
                                    self.timed("get", &self.helper, &["get"], &input, &home);
                                let output =
                                    timed.command().stdout(Stdio::piped()).output().expect("get");
                                !output
                                    .stdout
                                    .windows(17)
                                    .any(|window| window == b"password=secret-0")
                            })
                            .count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("worker")).sum()
        });
        let calls = self.scale.workers * self.scale.gets;
        let note = format!(
            "{} × {} in {:.0} s",
            self.scale.workers,
            self.scale.gets,
            start.elapsed().as_secs_f64()
        );
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        table.count(&format!("failures of {calls} parallel `get`s"), failures as f64, 0.0, &note);
        table.count("the daemon died", f64::from(u8::from(!keyring.is_alive())), 0.0, "");
    }

    /// How long an answer takes when the keyring cannot give one.
    fn trouble(&self, table: &mut Table) {
        let input = self.input("known", "h0.bench.test", None);
        let home = self.work.join("home-trouble");
        let keyring = Keyring::start(&home);
        self.fill(&home, 1);
        keyring.lock();
        let locked = medians(&[self.timed("locked", &self.helper, &["get"], &input, &home)], 20);
        table.time("keyring locked, ms", locked[0], Goal::AtMost(100.0), "");
        drop(keyring);
        let _ = fs::remove_file(home.join("run/bus"));
        let none = medians(&[self.timed("no bus", &self.helper, &["get"], &input, &home)], 20);
        table.time("no session bus, ms", none[0], Goal::AtMost(50.0), "");
        let silent = keyring::silent(&home);
        let timed = self.timed("silent", &self.helper, &["get"], &input, &home);
        let start = Instant::now();
        timed.command().status().expect("get");
        table.count(
            "bus that accepts and never answers, ms",
            start.elapsed().as_secs_f64() * 1e3,
            2000.0,
            "",
        );
        drop(silent);
    }

    /// Returns what git 2.46 says after an answer of ours was accepted: the credential, and our state.
    fn receipt(&self, home: &Path, ask: &Path) -> PathBuf {
        let timed = self.timed("get", &self.helper, &["get"], ask, home);
        let output = timed.command().stdout(Stdio::piped()).output().expect("get");
        let answer = String::from_utf8(output.stdout).expect("UTF-8");
        let state = answer.lines().find(|line| line.starts_with("state[]=")).expect("a state");
        let path = self.work.join("receipt.in");
        let approved = request("h0.bench.test", Some("secret-0"));
        fs::write(&path, format!("{approved}{state}\n")).expect("input");
        path
    }

    /// Stores `entries` credentials through the helper, as git does.
    fn fill(&self, home: &Path, entries: usize) {
        thread::scope(|scope| {
            for worker in 0..4 {
                scope.spawn(move || {
                    for entry in (worker..entries).step_by(4) {
                        let mut child = Command::new(&self.helper)
                            .arg("store")
                            .env_clear()
                            .envs(keyring::env(home))
                            .stdin(Stdio::piped())
                            .spawn()
                            .expect("store");
                        let request = request(
                            &format!("h{entry}.bench.test"),
                            Some(&format!("secret-{entry}")),
                        );
                        child
                            .stdin
                            .take()
                            .expect("stdin")
                            .write_all(request.as_bytes())
                            .expect("request");
                        assert!(child.wait().expect("store").success());
                    }
                });
            }
        });
    }

    fn timed(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        input: &Path,
        home: &Path,
    ) -> Timed {
        Timed {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            input: input.to_owned(),
            env: keyring::env(home),
        }
    }

    fn input(&self, name: &str, host: &str, secret: Option<&str>) -> PathBuf {
        let path = self.work.join(format!("{name}.in"));
        fs::write(&path, request(host, secret)).expect("input");
        path
    }
}

/// What git sends, with a secret for `store` and without for `get` (which ignores it).
fn request(host: &str, secret: Option<&str>) -> String {
    let head = format!("capability[]=authtype\ncapability[]=state\nprotocol=https\nhost={host}\n");
    secret.map_or(head.clone(), |secret| format!("{head}username=ana\npassword={secret}\n"))
}

fn git_exec(name: &str) -> PathBuf {
    let output = Command::new("git").arg("--exec-path").output().expect("git");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join(name)
}
