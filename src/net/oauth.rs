//! The token endpoint: device, code, renewal, revocation.
