//! What a shell reads at its start, and files of `NAME=value` such as `/etc/environment`: proxies,
//! GOPROXY, and tokens in variables.
//!
//! It deliberately knows words, quotes and comments of a line, and no more of any shell: what is
//! written in another way is shown and stays.

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

use crate::core::import::{
    Cut, Found, Move, Put, Stay, Verdict, goenv,
    lines::{Line, lines},
    mask,
    userinfo::{self, Schemes},
};

/// Variables that name a forward proxy, in upper case; curl, git and wget read the lower one, too.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "FTP_PROXY"];

/// Finds its secrets.
pub(super) fn find(source: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for line in lines(source) {
        if let Some(text) = line.text {
            of_line(text, &line, &mut found);
        }
    }
    found
}

/// A value that is given to a variable.
struct Given<'a> {
    name: &'a str,
    /// As it is written, with its quotes.
    raw: &'a str,
    /// Where that stands in the line.
    at: usize,
}

fn of_line(text: &str, line: &Line<'_>, found: &mut Vec<Found>) {
    let Words { words, comment } = words(text);
    let word = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let mut index = 0;
    while let Some(range) = words.get(index) {
        index += 1;
        let (here, mut given) = (word(range), None);
        match here {
            // fish: `set -gx NAME VALUE`; csh: `setenv NAME VALUE`.
            "set" | "setenv" => {
                while words.get(index).is_some_and(|option| word(option).starts_with('-')) {
                    index += 1;
                }
                if let (Some(name), Some(value)) = (words.get(index), words.get(index + 1))
                    && is_name(word(name))
                {
                    given = Some(Given { name: word(name), raw: word(value), at: value.start });
                    index += 2;
                }
            }
            _ => {
                if let Some((name, raw)) = here.split_once('=').filter(|(name, _)| is_name(name)) {
                    given = Some(Given { name, raw, at: range.start + name.len() + 1 });
                }
            }
        }
        match given {
            Some(given) => of_variable(&given, line, found),
            None => stray(here, line, Stay::Unknown, found),
        }
    }
    if let Some(comment) = comment {
        stray(text.get(comment..).unwrap_or_default(), line, Stay::Comment, found);
    }
}

fn of_variable(given: &Given<'_>, line: &Line<'_>, found: &mut Vec<Found>) {
    let Given { name, raw, at } = given;
    let value = Value::of(raw);
    let at = line.at + at + value.offset;
    let upper = name.to_ascii_uppercase();
    if PROXIES.contains(&upper.as_str()) {
        let Some(url) = userinfo::parse(value.inner, Schemes::Optional) else { return };
        if value.expands(value.inner.get(url.inner.clone()).unwrap_or_default()) {
            return;
        }
        let (said, span) = (value.said(), at + url.front.start..at + url.front.end);
        let Some(url) = userinfo::parse(&said, Schemes::Optional) else { return };
        let verdict = match url.of_proxy(Put::Proxy, 0) {
            Verdict::Move(one) if value.is_plain => {
                let cut = Some(Cut { span, put: Put::Proxy });
                Verdict::Move(Move { cut, ..one })
            }
            Verdict::Move(_) => Verdict::Stay(Stay::Written),
            stay @ Verdict::Stay(_) => stay,
        };
        userinfo::add(found, (line.number, name), &url, verdict);
    } else if upper == "GOPROXY" {
        let from = found.len();
        if value.expands(value.inner) {
            // Which element is whose secret, only a shell can say.
            return stray(value.inner, line, Stay::Written, found);
        }
        goenv::goproxy(found, line.number, value.inner, at);
        let is_edited = value.is_plain && *value.said() == value.inner;
        for one in found.iter_mut().skip(from).filter(|_| !is_edited) {
            one.verdict = Verdict::Stay(Stay::Written);
        }
    } else if mask::token(value.inner).is_some() && !value.expands(value.inner) {
        let (name, secret) = ((*name).to_owned(), value.inner.into());
        let verdict = Verdict::Stay(Stay::Variable);
        found.push(Found { line: line.number, name, secret, verdict });
    } else if value.inner.contains(char::is_whitespace) {
        // An alias, or a command in a variable.
        stray(value.inner, line, Stay::Unknown, found);
    } else {
        let from = found.len();
        stray(value.inner, line, Stay::Variable, found);
        for one in found.iter_mut().skip(from) {
            (*name).clone_into(&mut one.name);
        }
    }
}

