//! GOPRIVATE, GONOPROXY and GONOSUMDB: which module paths, and which hosts, a list of globs names.
//!
//! It deliberately repairs nothing: a blank, a scheme or a port in a pattern matches nothing here,
//! because it matches nothing in go (x/mod `module.MatchPrefixPatterns`, std `path.Match`).

/// A glob that `path.Match` refuses: an unfinished class, range or escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Returns whether a comma-separated list of globs matches the first elements of a module path, as
/// many elements as the glob has. A malformed glob matches nothing.
pub fn matches(patterns: &str, module: &str) -> bool {
    globs(patterns).any(|glob| {
        let depth = glob.matches('/').count();
        let prefix = match module.match_indices('/').nth(depth) {
            Some((end, _)) => module.get(..end),
            None => (module.matches('/').count() == depth).then_some(module),
        };
        prefix.is_some_and(|prefix| glob_matches(glob, prefix) == Ok(true))
    })
}

/// Returns whether some module on this host, written `host` or `host:port`, could match the list.
///
/// A module path has no port, and its first element is in lower case (x/mod `module.CheckPath`).
/// The port is passed over, because a `go-import` meta tag of the host may name one. An IPv6
/// address begins no module path.
pub fn may_match_host(patterns: &str, host: &str) -> bool {
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    if host.is_empty() || host.starts_with('[') {
        return false;
    }
    globs(patterns).filter(|glob| is_well_formed(glob)).any(|glob| {
        let first = glob.split_once('/').map_or(glob, |(first, _)| first);
        // `host\/team` escapes the slash itself.
        let first =
            if is_well_formed(first) { first } else { first.strip_suffix('\\').unwrap_or(first) };
        glob_matches(first, &host) == Ok(true)
    })
}

/// Returns whether a glob matches a whole name as `path.Match` does: `*` and `?` stop at `/`, a
/// class does not, and an error is found even behind the first difference.
pub fn glob_matches(glob: &str, name: &str) -> Result<bool, Malformed> {
    let (mut glob, mut name) = (glob.as_bytes(), name.as_bytes());
    while !glob.is_empty() {
        let chunk = Chunk::first(glob);
        glob = chunk.rest;
        if chunk.after_star && chunk.text.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let Some(rest) = chunk.find(name)? else {
            // The rest of the glob is still checked.
            while !glob.is_empty() {
                let chunk = Chunk::first(glob);
                glob = chunk.rest;
                match_start(chunk.text, b"")?;
            }
            return Ok(false);
        };
        name = rest;
    }
    Ok(name.is_empty())
}

fn globs(patterns: &str) -> impl Iterator<Item = &str> {
    patterns.split(',').map(|glob| glob.strip_suffix('/').unwrap_or(glob)).filter(|g| !g.is_empty())
}

fn is_well_formed(glob: &str) -> bool {
    glob_matches(glob, "").is_ok()
}

/// A run of single-character operators, up to the next star.
struct Chunk<'a> {
    after_star: bool,
    text: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn first(glob: &'a [u8]) -> Self {
        let stars = glob.iter().take_while(|byte| **byte == b'*').count();
        let (_, glob) = glob.split_at(stars);
        let mut in_class = false;
        let mut escaped = false;
        let end = glob.iter().position(|byte| {
            if escaped {
                escaped = false;
                return false;
            }
            match byte {
                b'\\' => escaped = true,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'*' => return !in_class,
                _ => {}
            }
            false
        });
        let (text, rest) = glob.split_at(end.unwrap_or(glob.len()));
        Self { after_star: stars > 0, text, rest }
    }

    /// Returns what is left of the name after the first place where the chunk matches: at its
    /// start, or, after a star, behind any number of bytes without a slash. The last chunk must
    /// match the end of the name.
    fn find<'n>(&self, name: &'n [u8]) -> Result<Option<&'n [u8]>, Malformed> {
        let mut from = name;
        loop {
            if let Some(rest) = match_start(self.text, from)?
                && (rest.is_empty() || !self.rest.is_empty())
            {
                return Ok(Some(rest));
            }
            match from.split_first() {
                Some((skipped, after)) if self.after_star && *skipped != b'/' => from = after,
                _ => return Ok(None),
            }
        }
    }
}

/// Returns what is left of the name when the chunk matches its start. Reads the whole chunk even
/// when it does not match.
fn match_start<'n>(chunk: &[u8], name: &'n [u8]) -> Result<Option<&'n [u8]>, Malformed> {
    let (mut chunk, mut name) = (chunk, Some(name));
    while let Some((operator, after)) = chunk.split_first() {
        name = name.filter(|name| !name.is_empty());
        chunk = after;
        match operator {
            b'[' => {
                let (class, after) = Class::parse(after)?;
                chunk = after;
                name = name.and_then(|name| {
                    let (rune, rest) = split_rune(name);
                    (class.has(rune) != class.negated).then_some(rest)
                });
            }
            b'?' => {
                name =
                    name.filter(|name| name.first() != Some(&b'/')).map(|name| split_rune(name).1);
            }
            literal => {
                let mut literal = literal;
                if *literal == b'\\' {
                    (literal, chunk) = after.split_first().ok_or(Malformed)?;
                }
                name = name
                    .and_then(|name| name.split_first())
                    .and_then(|(byte, rest)| (byte == literal).then_some(rest));
            }
        }
    }
    Ok(name)
}

