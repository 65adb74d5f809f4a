//! `config show`, and the administrator's file: what it sets, what it locks, and who may write it.
//!
//! No variable and no flag moves that file, so that a user cannot move it either: each run gets an
//! `/etc` of its own, in a mount namespace.

use std::process::Command;

use super::support::{
    home::{GOCRED, HELPER, Home, Run},
    program, skipped,
};

/// Mounts an empty `/etc`, puts a file there with a mode, and runs a command.
const INSIDE: &str = "mount -t tmpfs -o mode=755 etc /etc && mkdir /etc/gocred && \
    cp \"$1\" /etc/gocred/config.toml && chmod \"$2\" /etc/gocred/config.toml && \
    chown \"$3\" /etc/gocred/config.toml && shift 3 && exec \"$@\"";

/// Who wrote the administrator's file, and who may.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    mode: &'static str,
    owner: &'static str,
}

pub(crate) const PROPERLY: Written = Written { mode: "644", owner: "0" };

/// Prepares a program of ours on a machine with such a file. `None`: skipped.
pub(crate) fn with_system(home: &Home, text: &str, written: Written, ours: &str) -> Option<Run> {
    let unshare = program("unshare", "util-linux")?;
    let namespaces = [&["--mount"][..], &["--mount", "--user", "--map-root-user"]];
    let works = |flags: &&&[&str]| {
        let status = Command::new(&unshare).args(**flags).arg("true").output();
        status.is_ok_and(|output| output.status.success())
    };
    let Some(flags) = namespaces.iter().find(works) else {
        skipped("this machine gives no namespaces");
        return None;
    };
    let file = home.write("system.toml", text);
    let file = file.to_str().expect("a path");
    let run = home.run(&unshare).args(flags.iter().copied());
    Some(run.args(["sh", "-c", INSIDE, "sh", file, written.mode, written.owner, ours]))
}

