//! URLs that carry an account and a secret: what they say, and where in them it stands.
//!
//! It deliberately refuses what programs read in different ways (RFC 3986 §3.2.1 has no second `@`).

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

use crate::core::{
    config::Upstream,
    credential::{Key, Kind, Proof},
    forge::Forge,
    import::{Asker, Cut, Found, Move, Put, Stay, Verdict, mask},
    origin::Origin,
    secret::SecretString,
};

/// A URL with an account.
#[derive(Debug)]
pub(super) struct Userinfo<'a> {
    scheme: String,
    user: &'a str,
    password: Option<&'a str>,
    authority: &'a str,
    below: &'a str,
    /// From the scheme to the end of host and port.
    pub(super) front: Range<usize>,
    /// What stands before the `@`.
    pub(super) inner: Range<usize>,
}

/// Reads a URL. `None`: it is none, or has no account. Without a scheme it is one only where a proxy
/// is named (curl's `--proxy`).
pub(super) fn parse(text: &str, schemes: Schemes) -> Option<Userinfo<'_>> {
    let (scheme, rest) = match (text.split_once("://"), schemes) {
        (Some((scheme, rest)), _) => (scheme, rest),
        (None, Schemes::Optional) => ("", text),
        (None, Schemes::Needed) => return None,
    };
    let valid = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    if !scheme.chars().all(valid) {
        return None;
    }
    let start = text.len() - rest.len();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, below) = rest.split_at(end);
    let (inner, host) = authority.rsplit_once('@')?;
    let (user, password) = match inner.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (inner, None),
    };
    Some(Userinfo {
        scheme: if scheme.is_empty() { "http".to_owned() } else { scheme.to_ascii_lowercase() },
        user,
        password,
        authority: host,
        below,
        front: 0..start + end,
        inner: start..start + inner.len(),
    })
}

/// Whether a URL must say its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schemes {
    Needed,
    Optional,
}

/// An account with its secret.
struct Account {
    user: String,
    secret: SecretString,
    /// Whether the account may stay in the URL.
    is_public: bool,
}

