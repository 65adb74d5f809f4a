//! `gocred proxy pac`: what a PAC file answers for a URL, and why.

use std::{
    io::{self, BufReader},
    path::PathBuf,
};

use serde::Serialize;
use tokio::runtime;

use crate::{
    cli::ProxyPac as Arguments,
    core::{
        config::{PacError, PacSource, Upstream},
        fault::{Fault, Kind},
        pac::{
            answer::{self, Choice},
            question::Question,
            source_line,
        },
        target::Authority,
        text::{printable, start},
        upstream::{self, Hop, Rules},
    },
    front::{Answer, Context, Outcome, ui},
    net::pac::{self, Call, Explained, Found, LoadError, Lookup, Pac, Program},
    sys::{env::Env, limits},
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;
/// With more calls than this, only those are shown that did not say no.
const MANY: usize = 24;

/// What the command found.
#[derive(Serialize)]
struct Report {
    schema: u32,
    url: String,
    host: String,
    script: String,
    answer: String,
    /// The line of the script that has the answer.
    line: Option<u32>,
    choices: Vec<String>,
    notes: Vec<String>,
    calls: Vec<Told>,
    names: Vec<Resolved>,
    milliseconds: f64,
    /// Why the script is not asked for this target, if it is not.
    exempt: Option<Exempt>,
    route: Vec<String>,
}

/// What goes straight before any script is asked.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Exempt {
    Loopback,
    NoProxy,
}

#[derive(Serialize)]
struct Told {
    line: Option<u32>,
    call: String,
    result: String,
}

#[derive(Serialize)]
struct Resolved {
    name: String,
    addresses: Vec<String>,
    answered: bool,
    milliseconds: f64,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let (question, target) = Question::parse(&arguments.target).ok_or_else(|| {
        Fault::new(Kind::Usage, "the target is no http or https URL, and no `host[:port]`")
            .hint("gocred proxy pac https://git.corp.example")
    })?;
    let source = source(arguments, context)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Fault::new(Kind::Internal, "the runtime does not start").cause(error))?;
    let result = runtime.block_on(explain(&source, &question, &context.env));
    // A name that is still being resolved must not keep the process.
    runtime.shutdown_background();
    let (loaded, explained) = result?;
    let report = report(&question, &target, &loaded, explained, context);
    let is_usable = report.exempt.is_some() || !report.choices.is_empty();
    if arguments.json {
        ui::json(&report)?;
    } else {
        tell(&report, &loaded.text);
    }
    Ok(if is_usable { Answer::Yes } else { Answer::No })
}

/// Runs the engine's process for the proxy (`net::pac::child`).
pub fn engine() -> Outcome {
    limits::confine();
    pac::child::serve(BufReader::new(io::stdin()), io::stdout())
        .map(|()| Answer::Yes)
        .map_err(|error| Fault::new(Kind::Internal, "the script engine failed").cause(error))
}

/// Returns how the engine's process is started: as this very program, whatever has become of its file.
pub(crate) fn program(env: &Env) -> io::Result<Program> {
    let own = PathBuf::from("/proc/self/exe");
    let path = if own.exists() { own } else { std::env::current_exe()? };
    let zone = env.raw("TZ").map(ToOwned::to_owned);
    Ok(Program { path, arguments: vec!["proxy", "pac-engine"], zone })
}

fn source(arguments: &Arguments, context: &Context) -> Result<PacSource, Fault> {
    let Some(text) = &arguments.pac else {
        return context.config.proxy.pac.clone().ok_or_else(|| {
            Fault::new(Kind::Config, "no PAC file is configured: `proxy.pac` is not set")
                .at(context.paths.config.display())
                .hint(format!("gocred proxy pac {} --pac FILE", ui::word(&arguments.target)))
        });
    };
    let parsed = PacSource::parse(text).or_else(|error| match error {
        // On a command line, a path begins where the person is.
        PacError::Neither if !text.is_empty() => {
            std::path::absolute(text).map(PacSource::File).map_err(|_| error)
        }
        _ => Err(error),
    });
    parsed.map_err(|error| {
        Fault::new(Kind::Usage, "--pac takes a file, a URL, `desktop` or `wpad`")
            .cause(error)
            .hint("gocred proxy pac https://git.corp.example --pac ./proxy.pac")
    })
}

