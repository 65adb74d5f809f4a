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
    lab::Lab,
    skipped,
};

/// The token that may do everything there.
pub(crate) const ROOT: &str = "root-of-the-test";

/// A running server.
pub(crate) struct Bao {
    program: PathBuf,
    home: Home,
    address: String,
    ca: Option<PathBuf>,
    token: String,
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
        let program = Self::program()?;
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
        let child = Self::spawn(&run, &home);
        let scheme = if is_tls { "https" } else { "http" };
        let address = format!("{scheme}://127.0.0.1:{port}");
        let ca = is_tls.then(|| home.path().join("tls/vault-ca.pem"));
        let bao = Self { program, home, address, ca, token: ROOT.to_owned(), child };
        eventually("bao is ready", || bao.is_ready().then_some(()));
        Some(bao)
    }

    /// Starts it at bao.corp.test:8200 of the lab, with a certificate of the lab, as an operator does.
    #[must_use]
    pub(crate) fn in_lab(lab: &Lab) -> Option<Self> {
        let program = Self::program()?;
        let home = Home::new();
        let etc = lab.folder().join("etc");
        let text = format!(
            "storage \"inmem\" {{}}\nlistener \"tcp\" {{\n address = \"127.77.0.32:8200\"\n \
             tls_cert_file = \"{0}/server.pem\"\n tls_key_file = \"{0}/server.key\"\n}}\n\
             api_addr = \"https://bao.corp.test:8200\"\n",
            etc.display()
        );
        let config = home.write("bao.hcl", text);
        let run = home.run(&program).args(["server", "-config"]).arg(config);
        let child = Self::spawn(&run, &home);
        let ca = lab.authority();
        let address = "https://bao.corp.test:8200".to_owned();
        let mut bao = Self { program, home, address, ca: Some(ca), token: String::new(), child };
        // 2: it answers, and is sealed.
        eventually("bao answers", || (bao.run(["status"]).output().code == Some(2)).then_some(()));
        let init = ["operator", "init", "-key-shares=1", "-key-threshold=1", "-format=json"];
        let keys: serde_json::Value = serde_json::from_str(&bao.say(init)).expect("JSON");
        let text = |at| keys.pointer(at).and_then(|it| it.as_str()).expect("a text").to_owned();
        bao.token = text("/root_token");
        bao.say(["operator", "unseal", &text("/unseal_keys_b64/0")]);
        let enable = ["secrets", "enable", "-version=2", "-path=secret", "kv"];
        eventually("bao is ready", || (bao.run(enable).output().code == Some(0)).then_some(()));
        Some(bao)
    }

    fn program() -> Option<PathBuf> {
        let program = std::env::var_os("GOCRED_TEST_BAO").map(PathBuf::from);
        if program.is_none() {
            skipped("set GOCRED_TEST_BAO to what `sh install/openbao.sh 2.7.2` prints");
        }
        program
    }

    fn spawn(run: &Run, home: &Home) -> Child {
        let log = std::fs::File::create(home.path().join("log")).expect("a log");
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        command.spawn().expect("bao server")
    }

    /// The token that may do everything there.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    fn is_ready(&self) -> bool {
        let Some(authority) = self.address.strip_prefix("http://") else {
            return self.run(["status"]).output().code == Some(0);
        };
        let ask = || {
            let mut stream = TcpStream::connect(authority)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /v1/sys/health HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// The authority of its certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.ca.clone().expect("TLS")
    }

    /// Prepares `bao …` with all rights.
    pub(crate) fn run<const N: usize>(&self, words: [&str; N]) -> Run {
        let run = self.home.run(&self.program).args(words);
        let run = run.env("BAO_ADDR", self.address()).env("BAO_TOKEN", &self.token);
        match &self.ca {
            Some(ca) => run.env("BAO_CACERT", ca),
            None => run,
        }
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
