//! Who opens the encrypted file: a passphrase that is typed, the kernel, an SSH agent, a command.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use super::{
    support::{
        eventually,
        home::{GOCRED, HELPER, Home, Output, Run},
        keyring::Keyring,
        program,
    },
    vault::Desk,
};

const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=S3cret-of-ana\n";
const LOGIN: [&str; 8] = [
    "login",
    "git.corp.test",
    "--store",
    "file",
    "--no-verify",
    "--with-token",
    "--username",
    "ana",
];

/// A real ssh-agent, ended with this value.
pub(crate) struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    pub(crate) fn start(home: &Home) -> Option<Self> {
        let socket = home.runtime().join("ssh");
        let agent =
            home.run(program("ssh-agent", "openssh-client")?).arg("-D").arg("-a").arg(&socket);
        let child = agent.command().stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        eventually("the SSH agent", || UnixStream::connect(&agent.socket).ok());
        Some(agent)
    }

    pub(crate) fn has(&self, home: &Home, key: &Path) {
        home.run("ssh-add").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().success();
    }
}

impl Agent {
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

pub(crate) fn key(home: &Home, kind: &[&str]) -> PathBuf {
    let file = home.path().join(kind.concat());
    let keygen = home.run("ssh-keygen").args(["-q", "-N", "", "-C", "laptop key", "-f"]).arg(&file);
    keygen.arg("-t").args(kind.iter().copied()).output().success();
    file
}

fn plain(run: Run) -> Output {
    run.without("GOCRED_PASSPHRASE_FILE").output()
}

#[test]
fn an_ssh_key_of_the_agent_opens_the_file_and_no_other_key_does() {
    for kind in [&["ed25519"][..], &["rsa", "-b", "2048"]] {
        let desk = Desk::new();
        let Some(agent) = Agent::start(&desk.home) else { return };
        agent.has(&desk.home, &key(&desk.home, kind));
        let with = |run: Run| plain(run.env("SSH_AUTH_SOCK", &agent.socket));
        let made = with(desk.run(GOCRED).args(["store", "add-key", "ssh", "laptop key"]));
        assert!(made.success().contains("laptop key opens it"));
        with(desk.run(GOCRED).args(LOGIN).input("S3cret-of-ana")).success();
        assert_eq!(with(desk.run(HELPER).arg("get").input(ASK)).success(), ANSWER);
        let without = plain(desk.run(HELPER).arg("get").input(ASK));
        assert!(without.err().contains("not unlocked"), "{without:?}");
        drop(agent);
        let other = Agent::start(&desk.home).unwrap();
        other.has(&desk.home, &key(&desk.home, &["ed25519", "-a", "1"]));
        let get = desk.run(HELPER).arg("get").input(ASK).env("SSH_AUTH_SOCK", &other.socket);
        let wrong = plain(get);
        assert!(wrong.err().contains("not unlocked"), "{wrong:?}");
    }
}

#[test]
fn a_key_file_without_passphrase_opens_the_file_where_there_is_no_agent() {
    for kind in ["ed25519", "rsa"] {
        let desk = Desk::new();
        let Some(keygen) = program("ssh-keygen", "openssh-client") else { return };
        let folder = desk.home.path().join(".ssh");
        fs::create_dir(&folder).unwrap();
        let file = folder.join(format!("id_{kind}"));
        let generate = |passphrase: &str, file: &Path| {
            let run = desk.home.run(&keygen).args(["-q", "-C", "my laptop", "-t", kind, "-N"]);
            run.arg(passphrase).arg("-f").arg(file).output().success();
        };
        generate("of its own", &file);
        // One that has a passphrase is passed over, and nobody is asked for it.
        let closed = plain(desk.run(GOCRED).args(["store", "add-key", "ssh"]));
        assert_eq!(closed.code, Some(5), "{closed:?}");
        assert!(closed.err().contains("none without a passphrase in ~/.ssh"), "{closed:?}");
        for name in [file.clone(), file.with_extension("pub")] {
            fs::remove_file(name).unwrap();
        }
        generate("", &file);
        let made = plain(desk.run(GOCRED).args(["store", "add-key", "ssh", "my laptop"]));
        assert!(made.success().contains("my laptop opens it"));
        plain(desk.run(GOCRED).args(LOGIN).input("S3cret-of-ana")).success();
        let get = || plain(desk.run(HELPER).arg("get").input(ASK));
        assert_eq!(get().success(), ANSWER);
        // An agent with the same key signs the same.
        let agent = Agent::start(&desk.home).unwrap();
        agent.has(&desk.home, &file);
        let aside = folder.join("aside");
        fs::rename(&file, &aside).unwrap();
        let run = desk.run(HELPER).arg("get").input(ASK).env("SSH_AUTH_SOCK", agent.socket());
        assert_eq!(plain(run).success(), ANSWER);
        assert!(get().err().contains("not unlocked"));
        // ssh-keygen takes no file that others may read.
        fs::rename(&aside, &file).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(get().err().contains("not unlocked"));
    }
}

#[test]
fn an_ssh_key_that_signs_differently_each_time_is_refused() {
    let desk = Desk::new();
    let Some(agent) = Agent::start(&desk.home) else { return };
    agent.has(&desk.home, &key(&desk.home, &["ecdsa"]));
    let add = desk.run(GOCRED).args(["store", "add-key", "ssh"]);
    let refused = plain(add.env("SSH_AUTH_SOCK", &agent.socket));
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.err().contains("ssh-ed25519, ssh-rsa"), "{refused:?}");
    assert!(!desk.file().exists());
}

