//! Why the front has no answer for go: each case in words, with the code of the failure catalogue and
//! one command to paste. [`text()`] is what go prints of it.
//!
//! Here is what an upstream's answer means, or that there is none. What goes wrong on the way to it (D,
//! N, T and P codes) is worded in `proxy::failure`; [`About::on_the_way`] makes that an answer of the
//! front. Which of several failures go is told is for [`super::walk`] to say. GOAUTH and a password in
//! GOPROXY (A17 to A23) are go's own and never come here.

mod answer;
mod certificate;
mod login;
mod text;

use std::time::Duration;

pub use self::{
    certificate::certificate_advice,
    login::Shown,
    text::{MAX_LINES, MAX_TEXT, text},
};
use crate::core::{
    modproxy::{
        list::Base,
        redirect::Place,
        request::{self, Request},
        walk::End,
    },
    refusal::Refusal,
};

/// What a refusal is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What go asked for.
    pub asked: &'a Request,
    /// The upstream of the list.
    pub base: &'a Base,
    /// Who answered, or did not: after redirects another than the upstream.
    pub place: &'a Place,
}

impl About<'_> {
    /// It is left alone for so long, because it failed too often (`core::breaker`).
    pub fn resting(&self, left: Duration) -> Refusal {
        let seconds = left.as_secs().max(1);
        let message = format!("{} failed too often, and is left alone for {seconds} s", self.who());
        Refusal::new(503, "destination_unavailable", message)
            .code("K14")
            .detail(self.wanted())
            .detail("what failed stands in the findings of the status")
            .run("gocred proxy status")
    }

    /// Something on the way to it failed: adds what was wanted, and a command where there is none.
    pub fn on_the_way(&self, refusal: Refusal) -> Refusal {
        let run = match refusal.code.and_then(|code| code.chars().next()) {
            // What a network team can repeat without us.
            Some('D' | 'N' | 'T') => self.curl(),
            _ => "gocred proxy status".to_owned(),
        };
        let has_command = refusal.run.is_some();
        let refusal = refusal.detail(self.wanted());
        if has_command { refusal } else { refusal.run(run) }
    }

    /// Returns who answered, and where it was led there from.
    fn who(&self) -> String {
        let (first, now) = (self.base.origin.authority(), self.place.origin.authority());
        if self.has_left() { format!("{now} (to which {first} redirects)") } else { now }
    }

    fn has_left(&self) -> bool {
        self.base.origin != self.place.origin
    }

    fn wanted(&self) -> String {
        format!("go wanted {} from {}{}", self.asked, self.base.origin, self.base.path)
    }

    /// Returns the command that asks the upstream the same, without us.
    fn curl(&self) -> String {
        let url = format!("{}{}{}", self.base.origin, self.base.path, self.asked.path());
        text::command(&["curl", "-v", "-m", "60", "-o", text::NOWHERE, &url])
    }

    /// Returns the command that opens the upstream in a browser: where a portal stands between, it shows
    /// itself there. The page's own address is nothing to open unseen.
    fn browse(&self) -> String {
        text::command(&[text::OPEN, &format!("{}/", self.base.origin)])
    }
}

/// No upstream of the list has it, and what follows is go's own: 404, so that go goes on.
pub fn not_here<A>(asked: &Request, end: &End<A>) -> Refusal {
    let next = match end {
        End::Answer(_) | End::Direct => "go may ask its own host now (`direct`)",
        End::Off => "the list of gocred ends with `off`",
    };
    Refusal::new(404, "destination_not_found", format!("no module proxy has {asked}"))
        .code("M01")
        .detail(next)
        .run("go env GOPROXY")
}

/// Whom a comma keeps from being asked is told (E08). A credential or our own store is mended, and not
/// passed over.
pub fn held(mut refusal: Refusal) -> Refusal {
    const WHY: &str = "E08: after a comma go asks the next of the list on 404 and 410 only; after `|` on this, too";
    if !refusal.code.is_some_and(|code| code.starts_with(['A', 'K'])) {
        refusal.details.insert(0, WHY.to_owned());
    }
    refusal
}

