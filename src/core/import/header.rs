//! Header lines that carry a credential, as `http.extraHeader` and CI scripts have them
//! (RFC 9110 §11.6.2).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

use crate::core::{
    credential::Proof,
    import::{Stay, mask},
    secret::SecretString,
};

/// What a header carries.
#[derive(Debug)]
pub(super) struct Carried {
    /// For people.
    pub(super) secret: SecretString,
    /// Account and proof, or why a credential helper cannot give it.
    pub(super) credential: Result<(String, Proof), Stay>,
}

/// Reads `Name: value`. `None`: it carries no secret.
pub(super) fn read(header: &str) -> Option<Carried> {
    let (name, value) = header.split_once(':')?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    if name == "authorization" {
        let (scheme, credential) = value.split_once(char::is_whitespace)?;
        let credential = credential.trim();
        return (!mask::is_placeholder(credential)).then(|| authorization(scheme, credential));
    }
    let names_a_secret = ["token", "auth", "key", "secret", "cookie", "password"];
    let is_secret = names_a_secret.iter().any(|word| name.contains(word));
    (is_secret && !mask::is_placeholder(value))
        .then(|| Carried { secret: value.into(), credential: Err(Stay::Header) })
}

fn authorization(scheme: &str, credential: &str) -> Carried {
    if scheme.eq_ignore_ascii_case("basic") {
        return match basic(credential) {
            Some((user, password)) => {
                let proof = Proof::Password(password.clone());
                Carried { secret: password, credential: Ok((user, proof)) }
            }
            None => Carried { secret: credential.into(), credential: Err(Stay::Written) },
        };
    }
    let is_one = !credential.contains(|c: char| c.is_control() || c.is_whitespace());
    let proof = Proof::Encoded { authtype: scheme.to_owned(), credential: credential.into() };
    let credential_of = if is_one { Ok((String::new(), proof)) } else { Err(Stay::Header) };
    Carried { secret: credential.into(), credential: credential_of }
}

/// Decodes `user:password` (RFC 7617 §2).
pub(super) fn basic(credential: &str) -> Option<(String, SecretString)> {
    let bytes = Zeroizing::new(STANDARD.decode(credential).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    let is_fine = !text.contains(char::is_control) && !password.is_empty();
    is_fine.then(|| (user.to_owned(), password.into()))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::core::{credential::Proof, import::Stay, secret::ExposeSecret};

    fn told(header: &str) -> Option<Result<String, Stay>> {
        let carried = read(header)?;
        Some(carried.credential.map(|(user, proof)| match proof {
            Proof::Password(password) => format!("{user}:{}", password.expose_secret()),
            Proof::Encoded { authtype, credential } => {
                format!("{user}:{authtype} {}", credential.expose_secret())
            }
        }))
    }

    #[test]
    fn what_a_helper_can_give_is_read() {
        for (header, expected) in [
            ("Authorization: Basic YW5hOnA6dw==", Some(Ok("ana:p:w"))),
            ("AUTHORIZATION: basic OnBhdA==", Some(Ok(":pat"))),
            ("authorization:  Bearer eyJ.x.y", Some(Ok(":Bearer eyJ.x.y"))),
            ("Authorization: token ghp_x", Some(Ok(":token ghp_x"))),
            ("Authorization: Basic not-base64!", Some(Err(Stay::Written))),
            ("Authorization: Digest username=a, x=b", Some(Err(Stay::Header))),
            ("Authorization: Basic ***", None),
            ("Authorization: Bearer ${TOKEN}", None),
            ("PRIVATE-TOKEN: glpat-x", Some(Err(Stay::Header))),
            ("X-Request-Id: 1", None),
            ("User-Agent: git", None),
            ("Authorization:", None),
            ("nothing", None),
        ] {
            let expected = expected.map(|told| told.map(str::to_owned));
            assert_eq!(told(header), expected, "{header}");
        }
    }
}
