//! The neighbours: what docker, Bazel, cargo, pip, uv, Terraform and kubectl run when they need a
//! credential. Each is a symbolic link to `gocred`, which knows by its name what it is.
//!
//! They answer from the same broker as git's helper, by the same rules: an origin's secret goes to that
//! origin, nobody else's is looked for, and a store that is locked is an error with its code, never "not
//! found". They deliberately ask nobody anything, except `cargo login` at a terminal.

mod bazel;
mod cargo;
mod desk;
mod docker;
mod json;
mod kept;
mod keyring;
mod kubectl;
mod place;
mod relay;
mod terraform;
mod trouble;

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
};

use secrecy::zeroize::Zeroizing;

use self::{
    desk::Desk,
    kept::Forgotten,
    place::{Place, Reach, Wish},
    trouble::Trouble,
};
use crate::{core::fault::Kind, front::ui};

/// The longest question, in bytes.
const MAX_INPUT: usize = 1024 * 1024;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Bazel, and what else speaks the protocol of its credential helpers.
    Bazel,
    /// cargo.
    Cargo,
    /// docker, podman, skopeo, buildah.
    Docker,
    /// pip and uv, which ask the program `keyring`.
    Keyring,
    /// kubectl, and what else reads a kubeconfig.
    Kubectl,
    /// Terraform and `OpenTofu`.
    Terraform,
}

impl Tool {
    /// Each by the name of its link.
    pub const ALL: [(&str, Self); 6] = [
        ("bazel-credential-gocred", Self::Bazel),
        ("cargo-credential-gocred", Self::Cargo),
        ("docker-credential-gocred", Self::Docker),
        ("keyring", Self::Keyring),
        ("kube-credential-gocred", Self::Kubectl),
        ("terraform-credentials-gocred", Self::Terraform),
    ];

    /// Returns who asks a program of this name, as it was started. `None`: it is `gocred` itself.
    pub fn called(program: &OsStr) -> Option<Self> {
        let name = Path::new(program).file_name()?.to_str()?;
        let name = name.strip_suffix(".exe").unwrap_or(name);
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
    }
}

/// Answers a tool.
pub fn run(tool: Tool, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    // What is no text is no word of any of them.
    let arguments: Vec<String> =
        arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = match tool {
        Tool::Bazel => bazel::run(&arguments),
        Tool::Cargo => cargo::run(&arguments),
        Tool::Docker => docker::run(&arguments),
        Tool::Keyring => keyring::run(&arguments),
        Tool::Kubectl => kubectl::run(&arguments),
        Tool::Terraform => terraform::run(&arguments),
    };
    said.say()
}

/// What goes out.
#[derive(Debug, Default)]
struct Said {
    /// Standard output: the tool's protocol.
    out: Zeroizing<Vec<u8>>,
    /// Standard error: one line at most.
    err: Option<String>,
    /// The exit code.
    code: u8,
}

impl Said {
    fn say(self) -> ExitCode {
        if let Some(line) = &self.err {
            ui::err(line);
        }
        let mut stdout = io::stdout().lock();
        // Half an answer is none.
        match stdout.write_all(&self.out).and_then(|()| stdout.flush()) {
            Ok(()) => ExitCode::from(self.code),
            Err(_) => ExitCode::from(Kind::Config.exit_code()),
        }
    }
}

/// An answer for standard output, or a line for standard error.
impl From<Result<Zeroizing<Vec<u8>>, Trouble>> for Said {
    fn from(answer: Result<Zeroizing<Vec<u8>>, Trouble>) -> Self {
        match answer {
            Ok(out) => Self { out, err: None, code: 0 },
            Err(trouble) => {
                let (line, code) = (trouble.to_string(), trouble.kind.exit_code());
                Self { out: Zeroizing::default(), err: Some(line), code }
            }
        }
    }
}

/// Reads a question to its end.
fn read(mut input: impl Read) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let mut bytes = Zeroizing::new(Vec::new());
    while take(&mut input, &mut bytes)? > 0 {}
    Ok(bytes)
}

/// Reads what there is, and returns how much that was. Nothing of it stays behind: the pieces are as
/// large as the buffer that standard input has of its own, which is then not used.
fn take(input: &mut impl Read, bytes: &mut Zeroizing<Vec<u8>>) -> Result<usize, Trouble> {
    let mut piece = Zeroizing::new([0; 8192]);
    loop {
        match input.read(piece.as_mut_slice()) {
            Ok(count) if bytes.len() + count > MAX_INPUT => {
                return Err(Trouble::usage("the question is longer than 1 MiB"));
            }
            Ok(count) => {
                crate::front::git::keep(bytes, piece.get(..count).unwrap_or_default());
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Trouble::usage(format!("the question cannot be read: {error}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{MAX_INPUT, Tool, read};

    #[test]
    fn a_program_is_what_it_is_called() {
        for (name, tool) in [
            ("docker-credential-gocred", Some(Tool::Docker)),
            ("/home/ana/.local/bin/cargo-credential-gocred", Some(Tool::Cargo)),
            ("./keyring", Some(Tool::Keyring)),
            ("terraform-credentials-gocred.exe", Some(Tool::Terraform)),
            ("gocred", None),
            ("/opt/keyring/gocred", None),
            ("keyring2", None),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(Tool::called(OsStr::new(name)), tool, "{name}");
        }
    }

    #[test]
    fn a_question_has_an_end() {
        let longest = vec![b'x'; MAX_INPUT];
        assert_eq!(read(longest.as_slice()).unwrap().len(), MAX_INPUT);
        let error = read(vec![b'x'; MAX_INPUT + 1].as_slice()).unwrap_err().to_string();
        assert!(error.contains("1 MiB") && !error.contains("xx"), "{error}");
    }
}
