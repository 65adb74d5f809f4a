//! Credentials for the servers that are asked: fetched once a minute, sealed between two uses, and
//! tried by one request at a time until the server has said whether it accepts them.
//!
//! One that a server has answered with 401 is not sent there again until another one is stored, or the
//! user wants it tried again; whoever gave it remembers that beyond this run. Where
//! there is no store, or it fails, nobody is kept from a server that asks for nothing; a locked one has
//! something for the server, which may well say "not here" to those who come without.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Turnstile, OwnedMutexGuard};

use super::{Given, Secrets};
use crate::{
    core::{
        credential::UnixTime,
        http1::is_token,
        modproxy::explain::Shown as Account,
        origin::Origin,
        secret::{ExposeSecret, SecretString, same},
    },
    proxy::Trouble,
    sys::{clock, sealed::Sealed},
};

/// How long what the store said is believed.
const MEMORY: Duration = Duration::from_secs(60);
/// How often the store is asked again for one that was refused.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a store is left alone that did not answer, where no server has asked for anything.
const REST: Duration = Duration::from_secs(5);
/// So many servers are remembered for which nothing is stored.
const MOST: usize = 256;
/// One that ends so soon, in seconds, is fetched anew.
const MARGIN: UnixTime = 10;

/// The credentials.
#[derive(Default)]
pub(super) struct Credentials(Mutex<HashMap<(Origin, String), Arc<Entry>>>);

/// What is known of one server.
struct Entry {
    origin: Origin,
    path: String,
    /// Held by whoever asks the store, or tries a credential.
    turn: Arc<Turnstile<()>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the store was asked.
    asked: Option<Instant>,
    held: Option<Held>,
    /// Why it did not answer.
    trouble: Option<Trouble>,
    /// Counts the credentials, so that a verdict is about the right one.
    number: u64,
    /// What the store was like when it was asked ([`Secrets::era`]).
    era: Option<u64>,
}

#[derive(Clone)]
struct Held {
    name: String,
    value: Sealed,
    account: Account,
    verdict: Verdict,
    /// Whether whoever gave it knows that it is refused, and may take that back.
    is_remembered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Untried,
    Accepted,
    Refused,
}

/// What is shown to a server with one question.
pub(super) struct Shown {
    /// Nothing, where none is known.
    pub(super) field: Option<Field>,
    /// Why none is known, where the store did not answer.
    pub(super) trouble: Option<Trouble>,
    entry: Arc<Entry>,
    number: u64,
    /// It is being tried: others wait.
    trial: Option<OwnedMutexGuard<()>>,
    /// Whether the store gave it just now.
    is_new: bool,
}

/// One field, and whose it is.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: SecretString,
    pub(super) account: Account,
}

/// Why there is nothing to show.
#[derive(Debug)]
pub(super) enum Lack {
    /// The store is locked.
    Locked,
    /// The one that is stored was refused there.
    Refused(Account),
    /// The one that is stored cannot stand in a field.
    Unfit,
}

/// What an answer says of the credential that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// It is refused; and it came from our memory, so that the store may have a newer one.
    RefusedFromMemory,
    /// It is refused, or there was none.
    Refused,
}

impl Credentials {
    /// Returns what to show a server for a path; waits while another request tries the same.
    pub(super) async fn show(
        &self,
        secrets: &Arc<dyn Secrets>,
        origin: &Origin,
        path: &str,
    ) -> Result<Shown, Lack> {
        let entry = self.entry(origin, path);
        if let Some(shown) = entry.ready(secrets.era()) {
            return shown;
        }
        let turn = Arc::clone(&entry.turn).lock_owned().await;
        let era = secrets.era();
        // Whoever had the turn before has changed what is known.
        if let Some(shown) = entry.ready(era) {
            return shown;
        }
        let mut is_new = false;
        if !entry.lock().is_fresh(era) {
            let (secrets, asking) = (Arc::clone(secrets), Arc::clone(&entry));
            let given = tokio::task::spawn_blocking(move || asking.ask(&*secrets)).await;
            let given = given.unwrap_or_else(|error| Err(Trouble::Failed(error.to_string())));
            entry.learn(given, era)?;
            is_new = true;
        }
        entry.shown(turn, is_new)
    }

