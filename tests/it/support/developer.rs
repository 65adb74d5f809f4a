//! A developer in the lab: a home, an unlocked keyring, a Go release, and the company's certificate
//! authority. Every command is traced, and its words are kept, for the search for secrets.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    iter,
    path::PathBuf,
    process::{Child, Stdio},
};

use super::{
    go::Release,
    home::{GOCRED, Home, Output, Run},
    keyring::Keyring,
    lab::Lab,
    program,
};

/// The upstream proxy of the lab.
pub(crate) const UPSTREAM: &str = "http://proxy.corp.test:3128";

/// Somebody who works in the lab.
pub(crate) struct Developer {
    pub(crate) home: Home,
    keyring: Option<Keyring>,
    strace: PathBuf,
    go: PathBuf,
    variables: BTreeMap<&'static str, String>,
    commands: Cell<u32>,
}

/// `gocred proxy run` in the background; ended with this value.
pub(crate) struct Daemon<'a> {
    developer: &'a Developer,
    child: Child,
}

impl Developer {
    /// Sits down at a fresh machine. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn new(lab: &Lab, release: Release) -> Option<Self> {
        Self::with(Some(Keyring::unlocked()?), lab, release)
    }

    /// The same on a machine without desktop, session bus and keyring.
    #[must_use]
    pub(crate) fn headless(lab: &Lab, release: Release) -> Option<Self> {
        Self::with(None, lab, release)
    }

    fn with(keyring: Option<Keyring>, lab: &Lab, release: Release) -> Option<Self> {
        let home = Home::new().without_telemetry();
        let (go, strace) = (release.program()?, program("strace", "strace")?);
        for folder in ["tmp", "words", "trace", "app"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        let authority = lab.authority().display().to_string();
        let folder = |name| home.path().join(name).display().to_string();
        let path = format!("{}:{}", go.parent().expect("a folder").display(), super::path());
        let mut variables = BTreeMap::from([
            ("GIT_SSL_CAINFO", authority.clone()),
            ("GOFLAGS", "-modcacherw".to_owned()),
            ("GOPATH", folder("go")),
            ("GOTOOLCHAIN", "local".to_owned()),
            ("PATH", path),
            ("SSL_CERT_FILE", authority),
            ("TMPDIR", folder("tmp")),
        ]);
        if let Some(keyring) = &keyring {
            variables.insert("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        }
        Some(Self { home, keyring, strace, go, variables, commands: Cell::new(0) })
    }

    /// Exports a variable to all later commands.
    pub(crate) fn export(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    /// Runs a command in the module's folder.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let output = self.traced(program, arguments).input(input).output();
        let words = format!("words/{}", self.commands.get());
        self.home.write(&words, [output.stdout.as_slice(), &output.stderr].concat());
        output
    }

    /// Runs `git`, which tells what its HTTP library does.
    pub(crate) fn verbose_git(&self, arguments: &[&str]) -> Output {
        let output = self.traced("git", arguments).env("GIT_CURL_VERBOSE", "1").output();
        let words = format!("words/{}", self.commands.get());
        self.home.write(&words, [output.stdout.as_slice(), &output.stderr].concat());
        output
    }

    /// Runs `gocred`.
    pub(crate) fn gocred(&self, arguments: &[&str]) -> Output {
        self.run(GOCRED, arguments, "")
    }

    /// Runs `gocred login` with the account's secret on standard input.
    pub(crate) fn login(&self, lab: &Lab, account: &str, arguments: &[&str]) -> Output {
        let account = lab.account(account);
        let arguments =
            [&["login"], arguments, &["--username", &account.user, "--with-token"]].concat();
        self.run(GOCRED, &arguments, &format!("{}\n", account.secret))
    }

    /// Runs `go`.
    pub(crate) fn go(&self, arguments: &[&str]) -> Output {
        self.run(&self.go.display().to_string(), arguments, "")
    }

    /// Makes `app`, whose package imports the root package of one module.
    pub(crate) fn need(&self, module: &str) {
        let requirement =
            format!("module example.test/app\n\ngo 1.18\n\nrequire {module} v1.0.0\n");
        self.home.write("app/go.mod", requirement);
        self.home.write(
            "app/main.go",
            format!("package main\n\nimport _ \"{module}\"\n\nfunc main() {{}}\n"),
        );
    }

    /// Starts `gocred proxy run` on a free port, and takes over what `gocred env` says.
    pub(crate) fn start_proxy(&self) -> Daemon<'_> {
        self.start_proxy_in(&[])
    }

    /// The same, by way of a command that runs its arguments.
    pub(crate) fn start_proxy_in(&self, wrapper: &[&str]) -> Daemon<'_> {
        let command = [wrapper, &[GOCRED, "proxy", "run", "--listen", "127.0.0.1:0"]].concat();
        let (program, arguments) = command.split_first().expect("a program");
        let child = self
            .traced(program, arguments)
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the proxy");
        let mut daemon = Daemon { developer: self, child };
        let mut line = String::new();
        let stdout = daemon.child.stdout.take().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
        daemon
    }

    /// Where a secret of theirs could stand: the home with its XDG folders and TMPDIR, what every
    /// command said, and with what arguments and environment each process was started.
    pub(crate) fn leaks(&self, lab: &Lab) -> Vec<String> {
        let keyring = self.keyring.iter().map(Keyring::folder);
        lab.sweep(&iter::once(self.home.path()).chain(keyring).collect::<Vec<_>>())
    }

    fn traced(&self, program: &str, arguments: &[&str]) -> Run {
        self.commands.set(self.commands.get() + 1);
        let file = self.home.path().join("trace").join(self.commands.get().to_string());
        let run = self
            .home
            .run(&self.strace)
            .args(["-f", "--seccomp-bpf", "-qq", "-e", "trace=execve", "-v", "-s", "65535", "-o"])
            .arg(file)
            .args(["--", program])
            .args(arguments.iter().copied())
            .folder(self.home.path().join("app"));
        self.variables.iter().fold(run, |run, (name, value)| run.env(name, value))
    }
}

impl Daemon<'_> {
    /// Runs `go` the way a shell does after `eval "$(gocred env)"`.
    pub(crate) fn go(&self, arguments: &[&str]) -> Output {
        self.run(&self.developer.go.display().to_string(), arguments)
    }

    /// Runs any program in the same way.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let script = format!("eval \"$('{GOCRED}' env)\" && exec \"$@\"");
        let arguments = [&["-c", &script, "sh", program], arguments].concat();
        self.developer.run("sh", &arguments, "")
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let stopped = self.developer.gocred(&["proxy", "stop"]);
        if stopped.code != Some(0) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
