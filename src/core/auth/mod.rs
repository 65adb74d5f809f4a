//! How an upstream is logged in at: the schemes, and the codec of each.
//!
//! Bytes in, bytes out. When a secret may be sent at all is decided by `core::guard` and the proxy;
//! the ticket of the system's Kerberos comes from `sys::gss`.

#[cfg(feature = "auth")]
pub mod channel_binding;
#[cfg(feature = "auth")]
pub mod choice;
#[cfg(feature = "auth")]
pub(crate) mod der;
#[cfg(feature = "auth")]
pub mod digest;
#[cfg(feature = "auth")]
pub mod floor;
#[cfg(feature = "auth")]
mod header;
#[cfg(feature = "auth")]
pub mod ntlm;
#[cfg(feature = "auth")]
pub mod spnego;

use std::fmt;

#[cfg(feature = "auth")]
pub use self::header::{NotBase64, basic, bearer, header, token};

/// A scheme of `Proxy-Authenticate`. The order is that of strength, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// The password itself (RFC 7617).
    Basic,
    /// A token that opens the door for whoever holds it (RFC 6750).
    Bearer,
    /// A hash of the password and a nonce (RFC 7616).
    Digest,
    /// NTLMv2 ([MS-NLMP]), bound to the connection.
    Ntlm,
    /// Kerberos, or NTLM inside SPNEGO (RFC 4559), bound to the connection.
    Negotiate,
}

/// The order in which schemes are tried where the configuration names none.
pub const DEFAULT_ORDER: [Scheme; 5] =
    [Scheme::Negotiate, Scheme::Ntlm, Scheme::Digest, Scheme::Bearer, Scheme::Basic];

impl Scheme {
    /// Parses a scheme's name, whatever its case (RFC 9110 §11.1).
    pub fn parse(name: &str) -> Option<Self> {
        DEFAULT_ORDER.into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(name))
    }

    /// Returns the name, as its registration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
            Self::Digest => "Digest",
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
        }
    }

    /// Returns whether what is sent opens the door for whoever reads it on the way.
    pub fn is_clear(self) -> bool {
        match self {
            Self::Basic | Self::Bearer => true,
            Self::Digest | Self::Negotiate | Self::Ntlm => false,
        }
    }

    /// Returns whether a login belongs to the connection that it was made on: its messages must
    /// not be spread over several.
    pub fn is_bound_to_connection(self) -> bool {
        match self {
            Self::Negotiate | Self::Ntlm => true,
            Self::Basic | Self::Bearer | Self::Digest => false,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_ORDER, Scheme};

    #[test]
    fn names_have_no_case_and_one_spelling() {
        for (name, scheme) in [
            ("basic", Some(Scheme::Basic)),
            ("NEGOTIATE", Some(Scheme::Negotiate)),
            ("ntlm", Some(Scheme::Ntlm)),
            ("Kerberos", None),
            ("", None),
        ] {
            assert_eq!(Scheme::parse(name), scheme, "{name}");
        }
        for scheme in DEFAULT_ORDER {
            assert_eq!(Scheme::parse(&scheme.to_string()), Some(scheme));
        }
    }

    #[test]
    fn the_default_order_is_that_of_strength() {
        assert!(DEFAULT_ORDER.is_sorted_by(|stronger, weaker| stronger > weaker));
    }
}
