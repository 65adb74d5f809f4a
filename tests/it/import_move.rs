//! `gocred import`: secrets move out of the files of other programs, and come back byte for byte.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use super::{
    support::{
        as_another_user,
        home::{GOCRED, HELPER, Output, Run},
        program, skipped,
        terminal::Terminal,
    },
    vault,
};

/// A machine without desktop: the store is the encrypted file.
pub(crate) struct Desk(pub(crate) vault::Desk);

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = vault::Desk::new();
        desk.home.write(".config/gocred/config.toml", "[store]\nname = \"file\"\n");
        Self(desk)
    }

    /// Writes a file of a program, 0600.
    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.home.write(file, text);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        file
    }

    /// Has git and go ask gocred.
    pub(crate) fn wired(self) -> Self {
        self.0.gocred(&["setup", "--git", "--go", "--yes"]).success();
        self
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.home.path().join(file)).unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.0.run(GOCRED).args(["import"]).args(arguments.iter().copied())
    }

    pub(crate) fn import(&self, arguments: &[&str]) -> Output {
        self.run(arguments).output()
    }

    /// Imports, and expects this exit code.
    pub(crate) fn ends_with(&self, code: i32, arguments: &[&str]) -> Output {
        let output = self.import(arguments);
        assert_eq!(output.code, Some(code), "{output:?}");
        output
    }

    /// Returns what git's helper answers for a host.
    pub(crate) fn get(&self, host: &str) -> String {
        let request = format!("protocol=https\nhost={host}\n");
        self.0.run(HELPER).arg("get").input(request).output().success()
    }
}

const CREDENTIALS: &str =
    "https://ana:hunter2%21@git.corp.test\n# mine\nhttps://ci:t0ken@h.test:8443\n";

#[test]
fn secrets_are_shown_masked_and_a_look_changes_nothing() {
    let desk = Desk::new();
    desk.write(".git-credentials", CREDENTIALS);
    let token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    let config =
        format!("[url \"https://{token}@github.com/\"]\n\tinsteadOf = https://github.com/\n");
    desk.write(".gitconfig", &config);
    desk.write(".npmrc", "//npm.corp.test/:_authToken=npm_abcdefghijkl\n//r/:_authToken=${T}\n");
    let output = desk.ends_with(0, &["--dry-run"]);
    assert_eq!(
        output.out(),
        "~/.git-credentials:1  credential  ****  can move to https://git.corp.test as ana\n\
         ~/.git-credentials:3  credential  ****  can move to https://h.test:8443 as ci\n\
         ~/.gitconfig:1  url.*.insteadOf  ghp_…(40)  can move to https://github.com as x-access-token\n\
         ~/.npmrc:1  //npm.corp.test/:_authToken  npm_…(16)  stays: npm reads its tokens here only, \
         it asks no credential helper\n"
    );
    assert!(output.err().contains("git does not ask gocred yet"), "{output:?}");
    assert_eq!(desk.read(".git-credentials"), CREDENTIALS);
    assert_eq!(desk.read(".gitconfig"), config);
    assert!(!desk.0.file().exists(), "no store is made for a look");

    let json = desk.ends_with(0, &["--dry-run", "--json"]).out();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 4);
    assert_eq!(json["items"][2]["masked"], "ghp_…(40)");
    assert_eq!(json["items"][2]["account"], "x-access-token");
    assert_eq!(json["items"][3]["state"], "stays");
    let only = desk.ends_with(0, &["git-credentials", "--dry-run"]).out();
    assert_eq!(only.lines().count(), 2, "{only}");
}

#[test]
fn what_moves_is_answered_and_undo_brings_every_byte_back() {
    for ends in ["\n", "\r\n"] {
        let desk = Desk::new();
        let credentials = CREDENTIALS.replace('\n', ends);
        let file = desk.write(".git-credentials", &credentials);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let output = desk.ends_with(0, &["--yes"]);
        assert!(output.err().contains("others may read ~/.git-credentials"), "{output:?}");
        assert!(output.out().contains("moved to https://git.corp.test as ana"), "{output:?}");
        assert_eq!(desk.read(".git-credentials"), format!("# mine{ends}"));
        assert_eq!(desk.get("git.corp.test"), "username=ana\npassword=hunter2!\n");
        assert_eq!(desk.get("h.test:8443"), "username=ci\npassword=t0ken\n");
        let helper = format!("helper = {HELPER}");
        assert!(desk.read(".gitconfig").contains(&helper), "git is wired first");

        let output = desk.ends_with(0, &["--undo"]);
        assert!(output.out().contains("~/.git-credentials is as it was before"), "{output:?}");
        assert_eq!(desk.read(".git-credentials"), credentials);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(desk.ends_with(1, &["--undo"]).out().contains("nothing was taken out"));
    }
}

