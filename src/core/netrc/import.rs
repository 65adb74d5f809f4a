//! What moves from a netrc into the keyring: the plan, and what goes out of the file afterwards.
//!
//! It deliberately decides nothing about the keyring; the caller removes what it has stored and read
//! back, and nothing else.

use std::{fmt, ops::Range};

use crate::core::{
    credential::{Key, Kind},
    netrc::{Entry, Error, Machine, Match, Netrc, Token, TokenKind, Value, curl, edit, go, quote},
    origin::Origin,
    secret::{ExposeSecret, SecretString, same},
};

pub use quote::Quoting;

/// An entry with what becomes of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The line of the entry, from 1.
    pub line: usize,
    /// The host as it is written; `None` for `default`, and where there is none.
    pub host: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// How Go reads it.
    pub go: GoView,
    entry: usize,
}

/// What becomes of an entry.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It stays where it is.
    Stay(Stay),
    /// It is stored.
    Store(Key, SecretString),
}

/// Why an entry is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// The login or the password has a control character.
    Control,
    /// It is for every host.
    Default,
    /// The account is not named.
    NoLogin,
    /// There is no password.
    NoPassword,
    /// What it names is no `host[:port]`.
    NotAHost,
    /// A value is not UTF-8.
    NotText,
    /// The entry of this line has the same host and login, and another password.
    Shadowed(usize),
    /// The login is a token, as GitHub once advised; a login is no secret.
    TokenAsLogin,
}

/// What Go makes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoView {
    /// The same host, login and password.
    Agrees,
    /// Nothing.
    Blind,
    /// Another login or password for the host, from this line.
    Differs(usize),
}

/// Why a stored entry is not taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It has an `account`, which the keyring does not keep.
    Account,
    /// The `default` entry would answer in its place.
    Default,
    /// Another entry for its host would answer in its place.
    Other,
    /// How a value is written could not be put back.
    Quoting,
    /// What curl or Go read elsewhere in the file would change.
    Rest,
    /// It has a login or a password twice.
    Twice,
    /// It has words that curl skips.
    Words,
}

/// A piece that was taken out, without its passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it belongs in the file that is left.
    pub at: usize,
    /// What it was made of.
    pub parts: Vec<Part>,
}

/// A part of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The password of a key, written this way.
    Password(Key, Quoting),
    /// Everything else.
    Text(String),
}

/// The file without what is stored.
#[derive(Debug)]
pub struct Removal {
    /// What is left.
    pub after: Vec<u8>,
    /// What went, in order.
    pub pieces: Vec<Piece>,
    /// Where that stood.
    pub cuts: Vec<Range<usize>>,
    /// What did not go, by its place in [`Plan::items`].
    pub kept: Vec<(usize, Kept)>,
}

/// What to do with a file.
#[derive(Debug)]
pub struct Plan<'a> {
    /// curl's entries, in order.
    pub items: Vec<Item>,
    /// Lines of entries that Go reads and curl does not.
    pub only_go: Vec<usize>,
    source: &'a [u8],
    netrc: Netrc,
}

impl<'a> Plan<'a> {
    /// Plans for a file; the error is curl's, because nobody reads the rest of such a file safely.
    pub fn of(source: &'a [u8]) -> Result<Self, Error> {
        let netrc = Netrc::parse(source);
        if let Some(error) = netrc.error {
            return Err(error);
        }
        let go = go::read(source);
        let mut items: Vec<Item> = Vec::with_capacity(netrc.entries.len());
        for (index, entry) in netrc.entries.iter().enumerate() {
            let verdict = match verdict(entry) {
                Ok((key, password)) => not_shadowed(&items, key, password),
                Err(stay) => Verdict::Stay(stay),
            };
            let host = match &entry.machine {
                Machine::Host(host) => Some(host.clone()),
                Machine::Default | Machine::Nobody => None,
            };
            let go = go_view(&go, entry);
            items.push(Item { line: entry.line, host, verdict, go, entry: index });
        }
        let starts = |entry: &Entry| entry.line;
        let seen: Vec<usize> = netrc.entries.iter().map(starts).collect();
        let only_go = go.entries.iter().map(starts).filter(|line| !seen.contains(line)).collect();
        Ok(Self { items, only_go, source, netrc })
    }

