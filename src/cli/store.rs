//! `gocred store`.

use clap::{Args, Subcommand, ValueEnum};

/// `gocred store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Let something else open the file, too; a new passphrase takes the place of the old one
    AddKey(AddKey),
    /// Keep something from opening the file
    RemoveKey(RemoveKey),
    /// Show where the file is, and what opens it
    Show,
}

/// `gocred store add-key`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred store add-key ssh\n  \
    gocred store add-key tpm\n  \
    gocred store add-key passphrase\n  \
    gocred store add-key command /usr/bin/pass show gocred")]
pub struct AddKey {
    /// What it is
    #[arg(value_enum)]
    pub kind: AddedKey,
    /// The comment of the SSH key, or the command with its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// What may open the encrypted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AddedKey {
    /// What an absolute program prints
    Command,
    /// The keyring of the system
    Keyring,
    /// A passphrase
    Passphrase,
    /// An SSH key (Ed25519 or RSA): of the agent, or a file in ~/.ssh without passphrase
    Ssh,
    /// The TPM of this machine
    Tpm,
}

/// `gocred store remove-key`
#[derive(Args, Debug)]
pub struct RemoveKey {
    /// Its name, as `gocred store show` says it
    pub name: String,
}
