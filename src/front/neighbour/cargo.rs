//! `cargo-credential-gocred`: a credential provider of cargo's (The Cargo Book, "Credential Provider
//! Protocol"), a token for a registry.
//!
//! cargo sends a token as it is, as the whole `Authorization`: a stored `Bearer` credential is therefore
//! told with its scheme. A registry whose index is not fetched over HTTP is left to cargo's other providers.

use std::{
    borrow::Cow,
    io::{self, Read, Write},
};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::{
    Desk, Forgotten, Place, Reach, Said, Trouble, Wish,
    json::{self, Secret},
    take,
};
use crate::{
    broker::Proofs,
    core::{
        credential::{Proof, UnixTime},
        fault::Kind,
        secret::{ExposeSecret, SecretString},
        text::printable,
    },
    front::login::prompt,
    sys::tty,
};

/// The account of what cargo stores: its tokens have none.
const OWN: &str = "cargo";
/// The first line.
const HELLO: &[u8] = b"{\"v\":[1]}\n";

/// Talks with cargo until that closes the pipe. Every failure is an answer of the protocol.
pub(super) fn run(arguments: &[&str]) -> Said {
    if arguments.first() != Some(&"--cargo-plugin") {
        let usage = "cargo runs this; write `global-credential-providers = \
                     [\"cargo-credential-gocred\"]` into the table `registry` of ~/.cargo/config.toml";
        return Err(Trouble::usage(usage)).into();
    }
    // cargo went away.
    let _ = talk(io::stdin().lock(), io::stdout().lock());
    Said::default()
}

