//! The `gocred` command: parse, run, render the fault, exit.

use std::{alloc::System, process::ExitCode};

use clap::Parser;
use gocred::{
    cli::{Cli, Command, Proxy},
    core::{
        config::Config,
        fault::{Fault, Kind},
    },
    front::{self, Answer, Context, Outcome, neighbour::Tool, renew_worker, ui},
    sys::{env::Env, harden::harden, paths::Paths},
};
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed. Our own buffers wipe themselves; those of TLS, HTTP and JSON, which hold secrets
/// on their way, do not.
#[global_allocator]
static HEAP: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    harden();
    let mut arguments = std::env::args_os();
    if let Some(tool) = arguments.next().and_then(|name| Tool::called(&name)) {
        return front::neighbour::run(tool, arguments);
    }
    let word = arguments.next().and_then(|word| word.into_string().ok());
    match word.as_deref() {
        // Before anything else is read: git waits.
        Some("helper") => return front::helper_cmd::run(arguments.next().as_deref()),
        Some(front::exec::KEEPER) => return front::exec::keep(arguments),
        Some(front::exec::COMMAND) => return front::exec::command(arguments),
        Some(renew_worker::WORD) => return renew_worker::run(),
        Some(_) | None => {}
    }
    // clap exits with 2 for a usage error, as product.md says.
    match run(&Cli::parse()).and_then(heard) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::Exit(code)) => ExitCode::from(code),
        Ok(Answer::No) => ExitCode::from(Kind::NotFound.exit_code()),
        Err(fault) => {
            ui::err(&fault.to_string());
            ExitCode::from(fault.kind.exit_code())
        }
    }
}

/// Passes an answer on that was read: half an answer on a full disk is none.
fn heard(answer: Answer) -> Outcome {
    if ui::is_lost() {
        return Err(Fault::new(
            Kind::Config,
            "standard output cannot be written; it is incomplete",
        ));
    }
    Ok(answer)
}

fn run(cli: &Cli) -> Outcome {
    // It has no home, no configuration and no environment.
    if matches!(cli.command, Command::Proxy(Proxy::PacEngine)) {
        return front::proxy_cmd::pac::engine();
    }
    let context = &match context(&cli.command) {
        Ok(context) => context,
        Err(fault) if matches!(cli.command, Command::Goauth(_)) => {
            return Ok(front::goauth::decline(&fault));
        }
        Err(fault) => return Err(fault),
    };
    match &cli.command {
        Command::Agent(arguments) => front::agent_cmd::run(arguments, context),
        Command::Audit(arguments) => front::audit_cmd::run(arguments, context),
        Command::Completions(arguments) => front::man::completions(arguments),
        Command::Config(arguments) => front::config_cmd::run(arguments, context),
        Command::Doctor(arguments) => front::doctor::run(arguments, context),
        Command::Env(arguments) => front::env_cmd::run(arguments, context),
        Command::Exec(arguments) => front::exec::run(arguments, context),
        Command::Explain(arguments) => front::doctor::explain::run(arguments, context),
        Command::Export(arguments) => front::export::run(arguments, context),
        Command::Goauth(arguments) => front::goauth::run(arguments, context),
        Command::Import(arguments) => front::import::run(arguments, context),
        Command::List(arguments) => front::list::run(arguments, context),
        Command::Lock => front::unlock::lock(context),
        Command::Login(arguments) => front::login::run(arguments, context),
        Command::Logout(arguments) => front::logout::run(arguments, context),
        Command::Man(arguments) => front::man::run(arguments),
        Command::Portal(arguments) => front::doctor::portal::run(arguments, context),
        Command::Proxy(arguments) => front::proxy_cmd::run(arguments, context),
        Command::Route(arguments) => front::doctor::route::run(arguments, context),
        Command::Setup(arguments) => front::setup::run(arguments, context),
        Command::Status(arguments) => front::status::run(arguments, context),
        Command::Store(arguments) => front::store_cmd::run(arguments, context),
        Command::Switch(arguments) => front::switch::run(arguments, context),
        Command::Token(arguments) => front::token::run(arguments, context),
        Command::Undo(arguments) => front::undo::run(arguments, context),
        Command::Unlock(arguments) => front::unlock::run(arguments, context),
        Command::Why(arguments) => front::doctor::why::run(arguments, context),
        Command::Wrap(arguments) => front::doctor::wrap::run(arguments, context),
    }
}

fn context(command: &Command) -> Result<Context, Fault> {
    let env = Env::take();
    let paths = Paths::resolve(&env)
        .ok_or_else(|| Fault::new(Kind::Config, "there is no home folder").hint("set HOME"))?;
    let config = if is_configured(command) { front::config(&paths)? } else { Config::default() };
    Ok(Context { env, paths, config })
}

/// Whether a command reads `config.toml`. What takes gocred away, ends it or describes it works with
/// a broken one, too.
fn is_configured(command: &Command) -> bool {
    match command {
        // The diagnosis says itself what is wrong with it.
        Command::Agent(_)
        | Command::Completions(_)
        | Command::Doctor(_)
        | Command::Explain(_)
        | Command::Lock
        | Command::Man(_)
        | Command::Portal(_)
        | Command::Route(_)
        | Command::Why(_)
        | Command::Wrap(_) => false,
        Command::Proxy(proxy) => {
            matches!(proxy, Proxy::Install(_) | Proxy::Pac(_) | Proxy::Run(_))
        }
        Command::Setup(setup) => !setup.undo,
        Command::Audit(_)
        | Command::Config(_)
        | Command::Env(_)
        | Command::Exec(_)
        | Command::Export(_)
        | Command::Goauth(_)
        | Command::Import(_)
        | Command::List(_)
        | Command::Login(_)
        | Command::Logout(_)
        | Command::Status(_)
        | Command::Store(_)
        | Command::Switch(_)
        | Command::Token(_)
        | Command::Undo(_)
        | Command::Unlock(_) => true,
    }
}
