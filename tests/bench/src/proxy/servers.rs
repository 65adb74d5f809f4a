//! The servers of the load, inside the lab's network: an origin, a proxy that wants a login, and an
//! upstream that says nothing.
//!
//! The lab's own nginx and squid write a line for each request and hold a thousand connections; what
//! is measured here must not wait for either.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::process::Process;

/// The origin, by a name of the lab.
pub const ORIGIN: &str = "cdn.corp.test:8080";
/// The same, for who connects to it without a proxy.
pub const ORIGIN_ADDRESS: SocketAddr = at([127, 77, 0, 13], 8080);
/// squid with Basic authentication.
pub const UPSTREAM: &str = "http://proxy.corp.test:3127";
pub const UPSTREAM_ADDRESS: SocketAddr = at([127, 77, 0, 12], 3127);
/// The account that it knows.
pub const USER: &str = "bench";
pub const SECRET: &str = "bench-secret";
/// `Basic` with both.
pub const LOGIN: &str = "Basic YmVuY2g6YmVuY2gtc2VjcmV0";

const LARGE: usize = 256 * 1024 * 1024;

pub const fn at(address: [u8; 4], port: u16) -> SocketAddr {
    let [a, b, c, d] = address;
    SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// The running servers.
pub struct Servers {
    _origin: Process,
    _upstream: Process,
    /// Accepts, and never says a word.
    pub silent: SocketAddr,
    _silence: TcpListener,
}

impl Servers {
    pub fn start(work: &Path) -> Self {
        // squid and nginx's files are other users' business.
        let folder = work.join("servers");
        fs::create_dir_all(&folder).expect("folder");
        for open in [work, &folder] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).expect("permissions");
        }
        let silence = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self {
            _origin: origin(&folder),
            _upstream: squid("upstream", &folder, UPSTREAM_ADDRESS, &basic(&folder)),
            silent: silence.local_addr().expect("its address"),
            _silence: silence,
        }
    }
}

fn origin(folder: &Path) -> Process {
    fs::write(folder.join("small"), [b'x'; 1024]).expect("small");
    let mut large = fs::File::create(folder.join("large")).expect("large");
    for _ in 0..LARGE / 1024 / 1024 {
        large.write_all(&[b'x'; 1024 * 1024]).expect("large");
    }
    let configuration = format!(
        "daemon off; master_process off; user root; pid {0}/nginx.pid; error_log stderr crit;\n\
         worker_rlimit_nofile 20000; events {{ worker_connections 9000; }}\n\
         http {{ access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 600s;\n\
         client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;\n\
         uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen {ORIGIN_ADDRESS} backlog=4096; root {0}; }} }}\n",
        folder.display()
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration).expect("nginx.conf");
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-e", "stderr", "-c"]).arg(file);
    Process::start(command, ORIGIN_ADDRESS)
}

/// The lines of a squid that asks for the account.
fn basic(folder: &Path) -> String {
    let output = Command::new("openssl")
        .args(["passwd", "-apr1", SECRET])
        .stderr(Stdio::inherit())
        .output()
        .expect("openssl");
    let hash = String::from_utf8_lossy(&output.stdout);
    let users = folder.join("users");
    fs::write(&users, format!("{USER}:{hash}")).expect("users");
    format!(
        "auth_param basic program /usr/lib/squid/basic_ncsa_auth {}\n\
         auth_param basic children 4 startup=1 idle=1\n\
         auth_param basic realm bench\n\
         auth_param basic credentialsttl 1 hour\n\
         acl account proxy_auth REQUIRED\n\
         http_access allow account\n",
        users.display()
    )
}

/// Starts a squid that caches and writes nothing.
pub fn squid(name: &str, folder: &Path, address: SocketAddr, lines: &str) -> Process {
    let file = configuration(name, folder, address, lines);
    // squid does not run as root; where the lab has no other account, it is nobody in particular.
    let mut command = Command::new("sh");
    command.arg("-c").arg(
        "if setpriv --reuid=proxy --regid=proxy --clear-groups true 2>/dev/null; then\n\
         exec setpriv --reuid=proxy --regid=proxy --clear-groups \"$@\"; fi\n\
         exec unshare --user --map-user=13 --map-group=13 \"$@\"",
    );
    command.args(["sh", "/usr/sbin/squid", "-N", "-n", name, "-f"]).arg(file);
    command.stderr(Stdio::null());
    Process::start(command, address)
}

fn configuration(name: &str, folder: &Path, address: SocketAddr, lines: &str) -> PathBuf {
    let own = folder.join(name);
    fs::create_dir_all(&own).expect("folder");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).expect("permissions");
    let text = format!(
        "http_port {address}\n\
         visible_hostname {name}.corp.test\n\
         hosts_file /etc/hosts\n\
         dns_nameservers 127.0.0.1\n\
         pid_filename {0}/pid\n\
         coredump_dir {0}\n\
         cache_log /dev/null\n\
         access_log none\n\
         cache deny all\n\
         cache_mem 8 MB\n\
         memory_cache_shared off\n\
         netdb_filename none\n\
         pinger_enable off\n\
         max_filedescriptors 16384\n\
         shutdown_lifetime 0 seconds\n\
         {lines}\
         http_access deny all\n",
        own.display()
    );
    let file = own.join("squid.conf");
    fs::write(&file, text).expect("squid.conf");
    file
}
