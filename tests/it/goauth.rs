//! `gocred goauth` against a real keyring, and read by the code of the Go versions that promise it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use gocred::{
    core::{
        credential::{Hidden, Key, Kind, Proof, Record, Secrets},
        origin::Origin,
    },
    store,
};

use crate::support::{
    home::{GOCRED, Home, Run},
    keyring::{self, Keyring},
    oracle::{Oracle, VERSIONS},
};

/// `ana:hunter2`
const ANA: &str = "Basic YW5hOmh1bnRlcjI=";
/// The longest that go may be kept waiting, with what it takes to start on a busy machine.
const LIMIT: Duration = Duration::from_millis(2_500);

/// A home whose keyring holds credentials.
struct Machine {
    home: Home,
    keyring: Keyring,
}

impl Machine {
    /// Stores the password of ana for some origins. `None`: skipped, and said so.
    fn new(origins: &[&str]) -> Option<Self> {
        let machine = Self { home: Home::new().without_telemetry(), keyring: Keyring::unlocked()? };
        for origin in origins {
            machine.store(origin, Proof::Password("hunter2".into()));
        }
        Some(machine)
    }

    fn store(&self, origin: &str, proof: Proof) -> Key {
        let origin = Origin::from_url(origin).expect("a URL").0;
        let key = Key { kind: Kind::Git, origin, path: None, user: "ana".to_owned() };
        let secrets = Secrets::of(proof);
        let record: Record = store::record(key.clone(), secrets, None, 1);
        self.keyring.open().save(&record).expect("stored");
        let state = self.home.state().join("gocred");
        store::index::learn(&state, &mut *self.keyring.open()).expect("indexed");
        key
    }

