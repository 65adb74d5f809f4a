//! Every environment variable that gocred reads, declared once.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

#[cfg(feature = "full")]
use crate::core::secret::SecretString;

/// The variables, each with what it does to us. `gocred --help` and README print this table.
pub const VARIABLES: &[(&str, &str)] = &[
    ("CREDENTIALS_DIRECTORY", "where systemd puts `gocred.passphrase` for a service"),
    ("DBUS_SESSION_BUS_ADDRESS", "the session bus that the keyring is on"),
    ("DISPLAY", "whether `login` can open a browser here"),
    ("GCM_INTERACTIVE", "`never`, `false` or `0`: never wait for a person (cmd/go sets it)"),
    ("GIT_CONFIG_GLOBAL", "git's configuration file of the user, instead of ~/.gitconfig"),
    ("GIT_SSL_CAINFO", "a file with further certificate authorities, as git reads it"),
    ("GIT_TERMINAL_PROMPT", "`0`: never wait for a person (cmd/go sets it)"),
    ("GIT_TRACE2_EVENT", "where git traces to; `wrap` leaves it alone, and measures go only"),
    ("GOAUTH", "how go authenticates; `status` shows whether gocred is in it"),
    ("GOCRED_AGENT", "the control socket of the agent that is asked, instead of the daemon's"),
    ("GOCRED_PASSPHRASE_FILE", "a file with the passphrase of the encrypted file"),
    ("GOCRED_STORE", "where secrets are kept, as `[store] name` says it"),
    ("GOENV", "go's environment file, or `off`"),
    ("GONOPROXY", "modules that go fetches without a module proxy"),
    ("GOPRIVATE", "modules that are private; their hosts are ours"),
    ("GOPROXY", "the module proxies that go asks; `goauth` answers for them"),
    ("HOME", "the home folder"),
    ("HTTPS_PROXY", "the proxy that `login` itself goes through"),
    ("HTTP_PROXY", "as HTTPS_PROXY, for http:// hosts"),
    (
        "KRB5CCNAME",
        "where Kerberos tickets are; the service of `proxy install` looks in the usual place",
    ),
    ("KRB5_CONFIG", "Kerberos' configuration, for its library; `proxy install` passes it on"),
    ("KUBERNETES_EXEC_INFO", "the cluster that kubectl asks about (`kube-credential-gocred`)"),
    ("LANG", "the language of `explain`, where neither LC_ALL nor LC_MESSAGES says it"),
    ("LC_ALL", "the language of `explain`: Chinese where it begins with `zh`"),
    ("LC_MESSAGES", "as LC_ALL, where that is not set"),
    ("LISTEN_FDS", "sockets that systemd hands over to `proxy run`, loopback ones only"),
    ("LISTEN_PID", "the process that they are meant for"),
    ("NETRC", "the netrc file, instead of ~/.netrc"),
    ("NOTIFY_SOCKET", "where systemd wants to be told that `proxy run` is ready"),
    ("NO_COLOR", "`doctor` and `wrap` use no colours"),
    ("NO_PROXY", "hosts that `login` reaches without a proxy"),
    ("PATH", "where git and go are looked for"),
    ("SSH_CONNECTION", "`login` opens no browser: you are elsewhere"),
    ("SSH_AUTH_SOCK", "the SSH agent that opens the encrypted file"),
    (
        "SSL_CERT_FILE",
        "a file with further certificate authorities; go reads it instead of the system's",
    ),
    ("TERM", "`dumb`: no colours"),
    ("TZ", "the time zone that a PAC file sees"),
    ("WAYLAND_DISPLAY", "as DISPLAY"),
    ("XDG_CACHE_HOME", "where caches are kept, instead of ~/.cache"),
    ("XDG_CONFIG_HOME", "where gocred/config.toml is, instead of ~/.config"),
    ("XDG_CURRENT_DESKTOP", "whether KDE's proxy settings are read for `pac = \"desktop\"`"),
    ("XDG_DATA_HOME", "where the encrypted file is, instead of ~/.local/share"),
    ("XDG_RUNTIME_DIR", "where the daemon's control socket is"),
    ("XDG_STATE_HOME", "where the index of hosts is, instead of ~/.local/state"),
    ("http_proxy", "as HTTP_PROXY, for curl and git"),
    ("https_proxy", "as HTTPS_PROXY, for curl and git"),
    ("no_proxy", "as NO_PROXY, for curl and git"),
];

