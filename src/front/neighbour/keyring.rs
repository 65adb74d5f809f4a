//! `keyring`: as much of the program of that name as pip (`--keyring-provider subprocess`) and uv run:
//! `get`, `set` and `del`, for a URL or a host.
//!
//! It deliberately does not speak of services that are no URL and no host: it is no keyring for
//! everything. "Nothing" is exit code 1 in silence, as the real one has it.

use std::io;

use secrecy::zeroize::Zeroizing;
use serde::Serialize;

use super::{Desk, Forgotten, Place, Reach, Said, Trouble, Wish, json, read};
use crate::{
    broker::Proofs,
    core::{
        credential::{Proof, Record},
        fault::Kind,
        secret::{ExposeSecret, SecretString},
    },
};

/// What is printed of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The account and the password.
    Creds,
    Password,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    /// A line each.
    Plain,
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
enum Question<'a> {
    Del(&'a str, &'a str),
    Get(Mode, Form, &'a str, Option<&'a str>),
    Set(&'a str, &'a str),
}

/// Answers.
pub(super) fn run(arguments: &[&str]) -> Said {
    let Some(question) = parse(arguments) else {
        let usage = "usage: keyring get [--mode creds] [--output json] SERVICE [USER] | set SERVICE \
                     USER | del SERVICE USER (this is gocred's, for pip and uv)";
        return Err(Trouble::usage(usage)).into();
    };
    match question {
        Question::Del(service, user) => del(service, user).into(),
        Question::Get(mode, form, service, user) => match find(service, user) {
            Ok(found) => match found.and_then(|record| shown(mode, form, &record).transpose()) {
                Some(answer) => answer.into(),
                None => Said { code: Kind::NotFound.exit_code(), ..Said::default() },
            },
            Err(trouble) => Err(trouble).into(),
        },
        Question::Set(service, user) => set(service, user, io::stdin().lock()).into(),
    }
}

/// Reads the arguments, in any order: pip puts the options first, and uv last.
fn parse<'a>(arguments: &[&'a str]) -> Option<Question<'a>> {
    let (mut mode, mut form) = (Mode::Password, Form::Plain);
    let mut words = Vec::with_capacity(arguments.len());
    let mut rest = arguments.iter();
    while let Some(&word) = rest.next() {
        let option = match (word, word.split_once('=')) {
            ("--mode" | "--output", _) => (word, *rest.next()?),
            (_, Some(option)) if word.starts_with('-') => option,
            _ if word.starts_with('-') => return None,
            _ => {
                words.push(word);
                continue;
            }
        };
        match option {
            ("--mode", "creds") => mode = Mode::Creds,
            ("--mode", "password") => mode = Mode::Password,
            ("--output", "json") => form = Form::Json,
            ("--output", "plain") => form = Form::Plain,
            _ => return None,
        }
    }
    match words[..] {
        ["del", service, user] => Some(Question::Del(service, user)),
        ["get", service, user] => Some(Question::Get(mode, form, service, Some(user))),
        ["get", service] if mode == Mode::Creds => Some(Question::Get(mode, form, service, None)),
        ["set", service, user] => Some(Question::Set(service, user)),
        _ => None,
    }
}

fn find(service: &str, user: Option<&str>) -> Result<Option<Record>, Trouble> {
    let place = Place::parse(service)?;
    let (proofs, reach) = (Proofs::Passwords, Reach::Below);
    Desk::open()?.ask(&Wish { place: &place, user, own: None, proofs, reach })
}

#[derive(Serialize)]
struct Login<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    password: &'a str,
}

/// Writes a login. `Ok(None)`: it has no such form.
fn shown(mode: Mode, form: Form, record: &Record) -> Result<Option<Zeroizing<Vec<u8>>>, Trouble> {
    let Proof::Password(password) = &record.secrets.proof else { return Ok(None) };
    let (user, password) = (record.entry.key.user.as_str(), password.expose_secret());
    let username = (mode == Mode::Creds).then_some(user);
    if form == Form::Json {
        return json::line(&Login { username, password }).map(Some);
    }
    // They would be other lines.
    if [user, password].iter().any(|text| text.contains(['\n', '\r'])) {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(user.len() + password.len() + 2));
    for line in username.into_iter().chain([password]) {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    Ok(Some(bytes))
}

fn set(service: &str, user: &str, input: impl io::Read) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let bytes = read(input)?;
    let password = std::str::from_utf8(&bytes).map_err(|_| Trouble::usage("no text"))?;
    let password = SecretString::from(password.trim_end_matches(['\n', '\r']));
    Desk::open()?.keep(&Place::parse(service)?, user, password)?;
    Ok(Zeroizing::default())
}

fn del(service: &str, user: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let place = Place::parse(service)?;
    match Desk::open()?.forget(&place, Some(user), "keyring del")? {
        Forgotten::Hidden => Ok(Zeroizing::default()),
        Forgotten::Nothing => Err(Trouble::nothing(&place.origin)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Mode, Question, Record, parse, shown};
    use crate::{
        core::{
            credential::{Key, Kind, Proof, Secrets},
            origin::Origin,
        },
        store,
    };

    #[test]
    fn what_pip_and_uv_write_is_read() {
        let get = |mode, form, user| Some(Question::Get(mode, form, "https://h/simple/", user));
        for (line, question) in [
            // pip 23 to 25, pip 26, and uv
            ("get https://h/simple/ ana", get(Mode::Password, Form::Plain, Some("ana"))),
            (
                "--mode=creds --output=json get https://h/simple/",
                get(Mode::Creds, Form::Json, None),
            ),
            ("get https://h/simple/ --mode creds", get(Mode::Creds, Form::Plain, None)),
            ("get --output plain https://h/simple/ a", get(Mode::Password, Form::Plain, Some("a"))),
            ("set h ana", Some(Question::Set("h", "ana"))),
            ("del h ana", Some(Question::Del("h", "ana"))),
            ("get https://h/simple/", None),
            ("get h --mode", None),
            ("get h --mode json", None),
            ("get h --creds=mode ana", None),
            ("--list-backends", None),
            ("", None),
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(parse(&words), question, "{line}");
        }
    }

    #[test]
    fn a_login_is_a_line_each_or_json_or_nothing() {
        let record = |user: &str, proof| {
            let origin = Origin::new("https", "h").unwrap();
            let key = Key { kind: Kind::Git, origin, path: None, user: user.to_owned() };
            store::record(key, Secrets::of(proof), None, 1)
        };
        let ana = record("ana", Proof::Password("p w".into()));
        let text = |mode, form, record: &Record| {
            let bytes = shown(mode, form, record).unwrap()?;
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(text(Mode::Creds, Form::Plain, &ana).as_deref(), Some("ana\np w\n"));
        assert_eq!(text(Mode::Password, Form::Plain, &ana).as_deref(), Some("p w\n"));
        let json = "{\"username\":\"ana\",\"password\":\"p w\"}\n";
        assert_eq!(text(Mode::Creds, Form::Json, &ana).as_deref(), Some(json));
        let broken = record("ana", Proof::Password("a\nb".into()));
        assert_eq!(text(Mode::Creds, Form::Plain, &broken), None);
        let bearer = Proof::Encoded { authtype: "Bearer".to_owned(), credential: "t".into() };
        assert_eq!(text(Mode::Creds, Form::Json, &record("", bearer)), None);
    }
}
