//! The highest generation of each encrypted file that was written here: who puts an old file back, puts
//! old secrets back, and that is told.
//!
//! It is no secret and no proof: who can write the one file can write the other.

use std::path::{Path, PathBuf};

use crate::{
    core::vault::format::{Header, Id},
    sys::files,
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What was seen at a moment.
pub(super) struct Seen(String);

/// Reads what was seen. Before the encrypted file is read: a writer replaces that first.
pub(super) fn read(state: &Path) -> Seen {
    let bytes = files::read(&file(state), MAX_FILE).ok().flatten().unwrap_or_default();
    Seen(String::from_utf8(bytes).unwrap_or_default())
}

impl Seen {
    /// Returns the highest generation of a file; 0 is none.
    pub(super) fn generation(&self, id: &Id) -> u64 {
        let id = hex(id);
        let found = self.0.lines().find_map(|line| line.strip_prefix(&id)?.trim().parse().ok());
        found.unwrap_or_default()
    }
}

/// Remembers a generation. A disk that is full, or a state that is read-only, costs the memory, and not
/// the secret.
pub(super) fn remember(state: &Path, header: &Header) {
    let Header { generation, id, nonce: _, wraps: _ } = header;
    let Seen(text) = read(state);
    let id = hex(id);
    let line = format!("{id} {generation}");
    let others = text.lines().filter(|line| !line.starts_with(&id));
    let lines: String = others.chain([line.as_str()]).flat_map(|line| [line, "\n"]).collect();
    let _ = files::write_private(&file(state), lines.as_bytes());
}

fn file(state: &Path) -> PathBuf {
    state.join("vault.seen")
}

fn hex(id: &Id) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::{read, remember};
    use crate::core::vault::format::Header;

    #[test]
    fn each_file_has_its_own_generation() {
        let state = tempfile::tempdir().unwrap();
        let header =
            |id, generation| Header { generation, id: [id; 16], nonce: [0; 24], wraps: Vec::new() };
        for (id, generation) in [(1, 5), (2, 7), (1, 6)] {
            remember(state.path(), &header(id, generation));
        }
        let seen = |id| read(state.path()).generation(&[id; 16]);
        assert_eq!((seen(1), seen(2), seen(3)), (6, 7, 0));
    }
}
