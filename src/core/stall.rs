//! When a tunnel has stalled: a server that owes an answer and does not give it.
//!
//! A tunnel is opaque. What can be seen of it is who spoke last, how much, and when; not whether an
//! answer was complete. So the question is asked in two steps:
//!
//! - **Whoever the client is**: a server that has said nothing at all for 50 s after the client's
//!   first word has stalled. Every protocol that lets the client speak first, TLS above all, answers
//!   at once.
//! - **Later, only for `go`, `git` and `curl`**, which have no time-out of their own for an answer and
//!   would wait for ever (failures.md H01 to H03): there, 50 s without a byte either way end the tunnel,
//!   and so does a server that lets single bytes drip for so long.
//!
//! Everybody else is left alone after the server's first word. A long poll, a slow report, a quiet
//! `kubectl logs -f` or a WebSocket looks exactly like a stall: often the client has spoken last,
//! with a pong, an HTTP/2 `WINDOW_UPDATE` or the acknowledgement of SETTINGS, and no answer is due
//! for hours. Those programs have time-outs of their own, made for what they ask; keep-alive finds peers
//! that are gone. This is narrower than resilience-security.md §4, which would close those too.
//!
//! What that costs: a `go` that compiles, or a `git` that resolves deltas, loses connections that it
//! keeps for later. It notices, and opens others. No finding tells of it: a silence after the server
//! has spoken last is told only when the program has no others at work and has ended over it. And a `curl -N` that listens to
//! events ends where none comes for 50 s: that it waits for the rest of a body looks the same.
//!
//! go gives a TLS handshake up by itself, after 10 s, and says no more than that. A handshake that is late is
//! looked at before that, so that there is somebody to tell why.
//!
//! 50 s, because what a user waits for must end within 60 s, the way there and a look every 2 s
//! included. Pings that keep a silent answer alive, such as git's (`uploadpack.keepAlive`, every 5 s),
//! are not taken for drops: those come all the time.

use std::time::Duration;

/// How long nothing may come.
pub const SILENCE: Duration = Duration::from_secs(50);
/// How long the first words of a handshake take when something is wrong: 2 s before a look, and 2 s after it, go
/// gives up by itself (`net/http`, `TLSHandshakeTimeout`, 10 s).
const LATE: Duration = Duration::from_secs(6);
/// A server that has said no more, in bytes, has not come to its certificate.
const FIRST_WORDS: u64 = 400;
/// How long a tunnel is idle when something on the way may have forgotten it (failures.md N10: the
/// shortest usual limit of firewalls and load balancers).
const IDLE: Duration = Duration::from_secs(55);
/// What a client sends when it asks for something, in bytes. Less is an acknowledgement: the last flight
/// of a TLS 1.3 handshake has 80. More is an upload, which takes as long to work on as it takes.
const REQUEST: std::ops::RangeInclusive<u64> = 81..=64 * 1024;
/// A piece of a server's that drips is no larger, in bytes: one byte in a record of TLS 1.2 or 1.3 has
/// up to 30.
const DROP: u64 = 32;

/// What is known of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bytes from the server.
    pub down: u64,
    /// Bytes from the client since the server spoke last.
    pub owed: u64,
    /// How long nothing has moved, either way.
    pub silent: Duration,
    /// How long nothing had moved before the client said what the server owes an answer to.
    pub idle: Duration,
    /// How long the server has let drops fall, and the client has said nothing.
    pub drips: Duration,
}

/// In which way a tunnel has stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The server has answered nothing to what the client sent.
    Unanswered,
    /// The server does not answer any more after the tunnel was idle for so long.
    Forgotten(Duration),
    /// The server spoke last, and stopped: in the middle of an answer, or after a word that belongs to
    /// TLS or HTTP/2 and not to an answer.
    Stopped,
    /// The server sends a byte now and then.
    Drips,
    /// go gave up its handshake: after so long in which nothing more came.
    GivenUp {
        /// Since the client's last word.
        after: Duration,
        /// Whether anything had come before.
        is_begun: bool,
    },
}

impl Seen {
    /// Returns whether it is time to ask.
    pub fn is_suspect(&self) -> bool {
        self.silent >= SILENCE || self.drips >= SILENCE
    }

    /// Returns whether the handshake takes so long that a client may give it up.
    pub fn is_late(&self) -> bool {
        self.silent >= LATE && self.down < FIRST_WORDS
    }

    /// Returns whether it has stalled whoever the client is.
    pub fn for_anybody(&self) -> Option<Stall> {
        let is_unanswered = self.silent >= SILENCE && self.down == 0 && self.owed > 0;
        is_unanswered.then_some(Stall::Unanswered)
    }

