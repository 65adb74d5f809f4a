//! A real gnome-keyring on a private bus, without a display.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use gocred::{
    store::{self, Store},
    sys::env::Env,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{eventually, home::Home, home::Run, program};

/// What the login keyring is unlocked with.
pub(crate) const PASSWORD: &str = "opens the login keyring";
/// A session bus that only its user reaches; the limits are those of hundreds of clients at once.
const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
  <servicedir>SERVICES</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
  <limit name="max_connections_per_user">10000</limit>
  <limit name="max_incomplete_connections">10000</limit>
</busconfig>
"#;

/// A private session bus, and the keyring daemon on it. Both end with this value.
pub(crate) struct Keyring {
    home: Home,
    bus: Child,
    daemon: Option<Child>,
}

impl Keyring {
    /// Starts a daemon with an unlocked default collection. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn unlocked() -> Option<Self> {
        program("gnome-keyring-daemon", "gnome-keyring")?;
        let mut keyring = Self::bus("")?;
        keyring.start();
        Some(keyring)
    }

    /// Starts the daemon, and unlocks its default collection; the first time it is created.
    pub(crate) fn start(&mut self) {
        let control = self.home.runtime().join("keyring");
        let mut child = self
            .on_bus("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets", "--control-directory"])
            .arg(control)
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon");
        let mut stdin = child.stdin.take().expect("stdin");
        stdin.write_all(PASSWORD.as_bytes()).expect("the password");
        drop(stdin);
        if let Some(mut old) = self.daemon.replace(child) {
            let _ = old.kill();
            let _ = old.wait();
        }
        // The name first: a call before that would fail, or start a second daemon by activation.
        eventually("the keyring daemon owns its name", || self.owner());
        eventually("the default collection", || self.default_collection());
    }

    /// Starts a daemon whose default collection exists and is locked.
    #[must_use]
    pub(crate) fn locked() -> Option<Self> {
        let keyring = Self::unlocked()?;
        keyring.lock();
        Some(keyring)
    }

    /// Starts a bus that can start the daemon on demand, on a fresh account: there is no collection.
    #[must_use]
    pub(crate) fn activatable_only() -> Option<Self> {
        let daemon = program("gnome-keyring-daemon", "gnome-keyring")?;
        Self::bus(&format!(
            "[D-BUS Service]\nName=org.freedesktop.secrets\n\
             Exec={} --foreground --components=secrets\n",
            daemon.display()
        ))
    }

    /// Starts a daemon with an unlocked default collection, on a bus that starts it again when it ends:
    /// locked, then.
    #[must_use]
    pub(crate) fn restartable() -> Option<Self> {
        let mut keyring = Self::activatable_only()?;
        keyring.start();
        Some(keyring)
    }

    /// Starts a bus that nobody provides the service on.
    #[must_use]
    pub(crate) fn absent() -> Option<Self> {
        Self::bus("")
    }

    /// Returns what belongs into `DBUS_SESSION_BUS_ADDRESS`.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    /// Returns the home of the daemon, where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Returns the process id of the daemon that owns the name now.
    pub(crate) fn pid(&self) -> i32 {
        eventually("somebody owns org.freedesktop.secrets", || self.owner())
    }

    /// Locks the default collection.
    pub(crate) fn lock(&self) {
        // gnome-keyring may answer the first call of a new client with `UnknownMethod`
        // (store/conversation.rs, "The order of calls"); dbus-send is a new client each time.
        eventually("the default collection is locked", || {
            let collection = self.default_collection()?;
            let lock = self.secrets("org.freedesktop.Secret.Service.Lock");
            let answer = lock.arg(format!("array:objpath:{collection}")).output();
            answer.out().contains(&collection).then_some(())
        });
    }

    /// Stops the daemon (SIGSTOP), so that it answers nothing.
    pub(crate) fn freeze(&self) {
        signal(self.pid(), Signal::STOP);
    }

    /// Lets a frozen daemon go on.
    pub(crate) fn thaw(&self) {
        signal(self.pid(), Signal::CONT);
    }

    /// Ends the daemon as a crash does (SIGKILL), and waits until its name is free, or another's.
    pub(crate) fn kill(&self) {
        let pid = self.pid();
        signal(pid, Signal::KILL);
        eventually("the daemon is gone", || (self.owner() != Some(pid)).then_some(()));
    }

    /// Returns the file of the default collection.
    pub(crate) fn file(&self) -> PathBuf {
        self.home.path().join(".local/share/keyrings/login.keyring")
    }

    /// Returns how many connections the bus has.
    pub(crate) fn clients(&self) -> usize {
        let names = self
            .send("org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames")
            .output()
            .success();
        names.matches("string \":").count()
    }

    /// Starts to watch the calls that go to the daemon.
    pub(crate) fn monitor(&self) -> Monitor {
        let log = self.home.path().join("monitor.log");
        let program = self
            .on_bus("dbus-monitor")
            .args(["--session", "type=method_call,destination=org.freedesktop.secrets"])
            .command()
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).expect("a log"))
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-monitor");
        let monitor =
            Monitor { program, log, mark: self.secrets("org.freedesktop.DBus.Peer.Ping") };
        monitor.wait();
        monitor
    }

    /// Opens it as gocred does.
    pub(crate) fn open(&self) -> Box<dyn Store> {
        store::keyring(&Env::of(&[("DBUS_SESSION_BUS_ADDRESS", &self.address())]))
    }

    /// Prepares a program that finds this bus in its environment.
    pub(crate) fn on_bus(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        self.home.run(program).env("DBUS_SESSION_BUS_ADDRESS", self.address())
    }

    /// Stores an item with libsecret's tool, as another program would.
    pub(crate) fn foreign(&self, attributes: &[(&str, &str)], secret: &str) {
        let attributes = attributes.iter().flat_map(|&(name, value)| [name, value]);
        let stored = self.on_bus("secret-tool").args(["store", "--label=foreign"]).args(attributes);
        stored.input(secret).output().success();
    }

    /// Calls a method of the service object with dbus-send; arguments in its notation.
    pub(crate) fn secrets(&self, method: &str) -> Run {
        self.send("org.freedesktop.secrets", "/org/freedesktop/secrets", method)
    }

    fn bus(service: &str) -> Option<Self> {
        let daemon = program("dbus-daemon", "dbus-daemon")?;
        program("dbus-send", "dbus-bin")?;
        let home = Home::new();
        let services = home.path().join("services");
        home.write("services/org.freedesktop.secrets.service", service);
        if service.is_empty() {
            fs::remove_file(services.join("org.freedesktop.secrets.service")).expect("removed");
        }
        let socket = home.runtime().join("bus");
        let config = CONFIG
            .replace("SOCKET", &socket.display().to_string())
            .replace("SERVICES", &services.display().to_string());
        let config = home.write("bus.conf", config);
        let bus = home
            .run(daemon)
            .args(["--nofork", "--nopidfile"])
            .arg(format!("--config-file={}", config.display()))
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon");
        eventually("the bus listens", || UnixStream::connect(&socket).ok());
        Some(Self { home, bus, daemon: None })
    }

    fn socket(&self) -> PathBuf {
        self.home.runtime().join("bus")
    }

    fn owner(&self) -> Option<i32> {
        let answer = self
            .send(
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus.GetConnectionUnixProcessID",
            )
            .arg("string:org.freedesktop.secrets")
            .output();
        answer.out().split("uint32 ").nth(1)?.trim().parse().ok()
    }

    /// Returns the default collection of whoever provides the service, once it is open.
    pub(crate) fn open_collection(&self) -> Option<String> {
        self.owner()?;
        let collection = self.default_collection()?;
        let locked = self
            .send("org.freedesktop.secrets", &collection, "org.freedesktop.DBus.Properties.Get")
            .args(["string:org.freedesktop.Secret.Collection", "string:Locked"])
            .output();
        locked.out().contains("boolean false").then_some(collection)
    }

    fn default_collection(&self) -> Option<String> {
        let answer = self
            .secrets("org.freedesktop.Secret.Service.ReadAlias")
            .arg("string:default")
            .output()
            .out();
        let path = answer.split('"').nth(1)?;
        (path != "/").then(|| path.to_owned())
    }

    fn send(&self, service: &str, object: &str, method: &str) -> Run {
        self.on_bus("dbus-send").args([
            "--session",
            "--print-reply",
            "--reply-timeout=5000",
            &format!("--dest={service}"),
            object,
            method,
        ])
    }
}

