//! The attribute `url`, which other callers than git send to a helper.
//!
//! It deliberately accepts less than git: a control character, percent-encoded or not, spoils the
//! whole URL (CVE-2020-5260), and so does a missing host.

use crate::core::gitproto::{Request, decode::path};

/// Parses `scheme://[user[:password]@]host[:port][/path]` into a new request. The host ends at `/`,
/// `?` or `#` (git 2.27); each part is percent-decoded.
pub(super) fn parse(url: &str) -> Option<Request> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, below) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (userinfo, host) = match authority.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo), host),
        None => (None, authority),
    };
    let (username, password) = match userinfo.map(|both| both.split_once(':').ok_or(both)) {
        Some(Ok((username, password))) => (Some(username), Some(password)),
        Some(Err(username)) => (Some(username), None),
        None => (None, None),
    };
    let part = |text: &str| Some(unescape(text)?).filter(|text| !text.contains(char::is_control));
    if scheme.is_empty() || host.is_empty() {
        return None;
    }
    Some(Request {
        protocol: Some(part(scheme)?),
        host: Some(part(host)?),
        path: path(&part(below)?),
        username: username.map(part).map_or(Some(None), |part| part.map(Some))?,
        password: match password {
            Some(password) => Some(part(password)?.into()),
            None => None,
        },
        ..Request::default()
    })
}

/// Decodes `%xx`; `None` for an incomplete one, and for what is not UTF-8 then.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::core::{gitproto::Request, secret::ExposeSecret};

    #[test]
    fn a_url_says_everything_anew() {
        let text = "username=old\nurl=https://a%40b:p%3dw@h:8443/team/lib.git/\npath=x\n";
        let request = Request::decode(text.as_bytes()).unwrap();
        assert_eq!(request.origin().unwrap().to_string(), "https://h:8443");
        assert_eq!(request.username.as_deref(), Some("a@b"));
        assert_eq!(request.password.unwrap().expose_secret(), "p=w");
        assert_eq!(request.path.as_deref(), Some("x"));
        assert_eq!(parse("https://h/team/").unwrap().path.as_deref(), Some("team"));
        assert_eq!(parse("https://h").unwrap().username, None);
    }

    #[test]
    fn no_url_smuggles_another_host() {
        for url in [
            "https://evil?%0ahost=github.com",
            "https://evil%0ahost=github.com/",
            "https://evil/%0d%0ahost=github.com",
            "https://u%00@h/",
            "https://%zz/",
            "https://h/%",
            "https://h/%+f",
            "https:///path",
            "://h",
            "h",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
        assert_eq!(parse("https://evil?host=h").unwrap().host.as_deref(), Some("evil"));
        assert_eq!(parse("https://evil#@h").unwrap().host.as_deref(), Some("evil"));
        assert_eq!(parse("https://evil%2fx").unwrap().origin(), None);
        assert_eq!(parse("https://h\\@evil/").unwrap().host.as_deref(), Some("evil"));
    }
}