async fn explain(
    source: &PacSource,
    question: &Question,
    env: &Env,
) -> Result<(pac::Loaded, Explained), Fault> {
    let loaded = pac::load(source, env).await.map_err(|error| not_loaded(&error))?;
    let program = program(env).map_err(|error| {
        Fault::new(Kind::Internal, "gocred does not find its own program").cause(error)
    })?;
    let wrong = |error| broken(&error, &loaded);
    let pac = Pac::start(loaded.text.clone(), program).await.map_err(wrong)?;
    let explained = pac.explain(question).await.map_err(wrong)?;
    Ok((loaded, explained))
}

fn not_loaded(error: &LoadError) -> Fault {
    let kind = match error {
        LoadError::Fetch { .. }
        | LoadError::NoDomain
        | LoadError::Timeout { .. }
        | LoadError::Wpad(_) => Kind::Network,
        LoadError::Content { .. }
        | LoadError::Desktop(_)
        | LoadError::Elsewhere(_)
        | LoadError::File { .. } => Kind::Config,
    };
    let fault = Fault::new(kind, "the PAC file cannot be loaded").cause(error);
    match error {
        LoadError::Content { place, .. } | LoadError::Fetch { place, .. }
            if place.contains("://") =>
        {
            fault.hint(format!("`curl --noproxy '*' -sS {}` shows what comes", ui::word(place)))
        }
        LoadError::Elsewhere(_) => fault.hint("gocred proxy pac URL --pac SOURCE"),
        LoadError::NoDomain | LoadError::Wpad(_) => {
            fault.hint("`grep -E 'search|domain' /etc/resolv.conf` shows the search domains")
        }
        LoadError::Content { .. }
        | LoadError::Desktop(_)
        | LoadError::Fetch { .. }
        | LoadError::File { .. }
        | LoadError::Timeout { .. } => fault,
    }
}

fn broken(error: &pac::Error, loaded: &pac::Loaded) -> Fault {
    let line = match error {
        pac::Error::Script { line, .. } => *line,
        _ => None,
    };
    let at = line.map_or_else(|| loaded.place.clone(), |line| format!("{}:{line}", loaded.place));
    let fault = Fault::new(Kind::Config, "the PAC file gives no answer").cause(error).at(at);
    let shown = line.and_then(|line| source_line::text(&loaded.text, line));
    let fault = match shown {
        Some(text) => fault.cause(printable(&shortened(text))),
        None => fault,
    };
    fault.hint(
        "meanwhile the proxy takes the way of `proxy.upstream`: `gocred config show --origin`",
    )
}

fn report(
    question: &Question,
    target: &Authority,
    loaded: &pac::Loaded,
    explained: Explained,
    context: &Context,
) -> Report {
    let Explained { text, calls, lookups, computed } = explained;
    let answer = answer::parse(&text);
    let last = calls.iter().rev().find_map(|call| call.line);
    let config = &context.config.proxy;
    let upstream: Vec<Upstream> = answer.choices.iter().cloned().map(Upstream::from).collect();
    // What the script does not name is what is configured (net::pac).
    let upstream = if upstream.is_empty() { config.upstream.clone() } else { upstream };
    let exempt = exempt(target, &config.no_proxy);
    let rules = Rules { upstream, no_proxy: config.no_proxy.clone() };
    // Without a proxy there, an answer that cannot be used must not lead around all of them.
    let is_nowhere = exempt.is_none() && rules.upstream.is_empty();
    let route = if is_nowhere { Vec::new() } else { upstream::route(target, &rules) };
    Report {
        schema: SCHEMA,
        url: question.url.clone(),
        host: question.host.clone(),
        script: loaded.place.clone(),
        line: source_line::of_answer(&loaded.text, &text, last),
        answer: printable(&text),
        choices: answer.choices.iter().map(Choice::to_string).collect(),
        notes: answer.notes.iter().map(ToString::to_string).collect(),
        calls: calls.into_iter().map(told).collect(),
        names: lookups.into_iter().map(resolved).collect(),
        milliseconds: milliseconds(computed),
        exempt,
        route: route.iter().map(hop).collect(),
    }
}

