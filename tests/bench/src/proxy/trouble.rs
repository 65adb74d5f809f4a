//! The rows of single moments: the start, an upstream that is gone, and who asks.

use std::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use gocred::sys::peer::{Peer as Owner, Registry};

use super::{
    Bench,
    load::{self, Way},
    peers::Peer,
    process::Process,
    servers::{ORIGIN, ORIGIN_ADDRESS, UPSTREAM, at},
};
use crate::{
    rounds::median,
    table::{Goal, Table},
};

impl Bench<'_> {
    /// From the start of the process to the first answer.
    pub fn start(&self, table: &mut Table) {
        let address = at([127, 0, 0, 1], 7651);
        let way =
            Way { proxy: address, origin: ORIGIN_ADDRESS.to_string(), login: None, is_asked: true };
        let (mut times, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..self.scale.starts {
            let start = Instant::now();
            let process =
                Process::start(self.field.gocred_command(address, &["DIRECT"], &[]), address);
            let opened = self.runtime.block_on(load::within(load::open(&way, &mut Vec::new())));
            times.push(start.elapsed().as_secs_f64() * 1e3);
            opened.expect("a first answer");
            memory.push(process.memory() / 1024.0);
        }
        let peers = [self.field.tinyproxy(7652), self.field.haproxy(7653, ORIGIN_ADDRESS)];
        let note = |figure: fn(&Process) -> f64| {
            let text = |peer: &Peer| {
                let process = peer.process.as_ref().expect("a process");
                format!("{} {:.1}", peer.name, figure(process))
            };
            peers.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        let accepted = note(|process| process.took.as_secs_f64() * 1e3);
        let accepted = format!("until they accept, once: {accepted}");
        table.time("start to first answer, ms", median(&mut times), Goal::AtMost(10.0), &accepted);
        let beside = note(|process| process.memory() / 1024.0);
        table.time("memory after it, MiB", median(&mut memory), Goal::AtMost(10.0), &beside);
    }

    /// Two upstreams, of which the first is gone.
    pub fn fail_over(&self, table: &mut Table) {
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("its address")
        };
        let (silent, mut port, mut errors) = (self.servers.silent, 7660, 0);
        for (what, first, limits) in
            [("closed", closed, [10.0, 5.0]), ("silent", silent, [300.0, 5.0])]
        {
            let (mut firsts, mut others) = (Vec::new(), Vec::new());
            let first = format!("http://{first}");
            for _ in 0..self.scale.rounds {
                port += 1;
                let peer = self.field.gocred(port, &[&first, UPSTREAM], &[]);
                for request in 0..21 {
                    let start = Instant::now();
                    let mut buffer = Vec::new();
                    let opened = load::within(load::open(&peer.way, &mut buffer));
                    if self.runtime.block_on(opened).is_err() {
                        errors += 1;
                    }
                    let times = if request == 0 { &mut firsts } else { &mut others };
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            let [once, after] = limits;
            let title = format!("first upstream {what}: first tunnel, ms");
            table.time(&title, median(&mut firsts), Goal::AtMost(once), "its login included");
            let title = format!("first upstream {what}: later ones, p50, ms");
            table.time(&title, median(&mut others), Goal::AtMost(after), "");
        }
        table.count("failed tunnels beside a dead upstream", f64::from(errors), 0.0, ORIGIN);
    }

    /// The question who is at the other end of a connection.
    pub fn uid(&self, table: &mut Table) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let local = listener.local_addr().expect("its address");
        let _client = TcpStream::connect(local).expect("a connection");
        let (_stream, remote) = listener.accept().expect("a connection");
        let mut registry = Registry::default();
        let mut times = Vec::new();
        for _ in 0..2000 {
            let start = Instant::now();
            let owner = registry.owner(local, remote);
            times.push(start.elapsed().as_secs_f64() * 1e6);
            assert!(matches!(owner, Owner::User(_)), "{owner:?}");
        }
        table.time("uid of a client, µs", median(&mut times), Goal::AtMost(15.0), "none has one");
    }
}
