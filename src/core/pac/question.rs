//! What a script is asked: a URL and a host.
//!
//! For https neither path nor query ever reaches it: they are part of what TLS protects, and a script
//! that was loaded over http could send them away in DNS names (Chromium since 52 and Firefox since
//! 49, both 2016, do the same). For http they do, since scripts look at them.

use crate::core::target::{Absolute, Authority, Host};

/// What `FindProxyForURL(url, host)` is called with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The URL.
    pub url: String,
    /// The host: no port, and no brackets around an IPv6 address.
    pub host: String,
}

impl Question {
    /// Asks for the target of a CONNECT. What is spoken in a tunnel is unknown; `https` is what
    /// browsers say for it.
    pub fn tunnel(target: &Authority) -> Self {
        let port = if target.port == 443 { String::new() } else { format!(":{}", target.port) };
        Self { url: format!("https://{}{port}/", target.host), host: bare(&target.host) }
    }

    /// Asks for a plain request.
    pub fn plain(target: &Absolute) -> Self {
        let slash = if target.path.starts_with('/') { "" } else { "/" };
        let url = format!("http://{}{slash}{}", target.host, target.path);
        Self { url, host: bare(&target.authority.host) }
    }

    /// Asks for what a person writes: an http or https URL, `host`, or `host:port`; and returns the
    /// target beside it. `None` is none of these.
    pub fn parse(text: &str) -> Option<(Self, Authority)> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        if scheme.eq_ignore_ascii_case("http") {
            let (url, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
            let target = Absolute::parse(&format!("http://{url}")).ok()?;
            return Some((Self::plain(&target), target.authority));
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        let has_port = authority.rfind(':') > authority.rfind(']');
        let target = if has_port {
            Authority::parse(authority).ok()?
        } else {
            Authority { host: Host::parse(authority).ok()?, port: 443 }
        };
        Some((Self::tunnel(&target), target))
    }
}

fn bare(host: &Host) -> String {
    host.to_string().trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn https_shows_its_host_and_port_and_http_its_path() {
        for (text, url, host, port) in [
            ("git.corp.test", "https://git.corp.test/", "git.corp.test", 443),
            ("Git.Corp.Test:8443", "https://git.corp.test:8443/", "git.corp.test", 8443),
            ("https://h/secret?token=1#x", "https://h/", "h", 443),
            ("https://h:443/x", "https://h/", "h", 443),
            ("https://h?x", "https://h/", "h", 443),
            ("http://h/a/b?c#d", "http://h/a/b?c", "h", 80),
            ("http://h", "http://h/", "h", 80),
            ("http://h:8080?x", "http://h:8080/?x", "h", 8080),
            ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/", "2001:db8::1", 8443),
            ("[::1]", "https://[::1]/", "::1", 443),
            ("2130706433", "https://127.0.0.1/", "127.0.0.1", 443),
        ] {
            let (question, target) = Question::parse(text).unwrap();
            assert_eq!(
                (question.url.as_str(), question.host.as_str(), target.port),
                (url, host, port)
            );
        }
        for text in ["", "ftp://h/", "https://u:p@h/", "http://u:p@h/", "h:0", "a b", "https://"] {
            assert_eq!(Question::parse(text), None, "{text}");
        }
    }
}
