//! Credentials that are fetched where they are needed, and kept no longer than they live.

use thiserror::Error;

use crate::{
    broker::{Broker, Found, Question, Refuted, standing::Standing},
    core::{
        credential::{Entry, Key, Kind, Proof, Record, Secrets, UnixTime},
        gitproto::receipt::Source,
        origin::Origin,
    },
    store,
};

/// Those who fetch credentials, and keep them in memory.
pub trait Sources: Send {
    /// Returns the credential of an origin; `None` is that its source has none.
    fn resolve(&mut self, wanted: &Wanted<'_>) -> Result<Option<Lease>, SourceError>;

    /// Forgets what is kept for an origin where the origin has rejected it. The next question fetches it
    /// anew: a secret that was replaced at its source works at once.
    fn forget(&mut self, origin: &Origin, is_rejected: &dyn Fn(&Proof) -> bool);
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where the credential would go.
    pub origin: &'a Origin,
    /// The path, if the asking side tells paths apart.
    pub path: Option<&'a str>,
    /// The account, if it is settled.
    pub user: Option<&'a str>,
    /// The time.
    pub now: UnixTime,
}

/// A credential that was fetched.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The account; may be empty.
    pub user: String,
    /// The credential.
    pub proof: Proof,
    /// When it ends, where that is known.
    pub ends: Option<UnixTime>,
    /// When another one is fetched: at 80 % of its life.
    pub refresh_at: Option<UnixTime>,
    /// How long it may be kept.
    pub cache: CacheFor,
    /// Who gave it, such as `openbao`.
    pub from: &'static str,
}

/// How long a credential may be kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheFor {
    /// Not at all.
    Never,
    /// Until then.
    Until(UnixTime),
}

/// Why a source gave no credential.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SourceError {
    /// What it says is not what was configured, or not its protocol.
    #[error("{0}")]
    Broken(String),
    /// It does not know us: the login is refused, or was revoked.
    #[error("{0}")]
    Login(String),
    /// It has nothing where it was looked for.
    #[error("{0}")]
    Missing(String),
    /// It knows us, and this is not allowed to us.
    #[error("{0}")]
    Refused(String),
    /// It is there, and sealed.
    #[error("{0} is sealed")]
    Sealed(String),
    /// It was asked, and did not answer in time.
    #[error("{0}")]
    Silent(String),
    /// It cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

impl SourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Broken(_) => "K23",
            Self::Login(_) => "K28",
            Self::Missing(_) => "K29",
            Self::Refused(_) => "K21",
            Self::Sealed(_) => "K22",
            Self::Silent(_) => "K30",
            Self::Unreachable(_) => "K24",
        }
    }
}

impl Broker<'_> {
    /// Asks the source of an origin. Where there is one, nobody else is asked: no store is opened, and
    /// a source that fails is not replaced by an older secret.
    pub(super) fn lease(
        &mut self,
        question: &Question<'_>,
    ) -> Option<Result<Option<Found>, store::Error>> {
        let Question { origin, path, user, proofs: _ } = *question;
        let is_safe = origin.scheme() == "https" || self.allows_http(origin);
        if !self.config.has_source(origin) || !is_safe || self.is_our_listener(origin) {
            return None;
        }
        let now = self.now;
        let sources = self.sources.as_mut()?;
        let lease = match sources.resolve(&Wanted { origin, path, user, now }) {
            Ok(lease) => lease,
            Err(error) => {
                let (code, what) = (error.code(), error.to_string());
                return Some(Err(store::Error::Withheld { code, what }));
            }
        };
        let lease = lease.map(|lease| Lease { user: account(&lease.user, user), ..lease });
        let fits = |lease: &Lease| {
            let is_account = user.is_none_or(|user| user == lease.user);
            is_account && question.can_be_sent(&lease.proof, Standing::Ours(Kind::Git))
        };
        Some(Ok(lease.filter(fits).map(|lease| found(lease, origin, now))))
    }

    /// Forgets a credential that an origin rejected, where it came from a source. Nothing is hidden: it
    /// is the source's. `false`: the origin has none.
    pub(super) fn give_back(&mut self, refuted: &Refuted<'_>) -> bool {
        let Some(sources) =
            self.sources.as_mut().filter(|_| self.config.has_source(refuted.origin))
        else {
            return false;
        };
        sources.forget(refuted.origin, &|proof| refuted.is_proof(proof));
        true
    }
}

/// Returns the account of a credential: where its source names none, the one that was asked for.
fn account(named: &str, asked: Option<&str>) -> String {
    Some(named).filter(|named| !named.is_empty()).or(asked).unwrap_or_default().to_owned()
}

