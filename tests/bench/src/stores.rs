//! Two figures of the stores: many at once on one keyring, beside the keyring crate; and the encrypted
//! file with nothing warm but its key, beside git's own cache.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::{
    Bench, floor, git_exec,
    keyring::Keyring,
    rounds::{Timed, median, medians, turns},
    table::{Goal, Table},
};

/// So many at once.
const AT_ONCE: usize = 40;
const SECRET: &str = "secret-0";

impl Bench {
    /// Starts 40 `get`s at once, and 40 programs that ask the keyring crate for the same, in turns.
    pub(crate) fn at_once(&self, table: &mut Table) {
        let what = "40 `get`s at once on gnome-keyring / the keyring crate";
        let home = self.work.join("home-at-once");
        let mut keyring = Keyring::start(&home);
        self.fill(&home, 1);
        let peer = std::env::current_exe().expect("own path").with_file_name("keyring-crate");
        let known = self.input("known", "h0.bench.test", None);
        let ours = self.timed("get", &self.helper, &["get"], &known, &home);
        let theirs = self.timed("keyring crate", &peer, &["get", "bench", "ana"], &known, &home);
        let set = Timed {
            arguments: ["set", "bench", "ana", SECRET].map(str::to_owned).to_vec(),
            ..theirs.clone()
        };
        if !set.command().status().is_ok_and(|status| status.success()) {
            return table.skip(what, "the keyring crate does not reach the keyring");
        }
        let rounds = (self.scale.rounds / 10).max(5);
        let mut times = turns(&[&ours, &theirs], rounds, |timed| together(timed));
        let [ours, theirs] = &mut times[..] else { unreachable!("two programs") };
        let (ours, theirs) = (median(ours), median(theirs));
        let note = format!("{ours:.0} ms, keyring crate {theirs:.0} ms");
        table.time(what, ours / theirs, Goal::AtMost(0.3), &note);
        assert!(keyring.is_alive(), "the daemon died");
    }

    /// Times a `get` from the encrypted file, whose key the kernel holds; no agent runs.
    pub(crate) fn cold_file(&self, table: &mut Table) {
        let what = "cold `get`, encrypted file, key at hand / git-credential-cache";
        let home = self.work.join("home-file");
        for folder in ["run", "config/gocred", "state", "data"] {
            fs::create_dir_all(home.join(folder)).expect("folder");
        }
        private(&home.join("passphrase"), "correct horse\n");
        let config = "[store]\nname = \"file\"\nremember = \"kernel\"\n";
        fs::write(home.join("config/gocred/config.toml"), config).expect("config.toml");
        let gocred = self.helper.with_file_name("gocred");
        private(&home.join("token"), SECRET);
        let login = ["login", "h0.bench.test", "--no-verify", "--with-token", "--username", "ana"];
        for arguments in [&login[..], &["unlock"]] {
            let mut timed = self.timed("gocred", &gocred, arguments, &home.join("token"), &home);
            let file = home.join("passphrase").display().to_string();
            timed.env.push(("GOCRED_PASSPHRASE_FILE".into(), file));
            assert!(timed.command().status().expect("gocred").success(), "{arguments:?}");
        }
        let known = self.input("known", "h0.bench.test", None);
        let approval = self.input("approval", "h0.bench.test", Some(SECRET));
        let get = self.timed("get", &self.helper, &["get"], &known, &home);
        if !answers(&get) {
            return table.skip(what, "the kernel keeps no keys here");
        }
        let socket = home.join("cache/socket").display().to_string();
        let cache = |word: &str, input: &Path| {
            let arguments = ["--timeout", "900", "--socket", &socket, word];
            let program = git_exec("git-credential-cache");
            self.timed("git-credential-cache", &program, &arguments, input, &home)
        };
        assert!(cache("store", &approval).command().status().expect("git").success());
        let nothing =
            self.timed("C main", &floor::compiled("floor", &self.work), &[], &known, &home);
        let times = medians(&[nothing, get, cache("get", &known)], self.scale.rounds);
        let [floor, get, cached] = times[..] else { unreachable!("three commands") };
        let note = format!(
            "{get:.2} ms, git-credential-cache {cached:.2} ms; {:.1} × a C program that does nothing",
            get / floor
        );
        table.time(what, get / cached, Goal::AtMost(2.0), &note);
        let _ = cache("exit", &known).command().status();
    }
}

/// Returns how long it takes until so many have answered, in milliseconds.
fn together(timed: &Timed) -> f64 {
    let start = Instant::now();
    let children: Vec<Child> = (0..AT_ONCE)
        .map(|_| timed.command().stdout(Stdio::piped()).spawn().expect("started"))
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("ended");
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(answer.contains(SECRET), "{}: {answer}", timed.name);
    }
    start.elapsed().as_secs_f64() * 1e3
}

fn answers(timed: &Timed) -> bool {
    let mut command: Command = timed.command();
    let output = command.stdout(Stdio::piped()).output().expect("an answer");
    String::from_utf8_lossy(&output.stdout).contains(SECRET)
}

fn private(file: &PathBuf, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(file, text).expect("written");
    fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("0600");
}
