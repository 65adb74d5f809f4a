//! A tunnel through a SOCKS server. `socks4` and `socks5` are asked with the name like `socks4a` and
//! `socks5h`: who resolves it differs between the tools, and is looked at elsewhere.

use std::{io, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};

use crate::{
    core::{
        doctor::{
            probe::{Connect, ReadFlaw},
            route::Login,
        },
        socks::{self, Client, Step},
        target::Authority,
    },
    net::doctor::{
        since,
        stream::{Stream, fill, read_flaw},
        until,
    },
};

/// How long a server may take.
const ANSWER: Duration = Duration::from_secs(7);

enum Flaw {
    Refused(String),
    Read(ReadFlaw),
}

impl Flaw {
    fn of(error: &io::Error) -> Self {
        Self::Read(read_flaw(error, 0))
    }
}

/// Asks for a tunnel to `host:port`. An open one has the status 200; a refusal is told as the reason.
pub(super) async fn ask(
    stream: &mut Stream,
    target: &str,
    is_old: bool,
    login: Option<&Login>,
    deadline: Instant,
) -> (Connect, Option<Vec<u8>>) {
    let start = Instant::now();
    let mut early = Vec::new();
    let asked = async {
        if is_old {
            four(stream, target, &mut early).await
        } else {
            five(stream, target, login, &mut early).await
        }
    };
    let asked = timeout_at(until(deadline, ANSWER), asked).await;
    let asked = asked.unwrap_or(Err(Flaw::Read(ReadFlaw::Silent(0))));
    let mut connect =
        Connect { took: since(start), has_login: login.is_some(), ..Connect::default() };
    match asked {
        Ok(()) => {
            connect.status = Some(200);
            return (connect, Some(early));
        }
        Err(Flaw::Refused(reason)) => connect.reason = reason,
        Err(Flaw::Read(ReadFlaw::NotHttp(first))) if first.starts_with(b"H") => {
            // An HTTP proxy answers 400: the rest of its page is on its way.
            let soon = until(deadline, Duration::from_millis(200));
            let _ = timeout_at(soon, fill(stream, &mut early)).await;
            connect.flaw = Some(ReadFlaw::NotHttp(early.iter().take(256).copied().collect()));
        }
        Err(Flaw::Read(flaw)) => connect.flaw = Some(flaw),
    }
    (connect, None)
}

async fn five(
    stream: &mut Stream,
    target: &str,
    login: Option<&Login>,
    unread: &mut Vec<u8>,
) -> Result<(), Flaw> {
    let refused = |error: socks::Error| Flaw::Refused(error.to_string());
    let target = Authority::parse(target)
        .map_err(|_| Flaw::Refused("the name cannot be said in SOCKS".to_owned()))?;
    let login = login.map(|login| (login.user.as_str(), &login.secret));
    let mut client = Client::new(&target, login).map_err(refused)?;
    loop {
        match client.advance(unread) {
            Ok(Step::More) => match fill(stream, unread).await {
                Ok(0) => return Err(Flaw::Read(ReadFlaw::Closed(unread.len()))),
                Ok(_) => {}
                Err(error) => return Err(Flaw::of(&error)),
            },
            Ok(Step::Open) => return Ok(()),
            Ok(Step::Send(bytes)) => {
                stream.write_all(&bytes).await.map_err(|error| Flaw::of(&error))?;
                stream.flush().await.map_err(|error| Flaw::of(&error))?;
            }
            Err(socks::Error::NotSocks(_)) => {
                return Err(Flaw::Read(ReadFlaw::NotHttp(
                    unread.iter().take(256).copied().collect(),
                )));
            }
            Err(error) => return Err(refused(error)),
        }
    }
}

/// SOCKS 4A: version, command, port, the address 0.0.0.1, no user, the name.
async fn four(stream: &mut Stream, target: &str, unread: &mut Vec<u8>) -> Result<(), Flaw> {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
    let port: u16 = port.parse().unwrap_or_default();
    let [high, low] = port.to_be_bytes();
    let request = [&[4, 1, high, low, 0, 0, 0, 1, 0][..], host.as_bytes(), &[0]].concat();
    stream.write_all(&request).await.map_err(|error| Flaw::of(&error))?;
    stream.flush().await.map_err(|error| Flaw::of(&error))?;
    while unread.len() < 8 {
        match fill(stream, unread).await {
            Ok(0) => return Err(Flaw::Read(ReadFlaw::Closed(unread.len()))),
            Ok(_) => {}
            Err(error) => return Err(Flaw::of(&error)),
        }
    }
    let answer: Vec<u8> = unread.drain(..8).collect();
    match answer[..] {
        [0, 0x5a, ..] => Ok(()),
        [0, code @ 0x5b..=0x5d, ..] => Err(Flaw::Refused(format!("it answers {code}"))),
        _ => Err(Flaw::Read(ReadFlaw::NotHttp(answer))),
    }
}