impl Userinfo<'_> {
    /// Returns the part that is secret, for people; `None`: there is none.
    pub(super) fn secret(&self) -> Option<SecretString> {
        let is_real = |text: &&str| !mask::is_placeholder(text);
        let password = self.password.filter(|password| *password != BASIC).filter(is_real);
        if let Some(password) = password {
            return Some(
                decode(password).map_or_else(|| password.into(), |text| text.as_str().into()),
            );
        }
        // `https://TOKEN@host`, and `https://TOKEN:x-oauth-basic@host` as GitHub once advised.
        let is_token = mask::token(self.user).is_some() || self.password == Some(BASIC);
        (is_token && is_real(&self.user)).then(|| self.user.into())
    }

    /// Returns the path below the host as a credential's key has it.
    pub(super) fn path(&self) -> Option<String> {
        let path = decode(self.below.split(['?', '#']).next().unwrap_or_default())?;
        let path = path.trim_matches('/');
        (!path.is_empty() && !path.contains(char::is_control)).then(|| path.to_owned())
    }

    /// Says how the secret moves that git or go reads here. `at` is where the URL stands.
    pub(super) fn of_host(&self, asker: Asker, at: usize) -> Verdict {
        let origin = match self.origin(&["https", "http"]) {
            Ok(origin) => origin,
            Err(stay) => return Verdict::Stay(stay),
        };
        let account = match self.account(Some(&origin)) {
            Ok(account) => account,
            Err(stay) => return Verdict::Stay(stay),
        };
        // go asks nobody for a URL with an account (cmd/go/internal/web/http.go); git and pip ask for
        // that very account, and pip for no other.
        let keeps = account.is_public && matches!(asker, Asker::Git | Asker::Pip);
        if asker == Asker::Pip && !keeps {
            return Verdict::Stay(Stay::NoAccount);
        }
        let from = self.inner.start + if keeps { self.user.len() } else { 0 };
        let to = self.inner.end + usize::from(!keeps);
        let key = Key { kind: Kind::Git, origin, path: None, user: account.user };
        let cut = Some(Cut { span: at + from..at + to, put: Put::Nothing });
        Verdict::Move(Move { key, proof: Proof::Password(account.secret), asker, cut })
    }

    /// Says how the password of a forward proxy moves.
    pub(super) fn of_proxy(&self, put: Put, at: usize) -> Verdict {
        let stay = |stay| Verdict::Stay(stay);
        if let Err(why) = self.origin(&["http", "https", "socks5", "socks5h"]) {
            return stay(if why == Stay::NotAHost { Stay::NotAProxy } else { why });
        }
        // What curl calls socks5h is the one that asks no name server of ours.
        let scheme = if self.scheme == "socks5" { "socks5h" } else { &self.scheme };
        let url = format!("{scheme}://{}", self.authority.to_ascii_lowercase());
        let Ok(Upstream::Via(origin)) = Upstream::parse(&url) else { return stay(Stay::NotAProxy) };
        match self.account(None) {
            Ok(Account { user, secret, is_public: _ }) => Verdict::Move(Move {
                key: Key { kind: Kind::Proxy, origin, path: None, user },
                proof: Proof::Password(secret),
                asker: Asker::Proxy,
                cut: Some(Cut { span: at + self.front.start..at + self.front.end, put }),
            }),
            Err(why) => stay(why),
        }
    }

    fn origin(&self, schemes: &[&str]) -> Result<Origin, Stay> {
        if self.user.contains('@') || self.password.is_some_and(|text| text.contains('@')) {
            return Err(Stay::Ambiguous);
        }
        if !schemes.contains(&self.scheme.as_str()) {
            return Err(Stay::NotAHost);
        }
        // Tools lower the case of a host before they ask.
        let authority = self.authority.to_ascii_lowercase();
        Origin::new(&self.scheme, &authority).map_err(|_| Stay::NotAHost)
    }

    /// Decodes account and secret. A token in the place of the account goes with the account that its
    /// forge takes for any token.
    fn account(&self, origin: Option<&Origin>) -> Result<Account, Stay> {
        let part = |text: &str| decode(text).ok_or(Stay::Written);
        let user = part(self.user)?;
        let password = self.password.map(part).transpose()?.filter(|text| !text.is_empty());
        if user.contains(char::is_control)
            || password.as_ref().is_some_and(|text| text.contains(char::is_control))
        {
            return Err(Stay::Control);
        }
        let takes_any = || any_account(&user, origin).ok_or(Stay::NoAccount);
        match password {
            Some(secret) if *secret != BASIC && secret != user => {
                if mask::token(&user).is_some() {
                    return Err(Stay::NoAccount);
                }
                if user.is_empty() {
                    let account = any_account(&secret, origin).ok_or(Stay::NoAccount)?;
                    let (user, secret) = (account.to_owned(), secret.as_str().into());
                    return Ok(Account { user, secret, is_public: false });
                }
                let (user, secret) = (user.to_string(), secret.as_str().into());
                Ok(Account { user, secret, is_public: true })
            }
            Some(_) | None => {
                let account = takes_any()?.to_owned();
                Ok(Account { user: account, secret: user.as_str().into(), is_public: false })
            }
        }
    }
}

/// The password that GitHub once advised beside a token.
const BASIC: &str = "x-oauth-basic";

/// Returns the account that goes with a token, by its start or by its host.
fn any_account(token: &str, origin: Option<&Origin>) -> Option<&'static str> {
    let forge = match mask::token(token) {
        Some(start) if start.starts_with("gh") || start == "github_pat_" => Some(Forge::GitHub),
        Some("glpat-" | "gldt-" | "glcbt-") => Some(Forge::GitLab),
        Some(_) | None => origin.and_then(Forge::by_name),
    };
    origin.and(forge)?.token_user()
}

/// Adds what a URL tells, if it has a secret.
pub(super) fn add(
    found: &mut Vec<Found>,
    (line, name): (usize, &str),
    url: &Userinfo<'_>,
    verdict: Verdict,
) {
    if let Some(secret) = url.secret() {
        found.push(Found { line, name: name.to_owned(), secret, verdict });
    }
}

