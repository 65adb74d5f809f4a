//! What `go mod download` asks a module proxy for two hundred modules.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::{MODULES, file};

/// Nothing takes longer through the front.
const LIMIT: Duration = Duration::from_secs(35);

type Line = BufReader<TcpStream>;

/// Downloads the modules of a run. Returns what failed first.
pub fn download(front: SocketAddr, run: u64, width: usize) -> Result<(), String> {
    let failure = Mutex::new(None);
    let idle = Mutex::new(Vec::new());
    // The build list first; then each module.
    for files in [&["mod"][..], &["info", "zip"]] {
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..width {
                scope.spawn(|| {
                    let mut line = idle.lock().expect("the idle").pop();
                    loop {
                        let module = next.fetch_add(1, Relaxed);
                        if module >= MODULES {
                            break;
                        }
                        for name in files {
                            let path = format!("/r{run}.corp.test/m{module:03}/@v/v1.0.0.{name}");
                            if let Err(what) = get(front, &mut line, &path) {
                                let mut failure = failure.lock().expect("the failure");
                                failure.get_or_insert(format!("{path}: {what}"));
                                break;
                            }
                        }
                    }
                    idle.lock().expect("the idle").extend(line);
                });
            }
        });
    }
    failure.into_inner().expect("the failure").map_or(Ok(()), Err)
}

/// Asks for one file, on a connection that is kept for the next one.
fn get(front: SocketAddr, kept: &mut Option<Line>, path: &str) -> Result<(), String> {
    let begun = Instant::now();
    let told = |error: io::Error| format!("{:?} after {:?}", error.kind(), begun.elapsed());
    let mut line = match kept.take() {
        Some(line) => line,
        None => open(front).map_err(told)?,
    };
    let (status, keeps, body) = exchange(&mut line, front, path).map_err(told)?;
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{} {}", status.trim_end(), String::from_utf8_lossy(&body)));
    }
    if body != file(path) {
        return Err(format!("another body, of {} bytes", body.len()));
    }
    if begun.elapsed() > LIMIT {
        return Err(format!("{:?}", begun.elapsed()));
    }
    *kept = keeps.then_some(line);
    Ok(())
}

fn open(front: SocketAddr) -> io::Result<Line> {
    let stream = TcpStream::connect(front)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT * 2))?;
    Ok(BufReader::with_capacity(16 * 1024, stream))
}

/// Returns the status line, whether the connection stays, and the body.
fn exchange(line: &mut Line, front: SocketAddr, path: &str) -> io::Result<(String, bool, Vec<u8>)> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {front}\r\nUser-Agent: Go-http-client/1.1\r\n\
         Accept-Encoding: gzip\r\n\r\n"
    );
    line.get_mut().write_all(request.as_bytes())?;
    let mut status = String::new();
    line.read_line(&mut status)?;
    let (mut length, mut keeps) = (None, true);
    loop {
        let mut field = String::new();
        if line.read_line(&mut field)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let field = field.trim_end().to_ascii_lowercase();
        match field.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok(),
            Some(("connection", value)) => keeps = value.trim() != "close",
            Some(_) => {}
        }
    }
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    line.read_exact(&mut body)?;
    Ok((status, keeps, body))
}
