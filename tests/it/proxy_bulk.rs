//! Tunnels that move much: every byte arrives, in order, whichever way it takes inside.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::net::sockopt::{
    set_socket_linger, set_socket_recv_buffer_size, set_socket_send_buffer_size,
};

use super::{
    proxy_lab::Daemon,
    support::{
        eventually,
        home::{GOCRED, Home},
    },
};

/// Nothing here takes longer unless it is stuck.
const LIMIT: Duration = Duration::from_secs(60);

/// A stream that differs from every shifted copy of itself, so that a byte lost, doubled or of
/// another tunnel is seen.
struct Stream {
    pattern: Arc<[u8]>,
    at: usize,
}

impl Stream {
    fn new(number: usize) -> Self {
        // A prime, so that no power of two is a period; xorshift, so that nothing else is.
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let pattern = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        let pattern: Arc<[u8]> = pattern.take(1_048_583).collect();
        let at = number * 7919 % pattern.len();
        Self { pattern, at }
    }

    /// Returns the next bytes, as many as are there in one piece.
    fn next(&mut self, most: usize) -> &[u8] {
        let start = self.at;
        let end = self.pattern.len().min(start + most);
        self.at = end % self.pattern.len();
        self.pattern.get(start..end).expect("bytes")
    }
}

/// Sends so much of a stream, in pieces of many sizes, and ends.
fn send(mut socket: &TcpStream, number: usize, length: usize) {
    let mut stream = Stream::new(number);
    let (mut left, mut piece) = (length, 1);
    while left > 0 {
        let bytes = stream.next(left.min(piece));
        socket.write_all(bytes).expect("written");
        left -= bytes.len();
        piece = if piece > 500_000 { 1 } else { piece * 3 };
    }
    socket.shutdown(Shutdown::Write).expect("closed");
}

/// Reads to the end; returns how many bytes came, all of them those of the stream.
fn receive(mut socket: &TcpStream, number: usize) -> usize {
    let mut stream = Stream::new(number);
    let (mut block, mut length) = (vec![0; 100_000], 0);
    loop {
        let read = socket.read(&mut block).expect("bytes");
        if read == 0 {
            return length;
        }
        let mut seen = block.get(..read).expect("bytes");
        while !seen.is_empty() {
            let wanted = stream.next(seen.len());
            let (head, rest) = seen.split_at(wanted.len());
            assert!(head == wanted, "tunnel {number} differs after {length} bytes");
            seen = rest;
        }
        length += read;
    }
}

/// A target, and tunnels to it.
struct Target {
    listener: TcpListener,
}

impl Target {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").expect("a port") }
    }

    /// Opens a tunnel; returns both of its ends.
    fn tunnel(&self, daemon: &Daemon) -> (TcpStream, TcpStream) {
        let near = TcpStream::connect(daemon.address).expect("a connection");
        let target = self.listener.local_addr().expect("an address");
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        (&near).write_all(head.as_bytes()).expect("written");
        near.set_read_timeout(Some(LIMIT)).expect("a limit");
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            (&near).read_exact(&mut byte).expect("an answer");
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        let far = self.listener.accept().expect("the tunnel").0;
        for end in [&near, &far] {
            end.set_read_timeout(Some(LIMIT)).expect("a limit");
            end.set_write_timeout(Some(LIMIT)).expect("a limit");
        }
        (near, far)
    }
}

#[test]
fn a_gibibyte_in_64_tunnels_arrives_both_ways_at_once() {
    const TUNNELS: usize = 64;
    const EACH: usize = 16 * 1024 * 1024;
    let home = Home::new();
    let (daemon, target) = (Daemon::through(&home, &[]), Target::new());
    let tunnels: Vec<_> = (0..TUNNELS).map(|_| target.tunnel(&daemon)).collect();
    thread::scope(|scope| {
        for (number, (near, far)) in tunnels.iter().enumerate() {
            let back = number + TUNNELS;
            scope.spawn(move || send(near, number, EACH));
            scope.spawn(move || send(far, back, EACH));
            scope.spawn(move || assert_eq!(receive(far, number), EACH));
            scope.spawn(move || assert_eq!(receive(near, back), EACH));
        }
    });
}

#[test]
fn what_comes_after_a_half_close_arrives() {
    const EACH: usize = 3_000_000;
    let home = Home::new();
    let (daemon, target) = (Daemon::through(&home, &[]), Target::new());
    let (near, far) = target.tunnel(&daemon);
    thread::scope(|scope| {
        scope.spawn(|| send(&near, 1, EACH));
        assert_eq!(receive(&far, 1), EACH);
        scope.spawn(|| send(&far, 2, EACH));
        assert_eq!(receive(&near, 2), EACH);
    });
}