fn talk(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    output.write_all(HELLO)?;
    output.flush()?;
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let Some(end) = end else {
            match take(&mut input, &mut bytes) {
                Ok(0) => return Ok(()),
                Ok(_) => continue,
                Err(trouble) => return say(&mut output, &Answer::Err(other(&trouble))),
            }
        };
        let line = bytes.get(..end).unwrap_or_default();
        let answered = match json::parse(line) {
            Ok(question) => reply(&question, &mut output),
            Err(trouble) => say(&mut output, &Answer::Err(other(&trouble))),
        };
        answered?;
        bytes.drain(..=end);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Question {
    v: u32,
    registry: Registry,
    kind: String,
    #[serde(default)]
    token: Option<Secret>,
    #[serde(default)]
    login_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    index_url: String,
}

#[derive(Serialize)]
enum Answer<'a> {
    Ok(Done<'a>),
    Err(Failure),
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Done<'a> {
    Get {
        token: &'a str,
        #[serde(flatten)]
        cache: Cache,
        operation_independent: bool,
    },
    Login,
    Logout,
}

/// How long cargo may remember a token.
#[derive(Serialize)]
#[serde(tag = "cache", rename_all = "kebab-case")]
enum Cache {
    Expires { expiration: UnixTime },
    Session,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Failure {
    NotFound,
    OperationNotSupported,
    Other {
        message: String,
        #[serde(rename = "caused-by")]
        causes: [String; 0],
    },
    UrlNotSupported,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        other(&trouble)
    }
}

fn other(trouble: &Trouble) -> Failure {
    Failure::Other { message: trouble.to_string(), causes: [] }
}

fn say(output: &mut impl Write, answer: &Answer<'_>) -> io::Result<()> {
    let line = json::line(answer).map_err(io::Error::other)?;
    output.write_all(&line)?;
    output.flush()
}

fn reply(question: &Question, output: &mut impl Write) -> io::Result<()> {
    if question.v != 1 {
        let trouble = Trouble::usage("cargo speaks another version than 1 of its protocol");
        return say(output, &Answer::Err(other(&trouble)));
    }
    let done = match question.kind.as_str() {
        "get" => match get(question) {
            Ok((token, cache)) => {
                let token = token.expose_secret();
                let done = Done::Get { token, cache, operation_independent: true };
                return say(output, &Answer::Ok(done));
            }
            Err(failure) => Err(failure),
        },
        "login" => login(question).map(|()| Done::Login),
        "logout" => logout(question).map(|()| Done::Logout),
        _ => Err(Failure::OperationNotSupported),
    };
    say(output, &done.map_or_else(Answer::Err, Answer::Ok))
}

/// Returns where a registry is, by the URL of its index.
fn place(question: &Question) -> Result<Place, Failure> {
    let url = question.registry.index_url.as_str();
    let url = url.strip_prefix("sparse+").or_else(|| url.strip_prefix("registry+")).unwrap_or(url);
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    if !is_http {
        return Err(Failure::UrlNotSupported);
    }
    Ok(Place::parse(url)?)
}

fn get(question: &Question) -> Result<(SecretString, Cache), Failure> {
    let place = place(question)?;
    let (proofs, reach) = (Proofs::All, Reach::Below);
    let wish = Wish { place: &place, user: None, own: Some(OWN), proofs, reach };
    let record = Desk::open()?.ask(&wish)?.ok_or(Failure::NotFound)?;
    let token = match record.secrets.proof {
        Proof::Password(token) => token,
        Proof::Encoded { authtype, credential } => {
            format!("{authtype} {}", credential.expose_secret()).into()
        }
    };
    let ends = record.entry.expires;
    Ok((token, ends.map_or(Cache::Session, |expiration| Cache::Expires { expiration })))
}

fn login(question: &Question) -> Result<(), Failure> {
    let place = place(question)?;
    let mut desk = Desk::open()?;
    desk.may_keep(&place.origin)?;
    let token = match &question.token {
        Some(Secret(token)) => Cow::Borrowed(token),
        None => Cow::Owned(ask(question, &place, &desk)?),
    };
    let token = token.expose_secret().trim();
    if token.is_empty() {
        return Err(Trouble::usage("the token is empty").into());
    }
    Ok(desk.keep(&place, OWN, token.into())?)
}

/// Asks for a token at the terminal: standard input is cargo's.
fn ask(question: &Question, place: &Place, desk: &Desk) -> Result<SecretString, Failure> {
    let host = place.origin.authority();
    let nobody = || {
        Trouble::usage(format!(
            "there is nobody to ask for the token of {host}; run: gocred login {host} \
             --with-token < FILE"
        ))
    };
    if desk.is_unattended() || !tty::stderr_is_terminal() {
        return Err(nobody().into());
    }
    let url = question.login_url.as_deref().map(|url| format!(", from {}", printable(url)));
    let question = format!("Token for {host}{}: ", url.unwrap_or_default());
    prompt::secret(&question).map_err(|fault| match fault.kind {
        Kind::Interrupted => Trouble::from(fault).into(),
        _ => nobody().into(),
    })
}

fn logout(question: &Question) -> Result<(), Failure> {
    let place = place(question)?;
    match Desk::open()?.forget(&place, Some(OWN), "cargo logout")? {
        Forgotten::Hidden => Ok(()),
        Forgotten::Nothing => Err(Failure::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Cache, Done, Failure, Trouble, other, say, talk};

    fn line(answer: &Answer<'_>) -> String {
        let mut bytes = Vec::new();
        say(&mut bytes, answer).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn answers_are_those_of_the_cargo_book() {
        let cache = Cache::Expires { expiration: 1_693_942_857 };
        let get = Done::Get { token: "t", cache, operation_independent: true };
        assert_eq!(
            line(&Answer::Ok(get)),
            "{\"Ok\":{\"kind\":\"get\",\"token\":\"t\",\"cache\":\"expires\",\
             \"expiration\":1693942857,\"operation_independent\":true}}\n"
        );
        let get = Done::Get { token: "t", cache: Cache::Session, operation_independent: true };
        assert!(line(&Answer::Ok(get)).contains("\"cache\":\"session\","));
        assert_eq!(line(&Answer::Ok(Done::Login)), "{\"Ok\":{\"kind\":\"login\"}}\n");
        assert_eq!(
            line(&Answer::Err(Failure::UrlNotSupported)),
            "{\"Err\":{\"kind\":\"url-not-supported\"}}\n"
        );
        assert_eq!(
            line(&Answer::Err(other(&Trouble::usage("x")))),
            "{\"Err\":{\"kind\":\"other\",\"message\":\"gocred: x\",\"caused-by\":[]}}\n"
        );
    }

    /// Returns what is said to these lines, which come a byte at a time.
    fn said(lines: &str) -> String {
        struct Slow<'a>(&'a [u8]);
        impl std::io::Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let one = buffer.len().min(1);
                std::io::Read::read(&mut self.0, &mut buffer[..one])
            }
        }
        let mut bytes = Vec::new();
        talk(Slow(lines.as_bytes()), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_line_has_its_answer() {
        let of = |kind: &str, v: u32, url: &str| {
            format!("{{\"v\":{v},\"registry\":{{\"index-url\":\"{url}\"}},\"kind\":\"{kind}\"}}\n")
        };
        let ssh = "ssh://git@h/index";
        let lines =
            [of("get", 1, ssh), of("get", 2, ssh), of("dance", 1, ssh), "{hunter2\n".into()];
        let said = said(&lines.concat());
        let answers: Vec<&str> = said.lines().collect();
        assert_eq!(answers[..2], ["{\"v\":[1]}", "{\"Err\":{\"kind\":\"url-not-supported\"}}"]);
        assert!(answers[2].contains("version"), "{said}");
        assert!(answers[3].contains("operation-not-supported"), "{said}");
        assert!(answers[4].contains("other") && !said.contains("hunter2"), "{said}");
        assert_eq!(answers.len(), 5);
    }
}
