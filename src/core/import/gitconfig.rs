//! git's configuration: accounts in URLs and in `url.<base>.insteadOf`, proxies, and
//! `http.extraHeader` (git-config(1)).
//!
//! It deliberately edits nothing that does not read afterwards as it did before, but for the secret.

use std::ops::Range;

use crate::core::{
    credential::{Key, Kind, Proof},
    import::{
        Asker, Cut, Found, Malformed, Move, Put, Stay, Verdict,
        edit::{Splice, apply},
        header, mask,
        userinfo::{self, Schemes, Userinfo},
    },
    origin::Origin,
    secret::SecretString,
    setup::gitconfig::{Entry, Error, parse},
    text::printable,
};

/// Finds its secrets.
pub(super) fn find(source: &[u8]) -> Result<Vec<Found>, Malformed> {
    let entries = parse(source).map_err(|error| Malformed {
        line: if let Error::Grammar(line) = error { line } else { 0 },
        what: "it is not in the grammar of git's configuration".to_owned(),
    })?;
    let file = File { source, entries: &entries };
    let mut found = Vec::new();
    let mut headers = Vec::new();
    for entry in &entries {
        if let Some(base) = entry.section.strip_prefix("url.")
            && !headers.contains(&entry.header())
        {
            headers.push(entry.header());
            file.base(base, entry, &mut found);
        }
        let value = entry.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
        if let Some(value) = value {
            file.value(value, entry, &mut found);
        }
    }
    Ok(found)
}

struct File<'a> {
    source: &'a [u8],
    entries: &'a [Entry],
}

impl File<'_> {
    /// Looks at `<base>` of `url.<base>.insteadOf`.
    fn base(&self, base: &str, entry: &Entry, found: &mut Vec<Found>) {
        let Some(url) = userinfo::parse(base, Schemes::Needed) else { return };
        // The header is what stands before the first entry of its section.
        let end = entry.lines().map_or_else(|| entry.end(), |lines| lines.start);
        let region = entry.header()..end;
        let verdict = self.of_host(&url, base, region);
        let verdict = self.checked(verdict, |old, new| {
            let is_below = old.header() == entry.header();
            (is_below || old.section == new.section) && old.value == new.value
        });
        let place = (self.line(entry.header()), "url.*.insteadOf");
        userinfo::add(found, place, &url, verdict);
    }

    fn value(&self, value: &str, entry: &Entry, found: &mut Vec<Found>) {
        let region = entry.lines().unwrap_or_else(|| entry.header()..entry.end());
        let name = name(entry);
        let line = self.line(first_byte(self.source, &region));
        if entry.key == "extraheader" {
            return self.header(value, entry, (line, &name), found);
        }
        if entry.key == "helper" && value.starts_with('!') {
            if let Some(secret) = inline(value) {
                let verdict = Verdict::Stay(Stay::Inline);
                found.push(Found { line, name, secret, verdict });
            }
            return;
        }
        let is_proxy = entry.key.ends_with("proxy");
        let schemes = if is_proxy { Schemes::Optional } else { Schemes::Needed };
        let Some(url) = userinfo::parse(value, schemes) else { return };
        let area = entry.section.split('.').next().unwrap_or_default();
        let verdict = match (is_proxy, area) {
            (true, _) => match self.place(value, &url.front, region) {
                Some(at) => url.of_proxy(Put::ProxyOfGit, at),
                None => Verdict::Stay(Stay::Written),
            },
            (false, "remote" | "submodule" | "lfs") => self.of_host(&url, value, region),
            (false, _) => Verdict::Stay(Stay::Unknown),
        };
        let verdict = self.checked(verdict, |old, new| {
            old.section == new.section && (old.end() == entry.end() || old.value == new.value)
        });
        userinfo::add(found, (line, &name), &url, verdict);
    }

    /// Looks at a header that git sends.
    fn header(&self, value: &str, entry: &Entry, place: (usize, &str), found: &mut Vec<Found>) {
        let Some(carried) = header::read(value) else { return };
        let verdict = match (carried.credential, origin(entry), entry.lines()) {
            (Err(stay), ..) => Verdict::Stay(stay),
            (Ok(_), None, _) => Verdict::Stay(Stay::EveryHost),
            (Ok(_), _, None) => Verdict::Stay(Stay::Written),
            (Ok((user, proof)), Some(origin), Some(span)) => {
                // git asks with a name, and Azure and others take any beside a token.
                let user = match &proof {
                    Proof::Password(_) if user.is_empty() => "token".to_owned(),
                    Proof::Password(_) | Proof::Encoded { .. } => user,
                };
                let key = Key { kind: Kind::Git, origin, path: None, user };
                let cut = Some(Cut { span: trimmed(self.source, span), put: Put::Nothing });
                Verdict::Move(Move { key, proof, asker: Asker::Git, cut })
            }
        };
        let without = |one: &&Entry| one.end() != entry.end();
        let rest: Vec<&Entry> = self.entries.iter().filter(without).collect();
        let verdict = self.checked_against(verdict, &rest, |old, new| {
            old.section == new.section && old.value == new.value
        });
        let (line, name) = (place.0, place.1.to_owned());
        found.push(Found { line, name, secret: carried.secret, verdict });
    }

    fn of_host(&self, url: &Userinfo<'_>, text: &str, region: Range<usize>) -> Verdict {
        match self.place(text, &(0..url.inner.end + 1), region) {
            Some(at) => url.of_host(Asker::Git, at),
            None => Verdict::Stay(Stay::Written),
        }
    }

    /// Finds where a part of a value stands as it is, once, in a region of the file. Elsewhere it is
    /// quoted, or escaped.
    fn place(&self, text: &str, part: &Range<usize>, region: Range<usize>) -> Option<usize> {
        let needle = text.as_bytes().get(part.clone())?;
        let from = region.start;
        let region = self.source.get(region)?;
        let mut places = region.windows(needle.len().max(1)).enumerate();
        let mut places = places.by_ref().filter(|(_, bytes)| *bytes == needle);
        let (at, _) = places.next()?;
        places.next().is_none().then(|| from + at)
    }

    /// Makes sure that all values read afterwards as `same` wants it.
    fn checked(&self, verdict: Verdict, same: impl Fn(&Entry, &Entry) -> bool) -> Verdict {
        let all: Vec<&Entry> = self.entries.iter().collect();
        self.checked_against(verdict, &all, same)
    }

    fn checked_against(
        &self,
        verdict: Verdict,
        expected: &[&Entry],
        same: impl Fn(&Entry, &Entry) -> bool,
    ) -> Verdict {
        let Verdict::Move(Move { cut: Some(Cut { span, put }), .. }) = &verdict else {
            return verdict;
        };
        let put = if *put == Put::Nothing { "" } else { "http://127.0.0.1:7407" };
        let splice = Splice::of(self.source, span.clone(), put.as_bytes().to_vec());
        let after = splice.and_then(|splice| apply(self.source, &[splice]));
        let after = after.and_then(|after| parse(&after).ok()).unwrap_or_default();
        let holds = after.len() == expected.len()
            && expected.iter().zip(&after).all(|(old, new)| old.key == new.key && same(old, new));
        if holds { verdict } else { Verdict::Stay(Stay::Written) }
    }

    fn line(&self, at: usize) -> usize {
        let before = self.source.get(..at).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }
}

