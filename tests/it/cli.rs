//! Exit codes (product.md), the generated pages, `env`, and the terminal.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::support::{home::Home, keyring::Keyring, program};

#[test]
fn a_wrong_command_line_is_2_and_help_is_0() {
    let home = Home::new();
    for arguments in [&["nonsense"][..], &["login"], &["login", "h", "--proxy", "x"], &[]] {
        let output = home.gocred().args(arguments.iter().copied()).output();
        assert_eq!(output.code, Some(2), "{arguments:?} {output:?}");
    }
    home.gocred().arg("--help").output().success();
}

#[test]
fn a_wrong_configuration_is_3_with_its_line() {
    let home = Home::new();
    home.write(".config/gocred/config.toml", "[proxy]\nupstraem = \"hunter2\"\n");
    let output = home.gocred().arg("list").output();
    assert_eq!(output.code, Some(3));
    let said = output.err();
    assert!(said.contains("config.toml:2") && said.contains("did you mean"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_describes_ends_or_removes_gocred_works_with_a_broken_configuration() {
    let home = Home::new();
    let go_env = || std::fs::read_to_string(home.path().join(".config/go/env")).ok();
    home.gocred().args(["setup", "--go", "--yes"]).output().success();
    assert!(go_env().is_some_and(|text| text.contains("goauth")));
    home.write(".config/gocred/config.toml", "[proxy]\nupstraem = []\n");
    home.gocred().args(["completions", "bash"]).output().success();
    home.gocred().arg("man").output().success();
    let stop = home.gocred().args(["proxy", "stop"]).output();
    assert_eq!(stop.code, Some(1), "{stop:?}");
    home.gocred().args(["setup", "--undo"]).output().success();
    assert_eq!(go_env(), None);
}

#[test]
fn an_answer_that_cannot_be_written_is_no_success_and_a_closed_pipe_is_no_failure() {
    let home = Home::new();
    let said = |script: &str| {
        let script = format!("'{}' {script}", super::support::home::GOCRED);
        home.run("/bin/sh").args(["-c", &script]).output()
    };
    let full = said("env >/dev/full");
    assert_eq!(full.code, Some(3), "{full:?}");
    assert!(full.err().contains("standard output"), "{full:?}");
    let closed = said("env 2>&1 >&- | true; true");
    assert_eq!((closed.code, closed.err().as_str()), (Some(0), ""), "{closed:?}");
    let gone = said("setup --dry-run | true");
    assert_eq!((gone.code, gone.err().as_str()), (Some(0), ""), "{gone:?}");
}

#[test]
fn an_unreachable_host_is_6_and_clear_text_is_7() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let home = Home::new();
    let login = |host: &str| {
        let run = home.gocred().args(["login", host, "--username", "ana", "--with-token"]);
        run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).input("hunter2").output()
    };
    // Port 1 of loopback is closed, and nobody asks a name server for an address.
    let output = login("127.0.0.1:1");
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.err().contains("--no-verify"), "{output:?}");
    assert_eq!(login("http://git.test").code, Some(7));
}

#[test]
fn a_login_without_terminal_and_without_token_is_a_usage_error() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let home = Home::new();
    let run = |arguments: &[&str]| {
        let run = home.gocred().args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output()
    };
    let output = run(&["login", "git.test", "--no-verify"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err().contains("--username"), "{output:?}");
    let output = run(&["login", "git.test", "--no-verify", "--username", "ana"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err().contains("--with-token"), "{output:?}");
}

#[test]
fn completions_and_pages_are_generated() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.gocred().args(["completions", shell]).output().success();
        assert!(script.contains("gocred"), "{shell}");
    }
    assert!(home.gocred().arg("man").output().success().contains(".TH"));
    home.gocred().args(["man", "pages"]).output().success();
    for page in ["gocred.1", "gocred-login.1", "gocred-proxy-run.1"] {
        assert!(home.path().join("pages").join(page).is_file(), "{page}");
    }
}

