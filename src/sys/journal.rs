//! Appends to the file of the audit: one writer at a time, each behind the last record.
//!
//! It knows where the chain ends and not what a record says. It does not wait for the disk: what was
//! written outlives the process at once, and the machine's end only after the system's own time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{
    core::audit::{Line, Tail, WINDOW, tail},
    sys::{clock, files},
};

/// How long to wait before the lock is tried again.
const PAUSE: Duration = Duration::from_micros(500);
/// How often it is tried while nobody writes anything, some 0.2 s. Who is stopped holds it for ever, and
/// git waits.
const TRIES: u32 = 350;
/// How often one goes on for that long, because the others write.
const TURNS: u32 = 25;
/// How large a file grows, in bytes.
pub const MAX_FILE: u64 = 10_000_000;
/// How many files there are.
pub const FILES: usize = 10;

/// Appends what is made for the end of the chain. `make` is called under the lock.
pub fn append(path: &Path, make: &mut dyn FnMut() -> io::Result<Line>) -> io::Result<()> {
    // Once for a file that was removed, and once for one that was full, as a rule.
    for _ in 0..8 {
        let file = open(path)?;
        lock(&file)?;
        let about = About::of(&file)?;
        // While we waited, it may have been removed, or made an old file.
        if about.is_removed {
            continue;
        }
        if about.length < MAX_FILE {
            return write(&file, about.length, path, &make()?);
        }
        if About::of(&open(path)?)?.identity == about.identity {
            rotate(path);
        }
    }
    Err(because("it is full, or another one each time"))
}

/// Returns the file of an age: 0 is the newest.
pub fn file_of(path: &Path, age: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if age > 0 {
        name.push(".");
        name.push(age.to_string());
    }
    name.into()
}

/// Writes behind the last record, all or nothing.
fn write(file: &File, length: u64, path: &Path, line: &Line) -> io::Result<()> {
    let mut end = end_of(file, length)?;
    let mut text = String::from(if end.is_open { "\n" } else { "" });
    let now = clock::now_millis();
    let mut note = end.is_torn.then(|| Line::recovered(now));
    if length == 0
        && let Ok(older) = File::open(file_of(path, 1))
    {
        end = end_of(&older, About::of(&older)?.length)?;
        note = Some(Line::continued(now));
    }
    if let Some(note) = note {
        text.push_str(&note.seal(&end));
        end = tail(text.as_bytes());
    }
    text.push_str(&line.seal(&end));
    let mut writer = file;
    let written = loop {
        match writer.write(text.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            written => break written?,
        }
    };
    if written == text.len() {
        return Ok(());
    }
    // A part of a record is none.
    file.set_len(length)?;
    Err(io::ErrorKind::StorageFull.into())
}

fn end_of(file: &File, length: u64) -> io::Result<Tail> {
    let from = length.saturating_sub(WINDOW);
    let mut window = vec![0; usize::try_from(length - from).unwrap_or_default()];
    let count = if length == 0 { 0 } else { read_at(file, &mut window, from)? };
    if count < window.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(tail(&window))
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, from)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, from)
}

/// Opens it; a new one is 0600. A link could lead to a file that the user wants to keep.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::create_folder(path.parent().unwrap_or(path))?;
            options.open(path)
        }
        opened => opened,
    }
}

fn lock(file: &File) -> io::Result<()> {
    let mut length = None;
    for turn in 0..TRIES * TURNS {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        if turn % TRIES == 0 {
            let before = length.replace(About::of(file)?.length);
            // On a busy machine many may be before us, and each of them gets on.
            if before == length {
                break;
            }
        }
        thread::sleep(PAUSE);
    }
    Err(because("another process is at it and does not end"))
}

/// What the system knows of an open file.
struct About {
    length: u64,
    /// Which one it is.
    identity: (u64, u64),
    /// Whether it has no name any more.
    is_removed: bool,
}

impl About {
    #[cfg(unix)]
    fn of(file: &File) -> io::Result<Self> {
        use rustix::fs::{FileType, fstat};
        let about = fstat(file)?;
        if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
            return Err(because("this is not a regular file"));
        }
        #[expect(clippy::allow_attributes, reason = "systems differ in the types of these")]
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "see above")]
        Ok(Self {
            length: u64::try_from(about.st_size).unwrap_or_default(),
            identity: (about.st_dev as u64, about.st_ino as u64),
            is_removed: about.st_nlink == 0,
        })
    }

    #[cfg(not(unix))]
    fn of(file: &File) -> io::Result<Self> {
        Ok(Self { length: file.metadata()?.len(), identity: (0, 0), is_removed: false })
    }
}

