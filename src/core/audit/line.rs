//! A record as a line of JSON, written by hand: the helper has no library for it.

use std::fmt::{self, Write};

use hmac_sha256::HMAC;

use crate::core::{
    audit::{
        Caller, Process, Released,
        chain::{END, HASH, HEAD, PREV, Tail, digest},
    },
    secret::{ExposeSecret, SecretString},
    text::printable,
    time::rfc3339,
};

/// The longest text of a record, in bytes: what comes from outside must not push the chain out of its
/// window.
const MAX_TEXT: usize = 256;

/// A record without its number and its place in the chain.
#[derive(Clone, Debug)]
pub struct Line(String);

impl Line {
    /// Writes down a release.
    pub fn released(released: &Released<'_>, at: u64) -> Self {
        let Released { caller, origin, path, user, mac, source, rule, micros } = *released;
        let Caller { uid, via, chain, program } = caller;
        let first = chain.first();
        // A query is no place, and may hold a token.
        let path = path.and_then(|path| path.split(['?', '#']).next());
        Self(format!(
            r#","at":"{}","event":"credential.released","outcome":"ok","code":null,"caller":{{"uid":{uid},"pid":{},"start":{},"exe":{},"chain":[{}],"tty":{},"via":"{}"}},"target":{{"protocol":{},"host":{},"port":{},"path":{}}},"account":{{"user":{},"mac":"{mac}","source":"{source}"}},"rule":{},"us":{micros}"#,
            rfc3339(at),
            Number(first.and_then(|it| u64::try_from(it.pid).ok())),
            Number(first.map(|it| it.start)),
            Text(program.as_deref()),
            Names(chain),
            first.is_some_and(|it| it.has_terminal),
            via.as_str(),
            Text(Some(origin.scheme())),
            Text(Some(origin.host())),
            Number(origin.port().map(u64::from)),
            Text(path.filter(|path| !path.is_empty())),
            Text(Some(name(user))),
            Text(rule),
        ))
    }

    /// Says that a file goes on where the one before it ended.
    pub fn continued(at: u64) -> Self {
        Self::of_the_log("continued", at)
    }

    /// Says that the line before is no record: somebody was ended while he wrote it.
    pub fn recovered(at: u64) -> Self {
        Self::of_the_log("recovered", at)
    }

    fn of_the_log(what: &str, at: u64) -> Self {
        Self(format!(r#","at":"{}","event":"journal.{what}""#, rfc3339(at)))
    }

    /// Gives it its place behind the end of a chain, and returns the line with its line feed.
    pub fn seal(&self, end: &Tail) -> String {
        let seq = end.seq.saturating_add(1);
        let body = format!("{HEAD}{seq}{}{PREV}{}\"", self.0, Hex(&end.hash));
        let hash = digest(&end.hash, body.as_bytes());
        format!("{body}{HASH}{}{END}\n", Hex(&hash))
    }
}

/// What a token begins with at GitHub, GitLab and Atlassian, which take one as the user name, too.
const TOKENS: [&str; 10] =
    ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "ATATT", "ATBB"];

/// Returns a user name, and of a token in its place the beginning that says so.
fn name(user: &str) -> &str {
    TOKENS.into_iter().find(|token| user.starts_with(token)).unwrap_or(user)
}

/// A number, or null.
struct Number(Option<u64>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A text that nobody takes for something else, or null. No control character is left in it.
struct Text<'a>(Option<&'a str>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.0 else { return f.write_str("null") };
        let mut left = MAX_TEXT;
        f.write_char('"')?;
        for c in printable(text).chars() {
            let is_special = matches!(c, '"' | '\\');
            let length = c.len_utf8() + usize::from(is_special);
            if length > left {
                break;
            }
            left -= length;
            if is_special {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// The names of processes.
struct Names<'a>(&'a [Process]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for process in self.0 {
            f.write_str(separator)?;
            Text(Some(&process.name)).fmt(f)?;
            separator = ",";
        }
        Ok(())
    }
}

/// Bytes in lower-case hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            for value in [byte >> 4, byte & 15] {
                f.write_char(char::from(if value < 10 { b'0' } else { b'a' - 10 } + value))?;
            }
        }
        Ok(())
    }
}