#[test]
fn runs_are_undone_one_after_the_other() {
    let desk = Desk::new().wired();
    desk.write(".git-credentials", "https://a:secret-1@a.test\n");
    let _ = desk.ends_with(0, &["--yes"]);
    assert_eq!(desk.read(".git-credentials"), "");
    desk.write(".git-credentials", "https://b:secret-2@b.test\n");
    let _ = desk.ends_with(0, &["--yes"]);
    let _ = desk.ends_with(0, &["--undo"]);
    assert_eq!(desk.read(".git-credentials"), "https://b:secret-2@b.test\n");
    let output = desk.ends_with(3, &["--undo"]);
    assert!(output.err().contains("it was changed since"), "{output:?}");
    desk.write(".git-credentials", "");
    let _ = desk.ends_with(0, &["--undo"]);
    assert_eq!(desk.read(".git-credentials"), "https://a:secret-1@a.test\n");
}

#[test]
fn a_file_that_was_changed_since_is_refused_and_can_be_forced() {
    let desk = Desk::new().wired();
    let profile =
        "# one\nexport GOPROXY=https://ci:t0ken@goproxy.corp.test,direct # two\n# three\n";
    desk.write(".bashrc", profile);
    let _ = desk.ends_with(0, &["--yes"]);
    let left = profile.replace("ci:t0ken@", "");
    assert_eq!(desk.read(".bashrc"), left);
    let changed = format!("# new\n{left}alias ll='ls -l'\n");
    desk.write(".bashrc", &changed);
    let output = desk.ends_with(3, &["--undo"]);
    assert!(output.err().contains("--undo --force"), "{output:?}");
    assert_eq!(desk.read(".bashrc"), changed);
    let _ = desk.ends_with(0, &["--undo", "--force"]);
    assert_eq!(desk.read(".bashrc"), format!("# new\n{profile}alias ll='ls -l'\n"));

    let _ = desk.ends_with(0, &["--yes"]);
    desk.write(".bashrc", "all new\n");
    let output = desk.ends_with(0, &["--undo", "--force"]);
    assert!(output.out().contains("no place for its secrets"), "{output:?}");
    assert_eq!(desk.read(".bashrc"), "all new\n");
    let _ = desk.ends_with(1, &["--undo"]);
}

#[test]
fn what_setup_took_back_in_between_needs_force_and_loses_nothing() {
    let desk = Desk::new();
    let config =
        "[url \"https://ana:hunter2@h.test/\"]\n\tinsteadOf = https://h.test/\n[a]\n\tb = c\n";
    desk.write(".gitconfig", config);
    let _ = desk.ends_with(0, &["--yes"]);
    assert!(desk.read(".gitconfig").contains("[url \"https://ana@h.test/\"]"));
    desk.0.gocred(&["setup", "--undo"]).success();
    let _ = desk.ends_with(3, &["--undo"]);
    let _ = desk.ends_with(0, &["--undo", "--force"]);
    assert_eq!(desk.read(".gitconfig"), config);
}

#[test]
fn a_person_is_asked_for_each_and_nobody_is_no_yes() {
    let desk = Desk::new().wired();
    desk.write(".git-credentials", CREDENTIALS);
    let output = desk.ends_with(2, &[]);
    assert!(output.err().contains("gocred import --yes"), "{output:?}");
    assert_eq!(desk.read(".git-credentials"), CREDENTIALS);
    let Some(mut terminal) = Terminal::start(desk.run(&[])) else { return };
    terminal.awaits("~/.git-credentials:1  credential: move it to https://git.corp.test as ana?");
    terminal.types("n");
    terminal.awaits("~/.git-credentials:3  credential: move it to https://h.test:8443 as ci?");
    terminal.types("");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("t0ken"), "{shown}");
    assert_eq!(desk.read(".git-credentials"), "https://ana:hunter2%21@git.corp.test\n# mine\n");
    assert_eq!(desk.get("git.corp.test"), "");
}

