//! What git's settings allow of TLS: `http.sslVersion` is the oldest version (libcurl's `CURLOPT_SSLVERSION`),
//! `http.sslCipherList` the cipher suites up to TLS 1.2 (`CURLOPT_SSL_CIPHER_LIST`), which `GnuTLS` passes over.

use crate::core::doctor::{
    machine::{GitValue, Library, Machine},
    place::Place,
    private::Private,
    route::git_config,
};

/// The suites that OpenSSL knows by name and that are built today, with IANA's numbers.
const SUITES: &[(&str, u16)] = &[
    ("ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b),
    ("ECDHE-RSA-AES128-GCM-SHA256", 0xc02f),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c),
    ("ECDHE-RSA-AES256-GCM-SHA384", 0xc030),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9),
    ("ECDHE-RSA-CHACHA20-POLY1305", 0xcca8),
    ("DHE-RSA-CHACHA20-POLY1305", 0xccaa),
    ("DHE-RSA-AES128-GCM-SHA256", 0x009e),
    ("DHE-RSA-AES256-GCM-SHA384", 0x009f),
    ("ECDHE-ECDSA-AES128-SHA256", 0xc023),
    ("ECDHE-RSA-AES128-SHA256", 0xc027),
    ("ECDHE-ECDSA-AES256-SHA384", 0xc024),
    ("ECDHE-RSA-AES256-SHA384", 0xc028),
    ("DHE-RSA-AES128-SHA256", 0x0067),
    ("DHE-RSA-AES256-SHA256", 0x006b),
    ("ECDHE-ECDSA-AES128-SHA", 0xc009),
    ("ECDHE-RSA-AES128-SHA", 0xc013),
    ("ECDHE-ECDSA-AES256-SHA", 0xc00a),
    ("ECDHE-RSA-AES256-SHA", 0xc014),
    ("DHE-RSA-AES128-SHA", 0x0033),
    ("DHE-RSA-AES256-SHA", 0x0039),
    ("AES128-GCM-SHA256", 0x009c),
    ("AES256-GCM-SHA384", 0x009d),
    ("AES128-SHA256", 0x003c),
    ("AES256-SHA256", 0x003d),
    ("AES128-SHA", 0x002f),
    ("AES256-SHA", 0x0035),
];

/// What stands for suites none of which is above: to take them away changes nothing there. Any other word that is not
/// above may stand for some of them, or for one that only some libraries have.
const OTHERS: &[&str] = &[
    "3DES", "ADH", "AECDH", "aDSS", "aNULL", "aPSK", "ARIA", "CAMELLIA", "DES", "DSS", "eNULL",
    "EXP", "EXPORT", "GOST", "IDEA", "kPSK", "kSRP", "LOW", "MD5", "NULL", "PSK", "RC2", "RC4",
    "SEED", "SRP",
];

/// A value that counts, and where it stands.
pub(crate) struct Limit<'a> {
    /// The value.
    pub(crate) value: Private,
    /// Where.
    pub(crate) place: Place,
    /// Its line of git's configuration; `None` for a variable.
    pub(crate) setting: Option<&'a GitValue>,
}

/// What a list of cipher suites selects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Suites {
    /// Whatever the library has for a word. Nothing can be said of it.
    Any,
    /// These. None at all: the library refuses the list.
    These(Vec<u16>),
}

/// Returns the oldest version that git offers, such as 13 for TLS 1.3.
pub(crate) fn oldest<'a>(machine: &'a Machine, url: &str) -> Option<(u8, Limit<'a>)> {
    let limit = limit(machine, url, "GIT_SSL_VERSION", "sslversion")?;
    // git knows the words as they are written here, and passes over others with a warning (http.c `sslversions`).
    let version = match limit.value.raw() {
        "tlsv1.3" => 13,
        "tlsv1.2" => 12,
        "tlsv1.1" => 11,
        "tlsv1" | "tlsv1.0" => 10,
        _ => return None,
    };
    Some((version, limit))
}

/// Returns the limit to a version that OpenSSL does not have any more; `GnuTLS` passes over it.
pub(crate) fn ancient<'a>(machine: &'a Machine, url: &str) -> Option<Limit<'a>> {
    let limit = limit(machine, url, "GIT_SSL_VERSION", "sslversion")?;
    let is_ancient = matches!(limit.value.raw(), "sslv2" | "sslv3");
    (is_ancient && machine.git_library == Some(Library::OpenSsl)).then_some(limit)
}

/// Returns the suites that git offers a server of TLS 1.2, where a setting limits them and git's library minds.
pub(crate) fn suites<'a>(machine: &'a Machine, url: &str) -> Option<(Suites, Limit<'a>)> {
    let limit = limit(machine, url, "GIT_SSL_CIPHER_LIST", "sslcipherlist")?;
    if machine.git_library != Some(Library::OpenSsl) {
        return None;
    }
    Some((read(limit.value.raw()), limit))
}

