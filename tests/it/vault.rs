//! The encrypted file: a machine without desktop, session bus and keyring; wrong passphrases; foreign
//! owners, links, and a file system that is full or read-only.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::support::{
    developer::Developer,
    go::Release,
    home::{GOCRED, HELPER, Home, Output, Run},
    lab::Lab,
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=S3cret-of-ana\n";

/// A home whose secrets are in an encrypted file, and whose passphrase is in another.
pub(crate) struct Desk {
    pub(crate) home: Home,
    passphrase: PathBuf,
}

impl Desk {
    /// Starts without any file.
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let passphrase = home.write("passphrase", "correct horse battery\n");
        fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
        Self { home, passphrase }
    }

    /// Starts with one account.
    pub(crate) fn signed_in() -> Self {
        let desk = Self::new();
        desk.login(&["--store", "file", "git.corp.test"], "ana", "S3cret-of-ana").success();
        desk
    }

    /// Prepares a program that finds the passphrase, and no session bus.
    pub(crate) fn run(&self, program: &str) -> Run {
        self.home.run(program).env("GOCRED_PASSPHRASE_FILE", &self.passphrase)
    }

    pub(crate) fn gocred(&self, arguments: &[&str]) -> Output {
        self.run(GOCRED).args(arguments.iter().copied()).output()
    }

    pub(crate) fn helper(&self, operation: &str, request: &str) -> Output {
        self.run(HELPER).arg(operation).input(request).output()
    }

    pub(crate) fn login(&self, arguments: &[&str], user: &str, secret: &str) -> Output {
        let all = ["login", "--no-verify", "--with-token", "--username", user];
        self.run(GOCRED).args(all).args(arguments.iter().copied()).input(secret).output()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.home.path().join(".local/share/gocred/vault")
    }

    /// Returns what the helper answers; it must be silent about it.
    pub(crate) fn get(&self) -> String {
        let output = self.helper("get", ASK);
        assert_eq!(output.err(), "", "{output:?}");
        output.success()
    }
}

#[test]
fn without_desktop_bus_and_keyring_one_login_is_enough_for_go_and_git() {
    let Some(mut lab) = Lab::enter() else { return };
    for release in Release::ALL {
        let Some(mut developer) = Developer::headless(&lab, release) else { return };
        let passphrase = developer.home.write("passphrase", "correct horse battery\n");
        fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
        developer.export("GOCRED_PASSPHRASE_FILE", passphrase.display().to_string());
        let said = developer.login(&lab, "GIT", &["git.corp.test", "--store", "file"]);
        assert!(said.success().contains("accepted it"));
        let setup = ["setup", "--git", "--go", "--private", "git.corp.test", "--yes"];
        developer.gocred(&setup).success();
        developer.need("git.corp.test/team/dep");
        lab.forget();
        developer.go(&["mod", "download"]).success();
        developer.go(&["mod", "tidy"]).success();
        assert!(lab.requests().iter().any(|request| request.status == 200));
        let clone = ["clone", "--quiet", "https://git.corp.test/team/dep.git", "../clone"];
        developer.run("git", &clone, "").success();
        assert!(developer.home.path().join("clone/go.mod").exists());
        assert_eq!(developer.leaks(&lab), [""; 0], "{release:?}");
    }
}

#[test]
fn what_is_stored_is_answered_hidden_and_forgotten() {
    let desk = Desk::signed_in();
    assert_eq!(desk.get(), ANSWER);
    let list = desk.gocred(&["list", "--json"]).success();
    assert!(list.contains("\"account\":\"ana\"") && !list.contains("S3cret"), "{list}");
    desk.helper("erase", &format!("{ASK}{ANSWER}")).success();
    assert_eq!(desk.get(), "");
    desk.gocred(&["undo", "git.corp.test"]).success();
    assert_eq!(desk.get(), ANSWER);
    desk.helper("store", &format!("{ASK}username=ana\npassword=S3cret-2\n")).success();
    assert_eq!(desk.get(), "username=ana\npassword=S3cret-2\n");
    desk.gocred(&["logout", "git.corp.test"]).success();
    assert_eq!(desk.get(), "");
}

#[test]
fn an_unchanged_secret_is_not_written_again() {
    let desk = Desk::signed_in();
    let before = fs::read(desk.file()).unwrap();
    desk.helper("store", &format!("{ASK}{ANSWER}")).success();
    assert_eq!(fs::read(desk.file()).unwrap(), before);
}

