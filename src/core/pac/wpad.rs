//! Web Proxy Auto-Discovery by DNS: which names are asked (draft-ietf-wrec-wpad-01 §4.4.2), and
//! where it stops.
//!
//! The draft climbs to the top-level domain. `wpad.com` and `wpad.co.uk` were real, and foreign: we
//! stop below what is a registry's, as far as that can be known without its list.

use crate::core::target::Host;

/// How many names are asked.
const MAX_NAMES: usize = 8;

/// Second-level labels that registries of countries hand out names below.
const REGISTRY: [&str; 24] = [
    "ac", "ad", "co", "com", "ed", "edu", "ernet", "firm", "gen", "go", "gob", "gov", "gouv", "gr",
    "in", "info", "ltd", "mil", "ne", "net", "nom", "or", "org", "plc",
];

/// Returns the URLs to ask for the given search domains, the most specific first.
pub fn urls(domains: &[String]) -> Vec<String> {
    let mut urls = Vec::new();
    for domain in domains {
        let Ok(Host::Name(name)) = Host::parse(domain) else { continue };
        let mut domain = name.trim_end_matches('.');
        while is_registrable(domain) {
            let url = format!("http://wpad.{domain}/wpad.dat");
            if !urls.contains(&url) {
                urls.push(url);
            }
            domain = domain.split_once('.').map_or("", |(_, above)| above);
        }
    }
    urls.truncate(MAX_NAMES);
    urls
}

/// Returns the search domains of a `resolv.conf`; the last line of the two wins (resolv.conf(5)).
pub fn search(resolv_conf: &str) -> Vec<String> {
    let mut domains = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("domain" | "search")) {
            let words = words.take_while(|word| !word.starts_with(['#', ';']));
            domains = words.map(ToOwned::to_owned).collect();
        }
    }
    domains
}

/// Returns whether a domain is one that a company can hold, or lies below one.
fn is_registrable(domain: &str) -> bool {
    let mut labels = domain.rsplit('.');
    let (Some(top), Some(second)) = (labels.next(), labels.next()) else { return false };
    let is_registry = top.len() == 2 && (REGISTRY.contains(&second) || second.len() <= 2);
    !is_registry || labels.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::{search, urls};

    fn of(domain: &str) -> Vec<String> {
        let urls = urls(&[domain.to_owned()]);
        let name = |url: String| url.replace("http://", "").replace("/wpad.dat", "");
        urls.into_iter().map(name).collect()
    }

    #[test]
    fn the_search_climbs_to_what_a_company_holds() {
        assert_eq!(
            of("a.b.corp.test"),
            ["wpad.a.b.corp.test", "wpad.b.corp.test", "wpad.corp.test"]
        );
        assert_eq!(of("Corp.Test."), ["wpad.corp.test"]);
        assert_eq!(of("a.corp.co.uk"), ["wpad.a.corp.co.uk", "wpad.corp.co.uk"]);
        assert_eq!(of("corp.com.au"), ["wpad.corp.com.au"]);
        assert_eq!(of("x.eu"), [""; 0]);
        for domain in
            ["", ".", "test", "com", "co.uk", "com.au", "10.0.0.1", "a b", "..", "-/x.test"]
        {
            assert_eq!(of(domain), [""; 0], "{domain}");
        }
    }

    #[test]
    fn a_name_is_asked_once_and_there_are_not_many() {
        let domains = ["a.corp.test".to_owned(), "b.corp.test".to_owned()];
        assert_eq!(urls(&domains).len(), 3);
        assert_eq!(urls(&[["x"; 20].join(".") + ".corp.test"]).len(), 8);
    }

    #[test]
    fn the_last_line_of_the_resolver_counts() {
        let text =
            "nameserver 10.0.0.1\ndomain old.test\n# search no.test\nsearch corp.test a.test # x\n";
        assert_eq!(search(text), ["corp.test", "a.test"]);
        assert_eq!(search("nameserver 10.0.0.1\n"), [""; 0]);
    }
}