/// The path is none of the protocol.
pub fn no_request(error: request::Error) -> Refusal {
    Refusal::new(404, "http_request_error", error.to_string())
        .detail("this is a module proxy, for GOPROXY")
        .run("go env GOPROXY")
}

#[cfg(test)]
mod tests {
    use super::{About, held, no_request, not_here, text};
    use crate::core::{
        modproxy::{
            list::{Base, Target, Upstreams},
            redirect::Place,
            request::Request,
            walk::End,
        },
        origin::Origin,
        refusal::Refusal,
    };

    pub(super) fn base(url: &str) -> Base {
        let list = Upstreams::parse(url).unwrap();
        match &list.elements()[0].target {
            Target::Proxy(base) => base.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn place(url: &str) -> Place {
        let (origin, target) = Origin::from_url(url).unwrap();
        Place { origin, target: target.to_owned() }
    }

    /// Calls with a request for a module at `https://proxy.test/go`, answered by `at`.
    pub(super) fn about<T>(at: &str, path: &str, call: impl FnOnce(About<'_>) -> T) -> T {
        let (asked, base, place) =
            (Request::parse(path).unwrap(), base("https://proxy.test/go"), place(at));
        call(About { asked: &asked, base: &base, place: &place })
    }

    const ZIP: &str = "/h.test/!m/@v/v1.0.0.zip";

    #[test]
    fn what_fails_on_the_way_keeps_its_words_and_gets_a_command() {
        let refused =
            Refusal::new(502, "connection_refused", "proxy.test:443: it refuses").code("N01");
        let told = about("https://proxy.test/", ZIP, |about| about.on_the_way(refused));
        assert_eq!(
            text(&told),
            "gocred[N01]: proxy.test:443: it refuses\n\
             go wanted h.test/M@v1.0.0 from https://proxy.test/go\n\
             run: curl -v -m 60 -o /dev/null https://proxy.test/go/h.test/%21m/@v/v1.0.0.zip\n"
        );
        let login = Refusal::new(502, "http_request_denied", "corp:3128 asks for a login")
            .code("P01")
            .run("gocred login --proxy http://corp:3128");
        let told = about("https://proxy.test/", ZIP, |about| about.on_the_way(login));
        assert!(text(&told).ends_with("\nrun: gocred login --proxy http://corp:3128\n"));
    }

    #[test]
    fn who_is_left_alone_is_said() {
        let told = about("https://proxy.test/", ZIP, |about| {
            about.resting(std::time::Duration::from_millis(200))
        });
        assert!(text(&told).starts_with("gocred[K14]: proxy.test failed too often, and is left "));
        assert!(text(&told).ends_with("for 1 s\n") || text(&told).contains("for 1 s\n"));
    }

    #[test]
    fn what_is_go_s_own_is_a_404() {
        let asked = Request::parse(ZIP).unwrap();
        for end in [End::Direct, End::<()>::Off] {
            let told = not_here(&asked, &end);
            assert_eq!(told.status, 404);
            assert!(text(&told).starts_with("gocred[M01]: no module proxy has h.test/M@v1.0.0\n"));
        }
        assert_eq!(no_request(Request::parse("/x?y").unwrap_err()).status, 404);
    }

    #[test]
    fn a_comma_that_holds_back_is_told_in_one_line() {
        let told = about("https://proxy.test/go", "/h.test/m/@v/list", |about| about.closed());
        let text = text(&held(told));
        let second = text.lines().nth(1).unwrap_or_default();
        assert!(second.starts_with("E08: ") && second.contains("`|`"), "{text}");
        assert!(text.starts_with("gocred[H05]: ") && text.lines().count() <= 8, "{text}");
        let login = about("https://proxy.test", "/h.test/m/@v/list", |about| about.login_needed());
        assert_eq!(held(login.clone()), login);
    }
}