#[test]
fn nothing_of_it_is_in_clear_text_and_nobody_else_may_read_it() {
    let desk = Desk::signed_in();
    desk.helper("store", &format!("{ASK}username=ana\npassword=S3cret-2\n")).success();
    let mut files = Vec::new();
    walk(desk.home.path(), &mut files);
    assert!(files.iter().any(|file| file.ends_with("vault.prev")), "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"S3cret"), "{}", file.display());
        let is_ours = file.to_string_lossy().contains("/share/gocred/");
        let mode = file.metadata().unwrap().permissions().mode();
        assert!(!is_ours || mode & 0o777 == 0o600, "{}: {mode:o}", file.display());
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

#[test]
fn the_choice_is_kept_and_told_and_the_variable_goes_before_it() {
    let desk = Desk::signed_in();
    let said = desk.gocred(&["status", "--store"]).success();
    let config = desk.home.config().join("gocred/config.toml");
    for line in [
        "store: file".to_owned(),
        format!("chosen by: {}:2", config.display()),
        format!("file: {}", desk.file().display()),
        "opened by: passphrase".to_owned(),
        "state: open".to_owned(),
    ] {
        assert!(said.lines().any(|said| said == line), "{line} is not in {said}");
    }
    let status = ["status", "--store", "--json"];
    let other = desk.run(GOCRED).args(status).env("GOCRED_STORE", "keyring").output();
    assert_eq!(other.code, Some(5), "{other:?}");
    assert!(other.out().contains("\"chosen_by\":\"GOCRED_STORE\""), "{other:?}");
    let login = desk.run(GOCRED).args(["login", "h.test", "--store", "file"]);
    let refused = login.env("GOCRED_STORE", "keyring").output();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let unknown = desk.gocred(&["login", "h.test", "--store", "vault"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
}

#[test]
fn the_variable_alone_chooses_it_and_writes_no_choice() {
    let desk = Desk::new();
    let login = ["login", "git.corp.test", "--no-verify", "--with-token", "--username", "ana"];
    let with = |run: Run| run.env("GOCRED_STORE", "file");
    with(desk.run(GOCRED).args(login).input("S3cret-of-ana")).output().success();
    assert!(!desk.home.config().join("gocred/config.toml").exists());
    let answer = with(desk.run(HELPER).arg("get").input(ASK)).output();
    assert_eq!(answer.success(), ANSWER);
}

#[test]
fn a_wrong_passphrase_is_no_damage_and_no_missing_secret() {
    let desk = Desk::signed_in();
    let before = fs::read(desk.file()).unwrap();
    fs::write(&desk.passphrase, "wrong").unwrap();
    let list = desk.gocred(&["list"]);
    assert_eq!(list.code, Some(5), "{list:?}");
    assert!(list.err().contains("does not open the encrypted file"), "{list:?}");
    let get = desk.helper("get", ASK);
    assert_eq!((get.code, get.out().as_str()), (Some(0), ""));
    assert!(get.err().contains("does not open"), "{get:?}");
    assert_eq!(desk.login(&["h.test"], "bob", "x").code, Some(5));
    assert_eq!(fs::read(desk.file()).unwrap(), before);
    let names: Vec<_> = fs::read_dir(desk.file().parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn without_a_key_it_is_closed_and_says_what_opens_it() {
    let desk = Desk::signed_in();
    let closed = |run: Run| run.without("GOCRED_PASSPHRASE_FILE").output();
    let get = closed(desk.run(HELPER).arg("get").input(ASK));
    assert_eq!((get.code, get.out().as_str()), (Some(0), ""));
    assert_eq!(get.err().lines().count(), 1, "{get:?}");
    assert!(get.err().contains("not unlocked") && get.err().contains("gocred unlock"), "{get:?}");
    let status = closed(desk.run(GOCRED).args(["status", "--store"]));
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.out().contains("not unlocked"), "{status:?}");
    let login = ["login", "h.test", "--no-verify", "--with-token", "--username", "bob"];
    let login = closed(desk.run(GOCRED).args(login).input("x"));
    assert_eq!(login.code, Some(5), "{login:?}");
    assert!(login.err().contains("GOCRED_PASSPHRASE_FILE"), "{login:?}");
}

#[test]
fn systemd_may_bring_the_passphrase() {
    let desk = Desk::signed_in();
    let folder = desk.home.path().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::copy(&desk.passphrase, folder.join("gocred.passphrase")).unwrap();
    let get = desk.run(HELPER).without("GOCRED_PASSPHRASE_FILE").arg("get").input(ASK);
    assert_eq!(get.env("CREDENTIALS_DIRECTORY", &folder).output().success(), ANSWER);
}

#[test]
fn a_passphrase_that_others_may_read_is_not_used() {
    let desk = Desk::signed_in();
    fs::set_permissions(&desk.passphrase, PermissionsExt::from_mode(0o644)).unwrap();
    let list = desk.gocred(&["list"]);
    assert_eq!(list.code, Some(3), "{list:?}");
    assert!(list.err().contains("mode 0644"), "{list:?}");
    fs::remove_file(&desk.passphrase).unwrap();
    let list = desk.gocred(&["list"]);
    assert!(list.err().contains("it is missing"), "{list:?}");
}

#[test]
fn a_link_a_mode_and_a_folder_of_others_are_refused() {
    let refused = |change: fn(&Path), word: &str| {
        let desk = Desk::signed_in();
        change(&desk.file());
        let list = desk.gocred(&["list"]);
        assert_eq!(list.code, Some(3), "{list:?}");
        assert!(list.err().contains(word), "{word}: {list:?}");
        assert_ne!(desk.login(&["h.test"], "bob", "x").code, Some(0));
    };
    refused(
        |file| {
            let other = file.with_file_name("other");
            fs::rename(file, &other).unwrap();
            symlink(&other, file).unwrap();
        },
        "symbolic link",
    );
    refused(
        |file| fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap(),
        "mode 0644",
    );
    refused(
        |file| {
            let folder = file.parent().unwrap();
            fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).unwrap();
        },
        "mode 0777",
    );
}
