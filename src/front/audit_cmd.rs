//! `gocred audit`: the record of what was released, shown, checked and passed on.
//!
//! It deliberately changes nothing: what was written down stays as it is.

use std::{
    collections::VecDeque,
    fs::{self, File, Metadata},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{
    cli::{Audit, AuditExport, AuditFormat},
    core::{
        audit::{Broken, Chain, Entry, cef, ocsf, syslog},
        config::span,
        fault::{Fault, Kind},
        text::printable,
        time::rfc3339,
    },
    front::{Answer, Context, Outcome, ui},
    sys::{
        clock, files,
        journal::{FILES, file_of},
    },
};

/// How many records `tail` begins with.
const SHOWN: usize = 20;
/// Among how many lines it looks for them: what the log says of itself is not shown.
const READ: usize = 4 * SHOWN;
/// How often `tail -f` looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub fn run(arguments: &Audit, context: &Context) -> Outcome {
    let file = context.config.audit.file.as_ref().unwrap_or(&context.paths.audit);
    match arguments {
        Audit::Export(arguments) => export(arguments, file),
        Audit::Tail(arguments) if arguments.follow => follow(file),
        Audit::Tail(_) => tail(file, u64::MAX).map(|()| Answer::Yes),
        // Whoever writes meanwhile may have made a new file of it.
        Audit::Verify => verify(file).or_else(|_| verify(file)),
    }
}

fn verify(file: &Path) -> Outcome {
    let logs = logs(file);
    let mut chain = Chain::default();
    let mut is_open = false;
    for (number, log) in logs.iter().enumerate() {
        if number > 0 {
            chain.next_file();
        }
        for line in Lines::of(log)? {
            let line = line.map_err(|error| unreadable(log, &error))?;
            is_open = !line.ends_with(b"\n");
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            chain.check(line).map_err(|broken| damaged(&logs, broken))?;
        }
    }
    let head = chain.finish(is_open).map_err(|broken| damaged(&logs, broken))?;
    if head.records == 0 {
        ui::out(&format!("nothing is written down yet in {}", file.display()));
        return Ok(Answer::Yes);
    }
    let (records, files) = (head.records, u64::try_from(logs.len()).unwrap_or(u64::MAX));
    let (records, files) = (ui::count(records, "record"), ui::count(files, "file"));
    ui::out(&format!("as written: {records} in {files}"));
    ui::out(&format!("the last one is {}, {}", head.seq, head.hash));
    Ok(Answer::Yes)
}

fn damaged(logs: &[PathBuf], broken: Broken) -> Fault {
    let Broken { file, line, what } = broken;
    let log = logs.get(file).map(|log| log.display().to_string()).unwrap_or_default();
    Fault::new(Kind::NotFound, "the record of what was released is not as it was written")
        .cause(what)
        .at(format!("{log}:{line}"))
        .hint(format!(
            "compare it with what was exported before: `sed -n {line}p '{log}'` shows it"
        ))
}

fn export(arguments: &AuditExport, file: &Path) -> Outcome {
    let since = arguments.since.as_deref().map(since).transpose()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut strange = 0;
    for log in logs(file) {
        for line in Lines::of(&log)? {
            let line = line.map_err(|error| unreadable(&log, &error))?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\n');
            // Times in one form and zone are ordered as texts are.
            let Some(at) = time(line) else {
                strange += 1;
                continue;
            };
            if since.as_deref().is_some_and(|since| at < since) {
                continue;
            }
            let Some(line) = rendered(line, arguments.format) else { continue };
            if let Err(error) = writeln!(out, "{line}") {
                return lost(&error);
            }
        }
    }
    if let Err(error) = out.flush() {
        return lost(&error);
    }
    if strange > 0 {
        ui::err(&format!("lines that are no records: {strange}; see `gocred audit verify`"));
    }
    Ok(Answer::Yes)
}

/// Returns when a line was written. `None`: it is no record.
fn time(line: &str) -> Option<&str> {
    let line = line.strip_suffix("\"}")?;
    line.strip_prefix("{\"v\":1,\"seq\":")?.split_once(",\"at\":\"")?.1.get(..24)
}

/// Returns a line in a format. `None`: the log speaks of itself, which is of no use elsewhere.
fn rendered(line: &str, format: AuditFormat) -> Option<String> {
    if format == AuditFormat::Jsonl {
        return Some(line.to_owned());
    }
    let entry = Entry::parse(line)?;
    Some(match format {
        AuditFormat::Cef => cef(&entry),
        AuditFormat::Jsonl => line.to_owned(),
        AuditFormat::Ocsf => ocsf(&entry).to_string(),
        AuditFormat::Syslog => syslog(&entry),
    })
}

/// Reads a point in time: so long ago, or the start of an RFC 3339 text.
fn since(text: &str) -> Result<String, Fault> {
    if let Ok(span) = span::parse(text) {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        return Ok(rfc3339(clock::now_millis().saturating_sub(span)));
    }
    // What is left out is the smallest.
    let form = "0000-00-00T00:00:00.000Z";
    let fits = |(given, form): (u8, u8)| match form {
        b'0' => given.is_ascii_digit(),
        _ => given == form,
    };
    let is_time = text.len() >= 4 && text.len() <= form.len();
    if is_time && text.bytes().zip(form.bytes()).all(fits) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(Kind::Usage, "`--since` wants a span of time, or a time in UTC")
        .hint("gocred audit export --since 24h")
        .hint("gocred audit export --since 2026-11-25T22:10"))
}

