//! One connection: a question within its time, and its answer.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use secrecy::zeroize::Zeroizing;

use crate::{
    agent::Agent,
    core::{
        agent::{Answer, Asked, Decoder, Malformed, Word},
        secret::without_traces,
    },
    sys::peer,
};

/// How long a question may take to come, and its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(2);

impl Agent {
    /// Answers the question of a connection, which must be blocking. Whoever is another user, or speaks
    /// no such protocol, hears nothing.
    pub fn serve(&self, stream: UnixStream) {
        let Some(pid) = own_process(&stream) else { return };
        let answer = match read(&stream) {
            Ok(Some(decoder)) => {
                let Some((asked, body)) = decoder.finish() else { return };
                let stream = Arc::new(stream);
                let working = self.ticker.watch(Arc::clone(&stream));
                let answer = without_traces(|| self.answer(asked, &body, pid));
                drop(working);
                return write(&stream, &answer);
            }
            Ok(None) | Err(Malformed::Wrong) => return,
            // A later version, which asks somebody else then.
            Err(Malformed::Unknown) => Answer::of(Word::No),
        };
        write(&stream, &answer);
    }
}

/// Reads a question. `Ok(None)`: it did not come whole, or not in time.
fn read(mut stream: &UnixStream) -> Result<Option<Decoder<Asked>>, Malformed> {
    let end = Instant::now() + PATIENCE;
    let mut decoder = Decoder::<Asked>::default();
    let mut block = Zeroizing::new([0; 8192]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // No time at all would be no limit.
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Ok(None);
        }
        let Ok(count @ 1..) = stream.read(block.as_mut_slice()) else { return Ok(None) };
        if decoder.feed(block.get(..count).unwrap_or_default())? {
            return Ok(Some(decoder));
        }
    }
}

/// Writes an answer. Who has gone meanwhile does not need it.
fn write(mut stream: &UnixStream, answer: &Answer) {
    if stream.set_write_timeout(Some(PATIENCE)).is_ok() {
        let _ = stream.write_all(&answer.encode());
    }
}

/// Returns the process at the other end, 0 where it cannot be told. `None`: it is another user's.
#[cfg(target_os = "linux")]
fn own_process(stream: &UnixStream) -> Option<i32> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    (peer.uid.as_raw() == peer::own_uid()).then(|| peer.pid.as_raw_nonzero().get())
}

/// Returns 0: the folder of the socket is this user's alone, and nothing more is known of who asks.
#[cfg(not(target_os = "linux"))]
fn own_process(_stream: &UnixStream) -> Option<i32> {
    let _ = peer::own_uid();
    Some(0)
}
