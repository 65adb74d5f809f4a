//! Wraps: the data key, sealed under the keys of those who open the file.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::core::vault::{
    KEY, Malformed, NONCE, SealKey, TAG, format::Id, open, read::Reader, seal,
};

const CONTEXT: &[u8] = b"gocred wrap 1";
/// A file has no more.
pub const MAX: usize = 16;
const SEALED: usize = KEY + TAG;
const MAX_PARAMS: usize = 4096;

/// Where the key of a wrap comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A passphrase, by [`Costs`].
    Passphrase,
    /// A signature of an SSH key.
    Ssh,
    /// A TPM 2.0.
    Tpm,
    /// The keyring of the system.
    Keyring,
    /// What a command prints.
    Command,
    /// What a later version knows. It is kept.
    Other(u8),
}

impl Kind {
    const KNOWN: [(u8, Self, &'static str); 5] = [
        (1, Self::Passphrase, "passphrase"),
        (2, Self::Ssh, "ssh"),
        (3, Self::Tpm, "tpm"),
        (4, Self::Keyring, "keyring"),
        (5, Self::Command, "command"),
    ];

    fn of(number: u8) -> Self {
        let known = Self::KNOWN.into_iter().find(|(other, ..)| *other == number);
        known.map_or(Self::Other(number), |(_, kind, _)| kind)
    }

    fn number(self) -> u8 {
        match self {
            Self::Other(number) => number,
            Self::Passphrase => 1,
            Self::Ssh => 2,
            Self::Tpm => 3,
            Self::Keyring => 4,
            Self::Command => 5,
        }
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        let known = Self::KNOWN.into_iter().find(|(_, kind, _)| *kind == self);
        known.map_or("of a newer gocred", |(.., name)| name)
    }
}

/// How the key of a wrap is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where it comes from.
    pub kind: Kind,
    /// What people call it; two of a file have different ones.
    pub name: String,
    /// What is needed to find it, and is no secret.
    pub params: Vec<u8>,
}

/// The data key, sealed for one of those who open the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrap {
    /// How its key is found.
    pub label: Label,
    nonce: [u8; NONCE],
    sealed: [u8; SEALED],
}

impl Wrap {
    /// Seals the data key of the file `id`.
    pub fn seal(
        label: Label,
        key: &SealKey,
        data_key: &SealKey,
        id: &Id,
        nonce: [u8; NONCE],
    ) -> Result<Self, Malformed> {
        if label.name.len() > 255 || label.params.len() > MAX_PARAMS {
            return Err(Malformed::Damaged("the name or the parameters of a key are too long"));
        }
        // Sealed in place, with room for the tag: no copy of the key is left behind.
        let mut buffer = Vec::with_capacity(SEALED);
        buffer.extend(data_key.bytes());
        seal(key, &nonce, &along(&label, id), &mut buffer)?;
        let sealed = buffer.try_into().map_err(|_| Malformed::Damaged("a seal"))?;
        Ok(Self { label, nonce, sealed })
    }

    /// Returns the data key. `None`: it is another key, or the wrap was changed.
    pub fn open(&self, key: &SealKey, id: &Id) -> Option<SealKey> {
        SealKey::copied(&open(key, &self.nonce, &along(&self.label, id), &self.sealed)?)
    }
}

fn along(Label { kind, name, params }: &Label, id: &Id) -> Vec<u8> {
    // Lengths keep a name and its parameters apart.
    let lengths = [name.len(), params.len()].map(|length| (length as u64).to_be_bytes());
    [CONTEXT, id, &[kind.number()], &lengths.concat(), name.as_bytes(), params].concat()
}

/// Returns the wraps as the file has them. `None`: there are more than it can have.
pub(super) fn encode(wraps: &[Wrap]) -> Option<Vec<u8>> {
    let count = u8::try_from(wraps.len()).ok().filter(|_| wraps.len() <= MAX)?;
    let mut bytes = vec![count];
    for Wrap { label: Label { kind, name, params }, nonce, sealed } in wraps {
        bytes.push(kind.number());
        bytes.push(u8::try_from(name.len()).ok()?);
        bytes.extend(name.as_bytes());
        bytes.extend(u16::try_from(params.len()).ok()?.to_be_bytes());
        bytes.extend(params);
        bytes.extend(nonce);
        bytes.extend(sealed);
    }
    Some(bytes)
}

/// Parses what [`encode`] returns.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<Wrap>> {
    let mut reader = Reader(bytes);
    let count = usize::from(reader.u8()?);
    let mut wraps = Vec::new();
    for _ in 0..count.min(MAX + 1) {
        let kind = Kind::of(reader.u8()?);
        let length = usize::from(reader.u8()?);
        let name = std::str::from_utf8(reader.take(length)?).ok()?.to_owned();
        let length = usize::from(reader.u16()?);
        let params = reader.take(length)?.to_vec();
        let label = Label { kind, name, params };
        wraps.push(Wrap { label, nonce: reader.array()?, sealed: reader.array()? });
    }
    (count <= MAX && reader.0.is_empty()).then_some(wraps)
}

