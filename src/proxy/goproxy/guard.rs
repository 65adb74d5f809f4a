//! Who may ask the front: after the uid of the connection, what a request itself says.
//!
//! A page of the web can make a browser ask us, with the browser's uid. So only a request is served
//! that names us as its host (no DNS rebinding) and that no site has caused. Where the system cannot
//! tell whose a connection is, the path begins with a secret.

use std::net::SocketAddr;

use super::failure;
use crate::{
    core::{
        http1::{self, Framing, Version},
        refusal::Refusal,
        secret::{SecretString, same},
    },
    proxy::{accept::Caller, failure::looped},
};

/// How long the first element of the path is, with its slash: `/s-` and 48 digits.
const SECRET: usize = 51;

/// What a request is held against.
pub(super) struct Guard<'a> {
    /// Where its connection has come in.
    pub(super) own: SocketAddr,
    pub(super) caller: Caller,
    /// `/s-…`
    pub(super) secret: &'a SecretString,
    /// Our entry in `Via`.
    pub(super) via: &'a str,
}

impl Guard<'_> {
    /// Returns the path that is asked for, without the secret.
    pub(super) fn admit<'r>(&self, request: &'r http1::Request) -> Result<&'r str, Refusal> {
        self.is_for_us(request)?;
        let no_body = request.framing().map_err(crate::proxy::failure::malformed)?;
        if !matches!(request.method.as_str(), "GET" | "HEAD") || no_body != Framing::Empty {
            return Err(failure::only_read());
        }
        let own = self.via.as_bytes();
        if request.fields.all("via").any(|via| via.windows(own.len()).any(|part| part == own)) {
            return Err(looped());
        }
        self.path(&request.target)
    }

    fn is_for_us(&self, request: &http1::Request) -> Result<(), Refusal> {
        let mut hosts = request.fields.all("host");
        let (host, second) = (hosts.next(), hosts.next());
        let port = self.own.port();
        let is_ours = |host: &[u8]| {
            let Ok(host) = std::str::from_utf8(host) else { return false };
            host.strip_suffix(&format!(":{port}")).is_some_and(|name| match name {
                "localhost" => true,
                name => name.trim_matches(['[', ']']).parse() == Ok(self.own.ip()),
            })
        };
        let is_old = host.is_none() && request.version == Version::Http10;
        if second.is_some() || !(host.is_some_and(is_ours) || is_old) {
            return Err(failure::other_host());
        }
        let has = |name| request.fields.all(name).next().is_some();
        let is_foreign = |site: &[u8]| site != b"none";
        if has("origin") || has("referer") || request.fields.all("sec-fetch-site").any(is_foreign) {
            return Err(failure::from_a_site());
        }
        Ok(())
    }

    fn path<'r>(&self, target: &'r str) -> Result<&'r str, Refusal> {
        if !target.starts_with('/') {
            return Err(failure::not_a_proxy());
        }
        let shown = target.starts_with("/s-").then(|| target.split_at_checked(SECRET)).flatten();
        match (shown, self.caller) {
            (Some((secret, path)), _) if same(&secret.into(), self.secret) => Ok(path),
            // Of an earlier start; who it is does not matter for a text that helps.
            (Some(_), _) | (None, Caller::Unknown) => Err(failure::secret_needed()),
            (None, Caller::Known) => Ok(target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Guard, Refusal, http1, looped};

    const SECRET: &str = "/s-0123456789abcdef0123456789abcdef0123456789abcdef";

    fn admit(caller: Caller, target: &str, fields: &str) -> Result<String, Refusal> {
        let head = format!("GET {target} HTTP/1.1\r\n{fields}");
        let request = http1::Request::parse(head.as_bytes()).unwrap();
        let secret = SECRET.into();
        let own = "127.0.0.1:7408".parse().unwrap();
        let guard = Guard { own, caller, secret: &secret, via: "1.1 gocred-x" };
        guard.admit(&request).map(str::to_owned)
    }

    fn status(fields: &str) -> u16 {
        admit(Caller::Known, "/m", fields).map_or_else(|refusal| refusal.status, |_| 200)
    }

    #[test]
    fn a_request_names_us_and_no_site_has_caused_it() {
        let host = "Host: 127.0.0.1:7408\r\n";
        assert_eq!(status(host), 200);
        assert_eq!(status("Host: localhost:7408\r\nSec-Fetch-Site: none\r\n"), 200);
        for fields in [
            "",
            "Host: evil.example:7408\r\n",
            "Host: 127.0.0.1\r\n",
            "Host: 127.0.0.1:7409\r\n",
            "Host: 127.0.0.2:7408\r\n",
            "Host: 127.0.0.1:7408\r\nHost: evil.example\r\n",
            "Host: localhost:7408.evil.example\r\n",
        ] {
            assert_eq!(status(fields), 421, "{fields}");
        }
        for field in [
            "Origin: http://127.0.0.1:7408",
            "Referer: http://x/",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-origin",
        ] {
            assert_eq!(status(&format!("{host}{field}\r\n")), 403, "{field}");
        }
        let looped = looped().status;
        assert_eq!(status(&format!("{host}Via: 1.1 a, 1.1 gocred-x\r\n")), looped);
        assert_eq!(status(&format!("{host}Content-Length: 4\r\n")), 405);
        let absolute = admit(Caller::Known, "http://127.0.0.1:7408/m", host);
        assert_eq!(absolute.unwrap_err().status, 421);
    }

    #[test]
    fn who_is_unknown_shows_the_secret_and_nobody_an_old_one() {
        let host = "Host: 127.0.0.1:7408\r\n";
        let path = |caller, target: &str| admit(caller, target, host).ok();
        let (with, old) = (format!("{SECRET}/m/@v/list"), SECRET.replace("/s-0", "/s-1") + "/m");
        for caller in [Caller::Known, Caller::Unknown] {
            assert_eq!(path(caller, &with).as_deref(), Some("/m/@v/list"));
            assert_eq!(path(caller, &old), None);
            assert_eq!(path(caller, "/s-12"), (caller == Caller::Known).then(|| "/s-12".into()));
        }
        assert_eq!(path(Caller::Unknown, "/m"), None);
        assert_eq!(path(Caller::Known, "/m").as_deref(), Some("/m"));
    }
}