    /// Returns what is known of a server, for people.
    pub(super) fn standing(&self, origin: &Origin, path: &str) -> &'static str {
        let known = self.lock();
        let entry = known.get(&(origin.clone(), path.to_owned()));
        entry.map_or("untried", |entry| entry.lock().standing())
    }

    /// Forgets what the store said; what servers said of it stays.
    pub(super) fn doubt(&self) {
        for entry in self.lock().values() {
            entry.lock().asked = None;
        }
    }

    fn entry(&self, origin: &Origin, path: &str) -> Arc<Entry> {
        let mut known = self.lock();
        // Redirects may name any number of hosts.
        if known.len() >= MOST {
            known.retain(|_, entry| entry.lock().held.is_some());
        }
        let key = (origin.clone(), path.to_owned());
        let make = |(origin, path): &(Origin, String)| {
            let (origin, path) = (origin.clone(), path.clone());
            Arc::new(Entry { origin, path, turn: Arc::default(), state: Mutex::default() })
        };
        Arc::clone(known.entry(key).or_insert_with_key(make))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Origin, String), Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Returns what can be used, or refused, without a wait.
    fn ready(self: &Arc<Self>, era: Option<u64>) -> Option<Result<Shown, Lack>> {
        let state = self.lock();
        if !state.is_fresh(era) {
            return None;
        }
        match &state.held {
            Some(held) if held.verdict == Verdict::Untried => None,
            Some(held) if held.verdict == Verdict::Refused => {
                Some(Err(Lack::Refused(held.account.clone())))
            }
            held => Some(Ok(Shown {
                field: held.as_ref().map(Held::field),
                trouble: state.trouble.clone(),
                entry: Arc::clone(self),
                number: state.number,
                trial: None,
                is_new: false,
            })),
        }
    }

    /// Returns what is held, with the turn where it has to be tried.
    fn shown(self: &Arc<Self>, turn: OwnedMutexGuard<()>, is_new: bool) -> Result<Shown, Lack> {
        let state = self.lock();
        if let Some(held) = state.held.as_ref().filter(|held| held.verdict == Verdict::Refused) {
            return Err(Lack::Refused(held.account.clone()));
        }
        let is_untried = state.held.as_ref().is_some_and(|held| held.verdict == Verdict::Untried);
        Ok(Shown {
            field: state.held.as_ref().map(Held::field),
            trouble: state.trouble.clone(),
            entry: Arc::clone(self),
            number: state.number,
            trial: is_untried.then_some(turn),
            is_new,
        })
    }

    /// Asks what is given, and whether it was refused before.
    fn ask(&self, secrets: &dyn Secrets) -> Result<Option<(Given, bool)>, Trouble> {
        let given = secrets.given(&self.origin, &self.path)?;
        Ok(given.map(|given| {
            let is_rejected = secrets.is_rejected(&self.origin, &self.path, &given);
            (given, is_rejected)
        }))
    }

    /// Takes what the store gave. What was said of the same one stays, but for a refusal that is remembered
    /// no more.
    fn learn(
        &self,
        given: Result<Option<(Given, bool)>, Trouble>,
        era: Option<u64>,
    ) -> Result<(), Lack> {
        let mut state = self.lock();
        state.era = era;
        let (given, trouble) = match given {
            Ok(given) => (given, None),
            Err(Trouble::Locked) => return Err(Lack::Locked),
            Err(trouble) => (None, Some(trouble)),
        };
        state.trouble = trouble;
        let Some((Given { name, value, user, stored, expires }, is_rejected)) = given else {
            state.asked = Some(Instant::now());
            state.held = None;
            state.number += 1;
            return Ok(());
        };
        let account = Account { user, stored, expires };
        let is_value = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
        let is_fit = !name.is_empty()
            && name.bytes().all(is_token)
            && value.expose_secret().bytes().all(is_value);
        let sealed = Sealed::of(&value).ok().filter(|_| is_fit);
        let Some(sealed) = sealed else { return Err(Lack::Unfit) };
        let before = state.held.take();
        let before = before.filter(|held| held.name == name && same(&held.value.open(), &value));
        let verdict = match before {
            _ if is_rejected => Verdict::Refused,
            Some(held) if held.is_remembered => Verdict::Untried,
            Some(held) => held.verdict,
            None => Verdict::Untried,
        };
        state.number += 1;
        state.asked = Some(Instant::now());
        let is_remembered = is_rejected;
        state.held = Some(Held { name, value: sealed, account, verdict, is_remembered });
        Ok(())
    }

    /// The refusal of this one stands elsewhere, too.
    fn is_remembered(&self, number: u64) {
        let mut state = self.lock();
        let is_same = state.number == number;
        if let Some(held) = state.held.as_mut().filter(|_| is_same) {
            held.is_remembered = held.verdict == Verdict::Refused;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns whether what the store said can still be believed.
    fn is_fresh(&self, era: Option<u64>) -> bool {
        if self.era != era {
            return false;
        }
        let Some(asked) = self.asked else { return false };
        let limit = match &self.held {
            Some(held) if held.verdict == Verdict::Refused => PAUSE,
            None if self.trouble.is_some() => REST,
            Some(_) | None => MEMORY,
        };
        let ends = self.held.as_ref().and_then(|held| held.account.expires);
        let is_over = ends.is_some_and(|ends| ends <= clock::now().saturating_add(MARGIN));
        // One that is always about to end is not asked for with every request.
        asked.elapsed() < if is_over { PAUSE } else { limit }
    }

    fn standing(&self) -> &'static str {
        match (&self.held, self.asked) {
            (None, _) if self.trouble.is_some() => "unreadable",
            (None, None) => "untried",
            (None, Some(_)) => "none",
            (Some(held), _) => match held.verdict {
                Verdict::Untried => "untried",
                Verdict::Accepted => "accepted",
                Verdict::Refused => "refused",
            },
        }
    }
}

