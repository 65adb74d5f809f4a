//! The encrypted session of the Secret Service: DH-IETF1024-SHA256-AES128-CBC-PKCS7.
