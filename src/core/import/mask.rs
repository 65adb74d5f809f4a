//! Secrets as a person may see them: enough to know which one it is, nothing to use it with.
//!
//! It deliberately says nothing of a password, not even its length.

use crate::core::secret::{ExposeSecret, SecretString};

/// What begins the tokens of GitHub, GitLab, npm, `PyPI`, Docker, Atlassian, Hugging Face, Slack and
/// `DigitalOcean`, as these print it in their own documents.
const TOKENS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glcbt-",
    "npm_",
    "pypi-",
    "dckr_pat_",
    "ATATT3",
    "ATBB",
    "hf_",
    "xoxb-",
    "xoxp-",
    "dop_v1_",
];

/// Returns what begins a token that is known by it.
pub fn token(text: &str) -> Option<&'static str> {
    // What is as short as this is a word that happens to begin so.
    TOKENS.iter().copied().find(|start| text.starts_with(start) && text.len() >= start.len() + 8)
}

/// Returns `ghp_…(40)` for a token that is known by its start, else `****`.
pub fn mask(secret: &SecretString) -> String {
    let text = secret.expose_secret();
    match token(text) {
        Some(start) => format!("{start}…({})", text.chars().count()),
        None => "****".to_owned(),
    }
}

/// Returns whether a text is no secret but the place of one: what a template, npm or a person writes
/// where the secret is not known.
pub(super) fn is_placeholder(text: &str) -> bool {
    let within = |start: &str, end: &str| text.starts_with(start) && text.ends_with(end);
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let only = |wanted: char| text.chars().all(|c| c == wanted);
    within("${", "}")
        || within("$(", ")")
        || within("`", "`")
        || within("{{", "}}")
        || within("<", ">")
        || within("%(", ")s")
        || within("%", "%") && text.len() > 2
        || text
            .strip_prefix('$')
            .is_some_and(|name| is_name(name) && name.chars().all(|c| !c.is_ascii_lowercase()))
        || text.is_empty()
        || only('*')
        || text.len() >= 3 && (only('x') || only('X') || only('.'))
}

#[cfg(test)]
mod tests {
    use super::{is_placeholder, mask};

    #[test]
    fn a_token_shows_what_it_is_and_a_password_nothing() {
        for (secret, shown) in [
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_…(40)"),
            ("github_pat_11ABCDEFG0123456789_x", "github_pat_…(32)"),
            ("glpat-abcdefghij0123456789", "glpat-…(26)"),
            ("hunter2", "****"),
            ("ghp_", "****"),
            ("npm_x", "****"),
        ] {
            assert_eq!(mask(&secret.into()), shown);
        }
    }

    #[test]
    fn what_stands_for_a_secret_is_none() {
        for text in [
            "${NPM_TOKEN}",
            "${NPM_TOKEN:-}",
            "$GITHUB_TOKEN",
            "$(pass show x)",
            "`cat x`",
            "{{ token }}",
            "<your token>",
            "%(token)s",
            "%TOKEN%",
            "****",
            "xxxx",
            "",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["hunter2", "$ecret", "pa$$", "x", "a<b>", "100%", "%", "<", "xx"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
