//! git's configuration: accounts in URLs and in `url.<base>.insteadOf`, proxies, and
//! `http.extraHeader` (git-config(1)).
//!
//! It deliberately edits nothing that does not read afterwards as it did before, but for the secret.

use std::{collections::HashMap, ops::Range};

use crate::core::{
    credential::{Key, Kind, Proof},
    import::{
        Asker, Cut, Found, MAX_FOUND, Malformed, Move, Put, Stay, Verdict,
        edit::{Splice, apply},
        header,
        lines::Starts,
        mask,
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
    let starts = Starts::of(source);
    let mut file =
        File { source, entries: &entries, starts, found: Vec::new(), trials: Vec::new() };
    let mut header = None;
    for entry in &entries {
        if file.found.len() > MAX_FOUND {
            break;
        }
        let is_first = header.replace(entry.header()) != Some(entry.header());
        if let Some(base) = entry.section.strip_prefix("url.").filter(|_| is_first) {
            file.base(base, entry);
        }
        let value = entry.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
        if let Some(value) = value {
            file.value(value, entry);
        }
    }
    file.judge();
    Ok(file.found)
}

struct File<'a> {
    source: &'a [u8],
    entries: &'a [Entry],
    starts: Starts,
    found: Vec<Found>,
    trials: Vec<Trial>,
}

/// An edit, and what git is to read afterwards.
struct Trial {
    /// Its place in what was found.
    place: usize,
    cut: Cut,
    change: Change,
}

enum Change {
    /// The entry that ends there is gone.
    Gone(usize),
    /// The section whose header begins there has another name.
    Section(usize, String),
    /// The entry that ends there has another value.
    Value(usize, Vec<u8>),
}

