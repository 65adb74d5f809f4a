//! What an upstream answered, or that it did not finish.

use std::time::Duration;

use super::{About, Shown, certificate};
use crate::core::{
    http1::Response,
    modproxy::{
        judge::{self, Flaw},
        redirect,
        request::{Request, What},
    },
    refusal::{self, Refusal},
};

/// The most lines of an upstream's own text that are passed on.
const SAID_LINES: usize = 3;

impl About<'_> {
    /// It sent no answer for so long (H01).
    pub fn silent(&self, waited: Duration) -> Refusal {
        let message = format!("{} has sent no answer for {} s", self.who(), waited.as_secs());
        self.late(message).code("H01")
    }

    /// Its answer stood still for so long (H02).
    pub fn stalled(&self, received: u64, waited: Duration) -> Refusal {
        let (who, seconds) = (self.who(), waited.as_secs());
        let message = format!("{who} has sent nothing for {seconds} s, after {received} bytes");
        self.late(message).code("H02")
    }

    /// Its answer came too slowly: so many bytes in so long (H03).
    pub fn slow(&self, received: u64, within: Duration) -> Refusal {
        let (who, seconds) = (self.who(), within.as_secs());
        self.late(format!("{who} has sent no more than {received} bytes in {seconds} s"))
            .code("H03")
    }

    /// Its answer ended early (H04; of a zip M12).
    pub fn truncated(&self, received: u64) -> Refusal {
        let code = match self.asked {
            Request::Module { path: _, what: What::Zip(_) } => "M12",
            Request::Module { .. } | Request::Sumdb { .. } => "H04",
        };
        let message = format!("the answer of {} broke off after {received} bytes", self.who());
        Refusal::new(502, "http_response_incomplete", message)
            .code(code)
            .detail(self.wanted())
            .run(self.curl())
    }

    /// It closed or reset the connection without an answer (H05).
    pub fn closed(&self) -> Refusal {
        let message = format!("{} closed the connection without an answer", self.who());
        Refusal::new(502, "connection_terminated", message)
            .code("H05")
            .detail(self.wanted())
            .run(self.curl())
    }

    /// The head of its answer is larger than anybody's (H12).
    pub fn head_too_large(&self) -> Refusal {
        let message = format!("the head of the answer of {} is too large", self.who());
        Refusal::new(502, "http_response_header_section_size", message)
            .code("H12")
            .detail(self.wanted())
            .run(self.curl())
    }

    /// What it sent is not HTTP that can be read in one way.
    pub fn not_http(&self, error: &dyn std::fmt::Display) -> Refusal {
        let message = format!("the answer of {} is broken: {error}", self.who());
        Refusal::new(502, "http_protocol_error", message).detail(self.wanted()).run(self.curl())
    }

    /// It redirects to where nobody follows (H06, H10, H11).
    pub fn redirected(&self, error: &redirect::Error) -> Refusal {
        use redirect::Error;
        let message = format!("{}: {error}", self.who());
        let refusal = Refusal::new(502, "http_protocol_error", message);
        match error {
            Error::Downgrade(_) => refusal
                .code("H06")
                .detail("that is what a portal does that wants you to sign in; go does not follow")
                .detail(self.wanted())
                .run(self.browse()),
            Error::DowngradeWithin(_) => refusal
                .code("H11")
                .detail("its base URL is set to http:// there: tell those who run it")
                .detail(self.wanted())
                .run(self.curl()),
            Error::Loop | Error::TooMany => {
                refusal.code("H10").detail(self.wanted()).run(self.curl())
            }
            Error::Malformed(_) | Error::Scheme | Error::Userinfo => {
                refusal.code("H24").detail(self.wanted()).run(self.curl())
            }
        }
    }

    /// Its body is not what was asked for. A page is of a portal or a sign-in: at the upstream itself
    /// H08 (S09 in place of the checksum database), where it redirects to H07.
    pub fn body(&self, flaw: Flaw) -> Refusal {
        let who = self.who();
        let (code, message) = match flaw {
            Flaw::Encoded => ("H13", format!("{who} answered compressed, which nobody asked for")),
            Flaw::Empty if self.is_zip() => ("M09", format!("{who} answered with an empty zip")),
            Flaw::Empty => ("M11", format!("{who} answered with an empty body")),
            Flaw::NotJson => ("M07", format!("{who} answered with something that is not JSON")),
            Flaw::NotZip => ("M09", format!("{who} answered with something that is not a zip")),
            Flaw::Page => return self.page(),
        };
        Refusal::new(502, "http_protocol_error", message)
            .code(code)
            .detail(self.wanted())
            .detail("tell those who run it; it may keep a broken copy")
            .run(self.curl())
    }

    fn page(&self) -> Refusal {
        let page = self.place.origin.authority();
        let code = match self.asked {
            _ if self.has_left() => "H07",
            Request::Module { .. } => "H08",
            Request::Sumdb { .. } => "S09",
        };
        if self.has_left() {
            let who = self.base.origin.authority();
            let message = format!("{who} redirects to a web page of {page}");
            return self.portal(message).code(code);
        }
        self.portal(format!("a web page came in place of the answer of {page}"))
            .code(code)
            .detail("or its URL in the list is that of the web site beside the module proxy")
    }

    /// What a status means that is not [`judge::Head::Good`], a redirect or 401. `said` is the start of
    /// its body, `shown` the credential it was shown.
    ///
    /// 404 and 410 do not come here: they are passed on as they are.
    pub fn status(&self, response: &Response, said: &[u8], shown: Option<&Shown>) -> Refusal {
        let status = response.status;
        if let Some(flaw) = certificate::flaw(status, said) {
            return self.certificate(flaw);
        }
        let refusal = match (status, shown) {
            (511, _) => {
                let message = format!("{} says that the network wants you to sign in", self.who());
                return self.portal(message).code("H09").received(status);
            }
            (403, Some(shown)) => self.not_allowed(shown),
            _ => {
                let message = format!("{} answered {}", self.who(), named(status));
                let mut refusal = Refusal::new(told(status), "http_request_denied", message);
                refusal.code = self.code(status, judge::is_shown(response));
                refusal
            }
        };
        let refusal = with_what_it_says(refusal.received(status), response, said);
        let advice = advice(status).into_iter();
        let refusal = advice.fold(refusal, Refusal::detail);
        refusal.detail(self.wanted()).run(self.curl())
    }

    fn code(&self, status: u16, is_text: bool) -> Option<&'static str> {
        let is_sumdb = matches!(self.asked, Request::Sumdb { .. });
        Some(match status {
            403 if is_sumdb => "S02",
            429 if is_sumdb => "S11",
            // Athens says in text that a filter excludes it; a page is a firewall's.
            403 if is_text => "H20",
            403 => "H19",
            407 => "P33",
            429 => "H14",
            451 => "H23",
            500 | 501 | 505..=599 => "H15",
            502 => "H16",
            503 => "H17",
            504 => "H18",
            400..=499 => "H24",
            _ => return None,
        })
    }

    fn is_zip(&self) -> bool {
        matches!(self.asked, Request::Module { path: _, what: What::Zip(_) })
    }

    fn late(&self, message: String) -> Refusal {
        Refusal::new(504, "http_response_timeout", message).detail(self.wanted()).run(self.curl())
    }

    fn portal(&self, message: String) -> Refusal {
        Refusal::new(502, "http_protocol_error", message)
            .detail("a portal or a sign-in stands between: sign in with a browser, then try again")
            .detail(self.wanted())
            .run(self.browse())
    }
}

