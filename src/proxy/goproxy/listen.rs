//! The front's doors: the proxy's own, with another conversation behind them.

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};

use super::{Inner, session};
use crate::proxy::accept;

/// Accepts at all of them until a stop is asked for.
pub(super) async fn run(front: &Arc<Inner>, listeners: Vec<TcpListener>) {
    let mut doors = JoinSet::new();
    for listener in listeners {
        let Ok(own) = listener.local_addr() else { continue };
        front.listens(own);
        let shared = Arc::clone(&front.shared);
        doors.spawn(accept::run(shared, listener, behind(Arc::clone(front), own)));
    }
    while doors.join_next().await.is_some() {}
}

fn behind(
    front: Arc<Inner>,
    own: SocketAddr,
) -> impl Fn(crate::net::wire::Wire, crate::proxy::crowd::Seat, accept::Caller) -> Session {
    move |client, seat, caller| {
        Box::pin(session::run(Arc::clone(&front), client, seat, (own, caller)))
    }
}

type Session = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
