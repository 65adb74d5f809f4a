//! Credentials that are fetched where they are needed, and kept no longer than they live.

use thiserror::Error;

use crate::{
    broker::{Broker, Found, Question, standing::Standing},
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
    /// As long as the process tree lives that it is for.
    Session,
    /// Until then.
    Until(UnixTime),
}

/// Why a source gave no credential.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SourceError {
    /// What it says is not what was configured, or not its protocol.
    #[error("{0}")]
    Broken(String),
    /// It knows us, or does not, and says no.
    #[error("{0}")]
    Refused(String),
    /// It is there, and sealed.
    #[error("the secret manager is sealed")]
    Sealed,
    /// It cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

impl SourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Broken(_) => "K23",
            Self::Refused(_) => "K21",
            Self::Sealed => "K22",
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
        let fits = |lease: &Lease| {
            let is_account = user.is_none_or(|user| user == lease.user || lease.user.is_empty());
            is_account && question.can_be_sent(&lease.proof, Standing::Ours(Kind::Git))
        };
        Some(Ok(lease.filter(fits).map(|lease| found(lease, origin, now))))
    }
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
            Broker, Found, Proofs, Question,
            fixture::{NOW, World, origin, password, shown},
        },
        core::credential::Proof,
        store::Error,
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
        let mut failing = One(Err(SourceError::Sealed));
        let error = ask(&mut world, &mut failing, "https://h").unwrap_err();
        assert_eq!((error.code(), world.store.reads), ("K22", 0));
        let stored = ask(&mut world, &mut failing, "https://x").unwrap();
        assert_eq!(stored.as_deref(), Some("keyring ana:pw"));
    }
}
