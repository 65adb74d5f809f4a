//! The authorization code with PKCE (RFC 7636).
