//! Keeps the process's memory out of core dumps and away from debuggers.

/// Forbids core dumps and `ptrace` by other processes of the same user. Best effort: a kernel that
/// refuses changes nothing for the user.
#[cfg(target_os = "linux")]
pub fn harden() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Forbids core dumps where the system has another way; nothing to do here.
#[cfg(not(target_os = "linux"))]
pub fn harden() {}
