//! T: TLS.
//!
//! Not here: T22 (neither go nor git looks at revocation; curl does by `--crlfile`).

use crate::inject::case::{
    Case, PROXY, Target,
    Tool::{Curl, Git, Go},
    both,
};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [certificates(), trust(), handshakes(), clocks()].concat()
}

/// A fault that go and git both fail of, for a module and for its repository.
fn fault(code: &str, about: &str, host: &str) -> Vec<Case> {
    both(code, about, host, |case| case)
}

fn certificates() -> Vec<Case> {
    let mut cases = [
        fault("T01", "a certificate that signed itself", "selfsigned.corp.test"),
        fault("T02", "an inspection's certificate", "inspected.corp.test"),
        fault("T03", "the authority in between is not sent", "nointermediate.corp.test"),
        fault("T04", "an expired certificate", "expired.corp.test"),
        fault("T05", "a certificate of the future", "notyet.corp.test"),
        fault("T07", "a certificate of another host", "wronghost.corp.test"),
        fault("T09", "an authority that may not sign for the name", "constrained.corp.test"),
        fault("T20", "a second root that nobody installed", "second.corp.test"),
        fault("T20", "the authority of somebody else", "mitm.corp.test"),
    ]
    .concat();
    // git's GnuTLS takes these; go does not.
    cases.push(Case::new("T08").about("no names").origin("nosan.corp.test"));
    cases.push(Case::new("T10").about("for clients only").origin("clienteku.corp.test"));
    // go and GnuTLS take it; OpenSSL does not.
    cases.push(
        Case::new("T11")
            .about("RSA 1024")
            .repository("weakrsa.corp.test")
            .succeeds(&[Git])
            .fails(&[Curl])
            .exit(0),
    );
    cases.extend(both("T23", "signed with SHA-1", "sha1.corp.test", |case| case));
    let address = crate::inject::farm::address("pub.corp.test");
    cases.push(
        Case::new("T26")
            .about("an address in place of a name")
            .url(&format!("https://{address}/team/lib.git")),
    );
    let proxied = |host: &str| {
        let case = Case::new("T04").about("an expired certificate, through the proxy").proxy(PROXY);
        case.repository(host)
    };
    cases.push(proxied("expired.corp.test"));
    cases.push(
        Case::new("T02")
            .about("an inspection's certificate, through the proxy")
            .proxy(PROXY)
            .origin("inspected.corp.test"),
    );
    cases
}

/// The server is good, and the tools do not trust it.
fn trust() -> Vec<Case> {
    let nothing =
        |case: Case| case.unset("SSL_CERT_FILE").unset("GIT_SSL_CAINFO").unset("CURL_CA_BUNDLE");
    let mut cases = both("T20", "the company's root was never installed", "pub.corp.test", nothing);
    cases.push(
        nothing(Case::new("T20").about("the module proxy's root was never installed"))
            .module("example.com/pub@v1.0.0"),
    );
    let empty = |case: Case| {
        let case = case.file("~/empty.pem", "").unset("CURL_CA_BUNDLE").unset("GIT_SSL_CAINFO");
        case.folder("~/nobody").env("SSL_CERT_FILE", "{HOME}/empty.pem")
    };
    cases.push(
        empty(Case::new("T21").about("no authority is trusted"))
            .env("SSL_CERT_DIR", "{HOME}/nobody")
            .origin("pub.corp.test"),
    );
    cases.push(
        Case::new("T21")
            .about("the system's store is empty")
            .unset("SSL_CERT_FILE")
            .unset("GIT_SSL_CAINFO")
            .unset("CURL_CA_BUNDLE")
            .origin("pub.corp.test")
            .root(|stage| {
                stage.sh("mount -t tmpfs none /etc/ssl; mkdir -p /etc/ssl/certs");
            }),
    );
    cases
}

fn handshakes() -> Vec<Case> {
    let mut cases = [
        fault("T13", "a client certificate is wanted", "mtls.corp.test"),
        fault("T13", "nginx wants a client certificate", "mtls400.corp.test"),
        fault("T14", "the name is refused by an alert", "sniblock.corp.test"),
        fault("T14", "the name is refused by an end", "sniclose.corp.test"),
        fault("T15", "plain HTTP on port 443", "plain443.corp.test"),
        fault("T16", "no common cipher", "alert40.corp.test"),
        fault("T17", "closed after the client's hello", "tlsclose.corp.test"),
        fault("T18", "reset after the client's hello", "tlsrst.corp.test"),
    ]
    .concat();
    for (host, about) in [("tls10.corp.test", "TLS 1.0 only"), ("tls11.corp.test", "TLS 1.1 only")]
    {
        cases.push(Case::new("T12").about(about).origin(host));
        // git's GnuTLS takes them, unless it is told not to.
        cases.push(Case::new("T12").about(about).repository(host).succeeds(&[Git]).exit(0));
        cases.push(
            Case::new("T12")
                .about(&format!("{about}, and git is told to begin with 1.2"))
                .repository(host)
                .gitconfig("[http]\n\tsslVersion = tlsv1.2\n"),
        );
    }
    cases.extend(both(
        "T16",
        "git speaks TLS 1.3 only, the server 1.2",
        "tls12.corp.test",
        |case| case.gitconfig("[http]\n\tsslVersion = tlsv1.3\n").fixed(),
    ));
    cases.extend(both("T16", "a variable: TLS 1.3 only", "tls12.corp.test", |case| {
        case.env("GIT_SSL_VERSION", "tlsv1.3")
    }));
    cases.extend(both("T19", "the handshake is never answered", "tlsstall.corp.test", |case| {
        let tool = if matches!(case.target, Target::Url(_)) { Git } else { Go };
        case.hangs(&[tool])
    }));
    cases
}

/// go reads the clock past libc, so that only git sees what faketime says.
fn clocks() -> Vec<Case> {
    ["+2y", "-2y"]
        .into_iter()
        .map(|shift| {
            Case::new("T06")
                .about(&format!("the clock is wrong by {shift}"))
                .repository("pub.corp.test")
                .wrap(&["faketime", "-f", shift])
        })
        .collect()
}
