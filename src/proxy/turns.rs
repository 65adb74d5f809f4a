//! The threads at the control socket: each takes a connection and answers it itself.
//!
//! A helper waits for nothing but the agent, and to pass its question from one thread to another costs as
//! much as to answer it. What is no question to the agent is passed on to the runtime.

use std::{
    collections::VecDeque,
    io,
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::net::{RecvFlags, recv};
use tokio::sync::mpsc::UnboundedSender;

use crate::agent::Agent;

/// How many questions the agent works on at a time; the others wait.
pub(super) const AT_WORK: usize = 64;
/// The most threads. Those beyond the work answer what the work itself may need.
const THREADS: usize = AT_WORK + 8;
/// How many wait for the next connection: one takes it, and starts another only behind its back.
const SPARE: usize = 2;
/// How long the first bytes of a question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait where the system gives no descriptor.
const PAUSE: Duration = Duration::from_millis(20);

/// The threads of a socket. They end with this value, where the socket is ours.
pub(super) struct Turns {
    shared: Arc<Shared>,
    is_ours: bool,
}

struct Shared {
    listener: UnixListener,
    agent: Option<Arc<Agent>>,
    /// Who answers everything else.
    others: UnboundedSender<UnixStream>,
    state: Mutex<State>,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    threads: usize,
    /// How many of them wait for a connection.
    spare: usize,
    at_work: usize,
    /// What waits for a place at work.
    waiting: VecDeque<UnixStream>,
}

impl Turns {
    /// Starts them on a socket, which must be blocking. The error is that of the first thread.
    pub(super) fn start(
        listener: UnixListener,
        is_ours: bool,
        agent: Option<Arc<Agent>>,
        others: UnboundedSender<UnixStream>,
    ) -> io::Result<Self> {
        let (state, is_over) = (Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { listener, agent, others, state, is_over });
        for _ in 0..SPARE {
            shared.start()?;
        }
        Ok(Self { shared, is_ours })
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if self.is_ours {
            // Who waits in accept(2) is told. The service manager's socket must go on listening.
            let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let mut state = self.state();
        thread::Builder::new().name("agent".to_owned()).spawn(move || shared.run())?;
        state.threads += 1;
        state.spare += 1;
        Ok(())
    }

    fn run(self: &Arc<Self>) {
        loop {
            let accepted = self.listener.accept();
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            let Ok((stream, _)) = accepted else {
                thread::sleep(PAUSE);
                continue;
            };
            let is_last = {
                let mut state = self.state();
                state.spare -= 1;
                state.spare == 0 && state.threads < THREADS
            };
            if is_last {
                // Where the system gives none, the next one waits until somebody is done.
                let _ = self.start();
            }
            self.take(stream);
            let mut state = self.state();
            if state.spare >= SPARE {
                state.threads -= 1;
                return;
            }
            state.spare += 1;
        }
    }

    fn take(&self, stream: UnixStream) {
        match (first(&stream), &self.agent) {
            (Ok([b'{', ..]), _) => {
                // The runtime has ended, and with it who could answer.
                let _ = self.others.send(stream);
            }
            // Who works on an answer may need a key for it, and must not wait for himself.
            (Ok(first), Some(agent)) if &first == b"GOC1 key " => agent.serve(stream),
            (Ok([b'G', ..]), Some(agent)) => self.work(agent, stream),
            (Ok(_) | Err(_), _) => {}
        }
    }

    /// Answers, and then whoever has waited for the place.
    fn work(&self, agent: &Agent, stream: UnixStream) {
        let mut next = {
            let mut state = self.state();
            if state.at_work == AT_WORK {
                state.waiting.push_back(stream);
                None
            } else {
                state.at_work += 1;
                Some(stream)
            }
        };
        while let Some(stream) = next {
            agent.serve(stream);
            let mut state = self.state();
            next = state.waiting.pop_front();
            if next.is_none() {
                state.at_work -= 1;
            }
        }
    }
}

/// Looks at the first bytes, as far as they are there, and leaves them there.
fn first(stream: &UnixStream) -> io::Result<[u8; 9]> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = [0; 9];
    match recv(stream, &mut bytes, RecvFlags::PEEK)? {
        (_, 0) => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(bytes),
    }
}
