//! macOS Keychain and Windows Credential Manager, through `keyring`. To be written.
