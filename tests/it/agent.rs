//! The helper and the agent: what is relayed, what is handed over, and what happens without either.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    proxy_lab::{Daemon, Upstream, proxy},
    support::{
        agent::Agent,
        eventually,
        git::{Desk, quiet},
        home::{GOCRED, HELPER, Home, Run},
        program,
    },
    vault::Desk as File,
};
use gocred::sys::clock;

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";

#[test]
fn what_the_helper_cannot_answer_the_same_process_answers_as_gocred() {
    let Some(strace) = program("strace", "strace") else { return };
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.home.write(".config/gocred/config.toml", "[store]\nfallback = [\"libsecret\"]\n");
    let trace = desk.home.path().join("trace");
    let calls = "trace=execve,clone,clone3,fork,vfork,write";
    let run = desk.run(strace).args(["-f", "-e", calls, "-o"]).arg(&trace);
    // A caller that keeps the pipe open ends the question with a blank line.
    let output = run.args([HELPER, "get"]).input(format!("{ASK}\nnoise")).output();
    assert_eq!(quiet(output), ANSWER);
    let trace = fs::read_to_string(trace).expect("a trace");
    assert_eq!(trace.matches("execve(").count(), 2, "{trace}");
    assert!(trace.contains("\"helper\", \"get\"]"), "{trace}");
    for start in ["clone", "fork"] {
        assert!(!trace.contains(start), "{trace}");
    }
    // What is changed goes the same way.
    desk.erase(ANA);
    assert_eq!(desk.get(ASK), "");
    desk.store(ANA.replace("hunter2", "n3w"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=n3w\n");
}

#[test]
fn a_store_that_does_not_exist_is_said_and_nobody_else_answers() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let output = desk.helper("get", ASK).env("GOCRED_STORE", "vault").output();
    let err = output.err();
    assert_eq!(output.success(), "");
    assert!(err.contains("GOCRED_STORE names no store"), "{err}");
}

/// A desk with an agent, and a credential.
fn with_agent() -> Option<(Desk, Agent)> {
    let desk = Desk::new()?;
    desk.store(ANA);
    let agent = Agent::start(desk.run(GOCRED));
    Some((desk, agent))
}

/// Returns how many questions the agent has answered.
fn answered(desk: &Desk) -> u64 {
    let status = desk.run(GOCRED).args(["agent", "status", "--json"]).output().success();
    let (_, rest) = status.split_once("\"answered\":").expect("a number");
    rest.split([',', '}']).next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn the_agent_answers_keeps_and_hides_as_the_helper_does() {
    let Some((desk, _agent)) = with_agent() else { return };
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(answered(&desk), 1);
    let asked = format!("capability[]=state\n{ASK}");
    let answer = desk.get(&*asked);
    let (_, state) = answer.split_once("state[]=").expect("a state");
    desk.store(format!("capability[]=state\n{ANA}state[]={state}"));
    desk.erase(ANA);
    assert_eq!(desk.get(ASK), "");
    desk.store(ANA.replace("hunter2", "n3w"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=n3w\n");
    assert_eq!(desk.held(), ["https://git.corp.test ana:n3w"]);
    assert_eq!(answered(&desk), 7);
    let error = desk.helper("get", "protocol=https\nhost=a b\npassword=S3cret\nnoise\n").output();
    assert!(!error.err().contains("S3cret"), "{error:?}");
}

#[test]
fn a_relayed_answer_asks_the_kernel_little_and_the_keyring_nothing() {
    let Some(strace) = program("strace", "strace") else { return };
    let Some((desk, _agent)) = with_agent() else { return };
    let trace = desk.home.path().join("trace");
    let run = desk.run(strace).args(["-f", "-o"]).arg(&trace).args([HELPER, "get"]).input(ASK);
    assert_eq!(run.output().success(), ANSWER);
    let trace = fs::read_to_string(trace).expect("a trace");
    // The loader and the start of every Rust program come before: some sixty more.
    let (_, own) = trace.split_once("PR_SET_DUMPABLE").expect("the start of ours");
    let calls = own.lines().filter(|line| line.contains('(')).count();
    assert!(calls <= 18, "{calls} system calls: {own}");
    assert_eq!(trace.matches("connect(").count(), 1, "{trace}");
}

#[test]
fn an_agent_that_is_stopped_or_killed_costs_a_moment_and_no_answer() {
    let Some((desk, mut agent)) = with_agent() else { return };
    agent.signal(Signal::STOP);
    let output = desk.helper("get", ASK).output();
    let took = output.took;
    assert_eq!(quiet(output), ANSWER);
    assert!(took < Duration::from_millis(1500), "{took:?}");
    agent.signal(Signal::KILL);
    agent.child.wait().expect("an end");
    assert!(desk.home.runtime().join("gocred/control.sock").exists(), "it is stale");
    assert_eq!(desk.get(ASK), ANSWER);
    let _agent = Agent::start(desk.run(GOCRED));
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(answered(&desk), 1);
}

#[test]
fn who_works_with_other_files_is_not_answered_by_it() {
    let Some((desk, _agent)) = with_agent() else { return };
    let other = Home::new();
    for (name, value) in [
        ("XDG_STATE_HOME", other.state()),
        ("XDG_CONFIG_HOME", other.config()),
        ("NETRC", other.path().join("netrc")),
        ("GOENV", other.path().join("goenv")),
        ("GOCRED_STORE", "keyring".into()),
    ] {
        let output = desk.helper("get", ASK).env(name, value).output();
        assert_eq!(quiet(output), ANSWER, "{name}");
    }
    assert_eq!(answered(&desk), 0);
}

#[test]
fn what_only_the_caller_knows_to_be_private_is_left_to_it() {
    let Some((desk, _agent)) = with_agent() else { return };
    let ask = "protocol=https\nhost=other.test\n";
    let run = desk.helper("get", ask).env("GOPRIVATE", "other.test");
    assert_eq!(quiet(run.output()), "");
    let bus = desk.helper("get", ask).env("GOPRIVATE", "other.test");
    let output = bus.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent").output();
    assert!(output.err().contains("there is no keyring service"), "{output:?}");
}

#[test]
fn the_configuration_counts_as_it_is_now() {
    let Some((desk, _agent)) = with_agent() else { return };
    desk.store(ANA.replace("ana", "bob").replace("hunter2", "b0b"));
    for (user, answer) in [("ana", ANSWER), ("bob", "username=bob\npassword=b0b\n")] {
        let text = format!("[host.\"git.corp.test\"]\nusername = \"{user}\"\n");
        desk.home.write(".config/gocred/config.toml", text);
        assert_eq!(desk.get(ASK), answer);
    }
    desk.home.write(".config/gocred/config.toml", "wrong\n");
    let output = desk.helper("get", ASK).output();
    assert!(output.err().contains("your configuration is wrong"), "{output:?}");
    assert_eq!(answered(&desk), 4, "the store, too");
}

#[test]
fn a_locked_keyring_is_said_and_ends_it_where_nobody_can_unlock() {
    let Some((desk, _agent)) = with_agent() else { return };
    desk.keyring.lock();
    let output = desk.helper("get", ASK).output();
    assert!(output.err().contains("the keyring is locked"), "{output:?}");
    assert_eq!(output.out(), "");
    let output = desk.helper("get", ASK).env("GIT_TERMINAL_PROMPT", "0").output();
    assert_eq!(output.out(), "quit=1\n");
    assert_eq!(answered(&desk), 2);
}

#[test]
fn the_keyring_is_asked_once_until_somebody_changes_it() {
    let Some((desk, _agent)) = with_agent() else { return };
    assert_eq!(desk.get(ASK), ANSWER);
    // Nobody would be answered who asks it now.
    desk.keyring.freeze();
    for _ in 0..200 {
        assert_eq!(desk.get(ASK), ANSWER);
    }
    desk.keyring.thaw();
    // Each of these changes it in a process of its own.
    let aside = |run: Run| run.env("GOCRED_AGENT", "/nonexistent/agent");
    let alone = |operation: &str, input: String| {
        assert_eq!(quiet(aside(desk.helper(operation, input)).output()), "", "{operation}");
    };
    alone("store", ANA.replace("hunter2", "n3w"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=n3w\n");
    alone("erase", ANA.replace("hunter2", "n3w"));
    assert_eq!(desk.get(ASK), "");
    let gocred = |arguments: &[&str], input: &str| {
        let run = desk.run(GOCRED).args(arguments.iter().copied()).input(input);
        run.output().success()
    };
    gocred(&["undo", "git.corp.test"], "");
    assert_eq!(desk.get(ASK), "username=ana\npassword=n3w\n");
    let login = ["login", "git.corp.test", "--username", "ana", "--with-token", "--no-verify"];
    gocred(&login, "t0ken");
    assert_eq!(desk.get(ASK), "username=ana\npassword=t0ken\n");
    gocred(&["logout", "git.corp.test"], "");
    assert_eq!(desk.get(ASK), "");
}

#[test]
fn what_has_ended_is_not_answered_from_memory() {
    let Some((desk, _agent)) = with_agent() else { return };
    let soon = clock::now() + 2;
    desk.store(format!("{ANA}password_expiry_utc={soon}\n").replace("hunter2", "sh0rt"));
    let answer = format!("username=ana\npassword=sh0rt\npassword_expiry_utc={soon}\n");
    assert_eq!(desk.get(ASK), answer);
    eventually("it has ended", || desk.get(ASK).is_empty().then_some(()));
    assert!(clock::now() > soon);
}

#[test]
fn what_is_locked_is_forgotten() {
    let Some((desk, _agent)) = with_agent() else { return };
    assert_eq!(desk.get(ASK), ANSWER);
    let status = || desk.run(GOCRED).args(["agent", "status"]).output().success();
    assert!(status().contains(", 1 sealed answers, in locked memory"), "{}", status());
    desk.keyring.lock();
    assert_eq!(desk.get(ASK), ANSWER, "for five minutes at most");
    let said = desk.run(GOCRED).arg("lock").output().success();
    assert_eq!(said, "the agent has forgotten its keys and answers\n");
    assert!(status().contains(", 0 sealed answers, "), "{}", status());
    let output = desk.helper("get", ASK).output();
    assert!(output.err().contains("the keyring is locked"), "{output:?}");
    let said = Home::new().gocred().arg("lock").output().success();
    assert_eq!(said, "no agent is running: nobody holds a key or an answer\n");
}

#[test]
fn a_key_is_held_for_its_time_and_given_to_its_file_only() {
    let home = Home::new();
    let _agent = Agent::start(home.gocred());
    let [one, other] = ["0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcde0"];
    let key = [b'k'; 32];
    let head = |verb: &str, length: usize| format!("GOC1 {verb} 0000000000000000 00 {length}\n");
    let ask = |id: &str| say(&home, format!("{}{id}", head("key", 32)).as_bytes());
    let unlock = |body: &[u8]| say(&home, &[head("unlock", body.len()).as_bytes(), body].concat());
    let body = [format!("key\n{one}\n").as_bytes(), &key].concat();
    let given = [b"GOC1 ok 32 0\n".as_slice(), &key].concat();
    assert_eq!(ask(one), b"GOC1 locked 0 0\n");
    for wrong in [&body[1..], &body[..67], &[body.as_slice(), b"x"].concat(), b"keyring\npw", b""] {
        assert_eq!(unlock(wrong), b"GOC1 no 0 0\n");
    }
    assert_eq!(unlock(&body), b"GOC1 ok 0 0\n");
    assert_eq!(ask(one), given);
    assert_eq!(ask(other), b"GOC1 locked 0 0\n");
    assert_eq!(say(&home, format!("{}{one}", head("key", 31)).as_bytes()), b"");
    home.gocred().arg("lock").output().success();
    assert_eq!(ask(one), b"GOC1 locked 0 0\n");
    assert_eq!(unlock(&body), b"GOC1 ok 0 0\n");
    home.write(".config/gocred/config.toml", "[store]\nlifetime = \"1s\"\n");
    eventually("its time is over", || (ask(one) != given).then_some(()));
    home.write(".config/gocred/config.toml", "[store]\nidle = \"1s\"\n");
    assert_eq!(unlock(&body), b"GOC1 ok 0 0\n");
    eventually("nobody has asked", || (ask(one) != given).then_some(()));
}

#[test]
fn an_unlocked_file_answers_every_program_until_it_is_locked() {
    let file = File::signed_in();
    let agent = Agent::start(file.home.gocred());
    let get = || file.home.helper().arg("get").input(ASK).output();
    let closed = get();
    assert!(closed.err().contains("is not unlocked; run: gocred unlock"), "{closed:?}");
    assert_eq!(closed.out(), "");
    let quit = file.home.helper().arg("get").input(ASK).env("GCM_INTERACTIVE", "never").output();
    assert_eq!(quit.out(), "quit=1\n");
    let said = file.gocred(&["unlock"]).success();
    assert_eq!(said, format!("{} is unlocked\n", file.file().display()));
    let answer = "username=ana\npassword=S3cret-of-ana\n";
    assert_eq!(quiet(get()), answer);
    // Who works beside the agent has its key, too.
    let list = file.home.gocred().arg("list").output().success();
    assert!(list.contains("git.corp.test"), "{list}");
    let stored = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=n3w\n";
    assert_eq!(quiet(file.home.helper().arg("store").input(stored).output()), "");
    assert_eq!(quiet(get()), "username=ana\npassword=n3w\n");
    // Another process changes the file.
    file.login(&["git.corp.test"], "ana", "t0ken").success();
    assert_eq!(quiet(get()), "username=ana\npassword=t0ken\n");
    file.home.gocred().arg("lock").output().success();
    assert!(get().err().contains("is not unlocked; run: gocred unlock"));
    file.gocred(&["unlock"]).success();
    assert_eq!(quiet(get()), "username=ana\npassword=t0ken\n");
    drop(agent);
    assert!(get().err().contains("is not unlocked; run: gocred unlock"));
}

#[test]
fn an_unlocked_file_answers_sixty_four_at_once() {
    let file = File::signed_in();
    let _agent = Agent::start(file.home.gocred());
    file.gocred(&["unlock"]).success();
    thread::scope(|scope| {
        for number in 0..64 {
            let file = &file;
            scope.spawn(move || {
                // Each of another account, so that nothing is remembered.
                let ask = format!("{ASK}username=a{}\n", number % 32);
                let output = file.home.helper().arg("get").input(ask).output();
                assert_eq!((output.err(), output.success()), (String::new(), String::new()));
            });
        }
    });
}

#[test]
fn where_there_is_no_file_there_is_nothing_to_unlock() {
    let home = Home::new();
    let output = home.gocred().args(["unlock", "--store", "file"]).output();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().contains("there is no encrypted file yet"), "{output:?}");
    assert!(!home.runtime().join("gocred/control.sock").exists(), "no agent was started");
    let output = home.gocred().args(["unlock", "--store", "vault"]).output();
    assert_eq!(output.code, Some(2), "{output:?}");
}

#[test]
fn an_agent_is_started_in_the_background_once() {
    let home = Home::new();
    let start = || home.gocred().args(["agent", "start"]).output().success();
    assert_eq!((start(), start()), (String::new(), String::new()));
    let status = home.gocred().args(["agent", "status"]).output().success();
    let (_, pid) = status.split_once("process ").expect("its process");
    let pid: u32 = pid.split(',').next().and_then(|pid| pid.parse().ok()).expect("a number");
    let about = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, fields) = about.rsplit_once(") ").expect("fields");
    let session = fields.split(' ').nth(3).expect("a session");
    assert_eq!(session, pid.to_string(), "it has left the terminal");
    home.gocred().args(["agent", "stop"]).output().success();
    assert!(!home.runtime().join("gocred/control.sock").exists());
}

#[test]
fn an_agent_that_reaches_no_keyring_leaves_it_to_who_does() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let nowhere = "unix:path=/nonexistent";
    let run = desk.run(GOCRED).env("DBUS_SESSION_BUS_ADDRESS", nowhere);
    let _agent = Agent::start(run);
    assert_eq!(desk.get(ASK), ANSWER);
    desk.erase(ANA);
    assert_eq!(desk.get(ASK), "");
    let output = desk.helper("get", ASK).env("DBUS_SESSION_BUS_ADDRESS", nowhere).output();
    assert!(output.err().contains("there is no keyring service"), "{output:?}");
}

#[test]
fn sixty_four_at_once_are_answered() {
    let Some((desk, _agent)) = with_agent() else { return };
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| assert_eq!(desk.get(ASK), ANSWER));
        }
    });
}

