//! `gocred import netrc`: entries move into a real keyring and back, byte for byte.

#![expect(clippy::disallowed_methods, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use crate::support::{
    home::{Home, Output},
    keyring::Keyring,
};

const SECRETS: [&str; 3] = ["s3cret-one", "s3cret two", "anon@corp"];
const NETRC: &str = "\
# hosts of the team
machine git.corp.test
\tlogin ana
\t# the token of May
\tpassword s3cret-one

machine Other.test login bob password \"s3cret two\" # shared
macdef init
cd /pub

";

/// A home with a netrc, and a keyring.
struct Desk {
    home: Home,
    keyring: Keyring,
    file: PathBuf,
}

impl Desk {
    fn with(netrc: &str) -> Option<Self> {
        let keyring = Keyring::unlocked()?;
        let home = Home::new();
        let file = home.write(".netrc", netrc);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("0600");
        Some(Self { home, keyring, file })
    }

    fn import(&self, arguments: &[&str]) -> Output {
        let output = self
            .home
            .gocred()
            .args(["import", "netrc"])
            .args(arguments)
            .env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
            .output();
        for secret in SECRETS {
            assert!(!output.out().contains(secret) && !output.err().contains(secret), "{output:?}");
        }
        output
    }

    /// Imports, and expects this exit code.
    fn ends_with(&self, code: i32, arguments: &[&str]) -> Output {
        let output = self.import(arguments);
        assert_eq!(output.code, Some(code), "{output:?}");
        output
    }

    fn netrc(&self) -> String {
        fs::read_to_string(&self.file).expect("the netrc")
    }

    /// Fails if a secret stands in any file of ours.
    fn assert_state_is_clean(&self) {
        let folder = self.home.state().join("gocred");
        for file in fs::read_dir(folder).expect("the state folder") {
            let file = file.expect("a file").path();
            let text = fs::read_to_string(&file).expect("text");
            assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{}", file.display());
            let mode = file.metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", file.display());
        }
    }
}

#[test]
fn entries_are_stored_and_the_file_stays_without_remove() {
    let Some(desk) = Desk::with(NETRC) else { return };
    let output = desk.ends_with(0, &[]);
    let file = desk.file.display();
    assert_eq!(
        output.out(),
        format!(
            "{file}:2  https://git.corp.test  ana  ****  stored\n\
             {file}:7  https://other.test  bob  ****  stored\n\
             2 of 2 entries are in the keyring\n"
        )
    );
    assert!(output.err().contains("go read another login or password"), "{output:?}");
    assert_eq!(desk.netrc(), NETRC);
    desk.assert_state_is_clean();
}

#[test]
fn remove_takes_out_just_the_entries_and_undo_puts_every_byte_back() {
    for netrc in [NETRC.to_owned(), NETRC.replace('\n', "\r\n").replace("macdef", "#")] {
        let Some(desk) = Desk::with(&netrc) else { return };
        let _ = desk.ends_with(0, &["--remove"]);
        let left = desk.netrc();
        let expected = ["# hosts of the team", "\t# the token of May", "", "# shared"];
        assert_eq!(left.lines().take(4).collect::<Vec<_>>(), expected);
        assert!(left.ends_with(netrc.get(netrc.len() - 20..).expect("its end")), "{left}");
        desk.assert_state_is_clean();
        let _ = desk.ends_with(0, &["--undo"]);
        assert_eq!(desk.netrc(), netrc);
        let mode = desk.file.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(desk.ends_with(1, &["--undo"]).out().contains("nothing was taken out"));
    }
}

#[test]
fn two_removals_are_undone_one_after_the_other() {
    let Some(desk) = Desk::with("machine a.test login x password s3cret-one\n") else { return };
    let _ = desk.ends_with(0, &["--remove"]);
    assert_eq!(desk.netrc(), "");
    fs::write(&desk.file, "machine b.test login y password s3cret-one\n").expect("written");
    let _ = desk.ends_with(0, &["--remove"]);
    let _ = desk.ends_with(0, &["--undo"]);
    assert_eq!(desk.netrc(), "machine b.test login y password s3cret-one\n");
}