#[test]
fn a_file_that_changes_while_a_person_is_asked_is_left_as_it_is_now() {
    let desk = Desk::new().wired();
    desk.write(".git-credentials", CREDENTIALS);
    let Some(mut terminal) = Terminal::start(desk.run(&[])) else { return };
    terminal.awaits("move it to https://git.corp.test as ana?");
    let changed = format!("{CREDENTIALS}https://eve:n3w@other.test\n");
    desk.write(".git-credentials", &changed);
    terminal.types("");
    terminal.awaits("move it to https://h.test:8443 as ci?");
    terminal.types("");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains("it was changed meanwhile"), "{shown}");
    assert!(shown.contains("run `gocred import` again"), "{shown}");
    assert_eq!(desk.read(".git-credentials"), changed);
    // Nothing is lost by running it again.
    let _ = desk.ends_with(0, &["--yes"]);
    assert_eq!(desk.read(".git-credentials"), "# mine\n");
    assert_eq!(desk.get("other.test"), "username=eve\npassword=n3w\n");
}

#[test]
fn who_does_not_want_git_wired_keeps_the_secrets_where_git_reads_them() {
    let desk = Desk::new();
    desk.write(".git-credentials", CREDENTIALS);
    let Some(mut terminal) = Terminal::start(desk.run(&[])) else { return };
    terminal.awaits("Wire git and go to gocred?");
    terminal.types("n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("run `gocred setup --git`"), "{shown}");
    assert_eq!(desk.read(".git-credentials"), CREDENTIALS);
    assert!(!desk.0.home.path().join(".gitconfig").exists());
}

#[test]
fn what_gits_files_include_is_looked_into() {
    let desk = Desk::new().wired();
    let before = desk.read(".gitconfig");
    desk.write(".gitconfig", format!("{before}[include]\n\tpath = git/work.inc\n"));
    let text = "[remote \"o\"]\n\turl = https://ana:hunter2@git.corp.test/x\n";
    desk.write("git/work.inc", text);
    let _ = desk.ends_with(0, &["--yes"]);
    assert_eq!(desk.read("git/work.inc"), text.replace(":hunter2", ""));
    assert_eq!(desk.get("git.corp.test"), "username=ana\npassword=hunter2\n");
}

#[test]
fn what_the_store_has_is_not_replaced_and_the_first_of_two_counts() {
    let desk = Desk::new().wired();
    let text = "https://ana:first@h.test\nhttps://ana:second@h.test\nhttps://ana:first@h.test\n";
    desk.write(".git-credentials", text);
    let output = desk.ends_with(1, &["--yes"]);
    assert!(output.out().contains("~/.git-credentials:1 has another secret"), "{output:?}");
    assert_eq!(desk.read(".git-credentials"), "https://ana:second@h.test\n");
    assert_eq!(desk.get("h.test"), "username=ana\npassword=first\n");
    let output = desk.ends_with(1, &["--yes"]);
    assert!(output.out().contains("the store has another secret"), "{output:?}");
    assert_eq!(desk.read(".git-credentials"), "https://ana:second@h.test\n");
    assert_eq!(desk.get("h.test"), "username=ana\npassword=first\n");
}

#[test]
fn clear_text_needs_permission_as_everywhere() {
    let desk = Desk::new().wired();
    let text = "http://ana:secret-1@old.test\n";
    desk.write(".git-credentials", text);
    let output = desk.ends_with(1, &["--yes"]);
    assert!(output.out().contains("--allow-http"), "{output:?}");
    assert_eq!(desk.read(".git-credentials"), text);
    let config = "[store]\nname = \"file\"\n[host.\"old.test\"]\nallow_http = true\n";
    desk.write(".config/gocred/config.toml", config);
    let _ = desk.ends_with(0, &["--yes"]);
    assert_eq!(desk.read(".git-credentials"), "");
}

#[test]
fn a_link_stays_a_link_and_what_cannot_be_edited_stays() {
    let desk = Desk::new().wired();
    let target = desk.write("dotfiles/credentials", "https://a:secret-1@a.test\n");
    symlink(&target, desk.0.home.path().join(".git-credentials")).unwrap();
    let output = desk.ends_with(0, &["--yes"]);
    assert!(output.err().contains("is a symbolic link to ~/dotfiles/credentials"), "{output:?}");
    let link = desk.0.home.path().join(".git-credentials");
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "");

    for (mode, links, why) in [(0o400, 1, "read-only"), (0o600, 2, "hard link")] {
        let desk = Desk::new().wired();
        let file = desk.write(".git-credentials", "https://a:secret-1@a.test\n");
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        if links > 1 {
            fs::hard_link(&file, desk.0.home.path().join("other")).unwrap();
        }
        let output = desk.ends_with(1, &["--yes"]);
        assert!(output.out().contains(why), "{output:?}");
        assert_eq!(desk.get("a.test"), "", "what stays is not stored");
    }
}

