//! What was fetched, sealed: in memory it lies under a key that never leaves it. Beside it, what failed
//! a moment ago, so that a crowd of askers is no crowd for who answers them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chacha20poly1305::{XChaCha20Poly1305, XNonce, aead::AeadInOut};
use secrecy::zeroize::Zeroizing;

#[cfg(unix)]
use crate::sys::locked::LockedKey;
use crate::{
    broker::{CacheFor, Lease, SourceError},
    core::{
        credential::{Entry, Key, Kind, Proof, Record, Secrets, UnixTime},
        origin::Origin,
        vault::body,
    },
    sys::{clock, random},
};

/// How long nobody tries again what has failed.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// More than this is not fetched in the life of a process.
const MOST: usize = 256;
const NONCE: usize = 24;

/// What is kept in memory, of one process.
pub struct Held {
    /// Without one, nothing is kept.
    #[cfg(unix)]
    key: Option<LockedKey>,
    leases: Mutex<HashMap<String, Sealed>>,
    failures: Mutex<HashMap<String, (SourceError, Duration)>>,
    turns: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

/// A lease, on the clock that runs on while a laptop sleeps.
struct Sealed {
    nonce: [u8; NONCE],
    bytes: Vec<u8>,
    from: &'static str,
    /// From when on it is to be fetched anew, although it is good.
    due: Option<Duration>,
    until: Duration,
    /// The same on the calendar, which may be set forward.
    ends: Option<UnixTime>,
}

/// What is known of a question.
pub(super) enum Known {
    /// This was answered a moment ago.
    Failed(SourceError),
    /// It is good, and most of its life is over.
    Due(Lease),
    /// It is good.
    Good(Lease),
    /// It must be fetched.
    Nothing,
}

impl Held {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self {
            #[cfg(unix)]
            key: LockedKey::random().ok(),
            leases: Mutex::default(),
            failures: Mutex::default(),
            turns: Mutex::default(),
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        locked(&self.leases).clear();
        locked(&self.failures).clear();
    }

    pub(super) fn find(&self, name: &str) -> Known {
        self.find_at(name, clock::running(), clock::now())
    }

    fn find_at(&self, name: &str, running: Duration, now: UnixTime) -> Known {
        let mut failures = locked(&self.failures);
        failures.retain(|_, (_, until)| *until > running);
        if let Some((error, _)) = failures.get(name) {
            return Known::Failed(error.clone());
        }
        drop(failures);
        let mut leases = locked(&self.leases);
        leases
            .retain(|_, sealed| sealed.until > running && sealed.ends.is_none_or(|end| end > now));
        let Some(sealed) = leases.get(name) else { return Known::Nothing };
        match self.open(sealed) {
            Some(lease) if sealed.due.is_some_and(|due| due <= running) => Known::Due(lease),
            Some(lease) => Known::Good(lease),
            None => Known::Nothing,
        }
    }

    /// Keeps a lease for as long as it says.
    pub(super) fn keep(&self, name: &str, origin: &Origin, lease: &Lease, now: UnixTime) {
        let CacheFor::Until(until) = lease.cache else { return };
        let running = clock::running();
        let at = |time: UnixTime| running + Duration::from_secs(time.saturating_sub(now));
        let Ok(nonce) = random::bytes() else { return };
        let Some(cipher) = self.cipher() else { return };
        let mut plain = body::encode(&[record(origin, lease)]);
        let mut bytes = std::mem::take(&mut *plain);
        if cipher.encrypt_in_place(&XNonce::from(nonce), b"", &mut bytes).is_err() {
            drop(Zeroizing::new(bytes));
            return;
        }
        let sealed = Sealed {
            nonce,
            bytes,
            from: lease.from,
            due: lease.refresh_at.map(at),
            until: at(until),
            ends: lease.ends,
        };
        let mut leases = locked(&self.leases);
        if leases.len() >= MOST {
            leases.clear();
        }
        leases.insert(name.to_owned(), sealed);
    }

    /// Remembers that it failed.
    pub(super) fn fail(&self, name: &str, error: &SourceError) {
        let until = clock::running() + FAILED_FOR;
        locked(&self.failures).insert(name.to_owned(), (error.clone(), until));
    }

    /// Has one that is good tried again later.
    pub(super) fn postpone(&self, name: &str) {
        if let Some(sealed) = locked(&self.leases).get_mut(name) {
            sealed.due = Some(clock::running() + FAILED_FOR);
        }
    }

    /// Forgets what is no longer good for anything, of the names that start so.
    pub(super) fn forget(&self, start: &str, is_rejected: &dyn Fn(&Proof) -> bool) {
        locked(&self.leases).retain(|name, sealed| {
            !name.starts_with(start)
                || self.open(sealed).is_some_and(|lease| !is_rejected(&lease.proof))
        });
    }