    fn on_bus(&self, run: Run) -> Run {
        run.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    fn goauth(&self) -> Run {
        self.on_bus(self.home.gocred()).arg("goauth")
    }
}

/// A head as go writes it, in HTTP/2's spelling.
fn head(status: &str) -> String {
    format!("HTTP/2.0 {status}\nDate: x\nWww-Authenticate: Basic realm=\"a, b\", Bearer\n\n")
}

#[test]
fn the_first_call_is_answered_for_every_host_that_go_will_ask() {
    let urls = ["https://git.corp.test", "https://proxy.corp.test:8443", "https://other.test"];
    let Some(machine) = Machine::new(&urls) else { return };
    machine
        .home
        .write(".config/go/env", "GOPRIVATE=*.corp.test/team\nGOPROXY=https://nowhere.test\n");
    let output = machine.goauth().env("GOPROXY", "https://proxy.corp.test:8443/go,direct").output();
    assert_eq!(output.err(), "");
    assert_eq!(
        output.success(),
        format!(
            "https://git.corp.test\n\nAuthorization: {ANA}\n\n\
             https://proxy.corp.test:8443\n\nAuthorization: {ANA}\n\n"
        )
    );
    let calls: Vec<_> = (0..16).map(|_| machine.goauth().env("GOPROXY", "direct")).collect();
    std::thread::scope(|scope| {
        for call in calls {
            scope.spawn(|| assert_eq!(call.output().success().matches(ANA).count(), 3));
        }
    });
}

#[test]
fn go_itself_understands_every_answer() {
    let Some(machine) = Machine::new(&["https://git.test", "https://p.test:8443"]) else { return };
    let bearer = Proof::Encoded { authtype: "Bearer".to_owned(), credential: "token".into() };
    machine.store("https://late.test", bearer);
    for (version, variable) in VERSIONS {
        let Some(go) = Oracle::with(variable, "auth") else { return };
        let ask = |url: &str, status: &str| {
            let run = machine.on_bus(machine.home.run(go.program()));
            let run = run.env("GOPRIVATE", "git.test").env("GOPROXY", "https://p.test:8443,direct");
            let output = run.args([&format!("\"{GOCRED}\" goauth"), status, url]).output();
            assert_eq!(output.err(), "", "go {version}: {url} {status}");
            output.success()
        };
        let twice = format!("{ANA}\n{ANA}\n");
        for (url, status, sent) in [
            ("https://p.test:8443/x/@v/list", "401", twice.as_str()),
            ("https://git.test/team/lib?go-get=1", "404", &twice),
            ("https://git.test/team/lib?go-get=1", "401", &twice),
            // GitLab answers the anonymous request with 200: only the first call counts.
            ("https://git.test/group/sub/lib?go-get=1", "200", &format!("{ANA}\n")),
            ("https://late.test/x?go-get=1", "401", "\nBearer token\n"),
            ("https://late.test/x?go-get=1", "404", "\nBearer token\n"),
            ("https://git.test:8443/x", "401", "\n\n"),
            ("https://p.test/x", "401", "\n\n"),
            ("https://foreign.test/x", "403", "\n\n"),
        ] {
            assert_eq!(ask(url, status), sent, "go {version}: {url} {status}");
        }
    }
}

#[test]
fn a_hidden_credential_is_not_answered() {
    let Some(machine) = Machine::new(&["https://git.test"]) else { return };
    let key = machine.store("https://git.test", Proof::Password("hunter2".into()));
    let hidden = Hidden { at: 1, by: "git erase".to_owned() };
    machine.keyring.open().mark(&key, Some(&hidden)).expect("hidden");
    let eager = machine.goauth().env("GOPROXY", "direct").output();
    assert_eq!((eager.err().as_str(), eager.success().as_str()), ("", ""));
    let refused = machine.goauth().arg("https://git.test/x").input(head("401 Unauthorized"));
    assert_eq!(refused.output().success(), "");
}

#[test]
fn a_locked_keyring_is_one_line_and_no_answer() {
    let Some(machine) = Machine::new(&["https://git.test"]) else { return };
    machine.keyring.lock();
    let output = machine.goauth().env("GOPROXY", "direct").output();
    assert_eq!(
        output.err(),
        "gocred[K05] goauth: go gets no credentials: the keyring is locked; run `gocred unlock`\n"
    );
    assert_eq!(output.success(), "");
}

#[test]
fn what_hangs_ends_in_two_seconds_without_an_answer() {
    let Some(machine) = Machine::new(&["https://git.test"]) else { return };
    machine.keyring.freeze();
    let frozen = machine.goauth().env("GOPROXY", "direct").output();
    machine.keyring.thaw();
    assert!(frozen.took < LIMIT, "{frozen:?}");
    assert_eq!(frozen.err().lines().count(), 1);
    assert_eq!(frozen.success(), "");
    // Standard input that nobody closes.
    let mut command = machine.goauth().arg("https://git.test/x").command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().expect("gocred starts");
    let stdin = child.stdin.take();
    let output = child.wait_with_output().expect("its end");
    assert!(start.elapsed() < LIMIT);
    drop(stdin);
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(output.stderr, b"gocred goauth: no answer within 2 s\n");
}

#[test]
fn what_needs_no_secret_does_not_touch_the_keyring() {
    let Some(machine) = Machine::new(&["https://git.test"]) else { return };
    // Nobody answers there: whoever asks the keyring says so on standard error.
    let elsewhere = "unix:path=/nonexistent/bus";
    let ask = |url: &str, status: &str| {
        let run = machine.goauth().env("DBUS_SESSION_BUS_ADDRESS", elsewhere);
        run.env("GOPRIVATE", "git.test").arg(url).input(head(status)).output()
    };
    for (url, status) in [
        ("https://git.test/x?go-get=1", "404 Not Found"),
        ("https://git.test/x?go-get=1", "410 Gone"),
        ("https://foreign.test/x", "401 Unauthorized"),
        ("http://git.test/x", "401 Unauthorized"),
        ("not a url", "401 Unauthorized"),
    ] {
        let output = ask(url, status);
        assert_eq!((output.err().as_str(), output.success().as_str()), ("", ""), "{url}");
    }
    let asked = ask("https://git.test/x?go-get=1", "401 Unauthorized");
    assert_eq!(asked.err().lines().count(), 1, "{asked:?}");
    assert_eq!(asked.success(), "");
}

#[test]
fn a_bus_that_never_answers_is_no_answer_in_two_seconds() {
    let Some(machine) = Machine::new(&["https://git.test"]) else { return };
    let silent = keyring::silent_bus();
    let run = machine.goauth().env("DBUS_SESSION_BUS_ADDRESS", silent.address());
    let output = run.env("GOPROXY", "direct").output();
    assert!(output.took < LIMIT, "{output:?}");
    assert_eq!(output.err().lines().count(), 1);
    assert_eq!(output.success(), "");
}

#[test]
fn an_untrusted_project_decides_nothing() {
    let Some(machine) = Machine::new(&["https://git.test"]) else { return };
    let trap = "#!/bin/sh\ntouch \"$HOME/ran\"\n";
    for program in ["go", "git"] {
        let program = machine.home.write(&format!("project/{program}"), trap);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(program, mode).expect("executable");
    }
    let env = "GOPRIVATE=git.test\nGOPROXY=direct\n";
    for file in ["env", "go.env", ".config/go/env"] {
        machine.home.write(&format!("project/{file}"), env);
    }
    let project = machine.home.path().join("project");
    for (name, value) in [("GOENV", "env"), ("GOENV", "./env"), ("XDG_CONFIG_HOME", ".config")] {
        let run = machine.goauth().folder(&project).env(name, value).env("PATH", &project);
        let output = run.output();
        assert_eq!((output.err().as_str(), output.success().as_str()), ("", ""), "{name}={value}");
    }
    assert!(!machine.home.path().join("ran").exists());
}

#[test]
fn a_broken_configuration_is_one_line_with_its_place_and_no_failure() {
    let home = Home::new().without_telemetry();
    home.write(".config/gocred/config.toml", "[git]\n\nstore = \"hunter2\"\n");
    for arguments in [&["goauth"][..], &["goauth", "https://git.test/x"]] {
        let output = home.gocred().args(arguments.iter().copied()).output();
        let said = output.err();
        assert_eq!(said.lines().count(), 1, "{output:?}");
        assert!(said.contains("config.toml:3") && said.contains("`git.store`"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(output.success(), "");
    }
}
