//! Which store a login takes: by name, by itself the first time, with a person at the terminal and
//! without; that the choice is written down, shown, and never changed by a store that fails.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{
    support::{
        home::{GOCRED, HELPER, Home, Output, Run},
        keyring::{self, Keyring},
        program,
        terminal::Terminal,
    },
    vault_keys::Agent as SshAgent,
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=S3cret-of-ana\n";
const LOGIN: [&str; 5] = ["login", "git.corp.test", "--no-verify", "--username", "ana"];

/// A machine without session bus, keyring, desktop and runtime folder.
struct Bare {
    home: Home,
}

impl Bare {
    fn new() -> Self {
        Self { home: Home::new() }
    }

    /// Prepares a program. The socket of an agent is in the home: `/run/user` may have another one.
    fn run(&self, program: &str) -> Run {
        let socket = self.socket();
        self.home.run(program).without("XDG_RUNTIME_DIR").env("GOCRED_AGENT", socket)
    }

    fn socket(&self) -> PathBuf {
        self.home.runtime().join("agent.sock")
    }

    fn gocred(&self, arguments: &[&str]) -> Output {
        self.run(GOCRED).args(arguments.iter().copied()).output()
    }

    fn login(&self, more: &[&str]) -> Output {
        let run = self.run(GOCRED).args(LOGIN).arg("--with-token").args(more.iter().copied());
        run.input("S3cret-of-ana").output()
    }

    fn helper(&self, operation: &str, request: &str) -> Output {
        self.run(HELPER).arg(operation).input(request).output()
    }

    fn config(&self) -> String {
        fs::read_to_string(self.home.config().join("gocred/config.toml")).unwrap_or_default()
    }

    fn data(&self, name: &str) -> PathBuf {
        self.home.path().join(".local/share/gocred").join(name)
    }

    fn passphrase(&self) -> PathBuf {
        let file = self.home.write("passphrase", "correct horse battery\n");
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        file
    }

    /// What every store does, whatever it is.
    fn works(&self) {
        assert_eq!(self.helper("get", ASK).out(), ANSWER);
        let list = self.gocred(&["list", "--json"]).success();
        assert!(list.contains("\"account\":\"ana\"") && !list.contains("S3cret"), "{list}");
        self.helper("erase", &format!("{ASK}{ANSWER}")).success();
        assert_eq!(self.helper("get", ASK).out(), "");
        self.gocred(&["undo", "git.corp.test"]).success();
        assert_eq!(self.helper("get", ASK).out(), ANSWER);
        self.helper("store", &format!("{ASK}username=ana\npassword=S3cret-2\n")).success();
        assert_eq!(self.helper("get", ASK).out(), "username=ana\npassword=S3cret-2\n");
        self.gocred(&["logout", "git.corp.test"]).success();
        assert_eq!(self.helper("get", ASK).out(), "");
        self.login(&[]).success();
        assert_eq!(self.helper("get", ASK).out(), ANSWER);
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // A login may have started one.
        if self.socket().exists() {
            let _ = self.gocred(&["agent", "stop"]);
        }
    }
}

