//! One request of a client: along the list of upstreams, each asked as often as makes sense, until one
//! has it or go has to be told why not.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Inner, Plan,
    body::{Broken, Incoming},
    count, failure,
    fetch::{Answered, Failed, Question},
    reply::Reply,
    session::Manner,
    transfers::{Entry, Stage},
    upstream::{Admitted, Upstream},
};
use crate::{
    core::{
        http1::Fields,
        modproxy::{
            explain::{self, About},
            judge::{self, Body, Head, Rest},
            redirect::Place,
            retry::{self, Answers, Attempts, Failure},
            walk::{End, Walk},
        },
        refusal::Refusal,
    },
    sys::clock,
};

/// So much of an answer is there before the client gets its head: what fails until then is explained,
/// and may be asked for again. Most answers are shorter.
const BEGINNING: usize = 64 * 1024;
/// What is left of the time of a request for those behind one that is silent.
const LAST: Duration = Duration::from_secs(4);
/// How long one may take that has failed too often, where there is another one.
const PROBE: Duration = Duration::from_secs(5);

/// A request, as it is asked for.
pub(super) struct Asked<'a> {
    pub(super) front: &'a Inner,
    pub(super) entry: &'a Entry,
    pub(super) fields: &'a Fields,
    pub(super) manner: Manner,
}

/// What the client gets.
pub(super) enum Answer {
    /// All of it.
    Whole(Reply),
    /// Its beginning, and what the rest comes from.
    Stream(Box<Streamed>),
}

/// An answer that has begun.
pub(super) struct Streamed {
    pub(super) reply: Reply,
    pub(super) incoming: Incoming,
    pub(super) upstream: Arc<Upstream>,
    /// Where it comes from.
    pub(super) place: Place,
}

/// What may be told in the end where nobody has it.
enum Told {
    Missing(Reply),
    Failed(Refusal),
}

/// What one upstream made of it.
enum Outcome {
    Has(Answer),
    Missing(Reply),
    Failed(Refusal),
}

/// What became of one attempt.
struct Attempt {
    refusal: Refusal,
    failure: Failure,
    says: Says,
}

/// What an attempt says of how well the upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Fails,
    Nothing,
    Works,
}

/// The turn of one upstream.
#[derive(Clone, Copy)]
struct Turn<'a> {
    plan: &'a Plan,
    upstream: &'a Arc<Upstream>,
    /// The time that is for others.
    share: Duration,
    /// Whether another one is asked where it fails.
    goes_on: bool,
}

/// Walks along the list.
pub(super) async fn run(asked: &Asked<'_>) -> Result<Answer, Refusal> {
    let plan = asked.front.plan();
    asked.front.budget().request(std::time::Instant::now());
    // However many are asked. Each step has a limit of its own within it.
    let mut deadline = Instant::now() + plan.settings.limits.whole;
    let mut walk = Walk::new(&plan.settings.list);
    let mut left = plan.upstreams.len();
    while let Some(base) = walk.upstream() {
        left = left.saturating_sub(1);
        let Some(upstream) = plan.upstream(base) else {
            walk.failed(Told::Failed(failure::no_host(&base.origin)));
            continue;
        };
        let share = if left > 0 { LAST } else { Duration::ZERO };
        let turn = Turn { plan: &plan, upstream, share, goes_on: plan.goes_on(base) };
        match asked.one(turn, &mut deadline).await {
            Outcome::Has(answer) => return Ok(answer),
            Outcome::Missing(reply) => walk.missing(Told::Missing(reply)),
            Outcome::Failed(refusal) => walk.failed(Told::Failed(refusal)),
        }
    }
    let is_held = walk.is_held();
    match walk.end() {
        End::Answer(Told::Missing(reply)) => Ok(Answer::Whole(reply)),
        End::Answer(Told::Failed(refusal)) if is_held => Err(explain::held(refusal)),
        End::Answer(Told::Failed(refusal)) => Err(refusal),
        end @ (End::Direct | End::Off) => {
            Ok(Answer::Whole(Reply::missing(&explain::not_here(asked.entry.what(), &end))))
        }
    }
}

