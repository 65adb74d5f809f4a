//! What a forge's API, or the userinfo of `OpenID` Connect, says of a token: whose it is, what it may do,
//! and until when. Written from each forge's published answers.

use serde::Deserialize;

use crate::core::{credential::UnixTime, forge::Forge, oauth, text::start, time};

/// What is known of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The account.
    pub login: Option<String>,
    /// The person, such as `Ana Lima`.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Option<Vec<String>>,
    /// When it ends.
    pub expires: Option<UnixTime>,
}

/// Longer names are cut, in bytes.
const MAX_NAME: usize = 200;

#[derive(Deserialize)]
struct User {
    // GitHub and Gitea; GitLab and Bitbucket; Azure; OpenID Connect.
    login: Option<String>,
    username: Option<String>,
    nickname: Option<String>,
    #[serde(rename = "emailAddress")]
    email_address: Option<String>,
    preferred_username: Option<String>,
    sub: Option<String>,
    name: Option<String>,
    full_name: Option<String>,
    display_name: Option<String>,
    #[serde(rename = "displayName")]
    display: Option<String>,
}

/// Reads the answer of the API about the caller. `field` returns a field of its head.
pub fn user<'a>(body: &[u8], field: impl Fn(&str) -> Option<&'a str>) -> Option<Holder> {
    let user: User = serde_json::from_slice(body).ok()?;
    let known = |text: &String| !text.trim().is_empty();
    let login = [
        user.login,
        user.username,
        user.nickname,
        user.preferred_username,
        user.email_address,
        user.sub,
    ];
    let name = [user.name, user.full_name, user.display_name, user.display];
    let cut = |text: String| start(text.trim(), MAX_NAME).to_owned();
    // GitHub's fine-grained tokens have no scopes, and no field of them either.
    let scopes = field("x-oauth-scopes").map(oauth::scopes).filter(|scopes| !scopes.is_empty());
    Some(Holder {
        login: login.into_iter().flatten().find(known).map(cut),
        name: name.into_iter().flatten().find(known).map(cut),
        scopes,
        expires: field("github-authentication-token-expiration").and_then(time::timestamp),
    })
}

#[derive(Deserialize)]
struct About {
    // GitLab: `/oauth/token/info` has `scope`, `/personal_access_tokens/self` has `scopes`.
    #[serde(alias = "scopes")]
    scope: Option<Vec<String>>,
    expires_in: Option<u64>,
    expires_at: Option<String>,
}

/// Returns where GitLab says what a token may do: one that OAuth gave, or a personal one.
pub fn about_urls(forge: Forge, origin: &impl std::fmt::Display) -> Vec<String> {
    match forge {
        Forge::GitLab => vec![
            format!("{origin}/oauth/token/info"),
            format!("{origin}/api/v4/personal_access_tokens/self"),
        ],
        Forge::Azure | Forge::Bitbucket | Forge::Gitea | Forge::GitHub | Forge::Google => vec![],
    }
}

/// Reads what is said there.
pub fn about(body: &[u8], now: UnixTime, holder: &mut Holder) {
    let Ok(about) = serde_json::from_slice::<About>(body) else { return };
    holder.scopes = about.scope.or_else(|| holder.scopes.take());
    let ends = about.expires_in.map(|seconds| now.saturating_add(seconds));
    let dated = about.expires_at.as_deref().and_then(time::timestamp);
    holder.expires = ends.or(dated).or(holder.expires);
}

/// Returns the rights that git needs of a token and does not find among these; each is a list of names
/// of which one is enough.
pub fn lacks(forge: Forge, scopes: &[String]) -> Vec<&'static str> {
    let needed: &[&[&str]] = match forge {
        Forge::GitHub => &[&["repo"]],
        Forge::GitLab => &[&["read_repository", "write_repository", "api"]],
        Forge::Gitea => &[&["read:repository", "write:repository", "all", "repo"]],
        Forge::Bitbucket => &[&["repository", "repository:write", "repository:admin"]],
        Forge::Azure | Forge::Google => &[],
    };
    let is_missing =
        |names: &&&[&str]| !names.iter().any(|name| scopes.iter().any(|it| it == name));
    needed.iter().filter(is_missing).filter_map(|names| names.first().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Forge, Holder, about, lacks, user};

    fn holder(body: &str, fields: &[(&str, &'static str)]) -> Holder {
        let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|it| it.1);
        user(body.as_bytes(), field).unwrap()
    }

    #[test]
    fn each_forge_names_the_account_in_its_own_words() {
        for (body, login, name) in [
            (r#"{"login":"ana","id":1,"name":"Ana Lima"}"#, "ana", Some("Ana Lima")),
            (r#"{"login":"ana","full_name":"Ana Lima"}"#, "ana", Some("Ana Lima")),
            (r#"{"username":"ana","name":"Ana Lima"}"#, "ana", Some("Ana Lima")),
            (r#"{"nickname":"ana","display_name":"Ana Lima"}"#, "ana", Some("Ana Lima")),
            (r#"{"displayName":"Ana Lima","emailAddress":"a@h"}"#, "a@h", Some("Ana Lima")),
            (r#"{"sub":"248289761001","preferred_username":"j.doe"}"#, "j.doe", None),
            (r#"{"sub":"248289761001","name":null}"#, "248289761001", None),
        ] {
            let holder = holder(body, &[]);
            assert_eq!((holder.login.as_deref(), holder.name.as_deref()), (Some(login), name));
        }
        assert_eq!(user(b"<html>", |_| None), None);
    }

    #[test]
    fn scopes_and_end_are_read_where_they_are_said() {
        let fields = [
            ("x-oauth-scopes", "gist, repo"),
            ("github-authentication-token-expiration", "2026-11-25 19:37:30 UTC"),
        ];
        let mut holder = holder(r#"{"login":"ana"}"#, &fields);
        assert_eq!(holder.scopes.as_ref().unwrap(), &["gist", "repo"]);
        assert_eq!(holder.expires, Some(1_795_635_450));
        about(br#"{"scope":["api"],"expires_in":60}"#, 1000, &mut holder);
        assert_eq!((holder.scopes.as_ref().unwrap().len(), holder.expires), (1, Some(1060)));
        about(br#"{"scopes":["a","b"],"expires_at":"2000-02-29"}"#, 1000, &mut holder);
        assert_eq!((holder.scopes.as_ref().unwrap().len(), holder.expires), (2, Some(951_868_799)));
        about(br#"{"scope":"a b"}"#, 1000, &mut holder);
        assert_eq!(holder.scopes.unwrap().len(), 2);
    }

    #[test]
    fn a_token_that_git_cannot_use_is_told_by_what_it_lacks() {
        let of = |forge, scopes: &str| lacks(forge, &crate::core::oauth::scopes(scopes));
        assert_eq!(of(Forge::GitHub, "gist"), ["repo"]);
        assert!(of(Forge::GitHub, "gist repo").is_empty());
        assert_eq!(of(Forge::GitLab, "read_api"), ["read_repository"]);
        assert!(of(Forge::GitLab, "api").is_empty() && of(Forge::Azure, "").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(body in ".{0,200}") {
            let _ = user(body.as_bytes(), |_| Some("x"));
            about(body.as_bytes(), u64::MAX, &mut Holder::default());
        }
    }
}
