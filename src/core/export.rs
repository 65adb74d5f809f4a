//! Credentials in the grammars of other programs.
//!
//! It deliberately leaves out what a grammar cannot say, rather than to write something that is read
//! otherwise.

use std::fmt::Write as _;

use crate::core::{
    credential::{Proof, Record},
    netrc::{curl, go},
    secret::{ExposeSecret, SecretString},
};

/// Why a credential is not in what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// It is for a path.
    Path,
    /// It is for another scheme than the program reads.
    Scheme,
    /// It is no password.
    Encoded,
    /// The program would read its account or password otherwise.
    Characters,
}

impl std::fmt::Display for Unsaid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Path => "it is for one path",
            Self::Scheme => "it is not for https",
            Self::Encoded => "it is no password but a header",
            Self::Characters => "programs would not read its account or password as it is",
        })
    }
}

/// Writes an entry of a netrc that curl and go read alike, with its line end.
pub fn netrc(record: &Record) -> Result<SecretString, Unsaid> {
    let key = &record.entry.key;
    let password = password(record)?;
    if key.path.is_some() {
        return Err(Unsaid::Path);
    }
    if key.origin.scheme() != "https" {
        return Err(Unsaid::Scheme);
    }
    let (host, user) = (key.origin.authority(), &key.user);
    let value = password.expose_secret();
    let mut line = String::with_capacity(host.len() + user.len() + value.len() + 40);
    // Writing to a String cannot fail.
    let _ = writeln!(line, "machine {host} login {user} password {value}");
    let line = SecretString::from(line);
    // What they read is the only proof: each has its own quotes, comments and keywords.
    let text = line.expose_secret().as_bytes();
    let readings = [curl::lookup(text, &host, None), go::lookup(text, &host)];
    let is_read = readings.into_iter().all(|found| {
        found.ok().flatten().is_some_and(|found| {
            found.login.as_ref() == Some(user)
                && found.password.is_some_and(|read| read.expose_secret() == value)
        })
    });
    if is_read { Ok(line) } else { Err(Unsaid::Characters) }
}

/// Writes a line that `git credential-store` reads, with its end: everything but RFC 3986's unreserved
/// characters is encoded, as git writes it.
pub fn git_credentials(record: &Record) -> Result<SecretString, Unsaid> {
    let key = &record.entry.key;
    let password = password(record)?;
    let (user, value) = (&key.user, password.expose_secret());
    if [user.as_str(), value].iter().any(|text| text.contains(char::is_control)) {
        return Err(Unsaid::Characters);
    }
    let path = key.path.as_deref().unwrap_or_default();
    let size = 3 * (user.len() + value.len() + path.len()) + key.origin.authority().len() + 16;
    let mut line = String::with_capacity(size);
    line.push_str(key.origin.scheme());
    line.push_str("://");
    encode(user, "", &mut line);
    line.push(':');
    encode(value, "", &mut line);
    line.push('@');
    line.push_str(&key.origin.authority());
    if !path.is_empty() {
        line.push('/');
        encode(path, "/", &mut line);
    }
    line.push('\n');
    Ok(line.into())
}

fn password(record: &Record) -> Result<&SecretString, Unsaid> {
    match &record.secrets.proof {
        Proof::Password(password) => Ok(password),
        Proof::Encoded { .. } => Err(Unsaid::Encoded),
    }
}

fn encode(text: &str, also: &str, into: &mut String) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || also.contains(c) {
            into.push(c);
        } else {
            let _ = write!(into, "%{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Unsaid, git_credentials, netrc};
    use crate::core::{
        credential::{Entry, Key, Kind, Proof, Record, Secrets},
        origin::Origin,
        secret::ExposeSecret,
    };

    fn record(url: &str, user: &str, password: &str) -> Record {
        let (origin, path) = Origin::from_url(url).unwrap();
        let path = path.strip_prefix('/').map(str::to_owned);
        let key = Key { kind: Kind::Git, origin, path, user: user.to_owned() };
        Record {
            entry: Entry { key, expires: None, stored: 0, hidden: None },
            secrets: Secrets::of(Proof::Password(password.into())),
        }
    }

    #[test]
    fn a_netrc_says_what_both_dialects_read() {
        let said = |url, user, password| {
            netrc(&record(url, user, password)).map(|line| line.expose_secret().to_owned())
        };
        let line = "machine h login ana password p#w\n";
        assert_eq!(said("https://h", "ana", "p#w"), Ok(line.to_owned()));
        for (url, user, password, why) in [
            ("https://h/team", "ana", "pw", Unsaid::Path),
            ("http://h", "ana", "pw", Unsaid::Scheme),
            ("https://h", "ana", "a b", Unsaid::Characters),
            ("https://h", "ana", "\"ab\"", Unsaid::Characters),
            ("https://h", "ana", "", Unsaid::Characters),
            ("https://h", "", "pw", Unsaid::Characters),
        ] {
            assert_eq!(said(url, user, password), Err(why), "{url} {user} {password}");
        }
        let mut bearer = record("https://h", "", "");
        let authtype = "Bearer".to_owned();
        bearer.secrets.proof = Proof::Encoded { authtype, credential: "t".into() };
        assert_eq!(netrc(&bearer).map(|_| ()), Err(Unsaid::Encoded));
    }

    #[test]
    fn git_reads_every_byte_of_a_url_again() {
        for (url, user, password, line) in [
            ("https://h", "ana", "p w", "https://ana:p%20w@h\n"),
            (
                "https://h:8443/team/a b",
                "a@b",
                "p:/é",
                "https://a%40b:p%3a%2f%c3%a9@h:8443/team/a%20b\n",
            ),
            ("http://h", "", "pw", "http://:pw@h\n"),
        ] {
            let said = git_credentials(&record(url, user, password)).unwrap();
            assert_eq!(said.expose_secret(), line);
        }
    }
}
