//! What a script asks of a name alone: nobody is asked, and case matters, as in the browsers, which
//! hand the host over in lower case.

/// `isPlainHostName`: whether there is no domain in it. An IPv6 address has none, but is no name.
pub fn is_plain(host: &str) -> bool {
    !host.contains(['.', ':'])
}

/// `dnsDomainIs`: whether the host ends with the domain. A domain without a dot at its start
/// matches within a label: `dnsDomainIs("notcorp.test", "corp.test")`.
pub fn is_in_domain(host: &str, domain: &str) -> bool {
    host.ends_with(domain)
}

/// `localHostOrDomainIs`: whether it is the name, or the first label of it.
pub fn is_local_or(host: &str, name: &str) -> bool {
    host == name || name.strip_prefix(host).is_some_and(|rest| rest.starts_with('.'))
}

/// `dnsDomainLevels`: the number of dots.
pub fn levels(host: &str) -> usize {
    host.matches('.').count()
}

#[cfg(test)]
mod tests {
    use super::{is_in_domain, is_local_or, is_plain, levels};

    #[test]
    fn the_examples_of_the_documentation_hold() {
        assert!(is_plain("www"));
        assert!(!is_plain("www.mozilla.org"));
        assert!(!is_plain("::1"));
        assert!(is_in_domain("www.mozilla.org", ".mozilla.org"));
        assert!(!is_in_domain("www", ".mozilla.org"));
        assert!(is_local_or("www.mozilla.org", "www.mozilla.org"));
        assert!(is_local_or("www", "www.mozilla.org"));
        assert!(!is_local_or("www.google.com", "www.mozilla.org"));
        assert!(!is_local_or("home.mozilla.org", "www.mozilla.org"));
        assert_eq!((levels("www"), levels("mozilla.org"), levels("www.mozilla.org")), (0, 1, 2));
    }
}
