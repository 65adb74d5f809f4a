//! `[upstream."host:port"]`: how to talk to one corporate proxy.

use std::path::PathBuf;

use crate::core::{
    auth::Scheme,
    config::{read::Item, upstream_port},
    origin::Origin,
};

/// The settings of one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// `schemes`: the only schemes that are tried, in order. Empty:
    /// [`crate::core::auth::DEFAULT_ORDER`].
    pub schemes: Vec<Scheme>,
    /// `username`: the account, where the keyring holds several.
    pub username: Option<String>,
    /// `ca`: a PEM file with the roots of an https upstream.
    pub ca: Option<PathBuf>,
    /// `client_cert`: a PEM file with the certificate chain that is shown to the upstream.
    pub client_cert: Option<PathBuf>,
    /// `client_key`: a PEM file with its key. Absent: it is in `client_cert`.
    pub client_key: Option<PathBuf>,
    /// `spn`: the service principal that a ticket is asked for. Absent: `HTTP@host`.
    pub spn: Option<String>,
}

impl UpstreamSettings {
    /// Sets one key; the error is what its value must be.
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "ca" => self.ca = Some(item.file()?),
            "client_cert" => self.client_cert = Some(item.file()?),
            "client_key" => self.client_key = Some(item.file()?),
            "schemes" => self.schemes = schemes(item.texts()?)?,
            "spn" => self.spn = Some(item.text()?.to_owned()),
            _ => self.username = Some(item.text()?.to_owned()),
        }
        Ok(())
    }
}

/// Parses a list that names at least one scheme, and none twice.
fn schemes(names: &[String]) -> Result<Vec<Scheme>, String> {
    let mut schemes = Vec::new();
    for name in names {
        match Scheme::parse(name) {
            Some(scheme) if !schemes.contains(&scheme) => schemes.push(scheme),
            Some(scheme) => return Err(format!("names {} twice", scheme.as_str())),
            None => {
                let known = "Negotiate, NTLM, Digest, Bearer, Basic";
                return Err(format!("must be an array of schemes; there are {known}"));
            }
        }
    }
    if schemes.is_empty() { Err("must name at least one scheme".to_owned()) } else { Ok(schemes) }
}

/// Returns the normal form of the name of a table: `host:port`, or `scheme://host:port`, where the
/// port may be missing if the scheme has one of its own.
pub(super) fn name(text: &str) -> Option<String> {
    if text.contains("://") {
        let (origin, path) = Origin::from_url(text).ok()?;
        return matches!(path, "" | "/").then(|| full(&origin)).flatten();
    }
    let origin = Origin::new("http", text).ok()?;
    origin.port().is_some().then(|| origin.authority())
}

/// Returns `scheme://host:port`.
fn full(origin: &Origin) -> Option<String> {
    let port = upstream_port(origin)?;
    Some(format!("{}://{}:{port}", origin.scheme(), origin.host()))
}

/// Returns the names under which an upstream may have settings, the one that counts most first.
pub(super) fn names(origin: &Origin) -> Option<[String; 2]> {
    let port = upstream_port(origin)?;
    Some([full(origin)?, format!("{}:{port}", origin.host())])
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn the_name_of_an_upstream_has_a_port() {
        for (text, normal) in [
            ("p:8080", Some("p:8080")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("https://p", Some("https://p:443")),
            ("http://p/", Some("http://p:80")),
            ("socks5h://p", Some("socks5h://p:1080")),
            ("https://p:8443", Some("https://p:8443")),
            ("p", None),
            ("ftp://p:21", None),
            ("https://ana:pw@p", None),
            ("https://p/x", None),
        ] {
            assert_eq!(name(text).as_deref(), normal, "{text}");
        }
    }
}
