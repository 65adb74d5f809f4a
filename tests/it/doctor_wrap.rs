//! `gocred wrap` around real commands: go, git, a shell; in a terminal and in a pipe.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::support::{
    eventually,
    go::Release,
    home::{Home, Output, Run},
    program,
    server::{Request, Server},
    terminal::Terminal,
};

/// A password that no output may hold.
const CANARY: &str = "kanarie-wrap-4Lp";

/// Answers as a module proxy that has one module, and refuses the files of another.
fn modules(request: &Request) -> String {
    let ok = |body: &str| format!("200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    match request.target.as_str() {
        "/h.test/lib/@v/list" => ok("v1.0.0\n"),
        "/h.test/lib/@v/v1.0.0.info" => ok("{\"Version\":\"v1.0.0\"}"),
        "/h.test/lib/@v/v1.0.0.mod" => ok("module h.test/lib\n"),
        target if target.contains("/refused/") => {
            let body = "gocred[P02] the proxy refuses the password";
            format!(
                "403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        _ => "404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
}

/// A home in which go asks `goproxy`, and `gocred wrap -- PROGRAM` in it.
fn wrapped(home: &Home, goproxy: &str, words: &[&str]) -> Run {
    let (name, value) = ("PATH", super::support::path());
    let go = Release::Go127.program().and_then(|go| go.parent().map(|it| it.display().to_string()));
    let path = match go {
        Some(go) => format!("{go}:{value}"),
        None => value,
    };
    home.write("go.mod", "module example.test/x\n\ngo 1.24\n");
    home.gocred()
        .env(name, path)
        .env("GOPROXY", goproxy)
        .env("GONOSUMDB", "*")
        .env("GOFLAGS", "-modcacherw")
        .env("GOTOOLCHAIN", "local")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("CORP_TOKEN", CANARY)
        .args(["wrap", "--"])
        .args(words.iter().copied())
}

fn without_canary(output: Output) -> Output {
    let text = output.out() + &output.err();
    assert!(!text.contains("kanarie"), "{text}");
    output
}

#[test]
fn a_command_keeps_its_streams_and_its_code() {
    let home = Home::new();
    let script = "cat; echo on-err >&2; echo \"$CORP_TOKEN\" | wc -c; exit 7";
    let output = wrapped(&home, "off", &["sh", "-c", script]).input("in\n").output();
    assert_eq!(output.code, Some(7), "{output:?}");
    assert_eq!(output.out(), format!("in\n{}\n", CANARY.len() + 1));
    // A failure that is nobody's on the network is not explained.
    assert_eq!(output.err(), "on-err\n");
    let killed = wrapped(&home, "off", &["sh", "-c", "kill -TERM $$"]).output();
    assert_eq!(killed.code, Some(143), "{killed:?}");
    let missing = wrapped(&home, "off", &["no-such-program-here"]).output();
    assert_eq!(missing.code, Some(127), "{missing:?}");
}

#[test]
fn the_requests_of_go_are_told_and_its_trace_is_not() {
    let (home, server) = (Home::new().without_telemetry(), Server::start(modules));
    let goproxy = format!("http://{}", server.authority());
    let words = ["go", "list", "-m", "-json", "h.test/lib@v1.0.0"];
    let output = without_canary(wrapped(&home, &goproxy, &words).output());
    assert_eq!(output.code, Some(0), "{output:?}");
    // Standard output is go's alone.
    serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON");
    assert!(!output.err().contains("# get"), "{output:?}");
    assert!(!server.seen().is_empty());
    // The settings of the person stay: a flag of theirs is still a flag.
    let verbose = ["go", "mod", "download", "-x", "h.test/lib@v1.0.0"];
    let output = without_canary(wrapped(&home, &goproxy, &verbose).output());
    assert!(output.err().contains("# get"), "they asked for it: {output:?}");
}

#[test]
fn a_failing_module_is_diagnosed_below_the_words_of_go() {
    let (home, server) = (Home::new().without_telemetry(), Server::start(modules));
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = closed.local_addr().expect("an address");
    drop(closed);
    let goproxy = format!("http://{dead}");
    let words = ["go", "mod", "download", "h.test/lib@v1.0.0"];
    let output = without_canary(wrapped(&home, &goproxy, &words).output());
    assert_eq!(output.code, Some(1), "{output:?}");
    let text = output.err();
    let (own, ours) = text.split_once("error[N01]").expect("the finding");
    assert!(own.contains("connection refused") && !own.contains("# get"), "{text}");
    assert!(own.contains("seconds  stage"), "{text}");
    assert!(
        own.lines().any(|line| line.contains("info") && line.contains("h.test/lib@v1.0.0")),
        "{text}"
    );
    assert!(ours.contains("gocred explain N01"), "{text}");
    // What gocred said itself, at that moment, is what is explained.
    let goproxy = format!("http://{}", server.authority());
    let words = ["go", "mod", "download", "h.test/refused@v1.0.0"];
    let output = without_canary(wrapped(&home, &goproxy, &words).output());
    assert!(output.err().contains("error[P02]"), "{output:?}");
}

#[test]
fn the_steps_of_git_are_measured_and_its_trace_is_gone_in_the_end() {
    let (home, server) = (Home::new(), Server::start(modules));
    let url = format!("http://alice:{CANARY}@{}/team/lib.git", server.authority());
    let output = without_canary(wrapped(&home, "off", &["git", "ls-remote", &url]).output());
    assert_eq!(output.code, Some(128), "{output:?}");
    let text = output.err();
    let line = text.lines().find(|line| line.contains("  fetch ")).expect("the step");
    assert!(line.contains(&format!("{}/team/lib.git", server.authority())), "{text}");
    assert!(text.contains("error["), "a finding: {text}");
    let left = fs::read_dir(home.runtime().join("gocred")).expect("the folder").flatten();
    let left: Vec<_> =
        left.filter(|it| it.file_name().to_string_lossy().contains("wrap")).collect();
    assert!(left.is_empty(), "{left:?}");
    // Who traces already goes on to do so.
    let own = home.path().join("own.jsonl");
    let run = wrapped(&home, "off", &["git", "ls-remote", &url]).env("GIT_TRACE2_EVENT", &own);
    assert_eq!(run.output().code, Some(128));
    assert!(fs::metadata(own).is_ok_and(|about| about.len() > 0));
}

#[test]
fn a_command_sees_a_terminal_and_gets_its_ctrl_c() {
    let home = Home::new();
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size <&2 >/dev/null && echo is-one; \
                  printf 'working\\r' >&2; exec sleep 60";
    // Who started the tests may ignore it, and then everybody below does.
    let Some(env) = program("env", "coreutils") else { return };
    let run = wrapped(&home, "off", &["sh", "-c", script]).inside(env, &["--default-signal=INT"]);
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("is-one");
    terminal.awaits("working\r");
    terminal.presses(3);
    assert_eq!(terminal.ends().0, Some(130));
}

#[test]
fn a_signal_that_only_we_get_is_passed_on() {
    let home = Home::new();
    let script = "trap 'echo got-it; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut command: Command = wrapped(&home, "off", &["sh", "-c", script]).command();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("gocred");
    let mut out = std::io::BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("a line");
    assert_eq!(line, "ready\n");
    kill_process(Pid::from_child(&child), Signal::TERM).expect("told");
    let status = eventually("it ends", || child.try_wait().expect("a child"));
    assert_eq!((status.code(), status.signal()), (Some(9), None));
}

#[test]
fn a_command_that_waits_in_silence_is_diagnosed_while_it_waits() {
    if program("git", "git").is_none() {
        return;
    }
    let home = Home::new().without_telemetry();
    // Connections are taken by the kernel, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let goproxy = format!("http://{}", silent.local_addr().expect("an address"));
    let words = ["timeout", "45", "git", "ls-remote", &format!("{goproxy}/team/lib.git")];
    let run = wrapped(&home, "off", &words).limit(Duration::from_secs(90));
    let output = without_canary(run.output());
    assert_eq!(output.code, Some(124), "{output:?}");
    let text = output.err();
    let (_, found) = text.split_once("nothing for 20 s; it waits for").expect("it was noticed");
    assert!(found.contains("error[H01]"), "{text}");
}
