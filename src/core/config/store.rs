//! `[store]`, `[secret_service]` and `[audit]`: where secrets are kept, and what is written down of
//! their use. The helper reads these, too.

use std::{path::PathBuf, time::Duration};

use crate::core::{
    choice::Choice,
    config::{read::Item, span},
};

/// `[store]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// `name`: the store that was chosen. Absent: the keyring.
    pub name: Option<Choice>,
    /// `file`: the encrypted file. Absent: `sys::paths::Paths::vault`.
    pub file: Option<PathBuf>,
    /// `fallback`: whose secrets are read in place where ours has none, in order.
    pub fallback: Vec<Fallback>,
    /// `remember`: who keeps the key of the encrypted file between two uses.
    pub remember: Remember,
    /// `lifetime`: how long after the unlocking it is kept.
    pub lifetime: Option<Duration>,
    /// `idle`: how long after the last use it is kept; 0 is as long as `lifetime`.
    pub idle: Option<Duration>,
}

/// Whose secrets are read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// What git-credential-libsecret and secret-tool wrote.
    Libsecret,
}

/// Who keeps the key of the encrypted file between two uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remember {
    /// The agent, in locked memory.
    #[default]
    Agent,
    /// The kernel's keyring.
    Kernel,
    /// Nobody.
    Never,
}

impl Store {
    /// Returns how long after its unlocking something is kept: a working day where nothing is said.
    #[cfg(feature = "full")]
    pub fn lifetime(&self) -> Duration {
        self.lifetime.unwrap_or(Duration::from_secs(12 * 60 * 60))
    }

    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "fallback" => self.fallback = fallback(item.texts()?)?,
            "file" => self.file = Some(item.file()?),
            "idle" => self.idle = Some(span::parse(item.text()?)?),
            "lifetime" => self.lifetime = Some(span::parse(item.text()?)?),
            "name" => {
                let choice = Choice::parse(item.text()?).ok_or(
                    "must be \"agent\", \"file\", \"kernel\", \"keyring\", \"openbao\" or \"plaintext\"",
                )?;
                self.name = Some(choice);
            }
            _ => {
                self.remember = match item.text()? {
                    "agent" => Remember::Agent,
                    "kernel" => Remember::Kernel,
                    "never" => Remember::Never,
                    _ => return Err("must be \"agent\", \"kernel\" or \"never\"".to_owned()),
                }
            }
        }
        Ok(())
    }
}

fn fallback(names: &[String]) -> Result<Vec<Fallback>, String> {
    let one = |name: &String| (name == "libsecret").then_some(Fallback::Libsecret);
    let all: Option<Vec<_>> = names.iter().map(one).collect();
    all.ok_or_else(|| "must be an array; there is \"libsecret\"".to_owned())
}

/// `[secret_service]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretService {
    /// `session`: how secrets travel on the session bus.
    pub session: Session,
}

/// How secrets travel on the session bus (Secret Service API, "Transfer of Secrets").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Session {
    /// `"plain"`: as they are. The bus is a socket of the user's own.
    #[default]
    Plain,
    /// `"dh"`: encrypted with a key of the session.
    Dh,
}

impl SecretService {
    pub(super) fn set(&mut self, item: &Item) -> Result<(), String> {
        self.session = match item.text()? {
            "dh" => Session::Dh,
            "plain" => Session::Plain,
            _ => return Err("must be \"plain\" or \"dh\"".to_owned()),
        };
        Ok(())
    }
}

/// `[audit]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// `enabled`: every release is written down.
    pub enabled: bool,
    /// `required`: what cannot be written down is not released.
    pub required: bool,
    /// `file`: the record. Absent: `sys::paths::Paths::audit`.
    pub file: Option<PathBuf>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { enabled: true, required: false, file: None }
    }
}

impl Audit {
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "enabled" => self.enabled = item.truth()?,
            "required" => self.required = item.truth()?,
            _ => self.file = Some(item.file()?),
        }
        Ok(())
    }
}