impl File<'_> {
    /// Looks at `<base>` of `url.<base>.insteadOf`.
    fn base(&mut self, base: &str, entry: &Entry) {
        let Some(url) = userinfo::parse(base, Schemes::Needed) else { return };
        // The header is what stands before the first entry of its section.
        let end = entry.lines().map_or_else(|| entry.end(), |lines| lines.start);
        let at = self.place(base, &(0..url.inner.end + 1), entry.header()..end);
        let verdict = of_host(&url, at);
        let section = |span: Range<usize>| {
            let name = cut_out(base, &span, "");
            Change::Section(entry.header(), format!("url.{}", String::from_utf8_lossy(&name)))
        };
        let line = self.starts.line(entry.header());
        self.add_url((line, "url.*.insteadOf"), &url, (verdict, at), section);
    }

    fn value(&mut self, value: &str, entry: &Entry) {
        if entry.key == "extraheader" {
            return self.header(value, entry);
        }
        if entry.key == "helper" && value.starts_with('!') {
            if let Some(secret) = inline(value) {
                let (line, name) = (self.line(entry), name(entry));
                let verdict = Verdict::Stay(Stay::Inline);
                self.found.push(Found { line, name, secret, verdict });
            }
            return;
        }
        let is_proxy = entry.key.ends_with("proxy");
        let schemes = if is_proxy { Schemes::Optional } else { Schemes::Needed };
        let Some(url) = userinfo::parse(value, schemes) else { return };
        let area = entry.section.split('.').next().unwrap_or_default();
        let needle = if is_proxy { url.front.clone() } else { 0..url.inner.end + 1 };
        let at = self.place(value, &needle, region(entry));
        let verdict = match (is_proxy, area) {
            (true, _) => match at {
                Some(at) => url.of_proxy(Put::ProxyOfGit, at),
                None => Verdict::Stay(Stay::Written),
            },
            (false, "remote" | "submodule" | "lfs") => of_host(&url, at),
            (false, _) => Verdict::Stay(Stay::Unknown),
        };
        let put = if is_proxy { TRIAL } else { "" };
        let change = |span: Range<usize>| Change::Value(entry.end(), cut_out(value, &span, put));
        let (line, name) = (self.line(entry), name(entry));
        self.add_url((line, &name), &url, (verdict, at), change);
    }

    /// Adds what a URL tells, if it has a secret, and how it is to read without it. `at` is where the URL
    /// stands; the change is told which part of it goes.
    fn add_url(
        &mut self,
        name: (usize, &str),
        url: &Userinfo<'_>,
        (verdict, at): (Verdict, Option<usize>),
        change: impl Fn(Range<usize>) -> Change,
    ) {
        let place = self.found.len();
        userinfo::add(&mut self.found, name, url, verdict);
        let Some(Found { verdict: Verdict::Move(one), .. }) = self.found.get(place) else { return };
        if let (Some(cut), Some(at)) = (one.cut.clone(), at) {
            let change = change(cut.span.start - at..cut.span.end - at);
            self.trials.push(Trial { place, cut, change });
        }
    }

    /// Looks at a header that git sends.
    fn header(&mut self, value: &str, entry: &Entry) {
        let Some(carried) = header::read(value) else { return };
        let place = self.found.len();
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
                let cut = Cut { span: trimmed(self.source, span), put: Put::Nothing };
                let change = Change::Gone(entry.end());
                self.trials.push(Trial { place, cut: cut.clone(), change });
                Verdict::Move(Move { key, proof, asker: Asker::Git, cut: Some(cut) })
            }
        };
        let (line, name, secret) = (self.line(entry), name(entry), carried.secret);
        self.found.push(Found { line, name, secret, verdict });
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

    /// Makes sure that git reads what it should after all edits, or else after which of them.
    fn judge(&mut self) {
        let mut trials = std::mem::take(&mut self.trials);
        trials.sort_by_key(|trial| trial.cut.span.start);
        if self.holds(&trials) {
            return;
        }
        for (tried, trial) in trials.iter().enumerate() {
            let holds = tried < MAX_TRIALS && self.holds(std::slice::from_ref(trial));
            if let Some(found) = self.found.get_mut(trial.place).filter(|_| !holds) {
                found.verdict = Verdict::Stay(Stay::Written);
            }
        }
    }

    fn holds(&self, trials: &[Trial]) -> bool {
        let mut gone = Vec::new();
        let (mut sections, mut values) = (HashMap::new(), HashMap::new());
        let mut splices = Vec::new();
        for Trial { place: _, cut, change } in trials {
            let put = if cut.put == Put::Nothing { "" } else { TRIAL };
            splices.extend(Splice::of(self.source, cut.span.clone(), put.into()));
            match change {
                Change::Gone(end) => gone.push(*end),
                Change::Section(header, name) => drop(sections.insert(*header, name)),
                Change::Value(end, value) => drop(values.insert(*end, value)),
            }
        }
        let after = apply(self.source, &splices).and_then(|after| parse(&after).ok());
        let after = after.unwrap_or_default();
        let expected: Vec<&Entry> =
            self.entries.iter().filter(|entry| gone.binary_search(&entry.end()).is_err()).collect();
        expected.len() == after.len()
            && expected.iter().zip(&after).all(|(old, new)| {
                let section = sections.get(&old.header()).copied().unwrap_or(&old.section);
                let value = values.get(&old.end()).copied().or(old.value.as_ref());
                old.key == new.key && *section == new.section && value == new.value.as_ref()
            })
    }

    fn line(&self, entry: &Entry) -> usize {
        self.starts.line(first_byte(self.source, &region(entry)))
    }
}

/// Stands in a trial for the loopback proxy.
const TRIAL: &str = "http://127.0.0.1:7407";
/// So many edits are tried one by one, where not all of them together come out as intended.
const MAX_TRIALS: usize = 20;

/// Returns where an entry stands.
fn region(entry: &Entry) -> Range<usize> {
    entry.lines().unwrap_or_else(|| entry.header()..entry.end())
}

fn of_host(url: &Userinfo<'_>, at: Option<usize>) -> Verdict {
    at.map_or(Verdict::Stay(Stay::Written), |at| url.of_host(Asker::Git, at))
}

/// Returns a text with something else in the place of a part.
fn cut_out(text: &str, part: &Range<usize>, put: &str) -> Vec<u8> {
    let (before, after) = (text.get(..part.start), text.get(part.end..));
    [before.unwrap_or_default(), put, after.unwrap_or_default()].concat().into_bytes()
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
