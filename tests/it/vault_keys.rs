//! Who opens the encrypted file: passphrase, ssh-agent, TPM, kernel, command.
