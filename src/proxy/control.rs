//! The control socket: status, reload and stop, for the user who runs the proxy and nobody else.
//!
//! One JSON line asks, one JSON line answers, but to git's helper. No secret travels in them but the
//! loopback token and that of the status page, which open nothing beyond this proxy (decisions.md,
//! "Loopback token"). The agent's frames come in here, too, and are passed on to it as they are.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream as StdStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

pub use crate::proxy::control_error::Error;
use crate::{
    agent::Agent,
    core::{door::Door, secret::ExposeSecret},
    proxy::{
        GRACE, Proxy, Report,
        goproxy::Front,
        spare,
        turns::{AT_WORK, Turns},
    },
    sys::{files, peer, unix_socket},
};

/// The longest question, in bytes.
const MAX_QUESTION: u64 = 4096;
/// How long either side waits for a line.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often what is over is wiped. It is not given out in any case.
const TIDY: Duration = Duration::from_secs(60);
/// How many threads the runtime may have: what resolves names and reads stores.
pub const THREADS: usize = AT_WORK + 8;

/// A question.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "ask", deny_unknown_fields)]
pub enum Question {
    /// What it did and does; answered with a [`Report`].
    Status,
    /// To read the configuration anew; answered with why not, if not.
    Reload,
    /// To stop; answered with the report too, and with the end of the connection when it has ended.
    Stop,
    /// To stop an agent that runs without a proxy; answered likewise.
    StopAgent,
    /// What stands in `HTTPS_PROXY`; answered with its URL.
    Url,
    /// What stands in `GOPROXY`; answered with the front's URL, if there is a front.
    Goproxy,
    /// Where the status page is; answered with its URL and token.
    Page,
    /// What git's helper tells git; answered with a [`Door`], in its own form.
    Door,
}

/// The answer to [`Question::Url`], [`Question::Goproxy`] and [`Question::Page`].
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Address {
    /// `http://127.0.0.1:7407`, with the loopback token where the system cannot tell who asks; or
    /// `http://127.0.0.1:7407/?token=…`.
    url: String,
}

/// The answer to [`Question::Reload`].
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Reloaded {
    /// What is wrong with the new configuration.
    error: Option<String>,
}

/// Somebody who waits until the configuration was read anew; the error is what is wrong with it.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// The control socket, which is ours and on which nobody answers yet.
pub struct Bound {
    listener: UnixListener,
    place: Place,
}

/// The control socket of a running daemon.
pub struct Control {
    agent: Option<Arc<Agent>>,
    /// What is no question to the agent.
    others: mpsc::UnboundedReceiver<StdStream>,
    _turns: Turns,
    _place: Place,
}

/// Where the socket is.
struct Place {
    path: PathBuf,
    /// The service manager's socket outlives us, and is not ours to remove.
    is_ours: bool,
    /// Held for as long as the daemon runs, so that a socket without a holder is known to be stale.
    _lock: File,
}

/// What is stopped and told.
#[derive(Clone)]
enum Main {
    /// The loopback proxy, and who reads the configuration for it.
    Proxy(Proxy, mpsc::Sender<Reload>),
    /// No proxy; whom to wake for the end.
    AgentAlone(Arc<Notify>),
}

impl Bound {
    /// Takes the control socket. A stale one is replaced.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let lock = Self::lock(path)?;
        // The service manager's, which waits for the first question; or that of one who is ending.
        if !soon(|| !unix_socket::is_listening(path)) {
            return Err(Error::Running);
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
        let place = Place { path: path.to_owned(), is_ours: true, _lock: lock };
        Ok(Self { listener, place })
    }

    /// Takes the control socket that the service manager has opened at this path.
    pub fn adopt(path: &Path, listener: UnixListener) -> Result<Self, Error> {
        let lock = Self::lock(path)?;
        listener.set_nonblocking(false)?;
        let place = Place { path: path.to_owned(), is_ours: false, _lock: lock };
        Ok(Self { listener, place })
    }

    /// Sees to it that there is one daemon, and that its folder is nobody else's.
    fn lock(path: &Path) -> Result<File, Error> {
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        files::create_folder(folder)?;
        let about = fs::metadata(folder)?;
        if about.uid() != peer::own_uid() {
            return Err(Error::Foreign(folder.to_owned()));
        }
        if about.mode() & 0o077 != 0 {
            // A folder of somebody else's choice is not ours to close.
            if !folder.ends_with("gocred") && !folder.ends_with("gocred/run") {
                return Err(Error::Open(folder.to_owned()));
            }
            fs::set_permissions(folder, PermissionsExt::from_mode(0o700))?;
        }
        let lock = File::options().write(true).create(true).truncate(false).open(lock_of(path))?;
        let mut result = Err(Error::Running);
        // Who looks whether a daemon runs holds it for a moment.
        soon(|| {
            result = match lock.try_lock() {
                Ok(()) => Ok(()),
                Err(TryLockError::WouldBlock) => return false,
                Err(TryLockError::Error(error)) => Err(error.into()),
            };
            true
        });
        result.map(|()| lock)
    }

