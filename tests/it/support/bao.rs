//! A real `OpenBao` server, unsealed, in memory, on a free port of loopback. It ends with the test.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use super::{
    eventually,
    home::{Home, Output, Run},
    skipped,
};

/// The token that may do everything there.
pub(crate) const ROOT: &str = "root-of-the-test";

/// A running server.
pub(crate) struct Bao {
    program: PathBuf,
    home: Home,
    port: u16,
    is_tls: bool,
    child: Child,
}

impl Bao {
    /// Starts it. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[], false)
    }

    /// Starts it behind TLS, with a certificate of its own authority for 127.0.0.1 and localhost.
    #[must_use]
    pub(crate) fn tls() -> Option<Self> {
        Self::with(&["-dev-tls"], true)
    }

    fn with(more: &[&str], is_tls: bool) -> Option<Self> {
        let Some(program) = std::env::var_os("GOCRED_TEST_BAO").map(PathBuf::from) else {
            skipped("set GOCRED_TEST_BAO to what `sh install/openbao.sh 2.7.2` prints");
            return None;
        };
        let home = Home::new();
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
        let port = port.port();
        let tls = home.path().join("tls");
        std::fs::create_dir(&tls).expect("a folder");
        let mut run = home.run(&program).args(["server", "-dev", "-dev-no-store-token"]);
        run = run.arg(format!("-dev-root-token-id={ROOT}"));
        run = run.arg(format!("-dev-listen-address=127.0.0.1:{port}")).args(more.to_vec());
        if is_tls {
            run = run.arg(format!("-dev-tls-cert-dir={}", tls.display()));
        }
        let log = std::fs::File::create(home.path().join("log")).expect("a log");
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().expect("bao server");
        let bao = Self { program, home, port, is_tls, child };
        eventually("bao is ready", || bao.is_ready().then_some(()));
        Some(bao)
    }

    fn is_ready(&self) -> bool {
        if self.is_tls {
            return self.run(["status"]).output().code == Some(0);
        }
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /v1/sys/health HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    pub(crate) fn address(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The authority of its certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.home.path().join("tls/vault-ca.pem")
    }

    /// Prepares `bao …` with all rights.
    pub(crate) fn run<const N: usize>(&self, words: [&str; N]) -> Run {
        let run = self.home.run(&self.program).args(words);
        let run = run.env("BAO_ADDR", self.address()).env("BAO_TOKEN", ROOT);
        if self.is_tls { run.env("BAO_CACERT", self.authority()) } else { run }
    }

    /// Runs `bao …` with all rights, and returns what it prints.
    pub(crate) fn say<const N: usize>(&self, words: [&str; N]) -> String {
        self.run(words).output().success().trim_end().to_owned()
    }

    /// Lets a policy read one path.
    pub(crate) fn policy(&self, name: &str, path: &str) {
        let rule = format!("path \"{path}\" {{ capabilities = [\"read\"] }}");
        let done: Output = self.run(["policy", "write", name, "-"]).input(rule).output();
        done.success();
    }

    /// Makes an `AppRole` with one policy, and what its secret ids are worth; returns its id.
    pub(crate) fn role(&self, name: &str, policy: &str, more: &str) -> String {
        // It may be there already.
        let _ = self.run(["auth", "enable", "approle"]).output();
        let (role, policies) = (format!("auth/approle/role/{name}"), format!("policies={policy}"));
        self.say(["write", &role, &policies, more]);
        self.say(["read", "-field=role_id", &format!("{role}/role-id")])
    }

    /// Makes a secret id of an `AppRole`.
    pub(crate) fn secret_id(&self, name: &str) -> String {
        let path = format!("auth/approle/role/{name}/secret-id");
        self.say(["write", "-f", "-field=secret_id", &path])
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
