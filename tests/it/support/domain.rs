//! The domain that `tests/lab/enter.sh --domain` starts: its KDCs, its domain controller, and a proxy
//! for each way to log in. What a test changes here is as it was when the value is dropped.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    eventually,
    home::Home,
    lab::{Account, Lab, Tunnel},
    skipped,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab");

/// The lab with its domain, for one test.
pub(crate) struct Domain {
    pub(crate) lab: Lab,
    has_new_password: bool,
    ended: Vec<&'static str>,
}

/// Whose ticket it is, and who gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ticket {
    /// kate of the MIT KDC, realm CORP.TEST.
    Mit,
    /// nils of the domain controller, realm AD.CORP.TEST: the account that NTLM knows, too.
    Directory,
}

impl Domain {
    /// Enters the lab, alone until the value is dropped. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn enter() -> Option<Self> {
        let lab = Lab::enter()?;
        if !lab.folder().join("ad").is_dir() {
            skipped("the lab has no domain; run tests/lab/enter.sh --domain cargo test as root");
            return None;
        }
        let domain = Self { lab, has_new_password: false, ended: Vec::new() };
        domain.unlock();
        Some(domain)
    }

    /// Returns the secret of the user of [`Ticket::Directory`], whose name is `DOMAIN\user`.
    pub(crate) fn windows_account(&self) -> Account {
        self.lab.account("NTLM")
    }

    /// Puts a fresh ticket into a cache (`KRB5CCNAME`); what was in there is gone.
    pub(crate) fn ticket(&self, ticket: Ticket, cache: &Path) {
        let (principal, account) = match ticket {
            Ticket::Mit => (self.lab.account("KRB").user, "KRB"),
            Ticket::Directory => (format!("{}@AD.CORP.TEST", self.short_name()), "NTLM"),
        };
        let home = Home::new();
        home.run("kinit")
            .arg("-c")
            .arg(cache)
            .arg(principal)
            .input(format!("{}\n", self.lab.account(account).secret))
            .output()
            .success();
    }

    /// Puts a ticket of the MIT KDC into a cache that is an hour too old.
    pub(crate) fn expired_ticket(&self, cache: &Path) {
        let home = Home::new();
        let run = home.run(format!("{FOLDER}/old-ticket.sh")).arg(cache);
        run.env("GOCRED_LAB", self.lab.folder()).output().success();
    }

    /// Returns how often the domain controller has refused the account of the domain since its last
    /// login (`badPwdCount`).
    pub(crate) fn bad_passwords(&self) -> u32 {
        self.directory("bad-passwords", "").parse().expect("a number")
    }

    /// Returns whether the account of the domain is locked.
    pub(crate) fn is_locked(&self) -> bool {
        self.directory("locked", "") == "yes"
    }

    /// Forgets its failed logins.
    pub(crate) fn unlock(&self) {
        self.directory("unlock", "");
    }

    /// Gives the account of the domain another password, until the value is dropped.
    pub(crate) fn set_password(&mut self, password: &str) {
        self.has_new_password = true;
        self.directory("password", password);
    }

    /// The same from another thread, once this many tunnels through a proxy have ended.
    pub(crate) fn set_password_after(
        &mut self,
        tunnels: usize,
        proxy: &str,
        password: &str,
    ) -> JoinHandle<()> {
        self.has_new_password = true;
        let log = self.lab.folder().join("log").join(format!("{proxy}.log"));
        let lines = move || fs::read_to_string(&log).unwrap_or_default().lines().count();
        let last = lines() + tunnels;
        let (lab, user) = (self.lab.folder().to_owned(), self.short_name());
        let password = password.to_owned();
        thread::spawn(move || {
            eventually("tunnels end", || (lines() >= last).then_some(()));
            directory(&lab, "password", &user, &password);
        })
    }

    /// The requests that a proxy of the lab has logged since [`Lab::forget`]. A tunnel is logged when it
    /// ends.
    pub(crate) fn tunnels(&self, proxy: &str) -> Vec<Tunnel> {
        self.lab.tunnels_of(proxy)
    }

    /// Those of them whose login was refused. The first message of NTLM is no login.
    pub(crate) fn failed_logins(&self, proxy: &str) -> Vec<Tunnel> {
        let mut tunnels = self.tunnels(proxy);
        tunnels.retain(|tunnel| {
            tunnel.status == 407 && !matches!(tunnel.login.as_str(), "-" | "hello")
        });
        tunnels
    }

    /// Where the SOCKS server connected to since [`Lab::forget`].
    pub(crate) fn socks_targets(&self) -> Vec<String> {
        let target = |line: String| Some(line.rsplit_once("connected to ")?.1.to_owned());
        self.lab.lines("socks").into_iter().filter_map(target).collect()
    }

    /// Ends a squid on port 3128 the hard way; it starts again when the value is dropped, or before.
    pub(crate) fn kill_proxy(&mut self, proxy: &'static str) {
        let file = self.lab.folder().join("run").join(format!("{proxy}.pid"));
        let pid = fs::read_to_string(&file).expect("a pid file");
        let pid = Pid::from_raw(pid.trim().parse().expect("a pid")).expect("a pid");
        kill_process(pid, Signal::KILL).expect("killed");
        let folder = PathBuf::from(format!("/proc/{}/exe", pid.as_raw_nonzero()));
        // A zombie until its parent, the lab's first process, has waited for it: it has no program.
        eventually("squid ends", || fs::read_link(&folder).is_err().then_some(()));
        fs::remove_file(file).expect("removed");
        self.ended.push(proxy);
    }

    /// Starts a squid that [`Self::kill_proxy`] has ended.
    pub(crate) fn start_proxy(&mut self, proxy: &str) {
        self.ended.retain(|ended| *ended != proxy);
        // It outlives this process, as the other servers do.
        let home = Home::new();
        let script = format!("exec '{FOLDER}/squid.sh' {proxy} </dev/null >/dev/null 2>&1");
        let run = home.run("setsid").args(["--fork", "sh", "-c", &script]);
        run.env("GOCRED_LAB", self.lab.folder()).output().success();
        let host =
            if proxy == "proxy" { "proxy.corp.test" } else { &format!("proxy-{proxy}.corp.test") };
        eventually("squid listens", || TcpStream::connect((host, 3128)).ok());
    }

    fn directory(&self, command: &str, input: &str) -> String {
        directory(self.lab.folder(), command, &self.short_name(), input)
    }

    fn short_name(&self) -> String {
        self.windows_account().user.rsplit('\\').next().expect("a name").to_owned()
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        for proxy in std::mem::take(&mut self.ended) {
            self.start_proxy(proxy);
        }
        if self.has_new_password {
            let secret = self.windows_account().secret;
            self.directory("password", &secret);
        }
    }
}

/// Runs `directory.py`, with the python3 that has Samba's modules.
fn directory(lab: &Path, command: &str, user: &str, input: &str) -> String {
    let home = Home::new();
    let run = home.run("/usr/bin/python3").arg(format!("{FOLDER}/directory.py"));
    let output = run.args([command, user]).env("GOCRED_LAB", lab).input(input).output();
    output.success().trim_end().to_owned()
}
