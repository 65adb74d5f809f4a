//! Random settings: what people write into proxy variables, and what lies beside it.

use std::fmt::Write as _;

use gocred::core::doctor::{machine::Machine, place::Place, private::Private};

use crate::support::random::Random;

/// The variables that libcurl reads, and so git.
pub(super) const OF_CURL: &[&str] = &[
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// Names and addresses that meet each other as targets, proxies and exceptions. Nothing that a resolver is
/// asked for.
pub(super) const HOSTS: &[&str] = &[
    "corp.test",
    "git.corp.test",
    "a.git.corp.test",
    "notcorp.test",
    "test",
    "x",
    "localhost",
    "LOCALHOST",
    "Git.Corp.Test",
    "git.corp.test.",
    "10.1.2.3",
    "10.1.2.4",
    "127.0.0.1",
    "127.9.9.9",
    "192.168.0.1",
    "[::1]",
    "[fd00::1]",
    "[fdff::1]",
    "[2001:db8::1]",
    "[::ffff:10.1.2.3]",
];
const SCHEMES: &[&str] = &[
    "http://",
    "http://",
    "http://",
    "http://",
    "https://",
    "socks5://",
    "socks5h://",
    "socks4://",
    "socks4a://",
    "socks://",
    "",
    "",
    "",
    "HTTP://",
    "Https://",
    "SOCKS5://",
    "http:/",
    "http:///",
    "http:////",
    "http:",
    "//",
    "/",
    "://",
    ":",
    "pac+http://",
    "ftp://",
    "file://",
    "file:///",
    "1http://",
    "ht tp://",
    "http//",
    "x://",
    "http://http://",
    "socks5",
    "https",
];
const USERS: &[&str] = &[
    "",
    "",
    "",
    "",
    "",
    "",
    "ana@",
    "ana:pw@",
    "ana:@",
    ":pw@",
    "@",
    ":@",
    "ana:p%40w@",
    "ana:p%4@",
    "ana:p%w@",
    "ana:p@w@",
    "ana:p#w@",
    "ana:p/w@",
    "ana:p?w@",
    "a%3ana:pw@",
    "ana:p:w@",
    "ana:p%w:x%41@",
    "DOM\\ana:pw@",
    "DOM%5Cana:pw@",
    "ana:p w@",
    "ana:p%20w@",
    "ana:p%0aw@",
    "ana:p%00w@",
    "ana:p+w@",
    "ana;x=y:pw@",
    "ana:pé@",
    "ana:p%C3%A9@",
    "an<a:pw@",
    "an[a]:pw@",
    "an%7Fa:pw@",
    "ana:%25@",
];
const PROXIES: &[&str] = &[
    "proxy.corp.test",
    "proxy.corp.test",
    "proxy.corp.test",
    "proxy",
    "PROXY.corp.test",
    "10.9.9.9",
    "127.0.0.1",
    "[::1]",
    "[fd00::9]",
    "[fd00:0:0::9]",
    "localhost",
    "ftp.corp.test",
    "Ftp.corp.test",
    "socks5.corp.test",
    "socksproxy",
    "https.corp.test",
    "",
    "a_b.corp.test",
    "a%2db.test",
    "a%2Fb.test",
    "a%2540b",
    "a%0ab",
    "a%C3%A9b.test",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.256",
    "08.1.1.1",
    "0x",
    "fd00::9",
    "[fd00::9",
    "fd00::9]",
    "[fd00::9]x",
    "[1.2.3.4]",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25]",
    "[::1.2.3.4]",
    "[::ffff:1.2.3.4]",
    "[FD00::9]",
    "[]",
    "[:]",
    "[::ffff:1.2.3.4%25lo]",
    "a b.test",
    "a\tb.test",
    "a,b.test",
    "a(b.test",
    "a<b.test",
    "a\"b.test",
    "a~b.test",
    "a%b.test",
    "a%25b.test",
    "*",
    "proxy.corp.test.",
    ".",
    "-",
    "a^b.test",
    "a|b.test",
    "a=b.test",
    "[fe80::1%25e%2541]",
];
const PORTS: &[&str] = &[
    ":3128",
    ":3128",
    ":3128",
    ":3128",
    "",
    "",
    "",
    ":8080",
    ":80",
    ":443",
    ":1080",
    ":",
    ":0",
    ":00080",
    ":65535",
    ":65536",
    ":99999",
    ":123456789012345678901234",
    ":x",
    ":80x",
    ":-1",
    ":+80",
    ":80:90",
    "::80",
    ":%38%30",
    ":8 0",
];
const TAILS: &[&str] = &[
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "/",
    "/",
    "/path",
    "/proxy.pac",
    "?",
    "?q",
    "#",
    "#f",
    "/%41",
    "/%4",
    "#%4",
    "/a b",
    "?a b",
    "#a b",
    " ",
    "\t",
    "\r",
    "/\u{1}",
    "?%4",
    "//",
    "/a@b",
    "/../x",
    "?x#y",
    "#x?y",
    "/a:b",
];

