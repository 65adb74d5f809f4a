//! What a module proxy is, by what it answers: Athens, Artifactory, Nexus, or another that speaks the
//! protocol.
//!
//! The signs are what each of them sends with every answer, or on pages of its own: the fields
//! `X-JFrog-Version` and `X-Artifactory-Id`, `Server: Nexus/3…`, and Athens' `/version` (gomods/athens,
//! cmd/proxy/actions). Nothing depends on it but what a person is told.

use std::fmt;

use serde::Deserialize;

use crate::core::text::{printable, start};

/// The most of a version that is shown, in bytes.
const MAX_VERSION: usize = 40;

/// An answer, as far as it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// `Server`
    pub server: String,
    /// `X-JFrog-Version`
    pub jfrog: String,
    /// Whether it has `X-Artifactory-Id`.
    pub has_artifactory_id: bool,
    /// Whether it is `text/html`.
    pub is_html: bool,
    /// The start of its body.
    pub body: Vec<u8>,
}

/// What is asked, in this order, below the URL of the module proxy. An answer may be enough for a verdict.
pub const QUESTIONS: [&str; 4] = [SUMDB, VERSION, HOME, NOBODY];

/// Whether it passes the checksum database on (<https://go.dev/ref/mod#checksum-database>).
const SUMDB: &str = "/sumdb/sum.golang.org/supported";
/// Athens says which one it is.
const VERSION: &str = "/version";
/// Athens greets.
const HOME: &str = "/";
/// A module that nobody has, as RFC 2606 promises: the answer is 404 or 410 with a text.
const NOBODY: &str = "/gocred.invalid/module/@v/list";

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Product {
    /// Artifactory, of this version.
    Artifactory(String),
    /// Athens, of this version.
    Athens(String),
    /// Sonatype Nexus, of this version.
    Nexus(String),
    /// One that speaks the protocol, and does not say more.
    Other,
    /// Pages for people come from there, and no modules: a web site, or a sign-in page.
    WebSite,
    /// Nobody knows.
    Unknown,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What it is.
    pub product: Product,
    /// Whether it passes sum.golang.org on. Without it go asks that itself.
    pub sumdb: Sumdb,
}

/// Whether a module proxy passes sum.golang.org on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sumdb {
    /// It does.
    Passed,
    /// It does not.
    NotPassed,
    /// It did not say.
    Untold,
}

/// Judges the answers to the first of [`QUESTIONS`]. `None`: the next one is to be asked.
pub fn judge(pages: &[Page]) -> Option<Server> {
    let first = pages.first()?;
    let sumdb = match first.status {
        200..=299 if !first.is_html => Sumdb::Passed,
        404 | 410 => Sumdb::NotPassed,
        _ => Sumdb::Untold,
    };
    let product = pages.iter().find_map(by_fields).or_else(|| match pages {
        // It hides what else it would say.
        [first, ..] if matches!(first.status, 401 | 403) => Some(Product::Unknown),
        [_, version] => athens_version(version).map(Product::Athens),
        [_, _, home] if greets_as_athens(home) => Some(Product::Athens(String::new())),
        // Only who speaks the protocol passes it on.
        [_, _, _] => (sumdb == Sumdb::Passed).then_some(Product::Other),
        [_, _, _, nobody] => Some(by_protocol(nobody)),
        _ => None,
    })?;
    Some(Server { product, sumdb })
}

fn by_protocol(nobody: &Page) -> Product {
    match (nobody.status, nobody.is_html) {
        (0..=399, true) => Product::WebSite,
        (200 | 404 | 410, false) => Product::Other,
        _ => Product::Unknown,
    }
}

fn by_fields(page: &Page) -> Option<Product> {
    if let Some(rest) = page.server.strip_prefix("Nexus/") {
        return Some(Product::Nexus(version(rest)));
    }
    let artifactory = page.jfrog.strip_prefix("Artifactory/").or_else(|| {
        let is_its = page.has_artifactory_id || !page.jfrog.is_empty();
        page.server.strip_prefix("Artifactory/").or_else(|| is_its.then_some(""))
    })?;
    // Behind the version is the number of the build.
    Some(Product::Artifactory(version(artifactory.split(' ').next().unwrap_or_default())))
}

#[derive(Deserialize)]
struct Build {
    #[serde(alias = "version", rename = "Version")]
    version: String,
    #[serde(alias = "date", rename = "Date")]
    date: String,
}

/// Returns the version of Athens, where the page is that of its `/version`.
fn athens_version(page: &Page) -> Option<String> {
    let build: Build = serde_json::from_slice(&page.body).ok()?;
    (page.status == 200 && !build.date.is_empty()).then(|| version(&build.version))
}