fn found(lease: Lease, origin: &Origin, now: UnixTime) -> Found {
    let Lease { user, proof, ends, refresh_at: _, cache: _, from } = lease;
    let key = Key { kind: Kind::Git, origin: origin.clone(), path: None, user };
    let entry = Entry { key, expires: ends, stored: now, hidden: None };
    Found::Complete(Record { entry, secrets: Secrets::of(proof) }, Source::Fleet(from))
}

#[cfg(test)]
mod tests {
    use super::{CacheFor, Lease, SourceError, Sources, Wanted};
    use crate::{
        broker::{
            Broker, Found, Proofs, Question, Refuted,
            tests::{NOW, World, origin, password, shown},
        },
        core::{credential::Proof, origin::Origin},
        store::{Error, Saved},
    };

    struct One(Result<&'static str, SourceError>);

    impl Sources for One {
        fn resolve(&mut self, wanted: &Wanted<'_>) -> Result<Option<Lease>, SourceError> {
            let secret = self.0.clone()?;
            Ok(Some(Lease {
                user: wanted.user.unwrap_or("bot").to_owned(),
                proof: Proof::Password(secret.into()),
                ends: Some(wanted.now + 60),
                refresh_at: None,
                cache: CacheFor::Never,
                from: "openbao",
            }))
        }

        fn forget(&mut self, _origin: &Origin, is_rejected: &dyn Fn(&Proof) -> bool) {
            if self.0.as_ref().is_ok_and(|secret| is_rejected(&Proof::Password((*secret).into()))) {
                self.0 = Ok("forgotten");
            }
        }
    }

    fn ask(world: &mut World, one: &mut One, url: &str) -> Result<Option<String>, Error> {
        let World { store, env, paths, config, .. } = world;
        let origin = origin(url);
        let question = Question { origin: &origin, path: None, user: None, proofs: Proofs::All };
        let mut broker = Broker::new(store, env, paths, config, NOW).sources(one);
        Ok(broker.ask(&question)?.map(|found| match found {
            Found::Complete(record, source) => format!("{} {}", source.as_str(), shown(&record)),
            Found::Renewable(_) => "renewable".to_owned(),
        }))
    }

    #[test]
    fn a_source_answers_for_its_origin_and_no_store_is_asked() {
        let config = "[source.h]\nfrom = \"env\"\nvariable = \"X\"\n";
        let records = vec![password("https://h", "ana", "old"), password("https://x", "ana", "pw")];
        let mut world = World::new(records, config);
        let mut one = One(Ok("fresh"));
        let answer = ask(&mut world, &mut one, "https://h").unwrap();
        assert_eq!(answer.as_deref(), Some("openbao bot:fresh"));
        assert_eq!(ask(&mut world, &mut one, "http://h"), Ok(None));
        assert_eq!(ask(&mut world, &mut one, "https://h:8443"), Ok(None));
        let mut failing = One(Err(SourceError::Sealed("OpenBao".to_owned())));
        let error = ask(&mut world, &mut failing, "https://h").unwrap_err();
        assert_eq!((error.code(), world.store.reads), ("K22", 0));
        let stored = ask(&mut world, &mut failing, "https://x").unwrap();
        assert_eq!(stored.as_deref(), Some("keyring ana:pw"));
    }

    #[test]
    fn what_came_from_a_source_is_neither_stored_nor_hidden_and_a_rejected_one_is_forgotten() {
        let config = "[source.h]\nfrom = \"env\"\nvariable = \"X\"\n";
        let mut world = World::new(vec![password("https://h", "bot", "fresh")], config);
        let mut one = One(Ok("fresh"));
        let World { store, env, paths, config, .. } = &mut world;
        let mut broker = Broker::new(store, env, paths, config, NOW).sources(&mut one);
        let record = password("https://h", "bot", "new");
        let saved = broker.approve(record.entry.key, record.secrets, None);
        assert_eq!(saved, Ok(Saved::Unchanged));
        let (origin, other, secret) = (origin("https://h"), "other".into(), "fresh".into());
        for (password, expected) in [(&other, "fresh"), (&secret, "forgotten")] {
            let refuted = Refuted {
                origin: &origin,
                path: None,
                user: Some("bot"),
                password: Some(password),
                credential: None,
            };
            let mut broker = Broker::new(store, env, paths, config, NOW).sources(&mut one);
            assert_eq!(broker.reject(&refuted, "git erase"), Ok(0));
            assert_eq!(one.0, Ok(expected));
        }
        assert_eq!((store.reads, store.writes), (0, 0));
    }
}
