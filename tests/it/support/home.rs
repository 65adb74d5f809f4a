//! A hermetic home folder, and programs that run in it and see nothing else.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// The `gocred` under test.
pub(crate) const GOCRED: &str = env!("CARGO_BIN_EXE_gocred");
/// The `git-credential-gocred` under test.
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_git-credential-gocred");

/// A home folder with its XDG folders, removed in the end.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gocred-").tempdir().expect("a folder");
        let home = Self { folder };
        for folder in [home.config(), home.state(), home.cache(), home.runtime()] {
            fs::create_dir_all(folder).expect("an XDG folder");
        }
        fs::set_permissions(home.runtime(), PermissionsExt::from_mode(0o700)).expect("0700");
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `XDG_CONFIG_HOME`
    pub(crate) fn config(&self) -> PathBuf {
        self.path().join(".config")
    }

    /// `XDG_STATE_HOME`
    pub(crate) fn state(&self) -> PathBuf {
        self.path().join(".local/state")
    }

    /// `XDG_CACHE_HOME`
    pub(crate) fn cache(&self) -> PathBuf {
        self.path().join(".cache")
    }

    /// `XDG_RUNTIME_DIR`, 0700
    pub(crate) fn runtime(&self) -> PathBuf {
        self.path().join("run")
    }

    /// Writes a file of this home, and the folders above it; returns where it is.
    pub(crate) fn write(&self, file: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(file);
        fs::create_dir_all(file.parent().expect("a file")).expect("its folder");
        fs::write(&file, contents).expect("written");
        file
    }

    /// Keeps go from starting its telemetry, which outlives it and writes into the home while that
    /// is being removed (cmd/go, `counter.Open`).
    pub(crate) fn without_telemetry(self) -> Self {
        self.write(".config/go/telemetry/mode", "off");
        self
    }

    /// Prepares a program that sees this home, its XDG folders, `PATH`, and no other variable.
    pub(crate) fn run(&self, program: impl AsRef<OsStr>) -> Run {
        let mut run = Run {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            env: BTreeMap::new(),
            folder: self.path().to_owned(),
            input: Vec::new(),
            limit: Duration::from_secs(60),
        };
        for (name, value) in [
            ("HOME", self.path().to_owned()),
            ("XDG_CONFIG_HOME", self.config()),
            ("XDG_STATE_HOME", self.state()),
            ("XDG_CACHE_HOME", self.cache()),
            ("XDG_RUNTIME_DIR", self.runtime()),
            ("PATH", super::path().into()),
            ("LC_ALL", "C.UTF-8".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ] {
            run = run.env(name, value);
        }
        run
    }

    /// Prepares `gocred`.
    pub(crate) fn gocred(&self) -> Run {
        self.run(GOCRED)
    }

    /// Prepares `git-credential-gocred`.
    pub(crate) fn helper(&self) -> Run {
        self.run(HELPER)
    }
}

/// A program that is about to run.
#[derive(Clone)]
#[must_use = "nothing runs before `output` or `command`"]
pub(crate) struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    env: BTreeMap<String, OsString>,
    folder: PathBuf,
    input: Vec<u8>,
    limit: Duration,
}

impl Run {
    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<T: Into<OsString>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Runs another program in its place, with the same variables and no arguments yet.
    pub(crate) fn around(self, program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), arguments: Vec::new(), ..self }
    }

    /// Sets the folder that it runs in; without it, the home.
    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Sets standard input; without it, standard input is empty.
    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Sets how long it may run; without it, 60 s.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it inside another program, which has these arguments first.
    pub(crate) fn inside(mut self, outer: PathBuf, before: &[&str]) -> Self {
        let program = std::mem::replace(&mut self.program, outer.into());
        let before = before.iter().map(OsString::from);
        self.arguments.splice(0..0, before.chain([program]));
        self
    }

    /// Has strace write the named system calls of it and its children into a file.
    pub(crate) fn traced(self, strace: PathBuf, calls: &str, log: &Path) -> Self {
        let (calls, log) = (format!("trace={calls}"), log.display().to_string());
        self.inside(strace, &["-f", "-e", &calls, "-o", &log])
    }

    /// Returns the command, for a test that keeps the program running and ends it itself.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.env).current_dir(&self.folder);
        command
    }

    /// Runs it to its end. At the limit it is killed with its children, and the test fails.
    pub(crate) fn output(self) -> Output {
        let mut command = self.command();
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("stdin");
        let input = self.input;
        // A program may end without reading its input.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = collect(child.stdout.take().expect("stdout"));
        let stderr = collect(child.stderr.take().expect("stderr"));
        let status = wait(&mut child, self.limit);
        let took = start.elapsed();
        let output = Output {
            code: status.and_then(|status| status.code()),
            stdout: stdout.join().expect("stdout"),
            stderr: stderr.join().expect("stderr"),
            took,
        };
        writer.join().expect("stdin");
        assert!(status.is_some(), "{command:?} did not end within {:?}: {output:?}", self.limit);
        output
    }
}

/// What a program left behind.
#[must_use = "a program that failed must be noticed"]
pub(crate) struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// How long it ran.
    pub(crate) took: Duration,
}

impl Output {
    /// Fails the test unless the exit code is 0; returns standard output.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out()
    }

    /// Returns standard output as text.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns standard error as text.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (out, err) = (self.out(), self.err());
        write!(f, "code {:?}\n--- stdout\n{out}\n--- stderr\n{err}\n---", self.code)
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("output");
        bytes
    })
}

/// Waits for the end. `None`: the limit passed, and the process group was killed.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        if start.elapsed() > limit {
            let group = Pid::from_child(child);
            kill_process_group(group, Signal::KILL).expect("killed");
            child.wait().expect("a child");
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_program_sees_its_home_and_nothing_else() {
    let home = Home::new();
    home.write("a/b", "text");
    let output = home
        .run("/bin/sh")
        .args(["-c", "cat a/b -; env | cut -d= -f1 | sort | tr '\\n' ' '; echo $X >&2; exit 3"])
        .folder(home.path())
        .without("LC_ALL")
        .env("X", "y")
        .input("in")
        .limit(Duration::from_secs(20))
        .output();
    assert_eq!(
        output.out(),
        "textinGIT_CONFIG_NOSYSTEM HOME PATH PWD X XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR \
         XDG_STATE_HOME "
    );
    assert_eq!((output.code, output.err().as_str()), (Some(3), "y\n"));
    assert!(output.took < Duration::from_secs(20));
}

#[test]
fn both_programs_were_built() {
    let home = Home::new();
    assert!(home.gocred().arg("--version").output().success().starts_with("gocred "));
    assert_eq!(home.helper().arg("unknown-operation").output().success(), "");
}