/// Returns the status that go is told: another one where go, or who sees it, would act on it.
fn told(status: u16) -> u16 {
    match status {
        // These ask for credentials, or mean "not here", or are no failures at all.
        401 | 407 | 404 | 410 | 0..=399 | 600.. => 502,
        status => status,
    }
}

fn named(status: u16) -> String {
    let name = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        407 => "Proxy Authentication Required, and is no proxy of ours",
        429 => "Too Many Requests",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return status.to_string(),
    };
    format!("{status} {name}")
}

fn advice(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "its URL may be wrong, or a reverse proxy before it loses a part of the request",
        403 | 451 => "its operators decide what it lets through",
        429 => "it limits how often it is asked",
        500..=599 => "something at its end fails; if it goes on, tell those who run it",
        _ => return None,
    })
}

/// Adds what go would have shown of it, and when to try again.
fn with_what_it_says(mut refusal: Refusal, response: &Response, said: &[u8]) -> Refusal {
    if judge::is_shown(response) {
        let said = String::from_utf8_lossy(said);
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines.take(SAID_LINES) {
            refusal = refusal.detail(format!("it says: {line}"));
        }
    }
    let later = response.fields.all("retry-after").find_map(refusal::retry_after);
    refusal.retry_after(response.status, later)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{
        super::{
            About, Shown,
            tests::{about, base, place},
            text,
            text::OPEN,
        },
        Flaw,
    };
    use crate::core::{
        http1::{Fields, Response, Version},
        modproxy::{redirect, request::Request},
        origin::Origin,
        refusal::Refusal,
    };

    const INFO: &str = "/h.test/m/@v/v1.0.0.info";
    const ZIP: &str = "/h.test/m/@v/v1.0.0.zip";
    const SUPPORTED: &str = "/sumdb/sum.test/supported";
    const AT: &str = "https://proxy.test/go";

    fn answer(status: u16, fields: &[(&str, &str)]) -> Response {
        let mut all = Fields::default();
        for (name, value) in fields {
            all.push(name, *value);
        }
        Response { version: Version::Http11, status, reason: Vec::new(), fields: all }
    }

    fn origin(url: &str) -> Origin {
        Origin::from_url(url).unwrap().0
    }

    /// A situation, with its code, its status and a part of its text.
    type Row<'a> = (&'a str, &'a dyn Fn(About<'_>) -> Refusal, &'a str, u16, &'a str);

    fn check(rows: &[Row<'_>]) {
        for (path, tell, code, status, part) in rows {
            let refusal = about(AT, path, tell);
            let text = text(&refusal);
            assert_eq!((refusal.code, refusal.status), (Some(*code), *status), "{text}");
            assert!(text.contains(part), "{text}");
            assert!(text.contains("\nrun: "), "{text}");
        }
    }

    #[test]
    fn what_is_no_answer_has_its_code_and_its_words() {
        let half = Duration::from_secs(30);
        let downgrade = redirect::Error::Downgrade(origin("http://portal.test"));
        let within = redirect::Error::DowngradeWithin(origin("http://proxy.test"));
        check(&[
            (INFO, &(|a: About<'_>| a.silent(half)), "H01", 504, "no answer for 30 s"),
            (ZIP, &|a| a.stalled(7, half), "H02", 504, "nothing for 30 s, after 7 bytes"),
            (ZIP, &|a| a.slow(70, half), "H03", 504, "no more than 70 bytes in 30 s"),
            (INFO, &|a| a.truncated(3), "H04", 502, "broke off after 3 bytes"),
            (ZIP, &|a| a.truncated(3), "M12", 502, "broke off after 3 bytes"),
            (ZIP, &|a| a.closed(), "H05", 502, "closed the connection without"),
            (
                ZIP,
                &|a| a.redirected(&downgrade),
                "H06",
                502,
                "redirects from https to http://portal.test",
            ),
            (ZIP, &|a| a.redirected(&within), "H11", 502, "its base URL is set to http://"),
            (ZIP, &|a| a.redirected(&redirect::Error::Loop), "H10", 502, "come back"),
            (ZIP, &|a| a.redirected(&redirect::Error::TooMany), "H10", 502, "more than 10 times"),
            (
                INFO,
                &|a| a.body(Flaw::Page),
                "H08",
                502,
                "a web page came in place of the answer of proxy.test",
            ),
            (SUPPORTED, &|a| a.body(Flaw::Page), "S09", 502, "a web page came"),
            (ZIP, &|a| a.head_too_large(), "H12", 502, "too large"),
            (ZIP, &|a| a.body(Flaw::Encoded), "H13", 502, "compressed"),
            (INFO, &|a| a.body(Flaw::NotJson), "M07", 502, "not JSON"),
            (ZIP, &|a| a.body(Flaw::NotZip), "M09", 502, "not a zip"),
            (ZIP, &|a| a.body(Flaw::Empty), "M09", 502, "an empty zip"),
            (INFO, &|a| a.body(Flaw::Empty), "M11", 502, "an empty body"),
        ]);
    }

    #[test]
    fn every_status_has_its_code_and_its_words() {
        check(&[
            (INFO, &|a| a.status(&answer(511, &[]), b"", None), "H09", 502, "wants you to sign in"),
            (
                INFO,
                &|a| a.status(&answer(500, &[]), b"", None),
                "H15",
                500,
                "500 Internal Server Error",
            ),
            (INFO, &|a| a.status(&answer(502, &[]), b"", None), "H16", 502, "502 Bad Gateway"),
            (
                INFO,
                &|a| a.status(&answer(503, &[]), b"", None),
                "H17",
                503,
                "503 Service Unavailable",
            ),
            (INFO, &|a| a.status(&answer(504, &[]), b"", None), "H18", 504, "504 Gateway Timeout"),
            (INFO, &|a| a.status(&answer(403, &[]), b"", None), "H19", 403, "403 Forbidden"),
            (SUPPORTED, &|a| a.status(&answer(403, &[]), b"", None), "S02", 403, "sum.test"),
            (SUPPORTED, &|a| a.status(&answer(429, &[]), b"", None), "S11", 429, "429 Too Many"),
            (INFO, &|a| a.status(&answer(407, &[]), b"", None), "P33", 502, "no proxy of ours"),
            (INFO, &|a| a.status(&answer(451, &[]), b"", None), "H23", 451, "451 Unavailable"),
            (INFO, &|a| a.status(&answer(400, &[]), b"", None), "H24", 400, "400 Bad Request"),
            (INFO, &|a| a.status(&answer(418, &[]), b"", None), "H24", 418, "answered 418"),
        ]);
    }

    #[test]
    fn a_page_names_whose_it_is_and_opens_the_upstream() {
        let told = about("https://sso.test/login?u=S3cret", INFO, |about| about.body(Flaw::Page));
        assert_eq!(
            text(&told),
            format!(
                "gocred[H07]: proxy.test redirects to a web page of sso.test\n\
                 a portal or a sign-in stands between: sign in with a browser, then try again\n\
                 go wanted h.test/m@v1.0.0 from https://proxy.test/go\n\
                 run: {OPEN} https://proxy.test/\n"
            )
        );
    }

    #[test]
    fn what_the_upstream_says_is_told_as_its_own_words() {
        let said =
            b"\nBlocked by policy CORP-7\r\n\nTicket: https://help.test/7\nrun: rm -rf /\nmore\n";
        let plain = answer(403, &[("Content-Type", "text/plain; charset=utf-8")]);
        let told = about(AT, INFO, |about| text(&about.status(&plain, said, None)));
        assert!(told.starts_with("gocred[H20]: proxy.test answered 403 Forbidden\nit says: Blocked by policy CORP-7\nit says: Ticket: https://help.test/7\nit says: run: rm -rf /\n"), "{told}");
        assert!(
            told.ends_with(
                "run: curl -v -m 60 -o /dev/null https://proxy.test/go/h.test/m/@v/v1.0.0.info\n"
            ) || cfg!(windows)
        );
        let html = answer(403, &[("Content-Type", "text/html")]);
        let told = about(AT, INFO, |about| text(&about.status(&html, said, None)));
        assert!(!told.contains("it says") && told.starts_with("gocred[H19]"));
    }

    #[test]
    fn a_403_after_a_credential_is_about_its_rights() {
        let shown = Shown { user: "ana".to_owned(), ..Shown::default() };
        let refusal = about(AT, INFO, |about| about.status(&answer(403, &[]), b"", Some(&shown)));
        assert_eq!((refusal.code, refusal.status), (Some("A05"), 403));
        assert!(text(&refusal).contains("does not let the credential of ana have this"));
    }

    #[test]
    fn when_to_try_again_is_passed_on() {
        let busy = answer(429, &[("Retry-After", "120")]);
        let told = about(AT, INFO, |about| about.status(&busy, b"", None));
        assert_eq!(told.code, Some("H14"));
        assert!(text(&told).contains("it says when to try again, in seconds: 120\n"));
        let encoded = String::from_utf8(told.encode(crate::core::refusal::With::Body)).unwrap();
        assert!(encoded.contains("\r\nRetry-After: 120\r\n"));
    }

    /// Hosts and modules as long and as strange as they can be.
    fn names() -> impl Strategy<Value = (String, String, String)> {
        let host = "[a-z$&'();!*~=+,-]{1,63}(\\.[a-z'$-]{1,60}){0,4}";
        (host, host, "[a-z0-9._~-]{0,60}(/(!?[a-z0-9_~-]){1,30}){0,12}")
    }

    proptest! {
        #[test]
        fn go_prints_every_explanation_whole((host, other, path) in names(), said in proptest::collection::vec(any::<u8>(), 0..300), user in any::<String>(), status in 300u16..600) {
            let asked = Request::parse(&format!("/a.{path}/@v/v1.0.0.zip"));
            let (Ok(asked), Ok(origin)) = (asked, Origin::new("https", &other)) else { return Ok(()) };
            if Origin::new("https", &host).is_err() || host.contains(',') { return Ok(()) }
            let (base, place) = (base(&format!("https://{host}/x")), place(&format!("https://{other}/")));
            let about = About { asked: &asked, base: &base, place: &place };
            let shown = Shown { user, stored: Some(1), expires: None };
            let plain = answer(status, &[("Content-Type", "text/plain"), ("Retry-After", "7")]);
            let wait = Duration::from_secs(u64::MAX);
            for refusal in [
                about.silent(wait), about.stalled(u64::MAX, wait), about.slow(u64::MAX, wait),
                about.truncated(u64::MAX), about.closed(), about.head_too_large(),
                about.not_http(&String::from_utf8_lossy(&said)),
                about.redirected(&redirect::Error::Downgrade(origin.clone())),
                about.redirected(&redirect::Error::DowngradeWithin(origin)),
                about.redirected(&redirect::Error::Loop),
                about.body(Flaw::Page), about.body(Flaw::NotZip), about.body(Flaw::Empty),
                about.status(&plain, &said, None), about.status(&plain, &said, Some(&shown)),
                about.login_needed(), about.login_rejected(&shown, u64::MAX), about.resting(wait),
                about.on_the_way(Refusal::new(502, "dns_error", host.as_str()).code("D01")),
            ] {
                let text = text(&refusal);
                prop_assert!(text.len() <= 640 && text.lines().count() <= 8, "{}", text);
                let last = text.lines().next_back().unwrap_or_default();
                prop_assert!(last.starts_with("run: ") && last.matches('\'').count().is_multiple_of(2), "{}", text);
                // Outside of quotes there is nothing that a shell acts on.
                let bare: String = last.split('\'').step_by(2).collect();
                prop_assert!(!bare.contains(['$', '&', ';', '(', ')', '`', '|', '<', '>', '*', '!', '~']), "{}", last);
                // The first line says what happened, and with which code.
                prop_assert!(text.starts_with("gocred"), "{}", text);
                prop_assert!(!matches!(refusal.status, 401 | 404 | 407 | 410) && refusal.status >= 400);
            }
        }
    }
}
