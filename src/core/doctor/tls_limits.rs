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

/// What stands for many suites (ciphers(1)). With one of them nothing can be said of a list.
const KEYWORDS: &[&str] = &[
    "3DES",
    "ADH",
    "AECDH",
    "AES",
    "AES128",
    "AES256",
    "AESCCM",
    "AESCCM8",
    "AESGCM",
    "ALL",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "ARIAGCM",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "CBC",
    "CHACHA20",
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "DEFAULT",
    "DES",
    "DH",
    "DHE",
    "DSS",
    "ECDH",
    "ECDHE",
    "ECDSA",
    "EDH",
    "EECDH",
    "FIPS",
    "GOST89MAC",
    "HIGH",
    "IDEA",
    "LOW",
    "MD5",
    "MEDIUM",
    "NULL",
    "PSK",
    "RC2",
    "RC4",
    "RSA",
    "SEED",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "SRP",
    "SSLV3",
    "SUITEB128",
    "SUITEB128C2",
    "SUITEB128ONLY",
    "SUITEB192",
    "TLSV1",
    "TLSV1.0",
    "TLSV1.2",
    "ADSS",
    "AECDSA",
    "AGOST",
    "AGOST01",
    "ANULL",
    "APSK",
    "ARSA",
    "ENULL",
    "KDHE",
    "KDHEPSK",
    "KECDHE",
    "KECDHEPSK",
    "KEDH",
    "KEECDH",
    "KGOST",
    "KPSK",
    "KRSA",
    "KRSAPSK",
    "KSRP",
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
    /// Whatever the library has for a word.
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
    if machine.git_library == Some(Library::GnuTls) {
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

/// Reads a list as OpenSSL does (ciphers(1)): what it does not know it passes over.
fn read(list: &str) -> Suites {
    let is_known = |word: &str| KEYWORDS.contains(&word.to_ascii_uppercase().as_str());
    let mut codes = Vec::new();
    for word in list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()) {
        let is_taking = !word.starts_with(['!', '-', '@']);
        let name = word.trim_start_matches(['!', '-', '+']);
        let own = SUITES.iter().find(|(own, _)| *own == name).map(|(_, code)| *code);
        match own {
            Some(code) if word.starts_with('+') || codes.contains(&code) && is_taking => {}
            Some(code) if is_taking => codes.push(code),
            Some(code) => codes.retain(|own| *own != code),
            None if is_taking && !word.starts_with('+') && name.split('+').all(is_known) => {
                return Suites::Any;
            }
            None => {}
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
            ("RC4-SHA:DES-CBC3-SHA:nonsense", these(&[])),
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
        let list = machine("http.sslcipherlist", "RC4-SHA");
        assert!(suites(&list, URL).is_some());
        let gnutls = Machine { git_library: Some(Library::GnuTls), ..list };
        assert!(suites(&gnutls, URL).is_none());
    }
}
