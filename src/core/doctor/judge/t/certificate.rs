//! Certificates that are not taken, and why.

use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Severity, Tool},
        judge::{
            Case,
            t::{handshake::base, inspector},
        },
        leg::{Leg, Why},
        probe::{Certificate, CertificateFlaw as Flaw, Tls},
        shell::quoted,
    },
    time,
};

/// How much a clock may differ, in seconds.
const DRIFT: u64 = 300;

/// Returns what a certificate that is not taken means.
#[expect(clippy::too_many_lines, reason = "each flaw has its arm")]
pub(super) fn finding(leg: &Leg<'_>, tls: &Tls, flaw: &Flaw, case: &Case<'_>) -> Finding {
    let host = leg.host();
    let leaf = tls.chain.first().cloned().unwrap_or_default();
    let make = |code, cause, observed: &str, expected: &str| {
        base(leg, code, cause, observed, expected).took(tls.took)
    };
    match flaw {
        Flaw::Expired | Flaw::NotYetValid => match clock(leg, case) {
            Some(finding) => finding,
            None => out_of_date(leg, tls, *flaw == Flaw::Expired, case),
        },
        Flaw::WrongName if is_address(host) => make(
            "T26",
            format!(
                "{host} is asked by its address, and its certificate is for {} only.",
                leaf.names.join(", ")
            ),
            &leaf.names.join(", "),
            host,
        )
        .explains(&["T07"]),
        Flaw::WrongName => make(
            "T07",
            format!(
                "The certificate that answers for {host} is for {}: the name is wrong, it resolves to another \
                 server, or somebody else answers in its place.",
                leaf.names.join(", ")
            ),
            &leaf.names.join(", "),
            host,
        ),
        Flaw::NoNames => legacy(
            leg,
            make(
                "T08",
                format!("The certificate of {host} names it in its subject only, which go does not read any more."),
                &leaf.subject,
                "a subjectAltName extension",
            ),
            &[Tool::Go],
        ),
        Flaw::NameConstraint => make(
            "T09",
            format!(
                "{} signed the certificate of {host}, but may not sign for that name.",
                leaf.issuer
            ),
            "a name that the authority's constraints exclude",
            host,
        ),
        Flaw::WrongPurpose => legacy(
            leg,
            make(
                "T10",
                format!("The certificate of {host} is not meant for servers."),
                &leaf.purposes.unwrap_or_default().join(", "),
                "serverAuth",
            ),
            &[Tool::Go, Tool::Curl],
        ),
        // Nobody takes these any more: crypto/x509 since Go 1.18, GnuTLS since 3.6, OpenSSL at its level 1.
        Flaw::Weak(what) if what.contains("SHA-1") || what.contains("MD5") => make(
            "T23",
            format!("The certificate of {host} has {what}, which go, GnuTLS and OpenSSL refuse."),
            what,
            "a signature with SHA-256",
        )
        .explains(&["T11"]),
        Flaw::Weak(what) => legacy(
            leg,
            make(
                "T11",
                format!("The certificate of {host} has {what}, which OpenSSL refuses; go and GnuTLS still take it."),
                what,
                "RSA 2048 or more, SHA-256",
            ),
            &[Tool::Curl],
        ),
        Flaw::SelfSigned => make(
            "T01",
            format!("{host} signed its certificate itself, and nobody here trusts that certificate."),
            &format!("{}, sha256 {}", leaf.subject, leaf.fingerprint),
            "a certificate of an authority that is trusted",
        )
        .run(import(leg)),
        Flaw::UnknownIssuer(issuer) => unknown(leg, tls, issuer),
        Flaw::NoRoots => make(
            "T21",
            "No certificate authority is trusted at all: the system's store is empty, as in a slim container."
                .to_owned(),
            "0 authorities",
            "the system's store",
        )
        .run("apt-get install -y ca-certificates"),
        Flaw::Other(error) => make(
            "T20",
            format!("The certificate of {host} is not taken: {error}."),
            error,
            "a certificate that is trusted",
        )
        .confidence(Confidence::Possible),
    }
}

/// Whether a host is an address.
fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

/// What only some tools refuse is an error where one of them asks, and a warning where another does.
fn legacy(leg: &Leg<'_>, mut finding: Finding, refused_by: &[Tool]) -> Finding {
    let is_refused =
        leg.affects().iter().any(|tool| refused_by.contains(tool) && leg.tool == *tool);
    finding.affects = refused_by.iter().copied().collect();
    if is_refused { finding } else { finding.severity(Severity::Warning) }
}

/// An authority that nobody here trusts: an inspection, a server that does not send the one in between, or
/// a root that was never installed.
fn unknown(leg: &Leg<'_>, tls: &Tls, issuer: &str) -> Finding {
    let host = leg.host();
    let is_good_elsewhere = leg
        .also(Why::WithoutProxy)
        .and_then(|also| also.seen.tls.as_ref())
        .is_some_and(|tls| tls.verdict == Some(Ok(())));
    let observed = format!("issuer {issuer}");
    let make = |code, why: String| {
        base(leg, code, why, &observed, "an authority that is trusted").took(tls.took)
    };
    if is_good_elsewhere || tls.chain.iter().any(|one| inspector::is_named(&one.issuer)) {
        let why = format!(
            "Something on the way to {host} opens TLS and signs with its own authority, {issuer}, which {} \
             does not trust. Companies do so to inspect traffic.",
            leg.tool.name()
        );
        let sure = if is_good_elsewhere { Confidence::Certain } else { Confidence::Likely };
        return make("T02", why).confidence(sure).run(import(leg));
    }
    if let Some(finding) = known_elsewhere(leg, tls, issuer) {
        return finding;
    }
    if is_incomplete(tls, issuer) {
        let why = format!(
            "{host} sends its certificate without the one of its authority, {issuer}. Browsers find it by \
             themselves, go and git do not."
        );
        let mut finding = make("T03", why).confidence(Confidence::Likely);
        finding.fix.text =
            format!("whoever runs {host} must serve the whole chain (fullchain.pem)");
        let from = tls.chain.iter().find_map(|one| one.issuer_url.as_ref());
        return match from {
            Some(url) => finding.run(format!(
                "curl -sS {} | openssl x509 -inform der >>~/intermediate.pem",
                quoted(url)
            )),
            None => finding,
        };
    }
    let why = format!(
        "The certificate of {host} comes from {issuer}, an authority that {} does not trust: a private root \
         that was not installed for it.",
        leg.tool.name()
    );
    make("T20", why).run(import(leg))
}