/// Shows every URL with a secret in a text that gocred does not edit.
fn stray(text: &str, line: &Line<'_>, stay: Stay, found: &mut Vec<Found>) {
    let is_end = |c: char| c.is_whitespace() || "\"'`;,|<>()".contains(c);
    for piece in text.split(is_end) {
        let Some(colon) = piece.find("://") else { continue };
        let (before, _) = piece.split_at(colon);
        let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let url = piece.get(before.len() - scheme.len()..).unwrap_or_default();
        let Some(url) = userinfo::parse(url, Schemes::Needed) else { continue };
        let (name, verdict) = (format!("{scheme} URL"), Verdict::Stay(stay));
        if !piece.contains('$') {
            userinfo::add(found, (line.number, &name), &url, verdict);
        }
    }
}

/// A value without its quotes.
struct Value<'a> {
    inner: &'a str,
    /// Where that begins in what is written.
    offset: usize,
    quote: Option<char>,
    /// Whether it is one piece, quoted as a whole or not at all.
    is_plain: bool,
}

impl<'a> Value<'a> {
    fn of(raw: &'a str) -> Self {
        for quote in ['\'', '"'] {
            let inner = raw.strip_prefix(quote).and_then(|raw| raw.strip_suffix(quote));
            if let Some(inner) = inner {
                let is_plain = !inner.contains(quote);
                return Self { inner, offset: 1, quote: Some(quote), is_plain };
            }
        }
        let is_plain = !raw.contains(['\'', '"']);
        Self { inner: raw, offset: 0, quote: None, is_plain }
    }

    /// Whether a shell would put something else in the place of a part.
    fn expands(&self, part: &str) -> bool {
        self.quote != Some('\'') && part.contains(['$', '`'])
    }

    /// Returns what a shell takes it for, as far as backslashes go.
    fn said(&self) -> Zeroizing<String> {
        let mut said = Zeroizing::new(String::with_capacity(self.inner.len()));
        if self.quote == Some('\'') {
            said.push_str(self.inner);
            return said;
        }
        let mut rest = self.inner.chars().peekable();
        while let Some(c) = rest.next() {
            // Within double quotes a backslash is itself before most characters (POSIX, 2.2.3).
            let is_escape = |next: &char| self.quote.is_none() || "$`\"\\".contains(*next);
            match rest.peek().copied().filter(|next| c == '\\' && is_escape(next)) {
                Some(next) => {
                    said.push(next);
                    rest.next();
                }
                None => said.push(c),
            }
        }
        said
    }
}

struct Words {
    words: Vec<Range<usize>>,
    comment: Option<usize>,
}

