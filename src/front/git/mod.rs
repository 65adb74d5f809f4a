//! The git credential helper: reads one request, asks the broker, writes one answer.
//!
//! It deliberately reads nothing of the current folder, which may be an untrusted repository, starts
//! no thread and no process, and says nothing on standard error when all is well: cmd/go reads both
//! streams as one (git-helper.md §1.7.3). What goes wrong is one line, and git asks the next helper.

mod answering;
mod asker;
mod door;
mod relay;
mod way;
#[cfg(feature = "full")]
mod whole;

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    process::ExitCode,
};

use secrecy::zeroize::Zeroizing;

#[cfg(feature = "full")]
pub(crate) use self::whole::{credential, helper, rejected, relayed};
use self::{answering::Elsewhere, asker::Asker, way::Way};
use crate::{
    broker::{Asked, Broker, Log},
    core::{
        audit::Via,
        fault::Kind as FaultKind,
        gitproto::{
            Operation, Request, answer,
            decode::{Decoder, Progress},
        },
        origin::Origin,
        text::printable,
    },
    front::{self, ui},
    store::{self, Store},
    sys::{clock, env::Env, handover, paths::Paths},
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
            Reply { out: Zeroizing::new(answer::CAPABILITY.to_vec()), ..Reply::default() }
        }
        Operation::Erase | Operation::Get | Operation::Store => read(io::stdin().lock())
            .map_err(Reply::trouble)
            .and_then(|input| run(operation, &input))
            .unwrap_or_else(|reply| reply),
    };
    reply.say();
    ExitCode::SUCCESS
}

/// A request, as it came and as it reads.
pub(crate) struct Input {
    raw: Zeroizing<Vec<u8>>,
    request: Request,
}

/// Reads a request up to the blank line or the end: some callers keep the pipe open.
fn read(mut input: impl Read) -> Result<Input, String> {
    let mut decoder = Decoder::default();
    let mut raw = Zeroizing::new(Vec::new());
    let mut buffer = Zeroizing::new([0; 8192]);
    loop {
        let length = match input.read(buffer.as_mut_slice()) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("the request cannot be read: {error}")),
        };
        let piece = buffer.get(..length).unwrap_or_default();
        keep(&mut raw, piece);
        if decoder.feed(piece).map_err(|error| error.to_string())? == Progress::Ended {
            break;
        }
    }
    let request = decoder.finish().map_err(|error| error.to_string())?;
    Ok(Input { raw, request })
}

/// Appends to secret bytes. A buffer that becomes too small is wiped, which `Vec` does not do.
pub(crate) fn keep(bytes: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let length = bytes.len() + piece.len();
    if length > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(4096) * 2));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(piece);
}

/// Returns what is asked about. The error is the whole reply.
fn origin(request: &Request) -> Result<Origin, Reply> {
    if request.protocol.is_none() || request.host.is_none() {
        return Err(Reply::trouble("the request names no protocol or no host"));
    }
    // A host that cannot be one is nobody's: silence.
    request.origin().ok_or_else(Reply::default)
}

/// Reads the environment and the configuration, and answers.
fn run(operation: Operation, input: &Input) -> Result<Reply, Reply> {
    let request = &input.request;
    let origin = origin(request)?;
    let env = Env::take();
    let paths = Paths::resolve(&env).ok_or_else(Reply::homeless)?;
    if let Some(reply) = relay::relay(operation, &input.raw, &env, &paths) {
        return Ok(reply);
    }
    let config = front::config(&paths).map_err(|fault| Reply::trouble(fault.one_line()))?;
    if let Some(reply) = door::answer(operation, request, &origin, &paths, &config) {
        return Ok(reply);
    }
    match way::way(&config, &env, &origin) {
        Way::HandOver => return Ok(hand_over(operation, input)),
        Way::InProcess => {}
    }
    let mut store: Box<dyn Store> = store::keyring(&env);
    let mut log = Log::of(&config, &paths, Via::Helper, Asked::ByParent);
    let mut broker = Broker::new(store.as_mut(), &env, &paths, &config, clock::now());
    if let Some(log) = &mut log {
        broker = broker.journal(log);
    }
    let answer = answering::answer(operation, request, &origin, &mut broker, Asker::of(&env));
    Ok(answer.unwrap_or_else(|Elsewhere| hand_over(operation, input)))
}

/// Lets `gocred` answer. Where this process becomes it, nothing comes back.
fn hand_over(operation: Operation, input: &Input) -> Reply {
    match handover::exec(operation.as_str(), &input.raw) {
        Ok(_) => Reply::default(),
        Err(error) => Reply::trouble(format!(
            "gocred cannot be started, which lies beside git-credential-gocred: {error}"
        )),
    }
}

impl Reply {
    fn say(&self) {
        if let Some(line) = &self.err {
            ui::err(line);
        }
        // A reader that went away is not an error.
        let _ = io::stdout().lock().write_all(&self.out);
    }

    fn homeless() -> Self {
        Self::trouble("there is no home folder; set HOME")
    }

    fn of_host(origin: &Origin, error: &impl std::fmt::Display, command: &str) -> Self {
        Self::trouble(format!("{}: {error}; run: {command}", origin.authority()))
    }

    /// `gocred[K05]: git.corp.example: the keyring is locked; run: gocred unlock`
    fn of_store(origin: &Origin, error: &store::Error) -> Self {
        let (code, place) = (error.code(), origin.authority());
        let command = match code {
            // Nothing but a person helps a login that is over.
            "A32" => format!("gocred login {place}"),
            _ => error.command().to_owned(),
        };
        let what = format!("gocred[{code}]: {place}: {error}; run: {command}");
        Self { err: Some(harmless(&what)), ..Self::default() }
    }

    /// Says what is wrong and kept nothing from being answered.
    fn of_damage(error: &store::Error) -> Self {
        match error {
            store::Error::Withheld { code, what } => {
                Self { err: Some(harmless(&format!("gocred[{code}]: {what}"))), ..Self::default() }
            }
            error => Self::trouble(error),
        }
    }

    /// Says what went wrong in a line that nothing takes for protocol: cmd/go passes it on to
    /// `git credential approve`, where `host=…` would count (git-helper.md §1.7.3).
    fn trouble(what: impl std::fmt::Display) -> Self {
        Self { err: Some(harmless(&format!("gocred: {what}"))), ..Self::default() }
    }
}

fn harmless(line: &str) -> String {
    printable(line).replace('=', "\\u{3d}")
}

#[cfg(test)]
mod tests {
    use super::{Reply, read};

    #[test]
    fn a_line_on_standard_error_is_never_an_attribute() {
        let line = Reply::trouble("host=evil\npassword=x\u{1b}[31m").err.unwrap();
        assert_eq!(line, "gocred: host\\u{3d}evil\\u{a}password\\u{3d}x\\u{1b}[31m");
    }

    #[test]
    fn an_error_in_a_request_never_repeats_it() {
        let error = read(&b"password=S3cret\ngarbage-S3cret\n"[..]).err().unwrap();
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
        let input = read(Open(b"host=h\n\n")).unwrap();
        assert_eq!(input.request.host.as_deref(), Some("h"));
        assert_eq!(input.raw.as_slice(), b"host=h\n\n");
    }
}
