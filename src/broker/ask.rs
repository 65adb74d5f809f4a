//! The question "which credential?": the store first, then the netrc; the first complete answer wins.
//!
//! It deliberately never falls back to another origin, and never changes an account that was asked
//! for.

use crate::{
    broker::{
        Broker, choose, is_expired,
        standing::{Known, Standing},
    },
    core::{
        credential::{Kind, Proof, Query, Record},
        gitproto::answer::Source,
        origin::Origin,
    },
    store::{
        Error,
        netrc::{self, Dialect},
    },
};

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where the credential would go.
    pub origin: &'a Origin,
    /// The path, if the asking side tells paths apart.
    pub path: Option<&'a str>,
    /// The account, if it is settled.
    pub user: Option<&'a str>,
    /// What the asking side can send.
    pub proofs: Proofs,
}

/// What the asking side can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// Encoded credentials, too.
    All,
    /// Accounts and passwords.
    Passwords,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Found {
    /// A credential, and where it came from.
    Complete(Record, Source),
    /// A credential that has expired and can be renewed with its refresh token.
    Renewable(Record),
}

impl Broker<'_> {
    /// Asks all sources. `Ok(None)` is "nothing, ask somebody else"; an error is the store's, for an
    /// origin of ours that no other source knows.
    pub fn ask(&mut self, question: &Question<'_>) -> Result<Option<Found>, Error> {
        let known = self.known();
        let kind = match self.standing(&known, question.origin)? {
            Standing::Foreign => return Ok(None),
            Standing::Ours(kind) => kind,
        };
        let query = Query {
            kind,
            origin: Some(question.origin.clone()),
            path: question.path.map(str::to_owned),
            user: question.user.map(str::to_owned),
        };
        let stored = match known {
            Known::Nothing(trouble) => Err(trouble),
            Known::Index(_) => self.store.find(&query),
        };
        let (records, trouble) = match stored {
            Ok(records) => (self.of_account(records, &query), None),
            Err(trouble) => (Vec::new(), Some(trouble)),
        };
        let (live, ended): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| !is_expired(record, self.now));
        let can_be_sent = |record: &Record| match record.secrets.proof {
            // git would send it to the proxy in the wrong field (git-helper.md §1.7.1).
            Proof::Encoded { .. } => question.proofs == Proofs::All && kind != Kind::Proxy,
            Proof::Password(_) => true,
        };
        if let Some(record) = choose(live.into_iter().filter(can_be_sent).collect(), self.now) {
            return Ok(Some(Found::Complete(record, Source::Keyring)));
        }
        if kind == Kind::Git
            && let Some(record) = self.in_netrc(question)?
        {
            return Ok(Some(Found::Complete(record, Source::Netrc)));
        }
        let renewable = ended
            .into_iter()
            .filter(|record| record.entry.hidden.is_none())
            .filter(|record| record.secrets.refresh_token.is_some())
            .max_by_key(|record| record.entry.stored);
        match (renewable, trouble) {
            (Some(record), _) => Ok(Some(Found::Renewable(record))),
            (None, Some(trouble)) => Err(trouble),
            (None, None) => Ok(None),
        }
    }

    /// Keeps what really matches, and of several accounts the configured one.
    fn of_account(&self, mut records: Vec<Record>, query: &Query) -> Vec<Record> {
        records.retain(|record| query.matches(&record.entry.key));
        let configured = query.origin.as_ref().and_then(|origin| self.configured_user(origin));
        if let (None, Some(user)) = (&query.user, configured)
            && records.iter().any(|record| record.entry.key.user == user)
        {
            records.retain(|record| record.entry.key.user == user);
        }
        records
    }

    fn in_netrc(&self, question: &Question<'_>) -> Result<Option<Record>, Error> {
        let user = question.user.or_else(|| self.configured_user(question.origin));
        let found = netrc::find(self.paths, question.origin, Dialect::Curl, user)?;
        Ok(found.map(|(record, _)| record).filter(|record| {
            question.user.is_none_or(|user| user == record.entry.key.user)
        }))
    }

    fn configured_user(&self, origin: &Origin) -> Option<&str> {
        self.config.host(origin)?.username.as_deref()
    }
}