#[test]
fn a_command_opens_the_file_and_says_why_it_does_not() {
    let desk = Desk::signed_in();
    let secret = desk.home.write("key", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n");
    let file = secret.display().to_string();
    desk.gocred(&["store", "add-key", "command", "/bin/cat", &file]).success();
    let get = || plain(desk.run(HELPER).arg("get").input(ASK));
    assert_eq!(get().success(), ANSWER);
    let show = plain(desk.run(GOCRED).args(["store", "show"])).success();
    assert!(show.contains("passphrase") && show.contains("cat"), "{show}");
    fs::remove_file(&secret).unwrap();
    let failed = get();
    assert!(failed.err().contains("/bin/cat, which opens the encrypted file: it ended with 1"));
    // The passphrase still does.
    assert_eq!(desk.get(), ANSWER);
    let relative = desk.gocred(&["store", "add-key", "command", "cat", &file]);
    assert_eq!(relative.code, Some(5), "{relative:?}");
}

#[test]
fn a_key_that_is_removed_opens_neither_the_file_nor_the_one_before() {
    let desk = Desk::signed_in();
    let secret = desk.home.write("key", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n");
    let file = secret.display().to_string();
    desk.gocred(&["store", "add-key", "command", "/bin/cat", &file]).success();
    let unknown = desk.gocred(&["store", "remove-key", "dog"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    desk.gocred(&["store", "remove-key", "passphrase"]).success();
    let wraps = |name: &str| {
        let bytes = fs::read(desk.file().with_file_name(name)).unwrap();
        bytes.windows(10).any(|window| window == b"passphrase")
    };
    assert!(!wraps("vault") && !wraps("vault.prev"));
    assert_eq!(plain(desk.run(HELPER).arg("get").input(ASK)).success(), ANSWER);
    let last = desk.gocred(&["store", "remove-key", "cat"]);
    assert_eq!(last.code, Some(2), "{last:?}");
}

/// Answers prompts on a terminal of its own: what is expected and what is typed then, in turn; after a
/// `*`, once the terminal does not show it.
fn typed(run: Run, dialogue: &[(&str, &str)]) -> Option<Output> {
    let python = program("python3", "python3")?;
    let inner = run.command();
    let words = dialogue.iter().flat_map(|(expected, said)| [*expected, *said]);
    let count = dialogue.len().to_string();
    let script = "import os, pty, select, sys, termios, time\n\
        count = int(sys.argv[1]); words = sys.argv[2:2 + 2 * count]; program = sys.argv[2 + 2 * count:]\n\
        pid, terminal = pty.fork()\n\
        if pid == 0: os.execv(program[0], program)\n\
        seen = b''\n\
        for expected, said in zip(words[::2], words[1::2]):\n\
        \x20   while expected.encode() not in seen:\n\
        \x20       if not select.select([terminal], [], [], 20)[0]: sys.exit('no prompt: %r' % seen)\n\
        \x20       try: piece = os.read(terminal, 4096)\n\
        \x20       except OSError: piece = b''\n\
        \x20       if not piece: sys.exit('ended: %r' % seen)\n\
        \x20       seen += piece; os.write(1, piece)\n\
        \x20   seen = b''\n\
        \x20   while said[0] == '*' and termios.tcgetattr(terminal)[3] & termios.ECHO: time.sleep(.001)\n\
        \x20   os.write(terminal, said.lstrip('*').encode() + b'\\n')\n\
        while True:\n\
        \x20   try: piece = os.read(terminal, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not piece: break\n\
        \x20   os.write(1, piece)\n\
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let mut command = run.around(&python).arg("-c").arg(script).arg(count).args(words);
    command = command.arg(inner.get_program()).args(inner.get_args());
    Some(command.output())
}

#[test]
fn a_passphrase_that_is_typed_once_is_kept_by_the_kernel_for_all_and_never_shown() {
    let desk = Desk::new();
    let Some(keyctl) = program("keyctl", "keyutils") else { return };
    desk.home.write(".config/gocred/config.toml", "[store]\nremember = \"kernel\"\n");
    let login = ["login", "git.corp.test", "--store", "file", "--no-verify", "--username", "ana"];
    let dialogue = [
        ("New passphrase: ", "*correct horse"),
        ("The same again: ", "*correct horsf"),
        ("New passphrase: ", "*correct horse"),
        ("The same again: ", "*correct horse"),
        ("Token or password of ana", "*S3cret-of-ana"),
        ("Do import paths", "n"),
        ("Wire git and go", "n"),
    ];
    let run = |program: &str| desk.run(program).without("GOCRED_PASSPHRASE_FILE");
    let Some(said) = typed(run(GOCRED).args(login), &dialogue) else { return };
    let said = said.success();
    assert!(said.contains("the two are not the same"), "{said}");
    assert!(!said.contains("horse") && !said.contains("S3cret"), "{said}");
    let get = || run(HELPER).arg("get").input(ASK).output();
    if desk.home.run(&keyctl).args(["show", "@u"]).output().code == Some(0) {
        assert_eq!(get().success(), ANSWER);
        // A session that leads nowhere, as those of cron and of containers are.
        let session = run(&keyctl.display().to_string()).args(["session", "-", HELPER, "get"]);
        assert_eq!(session.input(ASK).output().out(), ANSWER);
    }
    let id: [u8; 16] = fs::read(desk.file()).unwrap()[16..32].try_into().unwrap();
    let name = format!("gocred:vault:{:032x}", u128::from_be_bytes(id));
    desk.home.run(&keyctl).args(["purge", "-p", "user", &name]).output().success();
    let closed = get();
    assert!(closed.err().contains("gocred unlock"), "{closed:?}");
    // It is asked for again, and a wrong one is no damage.
    let login = ["login", "h.test", "--no-verify", "--username", "ana"];
    let dialogue = [
        ("Passphrase of", "*wrong"),
        ("Passphrase of", "*correct horse"),
        ("Token or password of ana", "*S3cret"),
        ("Do import paths", "n"),
        ("Wire git and go", "n"),
    ];
    let said = typed(run(GOCRED).args(login), &dialogue).unwrap().success();
    assert!(said.contains("does not open the encrypted file"), "{said}");
    desk.home.run(&keyctl).args(["purge", "-p", "user", &name]).output().success();
}

/// A home whose keyring is open.
struct WithKeyring {
    desk: Desk,
    keyring: Keyring,
}

impl WithKeyring {
    fn start() -> Option<Self> {
        Some(Self { keyring: Keyring::unlocked()?, desk: Desk::new() })
    }

    fn run(&self, program: &str) -> Run {
        self.desk.home.run(program).env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address())
    }

    fn helper(&self, operation: &str, request: &str) -> Output {
        self.run(HELPER).arg(operation).input(request).output()
    }

    /// Returns how many items the keyring has of ours, and their secrets.
    fn items(&self) -> String {
        let Some(tool) = program("secret-tool", "libsecret-tools") else { return String::new() };
        let search = ["search", "--all", "xdg:schema", "dev.gocred.Secret"];
        let run = self.keyring.on_bus(tool).args(search);
        run.output().out()
    }
}

#[test]
fn the_keyring_opens_the_file_and_forgets_its_key_when_it_is_removed() {
    let Some(world) = WithKeyring::start() else { return };
    world.run(GOCRED).args(["store", "add-key", "keyring"]).output().success();
    world.run(GOCRED).args(LOGIN).input("S3cret-of-ana").output().success();
    assert_eq!(world.helper("get", ASK).success(), ANSWER);
    let item = world.items();
    assert!(item.contains("vault-") && !item.contains("S3cret"), "{item}");
    let without = plain(world.desk.run(HELPER).arg("get").input(ASK));
    assert!(without.err().starts_with("gocred[K06]: "), "{without:?}");
    world.keyring.lock();
    let locked = world.helper("get", ASK);
    assert!(locked.err().starts_with("gocred[K05]: "), "{locked:?}");
    // Another key beside it, and the first goes.
    let Some(world) = WithKeyring::start() else { return };
    world.run(GOCRED).args(["store", "add-key", "keyring"]).output().success();
    world.run(GOCRED).args(LOGIN).input("S3cret-of-ana").output().success();
    let passphrase = world.desk.home.path().join("passphrase");
    let with = |run: Run| run.env("GOCRED_PASSPHRASE_FILE", &passphrase).output();
    with(world.run(GOCRED).args(["store", "add-key", "passphrase"])).success();
    with(world.run(GOCRED).args(["store", "remove-key", "keyring"])).success();
    assert_eq!(world.items(), "");
    assert_eq!(world.desk.get(), ANSWER);
}

#[test]
fn a_token_that_is_too_large_for_the_keyring_is_in_the_file_that_the_keyring_opens() {
    let Some(world) = WithKeyring::start() else { return };
    let credential = "c".repeat(60_000);
    let token = "t".repeat(20_000);
    let ask = format!("capability[]=authtype\n{ASK}");
    let all = format!(
        "{ask}username=ana\nauthtype=Bearer\ncredential={credential}\noauth_refresh_token={token}\n"
    );
    let quiet = |output: Output| {
        assert_eq!(output.err(), "", "{output:?}");
        output.success()
    };
    quiet(world.helper("store", &all));
    assert!(world.desk.file().exists());
    assert!(world.items().contains("secret = in=file"), "{}", world.items());
    let answer = quiet(world.helper("get", &ask));
    assert!(answer.contains(&credential) && answer.contains(&token), "{}", answer.len());
    let shown = world.run(GOCRED).args(["list", "--json"]).output().success();
    assert!(shown.contains("\"account\":\"ana\""), "{shown}");
    // Without capability it is nothing that this git could use; never is it what stands for it.
    assert_eq!(quiet(world.helper("get", ASK)), "");
    quiet(world.helper("erase", &format!("{ask}username=ana\ncredential={credential}\n")));
    assert_eq!(quiet(world.helper("get", &ask)), "");
    world.run(GOCRED).args(["undo", "git.corp.test"]).output().success();
    assert!(quiet(world.helper("get", &ask)).contains(&credential));
    // A small one takes its place, in the keyring again.
    quiet(
        world.helper("store", &format!("{ask}username=ana\nauthtype=Bearer\ncredential=small\n")),
    );
    assert!(!world.items().contains("in=file"));
    assert!(quiet(world.helper("get", &ask)).contains("credential=small\n"));
    quiet(world.helper("store", &all));
    let file = world.desk.file();
    fs::rename(&file, file.with_extension("away")).unwrap();
    fs::remove_file(file.with_extension("prev")).unwrap();
    let lost = world.helper("get", &ask);
    assert!(lost.err().starts_with("gocred[K08]: git.corp.test: "), "{lost:?}");
}
