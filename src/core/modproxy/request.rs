//! What go asks a module proxy for, by its path.
//!
//! Only paths of the protocol get through, written again as go writes them: what an upstream sees was
//! built here, so that no `..`, no encoded slash and no query reaches it. It is a little wider than
//! x/mod/module's `CheckPath`, which no two versions of go have alike; whether a module exists is for
//! the upstream to say.

use std::fmt;

use thiserror::Error;

/// A request of the module proxy protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// About a module (<https://go.dev/ref/mod#goproxy-protocol>); `golang.org/toolchain` is one.
    Module {
        /// The module's path, escaped: `example.com/!pub` for `example.com/Pub`.
        path: String,
        /// What of it.
        what: What,
    },
    /// To a checksum database (<https://go.dev/design/25530-sumdb>).
    Sumdb {
        /// The database: a host, and a path where its key has one.
        name: String,
        /// What of it.
        what: Record,
    },
}

/// What of a module. Versions are escaped, and may be queries such as `master`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// `@v/V.info`: JSON about a version.
    Info(String),
    /// `@latest`: JSON about the version to take where the list is empty.
    Latest,
    /// `@v/list`: the versions, a line each.
    List,
    /// `@v/V.mod`: its go.mod.
    Mod(String),
    /// `@v/V.zip`: its files.
    Zip(String),
}

/// What of a checksum database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// `latest`: the signed tree.
    Latest,
    /// `lookup/M@V`: the record of a module. Path and version are escaped.
    Lookup(String, String),
    /// `supported`: whether this proxy serves the database. Any body will do.
    Supported,
    /// `tile/…`: bytes of the tree.
    Tile(String),
}

/// Why a path is none of the protocol. All of these are answered 404.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// A `%` without two hex digits, or for a byte that no path of the protocol has.
    #[error("the path has a `%` escape that go does not write")]
    Escape,
    /// A module path has an element or a letter that no module path has.
    #[error("this is not the escaped path of a module")]
    Module,
    /// There is a query.
    #[error("the module proxy protocol has no `?` in its paths")]
    Query,
    /// It is something else.
    #[error("this is not a path of the module proxy protocol")]
    Unknown,
    /// A version has a letter that none has.
    #[error("this is not the escaped form of a version")]
    Version,
}

impl Request {
    /// Parses the path of a request, as it was sent.
    pub fn parse(target: &str) -> Result<Self, Error> {
        if target.contains(['?', '#']) {
            return Err(Error::Query);
        }
        let path = decode(target)?;
        let path = path.strip_prefix('/').ok_or(Error::Unknown)?;
        if let Some(rest) = path.strip_prefix("sumdb/") {
            return sumdb(rest);
        }
        let (path, what) = if let Some(path) = path.strip_suffix("/@latest") {
            (path, What::Latest)
        } else {
            let (path, file) = path.split_once("/@v/").ok_or(Error::Unknown)?;
            (path, of_file(file)?)
        };
        if !is_module(path) {
            return Err(Error::Module);
        }
        Ok(Self::Module { path: path.to_owned(), what })
    }

    /// Returns the path to ask an upstream for, with a slash first: what go would send, to be appended
    /// to the upstream's own path.
    pub fn path(&self) -> String {
        match self {
            // modfetch escapes each path for URLs (`pathEscape`), so that `!` is `%21` on the wire.
            Self::Module { path, what: What::Info(version) } => encode(path, &dot(version, "info")),
            Self::Module { path, what: What::Latest } => encode(path, "@latest"),
            Self::Module { path, what: What::List } => encode(path, "@v/list"),
            Self::Module { path, what: What::Mod(version) } => encode(path, &dot(version, "mod")),
            Self::Module { path, what: What::Zip(version) } => encode(path, &dot(version, "zip")),
            // web.Join does not.
            Self::Sumdb { name, what } => format!("/sumdb/{name}/{}", what.rest()),
        }
    }
}

impl Record {
    fn rest(&self) -> String {
        match self {
            Self::Latest => "latest".to_owned(),
            Self::Lookup(path, version) => {
                format!("lookup/{path}@{}", encode_text(version, b"!$&+=:@"))
            }
            Self::Supported => "supported".to_owned(),
            Self::Tile(rest) => format!("tile/{rest}"),
        }
    }
}

