//! The `gocred` command: parse, run, render the fault, exit.

use std::process::ExitCode;

use clap::Parser;
use gocred::{
    cli::{Cli, Command},
    core::fault::{Fault, Kind},
    front::{self, Answer, Context, Outcome, ui},
    sys::{env::Env, harden::harden, paths::Paths},
};

fn main() -> ExitCode {
    harden();
    // clap exits with 2 for a usage error, as product.md says.
    match run(&Cli::parse()) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(Kind::NotFound.exit_code()),
        Err(fault) => {
            ui::err(&fault.to_string());
            ExitCode::from(fault.kind.exit_code())
        }
    }
}

fn run(cli: &Cli) -> Outcome {
    let context = &context()?;
    match &cli.command {
        Command::Completions(arguments) => front::man::completions(arguments),
        Command::Env(arguments) => front::env_cmd::run(arguments, context),
        Command::Goauth(arguments) => front::goauth::run(arguments, context),
        Command::Import(arguments) => front::import::run(arguments, context),
        Command::List(arguments) => front::list::run(arguments, context),
        Command::Login(arguments) => front::login::run(arguments, context),
        Command::Logout(arguments) => front::logout::run(arguments, context),
        Command::Man(arguments) => front::man::run(arguments),
        Command::Proxy(arguments) => front::proxy_cmd::run(arguments, context),
        Command::Setup(arguments) => front::setup::run(arguments, context),
        Command::Status(arguments) => front::status::run(arguments, context),
        Command::Undo(arguments) => front::undo::run(arguments, context),
    }
}

fn context() -> Result<Context, Fault> {
    let env = Env::take();
    let paths = Paths::resolve(&env)
        .ok_or_else(|| Fault::new(Kind::Config, "there is no home folder").hint("set HOME"))?;
    let config = front::config(&paths)?;
    Ok(Context { env, paths, config })
}