const SYSTEM: &str = "\
lock = [\"proxy.upstream\", \"git\"]
[proxy]
upstream = [\"http://proxy.corp.test:3128\"]
no_proxy = \".corp.test\"
";

#[test]
fn every_value_says_which_file_and_line_it_comes_from() {
    let home = Home::new();
    home.write(
        ".config/gocred/config.toml",
        "[proxy]\nupstream = [\"DIRECT\"]\nallow = [\"10.0.0.0/8\"]\n[host.\"git.test\"]\n",
    );
    let Some(run) = with_system(&home, SYSTEM, PROPERLY, GOCRED) else { return };
    let said = run.args(["config", "show", "--origin"]).output().success();
    let user = home.path().join(".config/gocred/config.toml");
    let user = user.display();
    let system = "/etc/gocred/config.toml";
    for line in [
        format!("# {user}:2: `proxy.upstream` has no effect, {system}:1 locks it"),
        format!("upstream = [\"http://proxy.corp.test:3128\"]  # {system}:3, locked by {system}:1"),
        format!("no_proxy = \".corp.test\"  # {system}:4"),
        format!("allow = [\"10.0.0.0/8\"]  # {user}:3"),
        "listen = [\"127.0.0.1:7407\", \"[::1]:7407\"]  # default".to_owned(),
        "# pac is not set  # default".to_owned(),
        format!("store = \"any\"  # default, locked by {system}:1"),
        "[host.\"git.test\"]".to_owned(),
    ] {
        assert!(said.lines().any(|found| found == line), "{line}\n{said}");
    }
}

#[test]
fn what_is_shown_can_be_pasted_back() {
    let home = Home::new();
    let text =
        "[proxy]\npac = \"~/p.pac\"\n[upstream.\"p:1\"]\nschemes = [\"NTLM\"]\nca = \"/c\"\n";
    home.write(".config/gocred/config.toml", text);
    let show =
        |flag: Option<&str>| home.gocred().args(["config", "show"]).args(flag).output().success();
    let (first, with_origin, json) = (show(None), show(Some("--origin")), show(Some("--json")));
    home.write(".config/gocred/config.toml", &first);
    assert_eq!(show(None), first);
    home.write(".config/gocred/config.toml", &with_origin);
    assert_eq!(show(None), first);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let values = json["values"].as_array().expect("a list");
    let pac = values.iter().find(|value| value["key"] == "proxy.pac").expect("a key");
    assert_eq!((&pac["value"], &pac["line"]), (&"~/p.pac".into(), &2.into()));
    assert_eq!(pac["origin"], "user");
}

#[test]
fn a_flag_or_a_login_does_not_get_past_a_lock() {
    let home = Home::new();
    for arguments in [
        &["proxy", "run", "--upstream", "DIRECT"][..],
        &["login", "--proxy", "http://other.test:8080", "--no-verify", "--username", "ana"],
    ] {
        let Some(run) = with_system(&home, SYSTEM, PROPERLY, GOCRED) else { return };
        let output = run.args(arguments.iter().copied()).output();
        assert_eq!(output.code, Some(7), "{output:?}");
        let said = output.err();
        assert!(said.contains("/etc/gocred/config.toml:1"), "{said}");
        assert!(said.contains("proxy.upstream"), "{said}");
    }
}

#[test]
fn another_spelling_of_a_table_does_not_get_past_a_lock() {
    const SYSTEM: &str = "\
lock = ['upstream.\"proxy.corp.test:8080\".schemes', 'host.\"git.corp.test\".allow_http']
[upstream.\"proxy.corp.test:8080\"]
schemes = [\"Negotiate\"]
";
    let home = Home::new();
    home.write(
        ".config/gocred/config.toml",
        "[upstream.\"http://Proxy.corp.test:8080\"]\nschemes = [\"Basic\"]\nspn = \"HTTP/p\"\n",
    );
    let Some(run) = with_system(&home, SYSTEM, PROPERLY, GOCRED) else { return };
    let said = run.args(["config", "show", "--origin"]).output().success();
    let user = home.path().join(".config/gocred/config.toml");
    let (user, system) = (user.display(), "/etc/gocred/config.toml");
    let key = "upstream.\"http://Proxy.corp.test:8080\".schemes";
    assert!(said.contains(&format!("# {user}:2: `{key}` has no effect, {system}:1 locks it")));
    let row = format!("schemes = [\"Negotiate\"]  # {system}:3, locked by {system}:1");
    assert_eq!(said.lines().filter(|line| *line == row).count(), 2, "{said}");
    assert!(!said.contains("Basic"), "{said}");
    for host in ["http://git.corp.test", "http://git.corp.test:80", "http://GIT.corp.test:8080"] {
        let Some(run) = with_system(&home, SYSTEM, PROPERLY, GOCRED) else { return };
        let login = ["login", host, "--allow-http", "--no-verify", "--username", "ana"];
        let output = run.args(login).output();
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.err().contains("/etc/gocred/config.toml:1"), "{output:?}");
    }
}

#[test]
fn the_helper_reads_the_file_of_the_administrator() {
    let home = Home::new();
    let Some(run) = with_system(&home, "lock = [\"git.stroe\"]", PROPERLY, HELPER) else { return };
    let question = "protocol=https\nhost=git.corp.test\n\n";
    let output = run.arg("get").env("GOPRIVATE", "git.corp.test").input(question).output();
    let said = output.err();
    assert!(said.contains("/etc/gocred/config.toml:1") && said.contains("git.store"), "{said}");
}

#[test]
fn a_file_that_others_may_write_is_not_the_administrators() {
    let home = Home::new();
    let may_chown = rustix::process::getuid().is_root() && {
        let home = Home::new();
        let file = home.write("file", "");
        std::os::unix::fs::chown(file, Some(65534), None).is_ok()
    };
    let foreign = may_chown.then_some(Written { mode: "644", owner: "65534" });
    if foreign.is_none() {
        skipped("only root can give a file away");
    }
    let shared = ["666", "664", "646"].map(|mode| Written { mode, owner: "0" });
    for written in shared.into_iter().chain(foreign) {
        let Some(run) = with_system(&home, SYSTEM, written, GOCRED) else { return };
        let output = run.args(["config", "show"]).output();
        assert_eq!(output.code, Some(3), "{output:?}");
        let said = output.err();
        assert!(said.contains("/etc/gocred/config.toml"), "{said}");
        assert!(said.contains("so it is not the administrator's"), "{said}");
        assert!(said.contains("root"), "{said}");
    }
}

#[test]
fn no_variable_moves_the_file_of_the_administrator() {
    let home = Home::new();
    home.write("etc/gocred/config.toml", "[proxy]\nno_proxy = \"moved\"\n");
    let output = home
        .gocred()
        .args(["config", "show"])
        .env("XDG_CONFIG_DIRS", home.path().join("etc"))
        .output()
        .success();
    assert!(!output.contains("moved"), "{output}");
}
