//! The bus with a limit for each question, which a service that works for others may exceed.
//!
//! A service that is silent and one that is at work look the same to a caller. The last part of the
//! limit goes into telling them apart: a service that stores something tells the bus so in signals. A
//! `Ping` would not do, because a daemon that hangs on its disk answers it from another thread.

use std::time::{Duration, Instant};

use crate::{
    core::dbus::{Body, Call, Reply},
    store::bus::{Bus, Error, Pending},
};

/// How long a question may take, with everything that is asked for it: a person who waits for git is
/// told why within 2 s.
pub(super) const LIMIT: Duration = Duration::from_millis(1750);
/// The last part of it, in which a silent service is watched.
const STEP: Duration = Duration::from_millis(350);
/// How long a service may go on working for others. gnome-keyring-daemon writes its whole file three
/// times for a new item: 64 writers queue for seconds on a slow disk.
const WORK: Duration = Duration::from_secs(10);

/// A connection, with the time that is left.
pub(super) struct Watched {
    bus: Bus,
    watch: Watch,
}

/// Whether the service was silent in this question.
#[derive(Clone, Copy)]
enum Watch {
    /// It was not; it will be watched for so long.
    Ahead(Duration),
    /// It is watched in steps of so much, for as long as signals come, and at most until the end.
    Since { signals: usize, step: Duration, end: Instant },
}

impl Watched {
    /// Starts on a new connection.
    pub(super) fn new(bus: Bus) -> Self {
        Self { bus, watch: Watch::Ahead(STEP) }
    }

    /// Starts the next question.
    pub(super) fn begin(&mut self, deadline: Instant) {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let step = STEP.min(left);
        self.bus.set_deadline(now + left.saturating_sub(step));
        self.watch = Watch::Ahead(step);
    }

    /// Queues a call. It goes out with the next [`Self::answer`].
    pub(super) fn call(&mut self, call: &Call<'_>, body: &Body) -> Pending {
        self.bus.call(call, body)
    }

    /// Sends a call whose answer is of no interest.
    pub(super) fn tell(&mut self, call: &Call<'_>, body: &Body) {
        self.bus.tell(call, body);
    }

    /// Sends what is queued, and waits for the answer to a call.
    pub(super) fn answer(&mut self, pending: Pending) -> Result<Reply, Error> {
        loop {
            match self.bus.answer(pending) {
                Err(Error::Silent) => {}
                answer => return answer,
            }
            let (now, signals) = (Instant::now(), self.bus.signals());
            let (step, end) = match self.watch {
                Watch::Ahead(step) => {
                    self.subscribe();
                    (step, now + WORK)
                }
                Watch::Since { signals: before, step, end } if signals > before && now < end => {
                    (step, end)
                }
                Watch::Since { .. } => return Err(Error::Silent),
            };
            self.watch = Watch::Since { signals, step, end };
            self.bus.set_deadline(now + step);
        }
    }

    /// Has the bus pass on the signals of the service. Its answer is of no interest.
    fn subscribe(&mut self) {
        let mut body = Body::default();
        body.string("type='signal',sender='org.freedesktop.secrets'");
        let call = Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "AddMatch",
            signature: "s",
        };
        self.bus.call(&call, &body);
    }
}
