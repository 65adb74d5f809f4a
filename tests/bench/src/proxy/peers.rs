//! gocred and its neighbours, each as a forward proxy on a port of its own.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    load::Way,
    process::Process,
    servers::{LOGIN, ORIGIN, ORIGIN_ADDRESS, SECRET, UPSTREAM_ADDRESS, USER, at, squid},
};
use crate::{
    floor,
    keyring::{self, Keyring},
};

/// A proxy that is measured.
pub struct Peer {
    pub name: &'static str,
    pub way: Way,
    /// `None`: nothing of its own, such as the way without a loopback proxy.
    pub process: Option<Process>,
}

impl Peer {
    pub fn cpu(&self) -> f64 {
        self.process.as_ref().map_or(0.0, Process::cpu)
    }
}

/// Where the peers' files are, and what gocred needs.
pub struct Field<'a> {
    pub gocred: &'a Path,
    pub work: &'a Path,
    pub keyring: &'a Keyring,
}

impl Field<'_> {
    /// The way without a loopback proxy: the client logs in to squid itself.
    pub fn alone(&self) -> Peer {
        let (origin, login) = (ORIGIN.into(), Some(LOGIN.into()));
        let way = Way { proxy: UPSTREAM_ADDRESS, origin, login, is_asked: true };
        Peer { name: "squid", way, process: None }
    }

    /// gocred with these upstreams, in their order.
    pub fn gocred(&self, port: u16, upstreams: &[&str], env: &[(&str, &str)]) -> Peer {
        let address = at([127, 0, 0, 1], port);
        let process = Process::start(self.gocred_command(address, upstreams, env), address);
        let way = Way { proxy: address, origin: ORIGIN.into(), login: None, is_asked: true };
        Peer { name: "gocred", way, process: Some(process) }
    }

    /// gocred without an upstream, to the origin's address.
    pub fn gocred_direct(&self, port: u16) -> Peer {
        let mut peer = self.gocred(port, &["DIRECT"], &[]);
        peer.way.origin = ORIGIN_ADDRESS.to_string();
        peer
    }

    /// The command that starts gocred's proxy, beside any other.
    pub fn gocred_command(
        &self,
        address: SocketAddr,
        upstreams: &[&str],
        env: &[(&str, &str)],
    ) -> Command {
        let run = self.work.join(format!("run-{}", address.port()));
        fs::create_dir_all(&run).expect("folder");
        let mut command = self.command(&["proxy", "run", "--listen", &address.to_string()]);
        for upstream in upstreams {
            command.args(["--upstream", upstream]);
        }
        command.env("XDG_RUNTIME_DIR", run).envs(env.iter().copied());
        command
    }

    /// gocred as a module proxy in front of others; `before` stands in front of its command line.
    pub fn front(
        &self,
        port: u16,
        upstream: &str,
        env: &[(&str, &str)],
        before: &[&str],
    ) -> (Process, SocketAddr) {
        let address = at([127, 0, 0, 1], port);
        let inner = self.gocred_command(at([127, 0, 0, 1], 0), &["DIRECT"], env);
        let words = before.iter().map(OsString::from);
        let words = words.chain([inner.get_program().to_owned()]);
        let mut words = words.chain(inner.get_args().map(OsString::from));
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).env_clear().stderr(Stdio::null());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(["--goproxy", &address.to_string(), "--goproxy-upstream", upstream]);
        // A folder of its own: several of them run at a time.
        let run = self.work.join(format!("run-{port}"));
        fs::create_dir_all(&run).expect("folder");
        command.env("XDG_RUNTIME_DIR", run);
        (Process::start(command, address), address)
    }

    /// Stores a password as a user would.
    pub fn log_in(&self, upstream: &str, user: &str, secret: &str) {
        let file = self.work.join("secret");
        fs::write(&file, format!("{secret}\n")).expect("secret");
        let mut command = self.command(&["login", "--proxy", upstream, "--username", user]);
        command.args(["--with-token", "--no-verify"]);
        command.stdin(fs::File::open(&file).expect("secret")).stdout(Stdio::null());
        let output = command.output().expect("gocred login");
        fs::remove_file(file).expect("removed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "gocred login: {said}");
        // The upstreams of each row stand in its command line.
        self.configure("");
    }

    /// Writes gocred's configuration; the lab is on loopback.
    pub fn configure(&self, further: &str) {
        let folder = self.keyring.home.join("config/gocred");
        fs::create_dir_all(&folder).expect("folder");
        let text = format!("[proxy]\nallow = [\"127.0.0.0/8\"]\n{further}");
        fs::write(folder.join("config.toml"), text).expect("config.toml");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.gocred);
        command.args(arguments).env_clear().envs(keyring::env(&self.keyring.home));
        command.stderr(Stdio::null());
        command
    }

    /// haproxy in TCP mode, from one port to each address. It cannot log in; the client does.
    pub fn haproxy(&self, port: u16, to: SocketAddr) -> Peer {
        let address = at([127, 0, 0, 1], port);
        let text = format!(
            "global\n  maxconn 9500\n  maxpipes 128\n  nbthread 1\ndefaults\n  mode tcp\n  timeout connect 5s\n\
             \x20 timeout client 600s\n  timeout server 600s\n  option splice-auto\n\
             listen bench\n  bind {address} backlog 4096\n  server one {to}\n"
        );
        let mut command = Command::new("/usr/sbin/haproxy");
        command.args(["-db", "-q", "-f"]).arg(self.file("haproxy", port, &text));
        let way = Way { proxy: address, ..self.alone().way };
        Peer { name: "haproxy", way, process: Some(Process::start(command, address)) }
    }

    /// The floor of bulk: a relay that only splices, from a port to an address.
    pub fn relay(&self, port: u16, to: SocketAddr) -> Peer {
        let address = at([127, 0, 0, 1], port);
        let mut command = Command::new(floor::compiled("relay", self.work));
        for end in [address, to] {
            command.arg(end.ip().to_string()).arg(end.port().to_string());
        }
        let way = Way { proxy: address, is_asked: false, ..self.alone().way };
        Peer { name: "splice alone", way, process: Some(Process::start(command, address)) }
    }

    pub fn tinyproxy(&self, port: u16) -> Peer {
        let address = at([127, 0, 0, 1], port);
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nMaxClients 9000\nTimeout 600\nLogLevel Critical\n\
             LogFile \"/dev/null\"\nUpstream http {USER}:{SECRET}@{UPSTREAM_ADDRESS}\n"
        );
        let mut command = Command::new("/usr/bin/tinyproxy");
        command.args(["-d", "-c"]).arg(self.file("tinyproxy", port, &text)).stderr(Stdio::null());
        let way = Way { proxy: address, origin: ORIGIN.into(), login: None, is_asked: true };
        Peer { name: "tinyproxy", way, process: Some(Process::start(command, address)) }
    }

    pub fn squid_child(&self, port: u16) -> Peer {
        let address = at([127, 0, 0, 1], port);
        let lines = format!(
            "cache_peer {} parent {} 0 no-query no-digest default login={USER}:{SECRET}\n\
             never_direct allow all\nhttp_access allow all\n",
            UPSTREAM_ADDRESS.ip(),
            UPSTREAM_ADDRESS.port()
        );
        let process = squid("child", &self.work.join("servers"), address, &lines);
        let way = Way { proxy: address, origin: ORIGIN.into(), login: None, is_asked: true };
        Peer { name: "squid child", way, process: Some(process) }
    }

    /// px, where `run.sh` could install it.
    pub fn px(&self, port: u16) -> Option<Peer> {
        let program = std::env::var_os("GOCRED_BENCH_PX").map(PathBuf::from)?;
        let address = at([127, 0, 0, 1], port);
        let mut command = Command::new(program);
        command.args(["--proxy=proxy.corp.test:3127", "--auth=BASIC", "--workers=1"]);
        command.arg(format!("--port={port}")).arg(format!("--username={USER}"));
        command.env_clear().envs(keyring::env(&self.keyring.home)).env("PX_PASSWORD", SECRET);
        command.current_dir(self.work).stderr(Stdio::null());
        let way = Way { proxy: address, origin: ORIGIN.into(), login: None, is_asked: true };
        Some(Peer { name: "px", way, process: Some(Process::start(command, address)) })
    }

    /// cntlm in front of a proxy that speaks NTLM.
    pub fn cntlm(&self, port: u16, upstream: &str, user: &str, secret: &str) -> Peer {
        let address = at([127, 0, 0, 1], port);
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        let upstream = upstream.trim_start_matches("http://");
        let text = format!(
            "Username {user}\nDomain {domain}\nPassword \"{secret}\"\nAuth NTLMv2\n\
             Proxy {upstream}\nListen 127.0.0.1:{port}\n"
        );
        let mut command = Command::new("/usr/sbin/cntlm");
        command.args(["-f", "-c"]).arg(self.file("cntlm", port, &text)).stderr(Stdio::null());
        let way = Way { proxy: address, origin: ORIGIN.into(), login: None, is_asked: true };
        Peer { name: "cntlm", way, process: Some(Process::start(command, address)) }
    }

    fn file(&self, name: &str, port: u16, text: &str) -> PathBuf {
        let path = self.work.join(format!("{name}-{port}.conf"));
        fs::write(&path, text).expect("a configuration");
        path
    }
}
