//! Reads a request, byte by byte as they come, and stops at the blank line.
//!
//! Lines end at a line feed and nowhere else: what reads a lone CR, a vertical tab or U+2028 as a
//! line end takes the host from the attacker (CVE-2024-50338, CVE-2025-23040). An error never
//! repeats what was sent, only the names of known attributes.

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::{
    credential::UnixTime,
    gitproto::{MAX_LINE, MAX_REQUEST, Request, STATE_PREFIX},
    secret::SecretString,
};

/// Why a request is refused as a whole.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line} of the request{} {what}", name(*.key))]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// The attribute, if it is one of the protocol's.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum What {
    /// It is neither `true` nor `false` in git's sense.
    #[error("is not a boolean")]
    Boolean,
    /// A carriage return that does not end the line.
    #[error("holds a carriage return")]
    CarriageReturn,
    /// The request is larger than [`MAX_REQUEST`].
    #[error("goes beyond 1 MiB, the limit of a request")]
    Large,
    /// Longer than [`MAX_LINE`].
    #[error("is longer than 65535 bytes")]
    Long,
    /// There is no equals sign.
    #[error("is not a key and a value")]
    NoValue,
    /// A NUL byte.
    #[error("holds a NUL byte")]
    Nul,
    /// Not UTF-8.
    #[error("is not UTF-8")]
    Text,
    /// Not a URL, or one with a control character in it.
    #[error("is not a URL of a host")]
    Url,
}

/// Whether a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The blank line came; what follows is not ours.
    Ended,
    /// More may come.
    More,
}

/// Takes a request in any number of pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    request: Request,
    /// The unfinished line. It may hold a secret.
    line: Zeroizing<Vec<u8>>,
    lines: usize,
    bytes: usize,
    ended: bool,
}

impl Decoder {
    /// Takes the next piece.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.ended {
                break;
            }
            self.take(piece)?;
        }
        Ok(if self.ended { Progress::Ended } else { Progress::More })
    }

    /// Ends the request, as the end of the input does.
    pub fn finish(mut self) -> Result<Request, Error> {
        if !self.ended && !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.request)
    }

    /// Takes bytes of which at most the last is a line feed.
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        let in_line = MAX_LINE - self.line.len();
        let in_request = MAX_REQUEST - self.bytes;
        if piece.len() > in_line.min(in_request) {
            let what = if in_line <= in_request { What::Long } else { What::Large };
            return Err(Error { line: self.lines + 1, key: None, what });
        }
        self.bytes += piece.len();
        self.keep(piece);
        if piece.ends_with(b"\n") {
            self.end_line()?;
        }
        Ok(())
    }

    /// Appends to the line. A buffer that becomes too small is wiped, which `Vec` does not do.
    fn keep(&mut self, piece: &[u8]) {
        let length = self.line.len() + piece.len();
        if length > self.line.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.max(256) * 2));
            larger.extend_from_slice(&self.line);
            self.line = larger;
        }
        self.line.extend_from_slice(piece);
    }

    fn end_line(&mut self) -> Result<(), Error> {
        self.lines += 1;
        let line = std::mem::take(&mut self.line);
        // One CR is part of the line end, and only before a line feed (git's strbuf_getline).
        let content = line
            .strip_suffix(b"\n")
            .map_or(line.as_slice(), |finished| finished.strip_suffix(b"\r").unwrap_or(finished));
        if content.is_empty() {
            self.ended = true;
            return Ok(());
        }
        let wrong = |key, what| Err(Error { line: self.lines, key, what });
        let equals = content.iter().position(|byte| *byte == b'=');
        let (key, value) = content.split_at(equals.unwrap_or(content.len()));
        let known = KEYS.into_iter().find(|known| known.as_bytes() == key);
        if content.contains(&b'\0') {
            return wrong(known, What::Nul);
        }
        if content.contains(&b'\r') {
            return wrong(known, What::CarriageReturn);
        }
        let Some(value) = value.strip_prefix(b"=") else {
            return wrong(None, What::NoValue);
        };
        match known.map(|key| self.request.set(key, value)) {
            Some(Err(what)) => wrong(known, what),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl Request {
    /// Reads a whole request.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes)?;
        decoder.finish()
    }

    /// Takes one attribute; the last one of a name wins, and `key[]=` empties a list.
    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), What> {
        match key {
            "authtype" => self.authtype = Some(text(value)?.to_owned()),
            "capability[]" => match value {
                b"" => self.capabilities = super::Capabilities::default(),
                b"authtype" => self.capabilities.authtype = true,
                b"state" => self.capabilities.state = true,
                _ => {}
            },
            "continue" => self.multistage = boolean(value)?,
            "credential" => self.credential = Some(secret(value)?),
            "ephemeral" => self.ephemeral = boolean(value)?,
            "host" => self.host = Some(text(value)?.to_owned()),
            "oauth_refresh_token" => self.oauth_refresh_token = Some(secret(value)?),
            "password" => self.password = Some(secret(value)?),
            "password_expiry_utc" => self.password_expiry_utc = expiry(value),
            "path" => self.path = path(text(value)?),
            "protocol" => self.protocol = Some(text(value)?.to_owned()),
            "state[]" => list(&mut self.state, value, |text| text.starts_with(STATE_PREFIX)),
            // A URL says everything anew (credential.c, credential_from_url).
            "url" => *self = super::url::parse(text(value)?).ok_or(What::Url)?,
            "username" => self.username = Some(text(value)?.to_owned()),
            "wwwauth[]" => list(&mut self.wwwauth, value, |_| true),
            _ => {}
        }
        Ok(())
    }
}

