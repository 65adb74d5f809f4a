//! Answers the probes of a diagnosis. A packet goes to the target, its proxies and the configured name
//! servers, and to nobody else.
//!
//! It judges nothing: what it sees is the judge's. A certificate that is not trusted is looked at, and
//! the other end hears nothing more.

mod connect;
mod dial;
mod exchange;
mod http;
mod logins;
mod names;
mod plain;
mod program;
mod resolver;
mod roots;
mod socks;
mod stream;
mod tls;

use std::time::Duration;

use tokio::{runtime::Builder, task::JoinSet, time::Instant};

use crate::core::doctor::{
    probe::{Probe, Seen},
    route::Trust,
};

/// What we call ourselves in requests.
const AGENT: &str = concat!("gocred-doctor/", env!("CARGO_PKG_VERSION"));

/// Answers all of them, side by side. Each ends by itself; none takes longer than `limit`.
pub fn answer(probes: &[Probe], limit: Duration) -> Vec<Seen> {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return probes.iter().map(unasked).collect();
    };
    let mut seen: Vec<Seen> = probes.iter().map(unasked).collect();
    runtime.block_on(async {
        let deadline = Instant::now() + limit;
        let mut asked = JoinSet::new();
        for (at, probe) in probes.iter().cloned().enumerate() {
            asked.spawn(async move { (at, ask(probe, deadline).await) });
        }
        while let Some(answered) = asked.join_next().await {
            if let Ok((at, answer)) = answered
                && let Some(place) = seen.get_mut(at)
            {
                *place = answer;
            }
        }
    });
    // A resolver that is silent keeps its thread; nobody waits for it.
    runtime.shutdown_background();
    seen
}

/// Returns whether anybody's certificates are trusted. It reads files, and sends nothing.
pub fn has_roots(trust: &Trust) -> bool {
    !roots::of(trust).is_empty()
}

async fn ask(probe: Probe, deadline: Instant) -> Seen {
    match probe {
        Probe::Names { host } => Seen::Names(names::ask(&host, deadline).await),
        Probe::Exchange(exchange) => Seen::Trace(exchange::ask(&exchange, deadline).await),
        Probe::Banner { host, port } => plain::banner(&host, port, deadline).await,
        Probe::Program { command, input, variables } => {
            Seen::Program(program::run(&command, &input, &variables, deadline).await)
        }
    }
}

/// The answer where nothing could be asked.
fn unasked(probe: &Probe) -> Seen {
    use crate::core::doctor::probe::{Names, Ran, Stage, TcpFlaw, Trace};
    match probe {
        Probe::Names { .. } => Seen::Names(Names {
            system: Err("nobody could be asked".to_owned()),
            took: 0,
            file: Vec::new(),
            servers: Vec::new(),
            wildcard: Vec::new(),
        }),
        Probe::Exchange(_) => Seen::Trace(Trace {
            names: Some(Err("nobody could be asked".to_owned())),
            ..Trace::default()
        }),
        Probe::Banner { .. } => {
            Seen::Banner(Stage { took: 0, flaw: Some(TcpFlaw::NoDescriptor) }, Vec::new())
        }
        Probe::Program { .. } => Seen::Program(Ran::default()),
    }
}

/// Returns milliseconds since a moment.
fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Returns the moment at which a stage ends: after its own time, and not after all of it.
fn until(deadline: Instant, limit: Duration) -> Instant {
    deadline.min(Instant::now() + limit)
}

#[cfg(test)]
mod tests;
