//! A certified `OpenID` provider (npm's oidc-provider), a person with a browser, and a gate in front of
//! the provider at which a test may stop what comes.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{eventually, skipped};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/oidc");

/// A running provider, ended with the test.
pub(crate) struct Provider {
    child: Child,
    issuer: String,
    options: Value,
    lines: Arc<Mutex<Vec<Line>>>,
    tools: PathBuf,
    gate: Gate,
    authority: Option<PathBuf>,
}

/// A line of its log.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Line {
    #[serde(default)]
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) grant: Option<String>,
    #[serde(default)]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) error: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    port: Option<u16>,
}

/// What happens to a request for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The provider gets it.
    Forward,
    /// Nobody gets it.
    Drop,
    /// The provider gets it, and nobody its answer.
    Lose,
}

type Hook = Box<dyn FnOnce() -> Then + Send>;

#[derive(Clone, Default)]
struct Gate {
    hook: Arc<Mutex<Option<Hook>>>,
    target: Arc<Mutex<Option<u16>>>,
}

impl Provider {
    /// Starts one behind the gate. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn start(options: Value) -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let gate = Gate::default();
        let inside = gate.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let gate = inside.clone();
                thread::spawn(move || gate.pass(stream));
            }
        });
        Self::run(options, format!("http://127.0.0.1:{port}"), gate, None)
    }

    /// Starts one behind TLS at a name of the lab, with the certificate of its hosts.
    #[must_use]
    pub(crate) fn behind_tls(lab: &Path, name: &str, options: Value) -> Option<Self> {
        let mut options = options;
        let file = |name: &str| lab.join("etc").join(name).display().to_string();
        options["tls"] = json!({ "cert": file("server.pem"), "key": file("server.key") });
        options["listen"] = json!([name, 443]);
        let authority = Some(lab.join("ca.pem"));
        Self::run(options, format!("https://{name}"), Gate::default(), authority)
    }

    /// Starts it anew: it remembers nobody.
    pub(crate) fn restart(&mut self) {
        let (options, issuer) = (self.options.clone(), self.issuer.clone());
        let new = Self::run(options, issuer, self.gate.clone(), self.authority.clone());
        *self = new.expect("it was there before");
    }

    fn run(
        mut options: Value,
        issuer: String,
        gate: Gate,
        authority: Option<PathBuf>,
    ) -> Option<Self> {
        let Some(tools) = std::env::var_os("GOCRED_TEST_OIDC").map(PathBuf::from) else {
            skipped("set GOCRED_TEST_OIDC to what `sh install/oidc.sh` prints");
            return None;
        };
        options["issuer"] = issuer.clone().into();
        let all = options.clone();
        let mut child = Command::new(tools.join("node"))
            .arg(format!("{FOLDER}/server.mjs"))
            .env_clear()
            .env("GOCRED_OIDC_MODULES", &tools)
            .env("GOCRED_OIDC", options.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (reader, written) = (child.stdout.take().expect("stdout"), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let line: Line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let provider = Self { child, issuer, options: all, lines, tools, gate, authority };
        let port =
            eventually("the provider is up", || provider.seen().iter().find_map(|line| line.port));
        *provider.gate.target.lock().expect("a gate") = Some(port);
        Some(provider)
    }

    /// Its URL.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Everything that it has said so far.
    pub(crate) fn seen(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answers to a kind of request for a token: the status, and the error.
    pub(crate) fn grants(&self, grant: &str) -> Vec<(u16, Option<String>)> {
        let lines = self.seen().into_iter();
        let of = lines.filter(|it| it.path == "/token" && it.grant.as_deref() == Some(grant));
        of.map(|line| (line.status, line.error)).collect()
    }

    /// How often something happened there.
    pub(crate) fn events(&self, name: &str) -> usize {
        self.seen().iter().filter(|line| line.event.as_deref() == Some(name)).count()
    }

    /// Does something before the next request for a token gets through.
    pub(crate) fn at_token(&self, hook: impl FnOnce() -> Then + Send + 'static) {
        *self.gate.hook.lock().expect("a gate") = Some(Box::new(hook));
    }

    /// A person opens a URL, and approves, denies or leaves it; returns the last page.
    pub(crate) fn browser(&self, what: &str, url: &str) -> String {
        let mut command = Command::new(self.tools.join("node"));
        command.arg(format!("{FOLDER}/browser.mjs")).args([what, url]).env_clear();
        if let Some(file) = &self.authority {
            command.env("NODE_EXTRA_CA_CERTS", file);
        }
        let output = command.output().expect("node");
        let page = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{page}{}", String::from_utf8_lossy(&output.stderr));
        page
    }

    /// Writes a browser for `xdg-open` into a folder, for PATH.
    pub(crate) fn write_browser(&self, folder: &Path, what: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(folder).expect("a folder");
        let (node, file) = (self.tools.join("node"), folder.join("xdg-open"));
        let certificates = self.authority.as_ref().map_or_else(String::new, |file| {
            format!("export NODE_EXTRA_CA_CERTS='{}'\n", file.display())
        });
        let script = format!(
            "#!/bin/sh\n{certificates}exec '{}' {FOLDER}/browser.mjs {what} \"$1\" >'{}' 2>&1\n",
            node.display(),
            folder.join("page").display()
        );
        std::fs::write(&file, script).expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("0755");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gate {
    fn pass(&self, mut client: TcpStream) {
        let mut first = vec![0; 16 * 1024];
        let Ok(length) = client.read(&mut first) else { return };
        first.truncate(length);
        let mut loses = false;
        if first.starts_with(b"POST /token ") {
            let hook = self.hook.lock().expect("a gate").take();
            match hook.map(|hook| hook()) {
                Some(Then::Drop) => {
                    let _ = client.shutdown(Shutdown::Both);
                    return;
                }
                Some(Then::Lose) => loses = true,
                Some(Then::Forward) | None => {}
            }
        }
        let Some(port) = *self.target.lock().expect("a gate") else { return };
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        if server.write_all(&first).is_err() {
            return;
        }
        let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) else { return };
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        if loses {
            let _ = server.read(&mut first);
        } else {
            let _ = std::io::copy(&mut server, &mut client);
        }
        let _ = client.shutdown(Shutdown::Both);
    }
}
