//! The Go releases that the tests run with.

use std::path::PathBuf;

use super::skipped;

/// A Go release that is tested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Release {
    /// What Debian bookworm has; it reads a netrc in its own way.
    Go119,
    /// The first that downloads other releases of itself.
    Go121,
    /// One without GOAUTH, which reads a netrc.
    Go123,
    /// The first with GOAUTH; it knows bare hosts only.
    Go124,
    /// The newest.
    Go127,
}

impl Release {
    /// Those that ask gocred.
    pub(crate) const ALL: [Self; 2] = [Self::Go124, Self::Go127];

    /// Those that ask the front.
    pub(crate) const OF_THE_FRONT: [Self; 4] = [Self::Go119, Self::Go121, Self::Go124, Self::Go127];

    /// Returns its `go`. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn program(self) -> Option<PathBuf> {
        let (variable, version) = match self {
            Self::Go119 => return super::program("/usr/lib/go-1.19/bin/go", "golang-1.19-go"),
            Self::Go121 => ("GOCRED_TEST_GO_1_21", "1.21.13"),
            Self::Go123 => ("GOCRED_TEST_GO_1_23", "1.23.9"),
            Self::Go124 => ("GOCRED_TEST_GO_1_24", "1.24.11"),
            Self::Go127 => ("GOCRED_TEST_GO_1_27", "1.27.3"),
        };
        let program = std::env::var_os(variable).map(PathBuf::from);
        if program.is_none() {
            skipped(&format!("set {variable} to what `sh install/go.sh {version}` prints"));
        }
        program
    }
}