/// The variables of CI systems, likewise. Git's helper needs none of them.
#[cfg(feature = "full")]
pub const OF_CI: &[(&str, &str)] = &[
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "a secret of GitHub's job, for the statement of who it is"),
    (
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "where GitHub's job gets that statement, for a login at OpenBao",
    ),
    ("CI_JOB_TOKEN", "the secret of GitLab's job, for `from = \"ci\"`"),
    ("CI_SERVER_HOST", "the only host that it goes to"),
    ("CI_SERVER_PORT", "the port there"),
    ("CI_SERVER_PROTOCOL", "`https`, or `http` where the host was allowed"),
    ("GITHUB_SERVER_URL", "the only origin that GITHUB_TOKEN goes to"),
    ("GITHUB_TOKEN", "the secret of GitHub's job, for `from = \"ci\"`"),
    ("GIT_CONFIG_COUNT", "how many settings git has from its environment; `exec` adds its own"),
];

/// Those of them that are secret: they are read where they are needed, by [`secret`].
#[cfg(feature = "full")]
const SECRET: [&str; 3] = ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_TOKEN", "GITHUB_TOKEN"];

/// What another program may see of the environment: where things are, and nothing that git, go or a CI
/// system says.
#[cfg(feature = "full")]
const HARMLESS: [&str; 18] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KRB5CCNAME",
    "KRB5_CONFIG",
    "NO_PROXY",
    "PATH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Returns a variable that holds a secret. Unset, empty, and not UTF-8 are `None`.
#[cfg(feature = "full")]
#[expect(clippy::disallowed_methods, reason = "this is the replacement")]
pub fn secret(name: &str) -> Option<SecretString> {
    // A name that no variable can have would make std panic on some systems.
    let is_name = !name.is_empty() && !name.contains(['=', '\0']);
    let value = is_name.then(|| std::env::var_os(name)).flatten()?.into_string().ok()?;
    (!value.is_empty()).then(|| SecretString::from(value))
}

/// The environment as it was at the start; a parameter of everything that needs it.
#[derive(Clone, Debug, Default)]
pub struct Env {
    values: Vec<(&'static str, OsString)>,
}

impl Env {
    /// Reads the declared variables of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the replacement")]
    pub fn take() -> Self {
        let read = |&(name, _): &(&'static str, &str)| Some((name, std::env::var_os(name)?));
        let variables = VARIABLES.iter();
        #[cfg(feature = "full")]
        let variables = variables.chain(OF_CI.iter().filter(|(name, _)| !SECRET.contains(name)));
        Self { values: variables.filter_map(read).collect() }
    }

    /// Returns the same environment with one variable set to another value.
    #[cfg(feature = "full")]
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// Returns what a variable was before [`Self::with`] set it.
    #[cfg(feature = "full")]
    pub fn before(&self, name: &'static str) -> Option<&OsStr> {
        let values = self.values.iter().rev().filter(|(own, _)| *own == name);
        values.map(|(_, value)| value.as_os_str()).nth(1)
    }

    /// Returns what another program may see of it.
    #[cfg(feature = "full")]
    pub fn harmless(&self) -> Vec<(&'static str, &OsStr)> {
        HARMLESS.iter().filter_map(|name| Some((*name, self.raw(name)?))).collect()
    }

    /// Builds an environment for a test.
    pub fn of(values: &[(&'static str, &str)]) -> Self {
        Self { values: values.iter().map(|&(name, value)| (name, value.into())).collect() }
    }

    /// Returns a variable as text. Unset, empty, and not UTF-8 are `None`.
    pub fn text(&self, name: &'static str) -> Option<&str> {
        self.raw(name).and_then(OsStr::to_str).filter(|value| !value.is_empty())
    }

    /// Returns a variable as it is. Unset is `None`.
    pub fn raw(&self, name: &'static str) -> Option<&OsStr> {
        debug_assert!(is_declared(name), "{name} is not declared");
        // The last one counts, as in a map.
        self.values.iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value.as_os_str())
    }

    /// Returns a variable as a path. Unset, empty, and relative are `None`.
    pub fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// Returns whether nobody can be asked: cmd/go sets both variables for the git that it runs
    /// (modload/init.go), and CI sets one of them.
    pub fn is_unattended(&self) -> bool {
        let off = |value: &str| {
            matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off" | "never")
        };
        self.text("GIT_TERMINAL_PROMPT").is_some_and(off)
            || self.text("GCM_INTERACTIVE").is_some_and(off)
    }
}

#[cfg(feature = "full")]
fn is_declared(name: &str) -> bool {
    VARIABLES.iter().chain(OF_CI).any(|(known, _)| *known == name)
}

#[cfg(not(feature = "full"))]
fn is_declared(name: &str) -> bool {
    VARIABLES.iter().any(|(known, _)| *known == name)
}
