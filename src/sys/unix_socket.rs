//! Whether somebody listens on a Unix socket, found without connecting to it.

use std::{fs, path::Path};

/// Returns whether there is a listener at a path. To connect would start what a service manager
/// listens for. Where the kernel keeps no list, none is seen: such systems hand no sockets over.
pub fn is_listening(path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    fs::read_to_string("/proc/net/unix").is_ok_and(|table| lists(&table, path))
}

/// Reads `proc_net_unix(5)` as far as it is needed: the fourth column has the flag of a listener, the
/// last one is the path.
fn lists(table: &str, path: &str) -> bool {
    const ACCEPTS: u32 = 1 << 16; // __SO_ACCEPTCON
    table.lines().any(|line| {
        let flags =
            line.split_whitespace().nth(3).and_then(|text| u32::from_str_radix(text, 16).ok());
        line.strip_suffix(path).is_some_and(|rest| rest.ends_with(' '))
            && flags.is_some_and(|flags| flags & ACCEPTS != 0)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::{is_listening, lists};

    #[test]
    fn a_listener_is_told_from_its_connections() {
        let listener = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 25 /run/user/1/gocred/control.sock\n";
        assert!(lists(listener, "/run/user/1/gocred/control.sock"));
        assert!(!lists(listener, "gocred/control.sock"));
        let connected = listener.replace("00010000", "00000000");
        assert!(!lists(&connected, "/run/user/1/gocred/control.sock"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_that_nobody_listens_on_any_more_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my socket");
        let listener = UnixListener::bind(&path).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        assert!(is_listening(&path));
        drop(listener);
        assert!(!is_listening(&path));
    }
}
