//! A key in a page of its own that is never written to swap: what it seals may lie anywhere.
//!
//! Few systems let a process lock much memory, and all let it lock some pages. So it is not the secrets
//! that are locked but the key that they are sealed under, as OpenSSH's agent shields its keys. Where
//! not even a page can be locked, it is said ([`LockedKey::is_locked`]), and the key is used.

use std::io;

use region::LockGuard;
use secrecy::zeroize::{Zeroize, Zeroizing};

use crate::sys::random;

/// The length of a key, in bytes.
pub const KEY: usize = 32;

/// A key.
pub struct LockedKey {
    /// Before the page: it ends first, when the page is wiped already.
    lock: Option<LockGuard>,
    page: Box<Page>,
}

/// Nothing else lies in the pages of a key: locks do not count, and the end of another's lock would end
/// this one's. 16 KiB is the largest page of the systems that we build for.
#[repr(align(16384))]
struct Page([u8; 16384]);

impl LockedKey {
    /// Makes a new one.
    pub fn random() -> io::Result<Self> {
        let mut key = Self::empty();
        random::fill(key.place())?;
        Ok(key)
    }

    /// Takes one over, and wipes where it was.
    pub fn of(bytes: &mut Zeroizing<[u8; KEY]>) -> Self {
        let mut key = Self::empty();
        key.place().copy_from_slice(bytes.as_slice());
        bytes.zeroize();
        key
    }

    /// Lends it.
    pub fn with<T>(&self, use_it: impl FnOnce(&[u8; KEY]) -> T) -> T {
        use_it(self.page.0.first_chunk().unwrap_or(&[0; KEY]))
    }

    /// Returns whether its page stays in memory.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    fn empty() -> Self {
        // It is locked before anything is written to it.
        let page = Box::new(Page([0; 16384]));
        let lock = region::lock(page.0.as_ptr(), page.0.len()).ok();
        Self { lock, page }
    }

    fn place(&mut self) -> &mut [u8] {
        self.page.0.get_mut(..KEY).unwrap_or_default()
    }
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        self.page.0.zeroize();
    }
}

impl std::fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockedKey([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::zeroize::Zeroizing;

    use super::{KEY, LockedKey};

    #[test]
    fn a_key_that_is_taken_over_is_nowhere_else() {
        let mut bytes = Zeroizing::new([7; KEY]);
        let key = LockedKey::of(&mut bytes);
        assert_eq!(*bytes, [0; KEY]);
        assert!(key.with(|key| *key == [7; KEY]));
        assert_eq!(format!("{key:?}"), "LockedKey([REDACTED])");
    }

    #[test]
    fn a_random_one_is_another_each_time_and_not_empty() {
        let keys = [LockedKey::random().unwrap(), LockedKey::random().unwrap()];
        let [one, other] = keys.each_ref().map(|key| key.with(|key| *key));
        assert_ne!(one, other);
        assert_ne!(one, [0; KEY]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn its_pages_are_locked_while_it_lives() {
        let locked = |address: usize| {
            let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut is_here = false;
            for line in smaps.lines() {
                let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
                let number = |text| usize::from_str_radix(text, 16).ok();
                if let Some((start, end)) = range
                    && let (Some(start), Some(end)) = (number(start), number(end))
                {
                    is_here = (start..end).contains(&address);
                }
                if let Some(size) = line.strip_prefix("Locked:")
                    && is_here
                {
                    return size.trim() != "0 kB";
                }
            }
            panic!("no such page");
        };
        let key = LockedKey::random().unwrap();
        let address = key.with(|key| key.as_ptr().addr());
        assert!(key.is_locked(), "a page or two can be locked anywhere");
        assert!(locked(address));
    }
}
