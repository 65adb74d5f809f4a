//! Items of git-credential-libsecret and of secret-tool, read in place. Both programs are the real ones.

use std::path::{Path, PathBuf};

use crate::support::{
    git::{Desk, quiet},
    home::Home,
    program, skipped,
};

/// Builds git's helper from the source that git brings along. `None`: skipped.
fn libsecret() -> Option<PathBuf> {
    let source =
        Path::new("/usr/share/doc/git/contrib/credential/libsecret/git-credential-libsecret.c");
    let (cc, config) = (program("cc", "gcc")?, program("pkg-config", "pkg-config")?);
    let home = Home::new();
    let flags = home.run(config).args(["--cflags", "--libs", "libsecret-1", "glib-2.0"]).output();
    if !source.exists() || flags.code != Some(0) {
        skipped(
            "git-credential-libsecret cannot be built; run `apt-get install git libsecret-1-dev`",
        );
        return None;
    }
    // A name of its own for each test run: two tests build at once.
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "git-credential-libsecret-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let flags = flags.success();
    let build = home.run(cc).arg(source).arg("-o").arg(&binary).args(flags.split_whitespace());
    build.output().success();
    Some(binary)
}

/// A keyring, our helper with the fallback, and git's.
struct Both {
    desk: Desk,
    theirs: PathBuf,
}

impl Both {
    fn new() -> Option<Self> {
        let both = Self { desk: Desk::new()?, theirs: libsecret()? };
        both.desk.home.write(".config/gocred/config.toml", "[store]\nfallback = [\"libsecret\"]\n");
        Some(both)
    }

    fn theirs(&self, operation: &str, input: &str) -> String {
        self.desk.run(&self.theirs).arg(operation).input(input).output().success()
    }

    fn ours(&self, input: &str) -> String {
        let said = self.desk.get(input);
        said.lines().find_map(|line| line.strip_prefix("password=")).unwrap_or_default().to_owned()
    }

    fn secret_tool(&self, attributes: &[&str], secret: &str) {
        let run = self.desk.run("secret-tool").args(["store", "--label=x"]).args(attributes);
        run.input(secret).output().success();
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.theirs);
    }
}

fn asks(host: &str) -> String {
    format!("protocol=https\nhost={host}\n")
}

#[test]
fn what_gits_helper_stored_is_answered_for_its_own_port_and_path() {
    let Some(both) = Both::new() else { return };
    let store = |host: &str, more: &str, password: &str| {
        both.theirs("store", &format!("{}username=ana\n{more}password={password}\n", asks(host)));
    };
    store("git.test", "", "plain");
    store("git.test:8443", "", "with a port");
    store("only.test:8443", "", "with a port only");
    store("path.test", "path=team/lib.git\n", "with a path");
    assert_eq!(both.ours(&asks("git.test")), "plain");
    assert_eq!(both.ours(&asks("git.test:8443")), "with a port");
    // git's own helper answers this one with the secret of the other port.
    assert_eq!(both.ours(&asks("only.test")), "");
    assert_eq!(both.ours(&asks("elsewhere.test")), "");
    assert_eq!(both.ours(&format!("{}path=team/lib.git\n", asks("path.test"))), "with a path");
    assert_eq!(both.ours(&format!("{}path=team/other\n", asks("path.test"))), "");
    assert_eq!(both.ours(&format!("{}username=bob\n", asks("git.test"))), "");

    both.desk.home.write(".config/gocred/config.toml", "");
    assert_eq!(both.ours(&asks("git.test")), "", "only where the configuration says so");
}

#[test]
fn what_git_erases_is_hidden_here_and_stays_there() {
    let Some(both) = Both::new() else { return };
    both.theirs("store", &format!("{}username=ana\npassword=old\n", asks("git.test")));
    both.desk.erase(format!("{}username=ana\npassword=another\n", asks("git.test")));
    assert_eq!(both.ours(&asks("git.test")), "old", "another secret was rejected");
    both.desk.erase(format!("{}username=ana\npassword=old\n", asks("git.test")));
    assert_eq!(both.ours(&asks("git.test")), "");
    assert!(both.theirs("get", &asks("git.test")).contains("password=old"));
    assert_eq!(both.desk.held(), ["https://git.test ana:old hidden"]);
    quiet(both.desk.run(crate::support::home::GOCRED).args(["undo", "git.test"]).output());
    assert_eq!(both.ours(&asks("git.test")), "old");
}

#[test]
fn what_git_stores_goes_before_theirs_and_the_same_secret_is_not_copied() {
    let Some(both) = Both::new() else { return };
    both.theirs("store", &format!("{}username=ana\npassword=old\n", asks("git.test")));
    both.desk.store(format!("{}username=ana\npassword=old\n", asks("git.test")));
    assert_eq!(both.desk.held(), [""; 0]);
    both.desk.store(format!("{}username=ana\npassword=new\n", asks("git.test")));
    assert_eq!(both.ours(&asks("git.test")), "new");
    assert!(both.theirs("get", &asks("git.test")).contains("password=old"));
}

#[test]
fn of_two_items_of_secret_tool_the_newest_answers_every_time() {
    let Some(both) = Both::new() else { return };
    let base = ["protocol", "https", "server", "git.test", "user", "ana"];
    both.secret_tool(&[&base[..], &["note", "1"]].concat(), "older");
    std::thread::sleep(std::time::Duration::from_millis(1100)); // whole seconds
    both.secret_tool(&[&base[..], &["note", "2"]].concat(), "newer");
    for _ in 0..5 {
        assert_eq!(both.ours(&asks("git.test")), "newer");
    }
}

#[test]
fn their_item_is_not_removed_and_a_locked_keyring_is_said_to_be_locked() {
    let Some(both) = Both::new() else { return };
    both.theirs("store", &format!("{}username=ana\npassword=old\n", asks("git.test")));
    let gocred = || both.desk.run(crate::support::home::GOCRED);
    assert!(gocred().arg("list").output().success().contains("git.test"));
    let output = gocred().args(["logout", "git.test"]).output();
    assert_eq!(output.code, Some(5), "{output:?}");
    assert!(output.err().contains("error[K20]: another program wrote this secret"), "{output:?}");
    assert_eq!(both.ours(&asks("git.test")), "old");
    both.desk.keyring.lock();
    let output = both.desk.helper("get", asks("git.test")).output();
    assert!(output.err().starts_with("gocred[K05]: git.test: the keyring is locked"), "{output:?}");
}
