//! The control socket: status, reload and stop, for the user who runs the proxy and nobody else.
//!
//! One JSON line asks, one JSON line answers, but to git's helper. No secret travels here but the
//! loopback token and that of the status page, which open nothing beyond this proxy (decisions.md,
//! "Loopback token").

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream as StdStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    time::timeout,
};

pub use crate::proxy::control_error::Error;
use crate::{
    core::{door::Door, secret::ExposeSecret},
    proxy::{GRACE, Proxy, Report},
    sys::{files, peer},
};

/// The longest question, in bytes.
const MAX_QUESTION: u64 = 4096;
/// How long either side waits for a line.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// The control socket of a running proxy.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    listener: UnixListener,
    /// Held for as long as the proxy runs, so that a socket without a holder is known to be stale.
    _lock: File,
}

impl Control {
    /// Takes the control socket. A stale one is replaced. Needs a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        files::create_folder(folder)?;
        if fs::metadata(folder)?.uid() != peer::own_uid() {
            return Err(Error::Foreign(folder.to_owned()));
        }
        fs::set_permissions(folder, PermissionsExt::from_mode(0o700))?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Running),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
        Ok(Self { path: path.to_owned(), listener, _lock: lock })
    }

    /// Answers until the runtime ends. Who reads the configuration gets the wishes for that.
    pub async fn serve(&self, proxy: &Proxy, reloads: mpsc::Sender<Reload>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(answer(stream, proxy.clone(), reloads.clone()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, proxy: Proxy, reloads: mpsc::Sender<Reload>) {
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
    let answer = match question {
        Question::Status | Question::Stop => serde_json::to_string(&proxy.report()),
        Question::Reload => {
            let (sender, done) = oneshot::channel();
            let _ = reloads.send(sender).await;
            let error = done.await.unwrap_or_else(|_| Err("it is stopping".to_owned())).err();
            serde_json::to_string(&Reloaded { error })
        }
        Question::Door => Ok(proxy.door()),
        Question::Url => serde_json::to_string(&Address { url: proxy.url() }),
        Question::Page => serde_json::to_string(&Address { url: proxy.page_url() }),
    };
    let Ok(answer) = answer else { return };
    let written = timeout(PATIENCE, write.write_all(format!("{answer}\n").as_bytes())).await;
    if question == Question::Stop && matches!(written, Ok(Ok(()))) {
        proxy.stop();
        // The connection ends with the process: that is how the one who asked knows.
        let _: () = std::future::pending().await;
    }
}

/// Asks the running proxy what it does.
pub fn status(path: &Path) -> Result<Report, Error> {
    let line = line(&mut ask(path, Question::Status)?)?;
    serde_json::from_str(&line).map_err(|_| Error::Silent)
}

/// Returns what belongs into `HTTPS_PROXY`.
pub fn url(path: &Path) -> Result<String, Error> {
    let line = line(&mut ask(path, Question::Url)?)?;
    serde_json::from_str(&line).map(|Address { url }| url).map_err(|_| Error::Silent)
}

/// Returns where the status page is.
pub fn page(path: &Path) -> Result<String, Error> {
    let line = line(&mut ask(path, Question::Page)?)?;
    serde_json::from_str(&line).map(|Address { url }| url).map_err(|_| Error::Silent)
}

/// Makes the running proxy read its configuration anew, and waits until it has.
pub fn reload(path: &Path) -> Result<(), Error> {
    let mut reader = ask(path, Question::Reload)?;
    reader.get_ref().set_read_timeout(Some(GRACE))?;
    let Reloaded { error } =
        serde_json::from_str(&line(&mut reader)?).map_err(|_| Error::Silent)?;
    error.map_or(Ok(()), |what| Err(Error::Refused(what)))
}

/// Stops the running proxy and waits until it has ended.
pub fn stop(path: &Path) -> Result<(), Error> {
    let mut reader = ask(path, Question::Stop)?;
    line(&mut reader)?;
    reader.get_ref().set_read_timeout(Some(GRACE + PATIENCE))?;
    // The end of the connection, or its reset: the process is gone.
    match line(&mut reader) {
        Err(Error::Silent) => Err(Error::Silent),
        Ok(_) | Err(_) => Ok(()),
    }
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
