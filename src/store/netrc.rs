//! The netrc as a source: read only, with file and line of what it gives.
//!
//! It deliberately never answers for `default`, for http, or for another account than the one that
//! was asked for, although curl does some of that.

use std::path::{Path, PathBuf};

pub use crate::core::netrc::Dialect;
use crate::{
    core::{
        credential::{Entry, Key, Kind, Proof, Record, Secrets},
        netrc::{Found, MAX_FILE, Match, curl, go},
        origin::Origin,
        secret::{ExposeSecret, SecretSlice},
    },
    store::Error,
    sys::{files, paths::Paths},
};

/// Where a secret was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The file.
    pub file: PathBuf,
    /// The line of the entry, from 1.
    pub line: usize,
}

/// Returns what a tool finds in the netrc for an origin.
///
/// The port counts in both dialects, other than in curl itself. A password without login answers for the
/// login that is asked for; without one, the account is empty, as curl sends it. A missing file has
/// no answer; a file that cannot be read, and an entry that is not text, are errors with their line.
pub fn find(
    paths: &Paths,
    origin: &Origin,
    dialect: Dialect,
    login: Option<&str>,
) -> Result<Option<(Record, Provenance)>, Error> {
    let file = &paths.netrc;
    if origin.scheme() != "https" {
        return Ok(None);
    }
    let Some(source) = read(file)? else { return Ok(None) };
    let source = source.expose_secret();
    let found = match (dialect, origin.port()) {
        (Dialect::Curl, None | Some(443)) => curl::lookup(source, bare(origin.host()), login),
        // curl gives the secret of `machine h` to every port of h. We give it to its own only, and
        // to `h:8443` that of `machine h:8443`, as Go reads it.
        (Dialect::Curl, Some(_)) | (Dialect::Go, _) => go::lookup(source, &origin.authority()),
    };
    let found = found.map_err(|error| wrong(file, error.line, &error.what))?;
    let Some(Found { line, by: Match::Machine, login: user, password: Some(password) }) = found
    else {
        return Ok(None);
    };
    if login.is_some_and(|login| user.as_deref() != Some(login)) {
        return Ok(None);
    }
    let user = user.unwrap_or_default();
    // RFC 7617 §2 has none in Basic credentials, and git's protocol would break at a line end.
    let is_control = |c: char| c.is_ascii_control();
    if user.contains(is_control) || password.expose_secret().contains(is_control) {
        return Err(wrong(file, line, &"the login or the password has a control character"));
    }
    let key = Key { kind: Kind::Git, origin: origin.clone(), path: None, user };
    let entry = Entry { key, expires: None, stored: 0, hidden: None };
    let secrets = Secrets::of(Proof::Password(password));
    Ok(Some((Record { entry, secrets }, Provenance { file: file.clone(), line })))
}

/// Reads a netrc of at most [`MAX_FILE`] bytes; `None` is a missing one.
pub fn read(file: &Path) -> Result<Option<SecretSlice<u8>>, Error> {
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    match files::read(file, limit) {
        Ok(bytes) => Ok(bytes.map(SecretSlice::from)),
        Err(error) => Err(wrong(file, 0, &error)),
    }
}

/// curl compares IPv6 addresses without brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn wrong(file: &Path, line: usize, what: &dyn std::fmt::Display) -> Error {
    Error::File { file: file.to_owned(), line, what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Error, find};
    use crate::{
        core::{credential::Proof, netrc::Dialect, origin::Origin, secret::ExposeSecret},
        sys::{env::Env, files, paths::Paths},
    };

    struct File {
        _folder: tempfile::TempDir,
        paths: Paths,
    }

    fn netrc(text: &[u8]) -> File {
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("netrc");
        files::write_private(&file, text).unwrap();
        let env = Env::of(&[("HOME", "/nonexistent"), ("NETRC", file.to_str().unwrap())]);
        File { _folder: folder, paths: Paths::resolve(&env).unwrap() }
    }

    fn user(
        file: &File,
        origin: &str,
        dialect: Dialect,
        login: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let (origin, _) = Origin::from_url(origin).unwrap();
        Ok(find(&file.paths, &origin, dialect, login)?.map(|(record, _)| record.entry.key.user))
    }

    #[test]
    fn an_answer_has_its_file_and_line() {
        let file = netrc(b"\nmachine h login ana password s3cret\n");
        let (origin, _) = Origin::from_url("https://h").unwrap();
        let (record, from) = find(&file.paths, &origin, Dialect::Go, None).unwrap().unwrap();
        let Proof::Password(password) = record.secrets.proof else { panic!("no password") };
        assert_eq!(password.expose_secret(), "s3cret");
        assert_eq!((record.entry.key.origin, from.line), (origin, 2));
        assert_eq!(from.file, file.paths.netrc);
    }

    #[test]
    fn an_entry_is_for_its_own_port_in_both_dialects() {
        let file = netrc(b"machine h login a password 1\nmachine h:8443 login b password 2\n");
        for dialect in [Dialect::Curl, Dialect::Go] {
            let asked = |origin| user(&file, origin, dialect, None).unwrap();
            assert_eq!(asked("https://h").as_deref(), Some("a"));
            assert_eq!(asked("https://h:8443").as_deref(), Some("b"));
            assert_eq!(asked("https://h:1"), None);
        }
        let file = netrc(b"machine ::1 login a password 1");
        assert_eq!(user(&file, "https://[::1]:443", Dialect::Curl, None).unwrap().unwrap(), "a");
        assert_eq!(user(&file, "https://[::1]:1", Dialect::Curl, None), Ok(None));
    }

    #[test]
    fn what_must_not_be_released_is_not() {
        for (text, origin, login) in [
            ("default login a password p", "https://h", None),
            ("machine h login a password p", "http://h", None),
            ("machine h login a password p", "https://h.x", None),
            ("machine h login a", "https://h", None),
            ("machine h login a password p", "https://h", Some("b")),
        ] {
            let file = netrc(text.as_bytes());
            for dialect in [Dialect::Curl, Dialect::Go] {
                assert_eq!(user(&file, origin, dialect, login), Ok(None), "{text} {origin}");
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_with_its_line_and_without_its_text() {
        for (text, at, what) in [
            (&b"\nmachine h login a password \"p"[..], 2, "a quote is not closed"),
            (b"machine h login a password p\xff", 1, "a value is not UTF-8"),
            (
                b"machine h login a password \"p\\nq\"",
                1,
                "the login or the password has a control character",
            ),
            (&vec![b'\n'; 131_073], 0, "larger than 131072 bytes"),
        ] {
            let file = netrc(text);
            let error = user(&file, "https://h", Dialect::Curl, None).unwrap_err();
            let expected =
                Error::File { file: file.paths.netrc.clone(), line: at, what: what.to_owned() };
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn a_missing_file_has_no_answer() {
        let mut file = netrc(b"");
        file.paths.netrc = "/nonexistent/netrc".into();
        assert_eq!(user(&file, "https://h", Dialect::Curl, None), Ok(None));
    }
}
