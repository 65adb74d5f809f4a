//! The ticket that the user already has: the system's GSSAPI, opened at run time (RFC 2744, RFC 4178).
//!
//! Opened and not linked, so that the binary needs no krb5 to be built or to start. Where the tickets
//! are (`KRB5CCNAME`) and what a realm is (`KRB5_CONFIG`) is the library's business. Every call may
//! read files and ask a KDC: call it on a thread that may wait. Windows has SSPI instead, which is
//! not spoken here: it answers [`Error::NoLibrary`], as every system but Linux and macOS does.

#[cfg(any(target_os = "linux", target_os = "macos"))]
mod library;

use thiserror::Error;

use crate::core::credential::UnixTime;

#[cfg(any(target_os = "linux", target_os = "macos"))]
pub use self::library::{Context, ticket};
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub use self::missing::{Context, ticket};

/// A ticket for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Whose it is, `ana@CORP.EXAMPLE`, printable.
    pub principal: String,
    /// When it ends; `None`: never.
    pub expires: Option<UnixTime>,
}

/// One step of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to send; empty: nothing.
    pub token: Vec<u8>,
    /// No further token is expected.
    pub done: bool,
}

/// Why there is no ticket, or no token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The system has no GSSAPI.
    #[error("no Kerberos library is installed")]
    NoLibrary,
    /// Nobody has logged in.
    #[error("there is no Kerberos ticket")]
    NoTicket,
    /// The login is too old.
    #[error("the Kerberos ticket has expired")]
    Expired,
    /// The library says why, printable.
    #[error("Kerberos: {0}")]
    Failed(String),
}

/// Returns whether a service is given as `HTTP@host`, from which the library makes the principal;
/// anything else is a principal (`HTTP/host`, `HTTP/host@REALM`, `proxy@REALM`).
#[cfg(any(target_os = "linux", target_os = "macos", test))]
fn is_host_based(service: &str) -> bool {
    let name = service.split_once('@').filter(|(name, _)| name.eq_ignore_ascii_case("HTTP"));
    name.is_some_and(|(_, host)| !host.is_empty())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod missing {
    use super::{Error, Step, Ticket};

    /// Answers that there is no library.
    pub fn ticket() -> Result<Ticket, Error> {
        Err(Error::NoLibrary)
    }

    /// A login that cannot be made.
    #[derive(Debug)]
    pub struct Context(std::convert::Infallible);

    impl Context {
        /// Answers that there is no library.
        pub fn new(_service: &str, _channel_binding: Option<&[u8]>) -> Result<Self, Error> {
            Err(Error::NoLibrary)
        }

        /// Is never called.
        pub fn step(&mut self, _input: Option<&[u8]>) -> Result<Step, Error> {
            match self.0 {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_host_based;

    #[test]
    fn a_service_is_a_host_or_a_principal() {
        for (service, host_based) in [
            ("HTTP@proxy.corp.example", true),
            ("http@proxy.corp.example", true),
            ("HTTP/proxy.corp.example", false),
            ("HTTP/proxy.corp.example@CORP.EXAMPLE", false),
            ("svc-proxy@CORP.EXAMPLE", false),
            ("HTTP@", false),
        ] {
            assert_eq!(is_host_based(service), host_based, "{service}");
        }
    }
}
