//! Which record is chosen; and a home folder, a store in memory and a clock at [`NOW`], for all unit
//! tests of the broker.

use crate::{
    broker::{Broker, choose},
    core::{
        config::Config,
        credential::{Entry, Hidden, Key, Kind, Proof, Record, Secrets, UnixTime},
        origin::Origin,
        secret::ExposeSecret,
    },
    store::{Error, index, memory::Memory},
    sys::{env::Env, files, paths::Paths},
};

pub(super) const NOW: UnixTime = 1_000_000_000;

pub(super) struct World {
    pub(super) store: Memory,
    pub(super) env: Env,
    pub(super) config: Config,
    pub(super) paths: Paths,
    home: tempfile::TempDir,
}

impl World {
    /// Starts with records in the store and in the index, and a configuration.
    pub(super) fn new(records: Vec<Record>, config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let env = Env::of(&[("HOME", home.path().to_str().unwrap())]);
        let paths = Paths::resolve(&env).unwrap();
        let entries: Vec<_> = records.iter().map(|record| record.entry.clone()).collect();
        index::rebuild(&paths.state, &entries).unwrap();
        let config = Config::parse(config).unwrap();
        Self { store: Memory::of(records), env, config, paths, home }
    }

    /// Removes the index.
    pub(super) fn without_index(self) -> Self {
        std::fs::remove_dir_all(&self.paths.state).unwrap();
        self
    }

    /// Lets every call to the store fail.
    pub(super) fn in_trouble(mut self, trouble: Error) -> Self {
        self.store.trouble = Some(trouble);
        self
    }

    /// Writes `~/.netrc`.
    pub(super) fn with_netrc(self, text: &str) -> Self {
        files::write_private(&self.home.path().join(".netrc"), text.as_bytes()).unwrap();
        self
    }

    pub(super) fn broker(&mut self) -> Broker<'_> {
        Broker::new(&mut self.store, &self.env, &self.paths, &self.config, NOW)
    }

    /// Returns `user:password` or `user:authtype credential` of the visible records, sorted.
    pub(super) fn visible(&self) -> Vec<String> {
        let visible = self.store.records.iter().filter(|record| record.entry.hidden.is_none());
        let mut shown: Vec<String> = visible.map(shown).collect();
        shown.sort();
        shown
    }
}

pub(super) fn shown(record: &Record) -> String {
    let user = &record.entry.key.user;
    match &record.secrets.proof {
        Proof::Password(password) => format!("{user}:{}", password.expose_secret()),
        Proof::Encoded { authtype, credential } => {
            format!("{user}:{authtype} {}", credential.expose_secret())
        }
    }
}

pub(super) fn origin(url: &str) -> Origin {
    Origin::from_url(url).unwrap().0
}

/// A record of git's namespace, stored a day ago. `url` may have a path.
pub(super) fn password(url: &str, user: &str, password: &str) -> Record {
    let (origin, path) = Origin::from_url(url).unwrap();
    let path = path.strip_prefix('/').map(str::to_owned);
    let key = Key { kind: Kind::Git, origin, path, user: user.to_owned() };
    Record {
        entry: Entry { key, expires: None, stored: NOW - 86_400, hidden: None },
        secrets: Secrets::of(Proof::Password(password.into())),
    }
}

pub(super) fn bearer(url: &str, token: &str) -> Record {
    let mut record = password(url, "", "");
    record.secrets.proof =
        Proof::Encoded { authtype: "Bearer".to_owned(), credential: token.into() };
    record
}

pub(super) fn proxy(url: &str, user: &str, secret: &str) -> Record {
    let mut record = password(url, user, secret);
    record.entry.key.kind = Kind::Proxy;
    record
}

pub(super) fn hidden(mut record: Record, at: UnixTime) -> Record {
    record.entry.hidden = Some(Hidden { at, by: "git erase".to_owned() });
    record
}

pub(super) fn expired(mut record: Record) -> Record {
    record.entry.expires = Some(NOW - 1);
    record
}

fn record(url: &str, user: &str, stored: UnixTime) -> Record {
    let mut record = password(url, user, "hunter2");
    record.entry.stored = stored;
    record
}

fn chosen(records: Vec<Record>) -> Option<String> {
    choose(records, NOW).map(|record| record.entry.key.user)
}

#[test]
fn the_newest_record_of_the_whole_origin_is_chosen() {
    let (old, new) = (record("https://h", "old", 1), record("https://h", "new", 2));
    let path = record("https://h/x", "path", 3);
    assert_eq!(chosen(vec![old, new, path.clone()]).as_deref(), Some("new"));
    assert_eq!(chosen(vec![path]).as_deref(), Some("path"));
}

#[test]
fn hidden_and_expired_records_are_never_chosen() {
    let hidden = hidden(record("https://h", "hidden", 9), 50);
    let expired = expired(record("https://h", "expired", 8));
    assert_eq!(chosen(vec![hidden.clone(), expired.clone()]), None);
    let old = record("https://h", "old", 1);
    assert_eq!(chosen(vec![hidden, expired, old]).as_deref(), Some("old"));
    let mut last_second = record("https://h", "last", 1);
    last_second.entry.expires = Some(NOW);
    assert_eq!(chosen(vec![last_second]).as_deref(), Some("last"));
}
