//! The rows.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{
    Bench, MANY, MODULES,
    flaky::Flaky,
    modules,
    servers::{CLEAR, ROUND_TRIP, Servers},
};
use crate::{
    proxy::{
        load::{self, Seen},
        process::Process,
    },
    rounds::{Pairs, median, pairs, percentile, turns},
    table::{Goal, Table},
};

/// A front, and where it listens.
struct Front {
    process: Process,
    address: SocketAddr,
}

impl Front {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Bench<'_> {
    fn front(&self, port: u16, upstream: &str, before: &[&str]) -> Front {
        let ca = self.servers.ca.display().to_string();
        let env = [("SSL_CERT_FILE", ca.as_str()), ("NO_PROXY", "*")];
        let (process, address) = self.field.front(port, upstream, &env, before);
        Front { process, address }
    }

    /// Downloads in pairs, straight and through the front; returns the seconds of both, and what failed.
    /// `then` is called after each, with 0 for the first.
    fn beside(
        &self,
        project: &Path,
        urls: [&str; 2],
        rounds: usize,
        mut then: impl FnMut(usize),
    ) -> (Pairs<f64>, Vec<String>) {
        // The first fills what each of them keeps, and writes go.sum.
        let run = |url: &str| self.go.download(project, url, &self.servers.ca);
        let mut failed: Vec<String> = urls.iter().filter_map(|url| run(url).err()).collect();
        then(usize::MAX);
        let results = pairs([&0, &1], rounds, |number: &usize| {
            let result = run(urls[*number]);
            then(*number);
            result
        });
        let mut whole = Vec::new();
        for pair in results.pairs {
            match pair {
                [Ok(straight), Ok(through)] => whole.push([straight, through]),
                pair => failed.extend(pair.into_iter().filter_map(Result::err)),
            }
        }
        (Pairs { pairs: whole }, failed)
    }

    /// 60 modules from a server on this machine.
    pub fn modules(&self, table: &mut Table) {
        let project = modules::project(&self.field.work.join("go"), MODULES);
        let url = Servers::clear();
        let front = self.front(7701, &url, &[]);
        let urls = [url.as_str(), &front.url()];
        let (times, failed) = self.beside(&project, urls, self.scale.near, |_| ());
        table.time(
            &format!("`go mod download` of {MODULES} modules through the front, × straight"),
            times.ratio().0,
            Goal::AtMost(1.10),
            &beside(&times),
        );
        count(table, "failed downloads", &failed);
    }

    /// The same from servers at the end of a long way.
    pub fn round_trip(&self, table: &mut Table) {
        let project = modules::project(&self.field.work.join("go"), MODULES);
        let mut failed = Vec::new();
        for (port, far) in (7702..).zip(&self.servers.far) {
            let front = self.front(port, &far.url, &[]);
            let (mut connections, speaks) = ([0, 0], far.speaks);
            let urls = [far.url.as_str(), &front.url()];
            let (times, errors) = self.beside(&project, urls, self.scale.far, |number| {
                let count = far.connections();
                if let Some(sum) = connections.get_mut(number) {
                    *sum += count;
                }
            });
            failed.extend(errors);
            let away = ROUND_TRIP.as_millis();
            table.time(
                &format!("the same in TLS, {away} ms away, server with {speaks}, × straight"),
                times.ratio().0,
                Goal::AtMost(1.0),
                &format!(
                    "{}; {} connections for {}",
                    beside(&times),
                    connections[1],
                    connections[0]
                ),
            );
        }
        count(table, "failed downloads from far away", &failed);
    }

    /// What the front adds to one request.
    pub fn latency(&self, table: &mut Table) {
        let front = self.front(7711, &Servers::clear(), &[]);
        let ends = [CLEAR, front.address];
        let seen = turns(&ends, self.scale.rounds, |address| {
            let asked = load::ask(*address, &self.servers.small, 1, self.scale.span);
            self.runtime.block_on(asked)
        });
        for (share, goal) in [(0.5, 0.2), (0.99, 1.0)] {
            let of = |rounds: &[Seen]| {
                let each = |seen: &Seen| percentile(&mut seen.times.clone(), share);
                median(&mut rounds.iter().map(each).collect::<Vec<_>>())
            };
            let (straight, through) = (of(&seen[0]), of(&seen[1]));
            table.time(
                &format!("a request through the front, added p{:.0}, ms", share * 100.0),
                through - straight,
                Goal::AtMost(goal),
                &format!("{through:.3}; straight {straight:.3}"),
            );
        }
        let errors: Vec<String> = seen[1].iter().filter_map(|seen| seen.error.clone()).collect();
        count(table, "failed requests, one at a time", &errors);
    }