    /// Takes out the items at these places, which are stored, as far as nothing else then answers
    /// for their hosts: a tool that fell back to an older or a foreign password would send that.
    pub fn remove(&self, stored: &[usize]) -> Removal {
        let mut kept = Vec::new();
        let mut going = Vec::new();
        for &place in stored {
            match self.writing(place) {
                Ok(()) => going.push(place),
                Err(why) => kept.push((place, why)),
            }
        }
        loop {
            let cuts = self.cuts(&going);
            let after = edit::cut(self.source, &cuts);
            let readings = (Netrc::parse(&after), go::read(&after));
            let stays: Vec<(usize, Kept)> = going
                .iter()
                .filter_map(|&place| Some((place, self.replacement(place, &readings)?)))
                .collect();
            if stays.is_empty() && edit::keeps_the_rest(self.source, &after, &cuts) {
                let pieces = self.pieces(&cuts, &going);
                return Removal { after, pieces, cuts, kept };
            }
            if stays.is_empty() {
                // Rare enough (pairs of Go across entries) that the last one has to give way.
                kept.extend(going.pop().map(|place| (place, Kept::Rest)));
            }
            going.retain(|place| !stays.iter().any(|(stays, _)| stays == place));
            kept.extend(stays);
        }
    }

    /// Tells whether an entry is written so that it can be put back.
    fn writing(&self, place: usize) -> Result<(), Kept> {
        let Some(entry) = self.entry(place) else { return Err(Kept::Rest) };
        let mut seen: Vec<&[u8]> = Vec::new();
        for token in self.netrc.tokens.get(entry.tokens.clone()).unwrap_or_default() {
            let text = self.source.get(token.span.clone()).unwrap_or_default();
            match token.kind {
                TokenKind::Keyword | TokenKind::Value if std::str::from_utf8(text).is_err() => {
                    return Err(Kept::Quoting);
                }
                TokenKind::Keyword if text.eq_ignore_ascii_case(b"account") => {
                    return Err(Kept::Account);
                }
                TokenKind::Keyword if seen.iter().any(|word| word.eq_ignore_ascii_case(text)) => {
                    return Err(Kept::Twice);
                }
                TokenKind::Keyword => seen.push(text),
                TokenKind::Skipped => return Err(Kept::Words),
                TokenKind::Macro | TokenKind::Space | TokenKind::Unread | TokenKind::Value => {}
            }
        }
        if self.is_followed_by_words(entry) {
            return Err(Kept::Words);
        }
        self.password(entry).map(|_| ()).ok_or(Kept::Quoting)
    }

    /// Tells whether a word that is no comment follows on the line, such as the rest of a password
    /// with a blank.
    fn is_followed_by_words(&self, entry: &Entry) -> bool {
        let mut rest = self.netrc.tokens.get(entry.tokens.end..).unwrap_or_default().iter();
        let text = |token: Option<&Token>| self.source.get(token?.span.clone());
        let gap = text(rest.next()).unwrap_or_default();
        let next = rest.next().filter(|token| token.kind == TokenKind::Skipped);
        !gap.contains(&b'\n') && text(next).is_some_and(|word| !word.starts_with(b"#"))
    }

    /// Returns what a tool would find for the host of an item in the file that is left, by curl's and Go's readings
    /// of it.
    fn replacement(&self, place: usize, (curl, go): &(Netrc, Netrc)) -> Option<Kept> {
        let item = self.items.get(place)?;
        let Verdict::Store(key, _) = &item.verdict else { return None };
        let host = item.host.as_deref()?;
        let answers = [
            curl::find(curl, host, None),
            curl::find(curl, host, Some(&key.user)),
            go::find(go, go::prefix(host)),
        ];
        answers.into_iter().find_map(|answer| match answer {
            Ok(None) => None,
            Ok(Some(found)) => Some(match found.by {
                Match::Default => Kept::Default,
                Match::Machine => Kept::Other,
            }),
            Err(_) => Some(Kept::Rest),
        })
    }