/// For people: `example.com/Pub@v1.0.0`, as they write it.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module { path, what } => {
                let path = unescape(path);
                match what {
                    What::Info(version) | What::Mod(version) | What::Zip(version) => {
                        write!(f, "{path}@{}", unescape(version))
                    }
                    What::Latest => write!(f, "{path}@latest"),
                    What::List => f.write_str(&path),
                }
            }
            Self::Sumdb { name, what: Record::Lookup(path, version) } => {
                write!(f, "{}@{} in {name}", unescape(path), unescape(version))
            }
            Self::Sumdb { name, what: Record::Latest | Record::Supported | Record::Tile(_) } => {
                write!(f, "the checksum database {name}")
            }
        }
    }
}

fn of_file(file: &str) -> Result<What, Error> {
    if file == "list" {
        return Ok(What::List);
    }
    let (version, kind) = file.rsplit_once('.').ok_or(Error::Unknown)?;
    let what = match kind {
        "info" => What::Info,
        "mod" => What::Mod,
        "zip" => What::Zip,
        _ => return Err(Error::Unknown),
    };
    if is_version(version) { Ok(what(version.to_owned())) } else { Err(Error::Version) }
}

/// The name of a database ends where the protocol begins: `sum.golang.org`, or `host/path`
/// (`modfetch.dbDial`).
fn sumdb(path: &str) -> Result<Request, Error> {
    let is_word = |word: &str| matches!(word, "latest" | "lookup" | "supported" | "tile");
    let mut end = 0;
    let word = path.split('/').find(|element| {
        let found = is_word(element);
        end += if found { 0 } else { element.len() + 1 };
        found
    });
    let (name, rest) = path.split_at_checked(end).ok_or(Error::Unknown)?;
    let name = name.strip_suffix('/').ok_or(Error::Unknown)?;
    let is_name = |element: &str| {
        is_element(element, |byte| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte))
    };
    if !name.split('/').all(is_name) {
        return Err(Error::Unknown);
    }
    let after = word.and_then(|word| rest.strip_prefix(word)).unwrap_or_default();
    let what = match (word, after.strip_prefix('/')) {
        (Some("latest"), None) => Record::Latest,
        (Some("supported"), None) => Record::Supported,
        (Some("lookup"), Some(record)) => {
            let (path, version) = record.split_once('@').ok_or(Error::Unknown)?;
            if !is_module(path) {
                return Err(Error::Module);
            }
            if !is_version(version) {
                return Err(Error::Version);
            }
            Record::Lookup(path.to_owned(), version.to_owned())
        }
        // `8/0/x001/234.p/5`, `8/data/000`: x/mod/sumdb/tlog `Tile.Path`.
        (Some("tile"), Some(tile)) if tile.split('/').all(is_tile) => Record::Tile(tile.to_owned()),
        _ => return Err(Error::Unknown),
    };
    Ok(Request::Sumdb { name: name.to_owned(), what })
}

fn is_tile(element: &str) -> bool {
    is_element(element, |byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'.')
}

fn is_module(path: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    let is_of_host =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let mut elements = path.split('/');
    let host = elements.next().unwrap_or_default();
    // Without a dot it is a package of the standard library, which no proxy has.
    host.contains('.')
        && !host.starts_with(['-', '.'])
        && is_element(host, is_of_host)
        && elements
            .all(|element| !element.starts_with('.') && is_element(&unescape(element), is_letter))
}

fn is_version(version: &str) -> bool {
    // The file names of x/mod/module (`fileNameOK`); `!` is there to escape, and nothing else.
    is_element(&unescape(version), |byte| {
        byte.is_ascii_alphanumeric() || b"#$%&()+,-.=@[]^_{}~ ".contains(&byte)
    })
}

/// Returns whether an element is not empty, not made of dots, and has only such letters.
fn is_element(element: &str, is_letter: impl Fn(u8) -> bool) -> bool {
    !element.ends_with('.') && !element.is_empty() && element.bytes().all(is_letter)
}

/// Returns what an escaped text stands for, or the empty text, which is nothing's escaped form.
pub(crate) fn unescape(escaped: &str) -> String {
    let mut text = String::with_capacity(escaped.len());
    let mut is_capital = false;
    for c in escaped.chars() {
        match c {
            'a'..='z' if is_capital => text.push(c.to_ascii_uppercase()),
            '!' if !is_capital => {}
            'A'..='Z' => return String::new(),
            _ if is_capital => return String::new(),
            c => text.push(c),
        }
        is_capital = c == '!';
    }
    if is_capital { String::new() } else { text }
}

