//! Secrets: [`SecretString`] and [`SecretSlice`] of `secrecy`, and the one comparison that we need.
//!
//! `grep -rn expose_secret src` lists every place where a secret leaves its type.

pub use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// Returns whether two secrets are equal, in time that depends on their lengths only.
pub fn same(left: &SecretString, right: &SecretString) -> bool {
    let (left, right) = (left.expose_secret().as_bytes(), right.expose_secret().as_bytes());
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::{SecretString, same};

    #[test]
    fn only_equal_secrets_are_the_same() {
        let secret = SecretString::from("hunter2");
        assert!(same(&secret, &"hunter2".into()));
        assert!(!same(&secret, &"hunter3".into()));
        assert!(!same(&secret, &"hunter22".into()));
    }

    #[test]
    fn debug_never_shows_the_value() {
        assert!(!format!("{:?}", SecretString::from("hunter2")).contains("hunter2"));
    }
}
