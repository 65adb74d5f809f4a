//! Drives the negotiation with a SOCKS 5 server over a connection. Names are resolved by the server
//! (what curl calls `socks5h`).

use std::{io, time::Duration};

use thiserror::Error;
use tokio::time::timeout;

use crate::{
    core::{
        secret::SecretString,
        socks::{self, Client, Step},
        target::Authority,
    },
    net::wire::{Wire, fill},
};

/// How long a server may take, its own connection to the target included: as for a CONNECT.
const ANSWER: Duration = Duration::from_secs(15);

/// Why there is no tunnel.
#[derive(Debug, Error)]
pub enum Error {
    /// The connection broke.
    #[error(transparent)]
    Broken(io::Error),
    /// It closed before its answer was complete.
    #[error("it closed the connection")]
    Closed,
    /// It broke off when it was given the login.
    #[error("it took the login and closed the connection")]
    NoVerdict,
    /// It refuses, or does not speak SOCKS 5.
    #[error(transparent)]
    Refused(#[from] socks::Error),
    /// It reset the connection.
    #[error("it reset the connection")]
    Reset,
    /// Nothing came in time.
    #[error("no answer within {} s", ANSWER.as_secs())]
    Silent,
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Broken(error),
        }
    }
}

/// Asks for a tunnel. The login, user and password, is sent only where the server asks for one.
/// Early bytes of the tunnel are left in the connection.
pub async fn connect(
    wire: &mut Wire,
    target: &Authority,
    login: Option<(&str, &SecretString)>,
) -> Result<(), Error> {
    let mut client = Client::new(target, login)?;
    let negotiation = async {
        let (read, unread, mut write) = wire.split();
        loop {
            match client.advance(unread)? {
                Step::More => {
                    if fill(&read, unread).await? == 0 {
                        return Err(Error::Closed);
                    }
                }
                Step::Open => {
                    unread.shrink_to_fit();
                    return Ok(());
                }
                Step::Send(bytes) => write.write_all(&bytes).await?,
            }
        }
    };
    let negotiated = timeout(ANSWER, negotiation).await.map_err(|_| Error::Silent)?;
    negotiated.map_err(|error| match error {
        Error::Broken(_) | Error::Closed | Error::Reset if client.awaits_verdict() => {
            Error::NoVerdict
        }
        error => error,
    })
}
