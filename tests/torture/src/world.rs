//! A home with everything that a flow needs: a real keyring on a bus of its own, an encrypted file, an
//! agent, a proxy that wants a login. It ends with this value.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    process::{Finished, done, eventually, finish},
    secret::{Secret, letters},
    upstream::{Scheme, Upstream},
};

pub const HOST: &str = "git.corp.test";
/// 32 bytes in base64: as good as a random key, and no passphrase to compute.
const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
  <limit name="max_connections_per_user">10000</limit>
</busconfig>
"#;

pub struct World {
    folder: PathBuf,
    programs: PathBuf,
    pub secret: Secret,
    environment: Vec<(&'static str, String)>,
    servants: Vec<Child>,
    agent: Option<u32>,
    pub upstream: Option<Upstream>,
}

impl World {
    pub fn new(programs: &Path) -> Self {
        let name = format!("gocred-torture-{}-{}", std::process::id(), letters(6));
        let folder = std::env::temp_dir().join(name);
        for name in ["home/.config/gocred", "home/.local/state", "cache", "run", "tmp", "keyring"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        fs::set_permissions(folder.join("run"), PermissionsExt::from_mode(0o700)).expect("0700");
        let path = |name: &str| folder.join(name).display().to_string();
        let environment = vec![
            ("HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("XDG_CACHE_HOME", path("cache")),
            ("TMPDIR", path("tmp")),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GOPRIVATE", HOST.to_owned()),
        ];
        let programs = programs.to_owned();
        let (secret, servants) = (Secret::random(), Vec::new());
        Self { folder, programs, secret, environment, servants, agent: None, upstream: None }
    }

    /// A file or folder in the home.
    pub fn home(&self, name: &str) -> PathBuf {
        self.folder.join("home").join(name)
    }

    /// A file or folder beside the home.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("0600");
        path
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Prepares a program that sees this world and nothing else.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.env_clear().envs(environment).current_dir(self.folder.join("home"));
        command
    }

    pub fn gocred(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.program("gocred"));
        command.args(arguments);
        command
    }

    pub fn helper(&self, operation: &str) -> Command {
        let mut command = self.command(self.program("git-credential-gocred"));
        command.arg(operation);
        command
    }

    /// A request of git's, with the secret of a turn or without one.
    pub fn request(&self, turn: Option<usize>) -> String {
        let secret = turn.map(|turn| format!("password={}\n", self.secret.of(turn)));
        let user = if turn.is_some() { "username=ana\n" } else { "" };
        format!("protocol=https\nhost={HOST}\n{user}{}\n", secret.unwrap_or_default())
    }

