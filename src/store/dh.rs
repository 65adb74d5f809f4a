//! The encrypted session of the Secret Service (API 0.2, "Transfer of Secrets"):
//! `dh-ietf1024-sha256-aes128-cbc-pkcs7`.
//!
//! A key of this session is agreed on by Diffie-Hellman in the second Oakley group (RFC 2409 §6.2),
//! derived by HKDF-SHA256 without salt, and secrets travel in AES-128-CBC. It keeps secrets from who
//! listens on the bus, and proves nobody's name: the bus does that.

use std::io;

use aes::Aes128;
use cbc::{
    Decryptor, Encryptor,
    cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7},
};
use crypto_bigint::{
    Odd, U1024,
    modular::{FixedMontyForm, FixedMontyParams},
};
use hmac_sha256::HKDF;
use secrecy::zeroize::Zeroizing;

use crate::sys::random;

/// Its name.
pub(super) const ALGORITHM: &str = "dh-ietf1024-sha256-aes128-cbc-pkcs7";
/// The length of the numbers of the group, in bytes.
const NUMBER: usize = 128;
const BLOCK: usize = 16;
const PRIME: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
                     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
                     4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
                     ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff";

/// Our half of the agreement.
pub(super) struct Offer {
    secret: Zeroizing<U1024>,
    group: FixedMontyParams<{ U1024::LIMBS }>,
}

impl Offer {
    /// Chooses a secret number.
    pub(super) fn new() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; NUMBER]);
        random::fill(bytes.as_mut_slice())?;
        Ok(Self::of(&bytes))
    }

    fn of(secret: &[u8; NUMBER]) -> Self {
        let group = FixedMontyParams::new_vartime(Odd::<U1024>::from_be_hex(PRIME));
        Self { secret: Zeroizing::new(U1024::from_be_slice(secret)), group }
    }

    /// Returns what the service is told.
    pub(super) fn public(&self) -> [u8; NUMBER] {
        self.power(&U1024::from_u8(2))
    }

    /// Returns the cipher that both sides have now. `None`: the service's number is none of the group,
    /// or one that would give the key away.
    pub(super) fn agreed(&self, theirs: &[u8]) -> Option<Cipher> {
        let mut number = [0; NUMBER];
        // Leading zeros may be there, or not.
        let zeros = theirs.iter().take_while(|byte| **byte == 0).count();
        let digits = theirs.get(zeros..)?;
        number.get_mut(NUMBER.checked_sub(digits.len())?..)?.copy_from_slice(digits);
        let number = U1024::from_be_slice(&number);
        let last = self.group.modulus().as_ref().wrapping_sub(&U1024::ONE);
        if number <= U1024::ONE || number >= last {
            return None;
        }
        let shared = Zeroizing::new(self.power(&number));
        let extracted = Zeroizing::new(HKDF::extract([], shared.as_slice()));
        let mut key = Zeroizing::new([0; BLOCK]);
        HKDF::expand(key.as_mut_slice(), extracted.as_slice(), []);
        Some(Cipher { key })
    }

    fn power(&self, base: &U1024) -> [u8; NUMBER] {
        let power = FixedMontyForm::new(base, &self.group).pow(&self.secret);
        let mut bytes = [0; NUMBER];
        bytes.copy_from_slice(power.retrieve().to_be_bytes().as_ref());
        bytes
    }
}

/// The key of a session.
pub(super) struct Cipher {
    key: Zeroizing<[u8; BLOCK]>,
}

/// A secret as it travels.
pub(super) struct Sealed {
    /// What the service needs beside the key: the first block's predecessor.
    pub(super) parameters: [u8; BLOCK],
    pub(super) value: Vec<u8>,
}

impl Cipher {
    pub(super) fn seal(&self, secret: &[u8]) -> io::Result<Sealed> {
        let parameters = random::bytes()?;
        let mut value = vec![0; secret.len() + BLOCK];
        let cipher = Encryptor::<Aes128>::new((&*self.key).into(), (&parameters).into());
        let sealed = cipher.encrypt_padded_b2b::<Pkcs7>(secret, &mut value);
        let length = sealed.map_err(io::Error::other)?.len();
        value.truncate(length);
        Ok(Sealed { parameters, value })
    }

    /// Opens what the service has sealed. `None`: it is not of this session, or damaged.
    pub(super) fn open(&self, parameters: &[u8], value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let parameters: &[u8; BLOCK] = parameters.try_into().ok()?;
        let mut secret = Zeroizing::new(value.to_vec());
        let cipher = Decryptor::<Aes128>::new((&*self.key).into(), parameters.into());
        let length = cipher.decrypt_padded::<Pkcs7>(&mut secret).ok()?.len();
        secret.truncate(length);
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::{NUMBER, Offer};

    #[test]
    fn two_sides_agree_and_read_each_other() {
        let (one, other) = (Offer::new().unwrap(), Offer::new().unwrap());
        let (ours, theirs) =
            (one.agreed(&other.public()).unwrap(), other.agreed(&one.public()).unwrap());
        assert_eq!(*ours.key, *theirs.key);
        for length in [0, 1, 15, 16, 17, 4096] {
            let secret = vec![b'x'; length];
            let sealed = ours.seal(&secret).unwrap();
            assert_eq!(sealed.value.len(), length / 16 * 16 + 16);
            assert_eq!(*theirs.open(&sealed.parameters, &sealed.value).unwrap(), secret);
            assert_ne!(ours.seal(&secret).unwrap().parameters, sealed.parameters);
            assert!(theirs.open(&sealed.parameters[1..], &sealed.value).is_none());
            assert!(theirs.open(&sealed.parameters, &sealed.value[1..]).is_none());
        }
    }

    #[test]
    fn it_is_the_group_of_the_standard_and_leading_zeros_count_nothing() {
        // 2^3 = 8 and 8^3 = 512, below the prime.
        let mut three = [0; NUMBER];
        three[NUMBER - 1] = 3;
        let offer = Offer::of(&three);
        assert_eq!(offer.public()[NUMBER - 1], 8);
        assert!(offer.public()[..NUMBER - 1].iter().all(|byte| *byte == 0));
        let key = |theirs: &[u8]| offer.agreed(theirs).map(|cipher| *cipher.key);
        assert_eq!(key(&[8]), key(&offer.public()));
        // HKDF-SHA256 of 126 zeros and 02 00, by Python's hmac and hashlib.
        assert_eq!(key(&[8]), Some(EXPECTED));
    }

    const EXPECTED: [u8; 16] = [
        0x12, 0x44, 0x1a, 0x20, 0x19, 0xa5, 0x18, 0x34, 0x2c, 0x6c, 0xc8, 0x25, 0xd1, 0x5e, 0xea,
        0xcc,
    ];

    #[test]
    fn a_number_that_gives_the_key_away_is_refused() {
        let offer = Offer::new().unwrap();
        let prime = offer.group.modulus().as_ref().to_be_bytes();
        let mut last: [u8; NUMBER] = prime.as_ref().try_into().unwrap();
        last[NUMBER - 1] -= 1;
        for theirs in [&[][..], &[0], &[1], &last, prime.as_ref(), &[0xff; NUMBER], &[2; 129]] {
            assert!(offer.agreed(theirs).is_none());
        }
        last[NUMBER - 1] -= 1;
        assert!(offer.agreed(&last).is_some());
        assert!(offer.agreed(&[&[0; 9][..], &last].concat()).is_some());
    }
}
