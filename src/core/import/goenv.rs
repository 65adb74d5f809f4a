//! go's environment file: the module proxies of GOPROXY that carry an account, and forward proxies.
//!
//! It deliberately touches the value of a line and nothing else; go reads `NAME=value`, unquoted
//! (cmd/go/internal/cfg, `readEnvFile`).

use crate::core::import::{
    Asker, Found,
    lines::{lines, pieces},
    userinfo::{self, Schemes},
};

/// Finds its secrets.
pub(super) fn find(source: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for line in lines(source) {
        let Some((name, value)) = line.text.and_then(|text| text.split_once('=')) else { continue };
        if name == "GOPROXY" {
            goproxy(&mut found, line.number, value, line.at + name.len() + 1);
        }
    }
    found
}

/// Finds the secrets of a GOPROXY, which stands at `at`.
pub(super) fn goproxy(found: &mut Vec<Found>, line: usize, value: &str, at: usize) {
    for (place, element) in pieces(value, |c| matches!(c, ',' | '|')) {
        if let Some(url) = userinfo::parse(element, Schemes::Needed) {
            let verdict = url.of_host(Asker::Go, at + place);
            userinfo::add(found, (line, "GOPROXY"), &url, verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    #[test]
    fn every_account_of_goproxy_goes() {
        let text = "# GOPROXY=https://a:b@c\nGOFLAGS=-mod=mod\r\n\
                    GOPROXY=https://ci:t0ken@Proxy.corp.test/api/go,https://x:y@h|direct\r\n";
        assert_eq!(
            told(Form::GoEnv, text),
            ["3 GOPROXY https://proxy.corp.test ci:t0ken", "3 GOPROXY https://h x:y",]
        );
        assert_eq!(
            taken(Form::GoEnv, text),
            "# GOPROXY=https://a:b@c\nGOFLAGS=-mod=mod\r\n\
             GOPROXY=https://Proxy.corp.test/api/go,https://h|direct\r\n"
        );
        assert_eq!(told(Form::GoEnv, "GOPROXY=https://proxy.golang.org,direct\n"), [""; 0]);
    }
}
