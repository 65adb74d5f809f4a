//! Known forges: the account name that goes with a token, and the API request that a token answers.
//!
//! It sends nothing. A forge that is not known by name is recognised by which API refuses an
//! anonymous request in JSON.

use crate::core::origin::Origin;

/// A forge whose API is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// Azure DevOps
    Azure,
    /// Bitbucket, the one in the cloud
    Bitbucket,
    /// Gitea and Forgejo
    Gitea,
    /// GitHub and GitHub Enterprise
    GitHub,
    /// GitLab
    GitLab,
    /// Google's git hosts
    Google,
}

/// How a forge's API takes a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Basic`, with the token as the password.
    Basic,
    /// `Authorization: Bearer`
    Bearer,
}

impl Forge {
    /// The forges that people run themselves, in the order in which an unknown host is asked.
    pub const ALL: [Self; 3] = [Self::GitLab, Self::GitHub, Self::Gitea];

    /// Recognises the public forges by name.
    pub fn by_name(origin: &Origin) -> Option<Self> {
        match (origin.scheme(), origin.host(), origin.port()) {
            ("https", "github.com", None) => Some(Self::GitHub),
            ("https", "gitlab.com", None) => Some(Self::GitLab),
            ("https", "codeberg.org" | "gitea.com", None) => Some(Self::Gitea),
            ("https", "bitbucket.org", None) => Some(Self::Bitbucket),
            ("https", "dev.azure.com", None) => Some(Self::Azure),
            ("https", "source.developers.google.com", None) => Some(Self::Google),
            ("https", host, None) if host.ends_with(".googlesource.com") => Some(Self::Google),
            _ => None,
        }
    }

    /// Recognises a forge by the APIs that refused an anonymous request in JSON. A server that
    /// refuses all of them says nothing.
    pub fn by_refusal(refused: &[Self]) -> Option<Self> {
        match refused {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// Returns its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Azure => "Azure DevOps",
            Self::Bitbucket => "Bitbucket",
            Self::Gitea => "Gitea",
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Google => "Google",
        }
    }

    /// Returns the account name that goes with any token, where there is one.
    pub fn token_user(self) -> Option<&'static str> {
        match self {
            Self::Azure | Self::Bitbucket | Self::Gitea | Self::Google => None,
            Self::GitHub => Some("x-access-token"),
            Self::GitLab => Some("oauth2"),
        }
    }

    /// Returns the account name that git sends with a token of OAuth; `None` is that of the person.
    pub fn oauth_user(self) -> Option<&'static str> {
        match self {
            Self::Azure | Self::Google | Self::GitLab => Some("oauth2"),
            Self::Bitbucket => Some("x-token-auth"),
            Self::Gitea | Self::GitHub => None,
        }
    }

    /// Returns the URL that answers who the caller is. It is of the same origin, but for those that
    /// their companies have put elsewhere: the exceptions, compiled in.
    pub fn user_url(self, origin: &Origin) -> String {
        let path = match self {
            Self::Azure => {
                let api = "https://app.vssps.visualstudio.com/_apis/profile/profiles/me";
                return format!("{api}?api-version=7.1");
            }
            Self::Bitbucket => return "https://api.bitbucket.org/2.0/user".to_owned(),
            Self::Google => return "https://openidconnect.googleapis.com/v1/userinfo".to_owned(),
            Self::Gitea => "/api/v1/user",
            Self::GitHub if Self::by_name(origin) == Some(Self::GitHub) => {
                return "https://api.github.com/user".to_owned();
            }
            Self::GitHub => "/api/v3/user",
            Self::GitLab => "/api/v4/user",
        };
        format!("{origin}{path}")
    }

    /// Returns how its API takes the secret of this account; `None` where the API takes other
    /// secrets than git does: a deploy token or a password of GitLab is no API token.
    pub fn scheme(self, user: &str) -> Option<Scheme> {
        match self {
            Self::Azure | Self::Bitbucket | Self::Google => None,
            Self::Gitea | Self::GitHub => Some(Scheme::Basic),
            Self::GitLab => (user == "oauth2").then_some(Scheme::Bearer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Forge, Scheme};
    use crate::core::origin::Origin;

    #[test]
    fn only_the_very_name_is_a_public_forge() {
        let by = |authority| Forge::by_name(&Origin::new("https", authority).unwrap());
        assert_eq!(by("github.com"), Some(Forge::GitHub));
        for other in ["github.com.evil.test", "evilgithub.com", "github.com:444", "sub.github.com"]
        {
            assert_eq!(by(other), None, "{other}");
        }
        assert_eq!(Forge::by_name(&Origin::new("http", "github.com").unwrap()), None);
    }

    #[test]
    fn a_host_that_refuses_every_api_is_no_forge() {
        assert_eq!(Forge::by_refusal(&Forge::ALL), None);
        assert_eq!(Forge::by_refusal(&[]), None);
        assert_eq!(Forge::by_refusal(&[Forge::Gitea]), Some(Forge::Gitea));
    }

    #[test]
    fn a_token_stays_with_its_own_origin() {
        for forge in Forge::ALL {
            let origin = Origin::new("https", "git.corp.example:8443").unwrap();
            assert!(forge.user_url(&origin).starts_with("https://git.corp.example:8443/api/"));
        }
    }

    #[test]
    fn gitlabs_api_is_asked_only_about_api_tokens() {
        assert_eq!(Forge::GitLab.scheme("oauth2"), Some(Scheme::Bearer));
        assert_eq!(Forge::GitLab.scheme("gitlab+deploy-token-1"), None);
    }
}
