//! A key that the TPM of this machine has sealed: the file opens on this machine and on no other.

use std::path::Path;

use crate::{
    core::vault::SealKey,
    store::{Error, keys::no_random},
    sys::{
        random,
        tpm::{self, Sealed},
    },
};

/// Returns the key of a wrap.
pub(super) fn key(params: &[u8], state: &Path) -> Result<SealKey, Error> {
    let refused = |what: String| Error::Refused(format!("the TPM does not open the file: {what}"));
    let sealed = parse(params).ok_or_else(|| refused("its key is not in its form".to_owned()))?;
    let secret = tpm::unseal(&sealed, state).map_err(|error| refused(error.to_string()))?;
    SealKey::copied(&secret).ok_or_else(|| refused("it gave something else".to_owned()))
}

/// Seals a new key, and returns the parameters of its wrap. It is opened once: what the TPM does not
/// give back would lock the file for good.
pub(super) fn new(state: &Path) -> Result<(Vec<u8>, SealKey), Error> {
    let key = SealKey::filled(|key| random::fill(key)).map_err(|error| no_random(&error))?;
    let refused = |what: String| Error::Refused(format!("the TPM cannot be used: {what}"));
    let sealed = tpm::seal(key.bytes(), state).map_err(|error| refused(error.to_string()))?;
    let params = encode(&sealed).ok_or_else(|| refused("it answers too much".to_owned()))?;
    let again = self::key(&params, state)?;
    if again.bytes() != key.bytes() {
        return Err(refused("it does not give back what it took".to_owned()));
    }
    Ok((params, key))
}

/// The two parts, each with its length before it.
fn encode(Sealed { public, private }: &Sealed) -> Option<Vec<u8>> {
    let mut params = Vec::with_capacity(4 + public.len() + private.len());
    for part in [public, private] {
        params.extend(u16::try_from(part.len()).ok()?.to_be_bytes());
        params.extend(part);
    }
    Some(params)
}

fn parse(mut rest: &[u8]) -> Option<Sealed> {
    let mut part = || {
        let (length, behind) = rest.split_first_chunk()?;
        let (part, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = behind;
        Some(part.to_vec())
    };
    let sealed = Sealed { public: part()?, private: part()? };
    rest.is_empty().then_some(sealed)
}

#[cfg(test)]
mod tests {
    use super::{Sealed, encode, parse};

    #[test]
    fn its_parts_are_read_as_they_are_written_and_nothing_else_is() {
        let sealed = Sealed { public: b"public".to_vec(), private: vec![7; 300] };
        let params = encode(&sealed).unwrap();
        assert_eq!(parse(&params), Some(sealed));
        for length in 0..params.len() {
            assert_eq!(parse(&params[..length]), None, "{length}");
        }
        assert_eq!(parse(&[params, vec![0]].concat()), None);
        let long = Sealed { public: vec![0; 70_000], private: Vec::new() };
        assert_eq!(encode(&long), None);
    }
}
