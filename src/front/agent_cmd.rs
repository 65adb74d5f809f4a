//! `gocred agent`: the daemon without the loopback proxy.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    agent::Status,
    cli::{Agent as Arguments, AgentStatus},
    core::{
        agent::{self, Flags, Question, Verb, Word},
        fault::{Fault, Kind},
    },
    front::{Answer, Context, Outcome, proxy_cmd, ui},
    proxy::control as daemon,
    sys::{clock, control, detached},
};

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    match arguments {
        Arguments::Run(arguments) => {
            if arguments.in_background {
                detached::leave_terminal();
            }
            proxy_cmd::agent(context)
        }
        Arguments::Start => {
            start(context)?;
            Ok(Answer::Yes)
        }
        Arguments::Status(arguments) => status(arguments, context),
        Arguments::Stop => stop(context),
    }
}

/// Sees to it that an agent runs: that of the loopback proxy, one that systemd starts when it is asked,
/// or one of its own in the background.
pub(crate) fn start(context: &Context) -> Result<(), Fault> {
    /// How long it may take to be there.
    const PATIENCE: Duration = Duration::from_secs(3);
    let path = &context.paths.agent;
    match ask(Verb::Status, b"", context) {
        Ok(_) => return Ok(()),
        Err(control::Error::NotRunning) => {
            detached::start_self(&["agent", "run", "--in-background"]).map_err(|error| {
                Fault::new(Kind::Internal, "the agent cannot be started").cause(error)
            })?;
        }
        Err(error @ control::Error::Foreign) => return Err(fault(error, context)),
        Err(control::Error::Silent) => {}
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if ask(Verb::Status, b"", context).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(Fault::new(Kind::Network, "the agent does not answer after its start")
        .at(path.display())
        .hint("`gocred agent run` says why"))
}

/// Makes the agent forget what it holds. `false`: there is none.
pub(crate) fn lock(context: &Context) -> Result<bool, Fault> {
    match ask(Verb::Lock, b"", context) {
        Ok(_) => Ok(true),
        Err(control::Error::NotRunning) => Ok(false),
        Err(error) => Err(fault(error, context)),
    }
}

fn ask(verb: Verb, body: &[u8], context: &Context) -> Result<agent::Answer, control::Error> {
    let place = context.paths.place(&context.env);
    control::agent(&context.paths.agent, &Question { verb, place, flags: Flags::NONE, body })
}

fn fault(error: control::Error, context: &Context) -> Fault {
    let path = context.paths.agent.display();
    match error {
        control::Error::NotRunning => Fault::new(Kind::NotFound, "the agent is not running")
            .at(path)
            .hint("gocred agent start"),
        control::Error::Foreign => {
            Fault::new(Kind::Policy, "the socket of the agent belongs to another user").at(path)
        }
        control::Error::Silent => Fault::new(Kind::Network, "the agent does not answer")
            .at(&path)
            .hint(format!("`ss -lxp 'src {path}'` shows its process")),
    }
}

fn status(arguments: &AgentStatus, context: &Context) -> Outcome {
    let path = &context.paths.agent;
    let answer = ask(Verb::Status, b"", context).map_err(|error| fault(error, context))?;
    let status: Option<Status> = serde_json::from_slice(&answer.out).ok();
    let status = status.filter(|_| answer.word == Word::Ok);
    let status = status.ok_or_else(|| {
        Fault::new(Kind::Network, "the agent answers in words of another version")
            .at(path.display())
            .hint("gocred agent stop")
    })?;
    if arguments.json {
        ui::json(&status)?;
        return Ok(Answer::Yes);
    }
    let Status { pid, version, started, answered, keys, held, kept, locked } = status;
    let age = proxy_cmd::duration(clock::now().saturating_sub(started));
    ui::out(&format!("running for {age}, process {pid}, version {version}"));
    ui::out(&format!("answering at {}", path.display()));
    let lock = if locked { "in locked memory" } else { "in memory that this system does not lock" };
    ui::out(&format!("holding: {keys} keys of encrypted files, {held} sealed answers, {lock}"));
    if kept > 0 {
        ui::out(&format!(
            "keeping: {kept} secrets that are nowhere else, gone when it is locked or ends"
        ));
    }
    ui::out(&format!("so far: {answered} questions"));
    Ok(Answer::Yes)
}

fn stop(context: &Context) -> Outcome {
    let path = &context.paths.agent;
    match daemon::stop_agent(path) {
        Ok(()) => Ok(Answer::Yes),
        Err(daemon::Error::NotRunning) => {
            // One that is part of the proxy says that it is no agent alone.
            let is_proxy = daemon::status(path).is_ok();
            let what = if is_proxy {
                "the agent is part of the loopback proxy"
            } else {
                "the agent is not running"
            };
            let fault = Fault::new(Kind::NotFound, what).at(path.display());
            Err(if is_proxy { fault.hint("gocred proxy stop") } else { fault })
        }
        Err(error) => Err(proxy_cmd::control_fault(&error, path)),
    }
}
