//! Wears `gocred proxy run`, and looks at what it has lost or kept afterwards.
//!
//! `soak GOCRED [--short] [PHASE]...`. Each phase prints a line; the exit code says whether all was well.
//! Nothing here knows the inside of the proxy: it counts what clients and upstreams saw, and what the
//! kernel says of the process.

mod client;
mod daemon;
mod modules;
mod upstream;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use client::{Outcome, Through};
use daemon::Daemon;
use upstream::Upstream;

/// How much of it.
struct Scale {
    flaps: u32,
    up: Duration,
    down: Duration,
    transfers: usize,
    requests: u64,
    resets: u64,
    tunnels: usize,
    bytes: u64,
    /// Of two hundred modules each.
    downloads: u64,
}

const MIB: u64 = 1024 * 1024;
const WHOLE: Scale = Scale {
    flaps: 1000,
    up: Duration::from_millis(400),
    down: Duration::from_millis(200),
    transfers: 200,
    requests: 1_000_000,
    resets: 50_000,
    tunnels: 64,
    bytes: 16 * MIB,
    downloads: 6_000,
};
const SHORT: Scale = Scale {
    flaps: 50,
    up: Duration::from_millis(250),
    down: Duration::from_millis(150),
    transfers: 200,
    requests: 60_000,
    resets: 4_000,
    tunnels: 64,
    bytes: MIB,
    downloads: 40,
};
/// Clients at a time, where not the number of clients is what wears.
const CLIENTS: usize = 16;

type Phase = fn(&str, &Scale) -> Result<String, String>;
const PHASES: [(&str, Phase); 5] = [
    ("flaps", flaps),
    ("requests", requests),
    ("resets", resets),
    ("bulk", bulk),
    ("flaky", modules::flaky),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(gocred) = arguments.first() else {
        eprintln!("usage: soak GOCRED [--short] [PHASE]...");
        return ExitCode::from(2);
    };
    let scale = if arguments.iter().any(|argument| argument == "--short") { SHORT } else { WHOLE };
    let named: Vec<&String> = arguments.iter().skip(1).filter(|word| *word != "--short").collect();
    let mut phases = PHASES.to_vec();
    if !named.is_empty() {
        phases.retain(|(name, _)| named.iter().any(|word| word == name));
        if phases.len() != named.len() {
            eprintln!("soak: there is no such phase in {named:?}");
            return ExitCode::from(2);
        }
    }
    let mut failed = false;
    for (name, phase) in phases {
        let begun = Instant::now();
        let result = phase(gocred, &scale);
        let (word, told) = match &result {
            Ok(told) => ("ok", told),
            Err(told) => ("FAILED", told),
        };
        failed |= result.is_err();
        println!("soak {name:<9} {word:<6} {:>6.1} s  {told}", begun.elapsed().as_secs_f64());
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The first of two upstreams goes down and up; transfers go on all the while. A transfer may break
/// only if it was under way through the first one when that went down.
fn flaps(gocred: &str, scale: &Scale) -> Result<String, String> {
    let (mut first, second) = (Upstream::start('A', 0), Upstream::start('B', 0));
    let daemon = Daemon::start(gocred, &[&first.url(), &second.url()]);
    let falls = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..scale.transfers)
        .map(|number| {
            let (falls, over) = (Arc::clone(&falls), Arc::clone(&over));
            let address = daemon.address;
            thread::spawn(move || {
                let mut tally = client::Tally::default();
                let mut round = number as u64;
                while !over.load(Relaxed) {
                    round += 1;
                    let before = falls.load(Relaxed);
                    // Some of them short, some longer than a flap.
                    let length = 1 << (6 + round * 7 % 13);
                    let outcome = if number % 4 == 3 {
                        client::get(address)
                    } else {
                        client::transfer(address, round, length, Duration::from_millis(round % 300))
                    };
                    tally.take(outcome, falls.load(Relaxed) != before);
                }
                tally
            })
        })
        .collect();
    let (mut in_use, mut taken_over) = (0, 0);
    for _ in 0..scale.flaps {
        let before = first.served();
        thread::sleep(scale.up);
        in_use += u64::from(first.served() > before);
        falls.fetch_add(1, Relaxed);
        first.down();
        let before = second.served();
        thread::sleep(scale.down);
        taken_over += u64::from(second.served() > before);
        first.up();
        // Who was under way until now was under way while it was down.
        falls.fetch_add(1, Relaxed);
    }
    // It is used again, as soon as it is tried again.
    let before = first.served();
    let returned = daemon::within(Duration::from_secs(330), || first.served() > before + 20);
    over.store(true, Relaxed);
    let mut tally = client::Tally::default();
    for client in clients {
        tally.add(client.join().map_err(|_| "a client has panicked")?);
    }
    daemon.is_at_rest()?;
    let told = format!(
        "{} flaps, {} whole, {} in flight were lost, first in use in {in_use}, second took over in {taken_over}",
        scale.flaps, tally.whole, tally.in_flight
    );
    if !tally.wrong.is_empty() {
        return Err(format!(
            "{told}; {} wrong: {:?}",
            tally.wrong.len(),
            &tally.wrong[..tally.wrong.len().min(3)]
        ));
    }
    if !returned {
        return Err(format!("{told}; the first upstream is not used again: {}", daemon.report()));
    }
    if taken_over < u64::from(scale.flaps) * 9 / 10 || in_use == 0 {
        return Err(told);
    }
    Ok(told)
}

/// Requests on kept connections, and tunnels: what the process holds afterwards is what it held before.
fn requests(gocred: &str, scale: &Scale) -> Result<String, String> {
    let upstream = Upstream::start('A', 0);
    let daemon = Daemon::start(gocred, &[&upstream.url()]);
    load(&daemon, scale.requests / 5)?;
    daemon.is_at_rest()?;
    let before = daemon.holdings();
    let cpu = daemon.cpu();
    load(&daemon, scale.requests)?;
    daemon.is_at_rest()?;
    let after = daemon.holdings();
    let spent = (daemon.cpu() - cpu).as_secs_f64() * 1e6 / scale.requests as f64;
    let told = format!(
        "{} requests, {spent:.0} µs CPU each; KiB {} then {}, files {} then {}, tasks {} then {}",
        scale.requests, before.kib, after.kib, before.files, after.files, before.tasks, after.tasks
    );
    let is_flat = after.kib <= before.kib + 1024
        && after.files == before.files
        && after.tasks <= before.tasks;
    if is_flat { Ok(told) } else { Err(told) }
}

/// Sends so many requests: half of them on kept connections, half as tunnels.
fn load(daemon: &Daemon, requests: u64) -> Result<(), String> {
    let each = requests / CLIENTS as u64;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = daemon.address;
            thread::spawn(move || -> Result<(), String> {
                let mut left = each;
                while left > 0 {
                    if number % 2 == 0 {
                        let at_once = left.min(500);
                        client::gets(address, at_once)?;
                        left -= at_once;
                    } else {
                        match client::transfer(address, left, 64, Duration::ZERO) {
                            Outcome::Whole(_) => left -= 1,
                            outcome => return Err(format!("{outcome:?}")),
                        }
                    }
                }
                Ok(())
            })
        })
        .collect();
    clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a panic".to_owned())?)
}