    /// Returns whether it has stalled where the client [`waits_for_ever`].
    pub fn for_the_patient(&self) -> Option<Stall> {
        if self.drips >= SILENCE {
            return Some(Stall::Drips);
        }
        if self.silent < SILENCE || self.owed > *REQUEST.end() {
            return None;
        }
        Some(match REQUEST.contains(&self.owed) {
            true if self.idle >= IDLE => Stall::Forgotten(self.idle),
            true => Stall::Unanswered,
            false => Stall::Stopped,
        })
    }
}

/// Returns whether what came of a server in some time are drops: so many pieces, so many bytes.
pub fn are_drops(pieces: u64, bytes: u64) -> bool {
    pieces > 0 && bytes <= pieces * DROP
}

/// Returns whether a program, given by its file, waits for an answer for ever.
pub fn waits_for_ever(program: &str) -> bool {
    let others = ["curl", "git-http-push", "git-remote-http", "git-remote-https"];
    is_go(program) || others.contains(&name(program))
}

/// Returns whether a program, given by its file, is go: it gives up handshakes, and keeps connections while others
/// work for it.
pub fn is_go(program: &str) -> bool {
    name(program) == "go"
}

fn name(program: &str) -> &str {
    // What the system adds to the name of a program that was replaced while it runs.
    let program = program.strip_suffix(" (deleted)").unwrap_or(program);
    program.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Duration, SILENCE, Seen, Stall, are_drops, waits_for_ever};

    const LONG: Duration = SILENCE;

    #[test]
    fn a_server_that_never_said_a_word_has_stalled_for_anybody() {
        let hello = Seen { owed: 517, silent: LONG, ..Seen::default() };
        assert_eq!(hello.for_anybody(), Some(Stall::Unanswered));
        let soon = Seen { silent: Duration::from_secs(49), ..hello };
        assert_eq!((soon.is_suspect(), soon.for_anybody()), (false, None));
        // A client that has said nothing waits for a server that speaks first.
        assert_eq!(Seen { owed: 0, ..hello }.for_anybody(), None);
        assert_eq!(Seen { down: 1, ..hello }.for_anybody(), None);
    }

    #[test]
    fn a_handshake_is_late_before_go_gives_it_up() {
        let hello = Seen { owed: 517, silent: Duration::from_secs(6), ..Seen::default() };
        assert!(hello.is_late() && !hello.is_suspect());
        assert!(Seen { down: 7, owed: 0, ..hello }.is_late());
        assert!(!Seen { silent: Duration::from_secs(5), ..hello }.is_late());
        assert!(!Seen { down: 3000, owed: 0, ..hello }.is_late());
    }

    #[test]
    fn who_spoke_last_and_how_much_says_what_is_owed() {
        let seen = |owed| Seen { down: 4000, owed, silent: LONG, ..Seen::default() };
        assert_eq!(seen(0).for_the_patient(), Some(Stall::Stopped));
        // The acknowledgement of SETTINGS, or a pong.
        assert_eq!(seen(31).for_the_patient(), Some(Stall::Stopped));
        assert_eq!(seen(120).for_the_patient(), Some(Stall::Unanswered));
        // The server works on an upload.
        assert_eq!(seen(1_000_000).for_the_patient(), None);
        let woken = Seen { idle: Duration::from_secs(300), ..seen(120) };
        assert_eq!(woken.for_the_patient(), Some(Stall::Forgotten(woken.idle)));
        let moving = Seen { silent: Duration::ZERO, ..seen(120) };
        assert_eq!(moving.for_the_patient(), None);
    }

    #[test]
    fn a_byte_a_second_drips_and_progress_does_not() {
        assert!(are_drops(1, 1) && are_drops(2, 46) && are_drops(3, 90));
        // `remote: Counting objects:  5% (12/231)` in a record of TLS; nothing at all.
        assert!(!are_drops(1, 70) && !are_drops(0, 0));
        let dripping = Seen { down: 900, drips: LONG, ..Seen::default() };
        assert_eq!(dripping.for_the_patient(), Some(Stall::Drips));
        assert_eq!(dripping.for_anybody(), None);
    }

    #[test]
    fn only_these_wait_for_ever() {
        for program in [
            "/usr/bin/curl",
            "/usr/lib/git-core/git-remote-http",
            "/home/ana/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64/bin/go",
            "/usr/local/go/bin/go (deleted)",
        ] {
            assert!(waits_for_ever(program), "{program}");
        }
        for program in ["", "/usr/bin/kubectl", "/opt/go/bin/gopls", "/usr/bin/git", "/curl/x"] {
            assert!(!waits_for_ever(program), "{program}");
        }
    }
}
