//! A `get` that the agent answers, beside git's own cache, whose daemon holds one credential likewise.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    Bench, floor, git_exec,
    keyring::{self, Keyring},
    rounds::{Timed, median, percentile, samples},
    table::{Goal, Table},
};

/// A running `gocred agent run`.
pub(crate) struct Agent(Child);

impl Agent {
    pub(crate) fn start(gocred: &Path, home: &Path) -> Self {
        let mut child = Command::new(gocred)
            .args(["agent", "run"])
            .env_clear()
            .envs(keyring::env(home))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("gocred, beside the helper");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("stdout"))
            .read_line(&mut line)
            .expect("a line");
        assert!(line.starts_with("answering at "), "{line:?}");
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bench {
    /// Times a `get` through the agent, git-credential-cache and a program that does nothing in turns.
    pub(crate) fn agent(&self, table: &mut Table) {
        let home = self.work.join("home-agent");
        let keyring = Keyring::start(&home);
        self.fill(&home, 1);
        let known = self.input("known", "h0.bench.test", None);
        let approval = self.input("approval", "h0.bench.test", Some("secret-0"));
        let socket = home.join("cache/socket").display().to_string();
        let git_cache = |word: &str, input: &Path| {
            let program = git_exec("git-credential-cache");
            let arguments = ["--timeout", "900", "--socket", &socket, word];
            self.timed("git-credential-cache", &program, &arguments, input, &home)
        };
        assert!(git_cache("store", &approval).command().status().expect("git").success());
        let agent = Agent::start(&self.helper.with_file_name("gocred"), &home);
        let helper = self.timed("get", &self.helper, &["get"], &known, &home);
        let nothing =
            self.timed("C main", &floor::compiled("floor", &self.work), &[], &known, &home);
        for timed in [&helper, &git_cache("get", &known)] {
            let output = timed.command().stdout(Stdio::piped()).output().expect("an answer");
            let answer = String::from_utf8_lossy(&output.stdout);
            assert!(answer.contains("password=secret-0"), "{}: {answer}", timed.name);
        }
        let all: [Timed; 3] = [nothing, helper, git_cache("get", &known)];
        let mut times = samples(&all, self.scale.rounds * 3);
        let [floor, get, cache] = &mut times[..] else { unreachable!("three commands") };
        let (floor, p50, cached) = (median(floor), median(get), median(cache));
        let (p99, cached_p99) = (percentile(get, 0.99), percentile(cache, 0.99));
        let note = format!(
            "{p50:.2} ms, git-credential-cache {cached:.2} ms; {:.1} × a C program that does nothing",
            p50 / floor
        );
        let goal = Goal::AtMost(1.0);
        table.time("`get` through the agent / git-credential-cache", p50 / cached, goal, &note);
        let note = format!("git-credential-cache {cached_p99:.2} ms");
        table.time("99 of 100 `get`s through the agent, ms", p99, Goal::AtMost(3.0), &note);
        let _ = git_cache("exit", &known).command().status();
        drop(agent);
        drop(keyring);
    }
}