    /// How many requests the front answers on one core: it has the first, the load the others.
    pub fn rate(&self, table: &mut Table) {
        let front = self.front(7712, &Servers::clear(), &["taskset", "-c", "0"]);
        let mut rates = Vec::new();
        let (mut costs, mut errors) = (Vec::new(), Vec::new());
        for _ in 0..self.scale.rounds {
            let before = front.process.cpu();
            let asked = load::ask(front.address, &self.servers.small, 16, self.scale.span);
            let seen = self.runtime.block_on(asked);
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let each = (front.process.cpu() - before) * 1e6 / seen.times.len().max(1) as f64;
            costs.push(each);
            rates.push(seen.per_second());
            errors.extend(seen.error);
        }
        let (cost, rate) = (median(&mut costs), median(&mut rates));
        // By its own CPU time: what else the machine does takes time of the same core.
        table.time(
            "requests a second of 1 KB through the front, one core",
            1e6 / cost,
            Goal::AtLeast(10_000.0),
            &format!("{cost:.0} µs CPU each; {rate:.0}/s by the clock, 16 clients"),
        );
        count(table, "failed requests, 16 at a time", &errors);
    }

    /// What a large zip adds to the memory.
    pub fn large(&self, table: &mut Table) {
        let front = self.front(7713, &Servers::clear(), &[]);
        let mut errors = Vec::new();
        let mut warm = || {
            let asked =
                load::ask(front.address, &self.servers.small, 2, Duration::from_millis(500));
            errors.extend(self.runtime.block_on(asked).error);
        };
        warm();
        let before = front.process.memory();
        let (mut most, start) = (before, Instant::now());
        let (address, path) = (front.address, self.servers.large.as_str());
        let bytes = thread::scope(|scope| {
            let reader = scope.spawn(move || read(address, path));
            while !reader.is_finished() {
                most = most.max(front.process.memory());
                thread::sleep(Duration::from_millis(5));
            }
            reader.join().expect("a reader")
        });
        let took = start.elapsed().as_secs_f64();
        let whole = self.scale.large * 1024 * 1024;
        errors.extend(match bytes {
            Ok(bytes) if bytes >= whole => None,
            Ok(bytes) => Some(format!("{bytes} bytes")),
            Err(error) => Some(error.to_string()),
        });
        #[expect(clippy::cast_precision_loss, reason = "precise enough")]
        let rate = whole as f64 / 1e9 / took;
        table.time(
            &format!("memory that a zip of {} MiB adds, MiB", self.scale.large),
            (most - before) / 1024.0,
            Goal::AtMost(1.0),
            &format!("{rate:.2} GB/s; {:.1} MiB in all", most / 1024.0),
        );
        count(table, "large zips that were not whole", &errors);
    }

    /// 200 modules from a server of which one answer in ten fails.
    pub fn flaky(&self, table: &mut Table) {
        let project = modules::project(&self.field.work.join("go"), MANY);
        let server = Flaky::start(&self.servers.folder);
        let url = format!("http://{}", server.address);
        let straight = |url: &str| self.go.download(&project, url, &self.servers.ca);
        straight(&url).expect("a download while nothing fails");
        let _ = server.requests();
        straight(&url).expect("a download while nothing fails");
        let needed = server.requests();
        server.fail();
        let bare = (0..3).filter(|_| straight(&url).is_err()).count();
        let _ = server.requests();
        let front = self.front(7714, &url, &[]);
        let runs = self.scale.flaky;
        let mut failed = Vec::new();
        let mut times = Vec::new();
        for _ in 0..runs {
            match straight(&front.url()) {
                Ok(time) => times.push(time),
                Err(error) => failed.push(error),
            }
        }
        let note = format!(
            "of {runs}, {:.1} s each; go alone fails {bare} of 3 {}",
            median(&mut times),
            failed.first().map(String::as_str).unwrap_or_default()
        );
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let (asked, needed) = (server.requests() as f64, (needed * runs as u64) as f64);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let failures = failed.len() as f64;
        let what = format!("failed downloads of {MANY} modules, 10 % of answers 503 or reset");
        table.count(&what, failures, 0.0, &note);
        table.count(
            "requests beyond those that go needs, %",
            (asked / needed - 1.0) * 100.0,
            15.0,
            &format!("{needed:.0} needed"),
        );
    }
}

/// Says what a ratio was made of.
fn beside(times: &Pairs<f64>) -> String {
    let ([straight, through], (_, [low, high])) = (times.medians(), times.ratio());
    let pairs = times.pairs.len();
    format!(
        "{:.0} ms; straight {:.0} ms; half of {pairs} pairs between {low:.2} and {high:.2}",
        through * 1e3,
        straight * 1e3
    )
}

fn count(table: &mut Table, what: &str, errors: &[String]) {
    let note = errors.first().map(String::as_str).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    table.count(what, errors.len() as f64, 0.0, note);
}

/// Fetches a path and throws it away; returns how many bytes came.
fn read(address: SocketAddr, path: &str) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let (mut block, mut bytes) = (vec![0; 256 * 1024], 0);
    loop {
        match stream.read(&mut block)? {
            0 => return Ok(bytes),
            length => bytes += length as u64,
        }
    }
}
