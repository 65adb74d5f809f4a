//! pip's configuration and `.pypirc`: accounts in index URLs, passwords of uploads, and proxies.
//!
//! An index moves where pip asks the program `keyring`, and that one always: left to itself, pip asks a
//! Python module of that name first, where there is one. The account stays: pip asks with it only.

use crate::core::{
    import::{
        Asker, Found, Put, Stay, Verdict,
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
    let mut asks_program = false;
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
                let verdict = Verdict::Stay(Stay::Upload);
                found.push(Found { line: line.number, name, secret, verdict });
            }
            continue;
        }
        if last == "keyring-provider" {
            asks_program = value.trim() == "subprocess";
        }
        for (offset, piece) in pieces(value, |c| c == ' ' || c == '\t') {
            let is_proxy = last == "proxy";
            let schemes = if is_proxy { Schemes::Optional } else { Schemes::Needed };
            let Some(url) = userinfo::parse(piece, schemes) else { continue };
            let verdict = if is_proxy {
                url.of_proxy(Put::Proxy, line.at + at + offset)
            } else {
                url.of_host(Asker::Pip, line.at + at + offset)
            };
            userinfo::add(&mut found, place, &url, verdict);
        }
    }
    for one in &mut found {
        one.name = printable(&one.name);
        let is_index = matches!(&one.verdict, Verdict::Move(one) if one.asker == Asker::Pip);
        if is_index && !asks_program {
            one.verdict = Verdict::Stay(Stay::Provider);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    const WILD: &str = "[global]\nindex-url = https://ana:pw@pypi.corp.test/simple\n\
        extra-index-url =\n    https://pypi.org/simple\n    https://__token__:t@b.test/simple\n\
        find-links = https://ghp_abcdefghijkl@c.test/\n\
        proxy = http://ana:pw@proxy.corp.test:8080\n# password = old\n\
        [pypi]\nusername: __token__\npassword: pypi-AgEIcHlwaS5vcmc\n\
        [x]\npassword = ${PW}\n";

    #[test]
    fn indexes_stay_where_pip_asks_nobody_of_ours_and_proxies_move() {
        assert_eq!(
            told(Form::Pip, WILD),
            [
                "2 index-url - Provider",
                "5 extra-index-url - Provider",
                "6 find-links - NoAccount",
                "7 proxy http://proxy.corp.test:8080 ana:pw",
                "11 password - Upload",
            ]
        );
        let after = WILD.replace("http://ana:pw@proxy.corp.test:8080", "http://127.0.0.1:7407");
        assert_eq!(taken(Form::Pip, WILD), after);
    }

    #[test]
    fn indexes_move_where_pip_asks_the_program() {
        let text = format!("{WILD}[global]\nkeyring-provider = subprocess\n");
        let told = told(Form::Pip, &text);
        assert_eq!(told[0], "2 index-url https://pypi.corp.test ana:pw");
        assert_eq!(told[1], "5 extra-index-url https://b.test __token__:t");
        let after = taken(Form::Pip, &text);
        assert!(after.contains("index-url = https://ana@pypi.corp.test/simple\n"), "{after}");
        assert!(after.contains("    https://__token__@b.test/simple\n"), "{after}");
    }
}