#[test]
fn a_file_that_was_changed_since_gets_its_entries_at_the_end() {
    let Some(desk) = Desk::with(NETRC) else { return };
    let _ = desk.ends_with(0, &["--remove"]);
    fs::write(&desk.file, "machine new.test login x password y").expect("written");
    let output = desk.ends_with(0, &["--undo"]);
    assert!(output.err().contains("changed since"), "{output:?}");
    assert_eq!(
        desk.netrc(),
        "machine new.test login x password y\n\
         machine git.corp.test\n\tlogin ana\n\tpassword s3cret-one\n\
         machine Other.test login bob password \"s3cret two\" "
    );
}

#[test]
fn what_cannot_move_stays_and_is_told() {
    let netrc = "machine a.test login x\nmachine b.test password s3cret-one\n\
                 default login anonymous password anon@corp\n";
    let Some(desk) = Desk::with(netrc) else { return };
    let output = desk.ends_with(1, &["--remove"]);
    for (line, why) in [(1, "no password"), (2, "no login"), (3, "every host")] {
        let start = format!("{}:{line}  ", desk.file.display());
        let out = output.out();
        let told = out.lines().find(|told| told.starts_with(&start)).expect("the line is told");
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(desk.netrc(), netrc);
}

#[test]
fn a_default_entry_keeps_the_others_in_the_file() {
    let netrc = "machine a.test login x password s3cret-one\n\
                 default login anonymous password anon@corp\n";
    let Some(desk) = Desk::with(netrc) else { return };
    let output = desk.ends_with(1, &["--remove"]);
    assert!(output.out().contains("the `default` entry would answer"), "{output:?}");
    assert_eq!(desk.netrc(), netrc);
}

#[test]
fn another_password_in_the_keyring_is_not_replaced() {
    let Some(desk) = Desk::with("machine a.test login x password s3cret-one\n") else { return };
    let _ = desk.ends_with(0, &[]);
    let netrc = "machine a.test login x password older\n";
    fs::write(&desk.file, netrc).expect("written");
    let output = desk.ends_with(1, &["--remove"]);
    assert!(output.out().contains("the keyring has another password"), "{output:?}");
    assert_eq!(desk.netrc(), netrc);
}

#[test]
fn what_cannot_be_read_is_told_with_its_line_and_nothing_changes() {
    for (netrc, code, told) in [
        ("machine a.test login x password p\nmachine b \"s3cret-one\n", 3, ".netrc:2"),
        ("", 1, "0 of 0"),
    ] {
        let Some(desk) = Desk::with(netrc) else { return };
        let output = desk.ends_with(code, &["--remove"]);
        assert!(format!("{output:?}").contains(told), "{output:?}");
        assert_eq!(desk.netrc(), netrc);
    }
    let Some(desk) = Desk::with("") else { return };
    assert!(desk.ends_with(1, &["--file", "/nonexistent"]).err().contains("there is no netrc"));
    assert!(desk.ends_with(3, &["--file", "/"]).err().contains("not a regular file"));
}

#[test]
fn a_link_stays_a_link_and_a_shared_file_is_told() {
    let Some(desk) = Desk::with("machine a.test login x password s3cret-one\n") else { return };
    let target = desk.home.path().join("dotfiles-netrc");
    fs::rename(&desk.file, &target).expect("moved");
    symlink(&target, &desk.file).expect("linked");
    fs::set_permissions(&target, PermissionsExt::from_mode(0o640)).expect("0640");
    let output = desk.ends_with(0, &["--remove"]);
    assert!(output.err().contains("is a symbolic link to"), "{output:?}");
    assert!(output.err().contains("others may read"), "{output:?}");
    assert!(desk.file.symlink_metadata().expect("there").is_symlink());
    assert_eq!(fs::read_to_string(&target).expect("there"), "");
}

#[test]
fn without_a_keyring_nothing_is_removed() {
    let Some(keyring) = Keyring::absent() else { return };
    let home = Home::new();
    let file = home.write(".netrc", NETRC);
    let output = home
        .gocred()
        .args(["import", "netrc", "--remove"])
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
        .output();
    assert_eq!(output.code, Some(5), "{output:?}");
    assert_eq!(fs::read_to_string(file).expect("there"), NETRC);
}
