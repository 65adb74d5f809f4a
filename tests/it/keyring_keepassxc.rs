//! `KeePassXC` as the Secret Service, without a display: with and without its question for each program.

use std::{
    io::Write as _,
    process::{Child, Stdio},
    time::Duration,
};

use crate::support::{
    eventually,
    git::quiet,
    home::{GOCRED, HELPER, Home, Output, Run},
    keyring::{Keyring, ours},
    program,
};

/// A database whose root group is exposed (its UUID, in base64 and as text).
const DATABASE: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<KeePassFile><Meta><Generator>test</Generator><DatabaseName>gocred</DatabaseName>
<RecycleBinEnabled>False</RecycleBinEnabled><CustomData><Item><Key>FDO_SECRETS_EXPOSED_GROUP</Key>
<Value>{11111111-2222-4333-8444-555555555555}</Value></Item></CustomData></Meta>
<Root><Group><UUID>ERERESIiQzOERFVVVVVVVQ==</UUID><Name>Root</Name><Entry>
<UUID>ERERESIiQzOERFVVVVVVVg==</UUID>STRINGS</Entry></Group></Root></KeePassFile>"#;

/// An item of ours, as `KeePassXC` keeps it: beside these, the attributes are those of the entry.
const ITEM: [(&str, &str); 2] = [("Title", "x"), ("Password", "password=one\n")];

/// Whether it asks a person before it gives a program a secret.
#[derive(Clone, Copy)]
enum Asks {
    /// The same before it deletes, which is another of its settings.
    Deletion,
    EachProgram,
    Nobody,
}

/// `KeePassXC` on a private bus.
struct KeePassXc {
    bus: Keyring,
    home: Home,
    child: Child,
}

impl KeePassXc {
    fn start(asks: Asks) -> Option<Self> {
        let keepassxc = program("keepassxc", "keepassxc")?;
        let cli = program("keepassxc-cli", "keepassxc")?;
        let (bus, home) = (Keyring::absent()?, Home::new());
        let (access, deletion) =
            (matches!(asks, Asks::EachProgram), matches!(asks, Asks::Deletion));
        home.write(
            ".config/keepassxc/keepassxc.ini",
            format!(
                "[General]\nConfigVersion=2\nUpdateCheckMessageShown=true\n[FdoSecrets]\nEnabled=true\n\
                 ShowNotification=false\nConfirmDeleteItem={deletion}\nConfirmAccessItem={access}\n\
                 UnlockBeforeSearch=false\n[GUI]\nCheckForUpdates=false\n"
            ),
        );
        home.write(".config/gocred/config.toml", "[host.\"git.test\"]\nusername = \"ana\"\n");
        let strings = ITEM.into_iter().chain(ours("git.test", "git https://git.test", "ana"));
        let strings = strings
            .map(|(key, value)| format!("<String><Key>{key}</Key><Value>{value}</Value></String>"));
        let database = DATABASE.replace("STRINGS", &strings.collect::<String>());
        let (xml, kdbx) = (home.write("in.xml", database), home.path().join("t.kdbx"));
        let import = home.run(cli).args(["import", "-p"]).arg(xml).arg(&kdbx).input("pw\npw\n");
        import.env("QT_QPA_PLATFORM", "offscreen").output().success();
        let run = home.run(keepassxc).arg("--pw-stdin").arg(kdbx);
        // Its lock against a second instance is in the temporary folder.
        let run = run.env("QT_QPA_PLATFORM", "offscreen").env("TMPDIR", home.path());
        let mut command = run.env("DBUS_SESSION_BUS_ADDRESS", bus.address()).command();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("keepassxc");
        child.stdin.take().expect("stdin").write_all(b"pw\n").expect("the password");
        let started = Self { bus, home, child };
        eventually("KeePassXC has opened its database", || started.bus.open_collection());
        Some(started)
    }

    fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        self.home.run(program).env("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
    }