/// Trims the slashes at both ends, as git does for URLs; an empty path is none.
pub(super) fn path(text: &str) -> Option<String> {
    Some(text.trim_matches('/')).filter(|path| !path.is_empty()).map(str::to_owned)
}

fn list(list: &mut Vec<String>, value: &[u8], is_wanted: impl Fn(&str) -> bool) {
    if value.is_empty() {
        list.clear();
    } else {
        let text = String::from_utf8_lossy(value);
        if is_wanted(&text) {
            list.push(text.into_owned());
        }
    }
}

fn text(value: &[u8]) -> Result<&str, What> {
    std::str::from_utf8(value).map_err(|_| What::Text)
}

fn secret(value: &[u8]) -> Result<SecretString, What> {
    text(value).map(SecretString::from)
}

/// Parses git's boolean (parse.c, `git_parse_maybe_bool`): a word, or an integer with an optional
/// `k`, `m` or `g` behind it.
fn boolean(value: &[u8]) -> Result<bool, What> {
    let word = text(value)?.to_ascii_lowercase();
    match word.as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" | "" => Ok(false),
        number => {
            let digits = number.strip_suffix(['k', 'm', 'g']).unwrap_or(number);
            digits.parse::<i64>().map(|number| number != 0).map_err(|_| What::Boolean)
        }
    }
}

/// Parses a time as git does (`parse_timestamp`, which is `strtoumax`): what is no number, zero, or
/// too large means never.
fn expiry(value: &[u8]) -> Option<UnixTime> {
    let number = value.trim_ascii_start();
    let number = number.strip_prefix(b"+").unwrap_or(number);
    let end = number.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(number.len());
    let (digits, _) = number.split_at(end);
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|time| *time != 0)
}

fn name(key: Option<&'static str>) -> String {
    key.map_or_else(String::new, |key| format!(" (`{key}`)"))
}