#[test]
fn hostile_files_are_told_and_stop_nothing() {
    let desk = Desk::new().wired();
    let home = desk.0.home.path();
    symlink(".npmrc", home.join(".npmrc")).unwrap();
    desk.write(".zshrc", vec![b'x'; 2 * 1024 * 1024]);
    fs::create_dir(home.join(".profile")).unwrap();
    let mut binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    binary.extend(b"\nexport GOPROXY=https://ci:t0ken@goproxy.corp.test\n");
    desk.write(".bashrc", &binary);
    desk.write(".pypirc", "\u{feff}\0\0[x\npassword");
    let fifo = home.join(".zprofile");
    desk.0.home.run("mkfifo").arg(&fifo).output().success();
    let output = desk.ends_with(0, &["--yes"]);
    for file in [".npmrc", ".zshrc", ".profile", ".zprofile"] {
        assert!(output.err().contains(&format!("~/{file} cannot be read")), "{file} {output:?}");
    }
    let text = fs::read(home.join(".bashrc")).unwrap();
    assert!(text.ends_with(b"\nexport GOPROXY=https://goproxy.corp.test\n"));
    let _ = desk.ends_with(0, &["--undo"]);
    assert_eq!(fs::read(home.join(".bashrc")).unwrap(), binary);
    // git refuses such a file, and then nothing of git's is wired or moved.
    desk.write(".gitconfig", "[remote \"o\"]\n\turl = https://a:b@h\n[\n");
    let output = desk.ends_with(1, &["gitconfig", "--dry-run"]);
    assert!(output.err().contains("~/.gitconfig:3 cannot be read"), "{output:?}");
}

