//! The access log: a file that gets a line for each request and tunnel that has ended.
//!
//! A thread of its own writes it, and opens it by its name again at each reload, so that it can be
//! moved away. A disk that is full, slow or gone costs lines, never a request: those that are lost are
//! counted and told.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    core::refusal::Refusal,
    proxy::{record::Record, status::Teller},
    sys::files,
};

/// How many lines wait for the disk.
const WAITING: usize = 4096;
/// How much is written at once, about, in bytes.
const BATCH: usize = 64 * 1024;
/// How long a file that cannot be opened is left alone.
const REOPEN: Duration = Duration::from_secs(1);
/// Lost lines are told at most so often.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the end of the proxy waits for the last lines.
const FAREWELL: Duration = Duration::from_secs(1);

/// The log.
pub(crate) struct AccessLog {
    is_on: AtomicBool,
    sink: Mutex<Option<Sink>>,
    tell: Teller,
}

/// The way to the thread that writes.
struct Sink {
    path: PathBuf,
    records: SyncSender<Box<Record>>,
    counts: Arc<Counts>,
    /// Says nothing, and closes with the thread.
    end: Receiver<std::convert::Infallible>,
}

#[derive(Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// The access log, in a report.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct AccessLogReport {
    /// Its file.
    pub path: String,
    /// Lines written since it was opened.
    pub written: u64,
    /// Lines lost since then.
    pub dropped: u64,
    /// Why lines are being lost.
    pub trouble: Option<String>,
}

impl AccessLog {
    pub(crate) fn new(tell: Teller) -> Self {
        Self { is_on: AtomicBool::new(false), sink: Mutex::default(), tell }
    }

    /// Returns whether there is one.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Goes on with this file, opened anew, or without one.
    pub(crate) fn configure(&self, path: Option<&Path>) {
        let sink = path.and_then(|path| self.start(path));
        self.is_on.store(sink.is_some(), Ordering::Relaxed);
        // The old thread writes what it has, and ends.
        *self.lock() = sink;
    }

    fn start(&self, path: &Path) -> Option<Sink> {
        let (records, receiver) = sync_channel(WAITING);
        let (alive, end) = sync_channel(0);
        let counts = Arc::new(Counts::default());
        let writer = Writer {
            path: path.to_owned(),
            file: None,
            is_torn: false,
            failed_at: None,
            told: (0, None),
            counts: Arc::clone(&counts),
            tell: self.tell.clone(),
        };
        let run = move || {
            writer.run(&receiver);
            drop(alive);
        };
        match thread::Builder::new().name("access log".to_owned()).spawn(run) {
            Ok(_) => Some(Sink { path: path.to_owned(), records, counts, end }),
            Err(error) => {
                self.tell.tell(&finding(path, &error.to_string(), 0));
                None
            }
        }
    }

    /// Writes a record, some time. It never waits.
    pub(crate) fn write(&self, record: Record) {
        if self.is_on() {
            self.write_boxed(Box::new(record));
        }
    }

