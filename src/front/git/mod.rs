//! The git credential helper: reads one request, asks the broker, writes one answer.
//!
//! It deliberately reads nothing of the current folder, which may be an untrusted repository, starts
//! no thread and no process, and says nothing on standard error when all is well: cmd/go reads both
//! streams as one (git-helper.md §1.7.3). What goes wrong is one line, and git asks the next helper.

mod door;
mod way;

use std::{
    ffi::OsStr,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Write},
    process::ExitCode,
};

use secrecy::zeroize::Zeroizing;

use crate::{
    broker::{Broker, Found, Proofs, Question, Refuted},
    core::{
        credential::{Entry, Key, Kind, Record},
        fault::Kind as FaultKind,
        gitproto::{
            Operation, Request,
            answer::{self, Part},
            decode::{Decoder, Progress},
            receipt::{self, Moment, Seen},
        },
        origin::Origin,
        text::printable,
    },
    front::{self, git::way::Way, ui},
    store::{self, Store},
    sys::{clock, env::Env, paths::Paths},
};

/// What goes out, and nothing else does.
#[derive(Debug, Default)]
pub struct Reply {
    /// Standard output: the protocol's.
    pub out: Zeroizing<Vec<u8>>,
    /// Standard error: one line at most.
    pub err: Option<String>,
}

/// Runs the helper for its first argument. Exits with 0, because git ignores the code and the next
/// helper must have its turn; with 2 when there is no argument.
pub fn main(operation: Option<&OsStr>) -> ExitCode {
    let Some(word) = operation else {
        ui::err("usage: git-credential-gocred get|store|erase|capability");
        return ExitCode::from(FaultKind::Usage.exit_code());
    };
    // A word of a later git is passed over in silence (gitcredentials(7)).
    let Some(operation) = word.to_str().and_then(Operation::parse) else {
        return ExitCode::SUCCESS;
    };
    let reply = match operation {
        Operation::Capability => {
            Reply { out: Zeroizing::new(answer::CAPABILITY.to_vec()), err: None }
        }
        Operation::Erase | Operation::Get | Operation::Store => {
            read(io::stdin().lock()).map_or_else(Reply::trouble, |request| run(operation, &request))
        }
    };
    if let Some(line) = &reply.err {
        ui::err(line);
    }
    // A reader that went away is not an error.
    let _ = io::stdout().lock().write_all(&reply.out);
    ExitCode::SUCCESS
}

/// Reads a request up to the blank line or the end: some callers keep the pipe open.
fn read(mut input: impl Read) -> Result<Request, String> {
    let mut decoder = Decoder::default();
    let mut buffer = Zeroizing::new([0; 8192]);
    loop {
        let length = match input.read(buffer.as_mut_slice()) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("the request cannot be read: {error}")),
        };
        let piece = buffer.get(..length).unwrap_or_default();
        if decoder.feed(piece).map_err(|error| error.to_string())? == Progress::Ended {
            break;
        }
    }
    decoder.finish().map_err(|error| error.to_string())
}

/// Reads the environment and the configuration, and answers.
fn run(operation: Operation, request: &Request) -> Reply {
    if request.protocol.is_none() || request.host.is_none() {
        return Reply::trouble("the request names no protocol or no host");
    }
    // A host that cannot be one is nobody's: silence.
    let Some(origin) = request.origin() else { return Reply::default() };
    let env = Env::take();
    let Some(paths) = Paths::resolve(&env) else {
        return Reply::trouble("there is no home folder; set HOME");
    };
    let config = match front::config(&paths) {
        Ok(config) => config,
        Err(fault) => return Reply::trouble(fault.one_line()),
    };
    if let Some(reply) = door::answer(operation, request, &origin, &paths, &config) {
        return reply;
    }
    if way::way(&config, &env, &origin) == Way::HandOver {
        return Reply::trouble("the store or source of the configuration is not built yet");
    }
    let mut store: Box<dyn Store> = store::keyring(&env);
    let mut broker = Broker::new(store.as_mut(), &env, &paths, &config, clock::now());
    let mut reply = match operation {
        Operation::Capability => Reply::default(),
        Operation::Erase => erase(request, &origin, &mut broker, caller(&env)),
        Operation::Get => get(request, &origin, &mut broker, &env),
        Operation::Store => keep(request, &origin, &mut broker),
    };
    if let (Some(damage), None) = (broker.damage(), &reply.err) {
        reply.err = Reply::trouble(damage).err;
    }
    reply
}

fn get(request: &Request, origin: &Origin, broker: &mut Broker<'_>, env: &Env) -> Reply {
    let question = Question {
        origin,
        path: request.path.as_deref(),
        user: request.username.as_deref(),
        proofs: if request.capabilities.authtype { Proofs::All } else { Proofs::Passwords },
    };
    let encoded = match broker.ask(&question) {
        Ok(Some(Found::Complete(record, source))) => {
            let stamp = request.capabilities.state.then(|| broker.stamp()).flatten();
            let state = stamp.map(|stamp| {
                let Record { entry: Entry { key, expires, stored: _, hidden: _ }, secrets } =
                    &record;
                let seen = Seen { origin, user: &key.user, secrets, expires: *expires };
                // std seeds every `RandomState` from the system's randomness.
                let salt = RandomState::new().build_hasher().finish();
                receipt::state(source, &seen, Moment { salt, stamp })
            });
            answer::encode(&record, Part::Whole, state.as_deref(), request.capabilities)
        }
        Ok(Some(Found::Renewable(record))) => {
            answer::encode(&record, Part::Renewal, None, request.capabilities)
        }
        Ok(None) => return Reply::default(),
        Err(error) => {
            let mut reply = Reply::of_store(origin, &error);
            // Nobody can unlock it: the next prompt would hang or fail with less to go by.
            if error.waits_for_a_person() && env.is_unattended() {
                reply.out = Zeroizing::new(answer::QUIT.to_vec());
            }
            return reply;
        }
    };
    encoded.map_or_else(
        |unsendable| {
            Reply::of_host(origin, &unsendable, &format!("gocred login {}", origin.authority()))
        },
        |out| Reply { out, err: None },
    )
}

