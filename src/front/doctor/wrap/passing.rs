//! Passes on what a command says, as it comes, without the lines that only we asked for.

use std::{
    io::{self, Write},
    time::Duration,
};

use crate::core::doctor::watch::Watch;

/// A line of more bytes than this is looked at in pieces.
const MOST: usize = 64 * 1024;

/// Standard error of the command.
pub(super) struct Passing {
    /// Whether go's trace is hidden.
    hides: bool,
    line: Vec<u8>,
    /// How much of the line is shown already.
    shown: usize,
    /// Whether the screen is at the beginning of a line.
    is_at_start: bool,
}

impl Passing {
    pub(super) fn new(hides: bool) -> Self {
        Self { hides, line: Vec::new(), shown: 0, is_at_start: true }
    }

    /// Takes what came.
    pub(super) fn take(&mut self, bytes: &[u8], watch: &mut Watch, now: Duration) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.extend(piece);
            let is_whole = piece.ends_with(b"\n") || piece.ends_with(b"\r");
            if is_whole || self.line.len() > MOST {
                let text = String::from_utf8_lossy(&self.line);
                let is_kept = watch.line(text.trim_end_matches(['\r', '\n']), now);
                if is_kept || !self.hides || self.shown > 0 {
                    self.show();
                }
                self.line.clear();
                self.shown = 0;
            } else if !self.hides {
                self.show();
            }
        }
    }

    /// Shows the piece of a line that did not end: a question, a progress. go writes whole lines.
    pub(super) fn show(&mut self) {
        let rest = self.line.get(self.shown..).unwrap_or_default();
        if let Some(last) = rest.last() {
            self.is_at_start = *last == b'\n';
            let _ = io::stderr().lock().write_all(rest);
            self.shown = self.line.len();
        }
    }

    /// Goes to the beginning of a line, for what we have to say ourselves.
    pub(super) fn break_line(&mut self) {
        self.show();
        if !self.is_at_start {
            let _ = io::stderr().lock().write_all(b"\n");
            self.is_at_start = true;
        }
    }
}
