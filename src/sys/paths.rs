//! Where gocred's files are, and the files of others that it reads.

use std::path::{Path, PathBuf};

use crate::{
    core::agent::Place,
    sys::{env::Env, peer},
};

/// Where the administrator's configuration is. No variable moves it: it may lock what users set. On
/// Windows, everybody may make a folder in `ProgramData`, and nobody in `Program Files`.
pub const SYSTEM_CONFIG: &str = if cfg!(target_os = "macos") {
    "/Library/Application Support/gocred/config.toml"
} else if cfg!(windows) {
    r"C:\Program Files\gocred\config.toml"
} else {
    "/etc/gocred/config.toml"
};

/// The folders and files, resolved once.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The home folder.
    pub home: PathBuf,
    /// The administrator's configuration, of every user: [`SYSTEM_CONFIG`].
    pub system_config: PathBuf,
    /// `$XDG_CONFIG_HOME/gocred/config.toml`
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/gocred`: the index, the guard's memory, what `setup --undo` needs.
    pub state: PathBuf,
    /// `$XDG_RUNTIME_DIR/gocred/control.sock`, where there is such a folder.
    pub control: Option<PathBuf>,
    /// The control socket of the agent: `$GOCRED_AGENT`, else [`Self::control`], else that of
    /// `/run/user/UID` where there is one, else `$XDG_STATE_HOME/gocred/run/control.sock`.
    pub agent: PathBuf,
    /// `$XDG_DATA_HOME/gocred/vault`: the encrypted file, where the configuration names no other.
    pub vault: PathBuf,
    /// `$XDG_STATE_HOME/gocred/audit.jsonl`: what was released, likewise.
    pub audit: PathBuf,
    /// go's environment file (`go env GOENV`), unless it is switched off.
    pub goenv: Option<PathBuf>,
    /// The netrc that go reads: `$NETRC`, else `~/.netrc`.
    pub netrc: PathBuf,
}

impl Paths {
    /// Resolves them from an environment. `None` without a home folder.
    pub fn resolve(env: &Env) -> Option<Self> {
        let home = env.path("HOME").or_else(dirs::home_dir)?;
        let base = |variable, system: fn() -> Option<PathBuf>, unix: &str| {
            env.path(variable).unwrap_or_else(|| {
                let system = if cfg!(target_os = "linux") { None } else { system() };
                system.unwrap_or_else(|| home.join(unix))
            })
        };
        let config = base("XDG_CONFIG_HOME", dirs::config_dir, ".config");
        let goenv = match env.text("GOENV") {
            Some("off") => None,
            Some(file) => Some(PathBuf::from(file)),
            None => Some(config.join("go/env")),
        };
        let state = base("XDG_STATE_HOME", dirs::data_local_dir, ".local/state").join("gocred");
        let data = base("XDG_DATA_HOME", dirs::data_local_dir, ".local/share").join("gocred");
        let control = env.path("XDG_RUNTIME_DIR").map(|run| run.join("gocred/control.sock"));
        let agent = env
            .path("GOCRED_AGENT")
            .or_else(|| nameless(env))
            .or_else(|| control.clone())
            .or_else(of_this_user);
        Some(Self {
            system_config: SYSTEM_CONFIG.into(),
            config: config.join("gocred/config.toml"),
            agent: agent.unwrap_or_else(|| state.join("run/control.sock")),
            vault: data.join("vault"),
            audit: state.join("audit.jsonl"),
            state,
            control,
            goenv,
            netrc: env
                .path("NETRC")
                .unwrap_or_else(|| home.join(if cfg!(windows) { "_netrc" } else { ".netrc" })),
            home,
        })
    }
}

impl Paths {
    /// Returns what the agent knows callers by that work with the same files and store.
    pub fn place(&self, env: &Env) -> Place {
        let goenv = self.goenv.as_deref().unwrap_or_else(|| Path::new(""));
        let files = [&self.config, &self.state, &self.netrc, goenv];
        let store = env.text("GOCRED_STORE").unwrap_or_default();
        let files = files.into_iter().map(|file| file.as_os_str().as_encoded_bytes());
        Place::of(files.chain([store.as_bytes()]))
    }
}

/// Returns the name of a socket that no folder holds, as `gocred exec` gives one to its agent.
fn nameless(env: &Env) -> Option<PathBuf> {
    env.text("GOCRED_AGENT").filter(|name| name.starts_with('@')).map(PathBuf::from)
}

/// Returns the control socket in the folder that systemd makes, for who starts without its variables:
/// cron, `sudo -u`, an SSH session of another kind.
#[cfg(unix)]
fn of_this_user() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let uid = peer::own_uid();
    let folder = PathBuf::from(format!("/run/user/{uid}"));
    let is_own = folder.symlink_metadata().is_ok_and(|about| about.is_dir() && about.uid() == uid);
    is_own.then(|| folder.join("gocred/control.sock"))
}

#[cfg(not(unix))]
fn of_this_user() -> Option<PathBuf> {
    None
}