fn dot(version: &str, kind: &str) -> String {
    format!("@v/{version}.{kind}")
}

/// Decodes `%` escapes. An encoded slash is an error: whoever is asked next might read it as one.
fn decode(path: &str) -> Result<String, Error> {
    let mut text = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let high = digit(bytes.next()).ok_or(Error::Escape)?;
                let low = digit(bytes.next()).ok_or(Error::Escape)?;
                u8::try_from(high * 16 + low).unwrap_or(b'/')
            }
            byte => byte,
        };
        if (byte == b'%' && decoded == b'/') || !(b' '..=b'~').contains(&decoded) {
            return Err(Error::Escape);
        }
        text.push(char::from(decoded));
    }
    Ok(text)
}

fn encode(path: &str, rest: &str) -> String {
    // What url.PathEscape leaves, and the slash, which `pathEscape` puts back.
    const LEFT: &[u8] = b"$&+=:@/";
    format!("/{}/{}", encode_text(path, LEFT), encode_text(rest, LEFT))
}

fn encode_text(text: &str, left: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || left.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit =
                |half: u8| char::from_digit(half.into(), 16).map(|c| c.to_ascii_uppercase());
            encoded.extend(std::iter::once('%').chain(digit(byte >> 4)).chain(digit(byte & 15)));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Error, Record, Request, What};

    fn module(path: &str, what: What) -> Request {
        Request::Module { path: path.to_owned(), what }
    }

    fn sumdb(what: Record) -> Request {
        Request::Sumdb { name: "sum.golang.org".to_owned(), what }
    }

    #[test]
    fn every_request_of_the_protocol_is_known_and_sent_on_as_go_sends_it() {
        let v1 = || "v1.0.0".to_owned();
        let toolchain = "v0.0.1-go1.27.3.linux-amd64".to_owned();
        let lookup = Record::Lookup("example.com/!pub".into(), "v1.0.0".into());
        for (sent, request) in [
            ("/example.com/pub/@v/list", module("example.com/pub", What::List)),
            ("/example.com/pub/@latest", module("example.com/pub", What::Latest)),
            ("/example.com/pub/@v/v1.0.0.info", module("example.com/pub", What::Info(v1()))),
            ("/example.com/pub/@v/v1.0.0.mod", module("example.com/pub", What::Mod(v1()))),
            ("/example.com/%21pub/@v/v1.0.0.zip", module("example.com/!pub", What::Zip(v1()))),
            (
                "/h.test/m/@v/v2.0.0+incompatible.mod",
                module("h.test/m", What::Mod("v2.0.0+incompatible".into())),
            ),
            (
                "/golang.org/toolchain/@v/v0.0.1-go1.27.3.linux-amd64.zip",
                module("golang.org/toolchain", What::Zip(toolchain)),
            ),
            ("/h.test/@v/%21master.info", module("h.test", What::Info("!master".into()))),
            ("/h.test/@v/a%2Cb.info", module("h.test", What::Info("a,b".into()))),
            ("/sumdb/sum.golang.org/supported", sumdb(Record::Supported)),
            ("/sumdb/sum.golang.org/latest", sumdb(Record::Latest)),
            ("/sumdb/sum.golang.org/lookup/example.com/!pub@v1.0.0", sumdb(lookup)),
            (
                "/sumdb/sum.golang.org/tile/8/0/x001/234.p/5",
                sumdb(Record::Tile("8/0/x001/234.p/5".into())),
            ),
        ] {
            assert_eq!(Request::parse(sent).as_ref(), Ok(&request), "{sent}");
            assert_eq!(request.path(), sent);
        }
    }

    #[test]
    fn another_spelling_of_a_request_is_written_as_go_writes_it() {
        for (sent, path) in [
            ("/example.com/!pub/@latest", "/example.com/%21pub/@latest"),
            ("/example%2Ecom/pub/%40v/list", "/example.com/pub/@v/list"),
            (
                "/sumdb/h.test/db/lookup/h.test/%21a@v1.0.0",
                "/sumdb/h.test/db/lookup/h.test/!a@v1.0.0",
            ),
        ] {
            assert_eq!(Request::parse(sent).unwrap().path(), path);
        }
    }

    #[test]
    fn nothing_else_gets_through() {
        for (path, error) in [
            ("", Error::Unknown),
            ("/", Error::Unknown),
            ("example.com/m/@v/list", Error::Unknown),
            ("http://example.com/m/@v/list", Error::Unknown),
            ("/example.com/m", Error::Unknown),
            ("/example.com/m?go-get=1", Error::Query),
            ("/example.com/m/@v/list?x=1", Error::Query),
            ("/example.com/m/@v/", Error::Unknown),
            ("/example.com/m/@v/v1.0.0.ziphash", Error::Unknown),
            ("/example.com/m/@v/.info", Error::Version),
            ("/example.com/m/@v/...info", Error::Version),
            ("/example.com/m/@v/a/b.info", Error::Version),
            ("/example.com/m/@v/V1.info", Error::Version),
            ("/example.com/m/@v/v1!.info", Error::Version),
            ("/example.com/m/@v/%2e%2e%2f%2e%2e.zip", Error::Escape),
            ("/../@v/list", Error::Module),
            ("/example.com/../m/@v/list", Error::Module),
            ("/example.com/./m/@v/list", Error::Module),
            ("/example.com//m/@v/list", Error::Module),
            ("//example.com/m/@v/list", Error::Module),
            ("/example.com/%2e%2e/m/@v/list", Error::Module),
            ("/example.com/Pub/@v/list", Error::Module),
            ("/example.com/!Pub/@v/list", Error::Module),
            ("/example.com/!!pub/@v/list", Error::Module),
            ("/example.com/pub!/@v/list", Error::Module),
            ("/example.com/.git/@v/list", Error::Module),
            ("/example.com/a b/@v/list", Error::Module),
            ("/example.com/a%00b/@v/list", Error::Escape),
            ("/example.com/%c3%a9/@v/list", Error::Escape),
            ("/example.com/é/@v/list", Error::Escape),
            ("/example.com/%4/@v/list", Error::Escape),
            ("/example.com/%/@v/list", Error::Escape),
            ("/example.com%2fm/@v/list", Error::Escape),
            ("/example.com\\m/@v/list", Error::Module),
            ("/fmt/@v/list", Error::Module),
            ("/-h.test/@v/list", Error::Module),
            ("/!h.test/@v/list", Error::Module),
            ("/h_.test/@v/list", Error::Module),
            ("/h.test/m/@v/list/@v/list", Error::Unknown),
            ("/sumdb/", Error::Unknown),
            ("/sumdb/supported", Error::Unknown),
            ("/sumdb//supported", Error::Unknown),
            ("/sumdb/../supported", Error::Unknown),
            ("/sumdb/sum.golang.org", Error::Unknown),
            ("/sumdb/sum.golang.org/supported/x", Error::Unknown),
            ("/sumdb/sum.golang.org/lookup/fmt@v1.0.0", Error::Module),
            ("/sumdb/sum.golang.org/lookup/h.test@", Error::Version),
            ("/sumdb/sum.golang.org/tile/../../x", Error::Unknown),
            ("/sumdb/sum.golang.org/tile/", Error::Unknown),
        ] {
            assert_eq!(Request::parse(path), Err(error), "{path}");
        }
    }

    #[test]
    fn people_read_what_they_wrote() {
        for (sent, shown) in [
            ("/example.com/!pub/@v/v1.0.0.zip", "example.com/Pub@v1.0.0"),
            ("/example.com/!pub/@v/list", "example.com/Pub"),
            ("/example.com/pub/@latest", "example.com/pub@latest"),
            ("/sumdb/sum.golang.org/latest", "the checksum database sum.golang.org"),
            ("/sumdb/s.test/lookup/h.test/!m@v1.0.0", "h.test/M@v1.0.0 in s.test"),
        ] {
            assert_eq!(Request::parse(sent).unwrap().to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_on_is_read_as_the_same_and_has_no_tricks(path in "(/sumdb)?(/[a-z!.%@0-9+A-C]{0,6}){0,4}/(@v/|lookup/)?[a-z.!%@]{0,8}(list|\\.info|\\.zip|latest)?") {
            if let Ok(request) = Request::parse(&path) {
                let sent = request.path();
                prop_assert_eq!(Request::parse(&sent), Ok(request));
                let has_dots = sent.split('/').any(|element| element.bytes().all(|byte| byte == b'.') && !element.is_empty());
                prop_assert!(sent.starts_with('/') && !sent.contains("//") && !has_dots);
                prop_assert!(sent.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte)));
            }
        }

        #[test]
        fn any_text_is_a_request_or_an_error(path in any::<String>()) {
            let _ = Request::parse(&path);
        }
    }
}