/// A tenth of the tunnels are reset by the upstream, and a tenth by the client.
fn resets(gocred: &str, scale: &Scale) -> Result<String, String> {
    let upstream = Upstream::start('A', 10);
    let daemon = Daemon::start(gocred, &[&upstream.url()]);
    let round = |requests: u64| -> Result<client::Tally, String> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let address = daemon.address;
                thread::spawn(move || {
                    let mut tally = client::Tally::default();
                    for at in 0..requests / CLIENTS as u64 {
                        let seed = at * CLIENTS as u64 + number as u64;
                        if seed % 10 == 7 {
                            client::reset(address);
                            tally.in_flight += 1;
                            continue;
                        }
                        let outcome = client::transfer(address, seed, 4096, Duration::ZERO);
                        // Where the upstream said that it would.
                        let is_announced =
                            matches!(outcome, Outcome::Broken(Some(Through('R')), _));
                        tally.take(outcome, is_announced);
                    }
                    tally
                })
            })
            .collect();
        let mut tally = client::Tally::default();
        for client in clients {
            tally.add(client.join().map_err(|_| "a client has panicked")?);
        }
        daemon.is_at_rest()?;
        Ok(tally)
    };
    round(scale.resets / 5)?;
    let before = daemon.holdings();
    let tally = round(scale.resets)?;
    let after = daemon.holdings();
    let told = format!(
        "{} whole, {} reset; KiB {} then {}, files {} then {}",
        tally.whole, tally.in_flight, before.kib, after.kib, before.files, after.files
    );
    let is_flat = after.kib <= before.kib + 1024 && after.files == before.files;
    if !tally.wrong.is_empty() || tally.in_flight < scale.resets / 10 || !is_flat {
        return Err(format!("{told}; {:?}", tally.wrong.first()));
    }
    Ok(told)
}

/// Many bytes, both ways at once, in many tunnels: each of them is compared.
fn bulk(gocred: &str, scale: &Scale) -> Result<String, String> {
    let upstream = Upstream::start('A', 0);
    let daemon = Daemon::start(gocred, &[&upstream.url()]);
    let tunnels: Vec<_> = (0..scale.tunnels)
        .map(|number| {
            let (address, bytes) = (daemon.address, scale.bytes);
            thread::spawn(move || client::bulk(address, number as u64, bytes))
        })
        .collect();
    for tunnel in tunnels {
        tunnel.join().map_err(|_| "a client has panicked")??;
    }
    daemon.is_at_rest()?;
    Ok(format!(
        "{} tunnels, {} MiB each both ways, all as it was sent",
        scale.tunnels,
        scale.bytes / MIB
    ))
}
