//! `keyring`: as much of the program of that name as pip (`--keyring-provider subprocess`) and uv run:
//! `get`, `set` and `del`, for a URL or a host.
//!
//! It deliberately does not speak of services that are no URL and no host: it is no keyring for
//! everything. "Nothing" is exit code 1 in silence, as the real one has it.

use std::io;

use secrecy::zeroize::Zeroizing;

use super::{Desk, Forgotten, Place, Reach, Said, Trouble, Wish, read};
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
    /// The account and the password, a line each.
    Creds,
    Password,
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
enum Question<'a> {
    Del(&'a str, &'a str),
    Get(Mode, &'a str, Option<&'a str>),
    Set(&'a str, &'a str),
}

/// Answers.
pub(super) fn run(arguments: &[&str]) -> Said {
    let Some(question) = parse(arguments) else {
        let usage = "usage: keyring get [--mode creds] SERVICE [USER] | set SERVICE USER | del \
                     SERVICE USER (this is gocred's, for pip and uv)";
        return Err(Trouble::usage(usage)).into();
    };
    match question {
        Question::Del(service, user) => del(service, user).into(),
        Question::Get(mode, service, user) => match get(mode, service, user) {
            Ok(Some(out)) => Ok(out).into(),
            Ok(None) => Said { code: Kind::NotFound.exit_code(), ..Said::default() },
            Err(trouble) => Err(trouble).into(),
        },
        Question::Set(service, user) => set(service, user, io::stdin().lock()).into(),
    }
}

/// Reads the arguments. uv puts `--mode creds` last.
fn parse<'a>(arguments: &[&'a str]) -> Option<Question<'a>> {
    let mut mode = Mode::Password;
    let mut words = Vec::with_capacity(arguments.len());
    let mut rest = arguments.iter();
    while let Some(&word) = rest.next() {
        let value = match word {
            "--mode" => Some(*rest.next()?),
            _ => word.strip_prefix("--mode="),
        };
        match value {
            Some("creds") => mode = Mode::Creds,
            Some("password") => mode = Mode::Password,
            None if !word.starts_with('-') => words.push(word),
            Some(_) | None => return None,
        }
    }
    match words[..] {
        ["del", service, user] => Some(Question::Del(service, user)),
        ["get", service, user] => Some(Question::Get(mode, service, Some(user))),
        ["get", service] if mode == Mode::Creds => Some(Question::Get(mode, service, None)),
        ["set", service, user] => Some(Question::Set(service, user)),
        _ => None,
    }
}

fn get(
    mode: Mode,
    service: &str,
    user: Option<&str>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Trouble> {
    let place = Place::parse(service)?;
    let (proofs, reach) = (Proofs::Passwords, Reach::Below);
    let wish = Wish { place: &place, user, own: None, proofs, reach };
    let record = Desk::open()?.ask(&wish)?;
    Ok(record.as_ref().and_then(|record| shown(mode, record)))
}

/// Returns the lines of a login. `None`: they would be others.
fn shown(mode: Mode, record: &Record) -> Option<Zeroizing<Vec<u8>>> {
    let Proof::Password(password) = &record.secrets.proof else { return None };
    let (user, password) = (record.entry.key.user.as_str(), password.expose_secret());
    if [user, password].iter().any(|text| text.contains(['\n', '\r'])) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(user.len() + password.len() + 2));
    let user = (mode == Mode::Creds).then_some(user);
    for line in user.into_iter().chain([password]) {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    Some(bytes)
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
    use super::{Mode, Question, parse, shown};
    use crate::{
        core::{
            credential::{Key, Kind, Proof, Secrets},
            origin::Origin,
        },
        store,
    };

    #[test]
    fn what_pip_and_uv_write_is_read() {
        let get = |mode, user| Some(Question::Get(mode, "https://h/simple/", user));
        for (line, question) in [
            ("get https://h/simple/ ana", get(Mode::Password, Some("ana"))),
            ("get https://h/simple/ --mode creds", get(Mode::Creds, None)),
            ("--mode=creds get https://h/simple/", get(Mode::Creds, None)),
            ("get --mode password https://h/simple/ ana", get(Mode::Password, Some("ana"))),
            ("set h ana", Some(Question::Set("h", "ana"))),
            ("del h ana", Some(Question::Del("h", "ana"))),
            ("get https://h/simple/", None),
            ("get h --mode", None),
            ("get h --mode json", None),
            ("--list-backends", None),
            ("", None),
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(parse(&words), question, "{line}");
        }
    }

    #[test]
    fn a_login_is_a_line_each_or_nothing() {
        let record = |user: &str, proof| {
            let origin = Origin::new("https", "h").unwrap();
            let key = Key { kind: Kind::Git, origin, path: None, user: user.to_owned() };
            store::record(key, Secrets::of(proof), None, 1)
        };
        let ana = record("ana", Proof::Password("p w".into()));
        assert_eq!(shown(Mode::Creds, &ana).unwrap().as_slice(), b"ana\np w\n");
        assert_eq!(shown(Mode::Password, &ana).unwrap().as_slice(), b"p w\n");
        assert!(shown(Mode::Creds, &record("ana", Proof::Password("a\nb".into()))).is_none());
        let bearer = Proof::Encoded { authtype: "Bearer".to_owned(), credential: "t".into() };
        assert!(shown(Mode::Creds, &record("", bearer)).is_none());
    }
}