/// What guessing a passphrase costs: argon2id (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    salt: [u8; 16],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Costs {
    /// Returns the costs of a new wrap: RFC 9106 §4, its second recommendation.
    pub fn new(salt: [u8; 16]) -> Self {
        Self { salt, memory_kib: 65_536, passes: 3, lanes: 4 }
    }

    /// Returns what a wrap keeps of them.
    pub fn params(&self) -> Vec<u8> {
        let numbers = [self.memory_kib, self.passes, self.lanes].map(u32::to_be_bytes);
        [&self.salt[..], &numbers.concat()].concat()
    }

    /// Parses what [`Self::params`] returns. `None`: it is something else, or asks for more than a
    /// machine should give for a file that somebody made.
    pub fn parse(params: &[u8]) -> Option<Self> {
        let mut reader = Reader(params);
        let (salt, memory_kib) = (reader.array()?, reader.u32()?);
        let (passes, lanes) = (reader.u32()?, reader.u32()?);
        let is_bearable = memory_kib <= 1024 * 1024 && passes <= 16 && lanes <= 16;
        (reader.0.is_empty() && is_bearable).then_some(Self { salt, memory_kib, passes, lanes })
    }

    /// Returns the key of a passphrase. `None`: the numbers are no costs, or there is no memory.
    pub fn key(&self, passphrase: &[u8]) -> Option<SealKey> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY)).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        SealKey::filled(|key| argon2.hash_password_into(passphrase, &self.salt, key)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Costs, Kind, Label, MAX, Wrap, encode, parse};
    use crate::core::vault::SealKey;

    fn key(byte: u8) -> SealKey {
        SealKey::copied(&[byte; 32]).unwrap()
    }

    fn wrap(kind: Kind, name: &str) -> Wrap {
        let label = Label { kind, name: name.to_owned(), params: b"params".to_vec() };
        Wrap::seal(label, &key(1), &key(2), &[3; 16], [4; 24]).unwrap()
    }

    #[test]
    fn a_wrap_gives_the_data_key_to_its_key_and_for_its_file_only() {
        let wrap = wrap(Kind::Ssh, "laptop");
        assert_eq!(wrap.open(&key(1), &[3; 16]).unwrap().bytes(), &[2; 32]);
        assert!(wrap.open(&key(9), &[3; 16]).is_none());
        assert!(wrap.open(&key(1), &[9; 16]).is_none());
        let label = &wrap.label;
        for other in [
            Label { kind: Kind::Tpm, ..label.clone() },
            Label { name: "laptopp".to_owned(), params: b"arams".to_vec(), ..label.clone() },
            Label { params: b"Params".to_vec(), ..label.clone() },
        ] {
            let other = Wrap { label: other, ..wrap.clone() };
            assert!(other.open(&key(1), &[3; 16]).is_none(), "{other:?}");
        }
    }

    #[test]
    fn wraps_are_read_as_they_are_written_and_unknown_ones_are_kept() {
        let all = vec![wrap(Kind::Passphrase, ""), wrap(Kind::Other(200), "later")];
        assert_eq!(parse(&encode(&all).unwrap()), Some(all));
        let many: Vec<Wrap> = (0..=MAX).map(|_| wrap(Kind::Tpm, "x")).collect();
        assert_eq!(encode(&many), None);
        assert!(encode(&many[1..]).is_some());
        assert_eq!(parse(&[17]), None);
        assert_eq!(parse(&[0, 0]), None);
    }

    #[test]
    fn every_kind_has_a_number_and_a_name_of_its_own() {
        for number in 0..=255 {
            assert_eq!(Kind::of(number).number(), number);
        }
        assert_eq!((Kind::Tpm.as_str(), Kind::of(3)), ("tpm", Kind::Tpm));
    }

    #[test]
    fn costs_are_kept_and_too_dear_ones_are_refused() {
        let costs = Costs::new([9; 16]);
        assert_eq!(Costs::parse(&costs.params()), Some(costs));
        for dear in [
            Costs { memory_kib: 1024 * 1024 + 1, ..costs },
            Costs { passes: 17, ..costs },
            Costs { lanes: 17, ..costs },
        ] {
            assert_eq!(Costs::parse(&dear.params()), None, "{dear:?}");
        }
        assert_eq!(Costs::parse(&costs.params()[1..]), None);
        assert!(Costs { lanes: 0, ..costs }.key(b"x").is_none());
    }

    #[test]
    fn a_passphrase_gives_its_key_with_its_salt_only() {
        let cheap = |salt| Costs { salt: [salt; 16], memory_kib: 64, passes: 1, lanes: 4 };
        let key = |salt, text: &[u8]| *cheap(salt).key(text).unwrap().bytes();
        assert_eq!(key(1, b"a"), key(1, b"a"));
        assert_ne!(key(1, b"a"), key(2, b"a"));
        assert_ne!(key(1, b"a"), key(1, b"b"));
    }
}
