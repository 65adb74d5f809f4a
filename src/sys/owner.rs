//! Which processes hold sockets. It looks through all processes of the user, which takes milliseconds: for
//! a person who watches, and for the rare moment in which it matters; who may ask is decided elsewhere
//! ([`peer`](crate::sys::peer)).

use std::collections::{BTreeMap, BTreeSet};

/// Returns the process that holds each of these sockets, as far as it may be known.
#[cfg(target_os = "linux")]
pub fn of(inodes: &BTreeSet<u32>) -> BTreeMap<u32, i32> {
    let mut found = BTreeMap::new();
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    for process in processes.flatten() {
        if found.len() == inodes.len() {
            break;
        }
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        found.extend(sockets(pid).filter(|it| inodes.contains(it)).map(|inode| (inode, pid)));
    }
    found
}

/// Returns whether a process holds a socket.
#[cfg(target_os = "linux")]
pub fn holds(pid: i32, inode: u32) -> bool {
    sockets(pid).any(|it| it == inode)
}

/// Returns the sockets of a process; another user's are hidden from us.
#[cfg(target_os = "linux")]
fn sockets(pid: i32) -> impl Iterator<Item = u32> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    links.filter_map(|link| link.to_str().and_then(socket))
}

/// Returns the process that holds each of these sockets; it is not known here.
#[cfg(not(target_os = "linux"))]
pub fn of(_inodes: &BTreeSet<u32>) -> BTreeMap<u32, i32> {
    BTreeMap::new()
}

/// Reads `socket:[4711]` (`proc_pid_fd(5)`).
#[cfg(target_os = "linux")]
fn socket(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        collections::BTreeSet,
        net::{TcpListener, TcpStream},
    };

    use super::{holds, of};
    use crate::sys::peer::{Registry, own_uid};

    #[test]
    fn the_process_of_a_connection_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, remote) = listener.accept().unwrap();
        let local = stream.local_addr().unwrap();
        let socket = Registry::default().socket(local, remote).unwrap();
        assert_eq!(socket.uid, own_uid());
        let own = i32::try_from(std::process::id()).unwrap();
        let found = of(&BTreeSet::from([socket.inode, 1]));
        assert_eq!(found.get(&socket.inode), Some(&own));
        assert_eq!(found.get(&1), None);
        assert!(holds(own, socket.inode) && !holds(own, 1) && !holds(i32::MAX, socket.inode));
        drop((client, stream));
        assert_eq!(Registry::default().socket(local, remote), None);
    }
}