/// Returns the host of `http.<url>.*`.
fn origin(entry: &Entry) -> Option<Origin> {
    let url = entry.section.strip_prefix("http.")?.to_owned();
    let url = userinfo::parse(&url, Schemes::Needed).is_none().then_some(url)?;
    let (origin, _) = Origin::from_url(&url).ok()?;
    let lower = origin.authority().to_ascii_lowercase();
    let is_web = matches!(origin.scheme(), "https" | "http");
    is_web.then(|| Origin::new(origin.scheme(), &lower).ok()).flatten()
}

/// Names an entry for people. A section may hold a URL, and that a secret.
fn name(entry: &Entry) -> String {
    let Entry { section, key, .. } = entry;
    let (area, below) = section.split_once('.').unwrap_or((section, ""));
    let key = if key == "extraheader" { "extraHeader" } else { key };
    if below.is_empty() {
        return printable(&format!("{area}.{key}"));
    }
    let below = match origin(entry) {
        Some(origin) => origin.to_string(),
        None if below.contains(['@', ':']) => "*".to_owned(),
        None => below.to_owned(),
    };
    printable(&format!("{area}.{below}.{key}"))
}

/// Returns the password that a helper of one line prints.
fn inline(value: &str) -> Option<SecretString> {
    let (_, rest) = value.split_once("password=")?;
    let end = rest.find(|c: char| c.is_whitespace() || "\"';\\".contains(c)).unwrap_or(rest.len());
    let secret = rest.get(..end)?;
    (!secret.contains('$') && !mask::is_placeholder(secret)).then(|| secret.into())
}

/// Returns the first byte that is no blank and no line of its own.
fn first_byte(source: &[u8], region: &Range<usize>) -> usize {
    let bytes = source.get(region.clone()).unwrap_or_default();
    let blanks = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if blanks == bytes.len() { region.start } else { region.start + blanks }
}