/// Answers what a login asks after the secret.
fn finish(mut terminal: Terminal) -> String {
    terminal.awaits("Token or password of ana");
    terminal.types_secret("S3cret-of-ana");
    terminal.awaits("Do import paths");
    terminal.types("n");
    terminal.awaits("Wire git and go");
    terminal.types("n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("S3cret") && !shown.contains("correct horse"), "{shown}");
    shown
}

#[test]
fn on_a_bare_machine_a_first_login_asks_for_a_passphrase_and_for_nothing_else() {
    let bare = Bare::new();
    let Some(mut terminal) = Terminal::start(bare.run(GOCRED).args(LOGIN)) else { return };
    for question in ["New passphrase: ", "The same again: "] {
        terminal.awaits(question);
        terminal.types_secret("correct horse");
    }
    let shown = finish(terminal);
    assert!(!shown.contains("Number") && !shown.to_lowercase().contains("plaintext"), "{shown}");
    assert!(shown.contains("secrets are kept in the store `file` from now on"), "{shown}");
    assert!(bare.config().contains("name = \"file\""), "{}", bare.config());
    // The agent holds the key: nobody is asked again, until it is locked.
    assert_eq!(bare.helper("get", ASK).out(), ANSWER);
    bare.gocred(&["agent", "stop"]).success();
    forget_kernel_key(&bare);
    let closed = bare.helper("get", ASK);
    assert!(closed.err().contains("gocred unlock"), "{closed:?}");
}

/// Where no agent took the key, the kernel did.
fn forget_kernel_key(bare: &Bare) {
    let Some(keyctl) = program("keyctl", "keyutils") else { return };
    let vault = fs::read(bare.data("vault")).unwrap();
    let id: [u8; 16] = vault.get(16..32).unwrap().try_into().unwrap();
    let name = format!("gocred:vault:{:032x}", u128::from_be_bytes(id));
    bare.home.run(keyctl).args(["purge", "-p", "user", &name]).output().success();
}

#[test]
fn where_nobody_is_a_login_without_a_store_fails_with_what_there_is_and_makes_nothing() {
    let bare = Bare::new();
    let failed = bare.login(&[]);
    assert_eq!(failed.code, Some(5), "{failed:?}");
    let said = failed.err();
    assert!(said.starts_with("error[K06]: "), "{said}");
    for hint in ["--store file", "GOCRED_PASSPHRASE_FILE", "gocred status --store"] {
        assert!(said.contains(hint), "{hint}: {said}");
    }
    assert!(!said.contains("plaintext"), "{said}");
    assert!(!bare.data("").exists() && bare.config().is_empty());
}

#[test]
fn where_nobody_is_a_passphrase_that_is_at_hand_is_enough() {
    let bare = Bare::new();
    let file = bare.passphrase();
    let run = bare.run(GOCRED).args(LOGIN).arg("--with-token").input("S3cret-of-ana");
    let said = run.env("GOCRED_PASSPHRASE_FILE", &file).output();
    assert!(said.err().contains("the store `file` from now on"), "{said:?}");
    said.success();
    assert!(bare.config().contains("name = \"file\""));
    let get = bare.run(HELPER).arg("get").input(ASK).env("GOCRED_PASSPHRASE_FILE", &file);
    assert_eq!(get.output().success(), ANSWER);
}

#[test]
fn a_keyring_that_works_is_taken_written_down_and_never_replaced() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let bare = Bare::new();
    let with = |run: Run| run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output();
    let login = bare.run(GOCRED).args(LOGIN).arg("--with-token").input("S3cret-of-ana");
    with(login.clone()).success();
    assert!(bare.config().contains("name = \"keyring\""), "{}", bare.config());
    assert_eq!(with(bare.run(HELPER).arg("get").input(ASK)).success(), ANSWER);
    let before = bare.config();
    // It is gone, and a passphrase is at hand: the choice stays, and nothing is made.
    let gone = login.env("GOCRED_PASSPHRASE_FILE", bare.passphrase()).output();
    assert_eq!(gone.code, Some(5), "{gone:?}");
    assert!(gone.err().starts_with("error[K06]"), "{gone:?}");
    assert!(bare.helper("get", ASK).err().starts_with("gocred[K06]"));
    assert_eq!(bare.config(), before);
    assert!(!bare.data("vault").exists());
}

#[test]
fn a_person_chooses_where_the_keyring_is_locked() {
    let Some(keyring) = Keyring::locked() else { return };
    let bare = Bare::new();
    let run = bare.run(GOCRED).args(LOGIN).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("1  the keyring, which is locked");
    terminal.awaits("2  an encrypted file, opened by a passphrase");
    terminal.awaits("Number [1]: ");
    terminal.types("7");
    terminal.awaits("no number from 1 to 2");
    terminal.awaits("Number [1]: ");
    terminal.types("2");
    for question in ["New passphrase: ", "The same again: "] {
        terminal.awaits(question);
        terminal.types_secret("correct horse");
    }
    finish(terminal);
    assert!(bare.config().contains("name = \"file\""));
    forget_kernel_key(&bare);
    // Another account chooses the first.
    let other = Bare::new();
    let run = other.run(GOCRED).args(LOGIN).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("Number [1]: ");
    terminal.types("");
    terminal.awaits("Password of the keyring: ");
    terminal.types_secret(keyring::PASSWORD);
    finish(terminal);
    assert!(other.config().contains("name = \"keyring\""));
    assert!(!other.data("vault").exists());
}

