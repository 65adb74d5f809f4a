//! The servers of the rows, inside the lab's network: module proxies on nginx, in clear, in TLS with
//! HTTP/1.1, in TLS with HTTP/2, and the same two at the end of a long way.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{MANY, delay, modules};
use crate::proxy::{process::Process, servers::at};

/// The server in clear.
pub const CLEAR: SocketAddr = at([127, 77, 0, 13], 8580);
const SECURE: SocketAddr = at([127, 77, 0, 13], 8581);
const SECURE_2: SocketAddr = at([127, 77, 0, 13], 8582);
const FAR: SocketAddr = at([127, 77, 0, 13], 8583);
const FAR_2: SocketAddr = at([127, 77, 0, 13], 8584);
/// How long a round trip takes there.
pub const ROUND_TRIP: Duration = Duration::from_millis(20);
/// A name of all of them.
const HOST: &str = "cdn.corp.test";

/// The running servers.
pub struct Servers {
    _nginx: Process,
    pub folder: PathBuf,
    pub far: [Far; 2],
    /// The paths of an answer of 1 KB, and of a large zip.
    pub small: String,
    pub large: String,
    /// The authority of the certificates.
    pub ca: PathBuf,
}

/// A server at the end of a long way.
pub struct Far {
    /// What it speaks with who can.
    pub speaks: &'static str,
    pub url: String,
    connections: Arc<AtomicUsize>,
}

impl Far {
    /// Returns how many connections were made since it was asked last.
    pub fn connections(&self) -> usize {
        self.connections.swap(0, Ordering::Relaxed)
    }
}

impl Servers {
    pub fn start(work: &Path, large: u64) -> Self {
        let folder = work.join("modules");
        let etc = work.join("servers");
        for open in [work, &folder, &etc] {
            fs::create_dir_all(open).expect("folder");
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).expect("permissions");
        }
        modules::publish(&folder, MANY);
        let [small, large] = modules::publish_extremes(&folder, large);
        certify(&etc);
        let far = [("HTTP/2", FAR_2, SECURE_2), ("HTTP/1.1", FAR, SECURE)];
        let far = far.map(|(speaks, far, near)| Far {
            speaks,
            url: format!("https://{HOST}:{}", far.port()),
            connections: delay::start(far, near, ROUND_TRIP),
        });
        let nginx = nginx(&etc, &folder);
        Self { _nginx: nginx, folder, far, small, large, ca: etc.join("ca.pem") }
    }

    /// The URL of a server by its address.
    pub fn clear() -> String {
        format!("http://{HOST}:{}", CLEAR.port())
    }
}

fn certify(folder: &Path) {
    let names = format!("subjectAltName=DNS:{HOST}\nbasicConstraints=CA:false\n");
    fs::write(folder.join("san"), names).expect("san");
    for line in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Bench",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=h",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 \
         -extfile san",
    ] {
        let mut command = Command::new("openssl");
        command.args(line.split_whitespace()).current_dir(folder).stderr(Stdio::null());
        assert!(command.status().expect("openssl").success(), "openssl {line}");
    }
}

fn nginx(etc: &Path, folder: &Path) -> Process {
    let (etc, root) = (etc.display(), folder.display());
    let configuration = format!(
        "daemon off; master_process off; user root; pid {etc}/modules.pid; error_log stderr crit;\n\
         events {{ worker_connections 2000; }}\n\
         http {{ access_log off; sendfile on; tcp_nodelay on; open_file_cache max=2000;\n\
         keepalive_requests 1000000000; keepalive_timeout 600s; root {root};\n\
         client_body_temp_path {etc}/b; proxy_temp_path {etc}/p; fastcgi_temp_path {etc}/f;\n\
         uwsgi_temp_path {etc}/u; scgi_temp_path {etc}/s;\n\
         ssl_certificate {etc}/server.pem; ssl_certificate_key {etc}/server.key;\n\
         server {{ listen {CLEAR} backlog=1024; }}\n\
         server {{ listen {SECURE} ssl; }}\n\
         server {{ listen {SECURE_2} ssl http2; }} }}\n"
    );
    let file = folder.with_file_name("modules.conf");
    fs::write(&file, configuration).expect("modules.conf");
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-e", "stderr", "-c"]).arg(file);
    Process::start(command, SECURE_2)
}
