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
};

/// Answers.
pub(super) fn answer(
    operation: Operation,
    request: &Request,
    origin: &Origin,
    broker: &mut Broker<'_>,
    asker: Asker,
) -> Reply {
    let mut reply = match operation {
        Operation::Capability => Reply::default(),
        Operation::Erase => erase(request, origin, broker, asker.erases_as()),
        Operation::Get => get(request, origin, broker, asker),
        Operation::Store => keep(request, origin, broker),
    };
    if let (Some(damage), None) = (broker.damage(), &reply.err) {
        reply.err = Reply::trouble(damage).err;
    }
    reply
}

fn get(request: &Request, origin: &Origin, broker: &mut Broker<'_>, asker: Asker) -> Reply {
    let question = Question {
        origin,
        path: request.path.as_deref(),
        user: request.username.as_deref(),
        proofs: if request.capabilities.authtype { Proofs::All } else { Proofs::Passwords },
    };
    let encoded = match broker.ask(&question) {
        Ok(Some(Found::Complete(record, source))) => {
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
        Ok(Some(Found::Renewable(record))) if record.secrets.session.is_some() => {
            return Reply { is_renewable: true, ..Reply::default() };
        }
        Ok(Some(Found::Renewable(record))) => {
            answer::encode(&record, Part::Renewal, None, request.capabilities)
        }
        Ok(None) => return Reply::default(),
        Err(error) => {
            let mut reply = Reply::of_store(origin, &error);
            // Nobody can unlock it: the next prompt would hang or fail with less to go by.
            if error.waits_for_a_person() && asker.is_unattended {
                reply.out = Zeroizing::new(answer::QUIT.to_vec());
            }
            return reply;
        }
    };
    encoded.map_or_else(
        |unsendable| {
            Reply::of_host(origin, &unsendable, &format!("gocred login {}", origin.authority()))
        },
        |out| Reply { out, ..Reply::default() },
    )
}

fn keep(request: &Request, origin: &Origin, broker: &mut Broker<'_>) -> Reply {
    // One leg of several is worth nothing later, and `ephemeral` says so itself (git 2.46).
    if request.ephemeral || request.multistage {
        return Reply::default();
    }
    let Some(secrets) = request.secrets() else { return Reply::default() };
    let seen = Seen {
        origin,
        user: request.username.as_deref().unwrap_or_default(),
        secrets: &secrets,
        expires: request.password_expiry_utc,
    };
    let confirms = |stamp| receipt::confirms(&request.state, &seen, stamp);
    if !request.state.is_empty() && broker.stamp().is_some_and(confirms) {
        return Reply::default();
    }
    let key = Key {
        kind: Kind::Git,
        origin: origin.clone(),
        path: request.path.clone(),
        user: request.username.clone().unwrap_or_default(),
    };
    match broker.approve(key, secrets, request.password_expiry_utc) {
        Ok(_) => Reply::default(),
        Err(error) => Reply::of_store(origin, &error),
    }
}

fn erase(request: &Request, origin: &Origin, broker: &mut Broker<'_>, by: &str) -> Reply {
    let refuted = Refuted {
        origin,
        path: request.path.as_deref(),
        user: request.username.as_deref(),
        password: request.password.as_ref(),
        credential: request.credential.as_ref(),
    };
    match broker.reject(&refuted, by) {
        Ok(_) => Reply::default(),
        Err(error) => Reply::of_store(origin, &error),
    }
}