#[test]
fn real_shells_read_the_lines_of_env() {
    let home = Home::new();
    home.write(
        ".config/gocred/config.toml",
        "[proxy]\nlisten = [\"127.0.0.1:7999\"]\nupstream = [\"http://corp.test:1\"]\n\
         no_proxy = \".corp.test\"\n",
    );
    let env = |shell: &str, unset: &[&str]| {
        let run = home.gocred().args(["env", "--shell", shell]).args(unset.iter().copied());
        run.env("NO_PROXY", "a'b.test").output().success()
    };
    let wanted =
        "http://127.0.0.1:7999|http://127.0.0.1:7999|a'b.test,.corp.test,localhost,127.0.0.1,::1";
    let show = "printf '%s|%s|%s' \"$HTTPS_PROXY\" \"$http_proxy\" \"$no_proxy\"";
    for shell in ["sh", "bash", "zsh"] {
        let Some(program) = program(shell, shell) else { return };
        let script = format!("{}\n{show}", env("sh", &[]));
        assert_eq!(home.run(&program).args(["-c", &script]).output().success(), wanted, "{shell}");
        let script = format!("{}\n{}\n{show}", env("sh", &[]), env("sh", &["--unset"]));
        assert_eq!(home.run(&program).args(["-c", &script]).output().success(), "||", "{shell}");
    }
    let Some(fish) = program("fish", "fish") else { return };
    let script = format!("{}\n{show}", env("fish", &[]));
    assert_eq!(home.run(&fish).args(["-c", &script]).output().success(), wanted);
    let script = format!("{}\n{}\n{show}", env("fish", &[]), env("fish", &["--unset"]));
    assert_eq!(home.run(&fish).args(["-c", &script]).output().success(), "||");
    assert!(env("powershell", &[]).contains("$env:NO_PROXY = 'a''b.test,"));
}

/// Runs its arguments on a terminal of its own; waits for each prompt of the script and types.
/// Prints the terminal's output, whether it echoed while the secret was typed, and the exit code.
const TERMINAL: &str = r#"
import os, pty, select, sys, termios, time
script = eval(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
def read(until):
    global seen
    end = time.time() + 20
    while time.time() < end:
        if until is not None and until in seen:
            return True
        if select.select([fd], [], [], 0.05)[0]:
            try:
                part = os.read(fd, 4096)
            except OSError:
                return False
            if not part:
                return False
            seen += part
    return False
def echo():
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)
for prompt, typed in script:
    if not read(prompt):
        print("NO PROMPT", prompt)
        break
    end = time.time() + 20
    while b"Token" in prompt and echo() and time.time() < end:
        time.sleep(0.002)
    print("echo", echo())
    os.write(fd, typed)
    seen = seen.replace(prompt, b"<asked>")
read(None)
_, status = os.waitpid(pid, 0)
print(seen.decode())
print("exit", os.waitstatus_to_exitcode(status), "echo", echo())
"#;

#[test]
fn a_prompt_shows_nothing_and_stores_what_was_typed() {
    let (Some(keyring), Some(python)) = (Keyring::unlocked(), program("python3", "python3")) else {
        return;
    };
    let home = Home::new();
    let on_terminal = |script: &str, arguments: &[&str]| {
        let run = home.run(&python).args(["-c", TERMINAL, script, super::support::home::GOCRED]);
        let run = run.args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output().success()
    };
    let said = on_terminal(
        r#"[(b"Account at git.test: ", b"ana\n"), (b"Token or password of ana at git.test: ", b"hunter2\n"), (b"git.test/? [Y/n] ", b"n\n"), (b"gocred? [Y/n] ", b"n\n")]"#,
        &["login", "git.test", "--no-verify"],
    );
    assert!(!said.contains("hunter2") && !said.contains("NO PROMPT"), "{said}");
    assert!(said.starts_with("echo True\necho False\necho True\necho True\n"), "{said}");
    // What became of the secret is told before the next question.
    let (before, _) = said.split_once("Do import paths of private").expect("the question");
    assert!(before.contains("stored in Secret Service: ana at git.test"), "{said}");
    assert!(said.trim_end().ends_with("exit 0 echo True"), "{said}");
    assert!(!home.path().join(".gitconfig").exists());
    let listed = home.gocred().arg("list");
    let listed = listed.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output().success();
    assert!(listed.contains("ana"), "{listed}");
}

