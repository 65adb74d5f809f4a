//! Items that git-credential-libsecret and secret-tool wrote.
