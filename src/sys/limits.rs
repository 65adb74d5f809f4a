//! How many files a process may have open, and write.

/// Raises the soft limit of open files to the hard one, and returns it. The soft limit is 1,024 on
/// most systems for the sake of select(2), which we do not use.
#[cfg(unix)]
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Returns that there is no such limit.
#[cfg(not(unix))]
pub fn raise_open_files() -> u64 {
    u64::MAX
}

/// Returns how many files this process may have open; `None`: the system does not limit it.
#[cfg(all(unix, feature = "full"))]
pub fn open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current
}

/// Returns that it is not known.
#[cfg(all(not(unix), feature = "full"))]
pub fn open_files() -> Option<u64> {
    None
}

/// Leaves a process that runs a stranger's script with few files, none of which it may write. Its pipes
/// stay. Best effort, as all of it is beside the engine's own limits.
#[cfg(unix)]
pub fn confine() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    for (resource, most) in [(Resource::Nofile, 16), (Resource::Fsize, 0)] {
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}

/// Does nothing where there are no such limits.
#[cfg(not(unix))]
pub fn confine() {}
