//! The rows of many connections: idle tunnels, and heads that never end.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
    time::{sleep, timeout},
};

use super::{Bench, load, peers::Peer};
use crate::{
    rounds::percentile,
    table::{Goal, Table},
};

/// What idle tunnels cost.
struct Idle {
    opened: usize,
    each: f64,
    memory: f64,
    wakes: f64,
    p99: f64,
}

impl Bench<'_> {
    pub fn idle(&self, table: &mut Table) {
        let gocred = self.idle_of(|to| {
            let mut peer = self.field.gocred(7631, &["DIRECT"], &[]);
            peer.way.origin = to.to_string();
            peer
        });
        let haproxy = self.idle_of(|to| {
            let mut peer = self.field.haproxy(7632, to);
            peer.way.is_asked = false;
            peer
        });
        let tunnels = self.scale.idle;
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        table.count("idle tunnels that were refused", (tunnels - gocred.opened) as f64, 0.0, "");
        let note = format!("haproxy {:.1}", haproxy.each);
        let what = format!("an idle tunnel of {tunnels} in one process, KiB");
        table.time(&what, gocred.each, Goal::AtMost(4.0), &note);
        let note = format!("haproxy {:.1}", haproxy.memory / 1024.0);
        let what = format!("all of it with {tunnels} idle tunnels, MiB");
        table.time(&what, gocred.memory / 1024.0, Goal::AtMost(48.0), &note);
        let note = format!("haproxy {:.0}", haproxy.wakes);
        table.time("wake-ups in 5 s of silence", gocred.wakes, Goal::AtMost(0.0), &note);
        let note = format!("haproxy {:.2}", haproxy.p99);
        let what = format!("new tunnel beside {tunnels} idle ones, p99, ms");
        table.time(&what, gocred.p99, Goal::AtMost(1.0), &note);
    }

    fn idle_of(&self, start: impl FnOnce(SocketAddr) -> Peer) -> Idle {
        self.runtime.block_on(LocalSet::new().run_until(async {
            let listener = TcpListener::bind("127.77.0.13:0").await.expect("a port");
            let peer = start(listener.local_addr().expect("its address"));
            let process = peer.process.as_ref().expect("a process");
            // The far ends: accepted, held, silent.
            let holder = spawn_local(async move {
                let mut held = Vec::new();
                while let Ok((stream, _)) = listener.accept().await {
                    held.push(stream);
                }
            });
            let warm = load::within(load::open(&peer.way, &mut Vec::new())).await;
            let before = process.memory();
            let mut open: Vec<TcpStream> = Vec::with_capacity(self.scale.idle);
            for _ in 0..self.scale.idle {
                match load::within(load::open(&peer.way, &mut Vec::new())).await {
                    Ok(stream) => open.push(stream),
                    Err(error) => {
                        eprintln!("{}: tunnel {}: {error}", peer.name, open.len());
                        break;
                    }
                }
            }
            // Until what the openings left behind, such as threads for names, has ended.
            let mut quiet = process.sleeps();
            for _ in 0..20 {
                thread::sleep(Duration::from_secs(1));
                let now = process.sleeps();
                if now <= quiet && open.len() > 1 {
                    break;
                }
                quiet = now;
            }
            let memory = process.memory();
            let sleeps = process.sleeps();
            thread::sleep(Duration::from_secs(5));
            let wakes = process.sleeps() - sleeps;
            let mut times = Vec::new();
            for _ in 0..300 {
                let start = Instant::now();
                if load::within(load::open(&peer.way, &mut Vec::new())).await.is_ok() {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            drop(warm);
            holder.abort();
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let each = (memory - before) / open.len().max(1) as f64;
            Idle { opened: open.len(), each, memory, wakes, p99: percentile(&mut times, 0.99) }
        }))
    }

    /// Heads that never end, while a good client comes every 100 ms.
    pub fn half_sent(&self, table: &mut Table) {
        let peer = self.field.gocred_direct(7641);
        let process = peer.process.as_ref().expect("a process");
        let (heads, span) = (self.scale.half_sent, self.scale.half_sent_for);
        let before = process.memory();
        let longest = Rc::new(Cell::new(Duration::ZERO));
        let (mut times, mut failures, mut most) = (Vec::new(), 0, before);
        self.runtime.block_on(LocalSet::new().run_until(async {
            let end = Instant::now() + span;
            for number in 0..heads {
                let (proxy, longest) = (peer.way.proxy, Rc::clone(&longest));
                spawn_local(async move {
                    while Instant::now() < end {
                        let Ok(open) = half_sent(proxy).await else {
                            sleep(Duration::from_millis(100)).await;
                            continue;
                        };
                        longest.set(longest.get().max(open));
                    }
                });
                if number % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            while Instant::now() < end {
                sleep(Duration::from_millis(100)).await;
                let start = Instant::now();
                match load::within(load::open(&peer.way, &mut Vec::new())).await {
                    Ok(_) => times.push(start.elapsed().as_secs_f64() * 1e3),
                    Err(_) => failures += 1,
                }
                most = most.max(process.memory());
            }
        }));
        let span = span.as_secs();
        let note = format!("{heads} at a time for {span} s");
        table.time(
            "a half-sent head is closed after, s",
            longest.get().as_secs_f64(),
            Goal::AtMost(15.0),
            &note,
        );
        let note = format!("p50 {:.2}", percentile(&mut times, 0.5));
        let what = format!("new tunnel beside {heads} half-sent heads, p99, ms");
        table.time(&what, percentile(&mut times, 0.99), Goal::AtMost(50.0), &note);
        table.count("good clients that half-sent heads kept out", f64::from(failures), 0.0, "");
        let what = format!("memory for {heads} half-sent heads, MiB");
        table.time(&what, (most - before) / 1024.0, Goal::AtMost(64.0), "");
    }
}

/// Sends half a head, and returns how long it stayed open.
async fn half_sent(proxy: SocketAddr) -> std::io::Result<Duration> {
    let mut stream = TcpStream::connect(proxy).await?;
    let start = Instant::now();
    stream.write_all(b"CONNECT cdn.corp.test:8080 HTTP/1.1\r\nHost: cdn").await?;
    let mut waste = [0; 1024];
    let drain = async { while matches!(stream.read(&mut waste).await, Ok(1..)) {} };
    let _ = timeout(Duration::from_secs(30), drain).await;
    Ok(start.elapsed())
}
