//! A key that a command of the user prints: `pass show gocred`, or the tool of a hardware token.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac_sha256::HKDF;
use secrecy::zeroize::Zeroizing;

use crate::{
    core::vault::{KEY, SealKey, format::Id, wrap::Costs},
    store::Error,
    sys::run,
};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Returns what a wrap keeps of a command: its words, NUL between them.
pub(super) fn params(words: &[String]) -> Result<Vec<u8>, Error> {
    let refused = |what: &str| Err(Error::Refused(what.to_owned()));
    if !words.first().is_some_and(|program| Path::new(program).is_absolute()) {
        return refused("a command that prints a key is an absolute program");
    }
    if words.iter().any(|word| word.contains('\0')) {
        return refused("a command has no NUL");
    }
    Ok(words.join("\0").into_bytes())
}

/// Runs it, and makes a key of the first line that it prints: a random key where that is 32 bytes or
/// more in base64, else a passphrase.
pub(super) fn key(params: &[u8], id: &Id) -> Result<SealKey, Error> {
    let text = String::from_utf8_lossy(params);
    let mut words = text.split('\0');
    let program = PathBuf::from(words.next().unwrap_or_default());
    let failed = |what: String| {
        Error::Refused(format!("{}, which opens the encrypted file: {what}", program.display()))
    };
    let arguments: Vec<&OsStr> = words.map(OsStr::new).collect();
    let output = run::run(&program, &arguments, &[], b"", LIMIT);
    let output = output.map_err(|error| failed(error.to_string()))?;
    let printed = output.stdout;
    if output.code != Some(0) {
        return Err(failed(output.code.map_or_else(
            || "a signal ended it".to_owned(),
            |code| format!("it ended with {code}"),
        )));
    }
    let line = printed.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(failed("it printed nothing".to_owned()));
    }
    // No larger than what it is decoded from, so that it never grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(line.len()));
    if STANDARD.decode_vec(line, &mut bytes).is_ok() && bytes.len() >= KEY {
        return Ok(derived(&bytes, b"gocred command 1"));
    }
    Costs::new(*id).key(line).ok_or_else(|| failed("there is no memory for its key".to_owned()))
}

/// Derives a key of what is as good as one (RFC 5869). `purpose` keeps the uses apart.
pub(super) fn derived(secret: &[u8], purpose: &[u8]) -> SealKey {
    let extracted = Zeroizing::new(HKDF::extract([], secret));
    let expand = |key: &mut [u8; KEY]| -> Result<(), std::convert::Infallible> {
        HKDF::expand(key, extracted.as_slice(), purpose);
        Ok(())
    };
    match SealKey::filled(expand) {
        Ok(key) => key,
        Err(never) => match never {},
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::{derived, key, params};

    fn of(script: &str) -> Result<[u8; 32], String> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        let key = key(&params(&words).unwrap(), &[1; 16]);
        key.map(|key| *key.bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_line_is_a_random_key_or_a_passphrase() {
        let random = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
        let expected = *derived(&[b'A'; 32], b"gocred command 1").bytes();
        assert_eq!(of(&format!("echo {random}; echo more")), Ok(expected));
        assert_ne!(of("echo hunter2"), of("echo hunter3"));
        assert_eq!(of("echo hunter2"), of("printf 'hunter2\\r\\n'"));
    }

    #[test]
    fn a_command_that_fails_says_so_and_nothing_that_it_printed() {
        for (script, what) in
            [("echo hunter2; exit 3", "ended with 3"), ("true", "printed nothing")]
        {
            let error = of(script).unwrap_err();
            assert!(error.contains(what) && !error.contains("hunter2"), "{error}");
        }
        assert!(params(&["sh".to_owned()]).is_err());
        assert!(params(&[]).is_err());
        assert!(key(b"/nonexistent/program", &[1; 16]).is_err());
    }
}