fn keep(request: &Request, origin: &Origin, broker: &mut Broker<'_>) -> Reply {
    // One leg of several is worth nothing later, and `ephemeral` says so itself (git 2.46).
    if request.ephemeral || request.multistage {
        return Reply::default();
    }
    let Some(secrets) = request.secrets() else { return Reply::default() };
    let seen = Seen {
        origin,
        user: request.username.as_deref().unwrap_or_default(),
        secrets: &secrets,
        expires: request.password_expiry_utc,
    };
    let confirms = |stamp| receipt::confirms(&request.state, &seen, stamp);
    if !request.state.is_empty() && broker.stamp().is_some_and(confirms) {
        return Reply::default();
    }
    let key = Key {
        kind: Kind::Git,
        origin: origin.clone(),
        path: request.path.clone(),
        user: request.username.clone().unwrap_or_default(),
    };
    match broker.approve(key, secrets, request.password_expiry_utc) {
        Ok(_) => Reply::default(),
        Err(error) => Reply::of_store(origin, &error),
    }
}

fn erase(request: &Request, origin: &Origin, broker: &mut Broker<'_>, by: &str) -> Reply {
    let refuted = Refuted {
        origin,
        path: request.path.as_deref(),
        user: request.username.as_deref(),
        password: request.password.as_ref(),
        credential: request.credential.as_ref(),
    };
    match broker.reject(&refuted, by) {
        Ok(_) => Reply::default(),
        Err(error) => Reply::of_store(origin, &error),
    }
}

/// Returns what `status` shows for who erased. cmd/go sets both variables for every git that it runs
/// (modload/init.go); others may set them too, so that this is a guess and says so.
fn caller(env: &Env) -> &'static str {
    let is = |name, value| env.text(name).is_some_and(|text| text == value);
    if is("GCM_INTERACTIVE", "never") && is("GIT_TERMINAL_PROMPT", "0") {
        "git erase (probably run by go)"
    } else {
        "git erase"
    }
}

impl Reply {
    fn of_host(origin: &Origin, error: &impl std::fmt::Display, command: &str) -> Self {
        Self::trouble(format!("{}: {error}; run: {command}", origin.authority()))
    }

    /// `gocred[K05]: git.corp.example: the keyring is locked; run: gocred unlock`
    fn of_store(origin: &Origin, error: &store::Error) -> Self {
        let (code, command) = (error.code(), error.command());
        let what = format!("gocred[{code}]: {}: {error}; run: {command}", origin.authority());
        Self { out: Zeroizing::default(), err: Some(harmless(&what)) }
    }

    /// Says what went wrong in a line that nothing takes for protocol: cmd/go passes it on to
    /// `git credential approve`, where `host=…` would count (git-helper.md §1.7.3).
    fn trouble(what: impl std::fmt::Display) -> Self {
        Self { out: Zeroizing::default(), err: Some(harmless(&format!("gocred: {what}"))) }
    }
}

fn harmless(line: &str) -> String {
    printable(line).replace('=', "\\u{3d}")
}

#[cfg(test)]
mod tests {
    use super::{Reply, caller, read};
    use crate::sys::env::Env;

    #[test]
    fn a_line_on_standard_error_is_never_an_attribute() {
        let line = Reply::trouble("host=evil\npassword=x\u{1b}[31m").err.unwrap();
        assert_eq!(line, "gocred: host\\u{3d}evil\\u{a}password\\u{3d}x\\u{1b}[31m");
    }

    #[test]
    fn an_error_in_a_request_never_repeats_it() {
        let error = read(&b"password=S3cret\ngarbage-S3cret\n"[..]).unwrap_err();
        assert!(!error.contains("S3cret"), "{error}");
    }

    #[test]
    fn reading_stops_at_the_blank_line_of_a_caller_that_keeps_the_pipe_open() {
        struct Open<'a>(&'a [u8]);
        impl std::io::Read for Open<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                assert!(!self.0.is_empty(), "nobody reads on");
                std::io::Read::read(&mut self.0, buffer)
            }
        }
        assert_eq!(read(Open(b"host=h\n\n")).unwrap().host.as_deref(), Some("h"));
    }

    #[test]
    fn go_is_named_only_where_its_environment_is_seen() {
        assert_eq!(caller(&Env::of(&[])), "git erase");
        assert_eq!(caller(&Env::of(&[("GIT_TERMINAL_PROMPT", "0")])), "git erase");
        let go = Env::of(&[("GIT_TERMINAL_PROMPT", "0"), ("GCM_INTERACTIVE", "never")]);
        assert_eq!(caller(&go), "git erase (probably run by go)");
    }
}