    fn cuts(&self, places: &[usize]) -> Vec<Range<usize>> {
        let entries = places.iter().filter_map(|&place| self.entry(place));
        edit::cuts(self.source, &self.netrc, entries)
    }

    fn pieces(&self, cuts: &[Range<usize>], places: &[usize]) -> Vec<Piece> {
        let mut passwords: Vec<(Range<usize>, Part)> = places
            .iter()
            .filter_map(|&place| {
                let Verdict::Store(key, _) = &self.items.get(place)?.verdict else { return None };
                let (span, quoting) = self.password(self.entry(place)?)?;
                Some((span, Part::Password(key.clone(), quoting)))
            })
            .collect();
        passwords.sort_by_key(|(span, _)| span.start);
        let mut gone = 0;
        let mut pieces = Vec::new();
        for cut in cuts {
            let inside = passwords.iter().filter(|(span, _)| cut.contains(&span.start));
            let mut parts = Vec::new();
            let mut done = cut.start;
            for (span, part) in inside {
                parts.push(self.text(done..span.start));
                parts.push(part.clone());
                done = span.end;
            }
            parts.push(self.text(done..cut.end));
            parts.retain(|part| *part != Part::Text(String::new()));
            pieces.push(Piece { at: cut.start - gone, parts });
            gone += cut.len();
        }
        pieces
    }

    /// Keywords, hosts, logins and blanks: text, since an entry that is not does not move.
    fn text(&self, span: Range<usize>) -> Part {
        let bytes = self.source.get(span).unwrap_or_default();
        Part::Text(String::from_utf8_lossy(bytes).into_owned())
    }

    fn password(&self, entry: &Entry) -> Option<(Range<usize>, Quoting)> {
        let Value { span, text } = entry.password.as_ref()?;
        let written = self.source.get(span.clone())?;
        Some((span.clone(), Quoting::of(written, text.as_ref()?)?))
    }

    fn entry(&self, place: usize) -> Option<&Entry> {
        self.netrc.entries.get(self.items.get(place)?.entry)
    }
}

/// What begins a token of GitHub and GitLab.
const TOKENS: &[&str] = &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"];

fn verdict(entry: &Entry) -> Result<(Key, SecretString), Stay> {
    let machine = match &entry.machine {
        Machine::Default => return Err(Stay::Default),
        Machine::Host(machine) => machine,
        Machine::Nobody => return Err(Stay::NotAHost),
    };
    let password = entry.password.as_ref().ok_or(Stay::NoPassword)?;
    let password = password.text.as_ref().ok_or(Stay::NotText)?;
    let login = entry.login.as_ref().ok_or(Stay::NoLogin)?;
    let user = login.text.as_ref().ok_or(Stay::NotText)?;
    let value = password.expose_secret();
    if value.is_empty() {
        return Err(Stay::NoPassword);
    }
    if user.is_empty() {
        return Err(Stay::NoLogin);
    }
    let is_control = |c: char| c.is_ascii_control();
    if user.contains(is_control) || value.contains(is_control) {
        return Err(Stay::Control);
    }
    let is_token = TOKENS.iter().any(|prefix| user.starts_with(prefix));
    if is_token || value == "x-oauth-basic" || user == value {
        return Err(Stay::TokenAsLogin);
    }
    // Tools lower the case of a host before they ask, curl's comparison ignores it.
    let authority = go::prefix(machine).to_ascii_lowercase();
    let origin = Origin::new("https", &authority).map_err(|_| Stay::NotAHost)?;
    Ok((Key { kind: Kind::Git, origin, path: None, user: user.clone() }, password.clone()))
}