/// Decodes `%xx`; `None` for what is not UTF-8 then. A `%` that begins none is one: curl takes it so.
fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    // Within its room, so that no copy stays behind.
    let text = std::str::from_utf8(&bytes).ok()?;
    let mut decoded = Zeroizing::new(String::with_capacity(text.len()));
    decoded.push_str(text);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::{Schemes, parse};
    use crate::core::{
        credential::Proof,
        import::{Asker, Put, Stay, Verdict},
        secret::ExposeSecret,
    };

    fn told(verdict: Verdict) -> Result<(String, String), Stay> {
        match verdict {
            Verdict::Stay(stay) => Err(stay),
            Verdict::Move(one) => {
                let Proof::Password(password) = one.proof else { panic!("no password") };
                let said = format!("{}:{}", one.key.user, password.expose_secret());
                Ok((one.key.origin.to_string(), said))
            }
        }
    }

    #[test]
    fn accounts_and_tokens_find_their_names() {
        let token = "ghp_abcdefghijklmnop";
        for (url, origin, said) in [
            ("https://ana:pw@Git.Corp.test/x", "https://git.corp.test", "ana:pw"),
            ("https://a%40b:p%3aw%25@h:8443", "https://h:8443", "a@b:p:w%"),
            ("https://ghp_abcdefghijklmnop@github.com/", "https://github.com", "x-access-token:T"),
            (
                "https://ghp_abcdefghijklmnop:x-oauth-basic@github.com",
                "https://github.com",
                "x-access-token:T",
            ),
            ("https://:ghp_abcdefghijklmnop@github.com", "https://github.com", "x-access-token:T"),
            (
                "https://oauth2:glpat-abcdefgh@gitlab.com",
                "https://gitlab.com",
                "oauth2:glpat-abcdefgh",
            ),
        ] {
            let userinfo = parse(url, Schemes::Needed).unwrap();
            let expected = said.replace(":T", &format!(":{token}"));
            assert_eq!(told(userinfo.of_host(Asker::Git, 0)), Ok((origin.to_owned(), expected)));
        }
    }

    #[test]
    fn what_cannot_move_says_why() {
        for (url, stay) in [
            ("https://a:p@ss@h", Stay::Ambiguous),
            ("https://a:p%0a@h", Stay::Control),
            ("https://a:p@h h", Stay::NotAHost),
            ("ftp://a:p@h", Stay::NotAHost),
            ("https://:pw@h", Stay::NoAccount),
            ("https://a:%ff@h", Stay::Written),
        ] {
            let userinfo = parse(url, Schemes::Needed).unwrap();
            assert_eq!(told(userinfo.of_host(Asker::Git, 0)), Err(stay), "{url}");
        }
    }

    #[test]
    fn an_account_alone_and_a_placeholder_are_no_secret() {
        for url in [
            "https://ana@h/x",
            "https://ana:@h",
            "https://ana:${TOKEN}@h",
            "https://${TOKEN}:x-oauth-basic@h",
            "https://$GITHUB_TOKEN@github.com",
            "https://user:<password>@h",
            "ssh://git@h",
        ] {
            assert!(parse(url, Schemes::Needed).unwrap().secret().is_none(), "{url}");
        }
        for url in ["https://h/x", "h", "", "://", "https://"] {
            assert!(parse(url, Schemes::Needed).is_none(), "{url}");
        }
    }

    #[test]
    fn a_proxy_may_leave_out_its_scheme_and_must_have_a_port() {
        for (url, origin) in [
            ("http://CORP%5Cana:pw@Proxy.corp:8080/", Ok("http://proxy.corp:8080")),
            ("CORP\\ana:pw@proxy.corp:8080", Ok("http://proxy.corp:8080")),
            ("socks5://CORP\\ana:pw@proxy.corp:1080", Ok("socks5h://proxy.corp:1080")),
            ("ftp://ana:pw@proxy.corp:21", Err(Stay::NotAProxy)),
        ] {
            let userinfo = parse(url, Schemes::Optional).unwrap();
            let told = told(userinfo.of_proxy(Put::Proxy, 0));
            assert_eq!(told.map(|told| told.0), origin.map(str::to_owned), "{url}");
        }
    }
}
