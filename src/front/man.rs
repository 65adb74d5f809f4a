//! `gocred man` and `gocred completions`: generated from the command line's own description.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::{
    cli::{Cli, Completions, Man},
    core::fault::{Fault, Kind},
    front::{Answer, Outcome},
    sys::files,
};

/// Writes the manual pages into a folder, or prints the first one.
pub fn run(arguments: &Man) -> Outcome {
    let mut command = Cli::command();
    command.build();
    match &arguments.folder {
        Some(folder) => pages(&command, "gocred", folder)?,
        None => print(&render(&command, "gocred")?)?,
    }
    Ok(Answer::Yes)
}

/// Prints a completion script.
pub fn completions(arguments: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "gocred", &mut script);
    print(&script)?;
    Ok(Answer::Yes)
}

/// Writes the page of a command, and those of its subcommands as `gocred-login.1`.
fn pages(command: &clap::Command, name: &str, folder: &Path) -> Result<(), Fault> {
    let file = folder.join(format!("{name}.1"));
    files::write_private(&file, &render(command, name)?)
        .map_err(|error| unwritable(&error).at(file.display()))?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        if sub.get_name() != "help" {
            pages(sub, &format!("{name}-{}", sub.get_name()), folder)?;
        }
    }
    Ok(())
}

fn render(command: &clap::Command, name: &str) -> Result<Vec<u8>, Fault> {
    let mut page = Vec::new();
    let named = command.clone().name(name.to_owned()).display_name(name.to_owned());
    clap_mangen::Man::new(named).render(&mut page).map_err(|error| unwritable(&error))?;
    Ok(page)
}

fn print(bytes: &[u8]) -> Result<(), Fault> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

fn unwritable(cause: &std::io::Error) -> Fault {
    Fault::new(Kind::Config, "the pages cannot be written").cause(cause)
}