/// E45: both tools are told of authorities, not of the same ones, and the other one trusts this one. (Where only
/// one is told, the checks say so.)
fn known_elsewhere(leg: &Leg<'_>, tls: &Tls, issuer: &str) -> Option<Finding> {
    let (file, said) = leg.asked.trust.file.as_ref()?;
    let trusts = |tool: &Tool| {
        let also = leg.also(Why::Trust(*tool))?;
        let is_good = also.seen.tls.as_ref().is_some_and(|tls| tls.verdict == Some(Ok(())));
        also.trust.file.as_ref().filter(|_| is_good)
    };
    let (other, (known, said_of_other)) =
        [Tool::Go, Tool::Git].iter().find_map(|tool| Some((tool, trusts(tool)?)))?;
    let (host, file, known) = (leg.host(), file.display(), known.display());
    let (tool, other) = (leg.tool.name(), other.name());
    let why = format!(
        "{other} trusts the authority of {host} by {known} ({said_of_other}); {tool} reads {file} ({said}), \
         where {issuer} is not."
    );
    let finding = base(leg, "E45", why, &format!("issuer {issuer}"), "one file for both");
    let [known, file] = [known, file].map(|file| quoted(&file.to_string()));
    Some(finding.took(tls.took).run(format!("cat {known} >>{file}")).explains(&["T20"]))
}

/// Whether the authority in between is missing: the last certificate says where its issuer's is to be had,
/// or an authority of the same organisation is trusted. A root is sent by nobody and named as one.
fn is_incomplete(tls: &Tls, issuer: &str) -> bool {
    // The one that nobody in the chain signed; what else is sent does not belong to it.
    let last = tls.chain.iter().find(|one| one.issuer == issuer).or_else(|| tls.chain.last());
    let Some(last) = last.filter(|last| !last.is_self_signed) else { return false };
    let is_root = issuer.to_lowercase().contains("root");
    !is_root && (last.issuer_url.is_some() || tls.has_relative)
}

/// Returns the command that makes the tools trust an authority, where they look for one.
fn import(leg: &Leg<'_>) -> String {
    match &leg.asked.trust.file {
        Some((file, _)) => {
            format!("cat corp-root.pem >>{}", quoted(&file.display().to_string()))
        }
        None => "sudo cp corp-root.pem /usr/local/share/ca-certificates/corp-root.crt && sudo \
                 update-ca-certificates"
            .to_owned(),
    }
}

/// Whether it is this machine's clock that is wrong: servers say another time.
fn clock(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let dates = case.legs.iter().flat_map(|leg| {
        let further = leg.also.iter().filter_map(|also| also.seen.http.as_ref());
        let proxies = leg.seen.connect.iter().flat_map(|connect| &connect.fields);
        let answers = leg.seen.http.iter().chain(further).flat_map(|http| &http.fields);
        answers
            .chain(proxies)
            .filter(|(name, _)| name == "date")
            .filter_map(|(_, value)| Some((leg.origin_endpoint(), time::http_date(value)?)))
            .collect::<Vec<_>>()
    });
    let now = case.machine.now;
    let (endpoint, theirs) = dates.into_iter().find(|(_, date)| date.abs_diff(now) > DRIFT)?;
    let (here, there) = (day(now), day(theirs));
    let why = format!(
        "The clock of this machine is wrong: it says {here}, {endpoint} says {there}. Certificates look \
         expired or not yet valid because of it."
    );
    let mut finding = base(leg, "T06", why, &format!("here {here}"), &there)
        .run("sudo timedatectl set-ntp true")
        .reproduce(format!("date -u; curl -skI https://{endpoint}/ | grep -i ^date"));
    finding = finding.explains(&["T04", "T05"]);
    Some(finding)
}

fn out_of_date(leg: &Leg<'_>, tls: &Tls, is_expired: bool, case: &Case<'_>) -> Finding {
    let host = leg.host();
    let now = case.machine.now;
    let is_it = |one: &&Certificate| {
        let (from, until) = one.valid;
        if is_expired { now > until } else { now < from }
    };
    let one =
        tls.chain.iter().find(is_it).or_else(|| tls.chain.first()).cloned().unwrap_or_default();
    let whose = if tls.chain.first() == Some(&one) {
        format!("The certificate of {host}")
    } else {
        format!("The authority {}, which signed for {host},", one.subject)
    };
    let (code, why, observed) = if is_expired {
        let until = day(one.valid.1);
        ("T04", format!("{whose} expired on {until}."), format!("valid until {until}"))
    } else {
        let from = day(one.valid.0);
        ("T05", format!("{whose} is not valid before {from}."), format!("valid from {from}"))
    };
    base(leg, code, why, &observed, &format!("valid on {}", day(now))).took(tls.took)
}

/// `2026-11-26`
fn day(seconds: u64) -> String {
    time::rfc3339(seconds.saturating_mul(1000)).chars().take(10).collect()
}