/// Returns the words of a line, and where its comment begins.
fn words(text: &str) -> Words {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            start.get_or_insert(at);
            continue;
        }
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                start.get_or_insert(at);
                is_escaped = true;
            }
            (Some(_), _) => {}
            (None, '\'' | '"') => {
                start.get_or_insert(at);
                quote = Some(c);
            }
            (None, '#') if start.is_none() => return Words { words, comment: Some(at) },
            (None, ' ' | '\t' | ';' | '&' | '|' | '(' | ')' | '<' | '>') => {
                words.extend(start.take().map(|start| start..at));
            }
            (None, _) => {
                start.get_or_insert(at);
            }
        }
    }
    words.extend(start.map(|start| start..text.len()));
    Words { words, comment: None }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    const WILD: &str = "\
# ~/.bashrc: executed by bash(1) for non-login shells.
case $- in *i*) ;; *) return;; esac
export PATH=\"$HOME/go/bin:$PATH\"
export HTTPS_PROXY=http://CORP%5Cana:s3cret@proxy.corp.test:8080
export http_proxy='http://ana:pa$$@proxy.corp.test:8080/' NO_PROXY=localhost # twice
https_proxy=\"http://CORP\\\\ana:pw@proxy.corp.test:8080\"; export https_proxy
#export HTTP_PROXY=http://ana:old-secret@proxy.corp.test:8080
export HTTP_PROXY=\"http://$USER:$PROXY_PW@proxy.corp.test:8080\"
export ALL_PROXY=http://proxy.corp.test:8080
proxy_on() { export HTTPS_PROXY=ana:pw@proxy.corp.test:8080; }
alias up='https_proxy=http://ana:pw@proxy.corp.test:8080 apt update'
export GOPROXY=\"https://ci:t0ken@goproxy.corp.test/api,direct\"
export GITHUB_TOKEN=ghp_abcdefghijklmnop
export PIP_INDEX_URL=https://ana:pw@pypi.corp.test/simple
git clone https://ana:pw@git.corp.test/x.git
export FTP_PROXY=\"http://ana:\"pw\"@proxy.corp.test:8080\"
";

    #[test]
    fn proxies_and_tokens_are_found_as_people_write_them() {
        assert_eq!(
            told(Form::Shell, WILD),
            [
                "4 HTTPS_PROXY http://proxy.corp.test:8080 CORP\\ana:s3cret",
                "5 http_proxy http://proxy.corp.test:8080 ana:pa$$",
                "6 https_proxy http://proxy.corp.test:8080 CORP\\ana:pw",
                "7 http URL - Comment",
                "10 HTTPS_PROXY http://proxy.corp.test:8080 ana:pw",
                "11 http URL - Unknown",
                "12 GOPROXY https://goproxy.corp.test ci:t0ken",
                "13 GITHUB_TOKEN - Variable",
                "14 PIP_INDEX_URL - Variable",
                "15 https URL - Unknown",
                "16 FTP_PROXY - Written",
            ]
        );
    }

    #[test]
    fn only_the_urls_change() {
        let after = taken(Form::Shell, WILD);
        for line in [
            "export HTTPS_PROXY=http://127.0.0.1:7407\n",
            "export http_proxy='http://127.0.0.1:7407/' NO_PROXY=localhost # twice\n",
            "https_proxy=\"http://127.0.0.1:7407\"; export https_proxy\n",
            "proxy_on() { export HTTPS_PROXY=http://127.0.0.1:7407; }\n",
            "export GOPROXY=\"https://goproxy.corp.test/api,direct\"\n",
        ] {
            assert!(after.contains(line), "{line:?} in {after}");
        }
        let changed = WILD.lines().zip(after.lines()).filter(|(old, new)| old != new);
        assert_eq!(changed.count(), 5);
    }

    #[test]
    fn fish_and_csh_set_variables_otherwise() {
        let text = "set -gx HTTPS_PROXY http://ana:pw@proxy.corp.test:8080\n\
                    set -x --global http_proxy \"http://ana:pw@proxy.corp.test:8080\"\n\
                    setenv HTTPS_PROXY http://ana:pw@proxy.corp.test:8080\n\
                    set -e HTTPS_PROXY\nset\nset -x\n";
        let told = told(Form::Shell, text);
        assert_eq!(told.len(), 3, "{told:?}");
        let after = text.replace("ana:pw@proxy.corp.test:8080", "127.0.0.1:7407");
        assert_eq!(taken(Form::Shell, text), after);
    }

    #[test]
    fn bytes_that_are_no_text_and_open_quotes_harm_nothing() {
        let text = b"\xff\xfe HTTPS_PROXY=http://a:b@p:1\nx='\nHTTPS_PROXY=http://a:b@p:1\n\\";
        assert_eq!(crate::core::import::find(Form::Shell, text).unwrap().len(), 1);
    }
}