/// Leaves blank lines and blanks before an entry where they are, but for its own indentation.
fn trimmed(source: &[u8], span: Range<usize>) -> Range<usize> {
    let first = first_byte(source, &span);
    let before = source.get(span.start..first).unwrap_or_default();
    let own = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    span.start + own..span.end
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    const WILD: &str = "\
# mine
[user]\r
\tname = Ana\r
[url \"https://ghp_abcdefghijklmnop@github.com/\"]
\tinsteadOf = https://github.com/
\tinsteadOf = git@github.com:
[url \"https://ci:${CI_TOKEN}@gitlab.com/\"]
\tinsteadOf = https://gitlab.com/
[remote \"origin\"]
\turl = https://ana:hunter2@git.corp.test/team/lib.git ; work
\tpushurl = \"https://ana:hunter2@git.corp.test/team/lib.git\"
[http]
\tproxy = http://CORP%5Cana:s3cret@proxy.corp.test:8080
\textraHeader = Authorization: Bearer eyJhbGciOi
[http \"https://dev.azure.test/org/\"]

\textraHeader = \"AUTHORIZATION: Basic OnBhdC1vZi1hbmE=\"
\tsslVerify = true
[http \"https://h.test\"] proxy = ana:pw@p.test:3128
[credential \"https://x.test\"]
\thelper = \"!f() { echo username=ci; echo password=inl1ne; }; f\"
\thelper = \"!f() { echo password=$TOKEN; }; f\"
";

    #[test]
    fn accounts_proxies_and_headers_are_found() {
        assert_eq!(
            told(Form::GitConfig, WILD),
            [
                "4 url.*.insteadOf https://github.com x-access-token:ghp_abcdefghijklmnop",
                "10 remote.origin.url https://git.corp.test ana:hunter2",
                "11 remote.origin.pushurl https://git.corp.test ana:hunter2",
                "13 http.proxy http://proxy.corp.test:8080 CORP\\ana:s3cret",
                "14 http.extraHeader - EveryHost",
                "17 http.https://dev.azure.test.extraHeader https://dev.azure.test token:pat-of-ana",
                "19 http.https://h.test.proxy http://p.test:3128 ana:pw",
                "21 credential.*.helper - Inline",
            ]
        );
    }

    #[test]
    fn only_the_secrets_go() {
        let after = taken(Form::GitConfig, WILD);
        for line in [
            "\tname = Ana\r\n[url \"https://github.com/\"]\n",
            "\turl = https://ana@git.corp.test/team/lib.git ; work\n",
            "\tpushurl = \"https://ana@git.corp.test/team/lib.git\"\n",
            "\tproxy = http://gocred@127.0.0.1:7407\n",
            "[http \"https://dev.azure.test/org/\"]\n\n\tsslVerify = true\n",
            "[http \"https://h.test\"] proxy = http://gocred@127.0.0.1:7407\n",
            "[url \"https://ci:${CI_TOKEN}@gitlab.com/\"]\n",
        ] {
            assert!(after.contains(line), "{line:?} in {after}");
        }
        let secrets = ["ghp_", "hunter2", "s3cret", "OnBh", ":pw@"];
        assert!(secrets.iter().all(|secret| !after.contains(secret)), "{after}");
    }

    #[test]
    fn what_is_escaped_or_stands_twice_stays() {
        let text = "[remote \"o\"]\n\turl = \"https://ana:h\\\\x@h\"\n\
                    [remote \"p\"]\n\turl = https://ana:p\\\n\tw@h\n\
                    [url \"https://a:b\\\"@h/\"]\n\tinsteadOf = x\n";
        let told = told(Form::GitConfig, text);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told.iter().all(|line| line.ends_with("- Written")
                || line.ends_with("NotAHost")
                || line.ends_with("Control")),
            "{told:?}"
        );
    }

    #[test]
    fn no_name_repeats_a_secret() {
        let text = "[http \"https://ana:hunter2@h\"]\n\tproxy = http://a:b@p.test:1\n\
                    [remote \"https://ana:hunter2@h\"]\n\turl = https://ana:hunter2@h\n";
        let told = told(Form::GitConfig, text);
        let names: Vec<_> = told.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(names, ["http.*.proxy", "remote.*.url"]);
    }

    #[test]
    fn a_file_that_git_refuses_is_left_alone() {
        let error = crate::core::import::find(Form::GitConfig, b"[a]\n=x\n").unwrap_err();
        assert_eq!(error.line, 2);
    }
}
