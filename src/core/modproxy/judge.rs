//! What an upstream's answer means: whether it is what was asked for, or a page for people, and what
//! follows from its status.
//!
//! It judges the head and the first bytes. Whether a zip is good is for go and its checksums to say.

use crate::core::{
    http1::Response,
    modproxy::request::{Record, Request, What},
    page,
};

/// So many bytes of a body are enough to judge it.
pub const ENOUGH: usize = 1024;

/// The byte order mark, which some pages begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What follows from the status of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// 429, 502, 503 or 504: it may do better soon. Its `Retry-After` is for [`super::retry`].
    Busy,
    /// 200: its body is to be judged.
    Good,
    /// 401: it wants a credential, or rejects the one it was shown.
    Login,
    /// 404 or 410: passed on as it is, where nobody else has it.
    Missing,
    /// 511: a portal wants somebody to sign in (RFC 6585 §6).
    Portal,
    /// A redirect, to what its one `Location` says.
    Redirect(Vec<u8>),
    /// Any other status. 407 is among them: nobody who is no proxy of ours gets a proxy login.
    Refused,
}

/// What the first bytes of a body say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is not what was asked for.
    Bad(Flaw),
    /// It is what was asked for, as far as can be seen.
    Good,
    /// There have to be more bytes.
    More,
}

/// Why a body is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is compressed, though we did not ask for that.
    Encoded,
    /// It is empty.
    Empty,
    /// It is not JSON.
    NotJson,
    /// It is not a zip.
    NotZip,
    /// It is a page for people: a portal, or a sign-in.
    Page,
}

/// Whether more of a body follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It does, or may.
    Follows,
    /// That was all.
    None,
}

/// What a body has to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Anything but a page.
    Anything,
    /// An object.
    Json,
    /// Text, which never begins with `<`.
    Text,
    /// A zip.
    Zip,
}

/// Judges the status of an answer. 1xx never come here.
pub fn head(response: &Response) -> Head {
    match response.status {
        // net/http is content with nothing else, and neither is go (`web.Response.Err`).
        200 => Head::Good,
        301 | 302 | 303 | 307 | 308 => {
            let mut locations = response.fields.all("location");
            match (locations.next(), locations.next()) {
                (Some(location), None) => Head::Redirect(location.to_vec()),
                _ => Head::Refused,
            }
        }
        401 => Head::Login,
        404 | 410 => Head::Missing,
        429 | 502 | 503 | 504 => Head::Busy,
        511 => Head::Portal,
        _ => Head::Refused,
    }
}

/// Judges the first bytes of a body whose head was [`Head::Good`]. For HEAD there is no body, and what
/// the head alone says is said with no bytes and [`Rest::Follows`]: [`Body::More`] is as good as it gets.
pub fn body(asked: &Request, response: &Response, first: &[u8], rest: Rest) -> Body {
    let coding = response.fields.all("content-encoding").next();
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Body::Bad(Flaw::Encoded);
    }
    let due = due(asked);
    // Of these, the bytes say more than a type that a server guessed from the name of a file.
    let is_page_by_type = has_page_type(response) && matches!(due, Due::Anything | Due::Text);
    let bytes = first.strip_prefix(MARK).unwrap_or(first).trim_ascii_start();
    let is_all = rest == Rest::None || first.len() >= ENOUGH;
    match (due, bytes) {
        _ if is_page_by_type => Body::Bad(Flaw::Page),
        _ if MARK.starts_with(first) && !is_all => Body::More,
        // The type says that it is no page; and a list of no versions is empty, as is "supported".
        (Due::Anything | Due::Text, []) if is_all => Body::Good,
        (Due::Json | Due::Zip, []) if is_all => Body::Bad(Flaw::Empty),
        (_, []) => Body::More,
        // Go's decoder takes blanks, and no byte order mark.
        (Due::Json, [b'{', ..]) if first.trim_ascii_start().starts_with(b"{") => Body::Good,
        (Due::Zip, [b'P', b'K', ..]) if first.starts_with(b"PK") => Body::Good,
        (Due::Zip, [b'P']) if !is_all => Body::More,
        (Due::Json | Due::Text | Due::Zip, [b'<', ..]) => Body::Bad(Flaw::Page),
        (Due::Json, _) => Body::Bad(Flaw::NotJson),
        (Due::Zip, _) => Body::Bad(Flaw::NotZip),
        // Hashes may begin with any byte: a page has to show a little more of itself.
        (Due::Anything, [b'<', ..]) if page::is_page(bytes) => Body::Bad(Flaw::Page),
        (Due::Anything, [b'<', more @ ..]) if more.len() < 8 && !is_all => Body::More,
        (Due::Anything | Due::Text, _) => Body::Good,
    }
}

