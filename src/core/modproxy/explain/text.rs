//! A refusal as the text that go prints below `server response:`.
//!
//! go prints at most 8 lines and 648 bytes, nothing after an empty line, and nothing at all of a text
//! in which one character is not graphic (`web.Response.formatErrorDetail`): so names and foreign text
//! give way, and the command stays.

use crate::core::{refusal::Refusal, text};

/// The most lines.
pub const MAX_LINES: usize = 8;
/// The most bytes, with their line ends.
pub const MAX_TEXT: usize = 640;
/// The longest first line; it still has room for the longest name of a host.
const MAX_FIRST: usize = 320;
/// The longest command. One that is longer is not cut but left out.
const MAX_COMMAND: usize = 220;
/// The longest line between.
const MAX_DETAIL: usize = 160;
/// What helps anyway.
const ANYWAY: &str = "gocred proxy status";

/// The program that opens a page in the user's browser.
pub(super) const OPEN: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};
/// Where output goes that nobody wants.
pub(super) const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Returns what go prints of a refusal, any refusal: what happened, why, and last the command. It has
/// at most [`MAX_LINES`] and [`MAX_TEXT`].
pub fn text(refusal: &Refusal) -> String {
    let run = refusal.run.as_deref().filter(|run| is_command(run)).unwrap_or(ANYWAY);
    let run = format!("run: {run}\n");
    let mut shown = line(&refusal.headline(), MAX_FIRST);
    for (number, detail) in (2..).zip(&refusal.details) {
        let detail = line(detail, MAX_DETAIL);
        if number >= MAX_LINES || shown.len() + detail.len() + run.len() > MAX_TEXT {
            break;
        }
        shown += &detail;
    }
    shown + &run
}

/// Returns a command of these words, each quoted for a shell where it has to be. Where one cannot be,
/// or it is too long to be printed, it is another command.
pub(super) fn command(words: &[&str]) -> String {
    let words: Option<Vec<String>> = words.iter().map(|word| quoted(word)).collect();
    let command = words.map(|words| words.join(" "));
    command.filter(|command| is_command(command)).unwrap_or_else(|| ANYWAY.to_owned())
}

fn is_command(run: &str) -> bool {
    !run.is_empty()
        && run.len() <= MAX_COMMAND
        && run.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Returns a word as a shell reads it back.
fn quoted(word: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:%@+=,".contains(&byte);
    match word {
        "" => None,
        word if word.bytes().all(is_plain) => Some(word.to_owned()),
        word if word.contains('\'') => None,
        word => Some(format!("'{word}'")),
    }
}

/// Returns a line of at most so many bytes, with its end, in which all is graphic and nothing misleads.
fn line(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    let mut line: String = text::printable(text).chars().map(graphic).collect();
    if line.len() >= most {
        line = text::start(&line, most - MARK.len() - 1).to_owned() + MARK;
    }
    // An empty line would be the last one that go prints.
    if line.trim().is_empty() { "-\n".to_owned() } else { line + "\n" }
}

/// Returns a character that go takes for graphic whatever version of Unicode it knows.
fn graphic(c: char) -> char {
    match c {
        ' '..='~'
        | '…'
        | '\u{2010}'..='\u{2027}'
        | '\u{3001}'..='\u{3002}'
        | '\u{ff01}'..='\u{ff5e}'
        // Letters that are older than go.
        | '\u{a1}'..='\u{24f}'
        | '\u{400}'..='\u{52f}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{4e00}'..='\u{9fa5}'
        | '\u{ac00}'..='\u{d7a3}' => c,
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ANYWAY, MAX_LINES, MAX_TEXT, command, quoted, text};
    use crate::core::refusal::Refusal;

    fn refusal(message: &str, details: &[String], run: &str) -> Refusal {
        let refusal = Refusal::new(502, "http_protocol_error", message).code("H08").run(run);
        details.iter().fold(refusal, |refusal, detail| refusal.detail(detail.as_str()))
    }

    #[test]
    fn every_text_ends_with_a_command() {
        for run in ["", "curl 'a\u{e9}'", "x\ny", &"x".repeat(300)] {
            assert_eq!(text(&refusal("m", &[], run)), format!("gocred[H08]: m\nrun: {ANYWAY}\n"));
        }
        let none = Refusal::new(502, "http_protocol_error", "m");
        assert_eq!(text(&none), format!("gocred: m\nrun: {ANYWAY}\n"));
    }

    #[test]
    fn a_shell_reads_each_word_back() {
        assert_eq!(quoted("https://h.test:8443/a%21b/@v/v1.0.0+x.info").unwrap().find('\''), None);
        assert_eq!(quoted("https://[::1]/").as_deref(), Some("'https://[::1]/'"));
        assert_eq!(quoted("a;rm -rf $HOME").as_deref(), Some("'a;rm -rf $HOME'"));
        assert_eq!(quoted("it's"), None);
        assert_eq!(command(&["gocred", "login", "it's"]), ANYWAY);
        assert_eq!(command(&["gocred", "login", "\u{e9}.test"]), ANYWAY);
        assert_eq!(command(&["gocred", "login", &"h".repeat(300)]), ANYWAY);
    }

    #[test]
    fn the_longest_host_leaves_room_for_what_happened() {
        let host = format!("{}.test", "h".repeat(248));
        let text = text(&refusal(&format!("{host} sends no answer"), &[], ANYWAY));
        assert!(text.contains("sends no answer\n"), "{text}");
    }

    proptest! {
        #[test]
        fn go_prints_the_whole_of_it_whatever_the_names(
            message in any::<String>(),
            details in proptest::collection::vec(any::<String>(), 0..12),
            run in any::<String>(),
            times in 1usize..60,
        ) {
            let text = text(&refusal(&message.repeat(times), &details, &run));
            prop_assert!(text.len() <= MAX_TEXT && text.lines().count() <= MAX_LINES, "{}", text);
            prop_assert!(text.lines().all(|line| !line.trim().is_empty()));
            prop_assert!(text.lines().next_back().is_some_and(|line| line.starts_with("run: ")));
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        }

        #[test]
        fn a_command_of_any_words_is_printable_and_closed(word in "\\PC{0,40}") {
            let command = command(&["gocred", "login", &word]);
            prop_assert!(command.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(command.matches('\'').count() % 2, 0);
        }
    }
}