#[test]
fn more_tunnels_than_pipes_wait_for_their_receivers_and_lose_nothing() {
    // 64 pipes, which all hold bytes while nobody reads; the other tunnels copy.
    const TUNNELS: usize = 80;
    const EACH: usize = 20 * 1024 * 1024;
    const BUFFER: usize = 32 * 1024;
    let home = Home::new();
    let (daemon, target) = (Daemon::through(&home, &[]), Target::new());
    set_socket_recv_buffer_size(&target.listener, BUFFER).expect("a size");
    let tunnels: Vec<_> = (0..TUNNELS).map(|_| target.tunnel(&daemon)).collect();
    let (sent, gate) = (AtomicUsize::new(0), RwLock::new(()));
    let closed = gate.write().expect("a gate");
    thread::scope(|scope| {
        for (number, (near, far)) in tunnels.iter().enumerate() {
            set_socket_send_buffer_size(near, BUFFER).expect("a size");
            let (sent, gate) = (&sent, &gate);
            scope.spawn(move || {
                let mut stream = Stream::new(number);
                let mut left = EACH;
                while left > 0 {
                    let bytes = stream.next(left.min(BUFFER));
                    (&mut &*near).write_all(bytes).expect("written");
                    left -= bytes.len();
                    sent.fetch_add(bytes.len(), Ordering::Relaxed);
                }
                near.shutdown(Shutdown::Write).expect("closed");
            });
            scope.spawn(move || {
                // Also where the test has failed: its threads have to end.
                drop(gate.read());
                assert_eq!(receive(far, number), EACH);
            });
        }
        let closed = closed;
        let mut before = 0;
        eventually("every sender is held up", || {
            thread::sleep(Duration::from_millis(200));
            let now = sent.load(Ordering::Relaxed);
            (std::mem::replace(&mut before, now) == now && now > 0).then_some(())
        });
        assert!(before < TUNNELS * EACH, "nobody was held up");
        drop(closed);
    });
}

#[test]
fn a_peer_that_resets_while_much_is_on_its_way_ends_its_tunnel_and_no_other() {
    let home = Home::new();
    let (daemon, target) = (Daemon::through(&home, &[]), Target::new());
    let (other_near, other_far) = target.tunnel(&daemon);
    for is_target in [false, true] {
        let (near, far) = target.tunnel(&daemon);
        let (sender, receiver) = if is_target { (near, far) } else { (far, near) };
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let block = vec![7; 1024 * 1024];
                // Until the other end is gone; a limit of time would be an error of another kind.
                loop {
                    if let Err(error) = (&sender).write_all(&block) {
                        return error.kind();
                    }
                }
            });
            let mut block = vec![0; 1024 * 1024];
            (&receiver).read_exact(&mut block).expect("bytes");
            set_socket_linger(&receiver, Some(Duration::ZERO)).expect("a reset");
            drop(receiver);
            let error = sending.join().expect("a thread");
            let gone = [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::BrokenPipe];
            assert!(gone.contains(&error), "{error:?}");
        });
    }
    thread::scope(|scope| {
        scope.spawn(|| send(&other_near, 3, 1_000_000));
        assert_eq!(receive(&other_far, 3), 1_000_000);
    });
}

#[test]
fn ten_thousand_tunnels_need_no_more_files_than_a_few() {
    // 400 files are enough for 100 clients: a leak of one file in thirty tunnels would show.
    const TUNNELS: usize = 10_000;
    const AT_ONCE: usize = 8;
    let home = Home::new();
    home.write(".config/gocred/config.toml", "[proxy]\nallow = [\"127.0.0.0/8\"]\n");
    let run = home.run("sh").args(["-c", "ulimit -n 400; exec \"$@\"", "sh", GOCRED]);
    let daemon = Daemon::start(&run.args(["proxy", "run", "--listen", "127.0.0.1:0"]));
    thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let daemon = &daemon;
            scope.spawn(move || {
                let target = Target::new();
                let block = vec![9; 100_000];
                for number in 0..TUNNELS / AT_ONCE {
                    let (near, far) = target.tunnel(daemon);
                    // Enough for a pipe, and an end while it may be in use.
                    if number % 10 == worker {
                        let _ = (&near).write(&block);
                        let _ = (&far).read(&mut vec![0; 1000]);
                    }
                    drop((near, far));
                }
            });
        }
    });
}
