//! A credential was rejected: hide it. Nothing is destroyed; `gocred undo` brings it back.

use crate::{
    broker::{
        Broker,
        standing::{Known, Standing},
    },
    core::{
        credential::{Hidden, Kind, Proof, Query, Record, UnixTime},
        origin::Origin,
        secret::{SecretString, same},
    },
    store::{Error, index},
};

/// What was rejected. Everything that is `Some` must be equal (git's `credential_match`).
#[derive(Clone, Copy, Debug)]
pub struct Refuted<'a> {
    /// The origin that rejected it.
    pub origin: &'a Origin,
    /// The path; `None` is any path, and none.
    pub path: Option<&'a str>,
    /// The account; `None` is any.
    pub user: Option<&'a str>,
    /// The password; `None` is any.
    pub password: Option<&'a SecretString>,
    /// The encoded credential; `None` is any.
    pub credential: Option<&'a SecretString>,
}

impl Broker<'_> {
    /// Hides every matching record, and returns how many. A newer secret than the rejected one stays:
    /// secrets are compared.
    pub fn reject(&mut self, refuted: &Refuted<'_>, by: &str) -> Result<usize, Error> {
        #[cfg(feature = "full")]
        if self.give_back(refuted) {
            return Ok(0);
        }
        let known = self.known();
        match self.standing(&known, refuted.origin) {
            // git erases a proxy's password for a 407 that it never answered (git-helper.md §1.7.2).
            Standing::Foreign | Standing::Ours(Kind::Proxy | Kind::Internal) => return Ok(0),
            Standing::Ours(Kind::Git) => {}
        }
        let query = Query {
            kind: Kind::Git,
            origin: Some(refuted.origin.clone()),
            path: self.settled_path(refuted).map(str::to_owned),
            user: refuted.user.map(str::to_owned),
        };
        let stored = match known {
            Known::Nothing(trouble) => return Err(trouble),
            Known::Index(_) => self.store.find(&query)?,
        };
        let hidden = Hidden { at: self.now, by: by.to_owned() };
        let mut count = 0;
        for record in stored {
            let key = &record.entry.key;
            if query.matches(key)
                && record.entry.hidden.is_none()
                && refuted.is_proof(&record.secrets.proof)
            {
                if may_be_renewed(&record, self.now) {
                    self.store.save(&ended(record, self.now))?;
                } else {
                    self.store.mark(key, Some(&hidden))?;
                }
                count += 1;
            }
        }
        if count > 0 {
            // Receipts of before are void: a `store` of the same secret brings it back.
            index::touch(&self.paths.state)?;
        }
        Ok(count)
    }
}

/// A token that was refused this soon after it came is not helped by another one, in seconds.
const YOUNG: UnixTime = 60;

/// Returns whether a refused token may only have ended before its time: its server has another clock,
/// or took it back. The next question renews it; if that one is refused, too, it is hidden.
fn may_be_renewed(record: &Record, now: UnixTime) -> bool {
    let Record { entry, secrets } = record;
    let has_session = secrets.session.is_some() && secrets.refresh_token.is_some();
    has_session && entry.stored.saturating_add(YOUNG) < now
}

fn ended(mut record: Record, now: UnixTime) -> Record {
    record.entry.expires = Some(now.saturating_sub(1));
    record
}