    /// Starts the threads that answer, and passes the agent's questions on to it.
    pub fn answer(self, agent: Option<Arc<Agent>>) -> Result<Control, Error> {
        let Self { listener, place } = self;
        let (sender, others) = mpsc::unbounded_channel();
        let turns = Turns::start(listener, place.is_ours, agent.clone(), sender)?;
        Ok(Control { agent, others, _turns: turns, _place: place })
    }
}

impl Control {
    /// Answers until the runtime ends. Who reads the configuration gets the wishes for that.
    pub async fn serve(&mut self, proxy: &Proxy, reloads: mpsc::Sender<Reload>) {
        self.serve_for(Main::Proxy(proxy.clone(), reloads)).await;
    }

    /// Answers without a proxy, until somebody asks to stop.
    pub async fn serve_alone(&mut self) {
        let (stop, _kept) = (Arc::new(Notify::new()), spare::keep_thread());
        tokio::select! {
            () = self.serve_for(Main::AgentAlone(Arc::clone(&stop))) => {}
            () = stop.notified() => {}
        }
    }

    async fn serve_for(&mut self, main: Main) {
        let mut tidy = tokio::time::interval(TIDY);
        loop {
            tokio::select! {
                // The threads hold the other end for as long as we do.
                Some(stream) = self.others.recv() => {
                    tokio::spawn(control(stream, main.clone()));
                }
                _ = tidy.tick() => {
                    if let Some(agent) = self.agent.clone() {
                        tokio::task::spawn_blocking(move || agent.tidy());
                    }
                }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Asks until it is so, for a moment; returns whether it is.
fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..20 {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// Returns whether a daemon runs. A socket alone may be the service manager's, who would start one
/// for the asking.
fn is_running(path: &Path) -> bool {
    let Ok(lock) = File::open(lock_of(path)) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

async fn control(stream: StdStream, main: Main) {
    let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
    let Ok(stream) = stream else { return };
    if stream.peer_cred().ok().map(|peer| peer.uid()) != Some(peer::own_uid()) {
        return;
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(read.take(MAX_QUESTION));
    if !matches!(timeout(PATIENCE, reader.read_line(&mut line)).await, Ok(Ok(1..))) {
        return;
    }
    let question = serde_json::from_str(&line);
    let Ok(question) = question else { return };
    let answer = match &main {
        Main::Proxy(proxy, reloads) => of_proxy(question, proxy, reloads).await,
        Main::AgentAlone(_) => of_agent(question),
    };
    let Ok(answer) = answer else { return };
    let written = timeout(PATIENCE, write.write_all(format!("{answer}\n").as_bytes())).await;
    if !matches!(written, Ok(Ok(()))) {
        return;
    }
    match (question, main) {
        (Question::Stop, Main::Proxy(proxy, _)) => proxy.stop(),
        (Question::StopAgent, Main::AgentAlone(stop)) => stop.notify_one(),
        _ => return,
    }
    // The connection ends with the process: that is how the one who asked knows.
    let _: () = std::future::pending().await;
}

/// What is answered to a question that is for the other kind of daemon.
const NOT_ME: &str = "null";

/// It reads the configuration with each question, and is no proxy.
fn of_agent(question: Question) -> serde_json::Result<String> {
    match question {
        Question::Reload | Question::StopAgent => serde_json::to_string(&Reloaded { error: None }),
        Question::Door
        | Question::Goproxy
        | Question::Page
        | Question::Status
        | Question::Stop
        | Question::Url => Ok(NOT_ME.to_owned()),
    }
}

async fn of_proxy(
    question: Question,
    proxy: &Proxy,
    reloads: &mpsc::Sender<Reload>,
) -> serde_json::Result<String> {
    match question {
        Question::Status | Question::Stop => serde_json::to_string(&proxy.report()),
        Question::Reload => {
            let (sender, done) = oneshot::channel();
            let _ = reloads.send(sender).await;
            let error = done.await.unwrap_or_else(|_| Err("it is stopping".to_owned())).err();
            serde_json::to_string(&Reloaded { error })
        }
        Question::Door => Ok(proxy.door()),
        Question::Goproxy => serde_json::to_string(&proxy.goproxy().map(|url| Address { url })),
        Question::StopAgent => Ok(NOT_ME.to_owned()),
        Question::Url => serde_json::to_string(&Address { url: proxy.url() }),
        Question::Page => serde_json::to_string(&Address { url: proxy.page_url() }),
    }
}

/// Asks the running proxy what it does.
pub fn status(path: &Path) -> Result<Report, Error> {
    of_line(&line(&mut ask_running(path, Question::Status)?)?)
}

/// Returns what belongs into `HTTPS_PROXY`.
pub fn url(path: &Path) -> Result<String, Error> {
    of_line(&line(&mut ask(path, Question::Url)?)?).map(|Address { url }| url)
}

/// Returns what belongs into `GOPROXY`: with a secret in its path where the system cannot tell who asks.
/// A proxy without a front is [`Error::NotRunning`] here.
pub fn goproxy(path: &Path) -> Result<String, Error> {
    of_line(&line(&mut ask(path, Question::Goproxy)?)?).map(|Address { url }| url)
}

/// Returns where the status page is.
pub fn page(path: &Path) -> Result<String, Error> {
    of_line(&line(&mut ask(path, Question::Page)?)?).map(|Address { url }| url)
}

/// Makes the running proxy read its configuration anew, and waits until it has.
pub fn reload(path: &Path) -> Result<(), Error> {
    let mut reader = ask_running(path, Question::Reload)?;
    reader.get_ref().set_read_timeout(Some(GRACE))?;
    let Reloaded { error } =
        serde_json::from_str(&line(&mut reader)?).map_err(|_| Error::Silent)?;
    error.map_or(Ok(()), |what| Err(Error::Refused(what)))
}

/// Stops the running proxy and waits until it has ended.
pub fn stop(path: &Path) -> Result<(), Error> {
    end(path, Question::Stop)
}

/// Stops an agent that runs without a proxy, and waits until it has ended. One that is part of the
/// proxy is `NotRunning` here.
pub fn stop_agent(path: &Path) -> Result<(), Error> {
    end(path, Question::StopAgent)
}

fn end(path: &Path, question: Question) -> Result<(), Error> {
    let mut reader = ask_running(path, question)?;
    if line(&mut reader)?.trim_end() == NOT_ME {
        return Err(Error::NotRunning);
    }
    reader.get_ref().set_read_timeout(Some(GRACE + PATIENCE))?;
    // The end of the connection, or its reset: the process is gone.
    match line(&mut reader) {
        Err(Error::Silent) => Err(Error::Silent),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn of_line<T: serde::de::DeserializeOwned>(line: &str) -> Result<T, Error> {
    if line.trim_end() == NOT_ME {
        return Err(Error::NotRunning);
    }
    serde_json::from_str(line).map_err(|_| Error::Silent)
}

/// Reads a line within the time limit of the connection.
fn line(reader: &mut BufReader<StdStream>) -> Result<String, Error> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(_) => Ok(line),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Error::Silent),
        Err(error) => Err(error.into()),
    }
}

/// Asks without starting anybody.
fn ask_running(path: &Path, question: Question) -> Result<BufReader<StdStream>, Error> {
    if !is_running(path) && fs::symlink_metadata(path).is_ok_and(|it| it.uid() == peer::own_uid()) {
        return Err(Error::NotRunning);
    }
    ask(path, question)
}

fn ask(path: &Path, question: Question) -> Result<BufReader<StdStream>, Error> {
    // Nobody else can put a socket of ours there, or answer on one.
    match fs::symlink_metadata(path) {
        Ok(about) if about.uid() != peer::own_uid() => return Err(Error::Foreign(path.to_owned())),
        Ok(_) | Err(_) => {}
    }
    let mut stream = match StdStream::connect(path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(Error::NotRunning);
        }
        Err(error) => return Err(error.into()),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    let question = serde_json::to_string(&question).map_err(io::Error::from)?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    Ok(BufReader::new(stream))
}

impl Proxy {
    fn door(&self) -> String {
        self.0.ear.is_asked();
        let report = self.report();
        let trouble = report.upstreams.iter().find_map(|upstream| upstream.reason.as_deref());
        let finding = report.findings.last().map(|finding| finding.message.as_str());
        let door = Door {
            token: self.0.secret.expose_secret(),
            listen: &report.listen.join(" "),
            trouble: trouble.unwrap_or_default(),
            finding: finding.unwrap_or_default(),
        };
        door.encode()
    }

    fn goproxy(&self) -> Option<String> {
        let front = Front(self.0.front()?);
        let address = front.report().listen.first()?.parse().ok()?;
        Some(front.url(address))
    }

    fn url(&self) -> String {
        let Some(address) = self.0.own.first() else { return String::new() };
        match self.report().callers.as_str() {
            "uid" => format!("http://{address}"),
            _ => format!("http://gocred:{}@{address}", self.0.secret.expose_secret()),
        }
    }
}
