//! What `login` and its neighbours take as HOST: `host[:port]`, or a URL.

use crate::core::{
    config::{Config, Upstream},
    fault::{Fault, Kind},
    origin::{Error, Origin},
};

/// Whether http:// is allowed on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clear {
    /// `--allow-http`
    Allowed,
    /// Only where the configuration allows it.
    Configured,
}

/// A host, and what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The origin that the secret is for; the host in lower case, as go and git write it.
    pub(crate) origin: Origin,
    /// The path of the URL; may be empty.
    pub(crate) path: String,
}

/// Parses HOST. The text is not repeated in an error: it may hold a secret.
pub(crate) fn parse(text: &str, clear: Clear, config: &Config) -> Result<Target, Fault> {
    let target = parse_any(text)?;
    let is_allowed =
        clear == Clear::Allowed || config.host(&target.origin).is_some_and(|host| host.allow_http);
    match target.origin.scheme() {
        "https" => Ok(target),
        "http" if is_allowed => Ok(target),
        "http" => Err(Fault::new(
            Kind::Policy,
            format!("http://{} would get the secret in clear text", target.origin.authority()),
        )
        .hint("use https://, or allow this host with `--allow-http`")),
        _ => Err(Fault::new(Kind::Usage, "the scheme of a host is https, or http")),
    }
}

/// Parses HOST without judging its scheme.
pub(crate) fn parse_any(text: &str) -> Result<Target, Fault> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let url = format!("{}://{}{path}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let (origin, path) = Origin::from_url(&url).map_err(wrong)?;
    if path.contains(|c: char| c.is_control() || c.is_whitespace() || !c.is_ascii()) {
        return Err(Fault::new(Kind::Usage, "the path of the URL has a character that no URL has"));
    }
    Ok(Target { path: path.to_owned(), origin })
}

/// Parses a proxy's URL; `host:port` is one, too.
pub(crate) fn proxy(url: &str) -> Result<Origin, Fault> {
    let url = url.to_ascii_lowercase();
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    match Upstream::parse(&url) {
        Ok(Upstream::Via(origin)) => Ok(origin),
        Ok(Upstream::Direct) => Err(Fault::new(Kind::Usage, "DIRECT is not a proxy")),
        Err(error) => {
            let fault = Fault::new(Kind::Usage, format!("this is not a proxy: {error}"));
            Err(if error == Error::Userinfo.into() {
                fault.hint(
                    "leave the account out of the URL: `--username NAME`, and the password at \
                            the prompt or with `--with-token`",
                )
            } else {
                fault.hint("write `http://HOST:PORT`")
            })
        }
    }
}

fn wrong(error: Error) -> Fault {
    let fault = Fault::new(Kind::Usage, format!("this is not a host: {error}"));
    match error {
        Error::Userinfo => fault.hint(
            "pass the account with `--username` and the secret with \
                                       `--with-token`, never in a URL",
        ),
        Error::NoHost | Error::Host | Error::Port | Error::Scheme => {
            fault.hint("write `host`, `host:port` or `https://host/path`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clear, parse, proxy};
    use crate::core::{config::Config, fault::Kind};

    #[test]
    fn a_host_and_a_url_are_read_alike() {
        for (text, origin, path) in [
            ("Git.Corp.Example", "https://git.corp.example", ""),
            ("h:8443", "https://h:8443", ""),
            ("h/t/Lib", "https://h", "/t/Lib"),
            ("HTTPS://H:1/t?x=1", "https://h:1", "/t?x=1"),
            ("[::1]:8443", "https://[::1]:8443", ""),
        ] {
            let target = parse(text, Clear::Configured, &Config::default()).unwrap();
            assert_eq!((target.origin.to_string().as_str(), target.path.as_str()), (origin, path));
        }
    }

    #[test]
    fn an_error_never_repeats_the_text() {
        for text in [
            "https://ana:hunter2@h",
            "ana:hunter2@h",
            "hunter2 hunter2",
            "ssh://hunter2",
            "",
            "h:hunter2",
            "https://h?%0ahost=hunter2\n",
        ] {
            let fault = parse(text, Clear::Configured, &Config::default()).unwrap_err();
            assert_eq!(fault.kind, Kind::Usage, "{text:?}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn http_needs_permission_for_each_host() {
        let config = Config::parse("[host.\"old.corp\"]\nallow_http = true\n").unwrap();
        let parse = |text, clear| parse(text, clear, &config);
        assert!(parse("http://old.corp", Clear::Configured).is_ok());
        assert!(parse("http://h", Clear::Allowed).is_ok());
        assert_eq!(parse("http://h", Clear::Configured).unwrap_err().kind, Kind::Policy);
    }

    #[test]
    fn a_proxy_is_named_with_or_without_its_scheme() {
        for text in ["http://Proxy.Corp:8080", "proxy.corp:8080", "http://proxy.corp:8080/"] {
            assert_eq!(proxy(text).unwrap().to_string(), "http://proxy.corp:8080");
        }
        assert_eq!(proxy("https://p:1").unwrap().scheme(), "https");
        for text in ["ftp://p:1", "http://p/x", "socks5://p:1", "", "DIRECT://", "p:0"] {
            assert!(proxy(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let fault = proxy("http://ana:hunter2@p:1").unwrap_err();
        assert!(!fault.to_string().contains("hunter2") && !fault.hints.is_empty());
    }
}
