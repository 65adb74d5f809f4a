//! What clients do, and what became of it.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

/// Whatever takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);
const BLOCK: usize = 64 * 1024;

/// Which upstream a transfer went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through(pub char);

#[derive(Debug)]
pub enum Outcome {
    /// All of it came back.
    Whole(#[allow(dead_code, reason = "shown")] Option<Through>),
    /// It broke off.
    Broken(Option<Through>, String),
    /// It was refused, came back other than it was, or hung.
    Wrong(String),
}

#[derive(Default)]
pub struct Tally {
    pub whole: u64,
    pub in_flight: u64,
    pub wrong: Vec<String>,
}

impl Tally {
    pub fn take(&mut self, outcome: Outcome, may_break: bool) {
        match outcome {
            Outcome::Whole(_) => self.whole += 1,
            Outcome::Broken(Some(Through('A' | 'R')), _) if may_break => self.in_flight += 1,
            Outcome::Broken(through, what) => {
                self.wrong.push(format!("broken: {through:?} {what}"))
            }
            Outcome::Wrong(what) => self.wrong.push(what),
        }
    }

    pub fn add(&mut self, other: Self) {
        self.whole += other.whole;
        self.in_flight += other.in_flight;
        self.wrong.extend(other.wrong);
    }
}

/// A stream of bytes that nothing else would send.
struct Pattern(u64);

impl Pattern {
    fn fill(&mut self, block: &mut [u8]) {
        for bytes in block.chunks_mut(8) {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = (self.0 ^ (self.0 >> 29)).to_le_bytes();
            bytes.copy_from_slice(&value[..bytes.len()]);
        }
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads a head; returns its first line and nothing past its end.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Opens a tunnel; returns it with the upstream that it goes through.
fn tunnel(address: SocketAddr) -> Result<(TcpStream, Through), String> {
    let told = |error: io::Error| format!("no tunnel: {error}");
    let mut stream = open(address).map_err(told)?;
    stream.write_all(b"CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n").map_err(told)?;
    let head = head(&mut stream).map_err(told)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head);
    }
    let mut name = [0];
    match stream.read_exact(&mut name) {
        Ok(()) => Ok((stream, Through(name[0].into()))),
        // It went down between its answer and its first byte: that is a tunnel which broke off.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Ok((stream, Through('A'))),
        Err(error) => Err(format!("no first byte: {error}")),
    }
}

/// Sends bytes through a tunnel to somebody who sends them back, with a pause in the middle.
pub fn transfer(address: SocketAddr, seed: u64, length: usize, pause: Duration) -> Outcome {
    let (mut stream, through) = match tunnel(address) {
        Ok(opened) => opened,
        Err(what) => return Outcome::Wrong(what),
    };
    let mut sent = vec![0; length];
    Pattern(seed).fill(&mut sent);
    let mut exchange = |part: &[u8]| -> io::Result<Vec<u8>> {
        stream.write_all(part)?;
        let mut back = vec![0; part.len()];
        stream.read_exact(&mut back)?;
        Ok(back)
    };
    let (left, right) = sent.split_at(length / 2);
    for part in [left, right] {
        for block in part.chunks(16 * 1024) {
            match exchange(block) {
                Ok(back) if back == block => {}
                Ok(_) => return Outcome::Wrong(format!("{through:?}: other bytes came back")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Outcome::Wrong(format!("{through:?}: it hangs"));
                }
                Err(error) => return Outcome::Broken(Some(through), error.to_string()),
            }
        }
        thread::sleep(pause / 2);
    }
    let _ = stream.shutdown(Shutdown::Write);
    match stream.read(&mut [0]) {
        Ok(0) => Outcome::Whole(Some(through)),
        Ok(_) => Outcome::Wrong(format!("{through:?}: more bytes than were sent")),
        Err(error) => Outcome::Broken(Some(through), error.to_string()),
    }
}

/// One request on a connection of its own.
pub fn get(address: SocketAddr) -> Outcome {
    match gets(address, 1) {
        Ok(()) => Outcome::Whole(None),
        // Only the upstream that went down answers like this.
        Err(what) if what.contains(" gocred[") => Outcome::Broken(Some(Through('A')), what),
        Err(what) if what.contains("UnexpectedEof") => Outcome::Broken(Some(Through('A')), what),
        Err(what) => Outcome::Wrong(what),
    }
}

/// So many requests on one connection.
pub fn gets(address: SocketAddr, number: u64) -> Result<(), String> {
    let told = |error: io::Error| format!("{:?} {error}", error.kind());
    let mut stream = open(address).map_err(told)?;
    for at in 0..number {
        let request = format!("GET http://h.test/{at} HTTP/1.1\r\nHost: h.test\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(told)?;
        let head = head(&mut stream).map_err(told)?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        let mut body = [0; 5];
        stream.read_exact(&mut body).map_err(told)?;
        if &body != b"hello" {
            return Err(format!("another body: {body:?}"));
        }
    }
    Ok(())
}

/// Opens a tunnel, sends something and is gone.
pub fn reset(address: SocketAddr) {
    if let Ok((mut stream, _)) = tunnel(address) {
        let _ = stream.write_all(&[b'x'; 10_000]);
        // Closed with unread bytes, a connection is reset (RFC 9112 §9.6).
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends many bytes and compares what comes back, at the same time.
pub fn bulk(address: SocketAddr, seed: u64, bytes: u64) -> Result<(), String> {
    let (mut stream, _) = tunnel(address)?;
    let mut writer = stream.try_clone().map_err(|error| error.to_string())?;
    let writing = thread::spawn(move || -> io::Result<()> {
        let (mut pattern, mut block) = (Pattern(seed), vec![0; BLOCK]);
        for _ in 0..bytes / BLOCK as u64 {
            pattern.fill(&mut block);
            writer.write_all(&block)?;
        }
        writer.shutdown(Shutdown::Write)
    });
    let (mut pattern, mut expected, mut block) = (Pattern(seed), vec![0; BLOCK], vec![0; BLOCK]);
    for at in 0..bytes / BLOCK as u64 {
        pattern.fill(&mut expected);
        stream.read_exact(&mut block).map_err(|error| format!("after {at} blocks: {error}"))?;
        if block != expected {
            return Err(format!("block {at} differs"));
        }
    }
    writing.join().map_err(|_| "a panic")?.map_err(|error| error.to_string())?;
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        end => Err(format!("the end is {end:?}")),
    }
}
