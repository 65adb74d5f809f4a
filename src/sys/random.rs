//! The system's randomness.

use std::io;

/// Fills bytes with it.
#[cfg(feature = "full")]
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}

/// Fills bytes with it.
#[cfg(all(unix, not(feature = "full")))]
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, bytes)
}

/// Fills bytes with what std seeds every `RandomState` with, which is the system's randomness.
#[cfg(not(any(unix, feature = "full")))]
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    for piece in bytes.chunks_mut(8) {
        let random = RandomState::new().build_hasher().finish().to_ne_bytes();
        piece.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
    }
    Ok(())
}

/// Returns so many random bytes, which are no secret: a nonce, a salt, an id.
#[cfg(feature = "full")]
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn it_is_another_one_each_time() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        fill(&mut one).unwrap();
        fill(&mut other).unwrap();
        assert_ne!(one, other);
        assert_ne!(one, [0; 32]);
    }
}
