//! The proxy as a service: sockets that are handed over, what the manager is told, and a reload.

use std::{
    fs,
    net::TcpListener,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    config::{PROPERLY, with_system},
    proxy_lab::{Client, Daemon, Upstream, proxy, status},
    support::{
        eventually,
        home::{GOCRED, HELPER, Home, Run},
        program, skipped,
    },
};

const REQUEST: &str = "GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Listens on addresses as systemd does, and starts `gocred proxy run` with the first connection.
/// `None`: skipped.
fn activated(home: &Home, addresses: &[String], arguments: &[&str]) -> Option<Running> {
    let activate = program("systemd-socket-activate", "systemd")?;
    Some(activated_by(home.run(&activate), home, addresses, arguments))
}

/// The same, with the prepared `systemd-socket-activate`.
fn activated_by(mut run: Run, home: &Home, addresses: &[String], arguments: &[&str]) -> Running {
    for address in addresses {
        run = run.arg(format!("--listen={address}"));
    }
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "NOTIFY_SOCKET"] {
        run = run.arg(format!("--setenv={name}"));
    }
    let mut command = run
        .env("NOTIFY_SOCKET", home.path().join("notify"))
        .arg(GOCRED)
        .args(["proxy", "run"])
        .args(arguments.iter().copied())
        .command();
    let log = fs::File::create(home.path().join("log")).expect("a log");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    let child = Running(child.expect("systemd-socket-activate"));
    eventually("the sockets are open", || {
        let log = fs::read_to_string(home.path().join("log")).unwrap_or_default();
        (log.matches("Listening on").count() == addresses.len()).then_some(())
    });
    child
}

/// Returns an address with a port that nobody has, as far as one can know.
fn free(host: &str) -> String {
    TcpListener::bind(format!("{host}:0"))
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .to_string()
}

/// The socket that the manager listens on.
fn manager(home: &Home) -> UnixDatagram {
    let manager = UnixDatagram::bind(home.path().join("notify")).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    manager
}

fn told(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let length = manager.recv(&mut bytes).expect("a message");
    String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned()
}

#[test]
fn the_connection_that_starts_it_is_served_on_every_socket_that_was_handed_over() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let manager = manager(&home);
    let text =
        format!("[proxy]\nupstream = [\"{}\"]\nlisten = [\"127.0.0.1:1\"]\n", upstream.url());
    home.write(".config/gocred/config.toml", text);
    let addresses = [free("127.0.0.1"), free("[::1]")];
    let Some(mut service) = activated(&home, &addresses, &[]) else { return };
    for address in &addresses {
        let mut client = Client::to(address.parse().expect("an address"));
        client.send(REQUEST);
        let answer = client.until_end();
        assert_eq!(status(&answer), "200", "{address}: {answer}");
    }
    assert_eq!(told(&manager), "READY=1");
    let report = home.gocred().args(["proxy", "status"]).output().success();
    for address in &addresses {
        assert!(report.contains(address.as_str()), "{report}");
    }
    kill_process(Pid::from_child(&service.0), Signal::TERM).expect("a signal");
    assert_eq!(told(&manager), "STOPPING=1");
    assert!(service.0.wait().expect("an end").success());
}

#[test]
fn a_socket_that_is_not_on_loopback_is_refused() {
    let home = Home::new();
    let (open, inside) = (free("0.0.0.0"), free("127.0.0.1"));
    for (addresses, arguments, why) in [
        (vec![inside.clone(), open], &[][..], "is not a loopback address"),
        (
            vec![home.path().join("socket").display().to_string()],
            &[],
            "is not where the control socket is looked for",
        ),
        (vec![inside], &["--listen", "127.0.0.1:0"], "--listen, and sockets"),
    ] {
        let Some(mut service) = activated(&home, &addresses, arguments) else { return };
        let first = addresses.first().expect("an address");
        match first.parse() {
            Ok(address) => drop(Client::to(address)),
            Err(_) => drop(std::os::unix::net::UnixStream::connect(first).expect("connected")),
        }
        assert!(!service.0.wait().expect("an end").success());
        let log = fs::read_to_string(home.path().join("log")).expect("a log");
        assert!(log.contains(why), "{log}");
        assert!(!log.contains("listening on"), "{log}");
    }
}

