//! The load: clients of a forward proxy, all on one thread, so that they never take more than one
//! core. It measures what a client sees; what the proxy costs is read elsewhere.

use std::{
    cell::RefCell,
    future::Future,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::net::{RecvFlags, recv};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::TcpStream,
    sync::Barrier,
    task::{LocalSet, spawn_local},
    time::{sleep, timeout},
};

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The way to the origin.
#[derive(Clone, Debug)]
pub struct Way {
    /// Whom to connect to.
    pub proxy: SocketAddr,
    /// Host and port of the origin.
    pub origin: String,
    /// The value of `Proxy-Authorization`, where the proxy adds none by itself.
    pub login: Option<String>,
    /// Whether the proxy is asked for a tunnel; a TCP proxy is one.
    pub is_asked: bool,
}

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How long each exchange took, in milliseconds.
    pub times: Vec<f64>,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Exchanges that failed, and why the first one did.
    pub errors: usize,
    pub error: Option<String>,
    /// How long all of it took, in seconds.
    pub seconds: f64,
}

impl Seen {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    /// Returns billions of bytes.
    #[expect(clippy::cast_precision_loss, reason = "precise enough")]
    pub fn gigabytes(&self) -> f64 {
        self.bytes as f64 / 1e9
    }

    fn add(&mut self, start: Instant, result: io::Result<()>) {
        match result {
            Ok(()) => self.times.push(start.elapsed().as_secs_f64() * 1e3),
            Err(error) => {
                self.errors += 1;
                self.error.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

type Board = Rc<RefCell<Seen>>;

/// Runs `clients` of them beside each other.
async fn beside<F: Future<Output = ()> + 'static>(
    clients: usize,
    client: impl Fn(Board) -> F,
) -> Seen {
    let board = Board::default();
    let start = Instant::now();
    LocalSet::new()
        .run_until(async {
            let tasks: Vec<_> = (0..clients).map(|_| spawn_local(client(board.clone()))).collect();
            for task in tasks {
                task.await.expect("a client");
            }
        })
        .await;
    let mut seen = board.take();
    seen.seconds = start.elapsed().as_secs_f64();
    seen
}

/// New tunnels, each with one small GET, one after the other in each client.
pub async fn tunnels(way: &Way, clients: usize, duration: Duration) -> Seen {
    let end = Instant::now() + duration;
    beside(clients, |board| {
        let way = way.clone();
        async move {
            let mut buffer = Vec::with_capacity(16 * 1024);
            while Instant::now() < end {
                let start = Instant::now();
                let result = within(tunnel(&way, &mut buffer)).await;
                let failed = result.is_err();
                board.borrow_mut().add(start, result);
                if failed {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
    })
    .await
}

/// So many tunnels at once, and no more; the time is that of the CONNECT alone.
pub async fn burst(way: &Way, clients: usize) -> Seen {
    let gate = Rc::new(Barrier::new(clients));
    let last = Rc::new(Barrier::new(clients));
    beside(clients, |board| {
        let (way, gate, last) = (way.clone(), Rc::clone(&gate), Rc::clone(&last));
        async move {
            let mut buffer = Vec::with_capacity(1024);
            gate.wait().await;
            let start = Instant::now();
            let (stream, result) = match within(open(&way, &mut buffer)).await {
                Ok(stream) => (Some(stream), Ok(())),
                Err(error) => (None, Err(error)),
            };
            board.borrow_mut().add(start, result);
            // Open until all of them are: nobody profits from another's end.
            last.wait().await;
            drop(stream);
        }
    })
    .await
}

/// Tunnels that each fetch a large file again and again. The kernel throws the bytes away.
pub async fn bulk(way: &Way, clients: usize, duration: Duration) -> Seen {
    let gate = Rc::new(Barrier::new(clients));
    beside(clients, |board| {
        let (way, gate) = (way.clone(), Rc::clone(&gate));
        async move {
            let opened = within(open(&way, &mut Vec::new())).await;
            gate.wait().await;
            let end = Instant::now() + duration;
            let result = match opened {
                Ok(stream) => fetch(stream, &way, end, &board).await,
                Err(error) => Err(error),
            };
            board.borrow_mut().add(end, result);
        }
    })
    .await
}

/// One client's small GETs in absolute form on one connection.
pub async fn keep(way: &Way, duration: Duration) -> Seen {
    let origin = &way.origin;
    let request = format!(
        "GET http://{origin}/small HTTP/1.1\r\nHost: {origin}\r\n{}\r\n",
        way.authorization()
    );
    again(way.proxy, &request, 1, duration).await
}

/// Clients that each ask a server for a path again and again, on one connection.
pub async fn ask(address: SocketAddr, path: &str, clients: usize, duration: Duration) -> Seen {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    again(address, &request, clients, duration).await
}

/// Clients that each send a request again and again, on one connection while it is kept.
async fn again(address: SocketAddr, request: &str, clients: usize, duration: Duration) -> Seen {
    let end = Instant::now() + duration;
    beside(clients, |board| {
        let request = request.to_owned();
        async move {
            let mut buffer = Vec::with_capacity(16 * 1024);
            let mut kept = None;
            while Instant::now() < end {
                let start = Instant::now();
                let result = within(async {
                    let mut stream = match kept.take() {
                        Some(stream) => stream,
                        None => dial(address).await?,
                    };
                    stream.write_all(request.as_bytes()).await?;
                    if whole(&mut stream, &mut buffer).await? {
                        kept = Some(stream);
                    }
                    Ok(())
                });
                let result = result.await;
                board.borrow_mut().add(start, result);
            }
        }
    })
    .await
}

/// Opens a tunnel and returns its connection.
pub async fn open(way: &Way, buffer: &mut Vec<u8>) -> io::Result<TcpStream> {
    let mut stream = dial(way.proxy).await?;
    if !way.is_asked {
        return Ok(stream);
    }
    let origin = &way.origin;
    let request =
        format!("CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n{}\r\n", way.authorization());
    stream.write_all(request.as_bytes()).await?;
    let length = head(&mut stream, buffer).await?;
    let status = String::from_utf8_lossy(buffer.get(9..12).unwrap_or_default()).into_owned();
    if status != "200" || buffer.len() != length {
        return Err(io::Error::other(format!("CONNECT: {status}")));
    }
    Ok(stream)
}

pub async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub async fn within<T>(exchange: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Way {
    fn authorization(&self) -> String {
        let field = |value| format!("Proxy-Authorization: {value}\r\n");
        self.login.as_ref().map(field).unwrap_or_default()
    }
}

async fn tunnel(way: &Way, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut stream = open(way, buffer).await?;
    let request =
        format!("GET /small HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", way.origin);
    stream.write_all(request.as_bytes()).await?;
    whole(&mut stream, buffer).await.map(|_| ())
}

async fn fetch(mut stream: TcpStream, way: &Way, end: Instant, board: &Board) -> io::Result<()> {
    let request = format!("GET /large HTTP/1.1\r\nHost: {}\r\n\r\n", way.origin);
    let (mut buffer, mut waste) = (Vec::new(), vec![0; 1024 * 1024]);
    let mut left = 0;
    while Instant::now() < end {
        if left == 0 {
            stream.write_all(request.as_bytes()).await?;
            let length = head(&mut stream, &mut buffer).await?;
            let body = buffer.len() - length;
            left = content_length(&buffer)?.saturating_sub(body);
            board.borrow_mut().bytes += body as u64;
            continue;
        }
        stream.readable().await?;
        let read = stream.try_io(Interest::READABLE, || {
            let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
            Ok(recv(&stream, &mut waste[..left.min(1024 * 1024)], flags)?.1)
        });
        match read {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                left -= length;
                board.borrow_mut().bytes += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads an answer with its body; returns whether the connection stays.
async fn whole(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let length = head(stream, buffer).await?;
    let status = String::from_utf8_lossy(buffer.get(9..12).unwrap_or_default()).into_owned();
    if status != "200" {
        return Err(io::Error::other(format!("GET: {status}")));
    }
    let whole = length + content_length(buffer)?;
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    Ok(!text.to_ascii_lowercase().contains("connection: close"))
}

/// Reads until a head is there; returns its length. What follows it is in the buffer, too.
async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(at + 4);
        }
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let head = String::from_utf8_lossy(head.get(..head.len().min(4096)).unwrap_or_default());
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().to_owned())
    });
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::other("an answer without Content-Length"))
}