impl Asked<'_> {
    /// Asks one upstream, again where that helps.
    async fn one(&self, turn: Turn<'_>, deadline: &mut Instant) -> Outcome {
        let Turn { plan, upstream, share, goes_on } = turn;
        self.entry.asks(upstream);
        let probe = match upstream.admit() {
            Admitted::No(why, left) => return self.left_alone(upstream, why, left),
            // Who has kept others waiting does not get the time of another request.
            Admitted::Probe if goes_on => Some(Instant::now() + PROBE),
            Admitted::Probe | Admitted::Yes => None,
        };
        let mut attempts = Attempts::default();
        loop {
            let question = Question {
                front: self.front,
                plan,
                upstream,
                entry: self.entry,
                fields: self.fields,
                is_head: self.manner.is_head,
                deadline: probe.into_iter().fold(*deadline - share, Instant::min),
            };
            let Attempt { refusal, failure, says } = match self.attempt(question).await {
                Ok(outcome) => {
                    upstream.works();
                    return outcome;
                }
                Err(attempt) => attempt,
            };
            let answers = if upstream.has_answered_within(retry::RECENTLY) {
                Answers::Others
            } else {
                Answers::Nobody
            };
            let random = getrandom::u32().unwrap_or(u32::MAX / 2);
            let wait = attempts.failed(failure, answers, random);
            let wait = wait.filter(|_| self.front.budget().take(std::time::Instant::now()));
            let told = match failure {
                Failure::Busy(later) => later.unwrap_or_default(),
                Failure::Connection | Failure::Final => Duration::ZERO,
            };
            // What it said to wait is not silence.
            let later = *deadline + told;
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < later) else {
                match says {
                    Says::Fails if goes_on && refusal.status == 504 => {
                        upstream.is_passed_over(&refusal);
                    }
                    Says::Fails => upstream.fails(&refusal),
                    Says::Nothing => {}
                    Says::Works => upstream.works(),
                }
                return Outcome::Failed(refusal);
            };
            *deadline = later;
            count(&self.front.totals.retries);
            self.entry.stage(Stage::Retrying);
            self.entry.starts_over();
            sleep(wait).await;
        }
    }

    /// Says that an upstream is not asked.
    fn left_alone(&self, upstream: &Upstream, why: Option<Refusal>, left: Duration) -> Outcome {
        let place = Place::first(&upstream.base, self.entry.what());
        let about = About { asked: self.entry.what(), base: &upstream.base, place: &place };
        let why = why.map(|why| format!("last: {}", why.headline()));
        Outcome::Failed(why.into_iter().fold(about.resting(left), Refusal::detail))
    }

    /// Asks once. An error is a failure before a byte of it has reached the client.
    async fn attempt(&self, question: Question<'_>) -> Result<Outcome, Attempt> {
        let Answered { response, means, mut incoming, trail, account, unread } =
            question.ask().await.map_err(Attempt::from)?;
        let about = question.about(trail.now());
        self.entry.stage(Stage::Receiving);
        let length = incoming.length();
        if let Some(length) = length {
            self.entry.expects(length);
        }
        let room = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(4096);
        let mut first = Vec::with_capacity(room.min(BEGINNING));
        let deadline = question.deadline.into_std();
        let collected = incoming.collect(&mut first, BEGINNING, deadline).await;
        self.entry.received(first.len());
        let is_all = incoming.is_done();
        let unfinished = if is_all {
            incoming.finish(&self.front.kept);
            None
        } else {
            Some(incoming)
        };
        match means {
            Head::Good => {
                collected.map_err(|broken| broke_off(&broken, &about))?;
                let rest = if is_all && !self.manner.is_head { Rest::None } else { Rest::Follows };
                if let Body::Bad(flaw) = judge::body(about.asked, &response, &first, rest) {
                    return Err(Attempt::answered(about.body(flaw)));
                }
                let reply = Reply::of(&response, first);
                let Some(incoming) = unfinished else {
                    return Ok(Outcome::Has(Answer::Whole(reply)));
                };
                let (upstream, place) = (Arc::clone(question.upstream), trail.now().clone());
                let streamed = Streamed { reply, incoming, upstream, place };
                Ok(Outcome::Has(Answer::Stream(Box::new(streamed))))
            }
            // Where its reason breaks off, or is very long, it is still what was said.
            Head::Missing => {
                first.truncate(BEGINNING);
                Ok(Outcome::Missing(Reply::of(&response, first)))
            }
            Head::Login => Err(Attempt::answered(match (&account, unread) {
                (Some(account), _) => about.login_rejected(account, clock::now()),
                (None, Some(unread)) => about.on_the_way(unread),
                (None, None) => about.login_needed(),
            })),
            Head::Busy => {
                let later = response.fields.all("retry-after").next();
                let later = later.and_then(|value| retry::later(value, clock::now()));
                let refusal = about.status(&response, &first, account.as_ref());
                let says = if response.status == 429 { Says::Works } else { Says::Fails };
                Err(Attempt { refusal, failure: Failure::Busy(later), says })
            }
            Head::Portal | Head::Redirect(_) | Head::Refused => {
                Err(Attempt::answered(about.status(&response, &first, account.as_ref())))
            }
        }
    }
}

impl Attempt {
    /// It has answered; only not with what was asked for.
    fn answered(refusal: Refusal) -> Self {
        Self { refusal, failure: Failure::Final, says: Says::Works }
    }
}

impl From<Failed> for Attempt {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Broke(refusal) => {
                Self { refusal, failure: Failure::Connection, says: Says::Fails }
            }
            Failed::Lasts(refusal) => Self { refusal, failure: Failure::Final, says: Says::Fails },
            Failed::Aside(refusal) => {
                Self { refusal, failure: Failure::Final, says: Says::Nothing }
            }
        }
    }
}

/// The body broke off before a byte of it has reached the client.
fn broke_off(broken: &Broken, about: &About<'_>) -> Attempt {
    let failure = match broken {
        Broken::Short(_) => Failure::Connection,
        Broken::Slow(..) | Broken::Malformed(_) => Failure::Final,
    };
    Attempt { refusal: broken.explain(about), failure, says: Says::Fails }
}
