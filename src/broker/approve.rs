//! A credential was accepted: keep it, unless it is kept already or must not be.

use crate::{
    broker::{
        Broker, is_expired,
        standing::{Known, Standing},
    },
    core::{
        config::GitStore,
        credential::{HIDDEN_FOR, Key, Kind, Query, Record, Secrets, UnixTime},
        origin::Origin,
        secret::same,
    },
    store::{self, Error, Saved, index},
};

impl Broker<'_> {
    /// Keeps a credential that a server accepted. That there is no keyring, or a locked one, is told
    /// only for an origin that is ours already: such a machine must not complain about every public
    /// host.
    pub fn approve(
        &mut self,
        key: Key,
        secrets: Secrets,
        expires: Option<UnixTime>,
    ) -> Result<Saved, Error> {
        let origin = key.origin.clone();
        // What a source has fetched is its own, and may live for minutes.
        if self.config.has_source(&origin) {
            return Ok(Saved::Unchanged);
        }
        let mut record = store::record(self.settle(key), secrets, expires, self.now);
        if is_expired(&record, self.now) {
            return Ok(Saved::Unchanged);
        }
        let known = self.known();
        if !self.may_keep(&known, &origin) || self.is_in_netrc(&record) {
            return Ok(Saved::Unchanged);
        }
        self.keep(&known, &mut record).or_else(|error| match self.standing(&known, &origin) {
            Standing::Foreign if !may_be_written(&error) && error != Error::Elsewhere => {
                Ok(Saved::Unchanged)
            }
            Standing::Foreign | Standing::Ours(_) => Err(error),
        })
    }

    fn may_keep(&self, known: &Known, origin: &Origin) -> bool {
        let scheme_allows = match origin.scheme() {
            "https" => true,
            "http" => {
                self.allows_http(origin)
                    && !self.is_proxy(known, origin)
                    && !self.is_our_listener(origin)
            }
            _ => false,
        };
        let is_welcome = match self.config.git.store {
            GitStore::Any => true,
            GitStore::LoginOnly => {
                known.has(Kind::Git, origin) || self.config.host(origin).is_some()
            }
        };
        scheme_allows && is_welcome
    }

    /// Returns whether the netrc says the same. It is compared, not believed: `state[]` may be of an
    /// earlier answer, and the credential another helper's (osxkeychain before git 2.53).
    fn is_in_netrc(&mut self, record: &Record) -> bool {
        let key = &record.entry.key;
        self.in_netrc(&key.origin, Some(&key.user))
            .is_some_and(|same| same.secrets.proof.same(&record.secrets.proof))
    }

    /// Writes the record if it says anything new, and then the index.
    fn keep(&mut self, known: &Known, record: &mut Record) -> Result<Saved, Error> {
        if let Known::Nothing(trouble) = known {
            return Err(trouble.clone());
        }
        let key = record.entry.key.clone();
        let news = match self.stored(&key)? {
            Some(old) if old.secrets.proof.same(&record.secrets.proof) => inherit(record, old),
            Some(old) if is_renewed(&old, self.now) => News::None,
            Some(_) | None => News::Some,
        };
        let saved = match news {
            News::None => Ok(Saved::Unchanged),
            News::Some => self.store.save(record),
        };
        if saved.as_ref().map_or_else(may_be_written, |_| true) && !known.has(key.kind, &key.origin)
        {
            index::add(&self.paths.state, key.kind, &key.origin)?;
        }
        let saved = saved?;
        if saved == Saved::Written {
            // Who remembers an older answer asks anew.
            let _ = index::touch(&self.paths.state);
            // It can wait for the next write.
            let _ = self.remove_old(key.origin);
        }
        Ok(saved)
    }

    /// Returns what the store has under exactly this key.
    fn stored(&mut self, key: &Key) -> Result<Option<Record>, Error> {
        let Key { kind, origin, path, user } = key.clone();
        let query = Query { kind, origin: Some(origin), path, user: Some(user) };
        let records = self.store.find(&query)?;
        // A query without path finds records of all paths.
        Ok(records.into_iter().find(|record| record.entry.key == *key))
    }

    /// Removes what has been hidden for [`HIDDEN_FOR`], now that something is written anyway.
    fn remove_old(&mut self, origin: Origin) -> Result<(), Error> {
        for entry in self.store.list(&Query::origin(Kind::Git, origin))? {
            if entry.hidden.is_some_and(|hidden| hidden.at.saturating_add(HIDDEN_FOR) < self.now) {
                self.store.remove(&entry.key)?;
            }
        }
        Ok(())
    }
}