    /// Returns whose turn it is to fetch something: one after the other.
    pub(super) fn turn(&self, name: &str) -> Arc<Mutex<()>> {
        let mut turns = locked(&self.turns);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(name.to_owned()).or_default())
    }

    #[cfg(unix)]
    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        use chacha20poly1305::aead::KeyInit;
        Some(self.key.as_ref()?.with(|key| XChaCha20Poly1305::new(key.into())))
    }

    /// There is no agent here whose memory something could be kept in.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "elsewhere it has a key")]
    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        None
    }

    fn open(&self, sealed: &Sealed) -> Option<Lease> {
        let mut bytes = Zeroizing::new(sealed.bytes.clone());
        self.cipher()?.decrypt_in_place(&XNonce::from(sealed.nonce), b"", &mut *bytes).ok()?;
        let record = body::parse(&bytes).ok()?.pop()?;
        Some(Lease {
            user: record.entry.key.user,
            proof: record.secrets.proof,
            ends: sealed.ends,
            refresh_at: None,
            // It is kept already.
            cache: CacheFor::Never,
            from: sealed.from,
        })
    }
}

/// Returns a lease in the form that is sealed.
fn record(origin: &Origin, lease: &Lease) -> Record {
    let Lease { user, proof, ends, refresh_at: _, cache: _, from: _ } = lease;
    let key = Key { kind: Kind::Git, origin: origin.clone(), path: None, user: user.clone() };
    let entry = Entry { key, expires: *ends, stored: 0, hidden: None };
    Record { entry, secrets: Secrets::of(proof.clone()) }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FAILED_FOR, Held, Known};
    use crate::{
        broker::{CacheFor, Lease, SourceError},
        core::{credential::Proof, origin::Origin, secret::ExposeSecret},
        sys::clock,
    };

    fn lease(cache: CacheFor, ends: Option<u64>, refresh_at: Option<u64>) -> Lease {
        let proof = Proof::Password("hunter2-canary".into());
        Lease { user: "bot".to_owned(), proof, ends, refresh_at, cache, from: "exec" }
    }

    fn kept(held: &Held, lease: &Lease) {
        held.keep("https://h x", &Origin::new("https", "h").unwrap(), lease, 1000);
    }

    fn known(held: &Held, later: u64) -> &'static str {
        let running = clock::running() + Duration::from_secs(later);
        match held.find_at("https://h x", running, 1000 + later) {
            Known::Failed(_) => "failed",
            Known::Due(_) => "due",
            Known::Good(_) => "good",
            Known::Nothing => "nothing",
        }
    }

    #[test]
    fn a_lease_is_kept_no_longer_than_it_lives_and_due_before() {
        let held = Held::new();
        kept(&held, &lease(CacheFor::Never, None, None));
        assert_eq!(known(&held, 0), "nothing");
        kept(&held, &lease(CacheFor::Until(1100), Some(1100), Some(1080)));
        assert_eq!((known(&held, 70), known(&held, 85)), ("good", "due"));
        assert_eq!(known(&held, 101), "nothing");
        assert_eq!(known(&held, 0), "nothing", "it was wiped");
    }

    #[test]
    fn what_lies_in_memory_is_sealed_and_opens_as_it_was() {
        let held = Held::new();
        kept(&held, &lease(CacheFor::Until(1100), None, None));
        let sealed = held.leases.lock().unwrap().values().next().unwrap().bytes.clone();
        assert!(!sealed.windows(14).any(|window| window == b"hunter2-canary"));
        let Known::Good(lease) = held.find("https://h x") else { panic!("it is good") };
        let Proof::Password(secret) = lease.proof else { panic!("a password") };
        assert_eq!((lease.user.as_str(), secret.expose_secret()), ("bot", "hunter2-canary"));
    }

    #[test]
    fn a_failure_is_remembered_for_five_seconds_and_forgotten_with_the_rest() {
        let held = Held::new();
        held.fail("https://h x", &SourceError::Missing("m".to_owned()));
        assert_eq!(known(&held, FAILED_FOR.as_secs() - 1), "failed");
        assert_eq!(known(&held, FAILED_FOR.as_secs() + 1), "nothing");
        held.fail("https://h x", &SourceError::Missing("m".to_owned()));
        held.clear();
        assert_eq!(known(&held, 0), "nothing");
    }

    #[test]
    fn only_what_was_rejected_is_forgotten() {
        let held = Held::new();
        kept(&held, &lease(CacheFor::Until(1100), None, None));
        held.forget("https://h ", &|_| false);
        held.forget("https://other ", &|_| true);
        assert_eq!(known(&held, 0), "good");
        held.forget("https://h ", &|_| true);
        assert_eq!(known(&held, 0), "nothing");
    }
}