/// Sends bytes to the agent, and returns all that it says within its time.
fn say(home: &Home, bytes: &[u8]) -> Vec<u8> {
    let path = home.runtime().join("gocred/control.sock");
    let mut stream = UnixStream::connect(path).expect("connected");
    stream.write_all(bytes).expect("said");
    let mut answer = Vec::new();
    // A connection that is closed with unread bytes is reset.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn noise_is_not_answered_and_another_version_hears_no() {
    let home = Home::new();
    let _agent = Agent::start(home.gocred());
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"GOC1 git-get\n",
        b"GOC1 git-get 0000000000000000 00 1048577\n",
        b"GOC1 status 0000000000000000 00 0\nmore",
        b"{}\n",
        b"\0",
    ] {
        assert_eq!(say(&home, noise), b"", "{}", noise.escape_ascii());
    }
    assert_eq!(say(&home, &[b'G'; 4096]), b"");
    for other in [&b"GOC2 git-get x\n"[..], b"GOC1 dance 0000000000000000 00 0\n"] {
        assert_eq!(say(&home, other), b"GOC1 no 0 0\n");
    }
    assert_eq!(say(&home, b"GOC1 git-get 0000000000000000 00 0\n"), b"GOC1 no 0 0\n");
}

#[test]
fn half_a_question_is_waited_for_two_seconds_and_keeps_nobody_else() {
    let Some((desk, _agent)) = with_agent() else { return };
    let path = desk.home.runtime().join("gocred/control.sock");
    let mut slow: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).expect("connected");
            stream.write_all(b"GOC1 git-get 0000000000000000 00 100\nho").expect("said");
            stream
        })
        .collect();
    let start = Instant::now();
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(answered(&desk), 1);
    assert!(start.elapsed() < Duration::from_millis(1900), "{:?}", start.elapsed());
    // One byte now and then does not make it longer.
    let mut drip = slow.pop().expect("one");
    drip.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
    let end = eventually("it is closed", || {
        let _ = drip.write_all(b"x");
        let mut byte = [0];
        match drip.read(&mut byte) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Ok(0) | Err(_) => Some(start.elapsed()),
            Ok(_) => panic!("an answer"),
        }
    });
    assert!(end < Duration::from_secs(5), "{end:?}");
}

