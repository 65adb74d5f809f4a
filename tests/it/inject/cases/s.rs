//! S: the checksum database. (What GOSUMDB itself says wrong, S06, S07 and S12, is in `e`.)

use crate::inject::case::{Case, Tool::Go};

/// A key of the same name that the database does not sign with.
const OTHER: &str = "sum.corp.test+12ae429e+AdkpihDRsHNYN9xL2F2sZBsPPO8npH5dU6VPLz9bL8/6";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let case =
        |code: &str, about: &str| Case::new(code).about(about).module("example.com/pub@v1.0.0");
    let at = |code: &str, about: &str, url: &str| {
        case(code, about).goenv(&format!("GOSUMDB={{SUMDB}} https://{url}.corp.test"))
    };
    vec![
        at("S01", "refused", "refused"),
        at("S01", "no route", "netunreach"),
        at("S01", "no such name", "nosuch"),
        case("S02", "the module proxy says 403").goenv("GOPROXY=https://gpsum403.corp.test"),
        case("S03", "404, and the database is blocked").root(|stage| {
            stage.sh("iptables -I OUTPUT -p tcp -d $(grep host-record=sum.corp.test, {FARM}/dnsmasq-53.conf | cut -d, -f2) --dport 443 -j REJECT --reject-with tcp-reset");
        }),
        Case::new("S04")
            .about("a private module")
            .module("complete.corp.test/team/lib@v1.0.0")
            .goenv("GONOPROXY=*.corp.test"),
        case("S05", "another key").goenv(&format!("GOSUMDB={OTHER}")),
        case("S08", "other content").goenv("GOPROXY=https://gptamper.corp.test"),
        at("S09", "a portal", "sumhtml"),
        at("S10", "not trusted", "mitm"),
        at("S11", "429", "s429"),
        case("S06", "a name without a key").goenv("GOSUMDB=sum.corp.test").fixed(),
        case("S06", "a key that is cut").goenv("GOSUMDB=sum.corp.test+12ae429e+AdkpihDRsHN"),
        case("S07", "three words").goenv("GOSUMDB={SUMDB} https://sum.corp.test x").fixed(),
        case("S12", "off").goenv("GOSUMDB=off").succeeds(&[Go]),
        case("S15", "everything is excepted").goenv("GONOSUMDB=*").succeeds(&[Go]),
        Case::new("S13")
            .about("a merge conflict in go.sum")
            .here("module work.test/main\n\ngo 1.21\n\nrequire example.com/pub v1.0.0\n")
            .file("{WORK}/go.sum", "<<<<<<< HEAD\n=======\n>>>>>>> feature\n"),
    ]
}
