//! Goes on as `gocred`, which lies beside this program, with a question that it was asked.
//!
//! The same process goes on, so that nobody waits for a child, and the question lies in a pipe: the
//! kernel's memory, which is never swapped and which no other process can read. The command line has
//! no secret.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Becomes `gocred helper OPERATION` with the request on its standard input. It returns only where
/// that fails, or where a process cannot become another one.
pub fn exec(operation: &str, request: &[u8]) -> io::Result<ExitCode> {
    become_it(sibling()?, operation, request)
}

fn sibling() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(if cfg!(windows) { "gocred.exe" } else { "gocred" }))
}

#[cfg(unix)]
fn become_it(program: PathBuf, operation: &str, request: &[u8]) -> io::Result<ExitCode> {
    use std::{ffi::CString, os::unix::ffi::OsStringExt};
    let question = filled(request)?;
    let program = CString::new(program.into_os_string().into_vec())?;
    let operation = CString::new(operation)?;
    rustix::stdio::dup2_stdin(&question)?;
    let failed = nix::unistd::execv(&program, &[program.as_c_str(), c"helper", &operation]);
    failed.map(|never| match never {}).map_err(Into::into)
}

/// Returns the reading end of a pipe that holds all of it: nobody writes on once we are another.
#[cfg(unix)]
fn filled(request: &[u8]) -> io::Result<io::PipeReader> {
    let (reader, mut writer) = io::pipe()?;
    // What does not fit is refused, not waited for.
    rustix::io::ioctl_fionbio(&writer, true)?;
    #[cfg(target_os = "linux")]
    if request.len() > USUAL {
        rustix::pipe::fcntl_setpipe_size(&writer, request.len())?;
    }
    writer.write_all(request)?;
    Ok(reader)
}

/// What a pipe holds, in bytes, unless it is asked for more (`pipe(7)`).
#[cfg(target_os = "linux")]
const USUAL: usize = 65_536;

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "it is awaited as long as the other lives")]
fn become_it(program: PathBuf, operation: &str, request: &[u8]) -> io::Result<ExitCode> {
    use std::process::{Command, Stdio};
    let mut child =
        Command::new(program).args(["helper", operation]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // Who ends without reading has said why.
        let _ = input.write_all(request);
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;

    use super::filled;

    #[test]
    fn a_request_of_any_size_lies_in_the_pipe_and_ends_there() {
        for length in [0, 1, 4096, 65_536, 65_537, 300_000, 1024 * 1024] {
            let request: Vec<u8> = (0..=255).cycle().take(length).collect();
            let mut read = Vec::new();
            filled(&request).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == request, "{length}");
        }
    }
}
