//! `state[]`: what an answer says of itself, so that git's `store` of the same credential costs no
//! question to the keyring, however much that holds (git-helper.md §6.7).
//!
//! The receipt is a salted 64-bit hash, not a proof: it is told only together with the secret itself,
//! and what does not fit it is merely compared with the store as without it. A `store` of another
//! helper's credential that brings our earlier state never fits (osxkeychain before git 2.53).

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::core::{
    credential::{Proof, Secrets, UnixTime},
    gitproto::STATE_PREFIX,
    origin::Origin,
    secret::ExposeSecret,
};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The memory of the agent.
    Agent,
    /// A variable of the environment.
    Environment,
    /// The encrypted file.
    File,
    /// A source of a fleet, such as `openbao`.
    Fleet(&'static str),
    /// The keyring.
    Keyring,
    /// The user's netrc.
    Netrc,
}

impl Source {
    /// Returns the word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Fleet(name) => name,
            Self::Keyring => "keyring",
            Self::Netrc => "netrc",
        }
    }
}

/// A credential as both sides of git see it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Whom it is for.
    pub origin: &'a Origin,
    /// The account; empty where git names none.
    pub user: &'a str,
    /// The secret part.
    pub secrets: &'a Secrets,
    /// When it ends.
    pub expires: Option<UnixTime>,
}

/// What makes a receipt of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Random, so that equal secrets have unequal receipts.
    pub salt: u64,
    /// Changes with every `erase`: a receipt of before it must not keep a hidden credential hidden.
    pub stamp: u64,
}

/// Returns the value of `state[]` for an answer.
pub fn state(source: Source, seen: &Seen<'_>, moment: Moment) -> String {
    let source = source.as_str();
    let Moment { salt, stamp } = moment;
    let print = print(seen, moment);
    format!("{STATE_PREFIX}source={source};receipt={salt:x}.{stamp:x}.{print:x}")
}

/// Returns whether one of our states was given with exactly this credential, and nothing was erased
/// since.
pub fn confirms(states: &[String], seen: &Seen<'_>, stamp: u64) -> bool {
    states
        .iter()
        .filter_map(|state| parse(state))
        .any(|(moment, given)| moment.stamp == stamp && given == print(seen, moment))
}

fn parse(state: &str) -> Option<(Moment, u64)> {
    let (_, receipt) = state.strip_prefix(STATE_PREFIX)?.split_once(";receipt=")?;
    let mut numbers = receipt.split('.').map(|number| u64::from_str_radix(number, 16).ok());
    let (salt, stamp, print) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some((Moment { salt, stamp }, print))
}

fn print(seen: &Seen<'_>, moment: Moment) -> u64 {
    let Seen { origin, user, secrets: Secrets { proof, refresh_token, session }, expires } = seen;
    let Moment { salt, stamp } = moment;
    let mut hasher = DefaultHasher::new();
    (salt, stamp, origin, user, expires).hash(&mut hasher);
    match proof {
        Proof::Encoded { authtype, credential } => {
            (1, authtype, credential.expose_secret()).hash(&mut hasher);
        }
        Proof::Password(password) => (2, password.expose_secret()).hash(&mut hasher),
    }
    // git never saw the one that goes with a session (`answer`).
    let told = refresh_token.as_ref().filter(|_| session.is_none());
    told.map(ExposeSecret::expose_secret).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Moment, Seen, Source, confirms, state};
    use crate::core::{
        credential::{Proof, Secrets},
        origin::Origin,
    };

    const MOMENT: Moment = Moment { salt: 7, stamp: 9 };

    fn password(password: &str) -> Secrets {
        Secrets::of(Proof::Password(password.into()))
    }

    fn seen<'a>(origin: &'a Origin, user: &'a str, secrets: &'a Secrets) -> Seen<'a> {
        Seen { origin, user, secrets, expires: None }
    }

    #[test]
    fn a_receipt_fits_its_credential_only() {
        let (h, other) = (Origin::new("https", "h").unwrap(), Origin::new("https", "h:1").unwrap());
        let (secret, wrong) = (password("hunter2"), password("hunter3"));
        let bearer = Secrets {
            proof: Proof::Encoded { authtype: "hunter2".into(), credential: "hunter2".into() },
            ..password("hunter2")
        };
        let renewed = Secrets { refresh_token: Some("r".into()), ..password("hunter2") };
        let state = [state(Source::Keyring, &seen(&h, "ana", &secret), MOMENT)];
        assert!(confirms(&state, &seen(&h, "ana", &secret), 9));
        for wrong in [
            seen(&h, "ana", &wrong),
            seen(&h, "bob", &secret),
            seen(&other, "ana", &secret),
            seen(&h, "ana", &bearer),
            seen(&h, "ana", &renewed),
            Seen { expires: Some(1), ..seen(&h, "ana", &secret) },
        ] {
            assert!(!confirms(&state, &wrong, 9));
        }
        assert!(!confirms(&state, &seen(&h, "ana", &secret), 10), "something was erased since");
    }

    #[test]
    fn a_receipt_fits_what_git_was_told_of_a_renewable_credential() {
        let h = Origin::new("https", "h").unwrap();
        let told = password("hunter2");
        let session = Some("s".into());
        let kept = Secrets { refresh_token: Some("r".into()), session, ..told.clone() };
        let state = [state(Source::Keyring, &seen(&h, "ana", &kept), MOMENT)];
        assert!(confirms(&state, &seen(&h, "ana", &told), 9));
    }

    #[test]
    fn a_state_that_is_not_a_receipt_confirms_nothing() {
        let (h, secret) = (Origin::new("https", "h").unwrap(), password("p"));
        for text in [
            "gocred:source=keyring",
            "gocred:source=keyring;receipt=",
            "gocred:source=keyring;receipt=7.9",
            "gocred:source=keyring;receipt=7.9.x",
            "gocred:source=keyring;receipt=7.9.1.1",
        ] {
            assert!(!confirms(&[text.to_owned()], &seen(&h, "ana", &secret), 9), "{text}");
        }
    }

    #[test]
    fn a_state_never_shows_the_secret() {
        let (h, secret) = (Origin::new("https", "h").unwrap(), password("hunter2"));
        let state = state(Source::Netrc, &seen(&h, "ana", &secret), MOMENT);
        assert!(state.starts_with("gocred:source=netrc;receipt=7.9."), "{state}");
        assert!(!state.contains("hunter2"));
    }
}
