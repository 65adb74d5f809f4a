//! A key that an SSH key of the user gives: its signature over a salt, which nobody else can make, and
//! which is the same each time. The user's agent signs, or the key file itself.

use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        secret::ExposeSecret,
        sshsig::{self, REPEATABLE},
        vault::SealKey,
    },
    store::{
        Error,
        keys::{command::derived, ssh_file},
    },
};

const NAMESPACE: &str = "gocred";
const SALT: usize = 32;

/// Who has SSH keys.
pub(super) struct Signers {
    /// The socket of the user's agent.
    pub(super) agent: Option<PathBuf>,
    pub(super) home: PathBuf,
}

/// A key that somebody has.
struct Identity {
    key: Vec<u8>,
    comment: String,
}

impl Signers {
    /// Returns the key of a wrap. `Ok(None)`: nobody has this SSH key.
    pub(super) fn key(&self, params: &[u8]) -> Result<Option<SealKey>, Error> {
        let Some((salt, public)) = params.split_at_checked(SALT) else {
            let what = "the SSH key of the encrypted file is not in its form";
            return Err(Error::Refused(what.to_owned()));
        };
        Ok(self.signed(public, salt))
    }

    fn signed(&self, public: &[u8], salt: &[u8]) -> Option<SealKey> {
        let signature = self.by_agent(public, salt).or_else(|| {
            let found = ssh_file::find(&self.home).into_iter().find(|found| found.key == public)?;
            ssh_file::sign(&found, NAMESPACE, salt)
        })?;
        let bare = sshsig::bare(&signature)?;
        Some(derived(bare.expose_secret(), b"gocred ssh 1"))
    }

    #[cfg(unix)]
    fn by_agent(&self, public: &[u8], salt: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let data = sshsig::signed(NAMESPACE, salt);
        crate::sys::ssh_agent::sign(self.agent.as_ref()?, public, &data).ok()?
    }

    /// There is no agent of this kind on this system.
    #[cfg(not(unix))]
    fn by_agent(&self, _public: &[u8], _salt: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    /// Returns the comments of the keys that will do, or their types where they have none.
    pub(super) fn names(&self) -> Result<Vec<String>, Error> {
        let name = |Identity { key, comment }: Identity| {
            if comment.is_empty() { kind(&key).to_owned() } else { comment }
        };
        Ok(self.identities()?.into_iter().map(name).collect())
    }

    /// Returns the keys that will do, those of the agent first. The error says why there is none.
    fn identities(&self) -> Result<Vec<Identity>, Error> {
        let files = ssh_file::find(&self.home);
        let files =
            files.into_iter().map(|found| Identity { key: found.key, comment: found.comment });
        let (mut all, trouble) = match self.of_agent() {
            Ok(found) => (found, "it has no key of these kinds".to_owned()),
            Err(why) => (Vec::new(), why),
        };
        all.extend(files);
        all.retain(|identity| REPEATABLE.contains(&kind(&identity.key)));
        if all.is_empty() {
            let kinds = REPEATABLE.join(", ");
            return Err(Error::Refused(format!(
                "there is no SSH key that signs the same each time ({kinds}): not in an SSH agent \
                 ({trouble}), and none without a passphrase in ~/.ssh"
            )));
        }
        Ok(all)
    }

    #[cfg(unix)]
    fn of_agent(&self) -> Result<Vec<Identity>, String> {
        use crate::sys::ssh_agent;
        let agent = self.agent.as_ref().ok_or("there is none")?;
        let found = ssh_agent::identities(agent).map_err(|error| error.to_string())?;
        let one = |ssh_agent::Identity { key, comment }| Identity { key, comment };
        Ok(found.into_iter().map(one).collect())
    }

    /// There is no agent of this kind on this system.
    #[cfg(not(unix))]
    fn of_agent(&self) -> Result<Vec<Identity>, String> {
        Err("it is not asked on this system".to_owned())
    }

    /// Chooses a key, and returns the parameters of a wrap and its key. It signs twice: only a key that
    /// says the same both times will open the file again.
    pub(super) fn new_key(
        &self,
        wanted: &str,
        salt: [u8; SALT],
    ) -> Result<(Vec<u8>, SealKey), Error> {
        let refused = |what: &str| Error::Refused(what.to_owned());
        let is_wanted = |identity: &Identity| {
            [identity.comment.as_str(), kind(&identity.key), ""].contains(&wanted)
        };
        let identity = self.identities()?.into_iter().find(is_wanted);
        let Identity { key, comment: _ } =
            identity.ok_or_else(|| refused("no SSH key has that comment"))?;
        let sign = || self.signed(&key, &salt);
        match (sign(), sign()) {
            (Some(one), Some(again)) if one.bytes() == again.bytes() => {
                Ok(([&salt[..], &key].concat(), one))
            }
            (Some(_), Some(_)) => {
                Err(refused("this SSH key signs differently each time, and cannot open a file"))
            }
            _ => Err(refused("neither the SSH agent nor ssh-keygen did sign")),
        }
    }
}

fn kind(key: &[u8]) -> &str {
    sshsig::key_type(key).unwrap_or_default()
}
