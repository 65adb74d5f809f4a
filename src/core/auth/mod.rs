//! The ways of proving to a proxy who asks.

/// A scheme of `Proxy-Authenticate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// RFC 7617.
    Basic,
    /// RFC 6750, a token of the store.
    Bearer,
    /// RFC 7616.
    Digest,
    /// RFC 4559: a Kerberos ticket, or NTLM inside SPNEGO.
    Negotiate,
    /// MS-NLMP.
    Ntlm,
}

/// The order in which schemes are tried, the strongest first.
pub const DEFAULT_ORDER: [Scheme; 5] =
    [Scheme::Negotiate, Scheme::Ntlm, Scheme::Digest, Scheme::Bearer, Scheme::Basic];

impl Scheme {
    /// Parses the name of a scheme, whatever its case.
    pub fn parse(text: &str) -> Option<Self> {
        DEFAULT_ORDER.into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    /// Returns its name as it stands in a field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
            Self::Digest => "Digest",
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
        }
    }
}
