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
        net::{UnixListener as StdListener, UnixStream as StdStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::Interest,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::timeout,
};

pub use crate::proxy::control_error::Error;
use crate::{
    agent::Agent,
    core::{door::Door, secret::ExposeSecret},
    proxy::{GRACE, Proxy, Report, spare},
    sys::{files, peer, unix_socket},
};

/// The longest question, in bytes.
const MAX_QUESTION: u64 = 4096;
/// How long either side waits for a line.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many questions the agent works on at a time; the others wait.
const AT_WORK: usize = 64;
/// How often what is over is wiped. It is not given out in any case.
const TIDY: Duration = Duration::from_secs(60);
/// How many threads answer: those of the agent, and what resolves names and reads stores.
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
    /// Where the status page is; answered with its URL and token.
    Page,
    /// What git's helper tells git; answered with a [`Door`], in its own form.
    Door,
}

/// The answer to [`Question::Url`] and [`Question::Page`].
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

/// The control socket of a running daemon.
pub struct Control {
    path: PathBuf,
    listener: UnixListener,
    agent: Option<Arc<Agent>>,
    /// The service manager's socket outlives us, and is not ours to remove.
    is_ours: bool,
    /// Held for as long as the daemon runs, so that a socket without a holder is known to be stale.
    _lock: File,
}

/// Who answers.
#[derive(Clone)]
struct Daemon {
    agent: Option<Arc<Agent>>,
    at_work: Arc<Semaphore>,
    main: Main,
}

/// What is stopped and told.
#[derive(Clone)]
enum Main {
    /// The loopback proxy, and who reads the configuration for it.
    Proxy(Proxy, mpsc::Sender<Reload>),
    /// No proxy; whom to wake for the end.
    AgentAlone(Arc<Notify>),
}

impl Control {
    /// Takes the control socket. A stale one is replaced. Needs a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let lock = Self::lock(path)?;
        if unix_socket::is_listening(path) {
            // The service manager's: it waits for the first question.
            return Err(Error::Running);
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
        Ok(Self { path: path.to_owned(), listener, agent: None, is_ours: true, _lock: lock })
    }

    /// Takes the control socket that the service manager has opened at this path. Needs a tokio
    /// runtime.
    pub fn adopt(path: &Path, listener: StdListener) -> Result<Self, Error> {
        let lock = Self::lock(path)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self { path: path.to_owned(), listener, agent: None, is_ours: false, _lock: lock })
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
        // Who looks whether a daemon runs holds it for a moment.
        for _ in 0..20 {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(Error::Running)
    }

    /// Passes the agent's questions on to it.
    #[must_use]
    pub fn with(mut self, agent: Option<Arc<Agent>>) -> Self {
        self.agent = agent;
        self
    }

    /// Answers until the runtime ends. Who reads the configuration gets the wishes for that.
    pub async fn serve(&self, proxy: &Proxy, reloads: mpsc::Sender<Reload>) {
        self.accept(Main::Proxy(proxy.clone(), reloads)).await;
    }

    /// Answers without a proxy, until somebody asks to stop.
    pub async fn serve_alone(&self) {
        let (stop, _kept) = (Arc::new(Notify::new()), spare::keep_thread());
        tokio::select! {
            () = self.accept(Main::AgentAlone(Arc::clone(&stop))) => {}
            () = stop.notified() => {}
        }
    }

    async fn accept(&self, main: Main) {
        let at_work = Arc::new(Semaphore::new(AT_WORK));
        let daemon = Daemon { agent: self.agent.clone(), at_work, main };
        let mut tidy = tokio::time::interval(TIDY);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = tidy.tick() => {
                    if let Some(agent) = self.agent.clone() {
                        tokio::task::spawn_blocking(move || agent.tidy());
                    }
                    continue;
                }
            };
            match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(answer(stream, daemon.clone()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
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

async fn answer(stream: UnixStream, daemon: Daemon) {
    if stream.peer_cred().ok().map(|peer| peer.uid()) != Some(peer::own_uid()) {
        return;
    }
    match timeout(PATIENCE, first(&stream)).await {
        Ok(Ok([b'{', ..])) => control(stream, daemon.main).await,
        Ok(Ok(first @ [b'G', ..])) => {
            let Some(agent) = daemon.agent else { return };
            // Who works on an answer may need a key for it, and must not wait for himself.
            let is_key = &first == b"GOC1 key ";
            // It is closed only when the daemon ends.
            let _permit = if is_key { None } else { daemon.at_work.acquire_owned().await.ok() };
            let stream = stream.into_std().and_then(|stream| {
                stream.set_nonblocking(false)?;
                Ok(stream)
            });
            let Ok(stream) = stream else { return };
            let _ = tokio::task::spawn_blocking(move || agent.serve(stream)).await;
        }
        Ok(Ok(_) | Err(_)) | Err(_) => {}
    }
}

/// Looks at the first bytes, as far as they are there, and leaves them there.
async fn first(stream: &UnixStream) -> io::Result<[u8; 9]> {
    let look = || {
        let mut bytes = [0; 9];
        match recv(stream, &mut bytes, RecvFlags::PEEK) {
            Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(bytes),
            Err(Errno::AGAIN) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    };
    stream.async_io(Interest::READABLE, look).await
}

async fn control(stream: UnixStream, main: Main) {
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
        Question::Door | Question::Page | Question::Status | Question::Stop | Question::Url => {
            Ok(NOT_ME.to_owned())
        }
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

    fn url(&self) -> String {
        let Some(address) = self.0.own.first() else { return String::new() };
        match self.report().callers.as_str() {
            "uid" => format!("http://{address}"),
            _ => format!("http://gocred:{}@{address}", self.0.secret.expose_secret()),
        }
    }
}
