//! Drives the CONNECT handshake with an upstream proxy over a connection.

use std::{io, time::Duration};

use thiserror::Error;
use tokio::time::timeout;

use crate::{
    core::{
        connect::{Connect, Step},
        http1,
        secret::SecretString,
        target::Authority,
    },
    net::{
        handshake,
        wire::{Wire, fill},
    },
};

/// How long a proxy may take to answer. Go gives up after 60 s, and our text must arrive before.
const ANSWER: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing came in time.
    #[error("no answer within {} s", ANSWER.as_secs())]
    Silent,
    /// It closed before its answer was complete.
    #[error("it closed the connection")]
    Closed,
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

/// Asks for a tunnel and returns the answer, which is never [`Step::More`]. Early bytes of the
/// tunnel are left in the connection.
pub async fn connect(
    wire: &mut Wire,
    target: &Authority,
    via: &str,
    authorization: Option<&SecretString>,
) -> Result<Step, Error> {
    let mut machine = Connect::new(target);
    let exchange = async {
        let (read, unread, mut write) = wire.split();
        let written = write.write_all(&machine.request(via, authorization)).await;
        loop {
            // A proxy that takes nothing may have said why.
            if fill(&read, unread).await? == 0 {
                return Err(written.err().map_or(Error::Closed, Error::from));
            }
            let bytes = std::mem::take(unread);
            // A TLS alert or handshake: somebody wrote http:// for a TLS port (P30).
            if !machine.has_begun() && matches!(bytes.first(), Some(0x15 | 0x16)) {
                return Err(Error::Tls);
            }
            match machine.feed(&bytes).map_err(Error::NotHttp)? {
                Step::More => {}
                Step::Open { early } => {
                    unread.clone_from(&early);
                    return Ok(Step::Open { early: Vec::new() });
                }
                step => return Ok(step),
            }
        }
    };
    timeout(ANSWER, exchange).await.map_err(|_| Error::Silent)?
}