#[inline(never)]
fn because(what: &'static str) -> io::Error {
    io::Error::other(what)
}

/// Makes the newest file an old one, and each old one older; the oldest goes. Whoever is ended within
/// leaves a gap, and the next one goes on. What cannot be renamed is seen when the file is opened again.
fn rotate(path: &Path) {
    for age in (0..FILES - 1).rev() {
        let _ = fs::rename(file_of(path, age), file_of(path, age + 1));
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

    use super::{FILES, MAX_FILE, append, file_of};
    use crate::{
        core::audit::{Chain, Head, Line},
        sys::files::write_private,
    };

    fn write(path: &Path) -> std::io::Result<()> {
        append(path, &mut || Ok(Line::recovered(1)))
    }

    /// Checks all files, from the oldest on.
    fn verify(path: &Path) -> Head {
        let mut chain = Chain::default();
        for age in (0..FILES).rev() {
            let Ok(text) = fs::read(file_of(path, age)) else { continue };
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                chain.check(line).unwrap();
            }
            chain.next_file();
        }
        chain.finish(false).unwrap()
    }

    #[test]
    fn the_file_is_private_and_its_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/audit.jsonl");
        write(&path).unwrap();
        write(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(verify(&path).records, 2);
    }

    #[test]
    fn what_was_cut_off_is_kept_and_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        write(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in [1, 10, whole.len() - 2, whole.len() - 1] {
            write_private(&path, &[&whole, &whole[..cut]].concat()).unwrap();
            let before = fs::read(&path).unwrap();
            write(&path).unwrap();
            assert!(fs::read(&path).unwrap().starts_with(&before), "{cut}");
            write(&path).unwrap();
            assert!(cut == whole.len() - 1 || verify(&path).seq == 5, "{cut}");
        }
    }

    #[test]
    fn a_full_file_becomes_an_old_one_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for round in 0..FILES + 3 {
            write(&path).unwrap();
            write(&path).unwrap();
            // A last line without end fills it up: no record is that long.
            let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.set_len(MAX_FILE - 1).unwrap();
            write(&path).unwrap();
            assert!(path.metadata().unwrap().len() >= MAX_FILE, "{round}");
        }
        write(&path).unwrap();
        let names = folder.path().read_dir().unwrap().count();
        assert_eq!(names, FILES);
        let text = fs::read_to_string(&path).unwrap();
        let (first, _) = text.split_once('\n').unwrap();
        assert!(first.contains(r#""event":"journal.continued","prev":"#), "{first}");
    }

    #[test]
    fn one_who_is_ended_while_files_are_renamed_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for text in [".1", ".3"] {
            write_private(&folder.path().join(format!("audit.jsonl{text}")), text.as_bytes())
                .unwrap();
        }
        write_private(&path, b"0").unwrap();
        super::rotate(&path);
        let text = |age| fs::read_to_string(file_of(&path, age)).unwrap();
        assert_eq!((text(1), text(2), text(4)), ("0".into(), ".1".into(), ".3".into()));
        assert!(!path.exists());
    }

    #[test]
    fn one_who_holds_the_lock_for_ever_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let holder = super::open(&path).unwrap();
        holder.lock().unwrap();
        let start = Instant::now();
        let error = write(&path).unwrap_err();
        assert_eq!(error.to_string(), "another process is at it and does not end");
        assert!(start.elapsed().as_millis() < 1000, "{:?}", start.elapsed());
        drop(holder);
        write(&path).unwrap();
    }

    #[test]
    fn a_link_a_folder_and_a_fifo_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let kept = folder.path().join("kept");
        write_private(&kept, b"kept").unwrap();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        assert!(write(&path).is_err());
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        assert!(write(&path).is_err());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(write(&path).is_err());
    }

    #[test]
    fn a_removed_file_begins_a_new_chain() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        write(&path).unwrap();
        fs::remove_file(&path).unwrap();
        write(&path).unwrap();
        assert_eq!((verify(&path).records, verify(&path).seq), (1, 1));
    }
}
