//! What the tests of the front stand on: `gocred proxy run` with a front, and real go that asks it.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use super::{
    proxy_lab::Client,
    support::{
        go::Release,
        home::{GOCRED, HELPER, Home, Output, Run},
        keyring::Keyring,
        lab::Lab,
    },
};

/// The module that others need, on every module proxy of the lab.
pub(crate) const LIB: &str = "private.corp.test/team/lib";
/// One that needs it.
pub(crate) const DEP: &str = "private.corp.test/team/dep";
/// Lets the daemon reach the lab's hosts, which are on loopback.
pub(crate) const ALLOW: &str = "allow = [\"127.0.0.0/8\"]\n";

/// How long the daemon may take to start, on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A running `gocred proxy run` with a front.
pub(crate) struct Front {
    pub(crate) child: Child,
    /// The loopback proxy.
    pub(crate) proxy: SocketAddr,
    /// What belongs into GOPROXY: `http://127.0.0.1:PORT`, with a secret path where that is needed.
    pub(crate) url: String,
}

impl Front {
    /// Starts what [`prepared`] has prepared, and waits for both of its lines.
    pub(crate) fn start(run: &Run) -> Self {
        let mut child = run
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("gocred proxy run");
        let (told, lines) = mpsc::channel();
        let errors = child.stderr.take().expect("stderr");
        let stdout = child.stdout.take().expect("stdout");
        let also_told = told.clone();
        thread::spawn(move || tell(stdout, &told));
        thread::spawn(move || tell(errors, &also_told));
        let (mut proxy, mut url, mut said) = (None, None, String::new());
        while proxy.is_none() || url.is_none() {
            let Ok(line) = lines.recv_timeout(START) else {
                let _ = child.kill();
                panic!("the front does not start: {said}");
            };
            if let Some(address) = line.strip_prefix("listening on http://") {
                proxy = Some(address.parse().expect("an address"));
            } else if let Some(address) = line.strip_prefix("goproxy on ") {
                url = Some(address.to_owned());
            }
            said += &line;
            said.push('\n');
        }
        Self { child, proxy: proxy.expect("a proxy"), url: url.expect("a front") }
    }

    /// Where the front listens, and the path before that of the protocol.
    pub(crate) fn place(&self) -> (SocketAddr, &str) {
        let rest = self.url.strip_prefix("http://").expect("http");
        let (address, _) = rest.split_once('/').unwrap_or((rest, ""));
        let path = rest.strip_prefix(address).unwrap_or_default();
        (address.parse().expect("an address"), path.trim_end_matches('/'))
    }

    /// Asks with a GET and these fields, `Name: value\r\n` each; returns the whole answer.
    pub(crate) fn get(&self, path: &str, fields: &str) -> String {
        let (address, before) = self.place();
        self.send(&format!("GET {before}{path} HTTP/1.1\r\nHost: {address}\r\n{fields}"))
    }

    /// Sends a head without its end, closes after the answer, and returns that.
    pub(crate) fn send(&self, head: &str) -> String {
        let mut client = Client::to(self.place().0);
        client.send(format!("{head}Connection: close\r\n\r\n"));
        client.until_end()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tell(from: impl std::io::Read, told: &mpsc::Sender<String>) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        let _ = told.send(line);
    }
}

/// Prepares `gocred proxy run` with a front before this list.
pub(crate) fn prepared(run: Run, list: &str) -> Run {
    run.args(["proxy", "run", "--listen", "127.0.0.1:0"]).args([
        "--goproxy",
        "127.0.0.1:0",
        "--goproxy-upstream",
        list,
    ])
}

/// Starts a front without any credential, in a home of its own, whose targets may be on loopback.
pub(crate) fn front(home: &Home, list: &str) -> Front {
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}"));
    Front::start(&prepared(home.gocred(), list))
}

