//! OAuth 2 at a live server: device, PKCE, rotation, revocation, and every refusal.
