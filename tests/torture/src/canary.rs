//! A secret that nobody else has, and every place where a copy of it could be left.
//!
//! Each flow is run to its end, and the daemons are asked everything; then their memory, outside locked
//! pages, is searched, and so are core dumps, swap, arguments, environments, logs and files.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    flow::{self, Change, Flow},
    memory,
    process::{Finished, done, finish, signal},
    secret::Secret,
    trace,
    upstream::Scheme,
    world::{HOST, World},
};

const LIMIT: Duration = Duration::from_secs(20);
/// How long after its use a secret may still be somewhere (X1).
const SOON: Duration = Duration::from_secs(1);

/// The places that were searched, and how many copies were found.
#[derive(Default)]
struct Places {
    places: BTreeSet<String>,
    copies: usize,
    is_listed: bool,
}

pub fn run(programs: &Path, is_listed: bool) -> ExitCode {
    let mut places = Places { is_listed, ..Places::default() };
    places.search_finds_a_copy();
    // The daemons have their own.
    for flow in flow::all().iter().filter(|flow| flow.drive.is_none()) {
        places.of_command(flow, programs);
    }
    places.of_agent("the agent, keyring", World::new(programs).with_keyring());
    places.of_agent("the agent, encrypted file", World::new(programs).with_file());
    places.of_agent("the agent, file with a passphrase", World::new(programs).with_passphrase());
    for scheme in Scheme::ALL {
        let world = World::new(programs).with_keyring().signed_in().with_upstream(scheme);
        places.of_proxy(&format!("the proxy, {scheme:?}"), world);
    }
    places.of_cores(World::new(programs).with_keyring().signed_in());
    places.of_git(World::new(programs).with_keyring().signed_in());
    places.end()
}

impl Places {
    /// Notes what was found at a place, also when it is nothing.
    fn note(&mut self, place: String, finds: impl IntoIterator<Item = String>) {
        let finds: Vec<String> = finds.into_iter().collect();
        if self.is_listed {
            println!("{:4}  {place}", finds.len());
        }
        for find in &finds {
            eprintln!("{place}: {find}");
        }
        self.copies += finds.len();
        self.places.insert(place);
    }

    fn bytes(&mut self, place: String, secret: &Secret, bytes: &[u8]) {
        let finds = secret.all(bytes).into_iter();
        self.note(place, finds.map(|(form, at)| format!("{form} at {at}")).collect::<Vec<_>>());
    }

