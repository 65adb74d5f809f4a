//! The kernel's keyring of a user (`user-keyring(7)`): a key that every process of theirs reads, that is
//! in no file, never swapped, and gone after its time, after a restart, or when it is taken back.

use std::{io, time::Duration};

use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use secrecy::zeroize::Zeroizing;

/// What a key takes as a rule, and the largest one that is read, in bytes: what the kernel keeps
/// (`add_key(2)`). To clear the room for that takes longer than to read it.
const SIZES: [usize; 2] = [512, 32 * 1024];

/// Keeps a key under a name for some time; one of the same name is replaced.
pub fn put(name: &str, key: &[u8], lifetime: Duration) -> io::Result<()> {
    let ring = ring()?;
    // Only who possesses a key may limit it, and only a process whose session keyring leads to the
    // user's possesses it: those of cron, of containers and of `keyctl session` do not.
    if let Ok(session) = KeyRing::from_special_id(KeyRingIdentifier::Session, false) {
        let _ = session.link_keyring(ring);
    }
    let kept = ring.add_key(name, key).map_err(broken)?;
    limit(kept, lifetime).map_err(|error| {
        // One that would stay, or that others of the user could not read, is worse than none.
        let _ = ring.unlink_key(kept);
        broken(error)
    })
}

fn limit(key: Key, lifetime: Duration) -> Result<(), KeyError> {
    let of_user = Permission::VIEW | Permission::READ | Permission::WRITE | Permission::SEARCH;
    let permissions = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(of_user);
    key.set_timeout(usize::try_from(lifetime.as_secs()).unwrap_or(usize::MAX).max(1))?;
    key.set_perms(permissions.build())
}

/// Returns a key. `Ok(None)`: there is none of this name, or its time has passed.
pub fn get(name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(key) = search(name)? else { return Ok(None) };
    for size in SIZES {
        let mut bytes = Zeroizing::new(vec![0; size]);
        // The length of the whole key, of which no more than the room was copied (keyctl_read(3)).
        let length = key.read(&mut *bytes).map_err(broken)?;
        if length <= size {
            bytes.truncate(length);
            return Ok(Some(bytes));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the key is too long"))
}

/// Takes a key back; one that is not there is gone already.
pub fn remove(name: &str) -> io::Result<()> {
    let Some(key) = search(name)? else { return Ok(()) };
    key.invalidate().or_else(|_| ring_of_user()?.unlink_key(key)).map_err(broken)
}

fn search(name: &str) -> io::Result<Option<Key>> {
    match ring()?.search(name) {
        Ok(key) => Ok(Some(key)),
        Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(None),
        Err(error) => Err(broken(error)),
    }
}

fn ring() -> io::Result<KeyRing> {
    ring_of_user().map_err(broken)
}

fn ring_of_user() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, true)
}

/// Containers forbid it (`EPERM`), and some kernels have none (`ENOSYS`).
fn broken(error: KeyError) -> io::Error {
    let (kind, what) = match error {
        KeyError::QuotaExceeded => (io::ErrorKind::QuotaExceeded, "has no room left for this user"),
        KeyError::AccessDenied | KeyError::PermissionDenied => {
            (io::ErrorKind::PermissionDenied, "is closed to this process, as containers have it")
        }
        KeyError::OperationNotSupported => (io::ErrorKind::Unsupported, "is not in this kernel"),
        other => return io::Error::other(format!("the kernel's keyring: {other:?}")),
    };
    io::Error::new(kind, format!("the kernel's keyring {what}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{get, put, remove};

    #[test]
    fn a_key_is_there_until_it_is_taken_back_or_its_time_has_passed() {
        let name = format!("gocred:test:{}", std::process::id());
        if let Err(error) = get(&name) {
            // Where the kernel has none for us, that is said, and nothing is kept.
            assert!(put(&name, b"one", Duration::from_secs(60)).is_err(), "{error}");
            return;
        }
        assert_eq!(get(&name).unwrap(), None);
        put(&name, b"one", Duration::from_secs(60)).unwrap();
        put(&name, b"other", Duration::from_secs(60)).unwrap();
        assert_eq!(**get(&name).unwrap().unwrap(), *b"other");
        let long = vec![b'k'; 5000];
        put(&name, &long, Duration::from_secs(60)).unwrap();
        assert_eq!(**get(&name).unwrap().unwrap(), *long);
        remove(&name).unwrap();
        assert_eq!(get(&name).unwrap(), None);
        remove(&name).unwrap();
        put(&name, b"short", Duration::from_secs(1)).unwrap();
        let start = std::time::Instant::now();
        while get(&name).unwrap().is_some() {
            assert!(start.elapsed() < Duration::from_secs(5));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
