//! `gocred exec`: a tree of processes has its credentials, and when it ends, by whatever, nothing of it is
//! left: no process, no file, no socket, no secret.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use gocred::sys::clock;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    bao::{Bao, ROOT},
    developer::{Developer, UPSTREAM},
    eventually,
    git::gits,
    go::Release,
    home::{GOCRED, Home},
    lab::Lab,
};

/// Puts an account of the lab into `OpenBao`, and has a home ask there.
fn with_openbao(home: &Home, lab: &Lab, bao: &Bao, account: &str) {
    let account = lab.account(account);
    let user = format!("username={}", account.user);
    let put = bao.run(["kv", "put", "secret/git/git.corp.test", &user, "password=-"]);
    put.input(account.secret).output().success();
    let token = home.write("token", ROOT);
    fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("0600");
    let text = format!(
        "[store]\nname = \"openbao\"\n[openbao]\naddress = \"{}\"\nlogin = \"token\"\n\
         token_file = \"{}\"\n[source.\"git.corp.test\"]\nfrom = \"openbao\"\n\
         path = \"secret/data/git/{{host}}\"\n",
        bao.address(),
        token.display()
    );
    home.write(".config/gocred/config.toml", text);
}

#[test]
fn go_of_each_release_fetches_private_modules_without_a_store_a_login_or_a_set_up() {
    let Some(lab) = Lab::enter() else { return };
    let Some(bao) = Bao::start() else { return };
    for release in [Release::Go123, Release::Go124, Release::Go127] {
        let Some(mut developer) = Developer::headless(&lab, release) else { return };
        // A netrc cannot hold a blank.
        let account = if matches!(release, Release::Go123) { "TOKEN" } else { "GIT" };
        with_openbao(&developer.home, &lab, &bao, account);
        developer.export("GOPRIVATE", "git.corp.test");
        developer.need("git.corp.test/team/dep");
        let files = || listed(&developer.home.path().join("run"));
        let before = files();
        developer.gocred(&["exec", "--", "go", "mod", "download"]).success();
        developer.gocred(&["exec", "--", "go", "mod", "tidy"]).success();
        assert_eq!(files(), before);
        assert_eq!(developer.leaks(&lab), [""; 0], "{release:?}");
        let failed = developer.run("go", &["list", "-m", "git.corp.test/team/lib@latest"], "");
        assert_ne!(failed.code, Some(0), "outside of it, there is no credential");
    }
}

#[test]
fn it_goes_through_the_proxy_that_is_configured() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    developer.login(&lab, "GIT", &["git.corp.test"]).success();
    developer.home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\nupstream = [\"{UPSTREAM}\"]\nallow = [\"127.77.0.0/16\"]\n"),
    );
    developer.login(&lab, "PROXY", &["--proxy", UPSTREAM]).success();
    lab.forget();
    let url = "https://git.corp.test/team/lib.git";
    let output = developer.gocred(&["exec", "--", "git", "ls-remote", url]);
    assert_eq!(output.err(), "");
    let said = output.success();
    assert!(said.contains("refs/tags/v1.0.0"), "{said}");
    let tunnels = eventually("squid logs the tunnels", || {
        let tunnels = lab.tunnels();
        tunnels.iter().any(|tunnel| tunnel.status == 200).then_some(tunnels)
    });
    assert!(tunnels.iter().any(|it| it.target == "git.corp.test:443"), "{tunnels:?}");
    assert_eq!(developer.leaks(&lab), [""; 0]);
}

/// A home whose source says each time that it is asked.
fn counted() -> (Home, PathBuf) {
    let home = Home::new();
    let script = "#!/bin/sh\necho x >>\"${0%/*}/runs\"\necho s3cret\n";
    let give = home.write("bin/give", script);
    fs::set_permissions(&give, PermissionsExt::from_mode(0o755)).expect("0755");
    let text = format!(
        "[source.\"git.corp.test\"]\nfrom = \"exec\"\ncommand = [\"{}\"]\nuser = \"bot\"\n\
         cache = \"5m\"\n",
        give.display()
    );
    home.write(".config/gocred/config.toml", text);
    let runs = home.path().join("bin/runs");
    (home, runs)
}

const FILL: &str = "printf 'protocol=https\\nhost=git.corp.test\\n\\n' | git credential fill";

