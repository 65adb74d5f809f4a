//! What is answered to git, kept and hidden, once it is settled who answers.

use std::hash::{BuildHasher, Hasher, RandomState};

use secrecy::zeroize::Zeroizing;

use crate::{
    broker::{Broker, Found, Proofs, Question, Refuted},
    core::{
        credential::{Entry, Key, Kind, Record},
        gitproto::{
            Operation, Request,
            answer::{self, Part},
            receipt::{self, Moment, Seen},
        },
        origin::Origin,
    },
    front::git::{Asker, Reply},
    store,
};

/// Answers.
pub(super) fn answer(
    operation: Operation,
    request: &Request,
    origin: &Origin,
    broker: &mut Broker<'_>,
    asker: Asker,
) -> Result<Reply, Elsewhere> {
    let reply = match operation {
        Operation::Capability => Ok(Reply::default()),
        Operation::Erase => erase(request, origin, broker, asker.erases_as()),
        Operation::Get => get(request, origin, broker),
        Operation::Store => keep(request, origin, broker),
    };
    let mut reply = reply.or_else(|error| match error {
        store::Error::Elsewhere => Err(Elsewhere),
        error => {
            let mut reply = Reply::of_store(origin, &error);
            // Nobody can unlock it: the next prompt would hang or fail with less to go by.
            if operation == Operation::Get && error.waits_for_a_person() && asker.is_unattended {
                reply.out = Zeroizing::new(answer::QUIT.to_vec());
            }
            Ok(reply)
        }
    })?;
    if let (Some(damage), None) = (broker.damage(), &reply.err) {
        reply.err = Reply::of_damage(&damage).err;
    }
    Ok(reply)
}

/// It takes the whole program to answer: a kind of session, or a place of a secret, that the small
/// helper does not know.
#[derive(Debug)]
pub(super) struct Elsewhere;

#[cfg(feature = "full")]
impl Elsewhere {
    /// Returns what is said where nobody is left who could.
    pub(super) fn said(self) -> Reply {
        let Self = self;
        Reply::trouble(store::Error::Elsewhere)
    }
}

fn get(request: &Request, origin: &Origin, broker: &mut Broker<'_>) -> Result<Reply, store::Error> {
    let question = Question {
        origin,
        path: request.path.as_deref(),
        user: request.username.as_deref(),
        proofs: if request.capabilities.authtype { Proofs::All } else { Proofs::Passwords },
    };
    let encoded = match broker.ask(&question)? {
        Some(Found::Complete(record, source)) => {
            let stamp = request.capabilities.state.then(|| broker.stamp()).flatten();
            let state = stamp.map(|stamp| {
                let Record { entry: Entry { key, expires, stored: _, hidden: _ }, secrets } =
                    &record;
                let seen = Seen { origin, user: &key.user, secrets, expires: *expires };
                // std seeds every `RandomState` from the system's randomness.
                let salt = RandomState::new().build_hasher().finish();
                receipt::state(source, &seen, Moment { salt, stamp })
            });
            answer::encode(&record, Part::Whole, state.as_deref(), request.capabilities)
        }
        Some(Found::Renewable(record)) if record.secrets.session.is_some() => {
            return Err(store::Error::Elsewhere);
        }
        Some(Found::Renewable(record)) => {
            answer::encode(&record, Part::Renewal, None, request.capabilities)
        }
        None => return Ok(Reply::default()),
    };
    Ok(encoded.map_or_else(
        |unsendable| {
            Reply::of_host(origin, &unsendable, &format!("gocred login {}", origin.authority()))
        },
        |out| Reply { out, err: None },
    ))
}

fn keep(
    request: &Request,
    origin: &Origin,
    broker: &mut Broker<'_>,
) -> Result<Reply, store::Error> {
    // One leg of several is worth nothing later, and `ephemeral` says so itself (git 2.46).
    if request.ephemeral || request.multistage {
        return Ok(Reply::default());
    }
    let Some(secrets) = request.secrets() else { return Ok(Reply::default()) };
    let seen = Seen {
        origin,
        user: request.username.as_deref().unwrap_or_default(),
        secrets: &secrets,
        expires: request.password_expiry_utc,
    };
    let confirms = |stamp| receipt::confirms(&request.state, &seen, stamp);
    if !request.state.is_empty() && broker.stamp().is_some_and(confirms) {
        return Ok(Reply::default());
    }
    let key = Key {
        kind: Kind::Git,
        origin: origin.clone(),
        path: request.path.clone(),
        user: request.username.clone().unwrap_or_default(),
    };
    broker.approve(key, secrets, request.password_expiry_utc).map(|_| Reply::default())
}

fn erase(
    request: &Request,
    origin: &Origin,
    broker: &mut Broker<'_>,
    by: &str,
) -> Result<Reply, store::Error> {
    let refuted = Refuted {
        origin,
        path: request.path.as_deref(),
        user: request.username.as_deref(),
        password: request.password.as_ref(),
        credential: request.credential.as_ref(),
    };
    broker.reject(&refuted, by).map(|_| Reply::default())
}
