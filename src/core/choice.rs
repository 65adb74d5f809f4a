//! The names of the stores that a person may choose: `[store] name`, `GOCRED_STORE`, `--store`.

/// Where new secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// In the memory of the agent, until it is locked or ends.
    Agent,
    /// In the encrypted file.
    File,
    /// In the kernel's keyring, until the last process of the user ends.
    Kernel,
    /// In the keyring of the system: what is used where nothing is chosen.
    Keyring,
    /// Nowhere here: `OpenBao` or Vault is asked.
    OpenBao,
    /// In a file as it is. Only an explicit flag chooses it.
    Plaintext,
}

impl Choice {
    /// Every name, in alphabetical order.
    pub const ALL: [Self; 6] =
        [Self::Agent, Self::File, Self::Kernel, Self::Keyring, Self::OpenBao, Self::Plaintext];

    /// Parses a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == name)
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::File => "file",
            Self::Kernel => "kernel",
            Self::Keyring => "keyring",
            Self::OpenBao => "openbao",
            Self::Plaintext => "plaintext",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Choice;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for choice in Choice::ALL {
            assert_eq!(Choice::parse(choice.as_str()), Some(choice));
        }
        assert_eq!((Choice::parse(""), Choice::parse("File")), (None, None));
    }
}
