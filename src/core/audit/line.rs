//! A record as a line of JSON, written by hand: the helper has no library for it.

use hmac_sha256::HMAC;

use crate::core::{
    audit::{
        Caller, Process, Released,
        chain::{self, Tail},
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
pub struct Line {
    rest: String,
}

impl Line {
    /// Writes down a release.
    pub fn released(released: &Released<'_>, at: u64) -> Self {
        let Released { caller, origin, path, user, mac, source, rule, micros } = *released;
        let mut line = Self::event("credential.released", at);
        line.raw(r#","outcome":"ok","code":null,"caller":"#);
        line.caller(caller);
        line.raw(r#","target":{"protocol":"#).text(Some(origin.scheme()));
        line.raw(r#","host":"#).text(Some(origin.host()));
        line.raw(r#","port":"#).number(origin.port().map(u64::from));
        // A query is no place, and may hold a token.
        let path = path.and_then(|path| path.split(['?', '#']).next());
        line.raw(r#","path":"#).text(path.filter(|path| !path.is_empty()));
        line.raw(r#"},"account":{"user":"#).text(Some(user));
        line.raw(r#","mac":"#).text(Some(mac));
        line.raw(r#","source":"#).text(Some(source));
        line.raw(r#"},"rule":"#).text(rule);
        line.raw(r#","us":"#).number(Some(micros));
        line
    }

    /// Says that a file goes on where an older one ended.
    pub fn continued(file: &str, at: u64) -> Self {
        let mut line = Self::event("journal.continued", at);
        line.raw(r#","file":"#).text(Some(file));
        line
    }

    /// Says that the line before is no record: somebody was ended while he wrote it.
    pub fn recovered(at: u64) -> Self {
        Self::event("journal.recovered", at)
    }

    /// Gives it its place behind the end of a chain, and returns the line with its line feed.
    pub fn seal(&self, end: &Tail) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.rest.len() + 256);
        line.extend(chain::HEAD);
        line.extend(end.seq.saturating_add(1).to_string().as_bytes());
        line.extend(self.rest.as_bytes());
        line.extend(chain::PREV);
        chain::push_hex(&mut line, &end.hash);
        line.push(b'"');
        let hash = chain::digest(&end.hash, &line);
        line.extend(chain::HASH.iter().skip(1));
        chain::push_hex(&mut line, &hash);
        line.extend(chain::END);
        line.push(b'\n');
        line
    }

    fn event(name: &str, at: u64) -> Self {
        let mut line = Self { rest: String::with_capacity(1024) };
        line.raw(r#","at":"#).text(Some(&rfc3339(at)));
        line.raw(r#","event":"#).text(Some(name));
        line
    }

    fn caller(&mut self, caller: &Caller) {
        let Caller { uid, via, chain, program } = caller;
        let first = chain.first();
        self.raw(r#"{"uid":"#).number(Some(u64::from(*uid)));
        self.raw(r#","pid":"#).number(first.and_then(|it| u64::try_from(it.pid).ok()));
        self.raw(r#","start":"#).number(first.map(|it| it.start));
        self.raw(r#","exe":"#).text(program.as_deref());
        self.raw(r#","chain":["#);
        for (number, Process { name, .. }) in chain.iter().enumerate() {
            self.raw(if number == 0 { "" } else { "," }).text(Some(name));
        }
        let has_terminal = first.is_some_and(|it| it.has_terminal);
        self.raw(r#"],"tty":"#).raw(if has_terminal { "true" } else { "false" });
        self.raw(r#","via":"#).text(Some(via.as_str())).raw("}");
    }

    fn raw(&mut self, text: &str) -> &mut Self {
        self.rest.push_str(text);
        self
    }

    fn number(&mut self, number: Option<u64>) -> &mut Self {
        match number {
            Some(number) => self.raw(&number.to_string()),
            None => self.raw("null"),
        }
    }

    /// Writes a text that nobody takes for something else: no control character is left in it.
    fn text(&mut self, text: Option<&str>) -> &mut Self {
        let Some(text) = text else { return self.raw("null") };
        self.rest.push('"');
        let end = self.rest.len() + MAX_TEXT;
        for c in printable(text).chars() {
            let is_special = matches!(c, '"' | '\\');
            if self.rest.len() + c.len_utf8() + usize::from(is_special) > end {
                break;
            }
            if is_special {
                self.rest.push('\\');
            }
            self.rest.push(c);
        }
        self.raw("\"")
    }
}

/// Returns the keyed hash of a secret, twelve hexadecimal digits of it: enough to tell secrets apart,
/// and nobody without the key can try passwords.
pub fn fingerprint(key: &[u8; 32], secret: &SecretString) -> String {
    let secret = secret.expose_secret().as_bytes();
    let mac = mac(key, secret);
    // The same once more, of nothing: what the first left on the stack is overwritten.
    let _ = std::hint::black_box(self::mac(key, &vec![0; secret.len()]));
    let mut text = Vec::with_capacity(12);
    chain::push_hex(&mut text, mac.get(..6).unwrap_or_default());
    String::from_utf8_lossy(&text).into_owned()
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
        String::from_utf8(Line::released(&released, WHEN).seal(&Tail::default())).unwrap()
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
