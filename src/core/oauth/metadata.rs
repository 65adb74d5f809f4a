//! What a server says of itself (RFC 8414).
