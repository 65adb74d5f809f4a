//! What a verbose text shows of logins: `curl -v`, `GIT_CURL_VERBOSE` and `GIT_TRACE_CURL` print the fields that a
//! proxy and a host answer with. Only the names of the schemes are read, and whether a login was sent.

use std::collections::BTreeSet;

use crate::core::doctor::explain::said;

/// What a code gains that the fields name.
const NAMED: i32 = 70;

/// The codes that the fields of a text name.
pub(super) fn named(text: &str) -> BTreeSet<&'static str> {
    let (mut proxy, mut origin) = (Side::default(), Side::default());
    for line in said::ends(text).lines() {
        let line = line.to_ascii_lowercase();
        proxy.has_status |= is_status(&line, "407");
        origin.has_status |= is_status(&line, "401");
        if let Some((_, value)) = line.split_once("proxy-authenticate:") {
            proxy.schemes.extend(scheme(value));
        } else if let Some((_, value)) = line.split_once("www-authenticate:") {
            origin.schemes.extend(scheme(value));
        } else if line.contains("proxy-authorization:") {
            proxy.has_sent = true;
        } else if line.contains("authorization:") {
            origin.has_sent = true;
        }
    }
    let at_proxy = proxy.code(["P01", "P02", "P03", "P04", "P05", "P06", "P07", "P08"]);
    let at_origin = origin.code(["A01", "A02", "A08", "A09", "A11", "A10", "A12", "A08"]);
    at_proxy.into_iter().chain(at_origin).collect()
}

/// What they add to a code.
pub(super) fn points(named: &BTreeSet<&str>, code: &str) -> i32 {
    if named.contains(code) { NAMED } else { 0 }
}

/// What a proxy, or a host, answered.
#[derive(Default)]
struct Side {
    has_status: bool,
    has_sent: bool,
    schemes: BTreeSet<String>,
}

impl Side {
    /// Returns the code, of those of: none sent, one refused, NTLM only, Negotiate only, Digest only, Bearer
    /// only, nothing offered, several and none of them Basic.
    fn code(&self, codes: [&'static str; 8]) -> Option<&'static str> {
        let [none, refused, ntlm, negotiate, digest, bearer, nothing, several] = codes;
        if self.schemes.is_empty() {
            return self.has_status.then_some(nothing);
        }
        if self.schemes.contains("basic") {
            return Some(if self.has_sent { refused } else { none });
        }
        let mut schemes = self.schemes.iter().map(String::as_str);
        Some(match (schemes.next(), schemes.next()) {
            (Some("ntlm"), None) => ntlm,
            (Some("negotiate"), None) => negotiate,
            (Some("digest"), None) => digest,
            (Some("bearer"), None) => bearer,
            _ => several,
        })
    }
}

/// Returns whether a line is the status line of an answer.
fn is_status(line: &str, status: &str) -> bool {
    ["http/1.0 ", "http/1.1 ", "http/2 "]
        .iter()
        .filter_map(|version| line.split_once(version))
        .any(|(_, rest)| rest.starts_with(status))
}

fn scheme(value: &str) -> Option<String> {
    let word = value.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty());
    word.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use crate::core::doctor::explain::{explain, signs::Signs};

    #[test]
    fn the_fields_of_a_verbose_text_name_the_code() {
        let proxy = |fields: &str| {
            format!(
                "> CONNECT h:443 HTTP/1.1\n{fields}\n* CONNECT tunnel failed, response 407\ncurl: (56) CONNECT tunnel failed, response 407\n"
            )
        };
        let origin = |fields: &str| {
            format!(
                "{fields}\nfatal: could not read Username for 'https://h': terminal prompts disabled"
            )
        };
        for (text, expected) in [
            (proxy("< HTTP/1.1 407 x\r\n< Proxy-Authenticate: NTLM\r"), "P03"),
            (proxy("< HTTP/1.1 407 x\n< proxy-authenticate: Negotiate"), "P04"),
            (proxy("< HTTP/1.1 407 x\n< Proxy-Authenticate: Digest realm=\"a\""), "P05"),
            (proxy("< HTTP/1.1 407 x\n< Proxy-Authenticate: Bearer"), "P06"),
            (proxy("< HTTP/1.1 407 x\n< Server: y"), "P07"),
            (
                proxy(
                    "< HTTP/1.1 407 x\n< Proxy-Authenticate: NTLM\n< Proxy-Authenticate: Negotiate",
                ),
                "P08",
            ),
            (proxy("< HTTP/1.1 407 x\n< Proxy-Authenticate: Basic realm=\"a\""), "P01"),
            (
                proxy(
                    "> Proxy-Authorization: Basic x\n< HTTP/1.1 407 x\n< Proxy-Authenticate: Basic",
                ),
                "P02",
            ),
            (origin("<= Recv header: HTTP/1.1 401\n<= Recv header: WWW-Authenticate: NTLM"), "A08"),
            (origin("< HTTP/2 401\n< www-authenticate: Negotiate"), "A09"),
            (origin("< HTTP/2 401\n< www-authenticate: Bearer realm=x"), "A10"),
            (origin("< HTTP/2 401\n< www-authenticate: Digest realm=x"), "A11"),
            (origin("< HTTP/2 401\n< date: x"), "A12"),
            (origin("> authorization: Basic x\n< HTTP/2 401\n< www-authenticate: Basic"), "A02"),
            ("> GET / HTTP/2\n< HTTP/2 401 \n< www-authenticate: NTLM\n".to_owned(), "A08"),
        ] {
            let first =
                explain(&text, &Signs::default()).candidates.first().map(|it| it.entry.code);
            assert_eq!(first, Some(expected), "{text}");
        }
    }
}
