//! What stands around a tool's words once somebody has copied them: colours, the times and stages of a build's log,
//! quotation marks of a mail or an issue, line breaks of a narrow window.
//!
//! It deliberately knows no product's whole format: a line loses what looks like such a prefix, and what is left
//! is searched. Nothing of it is printed.

/// How wide a window is at least that breaks lines.
const NARROW: usize = 40;
/// The widths that windows, mails and pagers have, in columns.
const WIDTHS: [usize; 9] = [72, 76, 78, 79, 80, 100, 120, 132, 160];
/// How long a short text is.
const SHORT: usize = 16 << 10;
/// How many prefixes a line may have.
const PREFIXES: usize = 6;

/// A text without its frame.
pub(super) struct Unframed {
    /// Its lines.
    pub(super) lines: Vec<String>,
    /// The same with the lines put together that a window seems to have broken; `None`: none seems to be.
    pub(super) joined: Option<Vec<String>>,
    /// Whether it is likely that lines were broken: more than one has the greatest width, or that of a window.
    pub(super) is_broken: bool,
}

impl Unframed {
    pub(super) fn of(text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let raw: Vec<String> = text.split(['\n', '\r']).map(without_escapes).collect();
        let raw: Vec<&str> = raw.iter().map(|line| unquoted(line)).collect();
        let width = raw.iter().map(|line| columns(line)).max().unwrap_or(0);
        let full = raw.iter().filter(|line| is_full(line, width)).count();
        let is_broken = width >= NARROW && raw.len() > 1 && (full > 1 || WIDTHS.contains(&width));
        // One long line alone says little: only of a short text both readings are tried.
        let is_tried = is_broken || width >= NARROW && raw.len() > 1 && text.len() < SHORT;
        let joined = is_tried.then(|| joined(&raw, width));
        let plain = |line: &str| words(unprefixed(line));
        Self {
            lines: raw.iter().map(|line| plain(line)).collect(),
            is_broken,
            joined: joined.map(|lines| lines.iter().map(|line| plain(line)).collect()),
        }
    }

    /// Returns the lines as they most likely were.
    pub(super) fn likeliest(&self) -> &[String] {
        self.joined.as_deref().filter(|_| self.is_broken).unwrap_or(&self.lines)
    }
}

/// Puts each line that fills the window together with the next one.
fn joined(lines: &[&str], width: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        match all.last_mut() {
            Some(last) if goes_on => last.push_str(line),
            _ => all.push((*line).to_owned()),
        }
        goes_on = is_full(line, width);
    }
    all
}

/// Whether a line ends where the window does. A wide letter that found no room leaves a column.
fn is_full(line: &str, width: usize) -> bool {
    let own = columns(line);
    own == width || own + 1 == width && line.chars().any(is_wide)
}

fn columns(line: &str) -> usize {
    line.chars().map(|letter| 1 + usize::from(is_wide(letter))).sum()
}

/// Chinese, Japanese and Korean letters take two columns (Unicode TR 11).
fn is_wide(letter: char) -> bool {
    matches!(u32::from(letter), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60)
}

/// Takes control sequences out of a line (ECMA-48): `ESC [`, parameters, one letter; and `ESC ]`, `ESC _`, `ESC P`
/// with a text up to its end.
fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            match letters.next() {
                Some('[') => {
                    let _ = letters.by_ref().find(|c| ('@'..='~').contains(c));
                }
                Some(']' | '_' | 'P') => {
                    let _ = letters.by_ref().find(|c| matches!(c, '\u{7}' | '\u{1b}' | '\u{9c}'));
                }
                _ => (),
            }
        } else if letter == '\t' || !letter.is_control() && !is_invisible(letter) {
            plain.push(letter);
        }
    }
    plain
}

/// Marks of the direction, of no width, of the byte order.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Takes the marks of a quotation away.
fn unquoted(line: &str) -> &str {
    let mut rest = line;
    while let Some(after) = rest.trim_start().strip_prefix('>') {
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    rest
}

/// Takes away what a log puts before a line.
fn unprefixed(line: &str) -> &str {
    let mut rest = line.trim();
    for _ in 0..PREFIXES {
        let Some(after) = PREFIXED.iter().find_map(|prefix| prefix(rest)) else { break };
        rest = after.trim_start();
    }
    rest
}

/// What may stand before a line; each returns what is behind it.
const PREFIXED: &[fn(&str) -> Option<&str>] =
    &[marked, bracketed, timed, staged, numbered, named, valued];

/// `##[error]`, `::error file=x::` of a build's commands; bars of a box.
fn marked(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("##[") {
        return rest.split_once(']').map(|(_, rest)| rest);
    }
    if let Some((word, rest)) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")) {
        return (word.len() < 80).then_some(rest);
    }
    line.strip_prefix(['│', '|', '║', '┃'])
}

/// `[2026-11-25T09:14:02Z]`, `[ERROR]`, `[3/7]`.
fn bracketed(line: &str) -> Option<&str> {
    let (word, rest) = line.strip_prefix('[')?.split_once(']')?;
    (word.len() < 60 && !rest.starts_with(':')).then_some(rest)
}

/// `2026-11-25T09:14:02.5+01:00`, `2026-11-25 09:14:02,512`, `09:14:02`, and `Nov 25 09:14:02 host program[1]:`.
fn timed(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if is_time(word) || word.split_once('T').is_some_and(|(day, time)| is_day(day) && is_time(time))
    {
        return Some(rest);
    }
    if is_day(word) {
        let (time, rest) = rest.split_once(' ')?;
        return is_time(time).then_some(rest);
    }
    let is_month = word.len() == 3 && word.chars().all(char::is_alphabetic);
    let (day, rest) = rest.trim_start().split_once(' ').filter(|_| is_month)?;
    let (time, rest) = rest.split_once(' ').filter(|_| day.parse::<u8>().is_ok())?;
    let (_host, rest) = rest.split_once(' ').filter(|_| is_time(time))?;
    rest.split_once(": ").map(|(_, rest)| rest)
}

