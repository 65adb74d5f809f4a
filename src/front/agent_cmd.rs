//! `gocred agent`: the daemon without the loopback proxy.

use crate::{
    agent::Status,
    cli::{Agent as Arguments, AgentStatus},
    core::{
        agent::{Flags, Question, Verb, Word},
        fault::{Fault, Kind},
    },
    front::{Answer, Context, Outcome, proxy_cmd, ui},
    proxy::control as daemon,
    sys::{clock, control},
};

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    match arguments {
        Arguments::Run => proxy_cmd::agent(context),
        Arguments::Status(arguments) => status(arguments, context),
        Arguments::Stop => stop(context),
    }
}

fn status(arguments: &AgentStatus, context: &Context) -> Outcome {
    let place = context.paths.place(&context.env);
    let question = Question { verb: Verb::Status, place, flags: Flags::NONE, body: b"" };
    let path = &context.paths.agent;
    let answer = control::agent(path, &question).map_err(|error| match error {
        control::Error::NotRunning => Fault::new(Kind::NotFound, "the agent is not running")
            .at(path.display())
            .hint("gocred agent run"),
        control::Error::Foreign => Fault::new(Kind::Policy, error.to_string()).at(path.display()),
        control::Error::Silent => Fault::new(Kind::Network, "the agent does not answer")
            .at(path.display())
            .hint(format!("`ss -lxp 'src {}'` shows its process", path.display())),
    })?;
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
    let Status { pid, version, started, answered } = status;
    let age = proxy_cmd::duration(clock::now().saturating_sub(started));
    ui::out(&format!("running for {age}, process {pid}, version {version}"));
    ui::out(&format!("answering at {}", path.display()));
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