#[test]
fn a_tree_has_one_agent_and_the_helpers_of_others_have_no_part_in_it() {
    let (home, runs) = counted();
    assert!(!gits().is_empty());
    home.write(".gitconfig", "[credential]\n\thelper = store\n");
    let approve = "printf 'protocol=https\\nhost=git.corp.test\\nusername=bot\\n\
                   password=s3cret\\n\\n' | git credential approve";
    let script = format!("{FILL}; {FILL}; {approve}; {FILL}; env");
    let out = home.gocred().args(["exec", "sh", "-c", &script]).output().success();
    assert_eq!(out.matches("password=s3cret").count(), 3, "{out}");
    assert_eq!(fs::read_to_string(&runs).expect("runs").lines().count(), 1);
    assert!(!home.path().join(".git-credentials").exists());
    let value = |name: &str| {
        let start = format!("{name}=");
        out.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
    };
    assert!(value("GOCRED_AGENT").starts_with("@gocred-exec-"), "{out}");
    assert!(value("GOAUTH").starts_with(&format!("{GOCRED} goauth;")), "{out}");
    assert_eq!(value("GIT_CONFIG_COUNT"), "2");
    assert_eq!(value("HTTPS_PROXY"), "");
    // What git has from its environment already stays.
    let mine = home.gocred().args(["exec", "--", "git", "config", "--get-regexp", "user|cred"]);
    let mine = mine
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "user.name")
        .env("GIT_CONFIG_VALUE_0", "ana")
        .output()
        .success();
    assert!(mine.contains("user.name ana") && mine.contains("git-credential-gocred"), "{mine}");
    assert_eq!(listed(&home.runtime()), [""; 0]);
}

#[test]
fn it_ends_as_the_command_does() {
    let (home, _) = counted();
    for (words, code) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["true"], 0),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["no-such-program"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let output = home.gocred().args(["exec", "--"]).args(words.to_vec()).output();
        assert_eq!(output.code, Some(code), "{words:?}: {output:?}");
    }
    let cat = home.gocred().args(["exec", "cat"]).input("in").output();
    assert_eq!(cat.success(), "in");
    assert_eq!(home.gocred().arg("exec").output().code, Some(2));
}

/// A running `gocred exec` with a tree below it: a shell, a child of it, and one that has left both.
struct Tree {
    home: Home,
    child: Child,
    /// The keeper, the command, its child, and the one that has left.
    keeper: i32,
    command: i32,
    others: [i32; 2],
}

impl Tree {
    fn start(trap: &str) -> Self {
        let (home, _) = counted();
        let script = format!(
            "{trap} {FILL} >/dev/null; sleep 1000 & a=$!; \
             b=$(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'); \
             echo $PPID $$ $a $b; while :; do wait; done"
        );
        let words = ["--default-signal", GOCRED, "exec", "--", "sh", "-c", &script];
        // Who starts the tests in the background has them ignore SIGINT.
        let mut command = home.run("/usr/bin/env").args(words).command();
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("gocred exec");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let pids: Vec<i32> =
            line.split_whitespace().map(|pid| pid.parse().expect("a pid")).collect();
        let [keeper, command, inner, away] = pids[..] else { unreachable!("{line:?}") };
        Self { home, child, keeper, command, others: [inner, away] }
    }

    fn own(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Waits until nothing of it is left.
    fn is_gone(&mut self) {
        eventually("its end", || self.child.try_wait().expect("a child"));
        let [inner, away] = self.others;
        for pid in [self.keeper, self.command, inner, away] {
            eventually(&format!("{pid} is gone"), || (!is_running(pid)).then_some(()));
        }
        assert_eq!(listed(&self.home.runtime()), [""; 0]);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a pid"), signal).expect("killed");
}

#[test]
fn whichever_is_killed_nothing_is_left() {
    for victim in ["exec", "keeper", "command"] {
        let mut tree = Tree::start("");
        let pid = match victim {
            "exec" => tree.own(),
            "keeper" => tree.keeper,
            _ => tree.command,
        };
        kill(pid, Signal::KILL);
        tree.is_gone();
    }
    // Both guards at once, as `killall -9 gocred` does: the kernel ends the command.
    let mut tree = Tree::start("");
    kill(tree.own(), Signal::STOP);
    kill(tree.keeper, Signal::KILL);
    kill(tree.own(), Signal::KILL);
    tree.child.wait().expect("an end");
    let command = tree.command;
    eventually("the command is gone", || (!is_running(command)).then_some(()));
    for pid in tree.others {
        if is_running(pid) {
            kill(pid, Signal::KILL);
        }
    }
}

#[test]
fn a_signal_reaches_the_command_which_decides() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR1] {
        let mut tree = Tree::start("trap 'exit 3' TERM INT HUP USR1;");
        kill(tree.own(), signal);
        let status = eventually("its end", || tree.child.try_wait().expect("a child"));
        assert_eq!(status.code(), Some(3), "{signal:?}");
        tree.is_gone();
    }
}

