//! A home with an encrypted file that a command opens, and one account in it.

use std::{
    fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

const ASK: &str = "protocol=https\nhost=git.corp.test\nusername=ana\n";
/// 32 bytes in base64: as good as a random key, and no passphrase to compute.
const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";

pub struct Home {
    path: PathBuf,
    programs: PathBuf,
}

impl Home {
    pub fn new(programs: &Path) -> Self {
        let path = std::env::temp_dir().join(format!("gocred-torture-{}", std::process::id()));
        fs::create_dir(&path).expect("a home");
        let home = Self { path, programs: programs.to_owned() };
        let key = home.path.join("key");
        fs::write(&key, KEY).expect("the key");
        let mut add = home.run(&home.programs.join("gocred"));
        done(add.args(["store", "add-key", "command", "/bin/cat"]).arg(&key), "");
        let mut login = home.run(&home.programs.join("gocred"));
        login.args(["login", "git.corp.test", "--store", "file", "--no-verify", "--with-token"]);
        done(login.args(["--username", "ana"]), "secret-0");
        home
    }

    pub fn run(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.path).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn helper(&self) -> PathBuf {
        self.programs.join("git-credential-gocred")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Starts a command with the request to store a secret.
    pub fn store(&self, mut command: Command, secret: usize) -> Child {
        let mut child = command.spawn().expect("a program");
        let request = format!("{ASK}password=secret-{secret}\n\n");
        // It may be gone already.
        let _ = child.stdin.take().expect("stdin").write_all(request.as_bytes());
        child
    }

    /// Returns the secret that is answered. Anything else, and anything said about it, is an error.
    pub fn get(&self) -> Result<usize, String> {
        let mut command = self.run(&self.helper());
        let mut child = command.arg("get").spawn().expect("the helper");
        child.stdin.take().expect("stdin").write_all(ASK.as_bytes()).expect("asked");
        let output = child.wait_with_output().expect("the helper");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let secret = said.strip_prefix("username=ana\npassword=secret-");
        match secret.and_then(|rest| rest.trim_end().parse().ok()) {
            Some(secret) if err.is_empty() => Ok(secret),
            _ => Err(format!("{said}{err}")),
        }
    }

    /// The names in the folder of the file.
    pub fn names(&self) -> Vec<String> {
        let folder = fs::read_dir(self.path.join(".local/share/gocred")).expect("the folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a name").file_name();
        let mut names: Vec<String> =
            folder.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Returns whether SIGKILL ended it.
pub fn was_killed(output: &Output) -> bool {
    output.status.signal() == Some(9)
}

fn done(command: &mut Command, input: &str) {
    let mut child = command.spawn().expect("gocred");
    child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("input");
    let output = child.wait_with_output().expect("gocred");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
