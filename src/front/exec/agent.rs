//! The agent of one process tree. Its socket has a name that no folder holds (unix(7), "abstract"): nothing
//! stays of it, whatever ends this process. Who connects is asked for his uid, as everywhere.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    agent::Agent,
    core::fault::Fault,
    front::{Context, agent_desk, exec::broken, ui},
};

/// How many questions are worked on at a time; the others wait.
const AT_WORK: usize = 64;

/// Starts it at the name that the context has. `None`: this system does not tell its users apart, and each
/// process of the tree asks for itself.
pub(super) fn start(context: &Context) -> Result<Option<Arc<Agent>>, Fault> {
    let Some(agent) = agent_desk::agent(context)? else {
        ui::err(
            "gocred: no agent: this system does not tell its users apart; each asks for itself",
        );
        return Ok(None);
    };
    let failed = |error: io::Error| broken("the agent does not start", &error);
    let listener = listen(context).map_err(failed)?;
    let serving = Arc::clone(&agent);
    let thread = thread::Builder::new().name("agent".to_owned());
    thread.spawn(move || serve(&listener, &serving)).map_err(failed)?;
    Ok(Some(agent))
}

fn listen(context: &Context) -> io::Result<UnixListener> {
    let path = context.paths.agent.as_os_str().as_encoded_bytes();
    let name = path.strip_prefix(b"@").ok_or(io::ErrorKind::InvalidInput)?;
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

fn serve(listener: &UnixListener, agent: &Arc<Agent>) {
    let working = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        if working.fetch_add(1, Ordering::Relaxed) >= AT_WORK {
            agent.serve(stream);
            working.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (agent, done) = (Arc::clone(agent), Arc::clone(&working));
        let answering = thread::Builder::new().spawn(move || {
            agent.serve(stream);
            done.fetch_sub(1, Ordering::Relaxed);
        });
        // Who hears nothing asks for himself.
        if answering.is_err() {
            working.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