#[test]
fn what_is_ignored_stays_ignored_below() {
    let (home, _) = counted();
    let nohup = "trap '' HUP INT; exec \"$0\" exec -- sh -c 'kill -HUP $$; kill -INT $PPID; \
                 grep SigIgn /proc/self/status; echo alive'";
    let shell = ["--default-signal", "/bin/sh", "-c", nohup, GOCRED];
    let output = home.run("/usr/bin/env").args(shell).output();
    assert!(output.out().ends_with("alive\n"), "{output:?}");
    let out = output.success();
    let mask = out.split_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok());
    // HUP, INT and QUIT; above 31 are those of the C library.
    assert_eq!(mask.map(|mask| mask & 7), Some(3));
}

#[test]
fn the_netrc_of_an_old_go_is_in_no_folder_and_empty_when_the_tree_has_ended() {
    let (home, _) = counted();
    home.write(".netrc", "machine other.test login ana password pw\n");
    // A `go` that says which one it is, as the wrapper of PyPI does.
    let go = home.write("old/go", "#!/bin/sh\necho go1.23.9\n");
    fs::set_permissions(&go, PermissionsExt::from_mode(0o755)).expect("0755");
    let path = format!("{}:{}", home.path().join("old").display(), crate::support::path());
    let run = |script: &str| {
        let run = home.gocred().args(["exec", "--", "sh", "-c", script]).env("PATH", &*path);
        run.output().success()
    };
    let out = run("echo $NETRC; cat $NETRC");
    let expected = "machine git.corp.test login bot password s3cret\n\
                    machine other.test login ana password pw\n";
    let (name, held) = out.split_once('\n').expect("a path");
    assert!(name.starts_with("/dev/fd/1"), "{out}");
    assert_eq!(held, expected);
    // A script that uses small numbers for its own files does not lose it.
    assert_eq!(run("exec 3>/dev/null 4>&3; cat $NETRC"), expected);
    // What ends is written anew before.
    let end = clock::now() + 10;
    let script = format!(
        "#!/bin/sh\nn=$(cat ${{0%/*}}/n 2>/dev/null || echo 0); echo $((n+1)) >${{0%/*}}/n\n\
         echo '{{\"username\":\"bot\",\"password\":\"'p$n'\",\"expires_at\":'$(({end}+n*3600))'}}'\n"
    );
    let give = home.write("bin/give", script);
    fs::set_permissions(&give, PermissionsExt::from_mode(0o755)).expect("0755");
    let wait = "head -1 $NETRC; for i in $(seq 900); do \
                grep -q 'password p1' $NETRC && break; sleep 0.02; done; head -1 $NETRC";
    let line = |n| format!("machine git.corp.test login bot password p{n}\n");
    assert_eq!(run(wait), line(0) + &line(1));
    // Somebody who has it open beyond the end finds nothing in it.
    let mut command = home.gocred().args(["exec", "--", "sh", "-c", "echo $NETRC; cat"]).command();
    let command = command.env("PATH", &*path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("gocred exec");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("a line");
    let number = line.trim().rsplit('/').next().expect("a number").to_owned();
    let held = fs::File::open(format!("/proc/{}/fd/{number}", child.id()));
    writeln!(child.stdin.take().expect("stdin"), "end").expect("written");
    child.wait().expect("an end");
    // Only root may look into it at all.
    if let Ok(held) = held {
        assert_eq!(held.metadata().expect("a file").len(), 0);
    }
    let new = home.write("new/go", "#!/bin/sh\necho go1.24.1\n");
    fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).expect("0755");
    let path = format!("{}:{}", home.path().join("new").display(), crate::support::path());
    let run = home.gocred().args(["exec", "--", "sh", "-c", "echo $NETRC"]).env("PATH", &*path);
    assert_eq!(run.output().success(), "\n");
}

/// Returns the files below a folder, but for those of an agent that belongs to nobody here.
fn listed(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(listed(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    found
}