/// Shows the last records, of the newest file those of its first bytes.
fn tail(file: &Path, length: u64) -> Result<(), Fault> {
    let mut last = VecDeque::with_capacity(SHOWN);
    for log in logs(file) {
        let limit = if log == file { length } else { u64::MAX };
        for line in Lines::up_to(&log, limit)? {
            let line = line.map_err(|error| unreadable(&log, &error))?;
            if last.len() == READ {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    let shown: Vec<String> = last.iter().filter_map(|line| shown(line)).collect();
    for line in shown.iter().skip(shown.len().saturating_sub(SHOWN)) {
        ui::out(line);
    }
    Ok(())
}

/// Shows what is written from now on, until nobody reads it any more.
fn follow(file: &Path) -> Outcome {
    let mut at = files::about(file).ok().flatten().map_or(0, |about| about.length);
    let mut open = File::open(file).ok();
    tail(file, at)?;
    loop {
        let mut news = Vec::new();
        if let Some(open) = &mut open {
            let read = open.seek(SeekFrom::Start(at)).and_then(|_| open.read_to_end(&mut news));
            read.map_err(|error| unreadable(file, &error))?;
        }
        let mut length = 0;
        // A line without its end is still being written.
        let whole = news.split_inclusive(|byte| *byte == b'\n').filter(|it| it.ends_with(b"\n"));
        for line in whole {
            length += line.len();
            let Some(line) = shown(line) else { continue };
            if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
                return lost(&error);
            }
        }
        at += u64::try_from(length).unwrap_or_default();
        if length == 0 && !open.as_ref().is_some_and(|open| is_newest(file, open)) {
            (open, at) = (File::open(file).ok(), 0);
        }
        if length == 0 {
            thread::sleep(PAUSE);
        }
    }
}

/// Returns whether an open file is still the newest one.
#[cfg(unix)]
fn is_newest(file: &Path, open: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |about: Metadata| (about.dev(), about.ino());
    let (now, open) = (fs::metadata(file), open.metadata());
    now.is_ok_and(|now| open.is_ok_and(|open| identity(now) == identity(open)))
}

/// Returns whether an open file is still the newest one: no other is shorter.
#[cfg(not(unix))]
fn is_newest(file: &Path, open: &File) -> bool {
    let (now, open) = (fs::metadata(file), open.metadata());
    now.is_ok_and(|now| open.is_ok_and(|open| now.len() >= open.len()))
}

/// Returns a record for people; another line of the log is not shown.
fn shown(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    Entry::parse(&line).map(|entry| entry.shown())
}

/// Returns the files that there are, from the oldest on.
fn logs(file: &Path) -> Vec<PathBuf> {
    (0..FILES).rev().map(|age| file_of(file, age)).filter(|file| file.exists()).collect()
}

/// The lines of a file, each with its line feed.
struct Lines(BufReader<io::Take<File>>);

impl Lines {
    fn of(file: &Path) -> Result<Self, Fault> {
        Self::up_to(file, u64::MAX)
    }

    fn up_to(file: &Path, length: u64) -> Result<Self, Fault> {
        let open = File::open(file).map_err(|error| unreadable(file, &error))?;
        Ok(Self(BufReader::new(open.take(length))))
    }
}

/// The longest line that is read whole, in bytes: no record is that long.
const MAX_LINE: u64 = 1024 * 1024;

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.0.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}

fn unreadable(file: &Path, error: &io::Error) -> Fault {
    Fault::new(Kind::Config, "the record of what was released cannot be read")
        .cause(error)
        .at(file.display())
}

/// A reader that went away has read enough.
fn lost(error: &io::Error) -> Outcome {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(Answer::Yes);
    }
    let what = "standard output cannot be written; it is incomplete";
    Err(Fault::new(Kind::Config, what).cause(printable(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::{since, time};
    use crate::{broker::Unrecorded, front::keyring, store::Error};

    #[test]
    fn a_command_that_may_not_go_on_without_a_record_ends_with_7() {
        let fault = keyring::fault(Error::from(Unrecorded("no room".to_owned())));
        assert_eq!((fault.kind.exit_code(), fault.code), (7, Some("K15")));
        assert!(fault.to_string().contains("no room"), "{fault}");
    }

    #[test]
    fn since_is_a_span_or_the_start_of_a_time() {
        for text in ["2026", "2026-11", "2026-11-25T22:10", "2026-11-25T22:10:03.123Z"] {
            assert_eq!(since(text).unwrap(), text);
        }
        let line = format!("{{\"v\":1,\"seq\":9,\"at\":\"{}\"}}", since("24h").unwrap());
        assert!(time(&line).is_some() && time(line.trim_end_matches('}')).is_none());
        for text in ["", "202", "yesterday", "2026/11", "2026-11-25T22:10:03.123Z0", "24 h"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
