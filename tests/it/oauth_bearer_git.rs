//! git and go at a server that wants a Bearer token.
