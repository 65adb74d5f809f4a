//! The daemon without the loopback proxy: the agent alone.

use tokio::runtime;

use crate::{
    core::fault::{Fault, Kind},
    front::{
        Answer, Context, Outcome, agent_desk,
        proxy_cmd::{
            broken, control_fault, listen,
            signals::{Signalled, Signals},
        },
        ui,
    },
    proxy::{
        control::{self, Bound, THREADS},
        spare,
    },
    sys::{
        inherit,
        notify::{self, State},
    },
};

/// Runs it until it is stopped.
pub(crate) fn run(context: &Context) -> Outcome {
    let runtime = spare::look().and_then(|()| {
        let mut builder = runtime::Builder::new_current_thread();
        builder.max_blocking_threads(THREADS).enable_all().build()
    });
    let runtime = runtime.map_err(|error| broken("the runtime does not start", &error))?;
    let result = runtime.block_on(until_stopped(context));
    // An answer that waits for a keyring must not keep the process.
    runtime.shutdown_background();
    result.map(|()| Answer::Yes)
}

async fn until_stopped(context: &Context) -> Result<(), Fault> {
    let mut signals =
        Signals::new().map_err(|error| broken("signals cannot be received", &error))?;
    let agent = agent_desk::agent(context)?.ok_or_else(|| {
        Fault::new(
            Kind::Policy,
            "this system does not tell its users apart: nobody can be answered",
        )
        .hint("start the container as a user of its own, such as `--user 1000`")
    })?;
    let path = &context.paths.agent;
    let handed =
        inherit::take().map_err(|error| broken("a socket cannot be taken over", &error))?;
    let bound = match listen::control(handed.unix, Some(path))? {
        Some(listener) => Bound::adopt(path, listener),
        None => Bound::bind(path),
    };
    let control = bound.and_then(|bound| bound.answer(Some(agent)));
    let mut control = control.map_err(|error| match error {
        control::Error::Running => Fault::new(Kind::Policy, "the agent is already running")
            .at(path.display())
            .hint("`gocred agent status` shows it; the loopback proxy is one, too"),
        error => control_fault(&error, path),
    })?;
    ui::out(&format!("answering at {}", path.display()));
    notify::tell(State::Ready, &context.env);
    tokio::select! {
        () = control.serve_alone() => {}
        () = ended(&mut signals) => {}
    }
    notify::tell(State::Stopping, &context.env);
    Ok(())
}

/// Waits for a signal to end. There is nothing to read anew: each question reads what has changed.
async fn ended(signals: &mut Signals) {
    while signals.next().await == Signalled::Reload {}
}