#[test]
fn a_socket_is_no_way_around_a_lock_on_the_addresses() {
    let activate = program("systemd-socket-activate", "systemd");
    let Some(activate) = activate.as_ref().and_then(|path| path.to_str()) else { return };
    let (listed, other) = (free("127.0.0.1"), free("127.0.0.1"));
    let listed_only = format!("lock = [\"proxy.listen\"]\n[proxy]\nlisten = [\"{listed}\"]\n");
    for (system, address, serves) in [
        (listed_only.as_str(), &listed, true),
        (&listed_only, &other, false),
        // The default is what is locked then.
        ("lock = [\"proxy\"]\n", &other, false),
    ] {
        let home = Home::new();
        let Some(run) = with_system(&home, system, PROPERLY, activate) else { return };
        let mut service = activated_by(run, &home, std::slice::from_ref(address), &[]);
        let mut client = Client::to(address.parse().expect("an address"));
        if serves {
            client.send(REQUEST);
            assert!(client.head().is_some_and(|head| head.starts_with("HTTP/1.1 ")));
            continue;
        }
        let end = eventually("it ends", || service.0.try_wait().expect("a status"));
        assert_eq!(end.code(), Some(7));
        let log = fs::read_to_string(home.path().join("log")).expect("a log");
        assert!(log.contains(address.as_str()) && log.contains("config.toml:1"), "{log}");
    }
}

#[test]
fn sockets_of_another_process_are_left_alone() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let run = proxy(&home, &[upstream.url()]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let daemon = Daemon::start(&run);
    assert_eq!(status(&daemon.ask(REQUEST)), "200");
}

#[test]
fn a_reload_of_what_is_wrong_says_so_and_changes_nothing() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let log = home.path().join("log");
    // Without a terminal, as a service manager starts it.
    let Some(setsid) = program("setsid", "util-linux") else { return };
    let run = home.run(&setsid).arg(GOCRED).args(["proxy", "run", "--listen", "127.0.0.1:0"]);
    let run = run.args(["--upstream", &upstream.url()]);
    let daemon = Daemon::telling(&run, fs::File::create(&log).expect("a log"));
    home.write(".config/gocred/config.toml", "[proxy]\nupstraem = []\n");
    let output = home.gocred().args(["proxy", "reload"]).output();
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err().contains("config.toml:2"), "{output:?}");
    daemon.signal(Signal::HUP);
    let said = eventually("the signal is heard", || {
        fs::read_to_string(&log).ok().filter(|log| !log.is_empty())
    });
    assert!(said.contains("config.toml:2") && said.contains("did you mean"), "{said}");
    assert_eq!(status(&daemon.ask(REQUEST)), "200");
}

