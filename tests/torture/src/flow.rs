//! What is tortured: each flow is a command in a world, and what it may change there.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use crate::{
    process::{done, finish, signal},
    trace,
    upstream::Scheme,
    world::{HOST, World},
};

pub struct Flow {
    pub name: &'static str,
    /// Makes its world, once.
    pub world: fn(World) -> World,
    /// What is run, by its words; the first is `helper` or `gocred`.
    pub words: &'static [&'static str],
    pub input: Input,
    pub change: Change,
    /// Before each run: brings the world there.
    pub before: fn(&World, usize),
    /// A daemon: what is asked of it while it runs.
    pub drive: Option<fn(&World, &str)>,
    /// What must hold after each run, beside what `change` says.
    pub after: fn(&World, usize) -> Result<(), String>,
    /// Files that may hold the secret.
    pub holds: &'static [&'static str],
}

/// What is read from standard input.
pub enum Input {
    Nothing,
    /// A request of git's without a secret.
    Ask,
    /// One with the secret of the turn.
    Tell,
    /// One with the secret that is stored.
    Refute,
    /// The secret of the turn, as `--with-token` reads it.
    Token,
}

/// What a flow may do to the account in the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing. What it prints may be the secret.
    Answers,
    /// Nothing. What it prints may not.
    None,
    /// The secret of the turn is stored.
    Stores,
    /// The account is hidden or removed.
    Hides,
    /// The account comes back.
    Shows,
}

/// Returns all of them. One more is one entry more.
pub fn all() -> Vec<Flow> {
    let erased = |world: &World, turn: usize| {
        stored(world, turn);
        done(world.helper("erase"), &world.request(Some(turn)));
    };
    let login = &["gocred", "login", HOST, "--no-verify", "--with-token", "--username", "ana"];
    vec![
        helper("get, keyring", keyring, "get"),
        helper("store, keyring", keyring, "store"),
        helper("erase, keyring", keyring, "erase"),
        helper("get, by the agent", keyring_agent, "get"),
        helper("store, by the agent", keyring_agent, "store"),
        helper("erase, by the agent", keyring_agent, "erase"),
        helper("get, encrypted file", file, "get"),
        helper("store, encrypted file", file, "store"),
        helper("erase, encrypted file", file, "erase"),
        helper("get, passphrase", passphrase, "get"),
        helper("store, passphrase", passphrase, "store"),
        helper("get, file, by the agent", file_agent, "get"),
        helper("store, file, by the agent", file_agent, "store"),
        helper("erase, file, by the agent", file_agent, "erase"),
        Flow {
            change: Change::Answers,
            ..gocred("goauth, keyring", keyring, &["gocred", "goauth"])
        },
        Flow {
            change: Change::Answers,
            ..gocred("goauth, encrypted file", file, &["gocred", "goauth"])
        },
        Flow {
            input: Input::Token,
            change: Change::Stores,
            ..gocred("login, keyring", keyring, login)
        },
        Flow {
            input: Input::Token,
            change: Change::Stores,
            ..gocred("login, encrypted file", file, login)
        },
        Flow {
            change: Change::Hides,
            before: stored,
            ..gocred("logout, keyring", keyring, &["gocred", "logout", HOST])
        },
        Flow {
            change: Change::Shows,
            before: erased,
            ..gocred("undo, encrypted file", file, &["gocred", "undo"])
        },
        Flow {
            before: |world, _| drop(done(world.gocred(&["lock"]), "")),
            ..gocred("unlock, with the agent", file_agent, &["gocred", "unlock"])
        },
        Flow {
            before: |world, _| drop(done(world.gocred(&["unlock"]), "")),
            ..gocred("lock, with the agent", file_agent, &["gocred", "lock"])
        },
        Flow {
            before: |world, _| world.restore(),
            ..gocred(
                "add a key",
                file_kept,
                &["gocred", "store", "add-key", "command", "/usr/bin/tac", "other"],
            )
        },
        Flow {
            before: |world, turn| {
                finish(world.gocred(&["logout", OLD]), b"", LIMIT, None);
                world.write(".netrc", &netrc(world, turn));
            },
            after: moved,
            holds: &[".netrc"],
            ..gocred("import netrc", keyring, &["gocred", "import", "netrc", "--remove"])
        },
        gocred("list and index, keyring", keyring, &["gocred", "list"]),
        gocred("status, encrypted file", file, &["gocred", "status"]),
        Flow {
            before: |world, _| world.restore(),
            ..gocred(
                "setup",
                keyring_kept,
                &["gocred", "setup", "--git", "--go", "--private", HOST, "--yes"],
            )
        },
        Flow {
            drive: Some(ask_agent),
            ..gocred("the agent itself", keyring, &["gocred", "agent", "run"])
        },
        Flow {
            drive: Some(ask_agent),
            ..gocred("the agent itself, encrypted file", file, &["gocred", "agent", "run"])
        },
        Flow {
            drive: Some(connect),
            ..gocred(
                "the proxy and a tunnel",
                proxy,
                &["gocred", "proxy", "run", "--listen", "127.0.0.1:0"],
            )
        },
    ]
}

