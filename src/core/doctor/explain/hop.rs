//! Which machine it was that could not be reached. libcurl and node name the machine that they dialled, and git and
//! npm the URL before it: where these are two, the one that was dialled is a proxy. Go says so itself.
//!
//! It deliberately marks the text only: what follows from it is written in the patterns.

use crate::core::text::start;

/// Stands before a host that is a proxy. No text has it: control characters are taken out first.
pub(super) const PROXY: char = '\u{1}';

/// How long a URL may be, in bytes.
const NEAR: usize = 500;

/// How many bytes may stand between a URL and what was dialled for it: ` failed, reason: `. A page to read stands
/// further away.
const BETWEEN: usize = 17;

/// What is printed before the machine; what it is where that is a proxy; whether a name may have become an address.
/// node says `reason:` before what it met.
const DIALLED: &[(&str, &str, bool)] = &[
    ("Failed to connect to ", "Failed to connect to \u{1}", false),
    ("Could not resolve host: ", "Could not resolve proxy: ", false),
    ("reason: dial tcp ", "reason: proxyconnect tcp: dial tcp ", true),
];

/// Marks the proxies of a text.
pub(super) fn marked(text: String) -> String {
    DIALLED.iter().fold(text, |text, (before, to, is_address)| {
        if !text.contains(before) {
            return text;
        }
        let mut marked = String::with_capacity(text.len() + 64);
        let mut done = 0;
        for (at, _) in text.match_indices(before) {
            let behind = at + before.len();
            let dialled = text.get(behind..).map(place).unwrap_or_default();
            let url = url(&text, at);
            let is_other = url.is_some_and(|url| is_other(&url, &dialled, *is_address));
            marked.push_str(text.get(done..at).unwrap_or_default());
            marked.push_str(if is_other { to } else { before });
            done = behind;
        }
        marked.push_str(text.get(done..).unwrap_or_default());
        marked
    })
}

/// A host and a port, as far as they are said.
type Place = (String, Option<u16>);

/// Returns whether one is surely another machine than that of the URL. Of an address only the port can tell.
fn is_other(url: &Place, dialled: &Place, is_address: bool) -> bool {
    if is_address {
        return dialled.1.zip(url.1).is_some_and(|(own, its)| own != its);
    }
    // What stands in the next line may have run into the name.
    !dialled.0.is_empty()
        && !dialled.0.to_ascii_lowercase().starts_with(&url.0.to_ascii_lowercase())
}

/// Reads `host`, `host port 443`, `10.1.2.3:443`.
fn place(text: &str) -> Place {
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    let end = text.find(|c: char| !is_host(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let word = word.trim_end_matches([':', '.']);
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    match word.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host.to_owned(), number(port)),
        _ => (word.to_owned(), rest.strip_prefix(" port ").and_then(number)),
    }
}

/// Returns the place of the last URL before a place of the text.
fn url(text: &str, at: usize) -> Option<Place> {
    let far = (at.saturating_sub(NEAR)..=at).find(|at| text.is_char_boundary(*at))?;
    let before = text.get(far..at)?;
    let scheme = before.rfind("://")?;
    let is_plain = before.get(..scheme)?.ends_with("http");
    let rest = start(before.get(scheme + 3..)?, NEAR);
    let end = rest.find(['\'', '"', ' ', '`']).unwrap_or(rest.len());
    if rest.len() - end > BETWEEN {
        return None;
    }
    let authority = rest.get(..end)?.split(['/', '?']).next()?;
    let host = authority.rsplit('@').next()?;
    let (host, port) = place(host);
    Some((host, port.or(Some(if is_plain { 80 } else { 443 }))))
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn a_machine_that_is_not_the_urls_is_a_proxy() {
        for (text, expected) in [
            ("access 'https://h.lan/t.git/': Failed to connect to h.lan port 443", None),
            ("access 'https://u:x@H.lan:8443/t.git/': Failed to connect to h.lan port 8443", None),
            ("curl: (7) Failed to connect to px.lan port 3128", None),
            (
                "see https://doc.lan/page.html Caused by: [6] no name (Could not resolve host: h.lan",
                None,
            ),
            ("access 'https://h.lan/t.git/': Could not resolve host: h.lan", None),
            ("access 'https://h.lan/t.git/': Could not resolve host: h.lannpm error", None),
            ("https://h.lan/x failed, reason: dial tcp 10.0.0.1:443: no", None),
            ("http://h.lan/x failed, reason: dial tcp 10.0.0.1:80: no", None),
            (
                "access 'https://h.lan/t.git/': Failed to connect to px.lan port 3128",
                Some("access 'https://h.lan/t.git/': Failed to connect to \u{1}px.lan port 3128"),
            ),
            (
                "access 'https://h.lan/t.git/': Could not resolve host: px.lan",
                Some("access 'https://h.lan/t.git/': Could not resolve proxy: px.lan"),
            ),
            (
                "https://h.lan/x failed, reason: dial tcp 10.0.0.1:3128: no",
                Some(
                    "https://h.lan/x failed, reason: proxyconnect tcp: dial tcp 10.0.0.1:3128: no",
                ),
            ),
        ] {
            assert_eq!(marked(text.to_owned()), expected.unwrap_or(text));
        }
        let hostile = "密://h/ Failed to connect to x ".repeat(2000);
        assert_eq!(marked(hostile).matches('\u{1}').count(), 2000);
    }
}