impl Held {
    fn field(&self) -> Field {
        let Self { name, value, account, verdict: _, is_remembered: _ } = self;
        Field { name: name.clone(), value: value.open(), account: account.clone() }
    }
}

impl Shown {
    /// Learns from the status of the answer, and lets the next one have its turn.
    pub(super) fn judged(&mut self, status: u16) -> Said {
        let verdict = match status {
            401 => Verdict::Refused,
            // Others may come from something before it that never looked.
            200..=399 | 404 | 410 => Verdict::Accepted,
            _ => Verdict::Untried,
        };
        let trial = self.trial.take();
        let mut state = self.entry.lock();
        let is_same = state.number == self.number;
        let said = match verdict {
            Verdict::Refused if is_same && self.field.is_none() => {
                // It wants one: perhaps one is stored by now.
                state.asked = None;
                Said::Refused
            }
            Verdict::Refused if is_same && !self.is_new && trial.is_none() => {
                state.asked = None;
                Said::RefusedFromMemory
            }
            Verdict::Refused => Said::Refused,
            Verdict::Untried | Verdict::Accepted => Said::Nothing,
        };
        if let Some(held) = state.held.as_mut().filter(|_| is_same)
            && verdict != Verdict::Untried
        {
            held.verdict = verdict;
        }
        drop(state);
        drop(trial);
        said
    }

