//! The attributes of what git-credential-libsecret and secret-tool keep in a keyring.