fn is_day(word: &str) -> bool {
    let mut parts = word.split(['-', '/']);
    let is_number = |part: Option<&str>| part.is_some_and(|it| it.parse::<u16>().is_ok());
    is_number(parts.next())
        && is_number(parts.next())
        && is_number(parts.next())
        && parts.next().is_none()
}

fn is_time(word: &str) -> bool {
    let parts = word.split(':').count();
    (3..=4).contains(&parts)
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || ":.,+-Z".contains(c))
}

/// `#12 `, `0.538 ` and `01O ` of builds in steps.
fn staged(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(' ')?;
    let is_step = word.strip_prefix('#').is_some_and(|number| number.parse::<u16>().is_ok());
    let is_seconds = word.contains('.') && word.trim_end_matches('s').parse::<f64>().is_ok();
    let is_stream = matches!(word.as_bytes(), [a, b, b'O' | b'E', ..] if word.len() <= 4 && a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    (is_step || is_seconds || is_stream).then_some(rest)
}

/// `INFO[0012] `.
fn numbered(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once('[')?;
    let (number, rest) = rest.split_once("] ")?;
    let is_level = !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase());
    (is_level && number.parse::<u32>().is_ok()).then_some(rest)
}

/// `build-1  | ` of several programs' output in one.
fn named(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once('|')?;
    let name = word.trim_end();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!name.is_empty() && name.len() < 40 && name.len() < word.len() && name.chars().all(is_name))
        .then_some(rest)
}

/// `{"log":"…` and `time=… level=error msg="…`.
fn valued(line: &str) -> Option<&str> {
    let keys: &[&str] = match line.as_bytes().first()? {
        b'{' => &[
            "\"log\":\"",
            "\"msg\":\"",
            "\"message\":\"",
            "\"log\": \"",
            "\"msg\": \"",
            "\"message\": \"",
        ],
        b't' | b'l' => &[" msg=\""],
        _ => return None,
    };
    let is_one = line.starts_with('{') || line.starts_with("time=") || line.starts_with("level=");
    keys.iter().filter(|_| is_one).find_map(|key| line.split_once(key)).map(|(_, rest)| rest)
}

/// Writes the marks as the tools do: those that an editor made round, that a page or a log wrote in its own way.
fn words(line: &str) -> String {
    let mut line = line.replace(['“', '”'], "\"").replace(['‘', '’'], "'");
    if line.contains('&') {
        for (from, to) in [
            ("&#39;", "'"),
            ("&#x27;", "'"),
            ("&quot;", "\""),
            ("&#34;", "\""),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&amp;", "&"),
        ] {
            line = line.replace(from, to);
        }
    }
    if line.contains("\\\"") || line.contains("\\n") {
        line = line.replace("\\\"", "\"").replace("\\n", " ").replace("\\t", " ");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::Unframed;

    #[test]
    fn what_logs_put_before_a_line_is_taken_away() {
        let line = "go: m.example/x@v1.0.0: reading https://p.example: 404 Not Found";
        for before in [
            "2026-11-25T09:14:02.1234567Z ",
            "2026-11-25T09:14:02.1234567Z ##[error]",
            "2026-11-25 09:14:02,512 [main] ",
            "[2026-11-25T09:14:02.123Z] ",
            "[ERROR] [3/7] ",
            "09:14:02 ",
            "#12 0.538 ",
            "0.538 ",
            "2026-11-25T09:14:02.123456Z 01O ",
            "Nov  5 09:14:02 runner-3 gitlab-runner[123]: ",
            "build-1  | ",
            "│ ",
            "> ",
            "> > \t",
            "::error::",
            "::error file=go.mod,line=3::",
            "INFO[0012] ",
            "time=\"2026-11-25T09:14:02Z\" level=error msg=\"",
            "{\"log\":\"",
            "\u{1b}[0K\u{1b}[31;1m",
            "\u{1b}]8;;https://u:kanarie@h\u{7}",
            "\u{1b}_bk;t=1732\u{7}",
            "\u{feff}",
        ] {
            assert_eq!(Unframed::of(&format!("{before}{line}")).lines, [line], "{before}");
        }
        for whole in
            ["gocred[K08]: no", "git@h: no", "1.2.3.4 is down", "[::1]:443: refused", "12 of 13"]
        {
            assert_eq!(Unframed::of(whole).lines, [whole]);
        }
    }

    #[test]
    fn lines_that_fill_the_window_go_on_in_the_next() {
        let broken =
            Unframed::of(&format!("{}ab\ncd\n{}ef\r\ngh\n", "x".repeat(78), "致".repeat(39)));
        let joined = broken.joined.as_deref().unwrap();
        assert!(broken.is_broken && joined.len() == 3, "{joined:?}");
        assert!(joined[0].ends_with("abcd") && joined[1].ends_with("efgh"), "{joined:?}");
        let whole = Unframed::of("a short line\nand another\n");
        assert!(!whole.is_broken && whole.joined.is_none());
    }

    #[test]
    fn marks_are_those_that_the_tools_write() {
        let text = "fatal: ‘https://h’ &amp; &#39;x&#39; “y” \\\"z\\\"\\n C:\\go\\pkg";
        assert_eq!(Unframed::of(text).lines, ["fatal: 'https://h' & 'x' \"y\" \"z\"  C:\\go\\pkg"]);
    }
}