    /// Has it remembered, by whoever gave it, that what was shown is refused. That happens even if nobody
    /// waits for it any more.
    pub(super) async fn is_refused(&self, secrets: &Arc<dyn Secrets>) {
        let Some(Field { name, value, account }) = &self.field else { return };
        let Account { user, stored, expires } = account.clone();
        let given = Given { name: name.clone(), value: value.clone(), user, stored, expires };
        let (secrets, entry, number) = (Arc::clone(secrets), Arc::clone(&self.entry), self.number);
        let remembering = tokio::task::spawn_blocking(move || {
            if secrets.refused(&entry.origin, &entry.path, &given) {
                entry.is_remembered(number);
            }
        });
        let _ = remembering.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    };

    use super::{Credentials, Given, Lack, Said, Secrets};
    use crate::{
        core::{origin::Origin, secret::ExposeSecret},
        proxy::Trouble,
    };

    #[derive(Default)]
    struct Store {
        value: Mutex<Option<&'static str>>,
        /// What outlives a run.
        rejected: Mutex<Option<String>>,
        asked: AtomicUsize,
        is_away: AtomicBool,
        era: AtomicU64,
    }

    impl Secrets for Store {
        fn era(&self) -> Option<u64> {
            Some(self.era.load(Ordering::Relaxed))
        }

        fn given(&self, _: &Origin, _: &str) -> Result<Option<Given>, Trouble> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_away.load(Ordering::Relaxed) {
                return Err(Trouble::Failed("away".into()));
            }
            Ok(self.value.lock().unwrap().map(|value| Given {
                name: "Authorization".into(),
                value: value.into(),
                user: "ana".into(),
                stored: Some(1),
                expires: None,
            }))
        }

        fn is_rejected(&self, _: &Origin, _: &str, given: &Given) -> bool {
            self.rejected.lock().unwrap().as_deref() == Some(given.value.expose_secret())
        }

