//! `[source."…"]` and `[openbao]`: credentials that are fetched where they are needed.
//!
//! The helper knows only the names of the sources: it hands their questions over.

use std::{path::PathBuf, time::Duration};

use crate::core::{
    config::{read::Item, span},
    origin::Origin,
};

/// `[source."git.corp.example"]`. Which keys there must be, `lacks` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRule {
    /// `from`: who has them.
    pub from: Option<Provider>,
    /// `path`: where in `OpenBao`, with `{host}` for the host.
    pub path: Option<String>,
    /// `user`: the field that holds the account.
    pub user: Option<String>,
    /// `secret`: the field that holds the secret.
    pub secret: Option<String>,
    /// `command`: an absolute path and arguments.
    pub command: Vec<String>,
    /// `variable`: the name of an environment variable.
    pub variable: Option<String>,
    /// `app_id`: of the GitHub app.
    pub app_id: Option<String>,
    /// `installation`: of the GitHub app.
    pub installation: Option<String>,
    /// `key`: a PEM file with the private key of the GitHub app.
    pub key: Option<PathBuf>,
    /// `cache`: how long an answer that names no end is kept.
    pub cache: Option<Duration>,
}

/// Who has the credentials of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The job of a CI system.
    Ci,
    /// A variable of the environment.
    Env,
    /// A command.
    Exec,
    /// A GitHub app.
    GithubApp,
    /// Another git credential helper.
    Helper,
    /// `OpenBao` or Vault.
    OpenBao,
}

impl Provider {
    const NAMES: [(&'static str, Self); 6] = [
        ("ci", Self::Ci),
        ("env", Self::Env),
        ("exec", Self::Exec),
        ("github-app", Self::GithubApp),
        ("helper", Self::Helper),
        ("openbao", Self::OpenBao),
    ];
}

impl SourceRule {
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        let text = || item.text().map(|text| Some(text.to_owned()));
        match name {
            "app_id" => self.app_id = text()?,
            "cache" => self.cache = Some(span::parse(item.text()?)?),
            "command" => self.command = command(item.texts()?)?,
            "from" => {
                let name = item.text()?;
                let provider = Provider::NAMES.into_iter().find(|(known, _)| *known == name);
                let known = Provider::NAMES.map(|(name, _)| name).join(", ");
                let (_, provider) = provider.ok_or_else(|| format!("must be one of {known}"))?;
                self.from = Some(provider);
            }
            "installation" => self.installation = text()?,
            "key" => self.key = Some(item.file()?),
            "path" => self.path = text()?,
            "secret" => self.secret = text()?,
            "user" => self.user = text()?,
            _ => self.variable = text()?,
        }
        Ok(())
    }

    /// Returns the key that is missing, if one is.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let Some(from) = self.from else { return Some("from") };
        let needed = match from {
            Provider::Ci => vec![],
            Provider::Env => vec![("variable", self.variable.is_some())],
            Provider::Exec | Provider::Helper => vec![("command", !self.command.is_empty())],
            Provider::GithubApp => vec![
                ("app_id", self.app_id.is_some()),
                ("installation", self.installation.is_some()),
                ("key", self.key.is_some()),
            ],
            Provider::OpenBao => vec![("path", self.path.is_some())],
        };
        needed.into_iter().find(|(_, is_there)| !is_there).map(|(key, _)| key)
    }
}

/// A name without a folder would be looked for in a `PATH` that others may set.
fn command(words: &[String]) -> Result<Vec<String>, String> {
    let is_absolute = words.first().is_some_and(|it| std::path::Path::new(it).is_absolute());
    let is_clean = words.iter().all(|word| !word.contains('\0'));
    (is_absolute && is_clean)
        .then(|| words.to_vec())
        .ok_or_else(|| "must be an array that starts with an absolute path".to_owned())
}

/// `[openbao]`: the secret manager of the company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenBao {
    /// `address`: its URL.
    pub address: Option<String>,
    /// `login`: how we log in there.
    pub login: Option<Login>,
    /// `token_file`: a file with a token.
    pub token_file: Option<PathBuf>,
    /// `role_id_file`: a file with the role id of `AppRole`.
    pub role_id_file: Option<PathBuf>,
    /// `secret_id_file`: a file with the secret id of `AppRole`.
    pub secret_id_file: Option<PathBuf>,
    /// `jwt_file`: a file with a token that an issuer of identities signed.
    pub jwt_file: Option<PathBuf>,
    /// `role`: the role that is asked for with it.
    pub role: Option<String>,
    /// `mount`: where the login method is mounted. Absent: at its own name.
    pub mount: Option<String>,
    /// `namespace`: the namespace of everything.
    pub namespace: Option<String>,
    /// `ca`: a PEM file with its roots.
    pub ca: Option<PathBuf>,
}

/// How we log in at `OpenBao`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// `"approle"`
    AppRole,
    /// `"jwt"`
    Jwt,
    /// `"token"`
    Token,
}

impl OpenBao {
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        let text = || item.text().map(|text| Some(text.to_owned()));
        match name {
            "address" => self.address = Some(url(item.text()?)?),
            "ca" => self.ca = Some(item.file()?),
            "jwt_file" => self.jwt_file = Some(item.file()?),
            "login" => {
                self.login = Some(match item.text()? {
                    "approle" => Login::AppRole,
                    "jwt" => Login::Jwt,
                    "token" => Login::Token,
                    _ => return Err("must be \"approle\", \"jwt\" or \"token\"".to_owned()),
                });
            }
            "mount" => self.mount = text()?,
            "namespace" => self.namespace = text()?,
            "role" => self.role = text()?,
            "role_id_file" => self.role_id_file = Some(item.file()?),
            "secret_id_file" => self.secret_id_file = Some(item.file()?),
            _ => self.token_file = Some(item.file()?),
        }
        Ok(())
    }

    pub(super) fn files(&mut self) -> [&mut Option<PathBuf>; 5] {
        let Self { token_file, role_id_file, secret_id_file, jwt_file, ca, .. } = self;
        [token_file, role_id_file, secret_id_file, jwt_file, ca]
    }
}

/// `[oauth."ghe.corp.example"]`: how we log in at a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OAuthClient {
    /// `client_id`: what the host calls us.
    pub client_id: Option<String>,
    /// `client_secret_file`: a file with the client's secret, where the host wants one.
    pub client_secret_file: Option<PathBuf>,
    /// `scopes`: what is asked for. Empty: what the preset of the host asks for.
    pub scopes: Vec<String>,
    /// `metadata`: the URL of the server's metadata (RFC 8414).
    pub metadata: Option<String>,
}

impl OAuthClient {
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "client_id" => self.client_id = Some(item.text()?.to_owned()),
            "client_secret_file" => self.client_secret_file = Some(item.file()?),
            "metadata" => self.metadata = Some(url(item.text()?)?),
            _ => self.scopes = item.texts()?.to_vec(),
        }
        Ok(())
    }
}

fn url(text: &str) -> Result<String, String> {
    let (origin, _) = Origin::from_url(text).map_err(|error| format!("is wrong: {error}"))?;
    match origin.scheme() {
        "http" | "https" => Ok(text.to_owned()),
        _ => Err("must be an https:// URL".to_owned()),
    }
}
