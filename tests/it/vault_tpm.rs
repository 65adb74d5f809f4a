//! The TPM opens the encrypted file: a software TPM 2.0 (swtpm), asked by the real tpm2-tools.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
};

use super::{
    support::{
        eventually,
        home::{GOCRED, HELPER, Home, Output, Run},
        program,
    },
    vault::Desk,
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=S3cret-of-ana\n";

/// A TPM of its own, ended with this value.
struct Tpm {
    child: Child,
    socket: PathBuf,
}

impl Tpm {
    fn start(home: &Home, name: &str) -> Option<Self> {
        let swtpm = program("swtpm", "swtpm")?;
        program("tpm2_unseal", "tpm2-tools")?;
        let state = home.path().join(name);
        fs::create_dir(&state).unwrap();
        let socket = state.join("socket");
        let server = format!("type=unixio,path={}", socket.display());
        let run = home.run(swtpm).args(["socket", "--tpm2", "--flags"]);
        let run = run.arg("not-need-init,startup-clear").arg("--tpmstate");
        let run = run.arg(format!("dir={}", state.display())).arg("--server").arg(&server);
        // tpm2-tools looks for the control socket beside the first.
        let run = run.arg("--ctrl").arg(format!("{server}.ctrl"));
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let tpm = Self { child: command.spawn().unwrap(), socket };
        let ask = || tpm.on(home.run("tpm2_getcap").arg("properties-fixed")).output().code;
        eventually("the TPM answers", || (ask() == Some(0)).then_some(()));
        Some(tpm)
    }

    fn on(&self, run: Run) -> Run {
        run.env("TPM2TOOLS_TCTI", format!("swtpm:path={}", self.socket.display()))
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plain(run: Run) -> Output {
    run.without("GOCRED_PASSPHRASE_FILE").output()
}

#[test]
fn the_tpm_of_the_machine_opens_the_file_and_no_other_one_does() {
    let desk = Desk::new();
    let Some(tpm) = Tpm::start(&desk.home, "tpm") else { return };
    let on = |arguments: &[&str]| plain(tpm.on(desk.run(GOCRED).args(arguments.iter().copied())));
    let made = on(&["store", "add-key", "tpm"]).success();
    assert!(made.contains("tpm opens it"), "{made}");
    let login = tpm.on(desk.run(GOCRED).args(["login", "git.corp.test", "--store", "file"]));
    let login = login.args(["--no-verify", "--with-token", "--username", "ana"]);
    plain(login.input("S3cret-of-ana")).success();
    // More often than a TPM has places: what was loaded is flushed.
    for _ in 0..5 {
        let get = plain(tpm.on(desk.run(HELPER).arg("get").input(ASK)));
        assert_eq!(get.err(), "");
        assert_eq!(get.success(), ANSWER);
    }
    assert!(on(&["status", "--store"]).out().contains("opened by: tpm"));
    let without = plain(desk.run(HELPER).arg("get").input(ASK));
    assert!(without.err().starts_with("gocred[K20]"), "{without:?}");
    assert!(without.err().contains("the TPM does not open the file: "), "{without:?}");
    let other = Tpm::start(&desk.home, "other").unwrap();
    let wrong = plain(other.on(desk.run(HELPER).arg("get").input(ASK)));
    assert!(wrong.err().contains("the TPM does not open the file: "), "{wrong:?}");
    // It is no damage, and nothing is left of what was tried.
    assert!(!wrong.err().contains("K08"), "{wrong:?}");
    let left = fs::read_dir(desk.home.state().join("gocred")).unwrap();
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("tpm")), "{left:?}");
    // A passphrase beside it opens the file on another machine.
    let passphrase = tpm.on(desk.run(GOCRED).args(["store", "add-key", "passphrase"])).output();
    passphrase.success();
    assert_eq!(desk.get(), ANSWER);
}

#[test]
fn where_there_is_no_tpm_it_is_said_and_nothing_is_made() {
    let desk = Desk::new();
    let nowhere = desk.home.path().join("nowhere");
    let run = desk.run(GOCRED).args(["store", "add-key", "tpm"]);
    let run = run.env("TPM2TOOLS_TCTI", format!("swtpm:path={}", nowhere.display()));
    let refused = plain(run);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.err().contains("the TPM cannot be used: "), "{refused:?}");
    assert!(!desk.file().exists());
}