        fn refused(&self, _: &Origin, _: &str, given: &Given) -> bool {
            *self.rejected.lock().unwrap() = Some(given.value.expose_secret().to_owned());
            true
        }
    }

    fn store(value: &'static str) -> (Arc<Store>, Arc<dyn Secrets>, Origin) {
        let store = Arc::new(Store { value: Some(value).into(), ..Store::default() });
        (Arc::clone(&store), store, Origin::from_url("https://a.test").unwrap().0)
    }

    #[tokio::test]
    async fn a_stale_secret_is_tried_once_by_64_at_once() {
        let (store, secrets, origin) = store("Basic old");
        let credentials = Arc::new(Credentials::default());
        let tried = Arc::new(AtomicUsize::new(0));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (credentials, secrets) = (Arc::clone(&credentials), Arc::clone(&secrets));
            let (origin, tried) = (origin.clone(), Arc::clone(&tried));
            all.spawn(async move {
                match credentials.show(&secrets, &origin, "").await {
                    Ok(mut shown) => {
                        tried.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        assert_eq!(shown.judged(401), Said::Refused);
                    }
                    Err(Lack::Refused(account)) => assert_eq!(account.user, "ana"),
                    Err(lack) => panic!("{lack:?}"),
                }
            });
        }
        all.join_all().await;
        assert_eq!(tried.load(Ordering::Relaxed), 1);
        assert_eq!(store.asked.load(Ordering::Relaxed), 1);
        assert_eq!(credentials.standing(&origin, ""), "refused");
        // The same one is not sent again, another one is.
        credentials.doubt();
        assert!(credentials.show(&secrets, &origin, "").await.is_err());
        *store.value.lock().unwrap() = Some("Basic new");
        credentials.doubt();
        let mut shown = credentials.show(&secrets, &origin, "").await.unwrap();
        assert_eq!(shown.field.as_ref().unwrap().value.expose_secret(), "Basic new");
        assert_eq!(shown.judged(200), Said::Nothing);
        assert_eq!(credentials.standing(&origin, ""), "accepted");
    }

    #[tokio::test]
    async fn a_refusal_outlives_the_run_until_the_user_wants_another_attempt() {
        let (store, secrets, origin) = store("Basic old");
        let first = Credentials::default();
        let mut shown = first.show(&secrets, &origin, "").await.unwrap();
        assert_eq!(shown.judged(401), Said::Refused);
        shown.is_refused(&secrets).await;
        let second = Credentials::default();
        for credentials in [&first, &second] {
            credentials.doubt();
            let refused = credentials.show(&secrets, &origin, "").await;
            assert!(matches!(refused, Err(Lack::Refused(account)) if account.user == "ana"));
            assert_eq!(credentials.standing(&origin, ""), "refused");
        }
        *store.rejected.lock().unwrap() = None;
        for credentials in [&first, &second] {
            credentials.doubt();
            assert!(credentials.show(&secrets, &origin, "").await.unwrap().field.is_some());
        }
    }

    #[tokio::test]
    async fn one_that_was_good_and_is_refused_is_asked_for_again() {
        let (store, secrets, origin) = store("Bearer 1");
        let credentials = Credentials::default();
        credentials.show(&secrets, &origin, "").await.unwrap().judged(200);
        let mut shown = credentials.show(&secrets, &origin, "").await.unwrap();
        assert_eq!(store.asked.load(Ordering::Relaxed), 1);
        *store.value.lock().unwrap() = Some("Bearer 2");
        assert_eq!(shown.judged(401), Said::RefusedFromMemory);
        let mut shown = credentials.show(&secrets, &origin, "").await.unwrap();
        assert_eq!(shown.field.as_ref().unwrap().value.expose_secret(), "Bearer 2");
        assert_eq!(shown.judged(401), Said::Refused);
    }

    #[tokio::test]
    async fn one_that_is_taken_away_is_not_shown_again() {
        let (store, secrets, origin) = store("Bearer 1");
        let credentials = Credentials::default();
        credentials.show(&secrets, &origin, "").await.unwrap().judged(200);
        *store.value.lock().unwrap() = None;
        store.era.fetch_add(1, Ordering::Relaxed);
        assert!(credentials.show(&secrets, &origin, "").await.unwrap().field.is_none());
        assert_eq!(store.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn none_is_remembered_until_one_is_asked_for() {
        let (store, secrets, origin) = store("Bearer 1");
        *store.value.lock().unwrap() = None;
        let credentials = Credentials::default();
        for _ in 0..2 {
            let mut shown = credentials.show(&secrets, &origin, "").await.unwrap();
            assert!(shown.field.is_none());
            assert_eq!(shown.judged(200), Said::Nothing);
        }
        assert_eq!(store.asked.load(Ordering::Relaxed), 1);
        let mut shown = credentials.show(&secrets, &origin, "").await.unwrap();
        assert_eq!(shown.judged(401), Said::Refused);
        credentials.show(&secrets, &origin, "").await.unwrap();
        assert_eq!(store.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_store_that_fails_keeps_nobody_and_is_asked_again_where_a_server_asks() {
        let (store, secrets, origin) = store("Bearer 1");
        store.is_away.store(true, Ordering::Relaxed);
        let credentials = Credentials::default();
        for status in [200, 401] {
            let mut shown = credentials.show(&secrets, &origin, "").await.unwrap();
            assert!(shown.field.is_none() && shown.trouble.take().is_some());
            assert_eq!(store.asked.load(Ordering::Relaxed), 1);
            shown.judged(status);
        }
        store.is_away.store(false, Ordering::Relaxed);
        let shown = credentials.show(&secrets, &origin, "").await.unwrap();
        assert!(shown.field.is_some() && shown.trouble.is_none());
    }

    #[tokio::test]
    async fn what_would_split_a_head_is_not_shown_and_nothing_prints_it() {
        let (_, secrets, origin) = store("Basic S3cret\r\nX: y");
        let shown = Credentials::default().show(&secrets, &origin, "").await;
        let Err(lack @ Lack::Unfit) = shown else { panic!("it was taken") };
        assert!(!format!("{lack:?}").contains("S3cret"));
    }
}
