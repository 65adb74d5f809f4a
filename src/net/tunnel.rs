//! Drives one exchange of the handshake with an upstream proxy over a connection.

use std::{io, time::Duration};

use thiserror::Error;
use tokio::time::{Instant, sleep_until};

use crate::{
    core::{
        connect::{Connect, Step},
        http1, page,
        secret::SecretString,
    },
    net::{
        handshake,
        wire::{Wire, fill},
    },
};

/// How long a proxy may take to answer. Go gives up after 60 s, and our text must arrive before.
const ANSWER: Duration = Duration::from_secs(15);
/// How long an answer is waited for that came before the request was sent: it is on its way, or nothing
/// is.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the page of a 407 may take, which only decides whether the connection goes on.
const PAGE: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing came in time.
    #[error("no answer within {} s", ANSWER.as_secs())]
    Silent,
    /// It closed before it said anything.
    #[error("it closed the connection")]
    Closed,
    /// It closed in the middle of its answer.
    #[error("it closed the connection in the middle of its answer")]
    Truncated,
    /// It reset the connection.
    #[error("it reset the connection")]
    Reset,
    /// The TLS session to it is void.
    #[error(transparent)]
    Secure(handshake::Error),
    /// It answered with a TLS record.
    #[error("it speaks TLS")]
    Tls,
    /// It did not answer in HTTP.
    #[error("it does not speak HTTP: {0}")]
    NotHttp(http1::Error),
    /// It said that the tunnel is open, and sent a page.
    #[error("it sends a web page instead of a tunnel")]
    WebPage,
    /// The connection broke in another way.
    #[error(transparent)]
    Broken(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match handshake::Error::from(error) {
            handshake::Error::Broken(error) => Self::Broken(error),
            handshake::Error::Closed => Self::Closed,
            handshake::Error::Reset => Self::Reset,
            error => Self::Secure(error),
        }
    }
}

/// Sends the request of an exchange and returns the answer, which is never [`Step::More`], within
/// 15 s, and before the deadline. Early bytes of a tunnel are left in the connection.
pub async fn ask(
    wire: &mut Wire,
    mut exchange: Connect,
    via: &str,
    authorization: Option<&SecretString>,
    deadline: Instant,
) -> Result<Step, Error> {
    let limit = sleep_until(deadline.min(Instant::now() + ANSWER));
    tokio::pin!(limit);
    let (read, unread, mut write) = wire.split();
    let request = exchange.request(via, authorization);
    // A proxy that takes nothing may have said why.
    // In this order: a timer that nobody has to wait for is not even set.
    let mut unwritten = tokio::select! {
        biased;
        written = write.write_all(&request) => written.err(),
        () = &mut limit => return Err(Error::Silent),
    };
    if unwritten.is_some() {
        limit.as_mut().reset(deadline.min(Instant::now() + LAST_WORDS));
    }
    let mut page_until = None;
    loop {
        if exchange.is_in_page() && page_until.is_none() {
            page_until = Some(Instant::now() + PAGE);
        }
        let page = async {
            match page_until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let read = tokio::select! {
            biased;
            read = fill(&read, unread) => read,
            () = page => Ok(0),
            () = &mut limit => return Err(unwritten.take().map_or(Error::Silent, Error::from)),
        };
        match (read, exchange.is_in_page()) {
            (Ok(1..), _) => {}
            (Ok(0) | Err(_), true) => return exchange.give_up().ok_or(Error::Closed),
            (Ok(0) | Err(_), false) if exchange.has_begun() => return Err(Error::Truncated),
            (Ok(0), false) => return Err(unwritten.take().map_or(Error::Closed, Error::from)),
            (Err(error), false) => return Err(error.into()),
        }
        let bytes = std::mem::take(unread);
        // A TLS alert or handshake: somebody wrote http:// for a TLS port (P30).
        if !exchange.has_begun() && matches!(bytes.first(), Some(0x15 | 0x16)) {
            return Err(Error::Tls);
        }
        match exchange.feed(&bytes).map_err(Error::NotHttp)? {
            Step::More => {}
            // Nobody has asked anything through the tunnel yet.
            Step::Open { early, info: _ } if page::is_page(&early) => return Err(Error::WebPage),
            Step::Open { early, info } => {
                *unread = early;
                return Ok(Step::Open { early: Vec::new(), info });
            }
            step => return Ok(step),
        }
    }
}
