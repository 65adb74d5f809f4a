//! The SSH key files of a user who runs no agent: `~/.ssh/id_ed25519` and `~/.ssh/id_rsa`, where they
//! have no passphrase. ssh-keygen signs with them, the same bytes that an agent signs.
//!
//! It deliberately asks for no passphrase: a key file that has one is passed over, and belongs into an
//! agent.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::zeroize::Zeroizing;

use crate::{
    core::sshsig::{self, KeyFile},
    sys::{files, run},
};

/// Where OpenSSH puts them.
const NAMES: [&str; 2] = ["id_ed25519", "id_rsa"];
/// Where distributions put ssh-keygen.
const FOLDERS: &str = "/usr/bin:/usr/local/bin:/bin";
/// The largest file that is read, in bytes: an RSA key of 16,384 bits has 13,000.
const MAX_FILE: u64 = 64 * 1024;
/// How long it may take.
const LIMIT: Duration = Duration::from_secs(5);

/// A key that signs without a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    file: PathBuf,
    /// The public key, as the protocol has it.
    pub(super) key: Vec<u8>,
    /// What its owner calls it.
    pub(super) comment: String,
}

/// Returns those that are there.
pub(super) fn find(home: &Path) -> Vec<Found> {
    NAMES.iter().filter_map(|name| one(home.join(".ssh").join(name))).collect()
}

fn one(file: PathBuf) -> Option<Found> {
    let mut public = file.clone().into_os_string();
    public.push(".pub");
    let line = files::read(Path::new(&public), MAX_FILE).ok()??;
    let (key, comment) = sshsig::public_line(std::str::from_utf8(&line).ok()?)?;
    // Only its first bytes are looked at; the secret ones follow.
    let private = Zeroizing::new(files::read(&file, MAX_FILE).ok()??);
    let is_open = sshsig::key_file(&private) == Some(KeyFile::Open);
    is_open.then_some(Found { file, key, comment })
}

/// Signs, and returns the signature as an agent returns it. `None`: ssh-keygen is not there, or does not
/// want to; it refuses a file that others may read.
pub(super) fn sign(found: &Found, namespace: &str, message: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let keygen = run::find("ssh-keygen", FOLDERS)?;
    let arguments = ["-Y", "sign", "-q", "-n", namespace, "-f"].map(OsStr::new);
    let arguments = [&arguments[..], &[found.file.as_os_str()]].concat();
    // No agent: the file is asked, and nothing else.
    let env = [("SSH_AUTH_SOCK", None), ("SSH_ASKPASS_REQUIRE", Some(OsStr::new("never")))];
    let output = run::run(&keygen, &arguments, &env, message, LIMIT).ok()?;
    let printed = output.stdout;
    if output.code != Some(0) {
        return None;
    }
    sshsig::armored(std::str::from_utf8(&printed).ok()?, &found.key, namespace)
}
