//! Whether chains are good for a host, and the flaw that is told.

use gocred::core::doctor::{certificate::X509, probe::CertificateFlaw as Flaw, verdict::judge};

use super::{EC, Folder};

const DAY: u64 = 86_400;
const RSA: [&str; 2] = ["-newkey", "rsa:2048"];
const WEAK: [&str; 2] = ["-newkey", "rsa:1024"];
const VALID: [&str; 2] = ["-days", "30"];
const CA: [&str; 2] = ["-addext", "basicConstraints=critical,CA:TRUE"];

fn authority(at: &Folder, name: &str, issuer: Option<&str>, more: &[&str]) -> X509 {
    let subject = format!("/CN={name}");
    at.make(name, issuer, &[&EC, &VALID, &CA, &["-subj", &subject], more])
}

fn leaf(at: &Folder, issuer: Option<&str>, key: &[&str], more: &[&str]) -> X509 {
    let base = ["-subj", "/CN=git.corp.test", "-addext", "basicConstraints=CA:FALSE"];
    let names = ["-addext", "subjectAltName=DNS:git.corp.test,IP:127.0.0.1"];
    at.make("leaf", issuer, &[key, &base, &names, more])
}

fn verdict(sent: &[&X509], roots: &[&X509]) -> Result<(), Flaw> {
    let own = |all: &[&X509]| all.iter().map(|it| (*it).clone()).collect::<Vec<_>>();
    let now = sent.first().map_or(0, |leaf| leaf.shown.valid.0);
    judge(&own(sent), &own(roots), "git.corp.test", now + DAY)
}

#[test]
fn a_chain_to_a_root_is_good_and_one_without_its_middle_is_not() {
    let Some(at) = Folder::new() else { return };
    let at = &at;
    let root = authority(at, "root", None, &[]);
    let middle = authority(at, "middle", Some("root"), &[]);
    let other = authority(at, "other", None, &[]);
    for key in [&EC[..], &RSA] {
        let good = leaf(at, Some("middle"), key, &VALID);
        assert_eq!(verdict(&[&good, &middle], &[&other, &root]), Ok(()));
        assert_eq!(verdict(&[&good, &other, &middle, &root], &[&root]), Ok(()));
        assert_eq!(verdict(&[&good], &[&good]), Ok(()));
        let unknown = |name: &str| Err(Flaw::UnknownIssuer(format!("CN={name}")));
        assert_eq!(verdict(&[&good], &[&root]), unknown("middle"));
        assert_eq!(verdict(&[&good, &middle], &[&other]), unknown("root"));
        assert_eq!(verdict(&[&good, &middle, &root], &[&other]), unknown("root"));
        assert_eq!(verdict(&[&good, &middle], &[]), Err(Flaw::NoRoots));
        let named = |host: &str| {
            judge(
                &[good.clone(), middle.clone()],
                std::slice::from_ref(&root),
                host,
                good.shown.valid.0,
            )
        };
        assert_eq!(named("127.0.0.1"), Ok(()));
        assert_eq!(named("GIT.corp.test."), Ok(()));
        assert_eq!(named("127.0.0.2"), Err(Flaw::WrongName));
        assert_eq!(named("corp.test"), Err(Flaw::WrongName));
    }
}

/// Somebody else's authority of the same name.
#[test]
fn a_name_alone_makes_no_issuer() {
    let (Some(one), Some(two)) = (Folder::new(), Folder::new()) else { return };
    authority(&one, "root", None, &[]);
    let root = authority(&two, "root", None, &[]);
    let forged = leaf(&one, Some("root"), &EC, &VALID);
    assert_eq!(verdict(&[&forged], &[&root]), Err(Flaw::UnknownIssuer("CN=root".to_owned())));
    assert!(verdict(&[&forged, &root], &[&root]).is_err());
}

#[test]
fn each_flaw_has_its_name() {
    let Some(at) = Folder::new() else { return };
    let at = &at;
    let root = authority(at, "root", None, &[]);
    let of_root = |more: &[&str]| leaf(at, Some("root"), &EC, more);
    let alone = leaf(at, None, &EC, &VALID);
    assert_eq!(verdict(&[&alone], &[&root]), Err(Flaw::SelfSigned));
    let good = of_root(&VALID);
    let at_time = |now: u64, sent: &[X509]| judge(sent, &[], "git.corp.test", now);
    let (from, until) = good.shown.valid;
    let good = [good];
    assert_eq!(at_time(from - 1, &good), Err(Flaw::NotYetValid));
    assert_eq!(at_time(until + 1, &good), Err(Flaw::Expired));
    let short = authority(at, "short", None, &["-days", "1"]);
    let longer = leaf(at, Some("short"), &EC, &VALID);
    let two_days = longer.shown.valid.0 + 2 * DAY;
    assert_eq!(judge(&[longer], &[short], "git.corp.test", two_days), Err(Flaw::Expired));
    let client = of_root(&[&VALID[..], &["-addext", "extendedKeyUsage=clientAuth"]].concat());
    assert_eq!(verdict(&[&client], &[&root]), Err(Flaw::WrongPurpose));
    let short = leaf(at, Some("root"), &WEAK, &VALID);
    assert_eq!(verdict(&[&short], &[&root]), Err(Flaw::Weak("RSA 1024".to_owned())));
    let subject = ["-subj", "/CN=git.corp.test"];
    let nameless = at.make("nameless", Some("root"), &[&EC, &VALID, &subject]);
    assert_eq!(verdict(&[&nameless], &[&root]), Err(Flaw::NoNames));
    let constraint = ["-addext", "nameConstraints=critical,permitted;DNS:other.test"];
    let narrow = authority(at, "narrow", None, &constraint);
    let outside = leaf(at, Some("narrow"), &EC, &VALID);
    assert_eq!(verdict(&[&outside], &[&narrow]), Err(Flaw::NameConstraint));
    assert_eq!(verdict(&[], &[&root]), Err(Flaw::Other("there is no certificate".to_owned())));
    // A server's certificate signs nobody.
    let server = leaf(at, Some("root"), &EC, &VALID);
    let name = ["-subj", "/CN=x", "-addext", "subjectAltName=DNS:git.corp.test"];
    let below = at.make("below", Some("leaf"), &[&EC, &VALID, &name]);
    assert!(matches!(verdict(&[&below, &server], &[&root]), Err(Flaw::Other(_))));
}
