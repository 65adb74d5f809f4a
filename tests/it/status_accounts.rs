//! `status` says which account a URL gets, and why.