fn greets_as_athens(page: &Page) -> bool {
    let body = String::from_utf8_lossy(&page.body);
    page.status == 200
        && ["Welcome to Athens", "Welcome to The Athens Proxy"].iter().any(|it| body.contains(it))
}

fn version(text: &str) -> String {
    printable(start(text.trim(), MAX_VERSION))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, name: &str, version: &str| match version {
            "" => f.write_str(name),
            version => write!(f, "{name} {version}"),
        };
        match &self.product {
            Product::Artifactory(version) => named(f, "JFrog Artifactory", version)?,
            Product::Athens(version) => named(f, "Athens", version)?,
            Product::Nexus(version) => named(f, "Sonatype Nexus", version)?,
            Product::Other => f.write_str("a module proxy that does not say which")?,
            Product::WebSite => f.write_str("a web site or a sign-in page, and no module proxy")?,
            Product::Unknown => f.write_str("a server that does not say what it is")?,
        }
        f.write_str(match self.sumdb {
            Sumdb::Passed => "; it passes sum.golang.org on",
            Sumdb::NotPassed => "; go asks sum.golang.org itself, as it does not pass it on",
            Sumdb::Untold => "",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, Product, Sumdb, judge};

    fn page(status: u16, body: &str) -> Page {
        let is_html = body.starts_with('<');
        Page { status, is_html, body: body.into(), ..Page::default() }
    }

    fn said(pages: &[Page]) -> String {
        for most in 1..pages.len() {
            assert_eq!(judge(&pages[..most]), None, "{most} are enough");
        }
        judge(pages).unwrap().to_string()
    }

    #[test]
    fn nexus_and_artifactory_are_known_by_their_fields() {
        let nexus = Page { server: "Nexus/3.63.0-01 (OSS)".into(), ..page(404, "<html>") };
        assert!(said(&[nexus]).starts_with("Sonatype Nexus 3.63.0-01 (OSS); go asks"));
        let jfrog = "Artifactory/7.71.5 77105900".to_owned();
        let artifactory = Page { jfrog, has_artifactory_id: true, ..page(401, "{}") };
        assert_eq!(said(&[artifactory]), "JFrog Artifactory 7.71.5");
        let old =
            Page { server: "Artifactory/6.12.0".into(), has_artifactory_id: true, ..page(200, "") };
        assert_eq!(said(&[old]), "JFrog Artifactory 6.12.0; it passes sum.golang.org on");
    }

    #[test]
    fn athens_says_its_version_or_greets() {
        let version = page(200, "{\"Version\":\"v0.14.1\",\"Date\":\"2024-06-02-03:31:15-UTC\"}\n");
        let expected = "Athens v0.14.1; it passes sum.golang.org on";
        assert_eq!(said(&[page(200, ""), version]), expected);
        let home = page(200, "<!DOCTYPE html>\n<h1>Welcome to Athens</h1>");
        assert_eq!(
            judge(&[page(404, "x"), page(404, "x"), home]).unwrap().product,
            Product::Athens(String::new())
        );
        let home = page(200, "\"Welcome to The Athens Proxy\"");
        assert_eq!(
            judge(&[page(404, "x"), page(404, "x"), home]).unwrap().product,
            Product::Athens(String::new())
        );
    }

    #[test]
    fn others_are_known_by_the_protocol() {
        let home = page(200, "<html>Go module mirror</html>");
        let missing = page(404, "not found: unknown host");
        assert_eq!(
            said(&[page(200, ""), missing.clone(), home.clone()]),
            "a module proxy that does not say which; it passes sum.golang.org on"
        );
        let server = judge(&[page(410, ""), missing.clone(), home, missing]).unwrap();
        assert_eq!((server.product, server.sumdb), (Product::Other, Sumdb::NotPassed));
    }

    #[test]
    fn a_web_site_is_no_module_proxy() {
        let html = page(200, "<html>Please sign in</html>");
        let pages = [html.clone(), html.clone(), html.clone(), html];
        assert!(said(&pages).starts_with("a web site or a sign-in page"));
        let broken = page(502, "<html>bad gateway</html>");
        let pages = [broken.clone(), broken.clone(), broken.clone(), broken];
        assert_eq!(judge(&pages).unwrap().product, Product::Unknown);
    }

    #[test]
    fn a_closed_door_ends_the_questions() {
        assert_eq!(judge(&[page(401, "")]).unwrap().product, Product::Unknown);
    }

    #[test]
    fn what_a_server_says_cannot_move_a_cursor() {
        let server = format!("Nexus/\u{1b}[2J{}", "9".repeat(400));
        let said = said(&[Page { server, ..page(200, "") }]);
        assert!(!said.contains('\u{1b}') && said.len() < 120, "{said}");
    }
}
