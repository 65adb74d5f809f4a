//! Names to addresses, by the system's resolver (files, DNS, mDNS, VPN: whatever the user's programs
//! use), remembered for seconds. Concurrent questions for one name are one question.
//!
//! `getaddrinfo` cannot be stopped and may take half a minute. So each question has a thread of its
//! own, which nobody waits for at the end, and a name whose server is silent stands in nobody's way.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::timeout,
};

/// How long a question is waited for, before it is asked for a second and last time
/// (resilience-security.md §4: 2 s × 2).
const PATIENCE: Duration = Duration::from_secs(2);
const TURNS: u8 = 2;
/// How long an answer is good: `getaddrinfo` does not tell its TTL.
const GOOD: Duration = Duration::from_secs(5);
/// How long the name's having none is.
const NONE: Duration = Duration::from_secs(1);
/// How long an old answer is better than none, where no server answers.
const STALE: Duration = Duration::from_secs(3600);
/// The most names that are remembered.
const MAX_NAMES: usize = 1024;
/// The most questions at a time.
static ASKING: Semaphore = Semaphore::const_new(128);

static NAMES: Names = Names::new();

/// The addresses of a name, in the system's order, with the port 0.
pub type Addresses = Arc<[SocketAddr]>;

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No server knows.
    NoAnswer,
    /// There is no such name.
    NoName,
}

/// Looks a name up.
pub async fn resolve(name: &str) -> Result<Addresses, Error> {
    NAMES.resolve(name, system).await
}

/// Forgets every answer, and does not wait for the questions that are out: the network has changed.
pub fn forget() {
    NAMES.lock().clear();
}

type Answer = Result<Addresses, Error>;
type Resolver = fn(&str) -> Answer;

/// What is known, by name.
struct Names(Mutex<BTreeMap<String, Known>>);

#[derive(Clone, Default)]
struct Known {
    question: Option<Arc<Question>>,
    /// The last addresses that there were, and since when they are old.
    last: Option<(Addresses, Instant)>,
}

/// A question, and in the end its answer.
struct Question {
    turns: AtomicU8,
    answer: watch::Sender<Option<(Answer, Instant)>>,
}

impl Names {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    async fn resolve(&self, name: &str, resolver: Resolver) -> Answer {
        let known = self.known(name);
        let question = known.question.unwrap_or_default();
        let answer = question.answer(name, resolver).await;
        if answer.is_none() {
            self.give_up(name, &question);
        }
        match (answer.unwrap_or(Err(Error::NoAnswer)), known.last) {
            (Err(Error::NoAnswer), Some((last, since))) if since.elapsed() < STALE => Ok(last),
            (answer, _) => answer,
        }
    }

    /// Returns what is known of a name, with a question that is open or whose answer is good.
    fn known(&self, name: &str) -> Known {
        let mut names = self.lock();
        if names.len() >= MAX_NAMES && !names.contains_key(name) {
            names.clear();
        }
        let known = names.entry(name.to_owned()).or_default();
        if let Some((Ok(addresses), at)) = known.question.as_ref().and_then(|it| it.told()) {
            known.last = Some((addresses, at));
        }
        known.question.take_if(|question| question.is_old());
        known.question.get_or_insert_default();
        known.clone()
    }

    /// Lets the next who asks begin anew.
    fn give_up(&self, name: &str, question: &Arc<Question>) {
        if let Some(known) = self.lock().get_mut(name) {
            known.question.take_if(|known| Arc::ptr_eq(known, question));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Question {
    fn default() -> Self {
        Self { turns: AtomicU8::new(0), answer: watch::Sender::new(None) }
    }
}

impl Question {
    fn told(&self) -> Option<(Answer, Instant)> {
        self.answer.borrow().clone()
    }

    fn is_old(&self) -> bool {
        self.told()
            .is_some_and(|(answer, at)| at.elapsed() >= if answer.is_ok() { GOOD } else { NONE })
    }

    /// Waits for the answer; asks where nobody has.
    async fn answer(self: &Arc<Self>, name: &str, resolver: Resolver) -> Option<Answer> {
        let mut answer = self.answer.subscribe();
        for turn in 0..TURNS {
            if let Some((answer, _)) = self.told() {
                return Some(answer);
            }
            let asked = async {
                self.ask(name, turn, resolver).await;
                let told = answer.wait_for(Option::is_some).await.ok()?;
                told.as_ref().map(|(answer, _)| answer.clone())
            };
            if let Ok(answer) = timeout(PATIENCE, asked).await {
                return answer;
            }
        }
        None
    }

    async fn ask(self: &Arc<Self>, name: &str, turn: u8, resolver: Resolver) {
        if self.turns.load(Ordering::Relaxed) > turn {
            return;
        }
        let Ok(permit) = ASKING.acquire().await else { return };
        let next =
            self.turns.compare_exchange(turn, turn + 1, Ordering::Relaxed, Ordering::Relaxed);
        if next.is_ok() {
            let (question, name) = (Arc::clone(self), name.to_owned());
            let thread = thread::Builder::new().name("resolver".to_owned());
            let thread = thread.spawn(move || question.tell(resolver(&name), Some(permit)));
            if thread.is_err() {
                self.tell(Err(Error::NoAnswer), None);
            }
        }
    }

    /// The first answer counts.
    fn tell(&self, answer: Answer, permit: Option<SemaphorePermit<'static>>) {
        drop(permit);
        self.answer.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert((answer, Instant::now()));
            first
        });
    }
}

fn system(name: &str) -> Answer {
    match (name, 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(judge(&error.to_string())),
    }
}

/// The number of `getaddrinfo`'s error is lost on the way to us; its text (glibc's, musl's) is not.
fn judge(error: &str) -> Error {
    if ["Temporary failure", "Try again"].iter().any(|text| error.contains(text)) {
        Error::NoAnswer
    } else {
        Error::NoName
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{
            Mutex,
            atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        },
        thread::sleep,
        time::{Duration, Instant},
    };

    use tokio::{task::JoinSet, time::timeout};

    use super::{Answer, Error, GOOD, MAX_NAMES, NONE, Names, Question};

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn address(last: u8) -> Answer {
        [Ok(SocketAddr::from(([192, 0, 2, last], 0)))].into_iter().collect()
    }

    /// Makes the answer to a name older than it is.
    fn age(names: &Names, name: &str, by: Duration) {
        let names = names.lock();
        let question = names.get(name).unwrap().question.as_ref().unwrap();
        question.answer.send_modify(|told| {
            let (_, at) = told.as_mut().unwrap();
            *at -= by;
        });
    }

    #[test]
    fn those_who_ask_at_once_ask_once_and_the_answer_is_kept() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static NAMES: Names = Names::new();
        fn slow(_: &str) -> Answer {
            sleep(Duration::from_millis(50));
            address(u8::try_from(ASKED.fetch_add(1, SeqCst)).unwrap())
        }
        run(async {
            let mut all = JoinSet::new();
            for _ in 0..100 {
                all.spawn(NAMES.resolve("h", slow));
            }
            while let Some(answer) = all.join_next().await {
                assert_eq!(answer.unwrap(), address(0));
            }
            assert_eq!(NAMES.resolve("h", slow).await, address(0));
            age(&NAMES, "h", GOOD);
            assert_eq!(NAMES.resolve("h", slow).await, address(1));
            assert_eq!(NAMES.resolve("other", slow).await, address(2));
        });
    }

