//! Whether certificates are good for a host: the rules that go's crypto/x509 and the TLS libraries under
//! git agree on, and the flaw that they would tell.
//!
//! What one of them refuses alone (no names, a purpose, a short key) is a flaw here, too: the judge
//! knows whom it concerns. It does not ask whether a certificate was revoked.

use std::net::IpAddr;

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use crate::core::doctor::{
    certificate::{KeyKind, X509},
    probe::CertificateFlaw as Flaw,
};

/// The longest chain.
const MAX_DEPTH: usize = 8;
/// The most signatures that are checked: a server could send many certificates of one name.
const MAX_CHECKS: usize = 64;
/// The shortest RSA key that is taken everywhere.
const MIN_RSA: u32 = 2048;

/// Judges what a server sent, its own certificate first. `now` is in seconds since 1970.
pub fn judge(sent: &[X509], roots: &[X509], host: &str, now: u64) -> Result<(), Flaw> {
    let Some((leaf, others)) = sent.split_first() else {
        return Err(Flaw::Other("there is no certificate".to_owned()));
    };
    is_current(leaf, now)?;
    is_for(leaf, host)?;
    let mut search = Search { others, roots, now, host, checks: MAX_CHECKS, flaw: None };
    if search.climb(leaf, 0) {
        fits(leaf)?;
        return is_strong(leaf);
    }
    Err(match search.flaw {
        Some(flaw) => flaw,
        None if roots.is_empty() => Flaw::NoRoots,
        None if leaf.shown.is_self_signed => Flaw::SelfSigned,
        None => Flaw::UnknownIssuer(last(sent).shown.issuer.clone()),
    })
}

/// Returns the last certificate of the chain that starts with the first.
fn last(sent: &[X509]) -> &X509 {
    let Some((mut top, rest)) = sent.split_first() else { return &EMPTY };
    for _ in rest {
        let next = rest.iter().find(|other| other.subject == top.issuer && other.der != top.der);
        top = next.unwrap_or(top);
    }
    top
}

static EMPTY: std::sync::LazyLock<X509> = std::sync::LazyLock::new(X509::default);

fn is_current(certificate: &X509, now: u64) -> Result<(), Flaw> {
    let (from, until) = certificate.shown.valid;
    match () {
        () if now > until => Err(Flaw::Expired),
        () if now < from => Err(Flaw::NotYetValid),
        () => Ok(()),
    }
}

fn is_for(leaf: &X509, host: &str) -> Result<(), Flaw> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let fits = match bare.parse::<IpAddr>() {
        Ok(address) => leaf.addresses.contains(&address),
        Err(_) => leaf.shown.names.iter().any(|name| matches(name, bare)),
    };
    match fits {
        true => Ok(()),
        false if leaf.has_names => Err(Flaw::WrongName),
        false => Err(Flaw::NoNames),
    }
}

/// Returns whether a name of a certificate covers a host (RFC 9525 §6.3): a `*` is one whole label, the
/// first.
fn matches(name: &str, host: &str) -> bool {
    let (name, host) = (name.trim_end_matches('.'), host.trim_end_matches('.'));
    match name.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => name.eq_ignore_ascii_case(host),
    }
}

fn fits(leaf: &X509) -> Result<(), Flaw> {
    let is_limited = leaf.shown.purposes.as_ref().is_some_and(|purposes| {
        !purposes.iter().any(|purpose| purpose == "serverAuth" || purpose == "any")
    });
    if is_limited { Err(Flaw::WrongPurpose) } else { Ok(()) }
}

fn is_strong(leaf: &X509) -> Result<(), Flaw> {
    match leaf.shown.rsa_bits {
        1..MIN_RSA => Err(Flaw::Weak(leaf.shown.key.clone())),
        _ => Ok(()),
    }
}

struct Search<'a> {
    others: &'a [X509],
    roots: &'a [X509],
    now: u64,
    host: &'a str,
    checks: usize,
    /// The flaw of an issuer that would have been one.
    flaw: Option<Flaw>,
}

impl Search<'_> {
    /// Returns whether somebody who is trusted signed a certificate, or somebody whom they signed.
    fn climb(&mut self, certificate: &X509, depth: usize) -> bool {
        if self.roots.iter().any(|root| root.der == certificate.der) {
            return true;
        }
        let (roots, others) = (self.roots, self.others);
        for root in roots.iter().filter(|root| root.subject == certificate.issuer) {
            if self.is_signed_by(certificate, root) {
                return true;
            }
        }
        if depth == MAX_DEPTH {
            return false;
        }
        others
            .iter()
            .filter(|other| other.subject == certificate.issuer && other.der != certificate.der)
            .any(|other| self.is_signed_by(certificate, other) && self.climb(other, depth + 1))
    }

    fn is_signed_by(&mut self, certificate: &X509, issuer: &X509) -> bool {
        let Some(checks) = self.checks.checked_sub(1) else { return false };
        self.checks = checks;
        match is_signed(certificate, issuer) {
            Signed::Yes => {}
            Signed::No => return false,
            Signed::Weakly(how) => return self.note(Flaw::Weak(how.to_owned())),
            Signed::Unknown => {
                let what =
                    format!("nobody here can check a signature with a key {}", issuer.shown.key);
                return self.note(Flaw::Other(what));
            }
        }
        if let Err(flaw) = is_current(issuer, self.now) {
            return self.note(flaw);
        }
        // crypto/x509 asks this of no root: an old one has no such extension.
        if !issuer.shown.is_authority && !self.roots.iter().any(|root| root.der == issuer.der) {
            let what = format!("{} may not sign others", issuer.shown.subject);
            return self.note(Flaw::Other(what));
        }
        let covers = |tree: &String| is_below(self.host, tree);
        let constraints = &issuer.constraints;
        let is_permitted =
            constraints.permitted.is_empty() || constraints.permitted.iter().any(covers);
        if !is_permitted || constraints.excluded.iter().any(covers) {
            return self.note(Flaw::NameConstraint);
        }
        true
    }

    fn note(&mut self, flaw: Flaw) -> bool {
        self.flaw.get_or_insert(flaw);
        false
    }
}