/// Returns whether an answer that is passed on is text that go shows: `text/plain`, in UTF-8 or ASCII
/// (`web.Get`, golang.org/issue/30748).
pub fn is_shown(response: &Response) -> bool {
    content_type(response).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/plain"))
}

fn due(asked: &Request) -> Due {
    match asked {
        Request::Module { path: _, what } => match what {
            What::Info(_) | What::Latest => Due::Json,
            What::List | What::Mod(_) => Due::Text,
            What::Zip(_) => Due::Zip,
        },
        Request::Sumdb { name: _, what } => match what {
            Record::Latest | Record::Lookup(..) | Record::Supported => Due::Text,
            Record::Tile(_) => Due::Anything,
        },
    }
}

fn has_page_type(response: &Response) -> bool {
    let is_page = |kind: &[u8]| {
        kind.eq_ignore_ascii_case(b"text/html")
            || kind.eq_ignore_ascii_case(b"application/xhtml+xml")
    };
    content_type(response).is_some_and(is_page)
}

/// Returns the media type without its parameters.
fn content_type(response: &Response) -> Option<&[u8]> {
    let value = response.fields.all("content-type").next()?;
    value.split(|byte| *byte == b';').next().map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Body, ENOUGH, Flaw, Head, Rest, body, head, is_shown};
    use crate::core::{
        http1::{Fields, Response, Version},
        modproxy::request::Request,
    };

    fn answer(status: u16, fields: &[(&str, &str)]) -> Response {
        let mut all = Fields::default();
        for (name, value) in fields {
            all.push(name, *value);
        }
        Response { version: Version::Http11, status, reason: Vec::new(), fields: all }
    }

    fn judged(path: &str, kind: &str, bytes: &[u8], rest: Rest) -> Body {
        let asked = Request::parse(path).unwrap();
        body(&asked, &answer(200, &[("Content-Type", kind)]), bytes, rest)
    }

    const INFO: &str = "/h.test/m/@v/v1.0.0.info";
    const LATEST: &str = "/h.test/m/@latest";
    const LIST: &str = "/h.test/m/@v/list";
    const MOD: &str = "/h.test/m/@v/v1.0.0.mod";
    const ZIP: &str = "/h.test/m/@v/v1.0.0.zip";
    const TILE: &str = "/sumdb/s.test/tile/8/0/000";
    const SUPPORTED: &str = "/sumdb/s.test/supported";
    const LOOKUP: &str = "/sumdb/s.test/lookup/h.test/m@v1.0.0";

    #[test]
    fn a_status_says_what_follows() {
        let to = ("Location", "/there");
        for (answer, expected) in [
            (answer(200, &[]), Head::Good),
            (answer(404, &[]), Head::Missing),
            (answer(410, &[]), Head::Missing),
            (answer(401, &[]), Head::Login),
            (answer(429, &[]), Head::Busy),
            (answer(502, &[]), Head::Busy),
            (answer(503, &[]), Head::Busy),
            (answer(504, &[]), Head::Busy),
            (answer(511, &[]), Head::Portal),
            (answer(302, &[to]), Head::Redirect(b"/there".to_vec())),
            (answer(308, &[to]), Head::Redirect(b"/there".to_vec())),
            (answer(302, &[]), Head::Refused),
            (answer(302, &[to, ("location", "/elsewhere")]), Head::Refused),
            (answer(300, &[to]), Head::Refused),
            (answer(304, &[]), Head::Refused),
            (answer(206, &[]), Head::Refused),
            (answer(204, &[]), Head::Refused),
            (answer(403, &[]), Head::Refused),
            (answer(407, &[]), Head::Refused),
            (answer(451, &[]), Head::Refused),
            (answer(500, &[]), Head::Refused),
        ] {
            assert_eq!(head(&answer), expected, "{}", answer.status);
        }
    }

    #[test]
    fn what_was_asked_for_is_good_whatever_its_type() {
        for kind in ["application/octet-stream", "text/plain; charset=utf-8", ""] {
            for (path, bytes) in [
                (INFO, &b"{\"Version\":\"v1.0.0\"}"[..]),
                (LATEST, b"\n {"),
                (LIST, b"v1.0.0\n"),
                (LIST, b""),
                (MOD, b"module h.test/m\n"),
                (MOD, b"// <html>\nmodule h.test/m\n"),
                (ZIP, b"PK\x03\x04"),
                (ZIP, b"PK\x05\x06"),
                (TILE, b"<\x00\xffhash of thirty-two bytes......."),
                (TILE, b"<"),
                (SUPPORTED, b""),
                (LOOKUP, b"12\nh.test/m v1.0.0 h1:\n"),
            ] {
                assert_eq!(judged(path, kind, bytes, Rest::None), Body::Good, "{path} {bytes:?}");
            }
        }
        // Some servers guess the type from a name that ends in something strange.
        assert_eq!(judged(INFO, "text/html", b"{", Rest::Follows), Body::Good);
        assert_eq!(judged(ZIP, "text/html", b"PK", Rest::Follows), Body::Good);
    }

    #[test]
    fn a_page_is_never_taken_for_an_answer() {
        let page = b"\xef\xbb\xbf \r\n<!DOCTYPE html><title>Sign in</title>";
        for path in [INFO, LATEST, LIST, MOD, ZIP, TILE, SUPPORTED, LOOKUP] {
            for kind in ["text/html", "TEXT/HTML; charset=utf-8", "text/plain", "application/json"]
            {
                let found = judged(path, kind, page, Rest::Follows);
                assert_eq!(found, Body::Bad(Flaw::Page), "{path} {kind}");
            }
        }
        // A page that does not look like one, where anything could be text.
        for path in [LIST, MOD, SUPPORTED, LOOKUP, TILE] {
            let found = judged(path, "text/html", b"Please sign in", Rest::None);
            assert_eq!(found, Body::Bad(Flaw::Page), "{path}");
            assert_eq!(judged(path, "text/html", b"", Rest::Follows), Body::Bad(Flaw::Page));
        }
        assert_eq!(judged(LIST, "", b"<script>", Rest::None), Body::Bad(Flaw::Page));
    }

    #[test]
    fn a_broken_answer_says_how_it_is_broken() {
        for (path, bytes, flaw) in [
            (INFO, &b""[..], Flaw::Empty),
            (INFO, b" \n", Flaw::Empty),
            (INFO, b"not found", Flaw::NotJson),
            (INFO, b"\xef\xbb\xbf{}", Flaw::NotJson),
            (ZIP, b"", Flaw::Empty),
            (ZIP, b"P", Flaw::NotZip),
            (ZIP, b" PK", Flaw::NotZip),
            (ZIP, b"version https://git-lfs.github.com/spec/v1\n", Flaw::NotZip),
        ] {
            assert_eq!(judged(path, "", bytes, Rest::None), Body::Bad(flaw), "{path} {bytes:?}");
        }
        let asked = Request::parse(ZIP).unwrap();
        let packed = answer(200, &[("Content-Encoding", "gzip")]);
        assert_eq!(body(&asked, &packed, b"PK", Rest::None), Body::Bad(Flaw::Encoded));
        let plain = answer(200, &[("Content-Encoding", "Identity")]);
        assert_eq!(body(&asked, &plain, b"PK", Rest::None), Body::Good);
    }

    #[test]
    fn only_plain_text_is_shown_by_go() {
        assert!(is_shown(&answer(403, &[("content-type", "Text/Plain; charset=utf-8")])));
        assert!(!is_shown(&answer(403, &[("content-type", "text/html")])));
        assert!(!is_shown(&answer(403, &[])));
    }

    proptest! {
        #[test]
        fn more_bytes_never_change_a_judgement(
            path in "(INFO|LIST|MOD|ZIP|TILE)",
            bytes in "(\u{feff})?[ \n]{0,3}(<!doctype html>|<x|PK|\\{|v1)?.{0,20}",
            at in 0usize..40,
        ) {
            let path = match path.as_str() { "INFO" => INFO, "LIST" => LIST, "MOD" => MOD, "ZIP" => ZIP, _ => TILE };
            let bytes = bytes.as_bytes();
            let all = judged(path, "", bytes, Rest::None);
            let part = judged(path, "", bytes.get(..at).unwrap_or(bytes), Rest::Follows);
            prop_assert!(all != Body::More);
            prop_assert!(part == Body::More || part == all, "{:?} {:?}", part, all);
        }

        #[test]
        fn enough_bytes_are_enough(first in proptest::collection::vec(any::<u8>(), ENOUGH)) {
            for path in [INFO, LIST, ZIP, TILE] {
                prop_assert_ne!(judged(path, "", &first, Rest::Follows), Body::More);
            }
        }
    }
}
