//! Asks one name server, over UDP, and over TCP where the answer was cut (RFC 7766).

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    core::doctor::{
        dns::{self, Kind, Message},
        probe::{Answer, DnsFlaw},
    },
    net::doctor::until,
};

/// How long a server may take.
const LIMIT: Duration = Duration::from_millis(2500);
/// When the question is sent once more: a packet may have been lost.
const AGAIN: Duration = Duration::from_millis(1200);

/// Asks a server.
pub(super) async fn ask(
    server: SocketAddr,
    name: &str,
    kind: Kind,
    deadline: Instant,
) -> Result<Answer, DnsFlaw> {
    let mut id = [0; 2];
    let _ = getrandom::fill(&mut id);
    // A name that no question can hold does not exist.
    let Some(question) = dns::question(u16::from_be_bytes(id), name, kind) else {
        return Ok(Answer { code: 3, ..Answer::default() });
    };
    let message = timeout_at(until(deadline, LIMIT), datagram(server, &question)).await;
    let message = message.unwrap_or(Err(DnsFlaw::Silent))?;
    if !message.is_cut {
        return Ok(told(message, false));
    }
    match timeout_at(until(deadline, LIMIT), stream(server, &question)).await {
        Ok(Ok(Some(message))) => Ok(told(message, true)),
        Ok(Ok(None)) => Err(DnsFlaw::Garbage),
        Ok(Err(_)) | Err(_) => Err(DnsFlaw::Cut),
    }
}

fn told(message: Message, was_cut: bool) -> Answer {
    Answer { code: message.code, addresses: message.addresses, was_cut }
}

async fn datagram(server: SocketAddr, question: &[u8]) -> Result<Message, DnsFlaw> {
    let any: SocketAddr =
        if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let asked = async {
        let socket = UdpSocket::bind(any).await?;
        // Connected: only its answers arrive, and a closed port is told.
        socket.connect(server).await?;
        let mut bytes = vec![0; 4096];
        loop {
            socket.send(question).await?;
            if let Ok(read) = timeout(AGAIN, socket.recv(&mut bytes)).await {
                return Ok(dns::answer(question, bytes.get(..read?).unwrap_or_default()));
            }
        }
    };
    match asked.await {
        Ok(message) => message.ok_or(DnsFlaw::Garbage),
        Err(error) => Err(flaw(&error)),
    }
}

async fn stream(server: SocketAddr, question: &[u8]) -> io::Result<Option<Message>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(dns::answer(question, &bytes))
}

fn flaw(error: &io::Error) -> DnsFlaw {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DnsFlaw::Refused,
        _ => DnsFlaw::Unreachable,
    }
}
