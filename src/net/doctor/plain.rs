//! What listens on a port, by what it says without being asked.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{
    core::doctor::probe::{Seen, Stage, TcpFlaw, Twist},
    net::doctor::{
        dial::{dial, resolve},
        since,
        stream::{Stream, fill},
        until,
    },
};

/// How long the first bytes may take.
const BANNER: Duration = Duration::from_secs(2);

/// Connects and listens.
pub(super) async fn banner(host: &str, port: u16, deadline: Instant) -> Seen {
    let start = Instant::now();
    let addresses = resolve(host, deadline).await.unwrap_or_default();
    let (stream, tried) = dial(&addresses, port, Twist::None, deadline).await;
    let Some(stream) = stream else {
        let unresolved = Stage { took: since(start), flaw: Some(TcpFlaw::Other(0)) };
        return Seen::Banner(tried.first().map_or(unresolved, |(_, stage)| *stage), Vec::new());
    };
    let took = since(start);
    let mut stream: Stream = Box::new(stream);
    let mut bytes = Vec::new();
    let _ = timeout_at(until(deadline, BANNER), fill(&mut stream, &mut bytes)).await;
    bytes.truncate(256);
    Seen::Banner(Stage { took, flaw: None }, bytes)
}
