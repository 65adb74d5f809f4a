//! The helper at work: a home, a real keyring, and the gits of `PATH` that use the helper.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use gocred::{
    core::{
        credential::{Key, Kind, Proof, Query, Record, Secrets},
        origin::Origin,
        secret::ExposeSecret,
    },
    store,
};

use super::{
    eventually,
    home::{HELPER, Home, Output, Run},
    keyring::Keyring,
    path,
};

/// A home whose helper reaches a keyring.
pub(crate) struct Desk {
    pub(crate) home: Home,
    pub(crate) keyring: Keyring,
}

impl Desk {
    /// Starts with an unlocked, empty keyring. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn new() -> Option<Self> {
        let desk = Self { home: Home::new(), keyring: Keyring::unlocked()? };
        desk.home.write(".gitconfig", format!("[credential]\n\thelper = {HELPER}\n"));
        Some(desk)
    }

    /// Prepares a program that sees the home and the keyring. Nobody can answer a prompt.
    pub(crate) fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        self.home.run(program).env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    /// Prepares the helper.
    pub(crate) fn helper(&self, operation: &str, input: impl Into<Vec<u8>>) -> Run {
        self.run(HELPER).arg(operation).input(input)
    }

    /// Returns what the helper answers; it must be silent about it.
    pub(crate) fn get(&self, input: impl Into<Vec<u8>>) -> String {
        quiet(self.helper("get", input).output())
    }

    /// Lets the helper keep a credential.
    pub(crate) fn store(&self, input: impl Into<Vec<u8>>) {
        assert_eq!(quiet(self.helper("store", input).output()), "");
    }

    /// Runs the helper beside dozens of its kind, again where it says that the keyring had no turn for it
    /// in its two seconds: a machine with more to do than these is no fault of theirs. Returns what it says, and
    /// how often it was run.
    pub(crate) fn among_many(&self, operation: &str, input: &str) -> (String, u32) {
        let mut tries = 0;
        let said = eventually("the keyring has a turn", || {
            tries += 1;
            let output = self.helper(operation, input).output();
            (!output.err().starts_with("gocred[K17]")).then(|| quiet(output))
        });
        (said, tries)
    }

    /// Lets the helper erase a credential.
    pub(crate) fn erase(&self, input: impl Into<Vec<u8>>) {
        assert_eq!(quiet(self.helper("erase", input).output()), "");
    }

    /// Prepares `git credential …`.
    pub(crate) fn git(&self, git: &Git, operation: &str, input: impl Into<Vec<u8>>) -> Run {
        self.run(&git.program)
            .args(["credential", operation])
            .env("GIT_TERMINAL_PROMPT", "0")
            .input(input)
    }

    /// Keeps what a proxy wants of `ana`, which is out of reach of the helper's `store`.
    pub(crate) fn keep_for_proxy(&self, proof: Proof) {
        let origin = Origin::new("http", "proxy.corp.test:3128").expect("an origin");
        let key = Key { kind: Kind::Proxy, origin, path: None, user: "ana".to_owned() };
        let record = store::record(key, Secrets::of(proof), None, 1000);
        self.keyring.open().save(&record).expect("saved");
    }

    /// Returns all that git's namespace holds, one `origin[/path] user:secret[ hidden]` each, sorted.
    pub(crate) fn held(&self) -> Vec<String> {
        let records =
            self.keyring.open().find(&Query::all(Kind::Git)).expect("the keyring answers");
        let mut lines: Vec<String> = records.iter().map(line).collect();
        lines.sort();
        lines
    }
}

fn line(record: &Record) -> String {
    let key = &record.entry.key;
    let path = key.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
    let secret = match &record.secrets.proof {
        Proof::Password(password) => password.expose_secret().to_owned(),
        Proof::Encoded { authtype, credential } => {
            format!("{authtype} {}", credential.expose_secret())
        }
    };
    let hidden = if record.entry.hidden.is_some() { " hidden" } else { "" };
    format!("{}{path} {}:{secret}{hidden}", key.origin, key.user)
}

/// Fails the test unless the program ended well and said nothing on standard error.
pub(crate) fn quiet(output: Output) -> String {
    assert_eq!(output.err(), "", "{output:?}");
    output.success()
}

/// A git of `PATH`.
pub(crate) struct Git {
    pub(crate) program: PathBuf,
    pub(crate) version: (u32, u32),
}

/// Returns every git of `PATH`; there is at least one.
pub(crate) fn gits() -> Vec<Git> {
    let home = Home::new();
    let version = |program: PathBuf| {
        let said = home.run(&program).arg("--version").output().success();
        let mut numbers = said.split(' ').nth(2)?.split('.').map(str::parse);
        Some(Git { program, version: (numbers.next()?.ok()?, numbers.next()?.ok()?) })
    };
    let path = path();
    let programs = std::env::split_paths(&path).map(|folder| folder.join("git"));
    let gits: Vec<Git> = programs.filter(|git| git.is_file()).filter_map(version).collect();
    assert!(!gits.is_empty(), "git is missing; run `apt-get install git`");
    gits
}

/// Returns a git of at least this version, or says which one it found: the one skip that CI accepts
/// (decisions.md, "Tests").
#[expect(clippy::print_stdout, reason = "a skip is said")]
pub(crate) fn git_since(major: u32, minor: u32) -> Option<Git> {
    let newest = gits().into_iter().max_by_key(|git| git.version)?;
    if newest.version < (major, minor) {
        let (found_major, found_minor) = newest.version;
        println!("skipped: needs git {major}.{minor}, found {found_major}.{found_minor}");
        return None;
    }
    Some(newest)
}