fn limit<'a>(machine: &'a Machine, url: &str, variable: &str, key: &str) -> Option<Limit<'a>> {
    if let Some(value) = machine.variable(variable) {
        let place = Place::Variable(variable.to_owned());
        return Some(Limit { value: value.clone(), place, setting: None });
    }
    let setting = git_config::best(&machine.git_config, ("http", key), url)
        .filter(|setting| !setting.value.raw().is_empty())?;
    let (value, place) = (setting.value.clone(), setting.place.clone());
    Some(Limit { value, place, setting: Some(setting) })
}

/// Reads a list as OpenSSL does (ciphers(1)).
fn read(list: &str) -> Suites {
    let (mut codes, mut killed) = (Vec::new(), Vec::new());
    for word in list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()) {
        let name = word.trim_start_matches(['!', '-', '+', '@']);
        let own = SUITES.iter().find(|(own, _)| *own == name).map(|(_, code)| *code);
        match (word.chars().next(), own) {
            // The order, which is nobody's business here.
            (Some('+'), _) => {}
            (Some('@'), _) if name == "STRENGTH" => {}
            (Some(mark @ ('!' | '-')), Some(code)) => {
                codes.retain(|own| *own != code);
                // It cannot come back.
                killed.extend((mark == '!').then_some(code));
            }
            (Some('!' | '-'), None) if OTHERS.contains(&name) => {}
            (Some('!' | '-' | '@'), _) => return Suites::Any,
            (_, Some(code)) if codes.contains(&code) || killed.contains(&code) => {}
            (_, Some(code)) => codes.push(code),
            // Those of TLS 1.3 have a list of their own.
            (_, None) if ["TLS_AES_", "TLS_CHACHA20_"].iter().any(|it| name.starts_with(it)) => {}
            (_, None) => return Suites::Any,
        }
    }
    Suites::These(codes)
}

#[cfg(test)]
mod tests {
    use super::{Suites, oldest, read, suites};
    use crate::core::doctor::{
        machine::{GitValue, Library, Machine},
        place::Place,
        private::Private,
    };

    const URL: &str = "https://h.test/x.git";

    fn machine(key: &str, value: &str) -> Machine {
        let value = GitValue {
            key: key.to_owned(),
            value: Private::new(value),
            place: Place::File("/home/ana/.gitconfig".into(), Some(3)),
            is_local: false,
        };
        Machine { git_config: vec![value], ..Machine::default() }
    }

    #[test]
    fn a_list_of_suites_is_read_as_openssl_reads_it() {
        let these = |codes: &[u16]| Suites::These(codes.to_vec());
        for (list, selected) in [
            ("ECDHE-RSA-AES128-GCM-SHA256", these(&[0xc02f])),
            ("AES128-SHA,AES256-SHA AES128-SHA", these(&[0x2f, 0x35])),
            ("AES128-SHA:AES256-SHA:!AES128-SHA", these(&[0x35])),
            // Some libraries have them.
            ("RC4-SHA", Suites::Any),
            ("AES128-SHA:ECDHE-ECDSA-AES128-CCM", Suites::Any),
            ("AES128-SHA:nonsense", Suites::Any),
            ("AES128-SHA:!kRSA", Suites::Any),
            ("AES128-SHA:@SECLEVEL=3", Suites::Any),
            ("AES128-SHA:!AES128-SHA:AES128-SHA", these(&[])),
            ("AES128-SHA:-AES128-SHA:AES128-SHA", these(&[0x2f])),
            ("AES128-SHA:+AES128-SHA:!RC4:!3DES", these(&[0x2f])),
            ("TLS_AES_128_GCM_SHA256", these(&[])),
            ("HIGH:!aNULL", Suites::Any),
            ("AES128-SHA:ECDHE+AESGCM", Suites::Any),
            ("!aNULL:AES128-SHA:@STRENGTH", these(&[0x2f])),
        ] {
            assert_eq!(read(list), selected, "{list}");
        }
    }

    #[test]
    fn a_variable_stands_before_the_configuration_and_gnutls_knows_no_list() {
        let mut own = machine("http.https://h.test/.sslversion", "tlsv1.3");
        assert_eq!(oldest(&own, URL).map(|(version, _)| version), Some(13));
        assert!(oldest(&own, "https://i.test/x.git").is_none());
        own.variables.insert("GIT_SSL_VERSION".to_owned(), Private::new("tlsv1.2"));
        let (version, limit) = oldest(&own, URL).unwrap();
        assert_eq!((version, limit.place.to_string()), (12, "$GIT_SSL_VERSION".to_owned()));
        let mut list = machine("http.sslcipherlist", "AES128-SHA");
        for (library, counts) in
            [(Some(Library::OpenSsl), true), (Some(Library::GnuTls), false), (None, false)]
        {
            list.git_library = library;
            assert_eq!(suites(&list, URL).is_some(), counts, "{library:?}");
        }
    }
}