/// The attributes that we give to the item of a key without path and port.
pub(crate) fn ours<'a>(host: &'a str, origin: &'a str, user: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("xdg:schema", "dev.gocred.Secret"),
        ("kind", "git"),
        ("origin", origin),
        ("protocol", "https"),
        ("host", host),
        ("port", "-"),
        ("path", "-"),
        ("user", user),
    ]
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let owner = self.owner();
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if let Some(pid) = owner.and_then(Pid::from_raw) {
            // Already gone, unless the bus had started it.
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.bus.kill();
        let _ = self.bus.wait();
        if let Some(pid) = owner.and_then(Pid::from_raw) {
            for _ in 0..1000 {
                if test_kill_process(pid).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// dbus-monitor on a private bus.
pub(crate) struct Monitor {
    program: Child,
    log: PathBuf,
    /// A call that is easy to recognize in the log.
    mark: Run,
}

impl Monitor {
    /// Returns the members that were called since the monitor started, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.wait();
        let mut calls = self.read();
        calls.retain(|member| member != "Ping");
        calls
    }

    /// Returns everything that was seen on the way to the daemon.
    pub(crate) fn shown(&self) -> String {
        self.wait();
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Waits until the log has what is called now.
    fn wait(&self) {
        let before = self.read().len();
        eventually("the monitor sees calls", || {
            self.mark.clone().output().success();
            (self.read().len() > before).then_some(())
        });
    }

    fn read(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).expect("a log");
        log.lines()
            .filter(|line| line.starts_with("method call"))
            .filter_map(|line| line.split_once("; member=")?.1.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A bus that takes connections and never says a word. The kernel completes the connections;
/// nobody reads them.
pub(crate) struct SilentBus {
    home: Home,
    _listener: UnixListener,
}

/// Starts a [`SilentBus`].
pub(crate) fn silent_bus() -> SilentBus {
    let home = Home::new();
    let listener = UnixListener::bind(home.runtime().join("bus")).expect("a socket");
    SilentBus { home, _listener: listener }
}

impl SilentBus {
    /// Returns what belongs into `DBUS_SESSION_BUS_ADDRESS`.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.home.runtime().join("bus").display())
    }
}

fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).unwrap_or_else(|| panic!("{pid} is not a process"));
    kill_process(pid, signal).expect("the daemon gets the signal");
}

#[test]
fn a_keyring_starts_locks_freezes_and_ends() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let pid = keyring.pid();
    keyring.freeze();
    keyring.thaw();
    keyring.lock();
    let locked = keyring
        .send(
            "org.freedesktop.secrets",
            "/org/freedesktop/secrets/aliases/default",
            "org.freedesktop.DBus.Properties.Get",
        )
        .args(["string:org.freedesktop.Secret.Collection", "string:Locked"])
        .output()
        .success();
    assert!(locked.contains("boolean true"), "{locked}");
    drop(keyring);
    assert!(test_kill_process(Pid::from_raw(pid).expect("a pid")).is_err(), "{pid} is left over");
}

#[test]
fn a_bus_starts_the_daemon_on_demand_and_takes_it_along() {
    let Some(keyring) = Keyring::activatable_only() else { return };
    assert_eq!(keyring.owner(), None);
    assert_eq!(keyring.default_collection(), None);
    let pid = keyring.pid();
    keyring.kill();
    assert_eq!(keyring.default_collection(), None);
    assert_ne!(keyring.pid(), pid);
}

#[test]
fn a_locked_keyring_has_a_collection_and_an_absent_one_has_none() {
    if let Some(keyring) = Keyring::locked() {
        eventually("it has a collection", || keyring.default_collection());
    }
    if let Some(keyring) = Keyring::absent() {
        assert_eq!(keyring.owner(), None);
    }
    let bus = silent_bus();
    assert!(UnixStream::connect(bus.address().strip_prefix("unix:path=").expect("a path")).is_ok());
}
