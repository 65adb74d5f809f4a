//! What `git credential-store` writes: a URL a line (git-credential-store(1), "Storage Format").
//!
//! It deliberately leaves every line that git does not read as a credential.

use crate::core::import::{
    Asker, Cut, Found, Move, Put, Verdict,
    lines::lines,
    userinfo::{self, Schemes},
};

/// Finds its credentials.
pub(super) fn find(source: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for line in lines(source) {
        let Some(url) = line.text.and_then(|text| userinfo::parse(text, Schemes::Needed)) else {
            continue;
        };
        let verdict = match url.of_host(Asker::Git, line.at) {
            Verdict::Move(one) => {
                // With `credential.useHttpPath` a line is for its path only.
                let mut key = one.key;
                key.path = url.path();
                let cut = Some(Cut { span: line.whole(), put: Put::Nothing });
                Verdict::Move(Move { key, cut, ..one })
            }
            stay @ Verdict::Stay(_) => stay,
        };
        userinfo::add(&mut found, (line.number, "credential"), &url, verdict);
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
    fn whole_lines_move_and_the_rest_stays() {
        let text = "https://ana:pw%20x@git.corp.test\r\n# a comment\nnot a url\n\
                    https://bob@git.corp.test\nhttps://ci:t@h:8443/team/lib.git\n\
                    http://old:pw@old.corp.test\nhttps://a:p@ss@h\n";
        assert_eq!(
            told(Form::GitCredentials, text),
            [
                "1 credential https://git.corp.test ana:pw x",
                "5 credential https://h:8443/team/lib.git ci:t",
                "6 credential http://old.corp.test old:pw",
                "7 credential - Ambiguous",
            ]
        );
        assert_eq!(
            taken(Form::GitCredentials, text),
            "# a comment\nnot a url\nhttps://bob@git.corp.test\nhttps://a:p@ss@h\n"
        );
        assert_eq!(taken(Form::GitCredentials, "https://a:b@h"), "");
    }
}
