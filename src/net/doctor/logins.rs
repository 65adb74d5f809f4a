//! Each login once: what was rejected is not sent again, by any probe of this process. Five attempts
//! lock an account in many a company, and a diagnosis asks many things at the same time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::ExposeSecret;
use tokio::sync::Mutex as Turn;

use crate::core::doctor::{
    probe::{Connect, Http},
    route::Login,
};

/// What is known of a login at one place.
#[derive(Clone, Debug, Default)]
pub(super) enum Known<T> {
    /// Nobody has sent it.
    #[default]
    Nothing,
    /// It was taken, or nobody can tell.
    Taken,
    /// It was rejected, with this answer.
    Rejected(T),
}

/// Logins, by place and hash.
pub(super) struct Logins<T>(Mutex<BTreeMap<String, Arc<Turn<Known<T>>>>>);

/// At proxies.
pub(super) static PROXIES: Logins<Connect> = Logins::new();
/// At origins.
pub(super) static ORIGINS: Logins<Http> = Logins::new();

impl<T> Logins<T> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Returns what is known of a login. Whoever holds it while nothing is known sends the login; all
    /// others wait.
    pub(super) fn of(&self, place: &str, login: &Login) -> Arc<Turn<Known<T>>> {
        let secret = hmac_sha256::Hash::hash(login.secret.expose_secret().as_bytes());
        let key = format!("{place} {} {:?} {secret:?}", login.user, login.scheme);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_default())
    }
}