#[test]
fn the_file_of_another_user_is_only_shown() {
    if as_another_user().is_none() {
        return;
    }
    let desk = Desk::new().wired();
    let text = "https://a:secret-1@a.test\n";
    let file = desk.write(".git-credentials", text);
    std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
    let output = desk.ends_with(1, &["--yes"]);
    assert!(output.out().contains("stays: the file belongs to another user"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn without_a_store_nothing_is_wired_and_nothing_moves() {
    let desk = Desk::new();
    desk.write(".git-credentials", CREDENTIALS);
    let output = desk.run(&["--yes"]).without("GOCRED_PASSPHRASE_FILE").output();
    assert_eq!(output.code, Some(5), "{output:?}");
    assert_eq!(desk.read(".git-credentials"), CREDENTIALS);
    assert!(!desk.0.home.path().join(".gitconfig").exists());
}

#[test]
fn what_only_the_environment_has_is_told() {
    let desk = Desk::new().wired();
    desk.write(".git-credentials", CREDENTIALS);
    let run = desk.run(&["--dry-run"]).env("https_proxy", "http://ana:s3cret@p.test:8080");
    let output = run.env("HTTP_PROXY", "http://127.0.0.1:7407").output();
    assert!(
        output.err().contains("note: https_proxy of this shell holds a password"),
        "{output:?}"
    );
    assert!(!output.err().contains("s3cret") && !output.err().contains("HTTP_PROXY"), "{output:?}");
}

#[test]
fn the_administrators_file_is_shown_and_stays() {
    let desk = Desk::new();
    let Some(unshare) = program("unshare", "util-linux") else { return };
    let works = desk.0.home.run(&unshare).args(["--mount", "true"]).output();
    if works.code != Some(0) {
        return skipped("this machine gives no mount namespace");
    }
    let script = format!(
        "mount -t tmpfs etc /etc && echo 'HTTPS_PROXY=\"http://ana:s3cret@p.test:8080\"' \
         >/etc/environment && exec '{GOCRED}' import --dry-run"
    );
    let run = desk.0.run(&unshare.display().to_string());
    let output = run.args(["--mount", "sh", "-c", &script]).output();
    assert_eq!(
        (output.code, output.out().as_str()),
        (
            Some(1),
            "/etc/environment:1  HTTPS_PROXY  ****  stays: the administrator's file is only read\n\
             there is nothing to move\n"
        ),
        "{output:?}"
    );
}

#[test]
fn a_person_opens_the_store_on_the_way() {
    let desk = Desk::new().wired();
    desk.write(".git-credentials", "https://ana:hunter2@h.test\n");
    let run = desk.run(&["--yes"]).without("GOCRED_PASSPHRASE_FILE");
    let Some(mut terminal) = Terminal::start(run) else { return };
    for question in ["New passphrase: ", "The same again: "] {
        terminal.awaits(question);
        terminal.types_secret("correct horse battery");
    }
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(desk.get("h.test"), "username=ana\npassword=hunter2\n");
}

#[test]
fn a_repository_is_never_read() {
    let desk = Desk::new().wired();
    let folder = desk.0.home.path().join("work");
    desk.0.home.run("git").args(["init", "--quiet"]).arg(&folder).output().success();
    let set = ["config", "remote.origin.url", "https://ana:hunter2@git.corp.test/x.git"];
    desk.0.home.run("git").args(set).folder(&folder).output().success();
    for file in [".npmrc", ".netrc", "pip.conf", ".env"] {
        desk.write(&format!("work/{file}"), "//x/:_authToken=npm_abcdefghijkl\n");
    }
    let output = desk.run(&["--dry-run"]).folder(&folder).output();
    assert_eq!((output.code, output.out().as_str()), (Some(1), "there is nothing to move\n"));
}

#[test]
fn no_secret_stands_in_our_own_files_nor_in_a_leftover() {
    let desk = Desk::new().wired();
    desk.write(".git-credentials", CREDENTIALS);
    // What a killed `gocred` left behind.
    desk.write(".git-credentials.0123456789abcdef.tmp", CREDENTIALS);
    let _ = desk.ends_with(0, &["--yes"]);
    let found = desk.0.home.run("grep").args(["-rlE", "hunter2|t0ken", "."]).output();
    assert_eq!((found.code, found.out().as_str()), (Some(1), ""), "{found:?}");
}

#[test]
fn a_note_names_the_helper_that_writes_in_clear_again() {
    let desk = Desk::new();
    desk.write(".gitconfig", "[credential]\n\thelper = store\n");
    desk.write(".git-credentials", CREDENTIALS);
    let output = desk.ends_with(0, &["--yes"]);
    assert!(output.err().contains("git's helper `store` writes"), "{output:?}");
    assert!(output.err().contains("git config --file"), "{output:?}");
}

#[test]
fn a_netrc_moves_with_the_others_and_back() {
    let desk = Desk::new().wired();
    let netrc = "# c\r\nmachine h.test login ana password \"a b\"\r\nmachine i.test login x\r\n";
    desk.write(".netrc", netrc);
    let output = desk.ends_with(0, &["netrc", "--yes"]);
    assert!(output.out().contains("machine h.test  ****  moved to https://h.test as ana"));
    assert!(output.err().contains("`curl --netrc`"), "{output:?}");
    assert_eq!(desk.read(".netrc"), "# c\r\nmachine i.test login x\r\n");
    assert_eq!(desk.get("h.test"), "username=ana\npassword=a b\n");
    let _ = desk.ends_with(0, &["--undo"]);
    assert_eq!(desk.read(".netrc"), netrc);
}

#[test]
fn usage_is_told() {
    let desk = Desk::new();
    for (arguments, said) in [
        (&["--file", "/x"][..], "the one KIND"),
        (&["--undo", "netrc", "--force"], "the whole last"),
        (&["gitconfig", "--remove"], "`netrc` alone"),
        (&["--undo", "--yes"], "cannot be used with"),
        (&["--force"], "--undo"),
        (&["passwords"], "invalid value"),
    ] {
        let output = desk.ends_with(2, arguments);
        assert!(output.err().contains(said), "{output:?}");
    }
    let file = desk.write("elsewhere", "https://a:secret-1@a.test\n");
    let file = file.display().to_string();
    let output = desk.ends_with(0, &["git-credentials", "--file", &file, "--dry-run"]);
    assert!(output.out().starts_with("~/elsewhere:1  "), "{output:?}");
}
