//! A TPM 2.0, by the programs of tpm2-tools: it seals a short secret so that only it opens it again.
//!
//! Their files hold nothing secret; what is sealed goes in and out by their standard streams. Where no
//! resource manager stands before the TPM, what was loaded stays in one of its three places, so that it
//! is flushed after each step. With one (`/dev/tpmrm0`) there is nothing to flush.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::zeroize::Zeroizing;

use crate::{
    core::text::printable,
    sys::{files, random, run},
};

/// Where distributions put them. Not `PATH`: what is asked decides who opens all secrets.
const FOLDERS: &str = "/usr/bin:/usr/local/bin:/bin";
/// How long each may take: a firmware TPM takes its time.
const LIMIT: Duration = Duration::from_secs(5);
/// A public or a private part is not longer, in bytes.
const MAX_PART: u64 = 2048;

/// A secret that this TPM opens; neither part is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its public part.
    pub public: Vec<u8>,
    /// Its private part, which the TPM has encrypted.
    pub private: Vec<u8>,
}

/// Checks that there is a TPM, and the programs to ask it.
pub fn check() -> io::Result<()> {
    tool("tpm2_unseal")?;
    tpm2("tpm2_getcap", &["properties-fixed"], b"").map(drop)
}

/// Seals a secret. `state` is a folder for files that are gone afterwards.
pub fn seal(secret: &[u8], state: &Path) -> io::Result<Sealed> {
    let work = Work::new(state)?;
    let [primary, public, private] = ["primary", "public", "private"].map(|name| work.file(name));
    self::primary(&primary)?;
    let parts = ["-Q", "-C", &primary, "-i", "-", "-u", &public, "-r", &private];
    tpm2("tpm2_create", &parts, secret)?;
    flush();
    let read = |file: &str| {
        let bytes = files::read(Path::new(file), MAX_PART)?;
        bytes.ok_or_else(|| io::Error::other("tpm2_create wrote nothing"))
    };
    Ok(Sealed { public: read(&public)?, private: read(&private)? })
}

/// Opens what [`seal`] sealed.
pub fn unseal(sealed: &Sealed, state: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let work = Work::new(state)?;
    let [primary, public, private, object] =
        ["primary", "public", "private", "object"].map(|name| work.file(name));
    files::write_private(Path::new(&public), &sealed.public)?;
    files::write_private(Path::new(&private), &sealed.private)?;
    self::primary(&primary)?;
    let parts = ["-Q", "-C", &primary, "-u", &public, "-r", &private, "-c", &object];
    tpm2("tpm2_load", &parts, b"")?;
    flush();
    let secret = tpm2("tpm2_unseal", &["-c", &object], b"");
    flush();
    secret
}

/// A folder of this process, removed in the end.
struct Work(PathBuf);

impl Work {
    fn new(state: &Path) -> io::Result<Self> {
        let number = u64::from_be_bytes(random::bytes()?);
        let folder = state.join(format!("tpm-{number:016x}"));
        files::create_folder(&folder)?;
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes the TPM's own key. It is the same each time; that of an elliptic curve is made at once, where
/// an RSA key takes seconds.
fn primary(file: &str) -> io::Result<()> {
    tpm2("tpm2_createprimary", &["-Q", "-C", "o", "-G", "ecc", "-c", file], b"")?;
    flush();
    Ok(())
}

/// Frees the places of what was loaded. What it says does not matter: what needs room will say so.
fn flush() {
    let _ = tpm2("tpm2_flushcontext", &["-t"], b"");
}

fn tool(name: &str) -> io::Result<PathBuf> {
    run::find(name, FOLDERS).ok_or_else(|| {
        let what = format!("{name} is not installed (Debian's tpm2-tools)");
        io::Error::new(io::ErrorKind::NotFound, what)
    })
}

fn tpm2(name: &str, arguments: &[&str], input: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let output = run::run(&tool(name)?, &arguments, &[], input, LIMIT)?;
    if output.code == Some(0) {
        return Ok(output.stdout);
    }
    // Several lines, of which the first error names the cause.
    let said = String::from_utf8_lossy(&output.stderr);
    let cause = said.lines().find_map(|line| line.strip_prefix("ERROR: ")).unwrap_or("it failed");
    let cause: String = printable(cause).chars().take(160).collect();
    Err(io::Error::other(format!("{name}: {cause}")))
}
