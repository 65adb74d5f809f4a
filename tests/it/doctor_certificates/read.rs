//! Certificates are read as openssl wrote them.

use gocred::core::{
    doctor::certificate::{Constraints, parse},
    time,
};

use super::{EC, Folder};

#[test]
fn what_openssl_wrote_is_read() {
    let Some(folder) = Folder::new() else { return };
    let rest = [
        "-subj",
        "/C=DE/O=Corp Ltd/CN=git.corp.test",
        // Beyond 2050 it is a GeneralizedTime.
        "-days",
        "9000",
        "-addext",
        "subjectAltName=DNS:git.corp.test,DNS:*.corp.test,IP:127.0.0.10,IP:::1",
        "-addext",
        "extendedKeyUsage=clientAuth,serverAuth",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "authorityInfoAccess=OCSP;URI:http://o.test/,caIssuers;URI:http://ca.test/ca.crt",
    ];
    let read = folder.make("leaf", None, &[&EC, &rest]);
    let shown = &read.shown;
    assert_eq!(shown.subject, "C=DE, O=Corp Ltd, CN=git.corp.test");
    assert_eq!(shown.issuer, shown.subject);
    assert!(shown.is_self_signed && !shown.is_authority && read.has_names);
    assert_eq!(shown.names, ["git.corp.test", "*.corp.test", "127.0.0.10", "::1"]);
    assert_eq!(shown.purposes.clone().unwrap(), ["clientAuth", "serverAuth"]);
    assert_eq!((shown.key.as_str(), shown.rsa_bits), ("EC P-256", 0));
    assert_eq!(shown.issuer_url.as_deref(), Some("http://ca.test/ca.crt"));
    let x509 = |arguments: &[&str]| {
        folder.openssl(&[&["x509", "-noout", "-in", "leaf.pem"], arguments].concat())
    };
    let dates = x509(&["-dates", "-dateopt", "iso_8601"]);
    let moments: Vec<u64> = dates
        .lines()
        .map(|line| time::timestamp(line.split_once('=').unwrap().1).unwrap())
        .collect();
    assert_eq!(moments, [shown.valid.0, shown.valid.1]);
    let said = x509(&["-fingerprint", "-sha256"]).to_lowercase().replace(':', "");
    assert!(said.trim().ends_with(&shown.fingerprint), "{said}");
}

#[test]
fn keys_and_constraints_are_told() {
    let Some(folder) = Folder::new() else { return };
    let constraints = Constraints {
        permitted: vec!["corp.test".to_owned()],
        excluded: vec!["evil.corp.test".to_owned()],
    };
    for (key, told) in [
        (&["-newkey", "rsa:1024"][..], "RSA 1024"),
        (&["-newkey", "ed25519"], "Ed25519"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"], "EC P-384"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"], "EC P-521"),
    ] {
        let rest = [
            "-subj",
            "/CN=x",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "nameConstraints=critical,permitted;DNS:corp.test,excluded;DNS:evil.corp.test",
        ];
        let read = folder.make("ca", None, &[key, &rest]);
        assert_eq!(read.shown.key, told);
        assert!(read.shown.is_authority && !read.has_names && read.shown.names.is_empty());
        assert_eq!(read.constraints, constraints);
        assert_eq!(read.shown.purposes, None);
    }
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let Some(folder) = Folder::new() else { return };
    let read = folder.make("x", None, &[&EC, &["-utf8", "-subj", "/CN=a\u{1b}[2Jb"]]);
    assert_eq!(read.shown.subject, "CN=a\u{fffd}[2Jb");
}

#[test]
fn no_byte_too_few_or_wrong_does_harm() {
    let Some(folder) = Folder::new() else { return };
    folder.make(
        "x",
        None,
        &[&EC, &["-subj", "/CN=x", "-addext", "subjectAltName=DNS:x,IP:127.0.0.1"]],
    );
    let der = folder.der("x");
    for end in 0..der.len() {
        assert!(parse(der.get(..end).unwrap()).is_none());
    }
    for at in 0..der.len() {
        for flip in [1, 0x80, 0xff] {
            let mut der = der.clone();
            *der.get_mut(at).unwrap() ^= flip;
            let _ = parse(&der);
        }
    }
}
