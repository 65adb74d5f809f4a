//! npm's configuration: tokens per registry, and proxies (npmrc(5)).
//!
//! Tokens are shown and stay: npm has no credential helper, and reads them here.

use crate::core::{
    import::{
        Found, Put, Stay, Verdict, header,
        lines::lines,
        mask,
        userinfo::{self, Schemes},
    },
    text::printable,
};

/// Finds its secrets.
pub(super) fn find(source: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for line in lines(source) {
        let Some(text) = line.text else { continue };
        if text.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let Some((key, value)) = text.split_once('=') else { continue };
        let at = line.at + key.len() + 1 + (value.len() - value.trim_start().len());
        let (key, value) = (key.trim(), value.trim());
        // npm takes a value in quotes as JSON.
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let at = at + usize::from(quoted.is_some());
        let value = quoted.unwrap_or(value);
        let last = key.rsplit(':').next().unwrap_or_default();
        match last {
            "_authToken" | "_auth" | "_password" if !mask::is_placeholder(value) => {
                let secret = match (last, header::basic(value)) {
                    ("_auth", Some((_, password))) => password,
                    _ => value.into(),
                };
                let name = printable(&name(key, last));
                let verdict = Verdict::Stay(Stay::Npm);
                found.push(Found { line: line.number, name, secret, verdict });
            }
            "proxy" | "https-proxy" | "http-proxy" => {
                if let Some(url) = userinfo::parse(value, Schemes::Needed) {
                    let verdict = url.of_proxy(Put::Proxy, at);
                    userinfo::add(&mut found, (line.number, last), &url, verdict);
                }
            }
            _ => {
                if let Some(url) = userinfo::parse(value, Schemes::Needed) {
                    let verdict = Verdict::Stay(Stay::Npm);
                    userinfo::add(&mut found, (line.number, "registry"), &url, verdict);
                }
            }
        }
    }
    found
}

/// Names a key; what stands before it is the registry, which may carry an account.
fn name(key: &str, last: &str) -> String {
    if key.contains('@') && key.starts_with("//") { format!("//*/:{last}") } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    #[test]
    fn tokens_are_shown_and_stay_and_proxies_move() {
        let text = "; mine\n@corp:registry=https://npm.corp.test/\n\
                    //npm.corp.test/:_authToken=npm_abcdefghijkl\n\
                    //registry.npmjs.org/:_authToken=${NPM_TOKEN}\n\
                    //npm.corp.test/:_password = \"aHVudGVyMg==\"\n\
                    _auth = YW5hOmh1bnRlcjI=\nemail=a@b.test\n\
                    # _auth=YW5hOmh1bnRlcjI=\n\
                    https-proxy=\"http://ana:pw@proxy.corp.test:8080/\"\n\
                    registry=https://ana:pw@npm.corp.test/\n";
        assert_eq!(
            told(Form::Npmrc, text),
            [
                "3 //npm.corp.test/:_authToken - Npm",
                "5 //npm.corp.test/:_password - Npm",
                "6 _auth - Npm",
                "9 https-proxy http://proxy.corp.test:8080 ana:pw",
                "10 registry - Npm",
            ]
        );
        let after = text.replace("http://ana:pw@proxy.corp.test:8080/", "http://127.0.0.1:7407/");
        assert_eq!(taken(Form::Npmrc, text), after);
    }
}
