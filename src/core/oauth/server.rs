//! An authorization server: its endpoints, and what it can do.

use crate::core::{
    oauth::{ClientAuth, code::Issuer},
    origin::Origin,
};

/// An authorization server, from a preset or from its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its name, where its metadata was read.
    pub issuer: Option<String>,
    /// Whether it promises to name itself in each answer that a browser brings (RFC 9207).
    pub names_itself: bool,
    /// Where a browser asks for a code.
    pub authorize: Option<String>,
    /// Where a device asks for one.
    pub device: Option<String>,
    /// Where codes and refresh tokens are redeemed.
    pub token: String,
    /// Where tokens are taken back.
    pub revoke: Option<String>,
    /// Where a token says whose it is (`OpenID` Connect Core §5.3).
    pub userinfo: Option<String>,
    /// What is asked for where nobody says.
    pub scopes: Vec<String>,
    /// How it wants to see a client's secret.
    pub client_auth: ClientAuth,
    /// For which flows it wants one of a native program, too.
    pub secret: Secret,
}

/// Where a server wants a secret of a program that can keep none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secret {
    /// Nowhere, as RFC 8252 §8.5 has it.
    #[default]
    Never,
    /// Where a browser brings the code.
    Browser,
    /// Everywhere.
    Always,
}

impl Server {
    /// Returns who must have answered a browser.
    pub fn named(&self) -> Issuer<'_> {
        Issuer { name: self.issuer.as_deref(), is_promised: self.names_itself }
    }

    /// Returns the origin of the token endpoint, where the tokens of this host really come from.
    pub fn place(&self) -> Option<Origin> {
        Origin::from_url(&self.token).ok().map(|(origin, _)| origin)
    }
}

/// Returns an endpoint that may be given a secret: https, or http where that is allowed; without
/// userinfo and fragment (RFC 6749 §3.1).
pub fn endpoint(url: &str, allows_http: bool) -> Option<String> {
    let (origin, _) = Origin::from_url(url).ok()?;
    let is_clear = origin.scheme() == "http" && allows_http;
    let is_one = url.len() <= 2048 && url.bytes().all(|byte| byte.is_ascii_graphic());
    (is_one && !url.contains('#') && (is_clear || origin.scheme() == "https"))
        .then(|| url.to_owned())
}