#[test]
fn a_request_of_a_megabyte_is_relayed() {
    let Some((desk, _agent)) = with_agent() else { return };
    let mut ask = ASK.to_owned();
    while ask.len() < 1024 * 1024 - 70_000 {
        ask.extend(["wwwauth[]=Basic realm=\"", &"x".repeat(60_000), "\"\n"]);
    }
    assert_eq!(desk.get(ask), ANSWER);
    assert_eq!(answered(&desk), 1);
}

#[test]
fn the_proxy_is_an_agent_and_takes_the_place_of_one() {
    let Some((desk, mut agent)) = with_agent() else { return };
    let again = desk.run(GOCRED).args(["agent", "run"]).output();
    assert_eq!(again.code, Some(7), "{again:?}");
    let status = desk.run(GOCRED).args(["proxy", "status"]).output();
    assert!(status.err().contains("no proxy of yours is running"), "{status:?}");
    let stop = desk.run(GOCRED).args(["proxy", "stop"]).output();
    assert_eq!(stop.code, Some(1), "{stop:?}");
    assert_eq!(answered(&desk), 0);
    let upstream = Upstream::echo();
    let run = proxy(&desk.home, &[upstream.url()]);
    let daemon = Daemon::start(&run.env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address()));
    assert!(agent.child.wait().expect("an end").success());
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(answered(&desk), 1);
    let stop = desk.run(GOCRED).args(["agent", "stop"]).output();
    assert!(stop.err().contains("the agent is part of the loopback proxy"), "{stop:?}");
    drop(daemon);
    assert_eq!(desk.get(ASK), ANSWER);
}

