//! `gocred man` and `gocred completions`: generated from the command line's own description.

use std::{fmt::Write as _, io::Write};

use clap::CommandFactory;

use crate::{
    cli::{Cli, Completions, Man},
    core::fault::{EXIT_CODES, Fault, Kind},
    front::{Answer, Outcome},
    sys::{
        env::{OF_CI, VARIABLES},
        files,
    },
};

/// Writes the manual pages into a folder, or prints the first one.
pub fn run(arguments: &Man) -> Outcome {
    if let Some(folder) = &arguments.folder {
        let written = files::create_folder(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        written.map_err(|error| unwritable(&error).at(folder.display()))?;
    } else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
        rendered.map_err(|error| unwritable(&error))?;
        print(&page)?;
    }
    Ok(Answer::Yes)
}

/// Returns the tables of exit codes and variables, for `gocred --help` and gocred(1).
pub fn reference() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (code, meaning) in EXIT_CODES {
        let _ = writeln!(text, "  {code:<4} {meaning}");
    }
    text.push_str("\nEnvironment variables:\n");
    for (name, meaning) in VARIABLES.iter().chain(OF_CI) {
        let _ = writeln!(text, "  {name}: {meaning}");
    }
    text
}

/// Prints a completion script.
pub fn completions(arguments: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "gocred", &mut script);
    print(&script)?;
    Ok(Answer::Yes)
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
