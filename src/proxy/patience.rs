//! How long a request waits for an upstream that accepts and says nothing, where the request may be
//! sent again and there is another upstream.
//!
//! A target may take seconds, and a good upstream is then as silent as a dead one. So the upstream is
//! asked for something that no target can delay, its own front page and without a login: who answers
//! that is waited for. A tunnel needs none of this: it is raced ([`crate::proxy::hop`]).

use std::sync::Arc;

use tokio::time::{Duration, sleep, timeout};

use crate::{
    core::refusal::Refusal,
    proxy::{Shared, failure, through, upstreams::Upstream},
};

/// How long it may say nothing before it is asked; later it is asked again, at twice the pause each
/// time. Most answers are there before.
const FIRST: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// How long it may take for its own answer.
const OWN_ANSWER: Duration = Duration::from_millis(200);
/// How long it is listened to: an answer that comes late ends the time for which it is avoided. Less
/// than the shortest such time (`core::breaker`), so that it can be asked again after it.
const LATE: Duration = Duration::from_secs(2);
/// An answer to anybody is as good, for so long.
const RECENT: Duration = Duration::from_millis(250);

/// Waits until an upstream turns out to be silent, which may be never. `None` is never.
pub(crate) async fn silence(shared: &Arc<Shared>, upstream: Option<&Arc<Upstream>>) -> Refusal {
    let Some(upstream) = upstream else { return std::future::pending().await };
    let mut pause = FIRST;
    loop {
        sleep(pause).await;
        if !is_alive(shared, upstream).await {
            upstream.is_passed_over();
            return failure::silent(&upstream.origin);
        }
        pause = SECOND.max(pause * 2);
    }
}

async fn is_alive(shared: &Arc<Shared>, upstream: &Arc<Upstream>) -> bool {
    if upstream.has_answered_within(RECENT) {
        return true;
    }
    ask(shared, upstream);
    sleep(OWN_ANSWER).await;
    upstream.has_answered_within(RECENT)
}

/// Finds out whether an upstream answers, beside everything else: its health tells. One question at a
/// time is enough.
pub(crate) fn ask(shared: &Arc<Shared>, upstream: &Arc<Upstream>) {
    let Ok(turn) = Arc::clone(&upstream.asked).try_lock_owned() else { return };
    let (shared, upstream) = (Arc::clone(shared), Arc::clone(upstream));
    tokio::spawn(async move {
        if timeout(LATE, through::front_page(&shared, &upstream)).await.is_err() {
            upstream.fails();
        }
        drop(turn);
    });
}
