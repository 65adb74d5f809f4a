//! The token of the status pages, in a file beside the control socket, for programs that read them:
//! Prometheus takes it as `authorization.credentials_file`.
//!
//! It opens nothing else, and is another one after each start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{core::secret::ExposeSecret, front::ui, proxy::Proxy, sys::files};

/// The file, there for as long as the proxy runs.
pub(super) struct TokenFile(PathBuf);

/// Puts the token of a proxy beside its control socket.
pub(super) fn put(proxy: &Proxy, control: Option<&PathBuf>) -> Option<TokenFile> {
    let path = control?.with_file_name("status.token");
    match replace(&path, proxy.status_token().expose_secret().as_bytes()) {
        Ok(()) => Some(TokenFile(path)),
        Err(error) => {
            ui::err(&format!("the token of the status pages is not written: {error}"));
            None
        }
    }
}

fn replace(path: &Path, token: &[u8]) -> std::io::Result<()> {
    // A new file is 0600; an old one would keep its mode.
    let _ = fs::remove_file(path);
    files::write_private(path, token)
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