#[test]
fn an_agent_is_shown_and_stopped() {
    let home = Home::new();
    let none = home.gocred().args(["agent", "status"]).output();
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.err().contains("the agent is not running"), "{none:?}");
    let mut agent = Agent::start(home.gocred());
    let status = home.gocred().args(["agent", "status"]).output().success();
    let process = format!("process {}, version ", agent.child.id());
    assert!(status.contains(&process), "{status}");
    assert_eq!(home.gocred().args(["agent", "stop"]).output().success(), "");
    assert!(agent.child.wait().expect("an end").success());
    assert!(!home.runtime().join("gocred/control.sock").exists());
    let stop = home.gocred().args(["agent", "stop"]).output();
    assert_eq!(stop.code, Some(1), "{stop:?}");
}

#[test]
fn it_answers_where_there_is_no_runtime_folder() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let socket = desk.home.state().join("gocred/run/control.sock");
    // Where this machine has a folder of systemd's for this user, it would be used.
    let named = |run: Run| run.env("GOCRED_AGENT", &socket);
    let _agent = Agent::start(named(desk.run(GOCRED)));
    let output = named(desk.helper("get", ASK)).without("XDG_RUNTIME_DIR").output();
    assert_eq!(quiet(output), ANSWER);
    let status = named(desk.run(GOCRED)).args(["agent", "status"]).output().success();
    assert!(status.contains("so far: 1 questions"), "{status}");
    let open = desk.home.path().join("open");
    fs::create_dir(&open).expect("a folder");
    let run = desk.run(GOCRED).env("GOCRED_AGENT", open.join("socket")).args(["agent", "run"]);
    let output = run.output();
    assert_eq!(output.code, Some(7), "{output:?}");
    assert!(output.err().contains("is open to others than you"), "{output:?}");
}
