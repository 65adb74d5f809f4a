//! A record, read again: what `tail` and `export` show of it.

use serde::Deserialize;

use crate::core::{text::printable, time};

/// A record of a release. What a log says of itself is none.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub(super) seq: u64,
    /// When, as RFC 3339 has it, in UTC.
    pub(super) at: String,
    /// What happened.
    pub(super) event: String,
    /// Who asked.
    pub(super) caller: Caller,
    /// What for.
    pub(super) target: Target,
    /// Which account.
    pub(super) account: Account,
    /// The rule that chose the account.
    pub(super) rule: Option<String>,
    /// How long it took to find it, in microseconds.
    pub(super) us: u64,
    /// The hash of the record.
    pub(super) hash: String,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Caller {
    /// The user.
    pub(super) uid: u32,
    /// The process.
    pub(super) pid: Option<u64>,
    /// When it started, in clock ticks since the system did.
    pub(super) start: Option<u64>,
    /// Its program.
    pub(super) exe: Option<String>,
    /// Its name, and those above it.
    pub(super) chain: Vec<String>,
    /// Whether it has a terminal.
    pub(super) tty: bool,
    /// Which way it asked.
    pub(super) via: String,
}

/// What for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Target {
    /// The scheme.
    pub(super) protocol: String,
    /// The host.
    pub(super) host: String,
    /// The port, if one was written.
    pub(super) port: Option<u16>,
    /// The path.
    pub(super) path: Option<String>,
}

/// Which account.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Account {
    /// The user; may be empty.
    pub(super) user: String,
    /// The keyed hash of the secret.
    pub(super) mac: String,
    /// Where it was kept.
    pub(super) source: String,
}

impl Entry {
    /// Reads a line. `None`: it is no record of a release.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Returns when, in milliseconds since 1970; 0 where the log says something else than a time.
    pub fn millis(&self) -> u64 {
        time::millis(&self.at).unwrap_or_default()
    }

    /// Returns the URL that it was for.
    pub fn url(&self) -> String {
        let Target { protocol, host, port, path } = &self.target;
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let path = path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
        format!("{protocol}://{host}{port}{path}")
    }

    /// Returns it as a line for people.
    pub fn shown(&self) -> String {
        let Self { at, caller, account, .. } = self;
        let user = if account.user.is_empty() { "-" } else { &account.user };
        let who = if caller.chain.is_empty() { "?".to_owned() } else { caller.chain.join(" < ") };
        let pid = caller.pid.map(|pid| format!(" [{pid}]")).unwrap_or_default();
        let (via, source) = (&caller.via, &account.source);
        printable(&format!("{at}  {user}  {}  {source}  {via}: {who}{pid}", self.url()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Entry;

    /// A record as the helper writes it, with what other formats must escape.
    pub(in crate::core::audit) const LINE: &str = r#"{"v":1,"seq":41,"at":"2026-11-25T19:37:30.123Z","event":"credential.released","outcome":"ok","code":null,"caller":{"uid":1000,"pid":4711,"start":123456,"exe":"/usr/lib/git-core/git-remote-http","chain":["git-remote-http","git","go"],"tty":true,"via":"helper"},"target":{"protocol":"https","host":"git.corp.example","port":8443,"path":"team/a=b|c]d"},"account":{"user":"CORP\\ana \"x\"","mac":"9f1c00112233","source":"keyring"},"rule":"git.corp.example:8443/team","us":1490,"prev":"0000000000000000000000000000000000000000000000000000000000000000","hash":"1111111111111111111111111111111111111111111111111111111111111111"}"#;

    #[test]
    fn a_line_is_read_and_shown() {
        let entry = Entry::parse(LINE).unwrap();
        assert_eq!(entry.millis(), 1_795_635_450_123);
        assert_eq!(
            entry.shown(),
            "2026-11-25T19:37:30.123Z  CORP\\ana \"x\"  https://git.corp.example:8443/team/a=b|c]d  \
             keyring  helper: git-remote-http < git < go [4711]"
        );
        let changed = LINE.replace("team", "\\u001b[2J");
        assert!(Entry::parse(&changed).unwrap().shown().contains("/\\u{1b}[2J"));
        assert_eq!(Entry::parse(r#"{"v":1,"seq":1,"event":"journal.recovered"}"#), None);
    }
}
