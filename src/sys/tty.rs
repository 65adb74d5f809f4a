//! The person at the terminal. Prompts never use the streams of a protocol, and decide nothing.

use std::io::{self, IsTerminal};
#[cfg(feature = "full")]
use std::io::{BufRead, BufReader, Write};

#[cfg(feature = "full")]
use crate::core::secret::SecretString;

/// Returns whether a person can read what goes to standard error.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Returns whether a person reads what goes to standard output.
#[cfg(feature = "full")]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether a person can answer on standard input.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Returns whether standard output goes to another program, and neither to a screen nor to a file.
#[cfg(all(unix, feature = "full"))]
pub fn stdout_is_pipe() -> bool {
    use rustix::fs::{FileType, fstat};
    let kind = fstat(io::stdout()).map(|stat| FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket))
}

/// Returns whether standard output goes elsewhere than to a screen.
#[cfg(all(not(unix), feature = "full"))]
pub fn stdout_is_pipe() -> bool {
    !io::stdout().is_terminal()
}

/// Returns whether a terminal controls this process: when that is closed, the process gets SIGHUP.
#[cfg(all(unix, feature = "full"))]
pub fn is_controlled() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Asks on the terminal and returns the line, without blanks around it.
#[cfg(feature = "full")]
pub fn ask(prompt: &str) -> io::Result<String> {
    let mut terminal = std::fs::OpenOptions::new().write(true).open(if cfg!(windows) {
        "CONOUT$"
    } else {
        "/dev/tty"
    })?;
    terminal.write_all(prompt.as_bytes())?;
    terminal.flush()?;
    let answers = std::fs::File::open(if cfg!(windows) { "CONIN$" } else { "/dev/tty" })?;
    let mut line = String::new();
    if BufReader::new(answers).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim().to_owned())
}

/// Asks on the terminal, and does not show what is typed.
///
/// Ctrl-C raises SIGINT while the terminal is still silent: the caller keeps a handler installed, so
/// that the terminal is restored before the process ends.
#[cfg(feature = "full")]
pub fn ask_secret(prompt: &str) -> io::Result<SecretString> {
    rpassword::prompt_password(prompt).map(SecretString::from)
}
