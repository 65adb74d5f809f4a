//! `OpenBao` and Vault: KV, and dynamic engines.
