//! `gocred wrap`: runs a command as it would run alone, measures what it asks of the network, and says why
//! it fails or waits.
//!
//! Everything of ours goes to standard error: standard output is the command's. Nothing of the environment
//! is shown, and what git traces lies in a private file until the end.

mod passing;
mod relay;
mod session;
mod table;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::runtime;

use crate::{
    cli::Wrap,
    core::{
        doctor::watch::{self, Watch},
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, doctor, ui},
    sys::{clock, files, random, run},
};
use relay::Relay;
use session::Session;

/// How long go may take to say its settings.
const SETTINGS: Duration = Duration::from_secs(5);
/// At most so much of a trace is read at a time.
const BLOCK: u64 = 4 * 1024 * 1024;

/// Runs the command.
pub fn run(arguments: &Wrap, context: &Context) -> Outcome {
    let Some((word, words)) = arguments.command.split_first() else { return Ok(Answer::Yes) };
    let Some(program) = find(word, context) else {
        let name = printable(&word.to_string_lossy());
        ui::err(&format!("gocred: {name}: there is no such program on PATH"));
        // What a shell says of it.
        return Ok(Answer::Exit(127));
    };
    let go = Go::of(&program, words);
    let trace = Trace::new(context);
    let mut env: Vec<(&str, OsString)> = Vec::new();
    if let Some(flags) = go.as_ref().and_then(|go| go.flags.as_ref()) {
        env.push(("GOFLAGS", flags.into()));
    }
    if let Some(trace) = &trace {
        env.push(("GIT_TRACE2_EVENT", trace.path.clone().into()));
    }
    let broken = |error: std::io::Error| {
        Fault::new(Kind::Internal, "the command cannot be run").cause(error)
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let hides = go.as_ref().is_some_and(|go| go.flags.is_some());
    let began = clock::now_millis();
    let mut session = Session::new(hides, trace, context);
    let ended = runtime.block_on(async {
        let mut relay = Relay::start(&program, words, &env)?;
        let code = session.follow(&mut relay).await?;
        Ok((code, relay.is_told_to_end()))
    });
    runtime.shutdown_background();
    let (code, is_told_to_end) = ended.map_err(broken)?;
    session.passing.break_line();
    if let Some(go) = &go {
        table::downloaded(&mut session.watch, &go.cache, began);
    }
    table::print(&session.watch, session.took());
    if code != 0 && !is_told_to_end {
        let watch = &session.watch;
        doctor::after_failure(watch.failing().as_ref(), watch.code(), context);
    }
    Ok(Answer::Exit(code))
}

fn find(word: &OsString, context: &Context) -> Option<PathBuf> {
    let name = word.to_str()?;
    if name.contains('/') {
        return Path::new(name).exists().then(|| PathBuf::from(name));
    }
    run::find(name, context.env.text("PATH").unwrap_or_default())
}

/// What is asked of go before it runs.
struct Go {
    /// The flags that it has, and `-x`. `None`: it is not told to trace, or does it already.
    flags: Option<String>,
    /// The module cache.
    cache: PathBuf,
}

impl Go {
    fn of(program: &Path, words: &[OsString]) -> Option<Self> {
        program.file_name().filter(|name| *name == "go")?;
        // In the root folder, and never with another toolchain: no go.mod may have it download one.
        let local = Some("local".as_ref());
        let names = ["-C", "/", "env", "GOFLAGS", "GOMODCACHE"].map(AsRef::as_ref);
        let said = run::run(program, &names, &[("GOTOOLCHAIN", local)], b"", SETTINGS).ok()?;
        let text = String::from_utf8(said.stdout.to_vec()).ok()?;
        let mut lines = text.lines();
        let (flags, cache) = (lines.next()?, lines.next()?);
        let words: Vec<_> = words.iter().filter_map(|word| word.to_str()).collect();
        let has_it = |flag: &str| flag == "-x" || flag == "--x" || flag.starts_with("-x=");
        let is_traced = words.iter().any(|word| has_it(word)) || flags.split(' ').any(has_it);
        let flags = (watch::asks_for_trace(&words) && !is_traced)
            .then(|| format!("{flags} -x").trim_start().to_owned());
        Some(Self { flags, cache: cache.into() })
    }
}

/// Where git traces to: a private file, which is gone in the end.
struct Trace {
    path: PathBuf,
    file: File,
    /// The beginning of a line that is not whole yet.
    rest: String,
}

impl Trace {
    /// Makes it. `None`: git traces elsewhere already, or there is no place for a file.
    fn new(context: &Context) -> Option<Self> {
        if context.env.text("GIT_TRACE2_EVENT").is_some() {
            return None;
        }
        let runtime = context.paths.control.as_deref().and_then(Path::parent);
        let folder = runtime.unwrap_or(&context.paths.state);
        files::create_folder(folder).ok()?;
        let id = u64::from_ne_bytes(random::bytes().ok()?);
        let path = folder.join(format!("wrap-{id:016x}.jsonl"));
        drop(files::open_log(&path).ok()?);
        let file = File::open(&path).ok()?;
        Some(Self { path, file, rest: String::new() })
    }

    /// Reads what is new. Returns whether there was something.
    fn read(&mut self, watch: &mut Watch, now: Duration) -> bool {
        let mut bytes = Vec::new();
        let size = Read::by_ref(&mut self.file).take(BLOCK).read_to_end(&mut bytes);
        if !size.is_ok_and(|size| size > 0) {
            return false;
        }
        self.rest += &String::from_utf8_lossy(&bytes);
        while let Some((line, rest)) = self.rest.split_once('\n') {
            watch.event(line, now);
            self.rest = rest.to_owned();
        }
        true
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
