//! Standard output and standard error, in one place. What comes from outside goes through
//! [`printable`](crate::core::text::printable) before it gets here.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

#[cfg(feature = "full")]
use crate::core::{
    fault::{Fault, Kind},
    origin::Origin,
};

/// Whether standard output lost a line, on a full disk, say.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes a line to standard output. A reader that went away is not an error; any other is kept for
/// [`is_lost`].
pub fn out(line: &str) {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            LOST.store(true, Ordering::Relaxed);
        }
        Ok(()) | Err(_) => {}
    }
}

/// Returns whether a line for standard output did not get there.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writes a line to standard error.
pub fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Names an origin as `login` takes it: without scheme where that is https. Origins hold nothing that
/// a terminal acts on.
#[cfg(feature = "full")]
pub fn place(origin: &Origin) -> String {
    if origin.scheme() == "https" { origin.authority() } else { origin.to_string() }
}

/// Writes a word as a shell takes it; nothing in it is expanded.
#[cfg(feature = "full")]
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@+%/:,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Writes a value to standard output as one line of JSON.
#[cfg(feature = "full")]
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), Fault> {
    let line = serde_json::to_string(value)
        .map_err(|error| Fault::new(Kind::Internal, "the answer is not JSON").cause(error))?;
    out(&line);
    Ok(())
}

/// Writes a table, its columns two blanks apart.
#[cfg(feature = "full")]
pub fn table<R: AsRef<[String]>>(rows: &[R]) {
    let mut widths = Vec::new();
    for row in rows.iter().map(AsRef::as_ref) {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows.iter().map(AsRef::as_ref) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        out(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Counts things, whose plural ends with `s`.
#[cfg(feature = "full")]
pub(crate) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