/// Returns whether a host is a name or below it (RFC 5280 §4.2.1.10).
fn is_below(host: &str, tree: &str) -> bool {
    let (host, tree) =
        (host.to_ascii_lowercase(), tree.trim_start_matches('.').to_ascii_lowercase());
    host == tree || tree.is_empty() || host.strip_suffix(&tree).is_some_and(|it| it.ends_with('.'))
}

enum Signed {
    Yes,
    No,
    Weakly(&'static str),
    Unknown,
}

/// Checks one signature.
fn is_signed(certificate: &X509, issuer: &X509) -> Signed {
    use KeyKind::{Ed25519, P256, P384, Rsa};
    let is_short = issuer.shown.rsa_bits < MIN_RSA;
    let tried: &[&'static dyn VerificationAlgorithm] =
        match (algorithm(&certificate.algorithm), issuer.kind) {
            (Algorithm::Md5, Rsa) => return Signed::Weakly("a signature with MD5"),
            (Algorithm::Sha1, _) => return Signed::Weakly("a signature with SHA-1"),
            (Algorithm::Rsa256, Rsa) if is_short => {
                &[&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY]
            }
            (Algorithm::Rsa256, Rsa) => &[&signature::RSA_PKCS1_2048_8192_SHA256],
            (Algorithm::Rsa384, Rsa) => &[&signature::RSA_PKCS1_2048_8192_SHA384],
            (Algorithm::Rsa512, Rsa) if is_short => {
                &[&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY]
            }
            (Algorithm::Rsa512, Rsa) => &[&signature::RSA_PKCS1_2048_8192_SHA512],
            // Its parameters say which hash. Only the right one verifies.
            (Algorithm::Pss, Rsa) => &[
                &signature::RSA_PSS_2048_8192_SHA256,
                &signature::RSA_PSS_2048_8192_SHA384,
                &signature::RSA_PSS_2048_8192_SHA512,
            ],
            (Algorithm::Ec256, P256) => &[&signature::ECDSA_P256_SHA256_ASN1],
            (Algorithm::Ec384, P256) => &[&signature::ECDSA_P256_SHA384_ASN1],
            (Algorithm::Ec256, P384) => &[&signature::ECDSA_P384_SHA256_ASN1],
            (Algorithm::Ec384, P384) => &[&signature::ECDSA_P384_SHA384_ASN1],
            (Algorithm::Ed25519, Ed25519) => &[&signature::ED25519],
            (_, KeyKind::Other) | (Algorithm::Other, _) => return Signed::Unknown,
            _ => return Signed::No,
        };
    let is_good = |algorithm: &&'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(*algorithm, &issuer.key)
            .verify(&certificate.signed, &certificate.signature)
            .is_ok()
    };
    if tried.iter().any(is_good) { Signed::Yes } else { Signed::No }
}

enum Algorithm {
    Md5,
    Sha1,
    Rsa256,
    Rsa384,
    Rsa512,
    Pss,
    Ec256,
    Ec384,
    Ed25519,
    Other,
}

/// Reads the contents of an object identifier (RFC 4055, RFC 5758, RFC 8410).
fn algorithm(identifier: &[u8]) -> Algorithm {
    match identifier {
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04" => Algorithm::Md5,
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05" | b"\x2a\x86\x48\xce\x3d\x04\x01" => {
            Algorithm::Sha1
        }
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" => Algorithm::Pss,
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b" => Algorithm::Rsa256,
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c" => Algorithm::Rsa384,
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d" => Algorithm::Rsa512,
        b"\x2a\x86\x48\xce\x3d\x04\x03\x02" => Algorithm::Ec256,
        b"\x2a\x86\x48\xce\x3d\x04\x03\x03" => Algorithm::Ec384,
        b"\x2b\x65\x70" => Algorithm::Ed25519,
        _ => Algorithm::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_below, matches};

    #[test]
    fn a_star_is_one_label() {
        for (name, host, covers) in [
            ("*.corp.test", "git.corp.test", true),
            ("*.corp.test", "a.git.corp.test", false),
            ("*.corp.test", "corp.test", false),
            ("*.corp.test", ".corp.test", false),
            ("g*.corp.test", "git.corp.test", false),
            ("git.corp.test.", "GIT.corp.test", true),
        ] {
            assert_eq!(matches(name, host), covers, "{name} {host}");
        }
        for (host, tree, below) in [
            ("a.b", "b", true),
            ("b", "b", true),
            ("ab", "b", false),
            ("a.b", ".b", true),
            ("a", "", true),
        ] {
            assert_eq!(is_below(host, tree), below, "{host} {tree}");
        }
    }
}
