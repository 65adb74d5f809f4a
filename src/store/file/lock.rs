//! The lock of the writers, waited for as long as somebody gets ahead with it.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

/// A holder that writes nothing for so long is stopped or hangs.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nobody waits longer.
const LIMIT: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(20);

/// Takes the lock. `None`: its holder does not end. `state` changes with every write.
pub(in crate::store) fn take<T: PartialEq>(
    file: File,
    state: impl Fn() -> T,
) -> io::Result<Option<File>> {
    let start = Instant::now();
    let (mut known, mut moved, mut pause) = (None, start, SHORTEST);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let now = Some(state());
        if now != known {
            (known, moved) = (now, Instant::now());
        }
        if moved.elapsed() >= PATIENCE || start.elapsed() >= LIMIT {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        fs::File,
        time::{Duration, Instant},
    };

    use super::take;

    #[test]
    fn a_holder_that_stands_still_is_not_waited_for_and_one_that_works_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        let held = take(open(), || 0).unwrap().unwrap();
        let start = Instant::now();
        assert!(take(open(), || 0).unwrap().is_none());
        assert!((2..4).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        let (held, looks) = (Cell::new(Some(held)), Cell::new(0));
        let start = Instant::now();
        let taken = take(open(), || {
            looks.set(looks.get() + 1);
            if start.elapsed() > Duration::from_millis(2_500) {
                drop(held.take());
            }
            looks.get()
        });
        assert!(taken.unwrap().is_some());
    }
}