    /// Writes a record that has its place already.
    pub(crate) fn write_boxed(&self, record: Box<Record>) {
        if !self.is_on() {
            return;
        }
        if let Some(sink) = &*self.lock()
            && sink.records.try_send(record).is_err()
        {
            sink.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns what became of it.
    pub(crate) fn report(&self) -> Option<AccessLogReport> {
        let sink = self.lock();
        let Sink { path, records: _, counts, end: _ } = sink.as_ref()?;
        Some(AccessLogReport {
            path: path.display().to_string(),
            written: counts.written.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            trouble: counts.trouble().clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sink>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AccessLog {
    /// Waits a moment for the last lines.
    fn drop(&mut self) {
        let Some(Sink { path: _, records, counts: _, end }) = self.lock().take() else { return };
        drop(records);
        let _ = end.recv_timeout(FAREWELL);
    }
}

impl Counts {
    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread knows.
struct Writer {
    path: PathBuf,
    file: Option<File>,
    /// Whether the last line in the file lacks its end.
    is_torn: bool,
    failed_at: Option<Instant>,
    /// How many lost lines were told, and when.
    told: (u64, Option<Instant>),
    counts: Arc<Counts>,
    tell: Teller,
}

impl Writer {
    fn run(mut self, records: &Receiver<Box<Record>>) {
        // What is wrong with the file is told before the first line is lost.
        if let Err(error) = self.open() {
            self.fails(&error, 0);
        }
        while let Ok(first) = records.recv() {
            let mut lines = first.line();
            let mut count = 1;
            while lines.len() < BATCH
                && let Ok(next) = records.try_recv()
            {
                lines.push_str(&next.line());
                count += 1;
            }
            self.append(lines.as_bytes(), count);
            self.tell_losses();
        }
    }

    fn append(&mut self, lines: &[u8], count: u64) {
        let result = self.open().and_then(|()| {
            let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
            if self.is_torn {
                file.write_all(b"\n")?;
                self.is_torn = false;
            }
            Ok(write(file, lines))
        });
        let (written, error) = match result {
            Ok((written, error)) => (written, error),
            Err(error) => (0, Some(error)),
        };
        let done = lines.get(..written).unwrap_or_default();
        let whole = (done.split(|byte| *byte == b'\n').count() - 1) as u64;
        self.counts.written.fetch_add(whole, Ordering::Relaxed);
        match error {
            None => *self.counts.trouble() = None,
            Some(error) => {
                self.is_torn |= done.last().is_some_and(|byte| *byte != b'\n');
                self.fails(&error, count - whole);
            }
        }
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        if self.failed_at.is_some_and(|at| at.elapsed() < REOPEN) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.file = Some(files::open_log(&self.path)?);
        self.failed_at = None;
        Ok(())
    }

    fn fails(&mut self, error: &io::Error, lost: u64) {
        self.counts.dropped.fetch_add(lost, Ordering::Relaxed);
        if error.kind() == io::ErrorKind::WouldBlock {
            return;
        }
        if self.file.is_none() {
            self.failed_at = Some(Instant::now());
        }
        let what = error.to_string();
        let is_new = self.counts.trouble().replace(what.clone()).as_ref() != Some(&what);
        if is_new && self.told.1.is_none_or(|at| at.elapsed() >= SILENCE) {
            let dropped = self.counts.dropped.load(Ordering::Relaxed);
            self.told = (dropped, Some(Instant::now()));
            self.tell.tell(&finding(&self.path, &what, dropped));
        }
    }

    fn tell_losses(&mut self) {
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        if dropped > self.told.0 && self.told.1.is_none_or(|at| at.elapsed() >= SILENCE) {
            self.told = (dropped, Some(Instant::now()));
            let why = self.counts.trouble().clone();
            let why = why.unwrap_or_else(|| "the disk is slower than the requests".to_owned());
            self.tell.tell(&finding(&self.path, &why, dropped));
        }
    }
}

/// Writes as much as is taken; returns how much that was, and why not all.
fn write(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
        match file.write(left) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

fn finding(path: &Path, why: &str, dropped: u64) -> Refusal {
    let message = format!("the access log {}: {why}", path.display());
    let lost =
        if dropped > 0 { format!("; {dropped} lines are lost so far") } else { String::new() };
    Refusal::new(500, "proxy_internal_error", message + &lost).code("K15")
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        path::Path,
        sync::{Arc, Mutex, PoisonError},
        time::{Duration, Instant},
    };

    use super::{AccessLog, Counts, Teller, WAITING, Writer};
    use crate::{
        proxy::{
            accept::Caller,
            record::{Facts, Record},
            status::Meter,
        },
        sys::files,
    };

    fn teller() -> (Teller, Arc<Mutex<Vec<String>>>) {
        let (told, meter) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Meter::default()));
        let to = Arc::clone(&told);
        let voice = Arc::new(move |line: &str| {
            to.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        });
        (Teller { meter, voice }, told)
    }

    fn writer(path: &Path, tell: Teller) -> Writer {
        Writer {
            path: path.to_owned(),
            file: None,
            is_torn: false,
            failed_at: None,
            told: (0, None),
            counts: Arc::new(Counts::default()),
            tell,
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_once_and_every_lost_line_is_counted() {
        let (tell, told) = teller();
        let mut writer = writer(Path::new("/var/log/full"), tell);
        writer.file = Some(File::options().write(true).open("/dev/full").unwrap());
        for _ in 0..5 {
            writer.append(b"a\nb\n", 2);
            writer.tell_losses();
        }
        assert_eq!(writer.counts.dropped.load(super::Ordering::Relaxed), 10);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("gocred[K15]: the access log /var/log/full: No space left"));
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        files::write_private(&path, b"{\"cut").unwrap();
        let mut writer = writer(&path, teller().0);
        writer.is_torn = true;
        writer.append(b"{}\n", 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"cut\n{}\n");
        assert_eq!(writer.counts.written.load(super::Ordering::Relaxed), 1);
    }

    #[test]
    fn a_disk_that_takes_nothing_keeps_nobody_waiting() {
        let (tell, _) = teller();
        let log = AccessLog::new(tell);
        // A thread that never comes to its lines.
        let (records, receiver) = super::sync_channel(WAITING);
        let (_alive, end) = super::sync_channel(0);
        let sink =
            super::Sink { path: "/x".into(), records, counts: Arc::new(Counts::default()), end };
        *log.lock() = Some(sink);
        log.is_on.store(true, super::Ordering::Relaxed);
        let start = Instant::now();
        for _ in 0..WAITING + 100 {
            let mut record = Record::request(Caller::Known, "GET");
            record.takes(&Facts::default());
            record.answered();
            log.write(record);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(log.report().unwrap().dropped, 100);
        drop(receiver);
    }
}
