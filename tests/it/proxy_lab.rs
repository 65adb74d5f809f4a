//! What the tests of the proxy stand on: the real daemon on a port of its own, and upstreams that
//! record every byte that reaches them.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use gocred::{
    core::{
        credential::{Key, Kind, Proof, Secrets},
        origin::Origin,
    },
    store,
};
use rustix::process::{Pid, Signal, kill_process};

use super::support::{
    home::{Home, Run},
    keyring::Keyring,
};

/// Nothing in these tests takes longer unless it is stuck.
const LIMIT: Duration = Duration::from_secs(20);

/// Asks for a tunnel.
pub(crate) const CONNECT: &str = "CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\n\r\n";
/// Asks for a page, on a connection of its own.
pub(crate) const GET: &str =
    "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n";

/// A running `gocred proxy run`.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Starts it with these upstreams and everything on loopback allowed as a target.
    pub(crate) fn through(home: &Home, upstreams: &[&Upstream]) -> Self {
        home.write(".config/gocred/config.toml", "[proxy]\nallow = [\"127.0.0.0/8\"]\n");
        let upstreams = upstreams.iter().map(|upstream| upstream.url()).collect::<Vec<_>>();
        Self::start(&proxy(home, &upstreams))
    }

    /// Starts it with this upstream, and the passwords of a keyring.
    pub(crate) fn with_keyring(home: &Home, keyring: &Keyring, upstream: &Upstream) -> Self {
        let run = proxy(home, &[upstream.url()]);
        Self::start(&run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()))
    }

    /// Starts what was prepared, and waits for its line.
    pub(crate) fn start(run: &Run) -> Self {
        Self::telling(run, Stdio::null())
    }

    /// Starts it with a standard error of its own.
    pub(crate) fn telling(run: &Run, stderr: impl Into<Stdio>) -> Self {
        let mut child = run
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("gocred proxy run");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("not the line: {line:?}")) }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    /// Opens a connection to it.
    pub(crate) fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// Sends bytes on a new connection, and returns the head of the answer.
    pub(crate) fn ask_head(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.client();
        client.send(bytes);
        client.head().expect("an answer")
    }

    /// Sends bytes on a new connection, and returns everything that comes back until it is closed.
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.client();
        client.send(bytes);
        client.until_end()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prepares `gocred proxy run` on a free port.
pub(crate) fn proxy(home: &Home, upstreams: &[String]) -> Run {
    let run = home.gocred().args(["proxy", "run", "--listen", "127.0.0.1:0"]);
    upstreams.iter().fold(run, |run, url| run.args(["--upstream", url]))
}

/// Returns what the proxy of this user says of itself.
pub(crate) fn report(home: &Home) -> serde_json::Value {
    let report = home.gocred().args(["proxy", "status", "--json"]).output().success();
    serde_json::from_str(&report).expect("JSON")
}

/// Stores a password as `login --proxy` does.
pub(crate) fn save(keyring: &Keyring, upstream: &Upstream, login: &str) {
    let (user, password) = login.split_once(':').expect("user:password");
    let origin = Origin::from_url(&upstream.url()).expect("a URL").0;
    let key = Key { kind: Kind::Proxy, origin, path: None, user: user.to_owned() };
    let secrets = Secrets::of(Proof::Password(password.into()));
    keyring.open().save(&store::record(key, secrets, None, 1)).expect("saved");
}

/// A connection whose reads end in time.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).expect("a connection"))
    }

    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, unread: Vec::new() }
    }

    /// Writes; a peer that is gone shows in what is read.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads a head with its empty line; `None` at the end.
    pub(crate) fn head(&mut self) -> Option<String> {
        loop {
            let end = self.unread.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                let rest = self.unread.split_off(end + 4);
                let head = std::mem::replace(&mut self.unread, rest);
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            self.more()?;
        }
    }

    /// Reads exactly this many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> String {
        while self.unread.len() < length {
            self.more().expect("more bytes");
        }
        let rest = self.unread.split_off(length);
        String::from_utf8_lossy(&std::mem::replace(&mut self.unread, rest)).into_owned()
    }

    /// Reads until the text appears, and returns everything up to its end.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let found = self.unread.windows(text.len()).position(|at| at == text.as_bytes());
            match found {
                Some(at) => return self.exactly(at + text.len()),
                None => self.more().unwrap_or_else(|| panic!("{text:?} did not come")),
            }
        }
    }

    /// Reads to the end.
    pub(crate) fn until_end(&mut self) -> String {
        while self.more().is_some() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// Closes the sending side.
    pub(crate) fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn more(&mut self) -> Option<()> {
        let mut block = vec![0; 65536];
        match self.stream.read(&mut block) {
            Ok(length @ 1..) => {
                self.unread.extend(block.iter().take(length));
                Some(())
            }
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}; so far: {:?}", String::from_utf8_lossy(&self.unread)),
        }
    }
}

/// Whether a connection goes on after a request.
pub(crate) enum Next {
    Again,
    Close,
}

type Answer = dyn Fn(&mut Client, &str) -> Next + Send + Sync;

/// A server on loopback that records the heads that reach it.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    heads: Mutex<Vec<String>>,
    connections: Mutex<usize>,
}

impl Upstream {
    /// Starts a server; `answer` is called with each head.
    pub(crate) fn start(
        answer: impl Fn(&mut Client, &str) -> Next + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let (answer, to): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                *to.connections.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                let (answer, to) = (Arc::clone(&answer), Arc::clone(&to));
                thread::spawn(move || {
                    let mut client = Client::on(stream);
                    while let Some(head) = client.head() {
                        to.heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
                        match answer(&mut client, &head) {
                            Next::Again => {}
                            Next::Close => return,
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }

    /// A proxy that opens every tunnel and sends everything back; other requests get `ok`.
    pub(crate) fn echo() -> Self {
        Self::start(open)
    }

    /// A proxy that answers the same to everything, and closes.
    pub(crate) fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |client, _| {
            client.send(&answer);
            Next::Close
        })
    }

    /// A proxy that wants this login, and then does as [`Self::echo`].
    pub(crate) fn basic(login: &str) -> Self {
        let login = login.to_owned();
        Self::start(move |client, head| {
            let value = format!("\r\nProxy-Authorization: {}\r\n", basic(&login));
            if !head.contains(&value) {
                client.send(
                    "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\
                     Proxy-Authenticate: Basic realm=\"corp\"\r\nConnection: close\r\n\r\n",
                );
                return Next::Close;
            }
            open(client, head)
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the heads so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how many connections there were.
    pub(crate) fn connections(&self) -> usize {
        *self.seen.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many requests carried a proxy's login.
    pub(crate) fn logins(&self) -> usize {
        let has = |head: &&String| head.to_ascii_lowercase().contains("proxy-authorization");
        self.heads().iter().filter(has).count()
    }
}

/// Opens the tunnel that is asked for, and sends everything back; another request gets `ok`.
fn open(client: &mut Client, head: &str) -> Next {
    if head.starts_with("CONNECT ") {
        client.send("HTTP/1.1 200 ok\r\n\r\n");
        echo(client);
        return Next::Close;
    }
    client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    Next::Again
}

/// Sends everything back, and closes when the other side has.
pub(crate) fn echo(client: &mut Client) {
    loop {
        let bytes = std::mem::take(&mut client.unread);
        client.send(&bytes);
        if client.more().is_none() {
            client.half_close();
            return;
        }
    }
}

/// Returns the value of `Proxy-Authorization` for `user:password`.
pub(crate) fn basic(login: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(login))
}

/// Returns the status of a response.
pub(crate) fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or("no status")
}