/// The same, that trusts the lab's certificate authority.
pub(crate) fn front_of_lab(home: &Home, lab: &Path, list: &str) -> Front {
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}"));
    let run = home.gocred().env("SSL_CERT_FILE", lab.join("ca.pem"));
    Front::start(&prepared(run, list))
}

/// Somebody in the lab who has logged in everywhere.
pub(crate) struct Office {
    pub(crate) home: Home,
    pub(crate) keyring: Keyring,
    authority: PathBuf,
}

impl Office {
    /// Unlocks a keyring. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn new(lab: &Lab) -> Option<Self> {
        let (home, keyring) = (Home::new(), Keyring::unlocked()?);
        Some(Self { home, keyring, authority: lab.authority() })
    }

    /// Prepares a program in a home, that reaches the keyring and trusts the lab.
    pub(crate) fn run(&self, home: &Home, program: &str) -> Run {
        home.run(program)
            .env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .env("SSL_CERT_FILE", &self.authority)
            .env("GIT_SSL_CAINFO", &self.authority)
    }

    /// Stores an account, without asking the host.
    pub(crate) fn login(&self, lab: &Lab, account: &str, place: &[&str]) {
        let account = lab.account(account);
        let run = self.run(&self.home, GOCRED).arg("login").args(place.iter().copied());
        let run = run.args(["--username", &account.user, "--with-token", "--no-verify"]);
        run.input(format!("{}\n", account.secret)).output().success();
    }

    /// Stores a Bearer token, as git keeps one (git 2.46).
    pub(crate) fn bearer(&self, lab: &Lab, host: &str) {
        let token = lab.account("BEARER").secret;
        let input = format!(
            "capability[]=authtype\nprotocol=https\nhost={host}\nauthtype=Bearer\ncredential={token}\n\n"
        );
        self.run(&self.home, HELPER).arg("store").input(input).output().success();
    }
}

/// A Go release in a home of its own, whose module cache is empty each time.
pub(crate) struct Gopher {
    pub(crate) home: Home,
    program: PathBuf,
    runs: AtomicU32,
}

impl Gopher {
    /// `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn new(release: Release) -> Option<Self> {
        let program = release.program()?;
        Some(Self { home: Home::new().without_telemetry(), program, runs: AtomicU32::new(0) })
    }

    /// Prepares go in an empty folder, with this GOPROXY and no proxy, checksum database or credential.
    pub(crate) fn go(&self, goproxy: &str) -> Run {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let folder = |name: &str| {
            let folder = self.home.path().join(format!("{name}-{number}"));
            std::fs::create_dir(&folder).expect("a folder");
            folder
        };
        let path = super::support::path();
        let path = format!("{}:{path}", self.program.parent().expect("a folder").display());
        self.home
            .run(&self.program)
            .env("PATH", path)
            .env("GOPATH", folder("go"))
            .env("GOCACHE", self.home.path().join("build"))
            .env("GOFLAGS", "-modcacherw")
            .env("GOTOOLCHAIN", "local")
            .env("GOSUMDB", "off")
            .env("GOPROXY", goproxy)
            .env("GIT_TERMINAL_PROMPT", "0")
            .folder(folder("app"))
    }

    /// `go mod download` of a module at v1.0.0 and of what it needs.
    pub(crate) fn download(&self, goproxy: &str, modules: &[&str]) -> Output {
        self.downloading(goproxy, modules).output()
    }

    /// The same, prepared.
    pub(crate) fn downloading(&self, goproxy: &str, modules: &[&str]) -> Run {
        let run = self.go(goproxy);
        let mut file = "module example.test/app\n\ngo 1.18\n\n".to_owned();
        for module in modules {
            file.extend(["require ", module, " v1.0.0\n"]);
        }
        let folder = run.command().get_current_dir().expect("a folder").to_owned();
        std::fs::write(folder.join("go.mod"), file).expect("go.mod");
        run.args(["mod", "download"])
    }
}

/// Returns the body of an answer.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