fn not_shadowed(items: &[Item], key: Key, password: SecretString) -> Verdict {
    let earlier = items.iter().find_map(|item| match &item.verdict {
        Verdict::Store(other, first) if *other == key => Some((item.line, first)),
        Verdict::Store(..) | Verdict::Stay(_) => None,
    });
    match earlier {
        Some((line, first)) if !same(first, &password) => Verdict::Stay(Stay::Shadowed(line)),
        Some(_) | None => Verdict::Store(key, password),
    }
}

fn go_view(go: &Netrc, entry: &Entry) -> GoView {
    let Machine::Host(machine) = &entry.machine else { return GoView::Agrees };
    let reads = |other: &&Entry| match &other.machine {
        Machine::Host(other) => go::prefix(other) == go::prefix(machine),
        Machine::Default | Machine::Nobody => false,
    };
    let Some(other) = go.entries.iter().find(reads) else { return GoView::Blind };
    let login = |entry: &Entry| entry.login.as_ref().and_then(|login| login.text.clone());
    let passwords = [entry, other].map(|entry| entry.password.as_ref()?.text.as_ref());
    match passwords {
        [Some(ours), Some(theirs)] if same(ours, theirs) && login(entry) == login(other) => {
            GoView::Agrees
        }
        _ => GoView::Differs(other.line),
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("its login or password has a control character"),
            Self::Default => f.write_str("it is for every host"),
            Self::NoLogin => f.write_str("it names no login"),
            Self::NoPassword => f.write_str("it has no password"),
            Self::NotAHost => f.write_str("what it names is not a host"),
            Self::NotText => f.write_str("a value of it is not UTF-8"),
            Self::Shadowed(line) => {
                write!(f, "line {line} has another password for the same host and login")
            }
            Self::TokenAsLogin => f.write_str("its login is a token; use `gocred login` for it"),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "it has an `account`, which the keyring does not keep",
            Self::Default => "the `default` entry would answer in its place",
            Self::Other => "another entry for its host would answer in its place",
            Self::Quoting => "the way its password is quoted could not be put back",
            Self::Rest => "what curl or go read elsewhere in the file would change",
            Self::Twice => "it has two logins or two passwords",
            Self::Words => "it has words that curl skips; a value with blanks needs quotes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{GoView, Kept, Part, Plan, Quoting, Stay, Verdict};

    fn plan(text: &str) -> Plan<'_> {
        Plan::of(text.as_bytes()).unwrap()
    }

    /// What becomes of the first entry.
    fn stays(text: &str) -> Option<Stay> {
        match plan(text).items.remove(0).verdict {
            Verdict::Stay(stay) => Some(stay),
            Verdict::Store(..) => None,
        }
    }

    /// Removes everything that is stored.
    fn removed(text: &str) -> (String, Vec<(usize, Kept)>) {
        let plan = plan(text);
        let is_stored = |place: &usize| matches!(plan.items[*place].verdict, Verdict::Store(..));
        let stored: Vec<usize> = (0..plan.items.len()).filter(is_stored).collect();
        let removal = plan.remove(&stored);
        (String::from_utf8(removal.after).unwrap(), removal.kept)
    }

    #[test]
    fn an_entry_is_stored_under_its_host_and_port() {
        for (machine, origin) in [
            ("h.test", "https://h.test"),
            ("H.Test", "https://h.test"),
            ("h.test:8443", "https://h.test:8443"),
            ("https://h.test/", "https://h.test"),
        ] {
            let text = format!("machine {machine} login ana password p");
            let Verdict::Store(key, _) = plan(&text).items.remove(0).verdict else {
                panic!("{machine} is not stored")
            };
            assert_eq!((key.origin.to_string().as_str(), key.user.as_str()), (origin, "ana"));
        }
    }

    #[test]
    fn what_the_keyring_has_no_place_for_stays() {
        for (text, stay) in [
            ("default login a password p", Stay::Default),
            ("machine h login a", Stay::NoPassword),
            ("machine h login a password \"\" ", Stay::NoPassword),
            ("machine h password p", Stay::NoLogin),
            ("machine h/team login a password p", Stay::NotAHost),
            ("machine", Stay::NotAHost),
            ("machine h login a password \"p\\nq\"", Stay::Control),
            ("machine h login ghp_x password x-oauth-basic", Stay::TokenAsLogin),
            ("machine h login p password p", Stay::TokenAsLogin),
        ] {
            assert_eq!(stays(text), Some(stay), "{text}");
        }
    }

    #[test]
    fn the_first_of_two_passwords_is_stored_and_neither_is_taken_out() {
        let text = "machine h login a password 1\nmachine H login a password 2\n";
        assert!(matches!(plan(text).items[1].verdict, Verdict::Stay(Stay::Shadowed(1))));
        assert_eq!(removed(text), (text.to_owned(), vec![(0, Kept::Other)]));
        let twice = "machine h login a password 1\nmachine h login a password 1\n";
        assert_eq!(removed(twice), (String::new(), vec![]));
    }

    #[test]
    fn an_entry_stays_while_another_would_answer_for_its_host() {
        for (rest, why) in [
            ("default login anonymous password x\n", Kept::Default),
            ("machine h password x\n", Kept::Other),
            ("# don't machine h login x password y\n", Kept::Other),
        ] {
            let text = format!("machine h login a password 1\n{rest}");
            assert_eq!(removed(&text), (text.clone(), vec![(0, why)]));
        }
    }

    #[test]
    fn an_entry_stays_that_could_not_be_put_back() {
        for (text, why) in [
            ("machine h login a account z password p", Kept::Account),
            ("machine h login a login b password p", Kept::Twice),
            ("machine h work login a password p", Kept::Words),
            ("machine h login a password correct horse", Kept::Words),
            ("machine h login a password \"\\p\"", Kept::Quoting),
        ] {
            assert_eq!(removed(text), (text.to_owned(), vec![(0, why)]));
        }
        // Go takes the quoted blank for two words, and would see the second entry without the first.
        let text = "machine h login a password \"p p\" machine i login b password q\n";
        assert_eq!(plan(text).remove(&[0]).kept, [(0, Kept::Rest)]);
        assert_eq!(removed(text), (String::new(), vec![]));
        assert_eq!(removed("machine h login a password p # c\n").0, "# c\n");
    }

    #[test]
    fn the_largest_file_is_planned_at_once() {
        let lines =
            (0..3000).map(|host| format!("machine {host:04}.x login a password p{host:04}\n"));
        let text = lines.collect::<Vec<_>>().concat();
        assert!(text.len() > 110_000);
        assert_eq!(removed(&text), (String::new(), vec![]));
    }

    #[test]
    fn a_piece_has_everything_but_the_password() {
        let text = "# c\nmachine h\n\tlogin a\n\tpassword \"p p\"\n# d\n";
        let removal = plan(text).remove(&[0]);
        assert_eq!(removal.after, b"# c\n# d\n");
        let [piece] = &removal.pieces[..] else { panic!("{:?}", removal.pieces) };
        let [Part::Text(head), Part::Password(key, Quoting::Quoted), Part::Text(tail)] =
            &piece.parts[..]
        else {
            panic!("{piece:?}")
        };
        assert_eq!(
            (piece.at, head.as_str(), tail.as_str()),
            (4, "machine h\n\tlogin a\n\tpassword ", "\n")
        );
        assert_eq!(key.user, "a");
    }

    #[test]
    fn what_go_reads_otherwise_is_told() {
        let text = "machine h login a password \"p\"\nmachine i login b\npassword q\n\
                    machine j login c password\nr\nmacdef x\n\
                    machine k login d password s\n\n# it's machine l login e password t\n";
        let plan = plan(text);
        let views: Vec<GoView> = plan.items.iter().map(|item| item.go).collect();
        assert_eq!(views, [GoView::Differs(1), GoView::Agrees, GoView::Blind]);
        assert_eq!(plan.only_go, [9]);
    }
}
