//! The browser of this machine: authorization code with PKCE.
