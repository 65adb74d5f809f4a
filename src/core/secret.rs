//! Secrets: [`SecretString`] and [`SecretSlice`] of `secrecy`, the one comparison that we need, and the
//! stack that they may have been on.
//!
//! `grep -rn expose_secret src` lists every place where a secret leaves its type.

pub use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// Returns whether two secrets are equal, in time that depends on their lengths only.
pub fn same(left: &SecretString, right: &SecretString) -> bool {
    let (left, right) = (left.expose_secret().as_bytes(), right.expose_secret().as_bytes());
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// How much of the stack is overwritten, in bytes: more than it takes to open an encrypted file in a
/// debug build, which `tests/torture/run.sh canary` looks at.
const DEPTH: usize = 64 * 1024;

/// Calls a function, and overwrites the stack that it has used. Ciphers and codecs leave plain text
/// there, and the stack of a thread that waits for the next question is as good as for ever.
pub fn without_traces<T>(call: impl FnOnce() -> T) -> T {
    let value = below(call);
    overwrite();
    value
}

/// Calls it in a frame of its own, where [`overwrite`] is then.
#[inline(never)]
fn below<T>(call: impl FnOnce() -> T) -> T {
    call()
}

#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "it is the stack that is meant")]
fn overwrite() {
    std::hint::black_box(&mut [0_u8; DEPTH]);
}

#[cfg(test)]
mod tests {
    use super::{SecretString, same};

    #[test]
    fn only_equal_secrets_are_the_same() {
        let secret = SecretString::from("hunter2");
        assert!(same(&secret, &"hunter2".into()));
        assert!(!same(&secret, &"hunter3".into()));
        assert!(!same(&secret, &"hunter22".into()));
    }

    #[test]
    fn debug_never_shows_the_value() {
        assert!(!format!("{:?}", SecretString::from("hunter2")).contains("hunter2"));
    }
}