/// The attributes that are read. `quit` goes the other way.
const KEYS: [&str; 15] = [
    "authtype",
    "capability[]",
    "continue",
    "credential",
    "ephemeral",
    "host",
    "oauth_refresh_token",
    "password",
    "password_expiry_utc",
    "path",
    "protocol",
    "state[]",
    "url",
    "username",
    "wwwauth[]",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Decoder, Error, Progress, What, boolean, expiry};
    use crate::core::{
        gitproto::{MAX_LINE, MAX_REQUEST, Request},
        secret::ExposeSecret,
    };

    fn decode(text: &str) -> Result<Request, Error> {
        Request::decode(text.as_bytes())
    }

    /// Everything of a request, secrets too, to compare two.
    fn plain(request: &Request) -> String {
        let shown = |secret: &Option<crate::core::secret::SecretString>| {
            secret.as_ref().map(|secret| secret.expose_secret().to_owned())
        };
        let secrets = [&request.password, &request.credential, &request.oauth_refresh_token];
        format!("{request:?} {:?}", secrets.map(shown))
    }

    #[test]
    fn every_attribute_of_git_2_47_is_read() {
        let request = decode(
            "capability[]=authtype\ncapability[]=state\ncapability[]=new\nauthtype=Bearer\n\
             credential=c\nephemeral=1\nprotocol=https\nhost=h:8443\npath=team/lib.git\n\
             username=ana\npassword=a=b\noauth_refresh_token=r\npassword_expiry_utc=17\n\
             wwwauth[]=Basic realm=\"x\"\nwwwauth[]=Bearer\ncontinue=1\nstate[]=gocred:a\n\
             state[]=other:b\nnew=thing\n",
        )
        .unwrap();
        assert!(request.capabilities.authtype && request.capabilities.state);
        assert_eq!(request.authtype.as_deref(), Some("Bearer"));
        assert_eq!(request.origin().unwrap().to_string(), "https://h:8443");
        assert_eq!(request.path.as_deref(), Some("team/lib.git"));
        assert_eq!(request.username.as_deref(), Some("ana"));
        assert_eq!(request.password.as_ref().unwrap().expose_secret(), "a=b");
        assert_eq!(request.credential.as_ref().unwrap().expose_secret(), "c");
        assert_eq!(request.oauth_refresh_token.as_ref().unwrap().expose_secret(), "r");
        assert_eq!(request.password_expiry_utc, Some(17));
        assert_eq!(request.wwwauth, ["Basic realm=\"x\"", "Bearer"]);
        assert!(request.ephemeral && request.multistage);
        assert_eq!(request.state, ["gocred:a"]);
    }

    #[test]
    fn the_last_of_a_name_wins_and_an_empty_element_empties_the_list() {
        let request = decode(
            "host=a\nhost=b\nwwwauth[]=A\nwwwauth[]=\nwwwauth[]=B\nstate[]=gocred:a\nstate[]=\n\
             capability[]=state\ncapability[]=\ncapability[]=authtype\n",
        )
        .unwrap();
        assert_eq!(request.host.as_deref(), Some("b"));
        assert_eq!(request.wwwauth, ["B"]);
        assert_eq!(request.state, [""; 0]);
        assert!(request.capabilities.authtype && !request.capabilities.state);
    }

    #[test]
    fn a_blank_line_ends_the_request_and_so_does_the_end_of_the_input() {
        for text in ["host=a\n\nhost=b\n", "host=a\r\n\r\nhost=b\n", "host=a\n", "host=a"] {
            assert_eq!(decode(text).unwrap().host.as_deref(), Some("a"), "{text:?}");
        }
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(b"host=a\n"), Ok(Progress::More));
        assert_eq!(decoder.feed(b"\n"), Ok(Progress::Ended));
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        for c in ["\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
            let request = decode(&format!("username=u{c}host=victim\nhost=evil\n")).unwrap();
            assert_eq!(request.host.as_deref(), Some("evil"));
            assert_eq!(request.username, Some(format!("u{c}host=victim")));
        }
    }

    #[test]
    fn a_carriage_return_belongs_to_the_line_end_or_is_refused() {
        assert_eq!(decode("host=a\r\n").unwrap().host.as_deref(), Some("a"));
        for text in ["host=evil\rhost=victim\n", "host=evil\r", "host=evil\r\r\n", "\rhost=a\n"] {
            assert_eq!(decode(text).unwrap_err().what, What::CarriageReturn, "{text:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused_and_named_without_its_content() {
        for (text, message) in [
            ("password=S3\ngarbage-S3\n", "line 2 of the request is not a key and a value"),
            ("password=S3\0\n", "line 1 of the request (`password`) holds a NUL byte"),
            ("S3=\0\n", "line 1 of the request holds a NUL byte"),
            ("host=S3\rx\n", "line 1 of the request (`host`) holds a carriage return"),
            ("ephemeral=S3\n", "line 1 of the request (`ephemeral`) is not a boolean"),
            ("url=S3\n", "line 1 of the request (`url`) is not a URL of a host"),
        ] {
            assert_eq!(decode(text).unwrap_err().to_string(), message);
        }
        let error = Request::decode(b"password=S3\xff\n").unwrap_err();
        assert_eq!(error.to_string(), "line 1 of the request (`password`) is not UTF-8");
    }

    #[test]
    fn bytes_that_are_no_text_harm_only_what_must_be_text() {
        let request = Request::decode(b"wwwauth[]=Basic realm=\"\xe9\"\nx=\xff\nhost=h\n").unwrap();
        assert_eq!(request.wwwauth, ["Basic realm=\"\u{fffd}\""]);
        assert_eq!(request.host.as_deref(), Some("h"));
    }

    #[test]
    fn the_limits_are_exact() {
        let longest = format!("username={}\n", "x".repeat(MAX_LINE - 10));
        assert_eq!(longest.len(), MAX_LINE);
        assert!(decode(&longest).is_ok());
        assert_eq!(decode(&format!("x{longest}")).unwrap_err().what, What::Long);
        let lines = longest.repeat(MAX_REQUEST / MAX_LINE);
        let rest = MAX_REQUEST - lines.len();
        let full = format!("{lines}{}\n", "=".repeat(rest - 1));
        assert!(decode(&full).is_ok());
        assert_eq!(decode(&format!("{full}a")).unwrap_err().what, What::Large);
    }

    #[test]
    fn a_header_of_any_length_never_becomes_a_host() {
        for length in [1024, 4096, 65_536, 102_400, MAX_REQUEST] {
            for around in length - 12..length + 3 {
                let text = format!("host=evil\nwwwauth[]={}host=victim\n", "x".repeat(around));
                match decode(&text) {
                    Ok(request) => assert_eq!(request.host.as_deref(), Some("evil")),
                    Err(error) => assert!(matches!(error.what, What::Long | What::Large)),
                }
            }
        }
    }

    #[test]
    fn booleans_are_gits() {
        for yes in ["1", "true", "YES", "on", "-1", "2k"] {
            assert_eq!(boolean(yes.as_bytes()), Ok(true), "{yes}");
        }
        for no in ["0", "false", "No", "off", "", "0m"] {
            assert_eq!(boolean(no.as_bytes()), Ok(false), "{no}");
        }
        assert_eq!(boolean(b"maybe"), Err(What::Boolean));
    }

    #[test]
    fn times_are_gits() {
        for (text, time) in
            [("17", Some(17)), (" +17x", Some(17)), ("99999999999", Some(99_999_999_999))]
        {
            assert_eq!(expiry(text.as_bytes()), time, "{text}");
        }
        for never in ["0", "", "x", "-1", "99999999999999999999999"] {
            assert_eq!(expiry(never.as_bytes()), None, "{never}");
        }
    }

    #[test]
    fn an_origin_needs_a_protocol_and_a_host() {
        for text in ["", "protocol=https\n", "host=victim\n", "host=\n", "protocol=\nhost=h\n"] {
            assert_eq!(decode(text).unwrap().origin(), None, "{text:?}");
        }
        assert_eq!(decode("protocol=cert\nhost=\npath=x\n").unwrap().origin(), None);
    }

    proptest! {
        #[test]
        fn the_split_of_the_input_does_not_matter(
            lines in prop::collection::vec("(host|wwwauth\\[\\]|password|ephemeral|state\\[\\]|x|url)?=?[a-z01:=/\r\n\u{0}]{0,12}", 0..12),
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let bytes = lines.join("\n").into_bytes();
            let mut decoder = Decoder::default();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut from = 0;
            let mut result = Ok(Progress::More);
            for cut in cuts.into_iter().chain([bytes.len()]) {
                result = result.and_then(|_| decoder.feed(&bytes[from..cut]));
                from = cut;
            }
            let pieces = result.and_then(|_| decoder.finish()).map(|request| plain(&request));
            prop_assert_eq!(pieces, Request::decode(&bytes).map(|request| plain(&request)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Request::decode(&bytes);
        }
    }
}
