//! `[goproxy]`: the module proxy on loopback, and `[host."…"] header`, which it sends.
//!
//! The helper serves no modules: it accepts the keys, and passes over their values.

use std::time::Duration;

use crate::core::{
    config::{Loopback, read::Item, span},
    http1,
    modproxy::list::Upstreams,
};

/// `[goproxy]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoProxy {
    /// `listen`: where go asks. Absent: [`DEFAULT_GOPROXY`](super::DEFAULT_GOPROXY).
    pub listen: Option<Loopback>,
    /// `upstream`: whom to ask, in the grammar of GOPROXY. Absent: there is no front.
    pub upstream: Option<Upstreams>,
    /// `connect_timeout`: for a connection, over all addresses of a host.
    pub connect_timeout: Option<Duration>,
    /// `tls_timeout`: for a TLS handshake.
    pub tls_timeout: Option<Duration>,
    /// `header_timeout`: from a request to the head of its answer.
    pub header_timeout: Option<Duration>,
    /// `idle_timeout`: between two bytes of a body.
    pub idle_timeout: Option<Duration>,
    /// `min_rate`: the fewest bytes a second, over 30 s.
    pub min_rate: Option<u64>,
}

/// Whose value something else than a credential decides: how a message is framed, where it goes, and
/// what the front itself says.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

impl GoProxy {
    /// Sets one key; the error is what its value must be.
    pub(super) fn set(&mut self, name: &str, item: &Item) -> Result<(), String> {
        match name {
            "connect_timeout" => self.connect_timeout = Some(timeout(item)?),
            "header_timeout" => self.header_timeout = Some(timeout(item)?),
            "idle_timeout" => self.idle_timeout = Some(timeout(item)?),
            "listen" => {
                let listen = Loopback::parse(item.text()?)
                    .ok_or("must be a loopback address with a port, such as `127.0.0.1:7408`")?;
                self.listen = Some(listen);
            }
            "min_rate" => self.min_rate = Some(rate(item.text()?)?),
            "tls_timeout" => self.tls_timeout = Some(timeout(item)?),
            _ => {
                let list = Upstreams::parse(item.text()?);
                self.upstream = Some(list.map_err(|error| format!("is wrong: {error}"))?);
            }
        }
        Ok(())
    }
}

/// Parses a span in which something can happen.
fn timeout(item: &Item) -> Result<Duration, String> {
    match span::parse(item.text()?)? {
        Duration::ZERO => Err("must be at least \"1s\"".to_owned()),
        span => Ok(span),
    }
}

fn rate(text: &str) -> Result<u64, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let rate = if is_number { text.parse().ok() } else { None };
    rate.ok_or_else(|| "must be bytes a second, such as \"1024\", or \"0\" for any".to_owned())
}

/// Parses `header`: the name of the field that a host takes its secret in.
pub(super) fn header(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(http1::is_token) {
        return Err("must be the name of a header field, such as \"X-JFrog-Art-Api\"".to_owned());
    }
    let lower = text.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("proxy-") {
        return Err("must be a header field for a secret; this one has another meaning".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::core::{config::Config, origin::Origin};

    #[test]
    fn the_front_is_what_its_table_says() {
        let config = Config::parse(
            "[goproxy]\nlisten = \"[::1]:0\"\nupstream = \"https://a.test/go|b.test,direct\"\n\
             connect_timeout = \"3s\"\ntls_timeout = \"4s\"\nheader_timeout = \"1m\"\n\
             idle_timeout = \"2m\"\nmin_rate = \"0\"\n[host.\"a.test\"]\nheader = \"PRIVATE-TOKEN\"\n",
        )
        .unwrap();
        let front = &config.goproxy;
        assert_eq!(front.listen.unwrap().address().to_string(), "[::1]:0");
        assert_eq!(front.upstream.as_ref().unwrap().proxies().count(), 2);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((front.connect_timeout, front.tls_timeout), (seconds(3), seconds(4)));
        assert_eq!((front.header_timeout, front.idle_timeout), (seconds(60), seconds(120)));
        assert_eq!(front.min_rate, Some(0));
        let host = config.host(&Origin::new("https", "a.test").unwrap()).unwrap();
        assert_eq!(host.header.as_deref(), Some("PRIVATE-TOKEN"));
        assert_eq!(Config::default().goproxy.upstream, None);
    }

    #[test]
    fn what_cannot_be_is_said_without_the_value() {
        for (text, what) in [
            ("[goproxy]\nlisten = \"0.0.0.0:7408\"", "`goproxy.listen` must be a loopback address"),
            ("[goproxy]\nupstream = \"\"", "`goproxy.upstream` is wrong: it names no module proxy"),
            (
                "[goproxy]\nupstream = \"https://ana:hunter2@h\"",
                "`goproxy.upstream` is wrong: element 1 has a user name",
            ),
            ("[goproxy]\nheader_timeout = \"0\"", "`goproxy.header_timeout` must be at least"),
            ("[goproxy]\nidle_timeout = \"30\"", "`goproxy.idle_timeout` must be a span of time"),
            ("[goproxy]\nmin_rate = \"1 KB\"", "`goproxy.min_rate` must be bytes a second"),
            ("[goproxy]\nmin_rate = \"\"", "`goproxy.min_rate` must be bytes a second"),
            ("[goproxy]\nupstraem = \"\"", "unknown key `goproxy.upstraem`; did you mean"),
            ("[host.h]\nheader = \"X: hunter2\"", "`host.\"h\".header` must be the name"),
            ("[host.h]\nheader = \"\"", "`host.\"h\".header` must be the name"),
            ("[host.h]\nheader = \"Content-Length\"", "`host.\"h\".header` must be a header field"),
            ("[host.h]\nheader = \"Proxy-Connection\"", "`host.\"h\".header` must be a header"),
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(error.what.starts_with(what), "{error}");
            assert!(!error.what.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_administrator_locks_whom_modules_come_from() {
        let system = "lock = [\"goproxy.upstream\"]\n[goproxy]\nupstream = \"https://corp.test\"\n";
        let user = "[goproxy]\nupstream = \"https://other.test\"\nlisten = \"127.0.0.1:1\"\n";
        let config = Config::merge(Some(system), Some(user)).unwrap();
        let base = config.goproxy.upstream.as_ref().unwrap().proxies().next().unwrap();
        assert_eq!(base.origin.host(), "corp.test");
        assert!(config.goproxy.listen.is_some());
    }
}