    /// What finds nothing must be able to: a shell that holds the secret.
    fn search_finds_a_copy(&mut self) {
        let secret = Secret::random();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "x=$(cat); echo ready; while :; do sleep 1; done"]);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
        let mut stdin = shell.stdin.take().expect("stdin");
        stdin.write_all(secret.of(0).as_bytes()).expect("input");
        drop(stdin);
        let mut ready = [0; 5];
        shell.stdout.take().expect("stdout").read_exact(&mut ready).expect("ready");
        assert!(!memory::search(shell.id(), &secret).is_empty(), "the search finds nothing");
        let _ = shell.kill();
        let _ = shell.wait();
    }

    /// A command: what it says, whom it tells, what it writes, and what is in its memory at its end.
    fn of_command(&mut self, flow: &Flow, programs: &Path) {
        let world = (flow.world)(World::new(programs));
        let place = |what: &str| format!("{}: {what}", flow.name);
        let mut turn = 0;
        let mut next = || {
            turn += 1;
            (flow.before)(&world, turn);
            let now = world.held(false).unwrap_or_default();
            (flow.command(&world), flow.text(&world, now, turn))
        };
        let (command, input) = next();
        let trace = world.beside("trace");
        let traced = trace::executions(&command, &trace);
        let said = finish(traced, input.as_bytes(), LIMIT, None);
        assert_eq!(said.code, Some(0), "{}: {}", flow.name, said.err());
        self.said(flow.name, &world, &said, flow.change != Change::Answers);
        let executed = fs::read(&trace).expect("a trace");
        self.bytes(
            place("arguments and environment of all that it runs"),
            &world.secret,
            &executed,
        );
        let (command, input) = next();
        let at_end = memory::at_end(&world, &command, &input);
        self.note(place("its memory at its end"), at_end);
        self.note(place("files of the user"), world.leaks(flow.holds));
        if let Some(agent) = world.agent() {
            self.memory(place("memory of the agent"), agent, &world.secret);
        }
    }

    fn said(&mut self, name: &str, world: &World, said: &Finished, is_quiet: bool) {
        self.bytes(format!("{name}: standard error"), &world.secret, &said.err);
        if is_quiet {
            self.bytes(format!("{name}: standard output"), &world.secret, &said.out);
        }
    }

    /// The memory of a daemon, once it had its second.
    fn memory(&mut self, place: String, pid: u32, secret: &Secret) {
        let start = Instant::now();
        let mut finds = memory::search(pid, secret);
        while !finds.is_empty() && start.elapsed() < SOON {
            thread::sleep(Duration::from_millis(100));
            finds = memory::search(pid, secret);
        }
        self.note(place, finds);
    }

    /// What a daemon shows of itself, and what an administrator can take of it.
    fn of_daemon(&mut self, name: &str, world: &World, pid: u32) {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).expect("as root");
            self.bytes(format!("{name}: {file}"), &world.secret, &bytes);
        }
        // To search its memory brings back what is in swap.
        let is_swapped = memory::swapped(pid) > 0;
        let swapped = if is_swapped { memory::search(pid, &world.secret) } else { Vec::new() };
        self.note(format!("{name}: swap"), swapped);
        let core = world.beside("tmp/core");
        let mut gcore = Command::new("gcore");
        gcore.arg("-o").arg(&core).arg(pid.to_string());
        let dumped = finish(gcore, b"", LIMIT * 3, None);
        let core = core.with_extension(pid.to_string());
        let bytes = fs::read(&core).unwrap_or_else(|_| panic!("gcore: {}", dumped.err()));
        self.bytes(format!("{name}: a core that root takes of it (gcore)"), &world.secret, &bytes);
        fs::remove_file(core).expect("removed");
        self.note(format!("{name}: files of the user"), world.leaks(&[]));
    }

    /// The agent, after each thing that it can be asked.
    fn of_agent(&mut self, name: &str, world: World) {
        let world = world.signed_in().with_agent();
        let pid = world.agent().expect("an agent");
        let tell =
            |operation: &str, turn| drop(done(world.helper(operation), &world.request(turn)));
        let run = |words: &[&str]| drop(done(world.gocred(words), ""));
        let is_file = name.contains("file");
        let steps: [(&str, &dyn Fn()); 9] = [
            ("unlock", &|| {
                if is_file {
                    run(&["unlock"])
                }
            }),
            ("get", &|| tell("get", None)),
            ("a get that it remembers", &|| tell("get", None)),
            ("store", &|| tell("store", Some(1))),
            ("login", &|| world.sign_in(2)),
            ("erase", &|| tell("erase", Some(2))),
            ("undo", &|| run(&["undo"])),
            ("goauth", &|| run(&["goauth"])),
            ("lock", &|| run(&["lock"])),
        ];
        for (what, step) in steps {
            step();
            self.memory(format!("{name}: memory after {what}"), pid, &world.secret);
        }
        let said = finish(world.gocred(&["agent", "status", "--json"]), b"", LIMIT, None);
        self.said(&format!("{name}: its status"), &world, &said, true);
        tell("get", None);
        self.of_daemon(name, &world, pid);
    }

    /// The loopback proxy, after each thing that goes through it.
    fn of_proxy(&mut self, name: &str, mut world: World) {
        let log = world.home("access.log");
        let config = format!("[proxy]\naccess_log = \"{}\"\n", log.display());
        world.write(".config/gocred/config.toml", &config);
        let url = world.upstream.as_ref().expect("an upstream").url();
        let mut proxy =
            world.gocred(&["proxy", "run", "--listen", "127.0.0.1:0", "--upstream", &url]);
        world.serve(proxy.stdout(Stdio::piped()), "");
        let line = world.line();
        let pid = *world.servants().last().expect("the proxy");
        let address = line.trim_end().strip_prefix("listening on http://").expect("an address");
        let mut heard = Vec::new();
        let mut ask = |request: &str| {
            let mut stream = TcpStream::connect(address).expect("a connection");
            stream.set_read_timeout(Some(LIMIT)).expect("a limit");
            stream.write_all(request.as_bytes()).expect("sent");
            let mut answer = vec![0; 4096];
            let length = stream.read(&mut answer).expect("an answer");
            answer.truncate(length);
            // What follows, as far as it does: a tunnel stays open.
            stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a limit");
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", answer.escape_ascii());
            heard.extend(answer);
            stream
        };
        let tunnel = "CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n";
        let page = "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n";
        let mut open = vec![ask(tunnel)];
        self.memory(format!("{name}: memory with a tunnel open"), pid, &world.secret);
        open.extend([ask(tunnel), ask(tunnel)]);
        self.memory(format!("{name}: memory with three tunnels open"), pid, &world.secret);
        drop(open);
        self.memory(format!("{name}: memory after tunnels"), pid, &world.secret);
        // This stand-in for a proxy with NTLM does tunnels only.
        if !name.ends_with("Ntlm") {
            ask(page);
            self.memory(format!("{name}: memory after a page"), pid, &world.secret);
        }
        assert_eq!(world.held(true), Ok(Some(0)));
        self.memory(format!("{name}: memory after git asked it, as its agent"), pid, &world.secret);
        done(world.gocred(&["proxy", "reload"]), "");
        ask(tunnel);
        self.memory(format!("{name}: memory after a reload"), pid, &world.secret);
        self.bytes(format!("{name}: what its clients hear"), &world.secret, &heard);
        for words in [&["proxy", "status", "--json"][..], &["proxy", "status"], &["config", "show"]]
        {
            let said = finish(world.gocred(words), b"", LIMIT, None);
            self.said(&format!("{name}: gocred {}", words.join(" ")), &world, &said, true);
        }
        let said = finish(world.gocred(&["proxy", "status", "--url"]), b"", LIMIT, None).out();
        let path = said.trim_end().strip_prefix(&format!("http://{address}")).expect("its page");
        for path in [path.to_owned(), path.replace("/?", "/metrics?")] {
            let mut stream = TcpStream::connect(address).expect("a connection");
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("sent");
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let path = path.split('?').next().unwrap_or_default();
            self.bytes(format!("{name}: its page {path}"), &world.secret, &answer);
        }
        self.bytes(
            format!("{name}: access log"),
            &world.secret,
            &fs::read(log).expect("an access log"),
        );
        self.of_daemon(name, &world, pid);
    }

    /// Programs that die of a fault while they hold the secret.
    fn of_cores(&mut self, world: World) {
        for name in ["ABRT", "SEGV", "BUS", "QUIT"] {
            let folder = world.beside(&format!("tmp/{name}"));
            fs::create_dir(&folder).expect("a folder");
            let helper = world.program("git-credential-gocred");
            let mut shell = world.command("/bin/sh");
            shell.args(["-c", "ulimit -c unlimited; exec \"$0\" store"]).arg(helper);
            shell.current_dir(&folder).stdin(Stdio::piped()).stderr(Stdio::null());
            let mut child = shell.spawn().expect("the helper");
            // It has the secret, and waits for more.
            let request = world.request(Some(1));
            let mut stdin = child.stdin.take().expect("stdin");
            stdin.write_all(request.trim_end().as_bytes()).expect("a request");
            stdin.write_all(b"\n").expect("a request");
            crate::process::eventually("it holds the secret", || {
                (!memory::search(child.id(), &world.secret).is_empty()).then_some(())
            });
            crate::process::eventually("it dies", || {
                // The first SIGSEGV may be taken for a stack that is full.
                signal(name, child.id());
                child.try_wait().expect("a child")
            });
            let cores = fs::read_dir(&folder).expect("a folder").flatten();
            let cores: Vec<String> = cores.map(|core| core.path().display().to_string()).collect();
            self.note(format!("a core of the helper that died of SIG{name}"), cores);
        }
        self.of_machine(&world.secret);
    }

    /// What the system keeps of everybody.
    fn of_machine(&mut self, secret: &Secret) {
        for folder in [
            "/dev/shm",
            "/var/log",
            "/run/log/journal",
            "/var/crash",
            "/var/spool",
            "/var/lib/systemd/coredump",
        ] {
            let mut found = Vec::new();
            search(Path::new(folder), secret, &mut found);
            self.note(format!("{folder} of this machine"), found);
        }
        for (place, file) in
            [("keys of the kernel", "/proc/keys"), ("unix sockets", "/proc/net/unix")]
        {
            let bytes = fs::read(file).unwrap_or_default();
            self.bytes(format!("names of {place}"), secret, &bytes);
        }
        let dmesg = finish(Command::new("dmesg"), b"", LIMIT, None);
        self.bytes("messages of the kernel".to_owned(), secret, &dmesg.out);
    }

    /// Git as it works every day, with everything that it can be told to trace.
    fn of_git(&mut self, world: World) {
        let mut git = world.command("git");
        let helper =
            format!("credential.helper={}", world.program("git-credential-gocred").display());
        git.args(["-c", &helper, "credential", "fill"]);
        let traces = [
            "GIT_TRACE",
            "GIT_TRACE2",
            "GIT_TRACE2_EVENT",
            "GIT_TRACE2_PERF",
            "GIT_TRACE_CURL",
            "GIT_TRACE_SETUP",
        ];
        for name in traces {
            git.env(name, world.beside(&format!("tmp/{name}")));
        }
        let said = finish(git, world.request(None).as_bytes(), LIMIT, None);
        assert!(said.out().contains(&world.secret.of(0)), "{said:?}");
        self.said("git credential fill", &world, &said, false);
        for name in traces {
            let trace = fs::read(world.beside(&format!("tmp/{name}"))).unwrap_or_default();
            self.bytes(format!("git credential fill: {name}"), &world.secret, &trace);
        }
        for words in [&["status", "--json"][..], &["list", "--json"], &["status", HOST]] {
            let said = finish(world.gocred(words), b"", LIMIT, None);
            self.said(&format!("gocred {}", words.join(" ")), &world, &said, true);
        }
    }

    fn end(self) -> ExitCode {
        let Self { copies, places, is_listed: _ } = self;
        println!("copies of the secret: {copies} in {} places", places.len());
        ExitCode::from(u8::from(copies > 0))
    }
}

fn search(folder: &Path, secret: &Secret, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            search(&path, secret, found);
        } else if kind.is_file()
            && let Some((form, at)) = fs::read(&path).ok().and_then(|bytes| secret.find(&bytes))
        {
            found.push(format!("{} ({form} at {at})", path.display()));
        }
    }
}
