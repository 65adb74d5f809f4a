//! Seals and unseals with a TPM 2.0, by tpm2-tools.
