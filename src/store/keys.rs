//! Who opens the encrypted file: the agent, the kernel, a passphrase, a key.
