//! A real gnome-keyring-daemon on a private bus, in a folder of its own.

use std::{
    fs,
    io::Write,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The bus, the daemon, and the HOME that belongs to them.
pub struct Keyring {
    pub home: PathBuf,
    bus: Child,
    daemon: Child,
}

impl Keyring {
    /// Starts an unlocked keyring in `home`.
    pub fn start(home: &Path) -> Self {
        for folder in ["run", "config", "state", "data"] {
            fs::create_dir_all(home.join(folder)).expect("folder");
        }
        let socket = home.join("run/bus");
        let configuration = home.join("bus.conf");
        fs::write(&configuration, configuration_of(&socket)).expect("bus.conf");
        let bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon: apt-get install dbus-daemon");
        until("the bus", || socket.exists());
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .arg(format!("--control-directory={}", home.join("run/keyring").display()))
            .envs(env(home))
            .env_remove("DISPLAY")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon: apt-get install gnome-keyring");
        daemon.stdin.take().expect("stdin").write_all(b"bench").expect("password");
        let keyring = Self { home: home.to_owned(), bus, daemon };
        until("the default collection", || {
            let output = Command::new("dbus-send")
                .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
                .args([
                    "/org/freedesktop/secrets",
                    "org.freedesktop.Secret.Service.ReadAlias",
                    "string:default",
                ])
                .envs(env(&keyring.home))
                .stderr(Stdio::null())
                .output()
                .expect("dbus-send: apt-get install dbus-bin");
            String::from_utf8_lossy(&output.stdout).contains("/collection/")
        });
        keyring
    }

    /// Returns whether the daemon that was started is the one that runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.daemon.try_wait(), Ok(None))
    }

    /// Locks the default collection.
    pub fn lock(&self) {
        let status = Command::new("dbus-send")
            .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets"])
            .args(["/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock"])
            .arg("array:objpath:/org/freedesktop/secrets/collection/login")
            .envs(env(&self.home))
            .stdout(Stdio::null())
            .status()
            .expect("dbus-send");
        assert!(status.success(), "the keyring could not be locked");
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        for child in [&mut self.daemon, &mut self.bus] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Writes a default keyring of `entries` items and the index of their hosts, as gocred would have
/// stored them one after the other: that rewrites the file each time, and takes an hour for 5,000.
/// The format is gnome-keyring's for a keyring without password (`login.keyring`, plain text).
pub fn seed(home: &Path, entries: usize) {
    let folder = home.join("data/keyrings");
    fs::create_dir_all(&folder).expect("folder");
    let mut file =
        "[keyring]\ndisplay-name=Login\nctime=0\nmtime=0\nlock-on-idle=false\nlock-after=false\n"
            .to_owned();
    let mut index = "gocred hosts 1\n".to_owned();
    for entry in 0..entries {
        let (host, number) = (format!("h{entry}.bench.test"), entry + 1);
        let head = format!(
            "\n[{number}]\nitem-type=0\ndisplay-name=gocred: https://{host} (ana)\nsecret=password=secret-{entry}\\n\nmtime=1\nctime=1\n"
        );
        file.push_str(&head);
        let origin = format!("git https://{host}");
        let attributes = [
            ("host", host.as_str()),
            ("kind", "git"),
            ("origin", origin.as_str()),
            ("path", "-"),
            ("port", "-"),
            ("protocol", "https"),
            ("stored", "1"),
            ("user", "ana"),
            ("xdg:schema", "dev.gocred.Secret"),
        ];
        for (attribute, (name, value)) in attributes.iter().enumerate() {
            file.push_str(&format!(
                "\n[{number}:attribute{attribute}]\nname={name}\ntype=string\nvalue={value}\n"
            ));
        }
        index.push_str(&format!("git https://{host}\n"));
    }
    fs::write(folder.join("login.keyring"), file).expect("login.keyring");
    fs::write(folder.join("default"), "login").expect("default");
    fs::create_dir_all(home.join("state/gocred")).expect("folder");
    fs::write(home.join("state/gocred/hosts"), index).expect("hosts");
}

/// The variables of everything that runs in `home`.
pub fn env(home: &Path) -> Vec<(String, String)> {
    let folder = |name: &str| home.join(name).display().to_string();
    vec![
        ("DBUS_SESSION_BUS_ADDRESS".into(), format!("unix:path={}", folder("run/bus"))),
        ("HOME".into(), home.display().to_string()),
        ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
        ("XDG_CONFIG_HOME".into(), folder("config")),
        ("XDG_DATA_HOME".into(), folder("data")),
        ("XDG_RUNTIME_DIR".into(), folder("run")),
        ("XDG_STATE_HOME".into(), folder("state")),
    ]
}

/// Opens a socket that accepts and never answers.
pub fn silent(home: &Path) -> UnixListener {
    UnixListener::bind(home.join("run/bus")).expect("socket")
}

fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not come up");
        thread::sleep(Duration::from_millis(10));
    }
}

fn configuration_of(socket: &Path) -> String {
    format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
         <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
         <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n",
        socket.display()
    )
}
