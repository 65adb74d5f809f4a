//! OAuth 2: codecs and states, without network and without clock.
//!
//! Tokens are taken out of an answer without a copy where JSON allows it; what the answer itself lay in
//! is for the caller to wipe.

pub mod code;
pub mod device;
pub mod metadata;
pub mod preset;
pub mod renewal;
pub mod server;
pub mod session;
pub mod token;

use crate::core::secret::SecretString;

pub use self::session::{ClientAuth, Session};

/// Who we are at an authorization server.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name for us.
    pub id: String,
    /// Our secret, where it wants one of native programs, too.
    pub secret: Option<SecretString>,
    /// How the secret is shown.
    pub auth: ClientAuth,
}

/// The scope that asks for a refresh token (`OpenID` Connect Core §11).
pub const OFFLINE: &str = "offline_access";

/// The grant of RFC 8628.
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Splits a list of scopes. RFC 6749 §3.3 has blanks, GitHub commas.
pub fn scopes(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// Returns which of the wanted scopes were not granted. Those that only ask for something else than a
/// right need not come back.
pub fn missing(wanted: &[String], granted: &[String]) -> Vec<String> {
    let is_right = |scope: &&String| {
        !matches!(scope.as_str(), OFFLINE | "openid") && !scope.ends_with("/.default")
    };
    wanted.iter().filter(is_right).filter(|scope| !granted.contains(scope)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{missing, scopes};

    #[test]
    fn what_was_not_granted_is_named() {
        let wanted = scopes("openid offline_access read write 499b/.default");
        assert_eq!(missing(&wanted, &scopes("read")), ["write"]);
        assert_eq!(missing(&wanted, &scopes("write,read,more")), [""; 0]);
        assert_eq!(scopes(" a,, b "), ["a", "b"]);
    }
}
