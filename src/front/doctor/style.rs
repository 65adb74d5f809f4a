//! How a report looks: colours where a person reads it, and no line wider than the terminal.

use std::io;

use rustix::{fd::AsFd, termios::tcgetwinsize};

use crate::{front::Context, sys::tty};

/// The widest that text is set: longer lines are hard to read.
const WIDEST: usize = 100;
/// A terminal that says it is narrower is not believed.
const NARROWEST: usize = 40;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hue {
    /// A failure.
    Bad,
    /// Something that should be mended.
    Fair,
    /// Something that works.
    Good,
    /// A heading, a command.
    Strong,
    /// What is read last.
    Faint,
}

/// Colours and width.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    has_colours: bool,
    /// `None`: lines are as long as they are.
    width: Option<usize>,
}

impl Style {
    /// Returns that of standard output.
    pub(super) fn of_output(context: &Context) -> Self {
        Self::of(tty::stdout_is_terminal(), io::stdout(), context)
    }

    /// Returns that of standard error.
    pub(super) fn of_errors(context: &Context) -> Self {
        Self::of(tty::stderr_is_terminal(), io::stderr(), context)
    }

    fn of(is_terminal: bool, terminal: impl AsFd, context: &Context) -> Self {
        if !is_terminal {
            return Self::default();
        }
        // no-color.org: whatever its value is, unless it is empty.
        let is_plain = context.env.text("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = context.env.text("TERM") == Some("dumb");
        let columns = tcgetwinsize(terminal).map_or(0, |size| usize::from(size.ws_col));
        let width = (columns >= NARROWEST).then_some(columns.min(WIDEST));
        Self { has_colours: !is_plain && !is_dumb, width }
    }

    /// Returns text in a colour.
    pub(super) fn paint(self, hue: Hue, text: &str) -> String {
        if !self.has_colours || text.trim().is_empty() {
            return text.to_owned();
        }
        let code = match hue {
            Hue::Bad => "1;31",
            Hue::Fair => "1;33",
            Hue::Good => "32",
            Hue::Strong => "1",
            Hue::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Sets text behind a label, in as many lines as it needs; those after the first begin below the text.
    /// Both must be printable. A word that is too long stays whole: it can be copied.
    pub(super) fn set(
        self,
        label: &str,
        label_hue: Hue,
        text: &str,
        hue: Option<Hue>,
    ) -> Vec<String> {
        let indent = label.chars().count();
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(indent + 1));
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used = 0;
        for word in text.split(' ') {
            let wide = columns(word);
            if used > 0 && used + 1 + wide > room {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += wide;
        }
        lines.push(line);
        let head = self.paint(label_hue, label);
        let painted = lines.iter().enumerate().map(|(index, line)| {
            let line = hue.map_or_else(|| line.clone(), |hue| self.paint(hue, line));
            if index == 0 { format!("{head}{line}") } else { format!("{:indent$}{line}", "") }
        });
        painted.collect()
    }
}

/// How many columns a terminal gives to text: two for what is written in squares.
fn columns(text: &str) -> usize {
    let is_wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}');
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::{Hue, Style};

    #[test]
    fn long_lines_are_set_below_their_text() {
        let style = Style { has_colours: false, width: Some(20) };
        let lines = style.set("  seen  ", Hue::Faint, "one two three https://a.long.host/x", None);
        assert_eq!(lines, ["  seen  one two", "        three", "        https://a.long.host/x"]);
        assert_eq!(Style::default().set("a ", Hue::Bad, "b  c", None), ["a b  c"]);
    }

    #[test]
    fn colours_are_only_where_a_person_reads() {
        assert_eq!(Style::default().paint(Hue::Bad, "x"), "x");
        let style = Style { has_colours: true, width: None };
        assert_eq!(style.paint(Hue::Bad, "x"), "\x1b[1;31mx\x1b[0m");
    }
}