    #[test]
    fn a_name_that_is_not_there_is_asked_for_again_soon() {
        static THERE: AtomicBool = AtomicBool::new(false);
        fn later(_: &str) -> Answer {
            if THERE.load(SeqCst) { address(1) } else { Err(Error::NoName) }
        }
        let names = Names::new();
        run(async {
            assert_eq!(names.resolve("h", later).await, Err(Error::NoName));
            THERE.store(true, SeqCst);
            assert_eq!(names.resolve("h", later).await, Err(Error::NoName));
            age(&names, "h", NONE);
            assert_eq!(names.resolve("h", later).await, address(1));
        });
    }

    #[test]
    fn an_old_answer_is_used_where_no_server_answers_and_not_where_the_name_is_gone() {
        static ANSWER: Mutex<Option<Error>> = Mutex::new(None);
        fn now(_: &str) -> Answer {
            ANSWER.lock().unwrap().map_or_else(|| address(1), Err)
        }
        let names = Names::new();
        run(async {
            assert_eq!(names.resolve("h", now).await, address(1));
            age(&names, "h", GOOD);
            *ANSWER.lock().unwrap() = Some(Error::NoAnswer);
            assert_eq!(names.resolve("h", now).await, address(1));
            age(&names, "h", GOOD);
            assert_eq!(names.resolve("h", now).await, address(1));
            age(&names, "h", GOOD);
            *ANSWER.lock().unwrap() = Some(Error::NoName);
            assert_eq!(names.resolve("h", now).await, Err(Error::NoName));
        });
    }

    #[test]
    fn a_silent_resolver_is_asked_twice_and_stands_in_nobodys_way() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        fn hangs(name: &str) -> Answer {
            if name == "other" {
                return address(1);
            }
            ASKED.fetch_add(1, SeqCst);
            sleep(Duration::from_secs(6));
            address(2)
        }
        let names = Names::new();
        run(async {
            let start = Instant::now();
            // Whoever leaves takes nothing along.
            assert!(timeout(Duration::from_millis(50), names.resolve("h", hangs)).await.is_err());
            let both = tokio::join!(names.resolve("h", hangs), async {
                let other = names.resolve("other", hangs).await;
                (other, start.elapsed())
            });
            assert_eq!(both.0, Err(Error::NoAnswer));
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            assert_eq!(ASKED.load(SeqCst), 2);
            assert_eq!(both.1.0, address(1));
            assert!(both.1.1 < Duration::from_secs(1), "{:?}", both.1.1);
        });
    }

    #[test]
    fn names_do_not_pile_up() {
        let names = Names::new();
        run(async {
            for at in 0..MAX_NAMES + 10 {
                let known = names.known(&format!("h{at}")).question;
                known.unwrap().tell(address(1), None);
            }
        });
        assert!(names.lock().len() <= MAX_NAMES);
        assert!(Question::default().told().is_none());
    }

    #[test]
    fn the_systems_words_are_understood() {
        let missing = "failed to lookup address information: Name or service not known";
        assert_eq!(super::judge(missing), Error::NoName);
        let away = "failed to lookup address information: Temporary failure in name resolution";
        assert_eq!(super::judge(away), Error::NoAnswer);
        assert!(super::system("localhost").unwrap().iter().all(|it| it.ip().is_loopback()));
    }
}
