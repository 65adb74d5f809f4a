//! How git hears why a tunnel fails. It shows nothing of our answer; but after a 407 it takes what its
//! helper gave for wrong and has it erased (git's http.c, `handle_curl_result`), and what the helper says
//! then it does show (diagnosis.md, "channels").
//!
//! So a git whose helper has asked for our door is answered 407. libcurl then shows what opens the door, in
//! a second CONNECT that hears the same at once, and gives up. A git without a user name in `http.proxy`
//! asks nobody, and gets the status as it is.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::core::{http1::Fields, refusal::Refusal, target::Authority};

/// So long after its helper has asked a git may hear it: the helper comes first, and a tunnel may take
/// [`TOTAL`](crate::proxy::hop::TOTAL).
const ASKED: Duration = Duration::from_secs(60);
/// How soon the second CONNECT comes.
const AGAIN: Duration = Duration::from_secs(5);
/// More tunnels than that do not fail at the same time.
const MOST: usize = 64;

/// What is remembered for git.
#[derive(Debug, Default)]
pub(crate) struct Ear(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When a helper asked for the door.
    asked: Option<Instant>,
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    target: Authority,
    refusal: Refusal,
    at: Instant,
}

impl Ear {
    /// A helper asks for the door.
    pub(crate) fn is_asked(&self) {
        self.lock().asked = Some(Instant::now());
    }

    /// Returns what a client hears of a tunnel that failed.
    pub(crate) fn shown(
        &self,
        target: &Authority,
        fields: &Fields,
        mut refusal: Refusal,
    ) -> Refusal {
        let is_git = fields.all("user-agent").any(|agent| agent.starts_with(b"git/"));
        let mut state = self.lock();
        if !is_git || state.asked.is_none_or(|asked| asked.elapsed() >= ASKED) {
            return refusal;
        }
        refusal.status = 407;
        state.told.retain(|told| told.at.elapsed() < AGAIN);
        if state.told.len() < MOST {
            let (target, refusal) = (target.clone(), refusal.clone());
            state.told.push(Told { target, refusal, at: Instant::now() });
        }
        refusal
    }

    /// Returns what a client that shows a login has just been told of a target.
    pub(crate) fn again(&self, target: &Authority) -> Option<Refusal> {
        let mut state = self.lock();
        let is_it = |told: &Told| told.at.elapsed() < AGAIN && told.target == *target;
        let index = state.told.iter().position(is_it)?;
        Some(state.told.swap_remove(index).refusal)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Ear;
    use crate::core::{
        http1::Request,
        refusal::{Refusal, With},
        target::Authority,
    };

    fn request(agent: &str) -> Request {
        let head = format!("CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\nUser-Agent: {agent}\r\n");
        Request::parse(head.as_bytes()).unwrap()
    }

    #[test]
    fn only_a_git_whose_helper_has_asked_hears_407_and_once_more_the_same() {
        let target = Authority::parse("h.test:443").unwrap();
        let refusal = || Refusal::new(504, "connection_timeout", "no answer").code("P17");
        let ear = Ear::default();
        let shown = |agent| ear.shown(&target, &request(agent).fields, refusal()).status;
        assert_eq!(shown("git/2.47.3"), 504, "nobody has asked");
        ear.is_asked();
        assert_eq!(shown("curl/8.1"), 504);
        assert!(ear.again(&target).is_none());
        assert_eq!(shown("git/2.47.3"), 407);
        assert!(ear.again(&Authority::parse("h.test:444").unwrap()).is_none());
        let again = ear.again(&target).unwrap();
        let text = String::from_utf8(again.encode(With::Body)).unwrap();
        assert!(text.starts_with("HTTP/1.1 407 gocred[P17]: no answer"), "{text}");
        assert!(text.contains("Proxy-Authenticate: Basic realm=\"gocred\"\r\n"), "{text}");
        assert!(ear.again(&target).is_none(), "the next one is a question of its own");
    }
}
