//! Git, go-import and what a repository answers.
//!
//! Portals and login pages in place of an answer are `h`'s, which knows them by more than that they are
//! pages; what files show by themselves (helpers, insteadOf, protocol.allow) is the checks'.

mod import;
mod pseudo;
mod repository;
mod revision;
mod ssh;
mod ssh_keys;

pub(super) use import::nested;

use crate::core::doctor::{
    finding::Finding,
    judge::{Case, say},
    leg::{Leg, Purpose},
    probe::Http,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    // What is in an answer that comes packed, unasked, is not looked at (H13 says where it is not even that).
    let is_packed = leg.answer().is_some_and(|http| {
        let coding = http.field("content-encoding").unwrap_or("identity");
        http.status == Some(200) && !coding.eq_ignore_ascii_case("identity")
    });
    let finding = match leg.purpose {
        _ if is_packed => None,
        Purpose::Meta => import::page(leg, case),
        Purpose::Repository => import::clear(leg, case).or_else(|| repository::finding(leg, case)),
        Purpose::Ssh => return ssh::findings(leg, case),
        Purpose::Info | Purpose::Latest | Purpose::List | Purpose::Mod | Purpose::Zip => {
            import::proxy(leg, case)
        }
        Purpose::Pack | Purpose::Plain | Purpose::SumdbLookup | Purpose::SumdbSupported => None,
    };
    finding.into_iter().collect()
}

/// Starts a finding with what was answered, without anything of the body: a server may repeat in it what it
/// was sent.
pub(super) fn answered(code: &'static str, reason: String, leg: &Leg<'_>, http: &Http) -> Finding {
    let mut observed = match (http.status, &http.flaw) {
        (Some(status), None) => status.to_string(),
        (Some(status), Some(flaw)) => format!("{status}, {}", say::flaw(flaw)),
        (None, _) => "no status".to_owned(),
    };
    match leg.asked.login.as_ref().filter(|_| http.has_login) {
        Some(login) => observed = format!("{observed} with the login of {}", login.place),
        None => observed.push_str(" without a login"),
    }
    let offered = say::schemes(&http.challenges);
    if !offered.is_empty() {
        observed = format!("{observed}; it asks for {}", offered.join(", "));
    }
    say::answered(say::about(leg, code, reason), leg, http, observed, "200")
}

/// Returns the host that redirected here, where it is another one.
pub(super) fn other_host(leg: &Leg<'_>) -> Option<String> {
    let (from, _) = leg.earlier.iter().rev().find(|(exchange, trace)| {
        let is_redirect = trace.http.as_ref().and_then(|http| http.field("location")).is_some();
        is_redirect && exchange.link.origin.host() != leg.host()
    })?;
    Some(from.link.origin.authority())
}

