//! What a server says of a client certificate in HTTP: nginx lets everybody through the handshake, and
//! answers who has shown none, or a wrong one, with 400 and a page of its own. Servers that say it in
//! TLS are heard in `proxy::goproxy::failure`.

use super::About;
use crate::core::refusal::Refusal;

/// What is wrong with the certificate that a server was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// There was none.
    Missing,
    /// It is not accepted.
    Refused,
}

/// The titles of nginx's pages for its own statuses 496 and 495, which go out as 400
/// (`ngx_http_special_response.c`).
const TITLES: [(&[u8], Flaw); 2] = [
    (b"<title>400 No required SSL certificate was sent</title>", Flaw::Missing),
    (b"<title>400 The SSL certificate error</title>", Flaw::Refused),
];

/// Reads the status of an answer, and the start of its body.
pub(super) fn flaw(status: u16, said: &[u8]) -> Option<Flaw> {
    let has = |title: &[u8]| said.windows(title.len()).any(|part| part == title);
    let found = TITLES.iter().find(|(title, _)| status == 400 && has(title));
    found.map(|(_, flaw)| *flaw)
}

/// Returns what helps where a server wants a client certificate.
pub fn certificate_advice(host: &str) -> String {
    format!("name yours in config.toml: `client_cert` and `client_key` of [host.\"{host}\"]")
}

impl About<'_> {
    /// It wants a client certificate, and was shown none, or one that it does not accept (T13).
    pub(super) fn certificate(&self, flaw: Flaw) -> Refusal {
        let what = match flaw {
            Flaw::Missing => "wants a client certificate, and none is configured",
            Flaw::Refused => "does not accept our client certificate",
        };
        Refusal::new(502, "http_request_denied", format!("{} {what}", self.who()))
            .code("T13")
            .received(400)
            .detail(certificate_advice(&self.place.origin.authority()))
            .detail(self.wanted())
            .run("gocred config edit")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::about, Flaw, flaw};
    use crate::core::modproxy::explain::text;

    #[test]
    fn the_pages_of_nginx_are_known_and_no_other_400() {
        let page = |title: &str| format!("<html>\r\n<head><title>{title}</title></head>\r\n");
        for (status, title, expected) in [
            (400, "400 No required SSL certificate was sent", Some(Flaw::Missing)),
            (400, "400 The SSL certificate error", Some(Flaw::Refused)),
            (403, "400 The SSL certificate error", None),
            (400, "400 Bad Request", None),
            (400, "400 The plain HTTP request was sent to HTTPS port", None),
        ] {
            assert_eq!(flaw(status, page(title).as_bytes()), expected, "{title}");
        }
        assert_eq!(flaw(400, b""), None);
    }

    #[test]
    fn a_certificate_is_asked_for_by_the_names_of_its_keys() {
        let list = "/h.test/m/@v/list";
        let told = |flaw| about("https://cdn.test/x", list, |about| text(&about.certificate(flaw)));
        assert_eq!(
            told(Flaw::Missing),
            "gocred[T13]: cdn.test (to which proxy.test redirects) wants a client certificate, and none \
             is configured\n\
             name yours in config.toml: `client_cert` and `client_key` of [host.\"cdn.test\"]\n\
             go wanted h.test/m from https://proxy.test/go\n\
             run: gocred config edit\n"
        );
        assert!(told(Flaw::Refused).contains("does not accept our client certificate\n"));
    }
}