impl Refuted<'_> {
    pub(super) fn is_proof(&self, proof: &Proof) -> bool {
        let is = |refuted: Option<&SecretString>, stored: Option<&SecretString>| {
            refuted.is_none_or(|refuted| stored.is_some_and(|stored| same(stored, refuted)))
        };
        match proof {
            Proof::Password(password) => {
                is(self.password, Some(password)) && is(self.credential, None)
            }
            Proof::Encoded { authtype: _, credential } => {
                is(self.password, None) && is(self.credential, Some(credential))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refuted;
    use crate::{
        broker::tests::{NOW, World, bearer, origin, password, proxy},
        core::origin::Origin,
        store::Error,
    };

    fn all(origin: &Origin) -> Refuted<'_> {
        Refuted { origin, path: None, user: None, password: None, credential: None }
    }

    fn world() -> World {
        World::new(
            vec![
                password("https://h", "ana", "pw"),
                password("https://h", "bob", "pw"),
                password("https://h/team", "ana", "pw"),
                password("https://h/team", "eve", "other"),
                bearer("https://h", "t"),
                password("https://h:8443", "x", "pw"),
            ],
            "",
        )
    }

    #[test]
    fn everything_that_matches_is_hidden_and_nothing_is_destroyed() {
        let (origin, secret) = (origin("https://h"), "pw".into());
        let mut world = world();
        let refuted = Refuted { password: Some(&secret), ..all(&origin) };
        assert_eq!(world.broker().reject(&refuted, "git erase"), Ok(3));
        assert_eq!(world.visible(), [":Bearer t", "eve:other", "x:pw"]);
        assert_eq!(world.store.records.len(), 6);
        let mark = world.store.records[0].entry.hidden.clone().unwrap();
        assert_eq!((mark.at, mark.by.as_str()), (NOW, "git erase"));
        let writes = world.store.writes;
        assert_eq!(world.broker().reject(&refuted, "git erase"), Ok(0));
        assert_eq!(world.store.writes, writes, "a hidden record is not marked again");
    }

    #[test]
    fn a_token_that_can_be_renewed_has_ended_and_is_hidden_when_the_new_one_is_refused_too() {
        let origin = origin("https://h");
        let mut record = password("https://h", "ana", "pw");
        record.secrets.refresh_token = Some("r".into());
        record.secrets.session = Some("s".into());
        let mut world = World::new(vec![record], "");
        assert_eq!(world.broker().reject(&all(&origin), "git erase"), Ok(1));
        let entry = &mut world.store.records[0].entry;
        assert_eq!((entry.expires, entry.hidden.is_none()), (Some(NOW - 1), true));
        entry.stored = NOW - 1;
        assert_eq!(world.broker().reject(&all(&origin), "git erase"), Ok(1));
        assert!(world.store.records[0].entry.hidden.is_some());
    }

    #[test]
    fn each_of_path_account_password_and_credential_narrows_it() {
        let origin = origin("https://h");
        let (pw, t, other) = ("pw".into(), "t".into(), "stale".into());
        for (refuted, count) in [
            (all(&origin), 5),
            (Refuted { user: Some("ana"), ..all(&origin) }, 2),
            (Refuted { path: Some("team"), ..all(&origin) }, 2),
            (Refuted { path: Some("tea"), ..all(&origin) }, 0),
            (Refuted { user: Some("ana"), path: Some("team"), ..all(&origin) }, 1),
            (Refuted { user: Some("ana"), password: Some(&other), ..all(&origin) }, 0),
            (Refuted { credential: Some(&t), ..all(&origin) }, 1),
            (Refuted { credential: Some(&pw), ..all(&origin) }, 0),
            (Refuted { password: Some(&t), ..all(&origin) }, 0),
        ] {
            assert_eq!(world().broker().reject(&refuted, "x"), Ok(count), "{refuted:?}");
        }
    }

    #[test]
    fn a_proxys_password_is_out_of_gits_reach() {
        let config = "[proxy]\nupstream = [\"http://p:8080\"]\n[host.\"p\"]\nallow_http = true\n";
        let records = vec![proxy("http://p:8080", "ana", "pw"), proxy("http://q:1", "ana", "pw")];
        let mut world = World::new(records, config);
        for proxy in [origin("http://p:8080"), origin("http://q:1")] {
            assert_eq!(world.broker().reject(&all(&proxy), "git erase"), Ok(0));
        }
        assert_eq!(world.visible(), ["ana:pw", "ana:pw"]);
    }

    #[test]
    fn a_foreign_host_does_not_touch_the_keyring() {
        let mut world = world();
        let other = origin("https://other");
        assert_eq!(world.broker().reject(&all(&other), "git erase"), Ok(0));
        assert_eq!((world.store.reads, world.store.writes), (0, 0));
    }

    #[test]
    fn a_locked_keyring_leads_to_no_erase() {
        let mut world = world().in_trouble(Error::Locked);
        let origin = origin("https://h");
        assert_eq!(world.broker().reject(&all(&origin), "git erase"), Err(Error::Locked));
        assert_eq!(world.store.writes, 0);
        assert_eq!(world.visible().len(), 6);
    }
}
