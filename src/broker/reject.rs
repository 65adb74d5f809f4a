//! A credential was rejected: hide it. Nothing is destroyed; `gocred undo` brings it back.

use crate::{
    broker::{
        Broker,
        standing::{Known, Standing},
    },
    core::{
        credential::{Hidden, Kind, Proof, Query},
        origin::Origin,
        secret::{SecretString, same},
    },
    store::Error,
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
        let known = self.known();
        match self.standing(&known, refuted.origin)? {
            // git erases a proxy's password for a 407 that it never answered (git-helper.md §1.7.2).
            Standing::Foreign | Standing::Ours(Kind::Proxy | Kind::Internal) => return Ok(0),
            Standing::Ours(Kind::Git) => {}
        }
        let query = Query {
            kind: Kind::Git,
            origin: Some(refuted.origin.clone()),
            path: refuted.path.map(str::to_owned),
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
                self.store.mark(key, Some(&hidden))?;
                count += 1;
            }
        }
        Ok(count)
    }
}

impl Refuted<'_> {
    fn is_proof(&self, proof: &Proof) -> bool {
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
