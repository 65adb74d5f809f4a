//! Whom the agent answers, and whom it does not. Whom the helper believes.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::{
    agent::Agent,
    as_another_user,
    git::{Desk, quiet},
    home::{GOCRED, Home},
    program,
};

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";
const NOBODY: u32 = 65_534;

/// A program that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets everybody into a folder and the one above it.
fn open_up(folder: &Path) {
    for folder in [folder, folder.parent().expect("above it")] {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("opened");
    }
}

/// Whatever the modes of the folder and the socket say, the kernel names who asks.
#[test]
fn ten_thousand_questions_of_another_user_get_no_byte() {
    const ASK_ON: &str = "import socket, sys\n\
        heard = b''\n\
        for _ in range(10000):\n    \
            s = socket.socket(socket.AF_UNIX)\n    \
            s.settimeout(5)\n    \
            s.connect(sys.argv[1])\n    \
            try:\n        \
                s.sendall(sys.argv[2].encode().decode('unicode_escape').encode())\n        \
                heard += s.recv(4096)\n    \
            except (BrokenPipeError, ConnectionResetError):\n        \
                pass\n    \
            s.close()\n\
        print(len(heard))\n";
    let Some(_) = program("/usr/bin/python3", "python3") else { return };
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let _agent = Agent::start(desk.run(GOCRED));
    let socket = desk.home.runtime().join("gocred/control.sock");
    open_up(&desk.home.runtime());
    open_up(socket.parent().expect("its folder"));
    fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).expect("opened");
    for question in ["GOC1 status 0000000000000000 00 0\\n", "{\"ask\":\"status\"}\\n"] {
        let Some(mut another_user) = as_another_user() else { return };
        another_user.args(["/usr/bin/python3", "-I", "-c", ASK_ON]).arg(&socket).arg(question);
        let output = another_user.output().expect("python3");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n", "{output:?}");
    }
    assert_eq!(desk.get(ASK), ANSWER);
}

#[test]
fn a_socket_of_another_user_hears_nothing_and_is_not_believed() {
    const LISTEN: &str = "import socket, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.bind(sys.argv[1])\n\
        s.listen()\n\
        print('listening', flush=True)\n\
        while True:\n    \
            c, _ = s.accept()\n    \
            c.settimeout(0.2)\n    \
            try:\n        \
                print(len(c.recv(4096)), flush=True)\n        \
                c.sendall(b'GOC1 ok 31 0\\nusername=eve\\npassword=stolen12\\n')\n    \
            except OSError as e:\n        \
                print(type(e).__name__, flush=True)\n";
    let Some(_) = program("/usr/bin/python3", "python3") else { return };
    let Some(mut another_user) = as_another_user() else { return };
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let folder = desk.home.runtime().join("gocred");
    fs::create_dir(&folder).expect("a folder");
    open_up(&desk.home.runtime());
    chown(&folder, Some(NOBODY), None).expect("given away");
    let socket = folder.join("control.sock");
    another_user.args(["/usr/bin/python3", "-I", "-c", LISTEN]).arg(&socket);
    let mut eve = Running(another_user.stdout(Stdio::piped()).spawn().expect("python3"));
    let mut lines = BufReader::new(eve.0.stdout.take().expect("stdout")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert_eq!(line(), "listening");
    fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).expect("opened");
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(line(), "0", "the helper closed without a byte");
    let status = desk.run(GOCRED).args(["agent", "status"]).output();
    assert_eq!(status.code, Some(7), "{status:?}");
    let run = desk.run(GOCRED).args(["agent", "run"]).output();
    assert_eq!(run.code, Some(7), "{run:?}");
    assert!(run.err().contains("belongs to another user"), "{run:?}");
}

/// What is not root's own process cannot be looked into even by its own user.
#[test]
fn no_program_of_the_same_user_can_look_into_its_memory() {
    let Some(setpriv) = program("setpriv", "util-linux") else { return };
    let Some(_) = as_another_user() else { return };
    let home = Home::new();
    // What they run must be within their reach.
    let gocred = home.path().join("gocred");
    fs::copy(GOCRED, &gocred).expect("copied");
    for folder in ["", ".config", ".local", ".local/state", ".cache", "run"] {
        chown(home.path().join(folder), Some(NOBODY), Some(NOBODY)).expect("given away");
    }
    let nobody = || {
        let mut command = home.run(&setpriv).command();
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command
    };
    let started = nobody().arg(&gocred).args(["agent", "run"]).stdout(Stdio::piped()).spawn();
    let mut agent = Running(started.expect("setpriv"));
    let mut line = String::new();
    let stdout = agent.0.stdout.as_mut().expect("stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert!(line.starts_with("answering at "), "{line:?}");
    let status = nobody().arg(&gocred).args(["agent", "status"]).output().expect("setpriv");
    assert!(status.status.success(), "the same user is answered: {status:?}");
    for file in ["mem", "environ", "maps", "auxv"] {
        let path = format!("/proc/{}/{file}", agent.0.id());
        let output = nobody().arg("cat").arg(&path).output().expect("cat");
        assert!(!output.status.success() && output.stdout.is_empty(), "{file}: {output:?}");
    }
    let Some(gdb) = program("gdb", "gdb") else { return };
    let attach = ["-batch", "-nx", "-p", &agent.0.id().to_string()].map(str::to_owned);
    let output = nobody().arg(gdb).args(attach).output().expect("gdb");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("Operation not permitted"), "{output:?}");
}

#[test]
fn an_agent_that_leaves_in_the_middle_is_not_missed() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let path = desk.home.runtime().join("gocred/control.sock");
    fs::create_dir(path.parent().expect("its folder")).expect("a folder");
    for words in
        ["", "GOC1", "GOC1 work 0 0\n", "GOC1 ok 30 0\nusername=ana\npass", "GOC2 ok 0 0\n"]
    {
        let _ = fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a question");
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).expect("a line");
            stream.write_all(words.as_bytes()).expect("said");
            line
        });
        assert_eq!(quiet(desk.helper("get", ASK).output()), ANSWER, "{words:?}");
        assert!(server.join().expect("a line").starts_with("GOC1 git-get "));
    }
}

/// What the helper needs of the agent's secrets is nowhere: not in its arguments, and not on disk.
#[test]
fn an_answer_leaves_nothing_behind() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let agent = Agent::start(desk.run(GOCRED));
    assert_eq!(desk.get(ASK), ANSWER);
    let process = format!("/proc/{}", agent.child.id());
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("{process}/{file}")).expect("read by root or its own user");
        assert!(!contains(&bytes, b"hunter2"), "{file}");
    }
    let grep = Command::new("grep").args(["-rl", "hunter2"]).arg(desk.home.path()).output();
    assert_eq!(grep.expect("grep").stdout, b"");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
