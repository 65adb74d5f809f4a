//! The answer of a token endpoint (RFC 6749 §5).