    fn gocred(&self, arguments: &[&str]) -> Output {
        self.run(GOCRED).args(arguments.iter().copied()).output()
    }

    fn login(&self, host: &str) -> Output {
        let login = ["login", host, "--no-verify", "--with-token", "--username", "ana"];
        self.run(GOCRED).args(login).input("t0ken").output()
    }

    fn helper(&self, operation: &str, more: &str) -> Output {
        let question = format!("protocol=https\nhost=git.test\n{more}");
        self.run(HELPER).arg(operation).input(question).output()
    }
}

impl Drop for KeePassXc {
    fn drop(&mut self) {
        // With an open question it does not end by SIGTERM.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn assert_k18(output: &Output) {
    assert!(output.err().starts_with("gocred[K18]: git.test: "), "{output:?}");
    assert!(output.took < Duration::from_secs(2), "{output:?}");
    assert_eq!(output.out(), "", "{output:?}");
}

#[test]
fn keepassxc_gives_keeps_hides_and_removes_secrets_and_nobody_is_asked() {
    let Some(keepassxc) = KeePassXc::start(Asks::Nobody) else { return };
    let answer = |secret| format!("username=ana\npassword={secret}\n");
    assert_eq!(quiet(keepassxc.helper("get", "")), answer("one"));
    // It answers every CreateItem with a prompt, which asks nobody and ends by itself.
    let store = keepassxc.helper("store", &answer("two"));
    assert!(store.took < Duration::from_secs(2), "{store:?}");
    assert_eq!(quiet(store), "");
    assert_eq!(quiet(keepassxc.helper("get", "")), answer("two"));
    quiet(keepassxc.helper("store", &answer("two")));
    quiet(keepassxc.helper("erase", &answer("two")));
    assert_eq!(quiet(keepassxc.helper("get", "")), "");
    keepassxc.gocred(&["undo", "git.test"]).success();
    assert_eq!(quiet(keepassxc.helper("get", "")), answer("two"));
    quiet(keepassxc.helper("erase", &answer("two")));
    quiet(keepassxc.helper("store", &answer("three")));
    assert_eq!(quiet(keepassxc.helper("get", "")), answer("three"), "a new one is not hidden");
    assert!(keepassxc.login("other.test").success().contains("stored in Secret Service"));
    let list = keepassxc.gocred(&["list"]).success();
    assert!(list.contains("git.test") && list.contains("other.test"), "{list}");
    assert!(!list.contains("probe"), "{list}");
    keepassxc.gocred(&["logout", "git.test"]).success();
    assert_eq!(quiet(keepassxc.helper("get", "")), "");
}

#[test]
fn a_question_for_each_program_is_said_at_once_and_not_waited_for() {
    let Some(keepassxc) = KeePassXc::start(Asks::EachProgram) else { return };
    assert_k18(&keepassxc.helper("get", ""));
    assert_k18(&keepassxc.helper("store", "username=ana\npassword=two\n"));
    assert_k18(&keepassxc.helper("erase", "username=ana\npassword=one\n"));
    // What another program made before is closed to this one; what is new is not.
    let login = keepassxc.login("other.test");
    assert!(login.took < Duration::from_secs(4), "{login:?}");
    assert!(login.success().contains("stored in Secret Service"));
}

#[test]
fn a_question_before_each_deletion_is_dismissed_and_told() {
    let Some(keepassxc) = KeePassXc::start(Asks::Deletion) else { return };
    let login = keepassxc.login("other.test");
    assert!(login.err().contains("note: the keyring asks before it deletes"), "{login:?}");
    login.success();
    let logout = keepassxc.gocred(&["logout", "git.test"]);
    assert_eq!(logout.code, Some(5), "{logout:?}");
    assert!(logout.err().starts_with("error[K18]: "), "{logout:?}");
    assert!(logout.took < Duration::from_secs(2), "{logout:?}");
    assert!(quiet(keepassxc.helper("get", "")).contains("password=one\n"), "it is still there");
}
