//! A `get` whose credential is in OpenBao: as the agent remembers it, as the agent fetches it, and without
//! an agent. There is no goal: the server is a part of it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    Bench,
    agent::Agent,
    keyring,
    rounds::{median, samples},
    table::Table,
};

const HOST: &str = "source.bench.test";
const WHAT: &str = "`get` from OpenBao, remembered by the agent, ms";

/// A server in memory, ended with this value.
struct Bao(Child);

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bench {
    /// Times the three ways in turns, the second and third fewer times.
    pub(crate) fn source(&self, table: &mut Table) {
        let Some(program) = std::env::var_os("GOCRED_TEST_BAO") else {
            table.skip(WHAT, "install/openbao.sh installs it");
            return;
        };
        let (program, home) = (Path::new(&program), self.work.join("home-source"));
        for folder in ["run", "config/gocred", "state", "data"] {
            fs::create_dir_all(home.join(folder)).expect("a folder");
        }
        let (address, _bao) = start(program, &home);
        let known = self.input("source", HOST, None);
        let helper = self.timed("get", &self.helper, &["get"], &known, &home);
        let ask = |rounds| {
            let answer = helper.command().stdout(Stdio::piped()).output().expect("an answer");
            let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
            assert!(answer.contains("password=secret-of-bao"), "{answer}");
            let mut times = samples(std::slice::from_ref(&helper), rounds);
            times.iter_mut().map(|times| median(times)).sum::<f64>()
        };
        configure(&home, &address, "5m");
        let alone = ask(self.scale.rounds / 4);
        let agent = Agent::start(&self.helper.with_file_name("gocred"), &home);
        let remembered = ask(self.scale.rounds);
        configure(&home, &address, "0s");
        let fetched = ask(self.scale.rounds / 4);
        drop(agent);
        let note = format!("fetched by the agent {fetched:.2} ms, without an agent {alone:.2} ms");
        table.show(WHAT, remembered, &note);
    }
}

fn start(program: &Path, home: &Path) -> (String, Bao) {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
    let (listen, address) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let child = Command::new(program)
        .args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"])
        .arg(format!("-dev-listen-address={listen}"))
        .envs(keyring::env(home))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bao server");
    let bao = Bao(child);
    while TcpStream::connect(&listen).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    let put = || {
        let path = format!("secret/{HOST}");
        Command::new(program)
            .args(["kv", "put", &path, "username=ana", "password=secret-of-bao"])
            .envs(keyring::env(home))
            .envs([("BAO_ADDR", address.as_str()), ("BAO_TOKEN", "root")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("bao")
    };
    // It listens a moment before it is ready.
    while !put().success() {
        thread::sleep(Duration::from_millis(50));
    }
    (address, bao)
}

fn configure(home: &Path, address: &str, cache: &str) {
    let token = home.join("token");
    fs::write(&token, "root").expect("a token");
    fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("0600");
    let text = format!(
        "[openbao]\naddress = \"{address}\"\nlogin = \"token\"\ntoken_file = \"{}\"\n\
         [source.\"{HOST}\"]\nfrom = \"openbao\"\npath = \"secret/data/{{host}}\"\n\
         cache = \"{cache}\"\n",
        token.display()
    );
    fs::write(home.join("config/gocred/config.toml"), text).expect("config.toml");
}
