//! What the host's API says of a token: account, scopes, end.