const LIMIT: Duration = Duration::from_secs(20);
/// The host of the netrc file.
const OLD: &str = "old.corp.test";

fn helper(name: &'static str, world: fn(World) -> World, operation: &'static str) -> Flow {
    let (words, input, change): (&[&str], _, _) = match operation {
        "get" => (&["helper", "get"], Input::Ask, Change::Answers),
        "store" => (&["helper", "store"], Input::Tell, Change::Stores),
        _ => (&["helper", "erase"], Input::Refute, Change::Hides),
    };
    let before = if change == Change::Hides { stored } else { |_: &World, _: usize| () };
    Flow { input, change, before, ..gocred(name, world, words) }
}

fn gocred(name: &'static str, world: fn(World) -> World, words: &'static [&'static str]) -> Flow {
    Flow {
        name,
        world,
        words,
        input: Input::Nothing,
        change: Change::None,
        before: |_, _| (),
        drive: None,
        after: |_, _| Ok(()),
        holds: &[],
    }
}

impl Flow {
    pub fn command(&self, world: &World) -> Command {
        let (program, words) = self.words.split_first().expect("a program");
        let name = if *program == "helper" { "git-credential-gocred" } else { program };
        let mut command = world.command(world.program(name));
        command.args(words);
        if let (Some(upstream), Some("proxy")) = (&world.upstream, words.first().copied()) {
            command.args(["--upstream", &upstream.url()]);
        }
        command
    }

    pub fn text(&self, world: &World, now: Option<usize>, turn: usize) -> String {
        match self.input {
            Input::Nothing => String::new(),
            Input::Ask => world.request(None),
            Input::Tell => world.request(Some(turn)),
            Input::Refute => world.request(now.or(Some(turn))),
            Input::Token => world.secret.of(turn),
        }
    }
}

fn keyring(world: World) -> World {
    world.with_keyring().signed_in()
}

fn keyring_kept(world: World) -> World {
    let world = keyring(world);
    world.keep();
    world
}

fn keyring_agent(world: World) -> World {
    keyring(world).with_agent()
}

fn file(world: World) -> World {
    world.with_file().signed_in()
}

fn passphrase(world: World) -> World {
    world.with_passphrase().signed_in()
}

fn file_agent(world: World) -> World {
    file(world).with_agent()
}

fn file_kept(world: World) -> World {
    let world = file(world);
    world.write("other", &"QkJC".repeat(11));
    world.keep();
    world
}

fn proxy(world: World) -> World {
    keyring(world).with_upstream(Scheme::Basic)
}

/// Stores the secret of the turn.
fn stored(world: &World, turn: usize) {
    done(world.helper("store"), &world.request(Some(turn)));
}

fn netrc(world: &World, turn: usize) -> String {
    format!("# mine\nmachine {OLD}\n  login ana\n  password {}\n", world.secret.of(turn))
}

/// The entry is in the file as it was, or in the store.
fn moved(world: &World, turn: usize) -> Result<(), String> {
    let file = std::fs::read_to_string(world.home(".netrc")).unwrap_or_default();
    let request = format!("protocol=https\nhost={OLD}\n\n");
    // It answers from the netrc, too: that is hidden for a moment.
    let mut get = world.helper("get");
    get.env("NETRC", world.write("empty", ""));
    let said = world.read(&finish(get, request.as_bytes(), LIMIT, None))?;
    let is_whole = file == netrc(world, turn);
    match (is_whole, said == Some(turn)) {
        (true, _) | (false, true) if is_whole || file.starts_with("# mine\n") => Ok(()),
        _ => Err(format!("the file is whole: {is_whole}; the store has {said:?}, not {turn}")),
    }
}

/// One question of each kind to an agent that is traced; then it ends.
fn ask_agent(world: &World, _line: &str) {
    for (command, input) in [
        (world.helper("get"), world.request(None)),
        (world.gocred(&["unlock"]), String::new()),
        (world.helper("get"), world.request(None)),
        (world.gocred(&["lock"]), String::new()),
    ] {
        finish(command, input.as_bytes(), LIMIT, None);
    }
    end(world);
}

/// One tunnel through a proxy that is traced; then it ends.
fn connect(world: &World, line: &str) {
    let address = line.strip_prefix("listening on http://");
    if let Some(mut stream) = address.and_then(|address| TcpStream::connect(address).ok()) {
        let _ = stream.write_all(b"CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n");
        let mut answer = [0; 4096];
        // An answer must come. What was said in the tunnel may have failed, and that is no reason to
        // close it: who sends into a connection that is gone learns that by reading.
        let _ = stream.set_read_timeout(Some(LIMIT));
        while let Ok(length @ 1..) = stream.read(&mut answer) {
            if answer[..length].windows(5).any(|word| word == b"hello") {
                break;
            }
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        }
    }
    end(world);
}

/// Ends the traced daemon as the system does.
fn end(world: &World) {
    if let Some(pid) = trace::first(Path::new(&world.beside("trace"))) {
        signal("TERM", pid);
    }
}
