//! What a text is about: whose words it is, the URL that failed, the module. Only what is surely no part of a
//! login is taken out of it; everything else stays where it is.

use crate::core::{
    doctor::{
        explain::{dialect, frame::Unframed, said},
        finding::Tool,
        route::Link,
    },
    origin::Origin,
};

/// What a text is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Whose message the failure is: go repeats what git says.
    pub tool: Tool,
    /// The module with its version, or else the URL: what to ask the doctor for.
    pub target: Option<String>,
    /// The URL that failed, without login and query.
    pub link: Option<Link>,
}

impl About {
    /// Looks into a text.
    pub fn of(text: &str) -> Self {
        let text = dialect::plain(Unframed::of(&said::ends(text)).likeliest().join("\n"));
        let is_git = text.contains("fatal: ")
            || text.contains("git ls-remote")
            || text.contains("unable to access '");
        let tool = match () {
            () if is_git => Tool::Git,
            () if text.contains("curl: (") => Tool::Curl,
            () => Tool::Go,
        };
        // The message of go's that ends with a page to read is not about that page.
        let urls = urls(&text).filter(|url| !url.starts_with("https://go.dev/"));
        let urls: Vec<String> = urls.collect();
        let target = module(&text).or_else(|| urls.first().cloned());
        let link = urls.last().and_then(|url| {
            let (origin, path) = Origin::from_url(url).ok()?;
            let path = if path.starts_with('/') { path.to_owned() } else { "/".to_owned() };
            Some(Link { origin, path })
        });
        Self { tool, target, link }
    }
}