/// `[a-z]`, `[^a-z]`: inclusive ranges of characters.
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    /// Parses what follows the `[`, and returns the class and what follows its `]`.
    fn parse(text: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (negated, mut text) = match text.split_first() {
            Some((b'^', after)) => (true, after),
            _ => (false, text),
        };
        let mut ranges = Vec::new();
        loop {
            if let Some((b']', after)) = text.split_first()
                && !ranges.is_empty()
            {
                return Ok((Self { negated, ranges }, after));
            }
            let (low, after) = Self::bound(text)?;
            text = after;
            let mut high = low;
            if let Some((b'-', after)) = text.split_first() {
                (high, text) = Self::bound(after)?;
            }
            ranges.push((low, high));
        }
    }

    /// Parses one end of a range. The text may end behind it: then the next bound is missing.
    fn bound(text: &[u8]) -> Result<(char, &[u8]), Malformed> {
        match text.split_first() {
            None | Some((b'-' | b']', _)) => Err(Malformed),
            Some((b'\\', after)) => Ok(split_rune(after)),
            Some(_) => Ok(split_rune(text)),
        }
    }

    fn has(&self, rune: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&rune))
    }
}

/// Splits off the first character. A byte that begins none counts as U+FFFD, as in Go: a star may
/// stop in the middle of a character.
fn split_rune(text: &[u8]) -> (char, &[u8]) {
    let first = text.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    let length = first.map_or(1, char::len_utf8);
    (first.unwrap_or(char::REPLACEMENT_CHARACTER), text.get(length..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Malformed, glob_matches, matches, may_match_host};

    #[test]
    fn a_list_matches_as_many_elements_as_a_glob_has() {
        for (patterns, module) in [
            ("github.com/acme/*", "github.com/acme/sdk/v2"),
            ("github.com/acme/**", "github.com/acme/sdk/v2"),
            ("github.com/acme", "github.com/acme/sdk"),
            ("github.com/acme/", "github.com/acme"),
            ("*.corp.com", "a.b.corp.com/x"),
            ("git.corp.com/te*", "git.corp.com/team/lib"),
            ("a.com,,git.corp.com", "git.corp.com/team"),
            ("[", "[,x"),
        ] {
            assert_eq!(matches(patterns, module), patterns != "[", "{patterns} {module}");
        }
    }

    #[test]
    fn the_usual_mistakes_match_nothing() {
        for (patterns, module) in [
            ("*.corp.com", "corp.com/x"),
            (".corp.com", "git.corp.com/x"),
            ("corp.com", "git.corp.com/x"),
            ("a.com, git.corp.com", "git.corp.com/x"),
            ("GIT.corp.com", "git.corp.com/x"),
            ("https://git.corp.com", "git.corp.com/x"),
            ("git.corp.com:8443", "git.corp.com/x"),
            ("a.com;git.corp.com", "git.corp.com/x"),
            ("github.com/acme/*", "github.com/acme"),
            ("github.com/acme//", "github.com/acme"),
            ("git.corp.com/[", "git.corp.com/["),
            ("", "git.corp.com"),
        ] {
            assert!(!matches(patterns, module), "{patterns} {module}");
        }
    }

    #[test]
    fn a_host_is_reached_by_the_first_element_of_a_glob() {
        for (patterns, host) in [
            ("git.corp.com", "git.corp.com"),
            ("git.corp.com", "git.corp.com:8443"),
            ("git.corp.com", "Git.Corp.Com"),
            ("github.com/acme/*", "github.com"),
            ("x.com,*.corp.com/team", "git.corp.com"),
            ("*", "git.corp.com"),
            (r"git.corp.com\/team", "git.corp.com"),
        ] {
            assert!(may_match_host(patterns, host), "{patterns} {host}");
        }
        for (patterns, host) in [
            ("", "git.corp.com"),
            ("none", "git.corp.com"),
            ("*.corp.com", "corp.com"),
            ("git.corp.com/[", "git.corp.com"),
            ("https://git.corp.com", "git.corp.com"),
            ("git.corp.com:8443", "git.corp.com:8443"),
            ("*", "[::1]:8443"),
            ("*", "::1"),
        ] {
            assert!(!may_match_host(patterns, host), "{patterns} {host}");
        }
    }

    #[test]
    fn a_malformed_glob_is_an_error_wherever_the_fault_is() {
        for glob in ["[", "[]", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "a[", r"\", "b*[", r"b\"]
        {
            assert_eq!(glob_matches(glob, "a"), Err(Malformed), "{glob}");
        }
    }

    #[test]
    fn classes_escapes_and_stars_are_those_of_go() {
        for (glob, name) in [
            ("a[b-d]e", "ace"),
            ("[^a-c]", "d"),
            (r"[\-x]", "-"),
            (r"\*", "*"),
            ("a*b?c*x", "abxbbxdbxebxczzx"),
            ("a???b", "aäöüb"),
            ("[a-ζ]*", "α"),
            ("*x", "xxx"),
            ("a[/]b", "a/b"),
        ] {
            assert_eq!(glob_matches(glob, name), Ok(true), "{glob} {name}");
        }
        for (glob, name) in
            [("a*", "ab/c"), ("a?b", "a/b"), ("[^a]", ""), ("a*b?c*x", "abxbbxdbxebxczzy")]
        {
            assert_eq!(glob_matches(glob, name), Ok(false), "{glob} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_matches_a_module_may_match_its_host(
            patterns in r"([ab.*?,/]|\\[a-c]|\[\^?[a-c]\]){1,8}",
            host in "[abc.]{1,4}",
            path in "(/[abc]{1,2}){0,2}",
        ) {
            let matched = matches(&patterns, &format!("{host}{path}"));
            prop_assert!(!matched || may_match_host(&patterns, &host));
        }

        #[test]
        fn no_glob_panics(glob in r"([ab/é*?\[\]\\^-]|\PC){0,12}", name in r"[ab/é-]{0,8}") {
            let whole = glob_matches(&glob, &name);
            prop_assert_eq!(whole.is_err(), glob_matches(&glob, "").is_err());
        }
    }
}