/// What a way that nobody meant fails by.
const NETWORK: &[&str] = &["D01", "D02", "N01", "N02", "N03", "N04", "N05", "N08"];

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::core::doctor::{
        judge::hand::{answer, codes, exchange, judged, leg, link, trace},
        leg::{Leg, Purpose},
        machine::Machine,
        probe::{Http, ReadFlaw, Stage, TcpFlaw},
        refs::tests::written,
    };

    const SMART: (&str, &str) = ("content-type", "application/x-git-upload-pack-advertisement");
    const HTML: (&str, &str) = ("content-type", "text/html");
    const REFS: &str = "https://h.test/x.git/info/refs?service=git-upload-pack";

    fn page(module: &str, contents: &[&str]) -> Leg<'static> {
        let tag = |content: &&str| format!("<meta name=\"go-import\" content=\"{content}\">");
        let body = contents.iter().map(tag).collect::<String>();
        leg(Purpose::Meta, module, "https://h.test/x?go-get=1", answer(200, &[HTML], body))
    }

    fn repository(module: &str, http: Http) -> Leg<'static> {
        leg(Purpose::Repository, module, REFS, http)
    }

    fn said(legs: &[Leg<'_>]) -> Vec<&'static str> {
        codes(findings, legs, &Machine::default())
    }

    #[test]
    fn a_page_is_judged_by_its_tags() {
        for (contents, expected) in [
            (&["h.test/x git https://h.test/x.git"][..], None),
            (&["h.test/x mod https://p.test"], None),
            (&[], Some("G17")),
            (&["h.test/other git https://h.test/x.git"], Some("G16")),
            (&["h.test/x git https://a", "h.test/x git https://b"], Some("G18")),
            (&["h.test/x hg https://h.test/x"], Some("G13")),
        ] {
            let said = said(&[page("h.test/x", contents)]);
            assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{contents:?}");
        }
    }

    #[test]
    fn another_version_control_needs_its_program() {
        let leg = || page("h.test/x", &["h.test/x svn https://h.test/x"]);
        let mut machine = Machine::default();
        machine.programs.insert("svn".to_owned(), Some("/usr/bin/svn".into()));
        assert_eq!(codes(findings, &[leg()], &machine), [""; 0]);
        machine.programs.insert("svn".to_owned(), None);
        let found = judged(findings, &[leg()], &machine);
        assert_eq!(found[0].fix.command, "sudo apt-get install subversion");
    }

    #[test]
    fn a_page_of_another_host_is_for_that_hosts_modules() {
        let moved = trace(answer(302, &[("location", "https://h.test/x?go-get=1")], ""));
        let mut leg = page("old.test/x", &["h.test/x git https://h.test/x.git"]);
        leg.earlier.push((exchange("https://old.test/x?go-get=1"), &moved));
        assert_eq!(said(&[leg]), ["A13"]);
    }

    #[test]
    fn what_is_no_repository_is_told_apart() {
        let plain = ("content-type", "text/plain");
        let whole = written(&["HEAD", "refs/tags/v1.0.0"]);
        let cut = Http { length: None, ..answer(200, &[SMART], &whole[..60]) };
        let closed = Http {
            flaw: Some(ReadFlaw::Closed(34)),
            length: Some(9000),
            ..answer(200, &[SMART], &whole[..34])
        };
        let stalled = Http { flaw: Some(ReadFlaw::Silent(34)), ..closed.clone() };
        for (http, expected) in [
            (answer(200, &[SMART], whole), None),
            (answer(200, &[HTML], "<html>Corp Git</html>"), Some("G20")),
            (answer(200, &[SMART], ""), Some("G21")),
            (answer(200, &[plain], ""), Some("G22")),
            (answer(200, &[plain], "hello"), Some("G22")),
            (cut, Some("G23")),
            (closed, Some("G23")),
            (stalled, None),
        ] {
            let shown = format!("{http:?}");
            let said = said(&[repository("", http)]);
            assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{shown}");
        }
    }

    #[test]
    fn a_version_is_looked_for_as_go_looks_for_it() {
        let refs = written(&[
            "HEAD",
            "refs/heads/main",
            "refs/tags/sub/v0.1.0",
            "refs/tags/v1.0.0",
            "refs/tags/v3.0.0",
        ]);
        for (module, expected) in [
            ("h.test/x@v1.0.0", None),
            ("h.test/x@v9.9.9", Some("G24")),
            ("h.test/x@v1.9.9", Some("G24")),
            ("h.test/x@v3.0.0", Some("G25")),
            ("h.test/x@v3.0.0+incompatible", None),
            ("h.test/x/v3@v3.0.0", None),
            ("h.test/x/v2@v2.0.0", Some("G25")),
            ("h.test/x/v3@v3.1.0", Some("G24")),
            ("h.test/x/v3@v1.0.0", Some("G25")),
            ("h.test/x/sub@v0.1.0", None),
            ("h.test/x/sub@v1.0.0", Some("G24")),
            ("h.test/x/dock@v1.0.0", Some("M18")),
            ("h.test/x/dock@v1.7.0", Some("G24")),
            ("h.test/x@main", None),
            ("h.test/x@v1", None),
            ("h.test/x@topic", Some("G24")),
            ("h.test/x@0123456789ab", Some("G24")),
            ("h.test/x@v0.0.0-20260102030405-0123456789ab", Some("G24")),
            ("h.test/x@v1.0.1-0.20260102030405-0123456789ab", Some("G24")),
            ("h.test/x/sub@v0.1.1-0.20260102030405-0123456789ab", Some("G24")),
            ("h.test/x/sub@v1.0.1-0.20260102030405-0123456789ab", Some("M23")),
            ("h.test/x@v1.5.1-0.20260102030405-0123456789ab", Some("M23")),
            ("h.test/x@v1.0.1-0.20260102030405-aaaaaaaaaaaa", Some("M23")),
            ("h.test/x@v1.0.0-20260102030405-0123456789ab", Some("M23")),
            ("h.test/x@v0.0.0-20261302030405-0123456789ab", Some("M23")),
            ("h.test/x@v0.0.0-20260102030405-0123456", Some("M23")),
            ("h.test/x@v2.0.0-20260102030405-0123456789ab", Some("G25")),
            ("h.test/x/v2@v2.0.0-20260102030405-0123456789ab", Some("G24")),
            ("h.test/x@aaaaaaa", None),
            ("h.test/x@latest", None),
            ("h.test/x", None),
        ] {
            let path = module.split('@').next().unwrap();
            let legs = [
                page(path, &["h.test/x git https://h.test/x.git"]),
                repository(module, answer(200, &[SMART], refs.clone())),
            ];
            assert_eq!(said(&legs), expected.into_iter().collect::<Vec<_>>(), "{module}");
        }
    }

    #[test]
    fn what_is_known_of_a_commit_decides_how_bad_it_is() {
        use crate::core::doctor::{
            finding::Severity,
            machine::{Module, Text},
        };
        const VERSION: &str = "v1.0.1-0.20260102030405-0123456789ab";
        let whole = written(&["HEAD", "refs/tags/v1.0.0"]);
        let mut shallow = whole[..whole.len() - 4].to_vec();
        shallow.extend(format!("0034shallow {}0000", "a".repeat(40)).into_bytes());
        let mut older = whole[..whole.len() - 4].to_vec();
        older.extend(format!("0034shallow {}0000", "b".repeat(40)).into_bytes());
        let of = |refs: &[u8], sum: &str| {
            let go_sum = Text::of("go.sum", sum);
            let module = Some(Module { go_sum, ..Module::default() });
            let machine = Machine { module, ..Machine::default() };
            let module = format!("h.test/x.git@{VERSION}");
            let legs = [repository(&module, answer(200, &[SMART], refs))];
            judged(findings, &legs, &machine)[0].severity
        };
        assert_eq!(of(&whole, ""), Severity::Warning);
        assert_eq!(of(&whole, &format!("h.test/x.git {VERSION}/go.mod h1:x")), Severity::Info);
        assert_eq!(of(&older, ""), Severity::Warning);
        assert_eq!(of(&shallow, ""), Severity::Error);
    }

    #[test]
    fn a_list_that_is_only_begun_says_nothing_of_its_end() {
        let mut body = written(&["HEAD", "refs/heads/main", "refs/tags/v1.0.0"]);
        body.resize(64 * 1024, b'x');
        let legs = |version: &str| {
            [repository(&format!("h.test/x.git@{version}"), answer(200, &[SMART], body.clone()))]
        };
        assert_eq!(said(&legs("v1.0.0")), [""; 0]);
    }

    #[test]
    fn a_page_that_leads_astray_explains_what_follows() {
        let tag = |root: &str| page("h.test/g/s/x@v1.0.0", &[&format!("h.test/g/s git {root}")]);
        let missing = leg(
            Purpose::Repository,
            "h.test/g/s/x@v1.0.0",
            "https://h.test/g/s.git/info/refs?service=git-upload-pack",
            answer(404, &[], ""),
        );
        let legs = [tag("https://h.test/g/s.git"), missing];
        assert_eq!(
            codes(crate::core::doctor::judge::a::findings, &legs, &Machine::default()),
            ["G32"]
        );

        let mut ssh =
            leg(Purpose::Ssh, "h.test/g/s/x@v1.0.0", "https://h.test/", answer(200, &[], ""));
        ssh.asked.link = link("ssh://h.test/g/s.git");
        let flaw = Some(TcpFlaw::Refused);
        ssh.seen.to_mut().http = None;
        ssh.seen.to_mut().tcp = vec![("127.0.0.1:22".parse().unwrap(), Stage { took: 1, flaw })];
        assert_eq!(said(&[tag("ssh://git@h.test/g/s.git"), ssh]), ["G14"]);

        let mut info = leg(
            Purpose::Info,
            "h.test/g/s/x@v1.0.0",
            "https://p.test/h.test/g/s/x/@v/v1.0.0.info",
            answer(404, &[], ""),
        );
        info.base = Some(link("https://p.test"));
        let proxied = page("h.test/g/s/x@v1.0.0", &["h.test/g/s/x mod https://p.test"]);
        assert_eq!(said(&[proxied, info]), ["G19"]);
    }
}
