//! Keeps the process's memory out of core dumps, away from debuggers, and out of panic messages.

use std::{io::Write, panic, panic::PanicHookInfo};

use crate::core::fault::Kind;

/// Forbids core dumps and `ptrace` by other processes of the same user, and lets a panic say where
/// it happened but not what: the message may quote a secret. Best effort: a kernel that refuses
/// changes nothing for the user.
pub fn harden() {
    panic::set_hook(Box::new(report));
    keep_memory();
}

#[cfg(target_os = "linux")]
fn keep_memory() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Forbids core dumps where the system has another way; nothing to do here.
#[cfg(not(target_os = "linux"))]
fn keep_memory() {}

/// Ends the process with the code of a bug of ours (product.md).
#[expect(clippy::exit, reason = "a panic ends the process in any case, as `abort` or like this")]
fn report(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        std::io::stderr(),
        "gocred: this is a bug of gocred {version}{place}; please report this line"
    );
    std::process::exit(i32::from(Kind::Internal.exit_code()));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::harden;

    #[test]
    fn a_bug_ends_with_70_and_says_where_but_not_what() {
        if is_child() {
            harden();
            panic!("hunter2");
        }
        let Output { status, stdout: _, stderr } = run_this_test_again();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(70), "{stderr}");
        assert!(stderr.contains("src/sys/harden.rs:"), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }

    const CHILD: &str = "GOCRED_TEST_PANICS";

    #[expect(clippy::disallowed_methods, reason = "the test calls itself, and marks the call")]
    fn is_child() -> bool {
        std::env::var_os(CHILD).is_some()
    }

    #[expect(clippy::disallowed_methods, reason = "the hook must be seen in a process of its own")]
    fn run_this_test_again() -> Output {
        let this = "sys::harden::tests::a_bug_ends_with_70_and_says_where_but_not_what";
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args(["--exact", this, "--nocapture"]).env(CHILD, "1").output().unwrap()
    }
}