/// A value of a proxy variable.
pub(super) fn proxy(random: &mut Random) -> String {
    match random.below(24) {
        0 => String::new(),
        1 => random
            .of(&[
                "direct", "DIRECT", "off", "*", "none", " ", "://", "http", "-", "%", "a:b", "?",
                "#", "/",
            ])
            .to_owned(),
        _ => [SCHEMES, USERS, PROXIES, PORTS, TAILS].map(|parts| random.of(parts)).concat(),
    }
}

/// A value of a proxy variable that more tools understand.
pub(super) fn usual_proxy(random: &mut Random) -> String {
    let scheme = random.of(&["http://", "http://", "https://", "socks5://", "socks5h://", ""]);
    let user = random.of(&["", "", "ana:pw@"]);
    let host = random.of(&["proxy.corp.test", "proxy2.corp.test", "10.9.9.9", "[fd00::9]"]);
    [scheme, user, host, random.of(&[":3128", ":8080", "", ":1080"]), random.of(&["", "/"])]
        .concat()
}

/// A list of exceptions.
pub(super) fn exceptions(random: &mut Random) -> String {
    let mut list = String::new();
    for element in 0..random.below(4) {
        if element > 0 {
            list.push_str(random.of(&[",", ",", ",", ", ", " ", ",,", "\t", ";"]));
        }
        if random.below(8) == 0 {
            list.push_str(random.of(&["*", "", ".", "*.", ":443", "::/0", "[", "/8", "*:443"]));
            continue;
        }
        let before = random.of(&["", "", "", "", ".", "*.", "*", "..", "https://", " "]);
        let after = random.of(&[
            "", "", "", "", ".", ":443", ":80", ":", ":https", "/8", "/16", "/0", "/32", "/33",
            "/104", "/128", "/", "/8x", "/-1", " ", "..",
        ]);
        let host = random.of(HOSTS);
        let host = if random.below(2) == 0 { host.trim_matches(['[', ']']) } else { host };
        let _ = write!(list, "{before}{host}{after}");
    }
    list
}

/// A URL that is asked.
pub(super) fn target(random: &mut Random) -> String {
    let scheme = random.of(&["https", "https", "http"]);
    let port = random.of(&["", "", "", ":8443", ":80", ":443"]);
    format!("{scheme}://{}{port}", random.of(HOSTS))
}

/// Sets some of the variables: one in three, with what is usual or with anything.
pub(super) fn variables(
    random: &mut Random,
    names: &[&'static str],
) -> Vec<(&'static str, Option<String>)> {
    let mut variable = |name: &&'static str| {
        let value = match random.below(6) {
            0 | 1 => Some(if name.eq_ignore_ascii_case("no_proxy") {
                exceptions(random)
            } else if *name == "REQUEST_METHOD" {
                "GET".to_owned()
            } else if random.below(2) == 0 {
                usual_proxy(random)
            } else {
                proxy(random)
            }),
            2 if random.below(4) == 0 => Some(String::new()),
            _ => None,
        };
        (*name, value)
    };
    names.iter().map(&mut variable).collect()
}

/// Returns a machine on which these variables are set.
pub(super) fn machine(variables: &[(&'static str, Option<String>)]) -> Machine {
    let set = variables
        .iter()
        .filter_map(|(name, value)| Some(((*name).to_owned(), Private::new(value.clone()?))));
    Machine { variables: set.collect(), ..Machine::default() }
}

/// Returns the value of the variable that is a place.
pub(super) fn value<'a>(machine: &'a Machine, place: &Place) -> Option<&'a str> {
    match place {
        Place::Variable(name) => machine.variable(name).map(Private::raw),
        _ => None,
    }
}
