//! The farm: real servers for every way in which a fetch can fail. `prepare` makes what all workers
//! share (certificates, repositories, modules); `start` starts the servers in a worker's namespaces.
//!
//! README.md in this folder lists the hosts.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

mod dns;
mod firewall;
mod hosts;
mod modules;
mod origins;
mod proxies;
mod raw;
mod repositories;
mod ssh;
mod sumdb;
mod web;

pub(crate) use hosts::address;

use std::{
    fs::{self, File},
    net::TcpStream,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{eventually, stall};

/// The servers of a worker. They end with its process namespace.
pub(crate) struct Farm {
    servers: Vec<Child>,
    _kept: Vec<Box<dyn std::any::Any>>,
}

impl Drop for Farm {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Makes what all workers share.
pub(crate) fn prepare(folder: &Path) {
    fs::create_dir_all(folder).expect("the folder of the farm");
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("0755");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/inject/farm/certificates.sh");
    let made = Command::new("bash").arg(script).arg(folder).status().expect("bash");
    assert!(made.success(), "certificates.sh: see {}/certs/openssl.log", folder.display());
    repositories::make(folder);
    let sums = modules::make(folder);
    let key = sumdb::make(folder, &sums);
    fs::write(folder.join("sumdb.key"), key).expect("the key of the checksum database");
}

/// Starts every server in the namespaces of this process.
pub(crate) fn start(folder: &Path, own: &Path) -> Farm {
    for name in ["homes", "log", "run"] {
        fs::create_dir_all(own.join(name)).expect("a folder");
    }
    for name in ["log", "run"] {
        // squid is not root.
        fs::set_permissions(own.join(name), PermissionsExt::from_mode(0o1777)).expect("1777");
    }
    for name in ["ca.pem", "certs", "sumdb.key", "modules", "sumdb", "repos"] {
        symlink(folder.join(name), own.join(name)).expect("a link");
    }
    fs::write(own.join("hosts"), "127.0.0.1 localhost\n::1 localhost\n").expect("hosts");
    fs::write(own.join("resolv.conf"), "nameserver 127.0.0.53\n").expect("resolv.conf");
    let nsswitch = "passwd: files\ngroup: files\nhosts: files dns\n";
    fs::write(own.join("nsswitch.conf"), nsswitch).expect("nsswitch.conf");
    for name in ["hosts", "resolv.conf", "nsswitch.conf"] {
        let (file, place) = (own.join(name), format!("/etc/{name}"));
        must(Command::new("mount").arg("--bind").arg(file).arg(place));
    }
    must(Command::new("mount").args(["-t", "tmpfs", "farm", "/dev/shm"]));
    // Go may stand in root's home, where nobody else can go.
    let root = Command::new("go").args(["env", "GOROOT"]).output().expect("go").stdout;
    fs::create_dir_all(own.join("go")).expect("a folder");
    let root = String::from_utf8(root).expect("GOROOT");
    must(Command::new("mount").args(["--bind", root.trim()]).arg(own.join("go")));
    must(Command::new("ip").args(["link", "set", "lo", "up"]));
    firewall::raise();
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    dns::answer();
    origins::serve(own);
    proxies::serve(own);
    kept.push(Box::new(stall::full((address("full.corp.test"), 443).into())));
    let mut servers = dns::servers(own);
    servers.extend(web::servers(own));
    servers.push(ssh::server(own));
    let mut farm = Farm { servers, _kept: kept };
    for (host, port) in [
        ("127.0.0.53".to_owned(), 53),
        ("127.0.0.54".to_owned(), 53),
        (address("pub.corp.test").to_string(), 443),
        (address("proxy.corp.test").to_string(), 3128),
        (address("ssh.corp.test").to_string(), 22),
    ] {
        eventually(&format!("{host}:{port}"), || {
            let ended =
                farm.servers.iter_mut().any(|server| !matches!(server.try_wait(), Ok(None)));
            assert!(!ended, "a server of the farm ended: {}", words(own));
            TcpStream::connect_timeout(
                &format!("{host}:{port}").parse().expect("an address"),
                Duration::from_secs(1),
            )
            .ok()
        });
    }
    farm
}

/// Starts a server whose own words go to log/NAME.
fn serve(own: &Path, name: &str, command: &mut Command) -> Child {
    let log = File::create(own.join("log").join(name)).expect("a log");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What the servers said.
fn words(own: &Path) -> String {
    let logs = fs::read_dir(own.join("log")).expect("the logs").flatten();
    logs.map(|log| fs::read_to_string(log.path()).unwrap_or_default()).collect()
}

/// Runs a program that must succeed.
fn must(command: &mut Command) {
    let path = format!("{}:/usr/sbin:/sbin", crate::support::path());
    let output = command.env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
