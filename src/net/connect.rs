//! One CONNECT to a forward proxy, to see whether it takes a login. The tunnel is closed at once;
//! nothing is ever sent through it.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::core::{
    connect::{Connect, Step},
    origin::Origin,
    secret::SecretString,
    target::Authority,
};

/// How long the whole exchange may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What a proxy answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It wants a login.
    Challenge {
        /// The schemes that it offers, lower case.
        schemes: Vec<String>,
        /// The realm of Basic (RFC 9110 §11.5); empty where there is none.
        realm: String,
    },
    /// It opened the tunnel.
    Open,
    /// It refused for another reason, with this status.
    Refused(u16),
}

/// Why a proxy did not answer.
#[derive(Debug, Error)]
pub enum Error {
    /// It cannot be reached, or went away.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not speak HTTP.
    #[error("it does not speak HTTP: {0}")]
    Protocol(String),
}

/// Asks a proxy, `http://host[:port]`, for a tunnel. `authorization` is the value of
/// `Proxy-Authorization`.
pub fn ask(
    proxy: &Origin,
    target: &Authority,
    authorization: Option<&SecretString>,
) -> Result<Answer, Error> {
    let deadline = Instant::now() + LIMIT;
    let mut stream = dial(proxy, deadline)?;
    let mut exchange = Connect::new(target);
    let via = concat!("1.1 gocred-login-", env!("CARGO_PKG_VERSION"));
    stream.write_all(&exchange.request(via, authorization))?;
    let mut bytes = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let count = stream.read(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => timed_out(),
            _ => error,
        })?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let part = bytes.get(..count).unwrap_or_default();
        let step = exchange.feed(part).map_err(|error| Error::Protocol(error.to_string()))?;
        let step = match step {
            // What the page says is of no interest here.
            Step::More => exchange.give_up().unwrap_or(Step::More),
            step => step,
        };
        match step {
            Step::More => {}
            Step::Open { early: _, info: _ } => return Ok(Answer::Open),
            Step::Challenge { challenges, connection: _, page: _ } => {
                let basic = challenges.iter().find(|one| one.is("basic"));
                let realm = basic.and_then(|basic| basic.param("realm")).unwrap_or_default();
                let schemes = challenges.iter().map(|one| one.scheme.to_ascii_lowercase());
                return Ok(Answer::Challenge {
                    schemes: schemes.collect(),
                    realm: realm.to_owned(),
                });
            }
            Step::Refused { status, reason: _, retry_after: _ }
            | Step::LoggedIn { status, connection: _ } => {
                return Ok(Answer::Refused(status));
            }
        }
    }
}

fn dial(proxy: &Origin, deadline: Instant) -> Result<TcpStream, Error> {
    let host = proxy.host().trim_matches(['[', ']']);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in (host, proxy.port().unwrap_or(80)).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                stream.set_write_timeout(Some(left(deadline)?))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(timed_out()) } else { Ok(left) }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", LIMIT.as_secs()))
}