/// Returns whether a record may be in the store although the store failed: it must be found then.
fn may_be_written(error: &Error) -> bool {
    match error {
        Error::Service(_) | Error::Silent(_) => true,
        #[cfg(feature = "full")]
        Error::InClear(_) | Error::NoAgent(_) => false,
        Error::Damaged(_)
        | Error::Elsewhere
        | Error::File { file: _, line: _, what: _ }
        | Error::Full(_)
        | Error::Locked
        | Error::NoCollection
        | Error::NoService(_)
        | Error::NotOpen { store: _, hint: _ }
        | Error::Prompt
        | Error::ReadOnly(_)
        | Error::Refused(_)
        | Error::Rollback { seen: _, found: _ }
        | Error::Withheld { code: _, what: _ } => false,
    }
}

/// Whether a record says anything that the store does not know.
enum News {
    None,
    Some,
}

/// Returns whether a record is kept good by a login of ours. What git brings for it then is the token
/// of before the last renewal, or of another helper: either would end that login.
fn is_renewed(old: &Record, now: UnixTime) -> bool {
    old.secrets.session.is_some() && old.entry.hidden.is_none() && !is_expired(old, now)
}

/// Takes expiry, refresh token and session over from the stored record of the same secret where the
/// new one has none: a git that does not know these attributes drops them, and a session is never
/// told to git. The refresh token that goes with a session is the stored one, whatever git brings.
fn inherit(record: &mut Record, old: Record) -> News {
    let Record { entry: old_entry, secrets } = old;
    let Secrets { proof: _, refresh_token: old_token, session } = secrets;
    let token = &mut record.secrets.refresh_token;
    if session.is_some() {
        *token = None;
        record.secrets.session = session;
    }
    let is_same_token = match (&token, &old_token) {
        (Some(new), Some(old)) => same(new, old),
        (Some(_), None) => false,
        (None, _) => true,
    };
    *token = token.take().or(old_token);
    record.entry.expires = record.entry.expires.or(old_entry.expires);
    if is_same_token && record.entry.expires == old_entry.expires && old_entry.hidden.is_none() {
        News::None
    } else {
        News::Some
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        broker::tests::{NOW, World, bearer, expired, hidden, password, proxy},
        core::{
            credential::{HIDDEN_FOR, Record},
            secret::{ExposeSecret, SecretString},
        },
        store::{Error, Saved},
    };

    fn approve(world: &mut World, record: Record) -> Result<Saved, Error> {
        world.broker().approve(record.entry.key, record.secrets, record.entry.expires)
    }

    #[test]
    fn an_accepted_credential_is_kept_and_its_origin_becomes_ours() {
        let mut world = World::new(vec![], "");
        let record = password("https://h", "ana", "pw");
        assert_eq!(approve(&mut world, record), Ok(Saved::Written));
        assert_eq!(approve(&mut world, bearer("https://h:8443", "t")), Ok(Saved::Written));
        assert_eq!(world.visible(), [":Bearer t", "ana:pw"]);
        assert_eq!(world.store.records[0].entry.stored, NOW);
        let index = std::fs::read_to_string(world.paths.state.join("hosts")).unwrap();
        assert_eq!(index, "gocred hosts 1\ngit https://h\ngit https://h:8443\n");
    }

    #[test]
    fn what_is_unchanged_is_not_written_nor_is_the_index() {
        let mut world = World::new(vec![password("https://h", "ana", "pw")], "");
        let hosts = world.paths.state.join("hosts");
        let before = std::fs::metadata(&hosts).unwrap().modified().unwrap();
        let reads = world.store.reads;
        assert_eq!(approve(&mut world, password("https://h", "ana", "pw")), Ok(Saved::Unchanged));
        assert_eq!((world.store.reads - reads, world.store.writes), (1, 0));
        assert_eq!(std::fs::metadata(&hosts).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn a_new_password_replaces_the_old_one_of_its_account_and_path_only() {
        let records = vec![
            password("https://h", "ana", "old"),
            password("https://h", "bob", "b"),
            password("https://h/team", "ana", "t"),
        ];
        let mut world = World::new(records, "");
        assert_eq!(approve(&mut world, password("https://h", "ana", "new")), Ok(Saved::Written));
        assert_eq!(world.visible(), ["ana:new", "ana:t", "bob:b"]);
    }

    #[test]
    fn a_git_that_drops_expiry_and_refresh_token_does_not_lose_them() {
        let mut record = password("https://h", "ana", "pw");
        record.entry.expires = Some(NOW + 60);
        record.secrets.refresh_token = Some("r".into());
        let mut world = World::new(vec![record.clone()], "");
        assert_eq!(approve(&mut world, password("https://h", "ana", "pw")), Ok(Saved::Unchanged));
        record.entry.expires = Some(NOW + 120);
        record.secrets.refresh_token = None;
        assert_eq!(approve(&mut world, record.clone()), Ok(Saved::Written));
        assert_eq!(world.store.records[0].entry.expires, Some(NOW + 120));
        assert!(world.store.records[0].secrets.refresh_token.is_some());
        record.secrets.refresh_token = Some("new".into());
        assert_eq!(approve(&mut world, record), Ok(Saved::Written));
    }

    fn renewable(secret: &str) -> Record {
        let mut record = password("https://h", "ana", secret);
        record.entry.expires = Some(NOW + 60);
        record.secrets.refresh_token = Some("r".into());
        record.secrets.session = Some("s".into());
        record
    }

    #[test]
    fn a_token_that_git_stores_keeps_its_session_and_the_refresh_token_that_goes_with_it() {
        let mut world = World::new(vec![hidden(renewable("pw"), NOW - 5)], "");
        let mut record = password("https://h", "ana", "pw");
        record.secrets.refresh_token = Some("rotated long ago".into());
        assert_eq!(approve(&mut world, record), Ok(Saved::Written));
        let kept = &world.store.records[0].secrets;
        let text =
            |secret: &Option<SecretString>| secret.as_ref().unwrap().expose_secret().to_owned();
        assert_eq!((text(&kept.refresh_token), text(&kept.session)), ("r".into(), "s".into()));
        let again = approve(&mut world, password("https://h", "ana", "pw"));
        assert_eq!(again, Ok(Saved::Unchanged));
    }

    #[test]
    fn an_older_token_of_a_renewed_login_does_not_replace_it() {
        let mut world = World::new(vec![renewable("new")], "");
        let old = approve(&mut world, password("https://h", "ana", "old"));
        assert_eq!(old, Ok(Saved::Unchanged));
        assert_eq!(world.visible(), ["ana:new"]);
        for ended in [expired(renewable("new")), hidden(renewable("new"), NOW - 5)] {
            let mut world = World::new(vec![ended], "");
            let typed = approve(&mut world, password("https://h", "ana", "typed"));
            assert_eq!(typed, Ok(Saved::Written));
            assert!(world.store.records[0].secrets.session.is_none());
        }
    }

    #[test]
    fn the_same_secret_comes_back_from_hiding() {
        let record = password("https://h", "ana", "pw");
        let mut world = World::new(vec![hidden(record.clone(), NOW - 5)], "");
        assert_eq!(approve(&mut world, record), Ok(Saved::Written));
        assert_eq!(world.visible(), ["ana:pw"]);
    }

    #[test]
    fn what_must_not_be_kept_is_not() {
        let config = "[proxy]\nupstream = [\"http://p:8080\"]\n";
        for record in [
            expired(password("https://h", "ana", "pw")),
            password("http://h", "ana", "pw"),
            password("http://p:8080", "ana", "pw"),
            password("http://127.0.0.1:7407", "gocred", "pw"),
            password("smtp://h", "ana", "pw"),
        ] {
            let mut world = World::new(vec![], config);
            let shown = format!("{record:?}");
            assert_eq!(approve(&mut world, record), Ok(Saved::Unchanged), "{shown}");
            assert_eq!((world.store.reads, world.store.writes), (0, 0), "{shown}");
        }
    }

    #[test]
    fn a_stored_proxy_is_out_of_gits_reach_even_with_permission_for_http() {
        let config = "[host.\"p\"]\nallow_http = true\n";
        let mut world = World::new(vec![proxy("http://p:8080", "ana", "pw")], config);
        let record = password("http://p:8080", "ana", "new");
        assert_eq!(approve(&mut world, record), Ok(Saved::Unchanged));
        assert_eq!(world.visible(), ["ana:pw"]);
    }

    #[test]
    fn login_only_keeps_what_login_or_the_configuration_names() {
        let config = "[git]\nstore = \"login-only\"\n[host.\"named\"]\n";
        let mut world = World::new(vec![password("https://known", "ana", "old")], config);
        assert_eq!(approve(&mut world, password("https://h", "a", "pw")), Ok(Saved::Unchanged));
        assert_eq!(approve(&mut world, password("https://known", "ana", "pw")), Ok(Saved::Written));
        assert_eq!(approve(&mut world, password("https://named", "n", "pw")), Ok(Saved::Written));
        assert_eq!(world.visible(), ["ana:pw", "n:pw"]);
    }

    #[test]
    fn what_the_netrc_says_is_not_copied_and_another_secret_is() {
        let mut world = World::new(vec![], "").with_netrc("machine h login ana password pw");
        assert_eq!(approve(&mut world, password("https://h", "ana", "pw")), Ok(Saved::Unchanged));
        assert_eq!(world.store.writes, 0);
        assert_eq!(approve(&mut world, password("https://h", "ana", "new")), Ok(Saved::Written));
        assert_eq!(approve(&mut world, password("https://h", "bob", "pw")), Ok(Saved::Written));
        assert_eq!(world.visible(), ["ana:new", "bob:pw"]);
    }

    #[test]
    fn a_locked_keyring_is_told_for_our_hosts_and_never_written() {
        let mut world =
            World::new(vec![password("https://h", "ana", "pw")], "").in_trouble(Error::Locked);
        let ours = approve(&mut world, password("https://h", "ana", "new"));
        assert_eq!(ours, Err(Error::Locked));
        let other = approve(&mut world, password("https://other", "ana", "new"));
        assert_eq!(other, Ok(Saved::Unchanged));
        assert_eq!(world.store.writes, 0);
        assert_eq!(world.visible(), ["ana:pw"]);
    }

    #[test]
    fn what_an_overtaxed_keyring_may_have_written_is_ours_and_told() {
        let mut world = World::new(vec![], "");
        world.store.late = Some(Error::Silent(1800));
        let saved = approve(&mut world, password("https://h", "ana", "pw"));
        assert_eq!(saved, Err(Error::Silent(1800)));
        let index = std::fs::read_to_string(world.paths.state.join("hosts")).unwrap();
        assert_eq!(index, "gocred hosts 1\ngit https://h\n");
    }

    #[test]
    fn what_was_hidden_a_month_ago_goes_with_the_next_write() {
        let old = hidden(password("https://h", "old", "1"), NOW - HIDDEN_FOR - 1);
        let young = hidden(password("https://h", "young", "2"), NOW - HIDDEN_FOR + 1);
        let mut world = World::new(vec![old, young, password("https://h", "ana", "pw")], "");
        assert_eq!(approve(&mut world, password("https://h", "ana", "pw")), Ok(Saved::Unchanged));
        assert_eq!(world.store.records.len(), 3);
        assert_eq!(approve(&mut world, password("https://h", "ana", "new")), Ok(Saved::Written));
        let users: Vec<_> =
            world.store.records.iter().map(|record| record.entry.key.user.as_str()).collect();
        assert_eq!(users, ["young", "ana"]);
    }

    #[test]
    fn a_store_without_an_index_makes_a_complete_one() {
        let mut world = World::new(vec![password("https://old", "o", "1")], "").without_index();
        assert_eq!(approve(&mut world, password("https://new", "n", "2")), Ok(Saved::Written));
        let index = std::fs::read_to_string(world.paths.state.join("hosts")).unwrap();
        assert_eq!(index, "gocred hosts 1\ngit https://old\ngit https://new\n");
    }
}