    /// Starts a bus, and gnome-keyring with an unlocked collection on it.
    pub fn with_keyring(mut self) -> Self {
        let socket = self.folder.join("keyring/bus");
        let config = self.folder.join("keyring/bus.conf");
        fs::write(&config, BUS.replace("SOCKET", &socket.display().to_string())).expect("a file");
        let mut bus = Command::new("dbus-daemon");
        bus.env_clear().env("PATH", "/usr/bin:/bin").args(["--nofork", "--nopidfile"]);
        self.serve(bus.arg(format!("--config-file={}", config.display())), "");
        eventually("the bus listens", || UnixStream::connect(&socket).ok());
        self.environment
            .push(("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display())));
        let mut daemon = self.command("gnome-keyring-daemon");
        let own = self.folder.join("keyring");
        daemon.env("HOME", &own).env("XDG_RUNTIME_DIR", &own);
        daemon.args(["--foreground", "--unlock", "--components=secrets", "--control-directory"]);
        self.serve(daemon.arg(own.join("control")), "opens the login keyring");
        eventually("a default collection", || {
            let mut ask = self.command("dbus-send");
            ask.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"]);
            ask.args(["/org/freedesktop/secrets", "org.freedesktop.Secret.Service.ReadAlias"]);
            ask.arg("string:default");
            let asked = finish(ask, b"", Duration::from_secs(5), None);
            asked.out().contains("/collection/").then_some(())
        });
        self
    }

    /// Makes an encrypted file that a command opens, and chooses it.
    pub fn with_file(self) -> Self {
        let key = self.write("key", KEY);
        done(
            self.gocred(&["store", "add-key", "command", "/bin/cat", &key.display().to_string()]),
            "",
        );
        self.write(".config/gocred/config.toml", "[store]\nname = \"file\"\n");
        self
    }

    /// Chooses an encrypted file that a passphrase opens, which is a secret, too. The first login makes it.
    pub fn with_passphrase(mut self) -> Self {
        let path = self.folder.join("keyring/passphrase");
        fs::write(&path, self.secret.of(0)).expect("a file");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("0600");
        self.environment.push(("GOCRED_PASSPHRASE_FILE", path.display().to_string()));
        self.write(".config/gocred/config.toml", "[store]\nname = \"file\"\n");
        self
    }

    /// Signs in.
    pub fn signed_in(self) -> Self {
        self.sign_in(0);
        self
    }

    pub fn sign_in(&self, turn: usize) {
        let login = ["login", HOST, "--no-verify", "--with-token", "--username", "ana"];
        done(self.gocred(&login), &self.secret.of(turn));
    }

    /// Starts the agent.
    pub fn with_agent(mut self) -> Self {
        let mut command = self.gocred(&["agent", "run"]);
        self.serve(command.stdout(Stdio::piped()), "");
        let line = self.line();
        assert!(line.starts_with("answering at "), "{line:?}");
        self.agent = self.servants.last().map(Child::id);
        self
    }

    /// Starts a proxy that wants the secret of turn 0 from ana, and signs in there.
    pub fn with_upstream(mut self, scheme: Scheme) -> Self {
        let upstream = Upstream::start(scheme, &format!("ana:{}", self.secret.of(0)));
        let login = ["login", "--proxy", &upstream.url(), "--no-verify", "--with-token"];
        let mut login = self.gocred(&login);
        login.args(["--username", "ana"]);
        done(login, &self.secret.of(0));
        self.upstream = Some(upstream);
        self
    }

    /// Returns the first line of the daemon that was started last.
    pub fn line(&mut self) -> String {
        let daemon = self.servants.last_mut().expect("a daemon");
        let mut line = String::new();
        let stdout = daemon.stdout.as_mut().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        line
    }

    /// Returns the process of the agent.
    pub fn agent(&self) -> Option<u32> {
        self.agent
    }

    /// Returns the turn of the secret that is answered: by the agent where there is one, or by the store
    /// itself. Anything else that is said is an error.
    pub fn held(&self, by_agent: bool) -> Result<Option<usize>, String> {
        let mut get = self.helper("get");
        if !by_agent {
            get.env("GOCRED_AGENT", self.folder.join("nobody"));
        }
        let limit = Duration::from_secs(20);
        let said = finish(get, self.request(None).as_bytes(), limit, None);
        self.read(&said)
    }

    /// Reads an answer to git.
    pub fn read(&self, said: &Finished) -> Result<Option<usize>, String> {
        let (out, err) = (said.out(), said.err());
        if out.is_empty() && err.is_empty() && said.code == Some(0) {
            return Ok(None);
        }
        let secret = out.strip_prefix("username=ana\npassword=").map(str::trim_end);
        match secret.and_then(|secret| self.secret.turn(secret)) {
            Some(turn) if err.is_empty() => Ok(Some(turn)),
            _ => Err(format!("{:?} {}{}", said.code, out.replace(&self.secret.of(0), "…"), err)),
        }
    }

    /// Keeps the home as it is now.
    pub fn keep(&self) {
        copy(&self.folder.join("home"), &self.folder.join("kept"));
    }

    /// Puts the home back that was kept.
    pub fn restore(&self) {
        let home = self.folder.join("home");
        fs::remove_dir_all(&home).expect("removed");
        copy(&self.folder.join("kept"), &home);
    }

    /// Returns the files of the user that the secret stands in, and in which form. `but` is where it may
    /// be.
    pub fn leaks(&self, but: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for name in ["home", "run", "tmp", "cache"] {
            self.search(&self.folder.join(name), but, &mut found);
        }
        found
    }

    fn search(&self, folder: &Path, but: &[&str], found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type().expect("a kind");
            if self.secret.find(name.as_bytes()).is_some() {
                found.push(format!("the name of {}", path.display()));
            }
            if kind.is_dir() {
                self.search(&path, but, found);
            } else if kind.is_file()
                && !but.contains(&name.as_str())
                && let Some((form, _)) = fs::read(&path).ok().and_then(|b| self.secret.find(&b))
            {
                found.push(format!("{} ({form})", path.display()));
            }
        }
    }

    /// Returns the processes of this world that live on: daemons.
    pub fn servants(&self) -> Vec<u32> {
        self.servants.iter().map(Child::id).collect()
    }

    /// Starts a process that ends with this world.
    pub fn serve(&mut self, command: &mut Command, input: &str) {
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        if command.get_program() != self.program("gocred") {
            command.stdout(Stdio::null());
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("input");
        self.servants.push(child);
    }
}

impl World {
    /// Returns the processes that found this world in their environment.
    fn processes(&self) -> Vec<u32> {
        let folder = self.folder.display().to_string();
        let is_ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(folder.len()).any(|part| part == folder.as_bytes())
        };
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(is_ours).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in self.servants.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // An agent that a command has started in the background.
        self.processes().iter().for_each(|pid| crate::process::signal("KILL", pid));
        if std::env::var_os("TORTURE_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            copy(&path, &to);
        } else if kind.is_file() {
            fs::copy(&path, &to).expect("a copy");
        }
    }
}