#[test]
fn a_person_without_keyring_is_offered_the_ssh_key_of_the_agent() {
    let bare = Bare::new();
    let Some(agent) = SshAgent::start(&bare.home) else { return };
    agent.has(&bare.home, &super::vault_keys::key(&bare.home, &["ed25519"]));
    let run = bare.run(GOCRED).args(LOGIN).env("SSH_AUTH_SOCK", agent.socket());
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("1  an encrypted file, opened by your SSH key laptop key");
    terminal.awaits("Number [1]: ");
    terminal.types("1");
    let shown = finish(terminal);
    assert!(!shown.contains("assphrase: "), "{shown}");
    let get = bare.run(HELPER).arg("get").input(ASK).env("SSH_AUTH_SOCK", agent.socket());
    assert_eq!(get.output().success(), ANSWER);
}

#[test]
fn the_agent_keeps_secrets_in_its_memory_and_nowhere_else() {
    let bare = Bare::new();
    let said = bare.login(&["--store", "agent"]);
    assert!(said.success().contains("stored in agent"));
    bare.works();
    let found = copies(bare.home.path(), b"S3cret-of-ana");
    assert_eq!(found, [""; 0], "nothing is in a file");
    let status = bare.gocred(&["agent", "status"]).success();
    assert!(status.contains("keeping: 1 secrets that are nowhere else"), "{status}");
    bare.gocred(&["lock"]).success();
    assert_eq!(bare.helper("get", ASK).out(), "", "a lock forgets them");
    bare.login(&[]).success();
    bare.gocred(&["agent", "stop"]).success();
    let gone = bare.helper("get", ASK);
    assert!(gone.err().starts_with("gocred[K01]: git.corp.test: "), "{gone:?}");
    assert!(gone.err().contains("gocred agent start"), "{gone:?}");
    let list = bare.gocred(&["list"]);
    assert_eq!(list.code, Some(5), "{list:?}");
}

#[test]
fn the_variable_chooses_for_one_shell_and_writes_nothing_down() {
    let bare = Bare::new();
    let with = |run: Run| run.env("GOCRED_STORE", "agent").output();
    let login = bare.run(GOCRED).args(LOGIN).arg("--with-token").input("S3cret-of-ana");
    with(login).success();
    assert!(bare.config().is_empty());
    assert_eq!(with(bare.run(HELPER).arg("get").input(ASK)).success(), ANSWER);
    // Who works with another store asks the same agent, and is not answered from this one's memory.
    let other = bare.helper("get", ASK);
    assert!(other.err().starts_with("gocred[K06]"), "{other:?}");
    let agent = bare.run(HELPER).arg("get").input(ASK).env("GOCRED_STORE", "file");
    assert_eq!(agent.output().out(), "");
}