#[test]
fn a_reload_sends_what_is_new_another_way_and_leaves_a_tunnel_alone() {
    let (home, first, second) = (Home::new(), Upstream::echo(), Upstream::echo());
    let through = |upstream: &Upstream| {
        let text = format!("[proxy]\nupstream = [\"{}\"]\n", upstream.url());
        home.write(".config/gocred/config.toml", text);
    };
    through(&first);
    let daemon = Daemon::start(&proxy(&home, &[]));
    let mut tunnel = daemon.client();
    tunnel.send("CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(status(&tunnel.head().expect("an answer")), "200");
    through(&second);
    home.gocred().args(["proxy", "reload"]).output().success();
    assert_eq!(status(&daemon.ask(REQUEST)), "200");
    assert_eq!((first.connections(), second.connections()), (1, 1));
    tunnel.send("still here");
    tunnel.until("still here");
}

#[test]
fn nobody_is_reloaded_or_started_where_there_is_nobody() {
    let home = Home::new();
    for command in ["reload", "start", "uninstall"] {
        let output = home.gocred().args(["proxy", command]).output();
        assert_eq!(output.code, Some(1), "{command}: {output:?}");
    }
}

/// Prepares a command in a session of its own with a real `systemd --user`. `None`: skipped.
pub(crate) fn session(home: &Home) -> Option<Run> {
    program("systemd-socket-activate", "systemd")?;
    if !rustix::process::getuid().is_root() {
        skipped("only root can give a service manager a cgroup");
        return None;
    }
    Some(home.run(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/session.sh")))
}

#[test]
fn the_service_is_installed_serves_stops_and_is_gone_again() {
    const SCRIPT: &str = r#"
        set -eu
        gocred=$1
        verdict() { "$@" && echo "yes: $*" || echo "no: $*"; }
        "$gocred" proxy install
        systemd-analyze --user --man=no verify "$XDG_CONFIG_HOME"/systemd/user/gocred-proxy.*
        verdict "$gocred" proxy status
        curl -sS -x "$2" http://127.0.0.1:1/
        "$gocred" proxy status
        "$gocred" proxy install >/dev/null
        verdict "$gocred" proxy status
        curl -sS -x "$2" http://127.0.0.1:1/ >/dev/null
        systemctl --user reload gocred-proxy.service
        echo "manager: $(systemctl --user is-active gocred-proxy.service)"
        "$gocred" proxy stop
        verdict "$gocred" proxy status
        verdict curl -s -x "$2" http://127.0.0.1:1/
        "$gocred" proxy start
        "$gocred" proxy status
        "$gocred" proxy uninstall
        verdict curl -s -x "$2" http://127.0.0.1:1/
        systemctl --user list-unit-files 'gocred*' || true
    "#;
    let home = Home::new();
    let Some(session) = session(&home) else { return };
    let Some(_) = program("curl", "curl") else { return };
    // A path that a unit must quote.
    let own = home.path().join("my 100% bin");
    fs::create_dir(&own).expect("a folder");
    fs::copy(GOCRED, own.join("gocred")).expect("copied");
    let config = "[proxy]\nlisten = [\"127.0.0.1:7999\", \"[::1]:7999\"]\n";
    home.write(".config/gocred/config.toml", config);
    let before = files(&home.config());
    let run = session.args(["bash", "-c", SCRIPT, "sh"]).arg(own.join("gocred"));
    let said = run.arg("http://[::1]:7999").output().success();
    let mut rest = said.as_str();
    for expected in [
        "  + ListenStream=127.0.0.1:7999",
        "  + ListenStream=[::1]:7999",
        "$ systemctl --user enable --now gocred-proxy.socket",
        "installed as a service of systemd",
        "not running; systemd starts it with the first connection",
        "127.0.0.1:1 is a loopback address",
        "listening on http://127.0.0.1:7999",
        "listening on http://[::1]:7999",
        "not running; systemd starts it with the first connection",
        "manager: active",
        "not running; `gocred proxy start` starts it",
        "no: curl",
        "running for ",
        "uninstalled",
        "no: curl",
        "0 unit files listed",
    ] {
        let Some((_, after)) = rest.split_once(expected) else { panic!("{expected}\n{said}") };
        rest = after;
    }
    assert_eq!(files(&home.config()), before);
}

#[test]
fn the_first_question_of_git_starts_the_agent_and_its_sudden_end_costs_a_key_and_no_answer() {
    const SCRIPT: &str = r#"
        exec 2>&1
        set -eu
        gocred=$1 helper=$2
        socket=$XDG_RUNTIME_DIR/gocred/control.sock
        active() { echo "$1: $(systemctl --user is-active gocred-proxy.service)"; }
        get() { printf 'protocol=https\nhost=git.corp.test\n' | "$helper" get 2>&1 || true; }
        until_active() { until systemctl --user is-active --quiet gocred-proxy.service; do :; done; }
        umask 077
        printf 'correct horse battery' >"$HOME/passphrase"
        export GOCRED_PASSPHRASE_FILE=$HOME/passphrase
        printf hunter2 | "$gocred" login git.corp.test --username ana --with-token --no-verify --store file
        unset GOCRED_PASSPHRASE_FILE
        "$gocred" agent stop || true
        "$gocred" proxy install >/dev/null
        active installed || true
        echo "modes: $(stat -c %a "$socket" "${socket%/*}" | tr '\n' ' ')"
        get
        until_active # the answer comes before systemd has heard that it is ready
        active asked
        GOCRED_PASSPHRASE_FILE=$HOME/passphrase "$gocred" unlock
        echo "unlocked: $(get | tr '\n' ' ')"
        "$gocred" agent run || echo "second: $?"
        systemctl --user kill --signal=KILL gocred-proxy.service
        get
        until_active
        GOCRED_PASSPHRASE_FILE=$HOME/passphrase "$gocred" unlock
        echo "again: $(get | tr '\n' ' ')"
        "$gocred" proxy stop
        [ -e "$socket" ] || echo "socket: gone"
        "$gocred" proxy status || true
        "$gocred" proxy uninstall >/dev/null
    "#;
    let home = Home::new();
    let Some(session) = session(&home) else { return };
    home.write(".config/gocred/config.toml", "[proxy]\nlisten = [\"127.0.0.1:7998\"]\n");
    let run = session.args(["bash", "-c", SCRIPT, "sh", GOCRED, HELPER]);
    let said = run.output().success();
    let mut rest = said.as_str();
    for expected in [
        "installed: inactive",
        "modes: 600 700 ",
        "gocred[K19]",
        "asked: active",
        "unlocked: username=ana password=hunter2 ",
        "second: 7",
        "gocred[K19]",
        "again: username=ana password=hunter2 ",
        "socket: gone",
        "not running; `gocred proxy start` starts it",
    ] {
        let Some((_, after)) = rest.split_once(expected) else { panic!("{expected}\n{said}") };
        rest = after;
    }
}

#[test]
fn what_tools_say_by_variables_reaches_the_service_or_is_warned_of() {
    let install = |cache: Option<&str>| {
        let home = Home::new();
        let mut run = home.gocred().args(["proxy", "install", "--dry-run"]);
        run = run.env("GIT_SSL_CAINFO", "/etc/corp.pem").env("KRB5_CONFIG", "/etc/corp/krb5.conf");
        if let Some(cache) = cache {
            run = run.env("KRB5CCNAME", cache);
        }
        run.output()
    };
    let uid = rustix::process::getuid().as_raw();
    let usual = format!("FILE:/tmp/krb5cc_{uid}");
    let of_session = format!("FILE:/tmp/krb5cc_{uid}_Xa3f9");
    for (cache, warns) in [(None, false), (Some(&usual), false), (Some(&of_session), true)] {
        let output = install(cache.map(String::as_str));
        let (warned, said) = (output.err(), output.success());
        for line in ["GIT_SSL_CAINFO=/etc/corp.pem", "KRB5_CONFIG=/etc/corp/krb5.conf"] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(!said.contains("KRB5CCNAME"), "{said}");
        let is_warned = warned.contains("KRB5CCNAME") && warned.contains("env -u KRB5CCNAME kinit");
        assert_eq!(is_warned, warns, "{cache:?}: {warned}");
    }
}

#[test]
fn an_install_that_fails_leaves_nothing_enabled() {
    const SCRIPT: &str = r#"
        set -eu
        python3 -c '
import socket, time
taken = socket.socket()
taken.bind(("127.0.0.1", 7999))
taken.listen()
print("taken", flush=True)
time.sleep(60)' >"$HOME/taken" &
        until grep -q taken "$HOME/taken"; do sleep 0.05; done
        "$1" proxy install >/dev/null 2>"$HOME/why" && exit 9
        cat "$HOME/why"
        echo "enabled: $(systemctl --user is-enabled gocred-proxy.socket 2>&1)"
        systemctl --user list-unit-files 'gocred*' || true
        systemctl --user list-units --all 'gocred*' || true
    "#;
    let home = Home::new();
    let Some(session) = session(&home) else { return };
    let Some(_) = program("python3", "python3") else { return };
    home.write(".config/gocred/config.toml", "[proxy]\nlisten = [\"127.0.0.1:7999\"]\n");
    let before = files(&home.config());
    let said = session.args(["bash", "-c", SCRIPT, "sh", GOCRED]).output().success();
    assert!(said.contains("the service manager does not do its part"), "{said}");
    assert!(said.contains("0 unit files listed"), "{said}");
    assert!(said.contains("0 loaded units listed"), "{said}");
    assert_eq!(files(&home.config()), before, "{said}");
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let home = Home::new();
    let file = home.write(".config/systemd/user/gocred-proxy.service", "[Service]\n");
    let output = home.gocred().args(["proxy", "install"]).output();
    assert_eq!(output.code, Some(7), "{output:?}");
    let output = home.gocred().args(["proxy", "uninstall"]).output();
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(file).expect("a file"), "[Service]\n");
}

#[test]
fn a_manager_that_fails_leaves_nothing_behind() {
    let home = Home::new();
    let systemctl = home.write("bin/systemctl", "#!/bin/sh\necho 'no bus here' >&2\nexit 1\n");
    fs::set_permissions(systemctl, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("executable");
    let before = files(&home.config());
    let output =
        home.gocred().args(["proxy", "install"]).env("PATH", home.path().join("bin")).output();
    assert_eq!(output.code, Some(3), "{output:?}");
    let said = output.err();
    assert!(said.contains("no bus here") && said.contains("daemon-reload"), "{said}");
    assert_eq!(files(&home.config()), before);
}

/// Returns every file and folder below one.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                pending.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
