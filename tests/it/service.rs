//! The proxy as a service: sockets that are handed over, what the manager is told, and a reload.

use std::{
    fs,
    net::TcpListener,
    os::unix::net::UnixDatagram,
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    proxy_lab::{Client, Daemon, Upstream, proxy, status},
    support::{
        eventually,
        home::{GOCRED, Home},
        program,
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
    let mut run = home.run(&activate);
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
    Some(child)
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
        (vec![home.path().join("socket").display().to_string()], &[], "not a valid tcp socket"),
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
fn sockets_of_another_process_are_left_alone() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let run = proxy(&home, &[upstream.url()]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let daemon = Daemon::start(&run);
    assert_eq!(status(&daemon.ask(REQUEST)), "200");
}