/// Returns the first module with a version, as go names it in its messages.
fn module(text: &str) -> Option<String> {
    let is_module = |word: &&str| {
        let Some((path, version)) = word.split_once("@v") else { return false };
        let host = path.split('/').next().unwrap_or_default();
        // A path has no colon (x/mod `module.CheckPath`), but a login has one.
        let is_path = |c: char| c.is_ascii_alphanumeric() || "-._~/!+".contains(c);
        let is_version = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
        path.contains('/')
            && host.contains('.')
            && path.chars().all(is_path)
            && word.len() <= 300
            && version.split('.').take(3).filter(|part| is_number(part)).count() >= 2
            && version.chars().all(is_version)
    };
    text.split(is_end).map(|word| word.trim_end_matches(':')).find(is_module).map(str::to_owned)
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Where a word ends.
fn is_end(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`()<>,；，。：（）“”‘’".contains(c)
}

/// Returns the URLs of a text that are worth repeating.
///
/// A login may hold blanks, quotation marks, `#`, `?` and `/` unescaped (E37), so that nobody can say where it
/// begins or ends: everything up to the last `@` before the next URL counts as login, and where that cannot
/// be cut off in one piece, the URL is left out.
fn urls(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || Some((lines.next()?, lines.peek().copied().unwrap_or_default())))
        .flat_map(|(line, next)| {
            let starts = || line.match_indices("://").map(|(at, _)| at);
            let ends = starts().skip(1).chain([line.len()]);
            starts().zip(ends).filter_map(move |(start, end)| {
                let before = line.get(..start)?;
                let scheme = if before.ends_with("https") {
                    "https"
                } else if before.ends_with("http") {
                    "http"
                } else {
                    return None;
                };
                url(scheme, line.get(start + 3..end)?, next)
            })
        })
}

/// Returns the URL at the start of a line's rest. What stands in the next line may belong to it: a window breaks
/// lines within a login, too.
fn url(scheme: &str, rest: &str, next: &str) -> Option<String> {
    let word = rest.split(is_end).next()?;
    if word.len() == rest.trim_end().len() && (!word.contains('/') || has_login(next)) {
        return None;
    }
    // Of a module proxy's URL, and of a module that is named behind it, `@` is no mark of a login.
    let authority = word.split(['/', '?', '#']).next()?;
    let is_sure = !authority.contains(['@', ':']) || !rest.contains('@');
    let place = match rest.rsplit_once('@') {
        Some((login, place)) if has_login(rest) || !is_sure => {
            if login.contains(|c: char| is_end(c) || "/?#".contains(c)) {
                return None;
            }
            place.split(is_end).next()?
        }
        _ => word,
    };
    let end = place.find(['?', '#']).unwrap_or(place.len());
    let place = place.get(..end)?.trim_end_matches([':', '.']);
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-._~/:@+![]".contains(c);
    let is_good = !place.is_empty() && place.len() <= 300 && place.chars().all(is_safe);
    // Not the first letters of a password that a line break cut off.
    let port = place.split('/').next()?.rsplit_once(':').map_or("", |(_, port)| port);
    let is_good = is_good && (port.contains(']') || port.chars().all(|c| c.is_ascii_digit()));
    is_good.then(|| format!("{scheme}://{place}"))
}

/// Whether an `@` is there that marks a login, and no version of a module.
fn has_login(text: &str) -> bool {
    let is_version = |(at, _): (usize, &str)| {
        let after = text.get(at + 1..).unwrap_or_default();
        ["v/", "latest"].iter().any(|it| after.starts_with(it))
            || after.strip_prefix('v').is_some_and(is_number)
    };
    !text.match_indices('@').all(is_version)
}

#[cfg(test)]
mod tests {
    use super::About;
    use crate::core::doctor::finding::Tool;

    #[test]
    fn a_target_is_named_without_its_login() {
        for (text, expected) in [
            (
                "go: git.corp.example/t/lib@v1.0.0: reading https://p/x",
                Some("git.corp.example/t/lib@v1.0.0"),
            ),
            (
                "unable to access 'https://u:kanarie@h.example/t.git/': x",
                Some("https://h.example/t.git/"),
            ),
            ("无法访问 'https://u:kanarie@h.example/t.git/'：x", Some("https://h.example/t.git/")),
            ("Get \"https://h.example/t?token=kanarie\": EOF", Some("https://h.example/t")),
            ("Get \"https://h.example/t/@v/list\": EOF", Some("https://h.example/t/@v/list")),
            ("Get \"https://athens:3000/t/@v/list\": EOF", None),
            ("Get \"https://h.example/$(id)\": EOF", None),
            ("Invalid proxy URL 'http://u:kanarie#x@p:3128': only", None),
            ("Invalid proxy URL 'http://u:kanarie/x@p:3128': only", None),
            ("parse \"http://u:123 kanarie@p:3128\": no", None),
            ("parse \"http://u:123'kanarie@v1.corp:3128\": no", None),
            ("parse \"http://u:123@kanarie@p:3128\": no", Some("http://p:3128")),
            ("http://kanarie@h.example/x", Some("http://h.example/x")),
            ("alice.b:kanarie/x@v1.2.3", None),
            ("alice.b/kanarie@vault.corp.example", None),
            ("nothing", None),
        ] {
            assert_eq!(About::of(text).target.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn no_part_of_a_login_is_taken_for_a_host_where_a_line_was_broken() {
        for text in [
            "fatal: unable to access 'https://u:kan\narie@h.example/x.git/': no",
            "fatal: unable to access 'https://kan\narie@h.example/x.git/': no",
            "fatal: unable to access 'https://u:12\n3@h.example/x.git/': no",
            "fatal: unable to access 'https://u:12/3\n4@h.example/x.git/': no",
            "fatal: unable to access 'https://u:12/3\r\n4@h.example/x.git/': no",
            "fatal: unable to access 'https://u:kan",
            "https://u:kanarie/x y",
        ] {
            assert_eq!(About::of(text).target, None, "{text}");
        }
        let broken = format!("{}https://u:kan\narie@h.example/x.git/': no", "-".repeat(67));
        assert_eq!(About::of(&broken).target.as_deref(), Some("https://h.example/x.git/"));
    }

    #[test]
    fn the_url_that_failed_is_the_last_one() {
        let about = About::of(
            "go: git.corp.example/t/lib@v1.0.0: git ls-remote -q https://git.corp.example/t/lib.git: exit status 128:\n\
             \tfatal: could not read Username for 'https://other.corp.example': terminal prompts disabled\n\
             see https://go.dev/doc/faq#git_https for additional information.",
        );
        let link = about.link.map(|link| link.to_string());
        assert_eq!((link.as_deref(), about.tool), (Some("https://other.corp.example/"), Tool::Git));
        assert_eq!(About::of("curl: (7) Failed to connect").tool, Tool::Curl);
        assert_eq!(About::of("Get \"https://h.example\": EOF").tool, Tool::Go);
    }
}