/// Returns the files below a folder that contain something.
fn copies(folder: &Path, what: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let about = path.symlink_metadata().unwrap();
        if about.is_dir() {
            found.extend(copies(&path, what));
        } else if about.is_file()
            && fs::read(&path).unwrap().windows(what.len()).any(|window| window == what)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn the_kernel_keeps_secrets_for_their_time() {
    let bare = Bare::new();
    let Some(keyctl) = program("keyctl", "keyutils") else { return };
    let said = bare.login(&["--store", "kernel"]);
    if bare.home.run(&keyctl).args(["show", "@u"]).output().code != Some(0) {
        // Containers close it: that is said, and nothing else is used.
        assert_eq!(said.code, Some(5), "{said:?}");
        assert!(said.err().starts_with("error[K20]"), "{said:?}");
        return;
    }
    assert!(said.success().contains("stored in kernel keyring"));
    bare.works();
    assert_eq!(copies(bare.home.path(), b"S3cret-of-ana"), [""; 0]);
    // A session that leads nowhere, as those of cron and of containers are.
    let keyctl = keyctl.display().to_string();
    let session = bare.run(&keyctl).args(["session", "-", HELPER, "get"]).input(ASK);
    assert_eq!(session.output().out(), ANSWER);
    bare.home
        .write(".config/gocred/config.toml", "[store]\nname = \"kernel\"\nlifetime = \"1s\"\n");
    crate::support::eventually("its time is over", || {
        bare.helper("get", ASK).out().is_empty().then_some(())
    });
    let _ = bare.gocred(&["logout", "git.corp.test"]);
}

#[test]
fn clear_text_is_kept_only_for_who_says_so_and_is_told_each_time() {
    let bare = Bare::new();
    let refused = bare.login(&["--store", "plaintext"]);
    assert_eq!(refused.code, Some(7), "{refused:?}");
    assert!(refused.err().contains("--yes-plaintext"), "{refused:?}");
    assert!(!bare.data("").exists() && bare.config().is_empty());
    // The variable alone makes nothing.
    let variable = |run: Run| run.env("GOCRED_STORE", "plaintext").output();
    let login = bare.run(GOCRED).args(LOGIN).arg("--with-token").input("S3cret-of-ana");
    let unasked = variable(login);
    assert_eq!(unasked.code, Some(5), "{unasked:?}");
    let store = bare.run(HELPER).arg("store").input(format!("{ASK}{ANSWER}"));
    assert_eq!(variable(store).err(), "", "a host that is not ours");
    assert!(!bare.data("plaintext").exists());

    let said = bare.login(&["--store", "plaintext", "--yes-plaintext"]);
    assert!(said.err().contains("warning: secrets are kept in clear text in "), "{said:?}");
    said.success();
    let mode = fs::metadata(bare.data("plaintext")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(copies(bare.home.path(), b"S3cret-of-ana").len(), 1);
    let get = bare.helper("get", ASK);
    assert_eq!((get.code, get.out().as_str()), (Some(0), ANSWER));
    assert!(get.err().contains("in clear text in "), "{get:?}");
    assert!(!get.err().contains('='), "git reads none of it: {get:?}");
    bare.works();
    fs::set_permissions(bare.data("plaintext"), PermissionsExt::from_mode(0o644)).unwrap();
    let open = bare.helper("get", ASK);
    assert!(open.err().contains("others may read or write the file (mode 0644)"), "{open:?}");
    // A person has to write it out.
    let other = Bare::new();
    let run = other.run(GOCRED).args(LOGIN).args(["--store", "plaintext"]);
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("Type `plaintext`");
    terminal.types("yes");
    assert_eq!(terminal.ends().0, Some(7));
    assert!(!other.data("plaintext").exists());
}

#[test]
fn a_source_is_no_store_and_a_name_that_is_none_says_which_there_are() {
    let bare = Bare::new();
    let bao = bare.login(&["--store", "openbao"]);
    assert_eq!(bao.code, Some(7), "{bao:?}");
    assert!(bao.err().contains("bao kv put"), "{bao:?}");
    let unknown = bare.login(&["--store", "vault"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err().contains("agent, file, kernel, keyring, openbao, plaintext"));
    let run = bare.run(GOCRED).args(LOGIN).args(["--with-token", "--store", "file"]);
    let both = run.env("GOCRED_STORE", "kernel").input("x").output();
    assert_eq!(both.code, Some(2), "{both:?}");
    assert!(bare.config().is_empty() && !bare.data("").exists());
}

#[test]
fn status_shows_every_store_with_its_state_and_why() {
    let bare = Bare::new();
    let shown = bare.gocred(&["status", "--store"]);
    let text = shown.out();
    for line in [
        "store: keyring",
        "chosen by: nobody",
        "keyring    -             not",
        "K06: there is no keyring service",
        "file       an SSH key    not",
        "K20: there is no SSH key that signs the same each time",
        "file       a passphrase  asks",
        "plaintext  -             by name",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let json = bare.gocred(&["status", "--store", "--json"]).out();
    assert!(json.contains("\"candidates\":[{\"store\":\"keyring\""), "{json}");
    assert!(json.contains("\"code\":\"K06\""), "{json}");
    assert!(!bare.data("").exists() && bare.config().is_empty(), "a look makes nothing");
    let file = bare.passphrase();
    let run = bare.run(GOCRED).args(["status", "--store"]);
    let usable = run.env("GOCRED_PASSPHRASE_FILE", file).output().out();
    assert!(usable.contains("file       a passphrase  usable"), "{usable}");
}
