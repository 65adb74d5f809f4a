//! Go's own code as the judge: small programs (`tests/it/go`) built with the packages of a Go tree.
//!
//! `net/http` vendors its reading of `NO_PROXY`, and cmd/go its GOPRIVATE and GOAUTH; no program can
//! import them where they are, so they are copied out of the tree that is there, unchanged but for
//! the import paths of cmd/go's internal packages.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and runs where it starts"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{program, skipped};

/// The Go versions that the product promises, and the variable that names a `go` of each.
pub(crate) const VERSIONS: [(&str, &str); 2] =
    [("1.24", "GOCRED_TEST_GO_1_24"), ("1.27", "GOCRED_TEST_GO_1_27")];

/// What is copied from `GOROOT/src`, and to where.
const COPIES: &[(&str, &str)] = &[
    ("cmd/go/internal/auth", "cmdauth"),
    ("cmd/internal/quoted", "quoted"),
    ("cmd/vendor/golang.org/x/mod/internal/lazyregexp", "x/mod/internal/lazyregexp"),
    ("cmd/vendor/golang.org/x/mod/module", "x/mod/module"),
    ("cmd/vendor/golang.org/x/mod/semver", "x/mod/semver"),
    ("vendor/golang.org/x/net/http/httpproxy", "x/net/http/httpproxy"),
    ("vendor/golang.org/x/net/idna", "x/net/idna"),
    ("vendor/golang.org/x/text/secure/bidirule", "x/text/secure/bidirule"),
    ("vendor/golang.org/x/text/transform", "x/text/transform"),
    ("vendor/golang.org/x/text/unicode/bidi", "x/text/unicode/bidi"),
    ("vendor/golang.org/x/text/unicode/norm", "x/text/unicode/norm"),
];

/// What stands for cmd/go's internal packages.
const IMPORTS: &[(&str, &str)] = &[
    ("\"cmd/go/internal/base\"", "\"oracle/base\""),
    ("\"cmd/go/internal/cfg\"", "\"oracle/cfg\""),
    ("\"cmd/go/internal/web/intercept\"", "\"oracle/intercept\""),
    ("\"cmd/internal/quoted\"", "\"oracle/quoted\""),
];

/// A built program of `tests/it/go`, and the folder that it is removed with.
pub(crate) struct Oracle {
    folder: tempfile::TempDir,
}

impl Oracle {
    /// Builds a program with the `go` that a variable names. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn with(variable: &str, name: &str) -> Option<Self> {
        let go = std::env::var_os(variable).filter(|go| !go.is_empty());
        let Some(go) = go else {
            skipped(&format!("{variable} is unset; run `sh tests/run.sh`"));
            return None;
        };
        Some(Self::build(Path::new(&go), name))
    }

    /// Builds a program with the newest `go` that is there. `None`: skipped, and said so.
    #[must_use]
    pub(crate) fn new(name: &str) -> Option<Self> {
        let named = VERSIONS.iter().rev().find_map(|(_, variable)| std::env::var_os(variable));
        let go = named.filter(|go| !go.is_empty()).map(PathBuf::from);
        Some(Self::build(&go.or_else(|| program("go", "golang-go"))?, name))
    }

    /// Where the program is.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    fn build(go: &Path, name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("gocred-oracle-").tempdir().expect("a folder");
        let to = folder.path();
        let root = run(Command::new(go).args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local"));
        let from = Path::new(root.trim()).join("src");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/go"), to);
        for (package, copied) in COPIES {
            copy(&from.join(package), &to.join(copied));
        }
        for name in ["mod", "net", "text"] {
            let module = format!("module golang.org/x/{name}\n\ngo 1.24\n");
            fs::write(to.join(format!("x/{name}/go.mod")), module).expect("a go.mod");
        }
        // The build cache is the caller's: a cold net/http takes 20 s.
        let mut build = Command::new(go);
        build.args(["build", "-o", "program"]).arg(format!("./{name}")).current_dir(to);
        for (variable, value) in [
            ("CGO_ENABLED", "0"),
            ("GOENV", "off"),
            ("GOFLAGS", "-mod=mod"),
            ("GOPROXY", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOWORK", "off"),
        ] {
            build.env(variable, value);
        }
        run(&mut build);
        Self { folder }
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("go starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Copies a folder's Go files, those of tests excepted, and the folders in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in from.read_dir().unwrap_or_else(|_| panic!("{} is there", from.display())) {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        let to = to.join(&name);
        let name = name.to_string_lossy();
        if from.is_dir() {
            copy(&from, &to);
        } else if name == "go.mod" || (name.ends_with(".go") && !name.ends_with("_test.go")) {
            let text = fs::read_to_string(&from).expect("Go source");
            let text = IMPORTS.iter().fold(text, |text, (old, new)| text.replace(old, new));
            fs::write(to, text).expect("written");
        }
    }
}