#[test]
fn a_yes_wires_git_and_go_and_a_ctrl_c_leaves_them() {
    let (Some(keyring), Some(python)) = (Keyring::unlocked(), program("python3", "python3")) else {
        return;
    };
    let home = Home::new();
    let answer = |typed: &str| {
        let secret = r#"(b"Token or password of ana at git.test: ", b"hunter2\n")"#;
        let script =
            format!("[{secret}, (b'git.test/? [Y/n] ', b'\\n'), (b'gocred? [Y/n] ', b'{typed}')]");
        let run = home.run(&python).args(["-c", TERMINAL, &script, super::support::home::GOCRED]);
        let run = run.args(["login", "git.test", "--no-verify", "--username", "ana"]);
        run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output().success()
    };
    let said = answer("\\x03");
    assert!(said.contains("ana at git.test") && said.contains("exit 130"), "{said}");
    assert!(said.contains("\nerror: interrupted"), "{said}");
    assert!(!home.path().join(".gitconfig").exists());
    let said = answer("\\n");
    assert!(said.contains("already signed in") && said.contains("exit 0"), "{said}");
    assert!(home.path().join(".gitconfig").exists() && home.config().join("go/env").exists());
    let go = std::fs::read_to_string(home.config().join("go/env")).expect("go's file");
    assert!(go.contains("GOPRIVATE=git.test\n"), "{go}");
}

#[test]
fn the_running_proxy_is_found_by_env_and_status() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let home = Home::new();
    let run = |arguments: &[&str]| {
        let run = home.gocred().args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
    };
    let mut proxy = run(&["proxy", "run", "--listen", "127.0.0.1:0"])
        .command()
        .stdout(Stdio::piped())
        .spawn()
        .expect("a proxy");
    let mut line = String::new();
    BufReader::new(proxy.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("listening on ").expect("the line").to_owned();
    let env = run(&["env"]).output().success();
    assert!(env.contains(&format!("export HTTPS_PROXY='{url}'")), "{env} {url}");
    let status = run(&["status"]).output().success();
    assert!(status.contains(&format!("proxy: running on {url}")), "{status}");
    run(&["proxy", "stop"]).output().success();
    assert!(proxy.wait().expect("its end").success());
    assert!(run(&["status"]).output().success().contains("proxy: not running"));
}

#[test]
fn ctrl_c_at_a_prompt_is_130_and_the_terminal_echoes_again() {
    let (Some(keyring), Some(python)) = (Keyring::unlocked(), program("python3", "python3")) else {
        return;
    };
    let home = Home::new();
    let arguments = ["login", "git.test", "--no-verify"];
    for script in [
        r#"[(b"Account at git.test: ", b"\x03")]"#,
        r#"[(b"Account at git.test: ", b"ana\n"), (b"Token or password of ana at git.test: ", b"hun\x03")]"#,
    ] {
        let run = home.run(&python).args(["-c", TERMINAL, script, super::support::home::GOCRED]);
        let run = run.args(arguments).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        let said = run.output().success();
        assert!(said.trim_end().ends_with("exit 130 echo True"), "{said}");
    }
    let listed = home.gocred().args(["list", "--json"]);
    let listed = listed.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output().success();
    assert!(listed.contains("\"entries\":[]"), "{listed}");
}

#[test]
fn every_exit_code_has_its_own_number() {
    use gocred::core::fault::{EXIT_CODES, Kind};
    let kinds = [
        Kind::NotFound,
        Kind::Usage,
        Kind::Config,
        Kind::Rejected,
        Kind::Store,
        Kind::Network,
        Kind::Policy,
        Kind::Internal,
        Kind::Interrupted,
    ];
    let codes: BTreeSet<u8> = kinds.iter().map(|kind| kind.exit_code()).collect();
    assert_eq!(codes.len(), kinds.len());
    let told: BTreeSet<u8> =
        EXIT_CODES.iter().map(|(code, _)| *code).filter(|code| *code != 0).collect();
    assert_eq!(codes, told);
}
