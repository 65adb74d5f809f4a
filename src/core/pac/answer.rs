//! What a script answers: `PROXY a:8080; SOCKS5 b; DIRECT`.
//!
//! Browsers read an empty answer and one of which they understand nothing as `DIRECT` (Chromium,
//! `ProxyList::SetFromPacString`). We follow them in the first, which is what MDN documents ("if the
//! string is null, no proxies should be used"), and not in the second: a proxy that was asked for
//! and is not understood must not become a way around it.

use std::fmt;

use crate::core::{
    config::Upstream,
    origin::Origin,
    target::Host,
    text::{printable, start},
};

/// More than this is no answer, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// How many ways are taken from one answer.
pub const MAX_CHOICES: usize = 16;

/// One way to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// No proxy.
    Direct,
    /// `http://`, `https://` or `socks5h://`, with its port.
    Via(Origin),
}

impl From<Choice> for Upstream {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Direct => Self::Direct,
            Choice::Via(origin) => Self::Via(origin),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("DIRECT"),
            Self::Via(origin) => origin.fmt(f),
        }
    }
}

/// What a script answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The ways, in the order of preference. Empty: the answer names none that can be used.
    pub choices: Vec<Choice>,
    /// What was passed over.
    pub notes: Vec<Note>,
}

/// An element that was passed over. It holds printable text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The host or the port is not one.
    Malformed(String),
    /// There are more than [`MAX_CHOICES`].
    More,
    /// SOCKS 4, which cannot pass a name or an IPv6 address on.
    Socks4(String),
    /// The answer is longer than [`MAX_LENGTH`].
    TooLong,
    /// No kind of proxy that we know.
    Unknown(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(f, "`{text}` names no host and port"),
            Self::More => write!(f, "only the first {MAX_CHOICES} elements are used"),
            Self::Socks4(text) => write!(f, "`{text}` is SOCKS 4, which gocred does not speak"),
            Self::TooLong => write!(f, "the answer is longer than {MAX_LENGTH} bytes"),
            Self::Unknown(text) => write!(f, "`{text}` is no kind of proxy that gocred knows"),
        }
    }
}

/// Reads the text that a script returned; `null` and `undefined` are the empty text.
///
/// Ports that are missing are those of Chromium: 80, 443 and 1080. `SOCKS` is 5: Chromium and Firefox
/// take it for 4, which cannot carry names, but a server of today that speaks 4 speaks 5, too.
pub fn parse(text: &str) -> Answer {
    if text.len() > MAX_LENGTH {
        return Answer { choices: Vec::new(), notes: vec![Note::TooLong] };
    }
    let mut answer = Answer::default();
    let elements = text.split(';').map(str::trim).filter(|element| !element.is_empty());
    for (count, element) in elements.enumerate() {
        if count >= MAX_CHOICES {
            answer.notes.push(Note::More);
            break;
        }
        match choice(element) {
            Ok(choice) => answer.choices.push(choice),
            Err(note) => answer.notes.push(note),
        }
    }
    if answer.choices.is_empty() && answer.notes.is_empty() {
        answer.choices.push(Choice::Direct);
    }
    answer
}

fn choice(element: &str) -> Result<Choice, Note> {
    let (word, place) = element.split_once([' ', '\t']).unwrap_or((element, ""));
    let shown = || printable(start(element, 80));
    let (scheme, port) = match word.to_ascii_uppercase().as_str() {
        "DIRECT" => return Ok(Choice::Direct),
        "PROXY" | "HTTP" => ("http", 80),
        "HTTPS" => ("https", 443),
        "SOCKS" | "SOCKS5" => ("socks5h", 1080),
        "SOCKS4" => return Err(Note::Socks4(shown())),
        _ => return Err(Note::Unknown(shown())),
    };
    origin(scheme, place.trim(), port).map(Choice::Via).ok_or_else(|| Note::Malformed(shown()))
}

/// Takes only hosts that every program reads alike (`core::target`), and writes the port.
fn origin(scheme: &str, place: &str, port: u16) -> Option<Origin> {
    let written = Origin::new(scheme, place).ok()?;
    let host = Host::parse(written.host()).ok()?;
    Origin::from_parts(scheme, &host.to_string(), Some(written.port().unwrap_or(port))).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Answer, Choice, MAX_CHOICES, MAX_LENGTH, Note, parse};

    fn shown(text: &str) -> (Vec<String>, usize) {
        let Answer { choices, notes } = parse(text);
        (choices.iter().map(ToString::to_string).collect(), notes.len())
    }

    #[test]
    fn an_answer_is_an_ordered_list() {
        for (text, choices, notes) in [
            ("DIRECT", &["DIRECT"][..], 0),
            ("PROXY p:8080", &["http://p:8080"], 0),
            ("PROXY p; DIRECT", &["http://p:80", "DIRECT"], 0),
            ("proxy\tp:1 ;HTTP q:2; HTTPS r;", &["http://p:1", "http://q:2", "https://r:443"], 0),
            ("SOCKS a; SOCKS5 b:9", &["socks5h://a:1080", "socks5h://b:9"], 0),
            ("SOCKS4 a:1; PROXY b:2", &["http://b:2"], 1),
            ("PROXY [2001:db8::1]:3128", &["http://[2001:db8::1]:3128"], 0),
            ("PROXY Proxy.Corp.Test:3128", &["http://proxy.corp.test:3128"], 0),
            ("PROXY  p:1", &["http://p:1"], 0),
            ("QUIC q:1; MAGIC", &[], 2),
        ] {
            assert_eq!(
                shown(text),
                (choices.iter().map(ToString::to_string).collect(), notes),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_direct_and_what_is_not_understood_is_not() {
        for text in ["", " ", ";", " ; ;\t"] {
            assert_eq!(parse(text).choices, [Choice::Direct], "{text:?}");
        }
        for text in [
            "PROXY",
            "PROXY ",
            "PROXY p:0",
            "PROXY p:99999",
            "PROXY p:80x",
            "PROXY u@p:80",
            "PROXY u:pw@p:80",
            "PROXY http://p:80",
            "PROXY p:80/",
            "PROXY p:80\r\nX: 1",
            "PROXY 2001:db8::1:80",
            "PROXY p q",
            "DIRECTLY",
            "p:8080",
            "null",
        ] {
            let answer = parse(text);
            assert!(answer.choices.is_empty() && answer.notes.len() == 1, "{text:?}: {answer:?}");
        }
    }

    #[test]
    fn an_answer_has_limits() {
        assert_eq!(parse(&"DIRECT;".repeat(MAX_LENGTH)).notes, [Note::TooLong]);
        let many = parse(&"PROXY p:1;".repeat(MAX_CHOICES + 1));
        assert_eq!((many.choices.len(), many.notes), (MAX_CHOICES, vec![Note::More]));
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_is_told_is_printable(text in r"(PROXY |HTTPS |SOCKS4 |[a-z0-9.:;\[\]@ \t]|\PC|\x1b){0,40}") {
            let answer = parse(&text);
            for note in &answer.notes {
                prop_assert!(!note.to_string().contains(char::is_control));
            }
            let written: Vec<String> = answer.choices.iter().map(|choice| match choice {
                Choice::Direct => "DIRECT".to_owned(),
                Choice::Via(origin) => format!(
                    "{} {}",
                    match origin.scheme() { "http" => "PROXY", "https" => "HTTPS", _ => "SOCKS5" },
                    origin.authority()
                ),
            }).collect();
            if !written.is_empty() {
                prop_assert_eq!(parse(&written.join(";")).choices, answer.choices);
            }
        }
    }
}