/// Returns why a target goes straight before any script is asked.
fn exempt(target: &Authority, no_proxy: &str) -> Option<Exempt> {
    let is_straight = |list: &str| {
        let upstream = vec![Upstream::Direct, Upstream::Direct];
        upstream::route(target, &Rules { upstream, no_proxy: list.to_owned() }).len() == 1
    };
    if is_straight("") {
        Some(Exempt::Loopback)
    } else {
        is_straight(no_proxy).then_some(Exempt::NoProxy)
    }
}

fn hop(hop: &Hop) -> String {
    match hop {
        Hop::Direct => "DIRECT".to_owned(),
        Hop::Via(origin) => origin.to_string(),
    }
}

/// What the engine's process says is text from outside: a script may have taken it over.
fn told(call: Call) -> Told {
    let Call { line, function, arguments, result } = call;
    let call = format!("{function}({})", arguments.join(", "));
    Told { line, call: printable(&call), result: printable(&result) }
}

fn resolved(lookup: Lookup) -> Resolved {
    let Lookup { name, found, took } = lookup;
    let (addresses, answered) = match found {
        Found::Addresses(addresses) => (addresses.iter().map(ToString::to_string).collect(), true),
        Found::Timeout => (Vec::new(), false),
    };
    Resolved { name, addresses, answered, milliseconds: milliseconds(took) }
}

fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

fn tell(report: &Report, script: &str) {
    ui::out(&format!("{} ({}) in {}", report.url, report.host, report.script));
    tell_calls(report);
    for Resolved { name, addresses, answered, milliseconds } in &report.names {
        let found = match (answered, addresses.is_empty()) {
            (false, _) => "no resolver answered".to_owned(),
            (true, true) => "does not resolve".to_owned(),
            (true, false) => addresses.join(", "),
        };
        ui::out(&format!("resolved: {name}: {found} ({milliseconds} ms)"));
    }
    let shown = if report.answer.is_empty() { "nothing" } else { &report.answer };
    ui::out(&format!("answer: {shown} ({} ms)", report.milliseconds));
    if let Some(number) = report.line {
        let text = source_line::text(script, number).unwrap_or_default();
        ui::out(&format!("from line {number}: {}", printable(&shortened(text))));
    }
    for (choice, number) in report.choices.iter().zip(1..) {
        ui::out(&format!("  {number}. {choice}"));
    }
    for note in &report.notes {
        ui::out(&format!("  passed over: {note}"));
    }
    let why = match (report.exempt, report.choices.is_empty()) {
        (Some(Exempt::Loopback), _) => " (it is this machine; the PAC file is not asked)",
        (Some(Exempt::NoProxy), _) => " (`proxy.no_proxy` names it; the PAC file is not asked)",
        (None, true) => " (`proxy.upstream`: the answer names nothing that gocred can use)",
        (None, false) => "",
    };
    let route = match report.route.as_slice() {
        [] => "nowhere".to_owned(),
        route => route.join(", then "),
    };
    ui::out(&format!("gocred goes: {route}{why}"));
}

fn tell_calls(report: &Report) {
    let calls = &report.calls;
    let is_no = |call: &Told| matches!(call.result.as_str(), "false" | "null" | "\"\"");
    let mut left_out = 0_usize;
    for (at, call) in calls.iter().enumerate() {
        if calls.len() > MANY && is_no(call) && at + 1 < calls.len() {
            left_out += 1;
            continue;
        }
        let number = call.line.map_or_else(|| "-".to_owned(), |line| line.to_string());
        ui::out(&format!("{number:>6}  {} -> {}", call.call, call.result));
    }
    if left_out > 0 {
        ui::out(&format!("        ({left_out} calls that said no are left out; --json has them)"));
    }
}

/// Cuts a line of a script off; some are the whole script.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    let shown = start(text, MOST);
    if shown.len() < text.len() { format!("{shown}…") } else { text.to_owned() }
}