/// Returns the keyed hash of a secret, twelve hexadecimal digits of it: enough to tell secrets apart,
/// and nobody without the key can try passwords.
pub fn fingerprint(key: &[u8; 32], secret: &SecretString) -> String {
    let secret = secret.expose_secret().as_bytes();
    let mac = mac(key, secret);
    // The same once more, of nothing: what the first left on the stack is overwritten. The helper ends.
    if cfg!(feature = "full") {
        let _ = std::hint::black_box(self::mac(key, &vec![0; secret.len()]));
    }
    Hex(mac.get(..6).unwrap_or_default()).to_string()
}

#[inline(never)]
fn mac(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    HMAC::mac(bytes, key)
}

#[cfg(feature = "full")]
#[cfg(test)]
mod tests {
    use super::{Line, fingerprint};
    use crate::core::{
        audit::{Caller, Process, Released, Tail, Via, WINDOW},
        origin::Origin,
    };

    const WHEN: u64 = 1_795_635_450_123;

    fn process(pid: i32, name: &str) -> Process {
        Process { pid, parent: 1, start: 123_456, name: name.to_owned(), has_terminal: true }
    }

    fn caller() -> Caller {
        Caller {
            uid: 1000,
            via: Via::Helper,
            chain: ["git-remote-http", "git", "go"].map(|name| process(4711, name)).to_vec(),
            program: Some("/usr/lib/git-core/git-remote-https".to_owned()),
        }
    }

    fn released(user: &str, path: &str) -> String {
        let released = Released {
            caller: &caller(),
            origin: &Origin::new("https", "git.corp.example:8443").unwrap(),
            path: Some(path),
            user,
            mac: "9f1c00112233",
            source: "keyring",
            rule: Some("git.corp.example/team"),
            micros: 1490,
        };
        Line::released(&released, WHEN).seal(&Tail::default())
    }

    #[test]
    fn a_release_is_one_line_of_json() {
        let zeros = "0".repeat(64);
        let line = released("ana", "team/lib.git?token=hunter2#hunter2");
        let (body, hash) = line.split_once(",\"hash\":\"").unwrap();
        assert_eq!(
            body,
            format!(
                "{{\"v\":1,\"seq\":1,\"at\":\"2026-11-25T19:37:30.123Z\",\"event\":\"credential.released\",\
                 \"outcome\":\"ok\",\"code\":null,\"caller\":{{\"uid\":1000,\"pid\":4711,\"start\":123456,\
                 \"exe\":\"/usr/lib/git-core/git-remote-https\",\
                 \"chain\":[\"git-remote-http\",\"git\",\"go\"],\"tty\":true,\"via\":\"helper\"}},\
                 \"target\":{{\"protocol\":\"https\",\"host\":\"git.corp.example\",\"port\":8443,\
                 \"path\":\"team/lib.git\"}},\"account\":{{\"user\":\"ana\",\"mac\":\"9f1c00112233\",\
                 \"source\":\"keyring\"}},\"rule\":\"git.corp.example/team\",\"us\":1490,\
                 \"prev\":\"{zeros}\""
            )
        );
        assert_eq!(hash.len(), 64 + 3);
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }

    #[test]
    fn a_token_in_the_place_of_a_user_name_is_not_written_down() {
        for (user, shown) in [
            ("ghp_S3cretS3cret", "ghp_"),
            ("github_pat_11S3cret", "github_pat_"),
            ("glpat-S3cret", "glpat-"),
            ("ghp", "ghp"),
            ("x-access-token", "x-access-token"),
        ] {
            let value: serde_json::Value = serde_json::from_str(&released(user, "p")).unwrap();
            assert_eq!(value["account"]["user"], shown);
        }
    }

    #[test]
    fn what_comes_from_outside_stays_a_text_and_short() {
        let user = "\"},\\\n\u{1b}[31m\u{202e}é";
        let line = released(user, "p");
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["account"]["user"], "\"},\\\\u{a}\\u{1b}[31m\\u{202e}é");
        let long = "\\\u{1}é".repeat(10_000);
        let line = released(&long, &long);
        assert!(u64::try_from(line.len()).unwrap() * 3 < WINDOW, "{}", line.len());
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }

    #[test]
    fn a_fingerprint_tells_secrets_and_installations_apart() {
        let of = |key: u8, secret: &str| fingerprint(&[key; 32], &secret.into());
        assert_eq!(of(1, "hunter2"), of(1, "hunter2"));
        assert_ne!(of(1, "hunter2"), of(2, "hunter2"));
        assert_ne!(of(1, "hunter2"), of(1, "hunter3"));
        // RFC 4231, test case 1, has a shorter key: HMAC pads it with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(fingerprint(&key, &"Hi There".into()), "b0344c61d8db");
    }
}
