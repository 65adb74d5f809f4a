//! The corporate network that `tests/lab/enter.sh` starts around the tests: its accounts, its
//! certificate authority, and what its servers saw. It starts no server.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::skipped;

/// The logs are shared by all, so one test at a time is in the lab.
static TURN: Mutex<()> = Mutex::new(());

/// The lab, for one test.
pub(crate) struct Lab {
    folder: PathBuf,
    accounts: BTreeMap<String, String>,
    /// How many lines each log had when it was last forgotten.
    before: BTreeMap<String, usize>,
    _turn: MutexGuard<'static, ()>,
}

/// A user of one of the lab's servers.
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) secret: String,
}

/// A line of nginx's log.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) status: u16,
    /// The account of `Authorization: Basic`; empty without one.
    pub(crate) user: String,
    /// The name in the client's certificate; empty without one.
    pub(crate) certificate: String,
    /// `yes`: a key of the module proxy came along, in a field of its own.
    pub(crate) key: String,
    /// `yes`: so did a cookie, or a login for a proxy.
    pub(crate) cookie: String,
    /// The scheme of `Authorization`; empty without one.
    pub(crate) auth: String,
    pub(crate) agent: String,
}

/// A line of squid's log, written when a tunnel ends.
#[derive(Debug, Deserialize)]
pub(crate) struct Tunnel {
    /// `-` for a client that sent no credential, or one that the proxy does not know.
    pub(crate) user: String,
    /// The scheme of the login that came with this request. `hello`: the first message of NTLM. `-`:
    /// there was none; the connection may have an identity already.
    pub(crate) login: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: u16,
}

impl Lab {
    /// Enters the lab, alone until the value is dropped. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn enter() -> Option<Self> {
        let folder = Self::beside()?;
        let accounts = fs::read_to_string(folder.join("accounts.env")).expect("the accounts");
        let accounts = accounts
            .lines()
            .map(|line| line.split_once('=').expect("NAME=value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lab = Self { folder, accounts, before: BTreeMap::new(), _turn: turn };
        lab.forget();
        Some(lab)
    }

    /// The lab's folder, for a test that goes on beside others: it neither changes the lab's servers nor
    /// reads what they saw. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn beside() -> Option<PathBuf> {
        let folder = std::env::var_os("GOCRED_LAB").map(PathBuf::from);
        if folder.is_none() {
            skipped("there is no lab; run sh tests/run.sh, or tests/lab/enter.sh cargo test");
        }
        folder
    }

    /// Returns an account: GIT, GIT404, GITLAB, TEAM, ACME, GOPROXY, STORE, BEARER, JFROG, PLAIN, PROXY
    /// or TOKEN; of the domain DIGEST, KRB, NTLM or SOCKS.
    pub(crate) fn account(&self, name: &str) -> Account {
        let field = |field| self.accounts.get(&format!("{name}_{field}")).expect(name).clone();
        Account { user: field("USER"), secret: field("SECRET") }
    }

    /// `GOCRED_LAB`
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate authority of every server.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Leaves what the servers saw so far out of what is returned from now on.
    pub(crate) fn forget(&mut self) {
        self.before.clear();
        for file in fs::read_dir(self.folder.join("log")).expect("the logs").flatten() {
            let name = file.file_name().into_string().expect("a name");
            let lines = self.lines(&name).len();
            self.before.insert(name, lines);
        }
    }

    /// What nginx answered since [`Self::forget`].
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log("access.log")
    }

    /// The tunnels of proxy.corp.test that ended since [`Self::forget`].
    pub(crate) fn tunnels(&self) -> Vec<Tunnel> {
        self.tunnels_of("proxy")
    }

    /// The same of another squid, by the name of its file in `tests/lab/squid`.
    pub(crate) fn tunnels_of(&self, proxy: &str) -> Vec<Tunnel> {
        let mut tunnels: Vec<Tunnel> = self.log(&format!("{proxy}.log"));
        // A connection that ended without a request, as those that wait for the port to open do.
        tunnels.retain(|tunnel| tunnel.method != "-");
        tunnels
    }

    /// The lines of a server's log since [`Self::forget`].
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read(self.folder.join("log").join(name)).unwrap_or_default();
        let before = self.before.get(name).copied().unwrap_or_default();
        // A line without its end is still being written.
        let text = String::from_utf8_lossy(&text);
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).skip(before);
        lines.map(|line| line.trim_end().to_owned()).collect()
    }

    /// Looks for every secret of the lab in files and folders; returns what was found, a line each.
    pub(crate) fn sweep(&self, places: &[&Path]) -> Vec<String> {
        let output = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/sweep.py"))
            .arg(self.folder.join("accounts.env"))
            .args(places)
            .output()
            .expect("python3");
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        let summary = lines.pop().unwrap_or_default();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(summary.ends_with(&format!(" {} finds", lines.len())), "{summary}\n{error}");
        lines
    }

    fn log<T: DeserializeOwned>(&self, name: &str) -> Vec<T> {
        let parse = |line: &String| serde_json::from_str(line).expect(line);
        self.lines(name).iter().map(parse).collect()
    }
}
