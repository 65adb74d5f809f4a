//! pip's configuration and `.pypirc`: accounts in index URLs, passwords of uploads, and proxies.
//!
//! Indexes are shown and stay: pip asks a netrc and the program `keyring`, and no other helper.

use crate::core::{
    import::{
        Found, Put, Stay, Verdict,
        lines::{lines, pieces},
        mask,
        userinfo::{self, Schemes},
    },
    text::printable,
};

/// Finds its secrets. The grammar is Python's configparser: `key = value` or `key: value`, further
/// lines of a value are indented.
pub(super) fn find(source: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut last = String::new();
    for line in lines(source) {
        let Some(text) = line.text else { continue };
        let bare = text.trim_start();
        if bare.starts_with(['#', ';', '[']) || bare.is_empty() {
            continue;
        }
        let is_continued = bare.len() < text.len() && !last.is_empty();
        let (value, at) = if is_continued {
            (bare, text.len() - bare.len())
        } else {
            let Some((key, value)) = text.split_once(['=', ':']) else { continue };
            last = key.trim().to_ascii_lowercase();
            (value, key.len() + 1)
        };
        let place = (line.number, last.as_str());
        if last == "password" {
            let value = value.trim();
            if !mask::is_placeholder(value) {
                let (name, secret) = (last.clone(), value.into());
                let verdict = Verdict::Stay(Stay::Pip);
                found.push(Found { line: line.number, name, secret, verdict });
            }
            continue;
        }
        for (offset, piece) in pieces(value, |c| c == ' ' || c == '\t') {
            let is_proxy = last == "proxy";
            let schemes = if is_proxy { Schemes::Optional } else { Schemes::Needed };
            let Some(url) = userinfo::parse(piece, schemes) else { continue };
            let verdict = if is_proxy {
                url.of_proxy(Put::Proxy, line.at + at + offset)
            } else {
                Verdict::Stay(Stay::Pip)
            };
            userinfo::add(&mut found, place, &url, verdict);
        }
    }
    for one in &mut found {
        one.name = printable(&one.name);
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    #[test]
    fn indexes_are_shown_and_stay_and_proxies_move() {
        let text = "[global]\nindex-url = https://ana:pw@pypi.corp.test/simple\n\
                    extra-index-url =\n    https://pypi.org/simple\n    https://__token__:t@b.test/simple\n\
                    proxy = http://ana:pw@proxy.corp.test:8080\n# password = old\n\
                    [pypi]\nusername: __token__\npassword: pypi-AgEIcHlwaS5vcmc\n\
                    [x]\npassword = ${PW}\n";
        assert_eq!(
            told(Form::Pip, text),
            [
                "2 index-url - Pip",
                "5 extra-index-url - Pip",
                "6 proxy http://proxy.corp.test:8080 ana:pw",
                "10 password - Pip",
            ]
        );
        let after = text.replace("http://ana:pw@proxy.corp.test:8080", "http://127.0.0.1:7407");
        assert_eq!(taken(Form::Pip, text), after);
    }
}
