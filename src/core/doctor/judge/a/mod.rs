//! Authentication at the origin: what 401, 403 and 404 say of logins that were sent, or were not.
//!
//! It says nothing of a 403 that came without a login: that is a policy, not a question of who one is
//! (`h`, `m`), unless the login that was tried in addition was let in. What files show by themselves (a netrc
//! that is not read, a helper that is not there) is the checks', and explains what is found here.

mod account;
mod programs;
mod scheme;

use super::g::answered;
use crate::core::doctor::{
    finding::{Confidence, Finding, Kind, Severity, Tool},
    judge::{Case, g, negotiate, say},
    leg::{Leg, Purpose, Why},
    place::Place,
    plan::helper,
    probe::Http,
    route::Login,
    shell::quoted,
};

/// What every finding here is the nearer cause of: a status by itself.
const STATUSES: &[&str] = &["H19", "H20", "H21", "M03", "M04"];

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    let Some(http) = leg.answer() else { return Vec::new() };
    let finding = match http.status {
        Some(401) => unauthorized(leg, http, case),
        Some(403) => forbidden(leg, http, case),
        Some(404) => masked(leg, http, case),
        Some(200) => negotiate::at_origin(leg, case),
        _ => None,
    };
    finding.into_iter().collect()
}

/// 401: no login, or not this one.
fn unauthorized(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    if leg.purpose == Purpose::Plain && !speaks_for_itself(leg, case) {
        return None;
    }
    if let Some(finding) = dropped(leg, http) {
        return Some(finding);
    }
    if is_password_removed(http) {
        let reason = format!(
            "{} takes no account passwords any more, it says: it wants a token in place of one.",
            leg.origin_endpoint()
        );
        return Some(answered("A07", reason, leg, http).run(login_command(leg)));
    }
    if let Some(finding) = scheme::finding(leg, http) {
        return Some(finding);
    }
    match sent(leg, http) {
        Some(login) => Some(account::rejected(leg, http, login, case)),
        None => Some(missing(leg, http, case)),
    }
}

/// 401, and nothing was sent.
fn missing(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Finding {
    let host = leg.origin_endpoint();
    let other = programs::finding(leg, http, case).or_else(|| account::elsewhere(leg, http, case));
    if let Some(finding) = other {
        return finding;
    }
    if leg.purpose.is_module() || leg.purpose.is_sumdb() || is_named_by_goproxy(leg, case) {
        return of_proxy(leg, http);
    }
    let is_clear = leg.asked.link.origin.scheme() == "http";
    if is_clear && leg.tool == Tool::Git {
        let reason = format!(
            "{host} asks for a login over http://, where it would travel in clear: git's helpers and gocred \
             give none."
        );
        return answered("G31", reason, leg, http).explains(&["A01"]).run(format!(
            "git config --global url.https://{0}/.insteadOf http://{0}/",
            leg.asked.link.origin.authority()
        ));
    }
    if let Some(finding) = of_repository(leg, http, case) {
        return finding;
    }
    let code = if leg.purpose == Purpose::Meta { "A03" } else { "A01" };
    let reason = match code {
        "A03" => format!(
            "{host} answers go's question for the repository (?go-get=1) only to who is logged in, and go has \
             no login for it: no entry in its netrc, none from GOAUTH."
        ),
        _ => format!(
            "{host} asks for a login, and git has none: no helper, no netrc entry and no URL of its \
             configuration gives one."
        ),
    };
    let mut finding = answered(code, reason, leg, http).explains(STATUSES);
    if let Some(also) = leg.also(Why::Login)
        && let Some(status) = also.seen.http.as_ref().and_then(|http| http.status)
    {
        let place = Place::Endpoint(leg.url());
        finding = finding.seen(Kind::Http, place, format!("{status} with gocred's login"), "200");
        if status == 200 {
            return finding.run("gocred setup --git --go");
        }
    }
    finding.run(login_command(leg))
}

/// git would ask a helper of the repository that one stands in, which is not run here: whoever made the folder may have
/// written it. go starts its git elsewhere.
fn of_repository(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    if leg.tool != Tool::Git || leg.module.is_some() {
        return None;
    }
    let helper = helper::of_repository(case.machine, &leg.asked.link)?;
    let reason = format!(
        "{} asks for a login. Whether the helper of {} has one is not known: what a repository names itself is \
         not run here, and go does not ask it.",
        leg.origin_endpoint(),
        helper.place
    );
    let mut finding = answered("A01", reason, leg, http)
        .severity(Severity::Info)
        .confidence(Confidence::Possible);
    finding.affects = [Tool::Go].into();
    Some(finding.run(login_command(leg)))
}

/// Whether a plain request is worth a word: no request for a repository says the same, and it is not just
/// the front door of a server.
fn speaks_for_itself(leg: &Leg<'_>, case: &Case<'_>) -> bool {
    let is_same = |other: &Leg<'_>| {
        other.purpose == Purpose::Repository && other.asked.link.origin == leg.asked.link.origin
    };
    leg.tool == Tool::Go && leg.asked.link.path != "/" && !case.legs.iter().any(is_same)
}

/// Whether a plain request went to a module proxy of the settings.
fn is_named_by_goproxy(leg: &Leg<'_>, case: &Case<'_>) -> bool {
    let origin = leg.asked.link.origin.to_string();
    let list = case.machine.go_setting("GOPROXY");
    leg.purpose == Purpose::Plain && list.is_some_and(|(list, _)| list.raw().contains(&origin))
}

/// 401 of a module proxy that was sent no login.
fn of_proxy(leg: &Leg<'_>, http: &Http) -> Finding {
    let host = leg.origin_endpoint();
    if leg.asked.link.origin.scheme() == "http" {
        let reason = format!(
            "the module proxy {host} asks for a login, and its URL begins with http://: there go sends neither \
             netrc nor GOAUTH, whatever they hold."
        );
        return answered("A16", reason, leg, http).explains(&["A14", "M04"]);
    }
    if is_own_page(http) {
        let reason =
            format!("the module proxy {host} answers with a page of its own, and wants a login.");
        return answered("M04", reason, leg, http).explains(&["A14"]).run(login_command(leg));
    }
    let reason = format!(
        "the module proxy {host} asks for a login, and go has none for it: no entry in its netrc, none from \
         GOAUTH, none in GOPROXY."
    );
    answered("A14", reason, leg, http).explains(&["M04"]).run(login_command(leg))
}

/// 403: known, and not allowed.
pub(super) fn forbidden(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let text = text_of(http);
    let host = leg.origin_endpoint();
    if let Some(field) = http.field("x-github-sso") {
        let url = field.split("url=").nth(1).map(|url| url.split([';', ' ']).next().unwrap_or(url));
        let url = url
            .filter(|url| url.starts_with("https://") && url.bytes().all(|b| b.is_ascii_graphic()));
        let reason = format!(
            "the token is good, and the organisation wants it authorised for its single sign-on at {host}."
        );
        let finding = answered("A06", reason, leg, http).explains(STATUSES);
        return Some(match url {
            Some(url) => finding.run(format!("xdg-open {}", quoted(url))),
            None => finding,
        });
    }
    if text.contains("saml sso") || text.contains("saml single sign") {
        let reason =
            format!("{host} wants the token authorised for the organisation's single sign-on.");
        return Some(answered("A06", reason, leg, http).explains(STATUSES));
    }
    if let Some(finding) = dropped(leg, http) {
        return Some(finding);
    }
    let Some(login) = sent(leg, http) else {
        let is_let_in = leg.also(Why::Login)?.seen.http.as_ref()?.status == Some(200);
        return is_let_in.then(|| missing(leg, http, case));
    };
    // A module proxy's own rules (M03), unless it asked for the login first.
    let was_asked = leg.earlier.iter().any(|(_, trace)| is_status(trace.http.as_ref(), 401));
    if leg.purpose.is_module() && !was_asked {
        return None;
    }
    let speaks_of = |words: &[&str]| words.iter().any(|words| text.contains(words));
    // Whom it lets in is not what it speaks of (H20, M03).
    if speaks_of(POLICY) && !speaks_of(RIGHTS) {
        return None;
    }
    if let Some(finding) = account::other(leg, http, login, case) {
        return Some(finding);
    }
    let reason = format!(
        "{host} knows the login of {}, and does not let it read this: its scope, or a role, is missing.",
        login.place
    );
    let is_said = was_asked || speaks_of(RIGHTS);
    let confidence = if is_said { Confidence::Certain } else { Confidence::Likely };
    Some(answered("A05", reason, leg, http).confidence(confidence).explains(STATUSES))
}

/// What filters say of something that nobody may have.
const POLICY: &[&str] = &["policy", "blocked", "excluded", "quarantine", "scanner", "malware"];

/// What servers say of a login that may not read something.
const RIGHTS: &[&str] = &[
    "not allowed to",
    "insufficient_scope",
    "scope",
    "permission",
    "access denied",
    "not granted",
    "write access",
];

/// 404: not there, or not for everybody.
fn masked(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    if !matches!(leg.purpose, Purpose::Repository | Purpose::Meta) {
        return None;
    }
    if let Some(finding) = g::nested(leg, case) {
        return Some(finding);
    }
    let host = leg.origin_endpoint();
    let is_let_in =
        leg.also(Why::Login).is_some_and(|also| is_status(also.seen.http.as_ref(), 200));
    if let Some(login) = sent(leg, http) {
        if let Some(finding) = account::other(leg, http, login, case) {
            return Some(finding);
        }
        if leg.purpose == Purpose::Meta && !is_masking(http) {
            return None;
        }
        let reason = format!(
            "{host} says that there is no such repository to the login of {}: it may not see it, or the path is \
             wrong.",
            login.place
        );
        let finding = answered("A04", reason, leg, http).confidence(Confidence::Likely);
        return Some(finding.explains(STATUSES));
    }
    if !is_let_in && !is_masking(http) {
        return None;
    }
    let reason = format!(
        "{host} hides what is not public behind a 404: without a login this repository does not exist."
    );
    let confidence = if is_let_in { Confidence::Certain } else { Confidence::Likely };
    let finding = answered("A04", reason, leg, http).confidence(confidence).explains(STATUSES);
    if !is_let_in {
        return Some(finding.run(login_command(leg)));
    }
    if leg.tool != Tool::Git {
        return Some(finding.run("gocred setup --git --go"));
    }
    Some(unasked(finding, leg, case))
}

/// git asks its helpers after a 401 only, which does not come here: not before 2.46, whose `http.proactiveAuth` has it
/// show a login unasked. Nothing else does: libcurl, left to choose a scheme, waits for the 401, too.
fn unasked(finding: Finding, leg: &Leg<'_>, case: &Case<'_>) -> Finding {
    const SINCE: (u32, u32) = (2, 46);
    let Some(git) = &case.machine.git else { return finding.run("gocred setup --git --go") };
    if git.numbers().is_none_or(|version| version < SINCE) {
        let (place, version) =
            (Place::File(git.path.clone(), None), format!("git {}", git.version));
        let wanted = "2.46 or later, which can show a login before it is asked for one";
        return finding.seen(Kind::Program, place, version, wanted).run("sudo apt-get install git");
    }
    let set = format!("git config --global http.{}.proactiveAuth basic", leg.asked.link.origin);
    let is_own = case.wallet.login(&leg.asked.link).is_some();
    finding.run(if is_own { format!("gocred setup --git && {set}") } else { set })
}

/// Whether a 404 is one of a forge that hides: it asks for a login all the same, or says what forges say.
fn is_masking(http: &Http) -> bool {
    let text = text_of(http);
    let words = [
        "repository not found",
        "could not be found or you don't have permission",
        "project not found",
    ];
    !http.challenges.is_empty() || words.iter().any(|words| text.contains(words))
}

/// A login that a redirect to another host left behind (RFC 9110 §15.4: credentials are for their origin).
fn dropped(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    let from = g::other_host(leg)?;
    if http.has_login {
        return None;
    }
    let to = leg.origin_endpoint();
    let code = if leg.purpose.is_module() { "M21" } else { "A13" };
    let reason = format!(
        "{from} redirects to {to}, which wants a login; the one for {from} is not sent there."
    );
    Some(answered(code, reason, leg, http).explains(STATUSES).run(login_command(leg)))
}

/// Returns the login that an answer is about.
fn sent<'a>(leg: &'a Leg<'_>, http: &Http) -> Option<&'a Login> {
    leg.asked.login.as_ref().filter(|_| http.has_login)
}

fn is_status(http: Option<&Http>, status: u16) -> bool {
    http.is_some_and(|http| http.status == Some(status))
}

/// GitHub's words of 2021, and what others made of them.
fn is_password_removed(http: &Http) -> bool {
    let text = text_of(http);
    text.contains("password authentication was removed")
        || text.contains("password authentication is no longer")
        || text.contains("password authentication is not supported")
}

/// Whether a 401 carries a page that no web server has by itself.
fn is_own_page(http: &Http) -> bool {
    // A server may name the type by the end of the URL, `.info`, whatever it sends.
    let is_html = say::is_html(http) || http.body.trim_ascii_start().starts_with(b"<");
    let text = text_of(http);
    // nginx, Apache and IIS put the status into the title; a short page of its own does not.
    is_html && !text.is_empty() && !text.contains("401 ")
}

/// Returns the beginning of a body, in lower case.
fn text_of(http: &Http) -> String {
    let start = http.body.get(..4096).unwrap_or(&http.body);
    String::from_utf8_lossy(start).to_ascii_lowercase()
}

fn login_command(leg: &Leg<'_>) -> String {
    let origin = &leg.asked.link.origin;
    let flag = if origin.scheme() == "http" { "--allow-http " } else { "" };
    format!("gocred login {flag}{}", origin.authority())
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::core::doctor::{
        judge::{
            Case,
            hand::{Empty, answer, codes, exchange, judged, leg, link, logged_in, trace},
        },
        leg::{Also, Leg, Purpose, Why},
        machine::{Account, GitValue, Machine, Netrc, Program, Stat},
        place::Place,
        plan::{Answers, helper},
        private::Private,
        probe::{Http, Ran, Seen},
        route::{Scheme, Trust},
    };

    const REFS: &str = "https://h.test/x.git/info/refs?service=git-upload-pack";
    const META: &str = "https://h.test/x?go-get=1";
    const INFO: &str = "https://p.test/h.test/x/@v/v1.0.0.info";
    const BASIC: &[(&str, &str)] = &[("www-authenticate", "Basic realm=\"h\"")];
    const NGINX: &str = "<html><head><title>401 Authorization Required</title></head></html>";

    fn netrc() -> Place {
        Place::File("/home/ana/.netrc".into(), Some(3))
    }

    fn of(purpose: Purpose, http: Http) -> Leg<'static> {
        let url = match purpose {
            Purpose::Repository => REFS,
            Purpose::Meta => META,
            _ => INFO,
        };
        leg(purpose, "h.test/x@v1.0.0", url, http)
    }

    fn said(leg: Leg<'_>) -> Vec<&'static str> {
        codes(findings, &[leg], &Machine::default())
    }

    #[test]
    fn a_401_is_named_by_what_was_asked_and_sent() {
        for (purpose, without, with) in [
            (Purpose::Repository, "A01", "A02"),
            (Purpose::Meta, "A03", "A02"),
            (Purpose::Info, "A14", "A15"),
        ] {
            let basic = || of(purpose, answer(401, BASIC, NGINX));
            assert_eq!(said(basic()), [without], "{purpose:?}");
            assert_eq!(said(logged_in(basic(), netrc())), [with], "{purpose:?}");
        }
    }

    #[test]
    fn a_401_without_basic_is_named_by_what_is_offered() {
        for (offered, code) in [
            ("NTLM", "A08"),
            ("Negotiate", "A09"),
            ("Bearer realm=\"https://sso\"", "A10"),
            ("Digest realm=\"h\", nonce=\"1\", qop=\"auth\"", "A11"),
        ] {
            let http = || answer(401, &[("www-authenticate", offered)], "");
            assert_eq!(said(of(Purpose::Repository, http())), [code], "{offered}");
            assert_eq!(
                said(logged_in(of(Purpose::Repository, http()), netrc())),
                [code],
                "{offered}"
            );
        }
        assert_eq!(said(of(Purpose::Repository, answer(401, &[], ""))), ["A12"]);
        let both = [("www-authenticate", "Negotiate"), ("www-authenticate", "Basic realm=x")];
        assert_eq!(said(of(Purpose::Repository, answer(401, &both, ""))), ["A01"]);
    }

    #[test]
    fn a_bearer_token_that_bearer_wants_is_wrong_by_itself() {
        let http = answer(401, &[("www-authenticate", "Bearer")], "");
        let mut leg = logged_in(of(Purpose::Meta, http), netrc());
        leg.asked.login.as_mut().unwrap().scheme = Scheme::Header("authorization".to_owned());
        assert_eq!(said(leg), ["A02"]);
    }

    #[test]
    fn a_module_proxy_over_http_is_never_sent_a_login() {
        let http = answer(401, BASIC, NGINX);
        let url = "http://p.test/h.test/x/@v/v1.0.0.info";
        assert_eq!(said(leg(Purpose::Info, "h.test/x@v1.0.0", url, http)), ["A16"]);
        let page =
            answer(401, &[BASIC[0], ("content-type", "text/html")], "<html>unauthorized</html>");
        assert_eq!(said(of(Purpose::Info, page)), ["M04"]);
    }

    #[test]
    fn what_a_server_says_of_passwords_and_single_sign_on_is_read() {
        let removed = "remote: Support for password authentication was removed on August 13, 2021.";
        assert_eq!(said(of(Purpose::Repository, answer(401, BASIC, removed))), ["A07"]);
        let url = "required; url=https://h.test/orgs/corp/sso?a=1";
        let http = answer(403, &[("x-github-sso", url)], "");
        let leg = logged_in(of(Purpose::Repository, http), netrc());
        let found = judged(findings, &[leg], &Machine::default());
        assert_eq!(found[0].entry.code, "A06");
        assert_eq!(found[0].fix.command, "xdg-open 'https://h.test/orgs/corp/sso?a=1'");
    }

    #[test]
    fn a_403_counts_only_with_a_login() {
        let http = || answer(403, &[], "You are not allowed to download code from this project.");
        assert_eq!(said(of(Purpose::Repository, http())), [""; 0]);
        assert_eq!(said(logged_in(of(Purpose::Repository, http()), netrc())), ["A05"]);
        // A module proxy's rules, unless it asked for the login.
        assert_eq!(said(logged_in(of(Purpose::Info, http()), netrc())), [""; 0]);
    }

    #[test]
    fn a_404_is_masked_where_a_login_opens_it_or_the_server_says_so() {
        let plain = || of(Purpose::Repository, answer(404, &[], "<html>not found</html>"));
        assert_eq!(said(plain()), [""; 0]);
        let hidden = answer(404, &[], "Repository not found.");
        assert_eq!(said(of(Purpose::Repository, hidden)), ["A04"]);
        let seen = trace(answer(200, &[], ""));
        let mut opened = plain();
        let trust = Trust::default();
        opened.also.push(Also { why: Why::Login, trust: &trust, seen: &seen });
        assert_eq!(said(opened), ["A04"]);
    }

    #[test]
    fn git_shows_a_login_unasked_only_from_2_46_on() {
        let (seen, trust) = (trace(answer(200, &[], "")), Trust::default());
        for (version, offered) in [
            ("2.47.3", true),
            ("2.46.0.windows.1", true),
            ("2.45.2", false),
            ("2.39.5 (Apple Git-154)", false),
            ("1.8.3.1", false),
            ("3.0.0", true),
            ("", false),
        ] {
            let git = Program { path: "/usr/bin/git".into(), version: version.to_owned() };
            let machine = Machine { git: Some(git), ..Machine::default() };
            let mut leg = of(Purpose::Repository, answer(404, &[], "Repository not found."));
            leg.also.push(Also { why: Why::Login, trust: &trust, seen: &seen });
            let found = judged(findings, &[leg], &machine);
            let command = &found[0].fix.command;
            assert_eq!(command.contains("proactiveAuth"), offered, "{version}: {command}");
        }
    }

    #[test]
    fn a_redirect_to_another_host_leaves_the_login_behind() {
        let moved = trace(answer(302, &[("location", REFS)], ""));
        let mut leg = of(Purpose::Repository, answer(401, BASIC, ""));
        leg.earlier.push((exchange("https://old.test/x.git/info/refs"), &moved));
        assert_eq!(said(leg), ["A13"]);
    }

    #[test]
    fn a_helper_is_told_from_a_file() {
        let machine = Machine {
            git_config: vec![GitValue {
                key: "credential.helper".to_owned(),
                value: Private::new("store"),
                place: Place::File("/home/ana/.gitconfig".into(), Some(2)),
                is_local: false,
            }],
            ..Machine::default()
        };
        let place = machine.git_config[0].place.clone();
        let leg = logged_in(of(Purpose::Repository, answer(401, BASIC, "")), place);
        assert_eq!(codes(findings, &[leg], &machine), ["G07"]);
    }

    fn account(origin: &str, user: &str) -> Account {
        Account {
            origin: origin.to_owned(),
            user: user.to_owned(),
            is_proxy: false,
            hidden: None,
            expires: Some(1000),
        }
    }

    #[test]
    fn gocreds_accounts_explain_what_they_can() {
        let mut machine = Machine { now: 900_000, ..Machine::default() };
        machine.gocred.accounts = vec![account("https://h.test:8443", "ana")];
        let missing = || of(Purpose::Repository, answer(401, BASIC, ""));
        assert_eq!(codes(findings, &[missing()], &machine), ["A33"]);
        machine.gocred.accounts =
            vec![account("https://h.test", "ana"), account("https://h.test", "bo")];
        assert_eq!(codes(findings, &[missing()], &machine), ["A01"]);
        let stored = |status| {
            let leg = of(Purpose::Repository, answer(status, BASIC, ""));
            logged_in(leg, Place::Store("keyring"))
        };
        assert_eq!(codes(findings, &[stored(401)], &machine), ["A31"]);
        assert_eq!(codes(findings, &[stored(403)], &machine), ["A30"]);
        assert_eq!(codes(findings, &[stored(404)], &machine), ["A30"]);
        machine.now = 500;
        assert_eq!(codes(findings, &[stored(401)], &machine), ["G07"]);
    }

    /// What swapped them once would swap them back, if the server's word were not asked.
    #[test]
    fn the_second_entry_of_a_netrc_goes_up_only_where_the_server_takes_it() {
        let text = "machine h.test login ana password hunter2\nmachine h.test login ana password hunter22\n";
        let place = Place::File("/home/ana/.netrc".into(), Some(1));
        let mut machine = Machine { home: Some("/home/ana".into()), ..Machine::default() };
        let text = Some(text.to_owned().into());
        machine.netrc.insert("/home/ana/.netrc".into(), Netrc { stat: Stat::default(), text });
        let trust = Trust::default();
        for (status, changes) in [(200, 1), (401, 0), (403, 0)] {
            let seen = trace(answer(status, BASIC, ""));
            let rejected = of(Purpose::Repository, answer(401, BASIC, NGINX));
            let mut leg = logged_in(rejected, place.clone());
            leg.also.push(Also { why: Why::Second, trust: &trust, seen: &seen });
            let found = judged(findings, &[leg], &machine);
            assert_eq!(found[0].entry.code, "A02");
            assert_eq!(found[0].fix.changes.len(), changes, "{status}");
            let place = Place::File("/home/ana/.netrc".into(), Some(2));
            assert!(found[0].evidence.iter().any(|seen| seen.place == place), "{status}");
        }
    }

    #[test]
    fn gits_store_tells_of_another_user_and_of_another_port() {
        let place = Place::File("/home/ana/.gitconfig".into(), Some(2));
        let mut machine = Machine::default();
        machine.git_config.push(GitValue {
            key: "credential.helper".to_owned(),
            value: Private::new("store"),
            place: place.clone(),
            is_local: false,
        });
        let mut keep = |lines: &str| {
            let (stat, text) = (Stat::default(), Some(lines.to_owned().into()));
            machine
                .git_credentials
                .insert("/home/ana/.git-credentials".into(), Netrc { stat, text });
            let refs = || of(Purpose::Repository, answer(401, BASIC, NGINX));
            let sent = codes(findings, &[logged_in(refs(), place.clone())], &machine);
            (codes(findings, &[refs()], &machine), sent)
        };
        let ana = "https://ana:hunter2@h.test\n";
        for (lines, missing, sent) in [
            (ana.to_owned(), "A01", "G07"),
            (format!("{ana}https://bo:hunter3@h.test/team\n"), "A01", "A30"),
            ("https://ana:hunter2@h.test:8443\n".to_owned(), "A33", "G07"),
            ("https://ana:hunter2@other.test\n".to_owned(), "A01", "G07"),
        ] {
            assert_eq!(keep(&lines), (vec![missing], vec![sent]), "{lines}");
        }
    }

    #[test]
    fn a_token_that_carries_its_end_is_read() {
        // {"exp":1000}
        let token = "Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDB9.";
        let http = answer(401, &[("www-authenticate", "Bearer")], "");
        let mut leg = logged_in(of(Purpose::Meta, http), netrc());
        let login = leg.asked.login.as_mut().unwrap();
        login.scheme = Scheme::Header("authorization".to_owned());
        login.secret = token.to_owned().into();
        let machine = Machine { now: 900_000, ..Machine::default() };
        assert_eq!(codes(findings, &[leg], &machine), ["A31"]);
    }

    #[test]
    fn a_plain_request_speaks_only_where_nobody_else_does() {
        let plain = || leg(Purpose::Plain, "", REFS, answer(401, BASIC, ""));
        assert_eq!(said(plain()), ["A01"]);
        let legs = [of(Purpose::Repository, answer(401, BASIC, "")), plain()];
        assert_eq!(codes(findings, &legs, &Machine::default()), [""; 0]);
        let root = leg(Purpose::Plain, "", "https://h.test/", answer(401, BASIC, ""));
        assert_eq!(said(root), [""; 0]);
    }

    #[test]
    fn the_programs_that_are_asked_are_looked_at() {
        let ran = |code, output: &str| Ran {
            code,
            started: true,
            output: Private::new(output),
            ..Ran::default()
        };
        let place = Place::File("/home/ana/.gitconfig".into(), Some(2));
        let machine = Machine {
            git_config: vec![GitValue {
                key: "credential.helper".to_owned(),
                value: Private::new("!corp"),
                place,
                is_local: false,
            }],
            ..Machine::default()
        };
        let git = helper::all(&machine, &link(REFS)).remove(0).probe;
        for (purpose, probe, how, code) in [
            (Purpose::Repository, &git, ran(None, ""), "G05"),
            (Purpose::Repository, &git, ran(Some(0), "quit=1\n"), "G06"),
            (Purpose::Repository, &git, ran(Some(0), "hello world\n"), "G03"),
            (Purpose::Repository, &git, ran(Some(1), ""), "G04"),
            (Purpose::Repository, &git, ran(Some(127), ""), "G01"),
            (Purpose::Repository, &git, ran(Some(0), ""), "A01"),
        ] {
            let answers = Answers::from([(probe.key(), (probe.clone(), Seen::Program(how)))]);
            let legs = [of(purpose, answer(401, BASIC, NGINX))];
            let case = Case { machine: &machine, wallet: &Empty, answers: &answers, legs: &legs };
            let found = findings(&legs[0], &case);
            assert_eq!(found[0].entry.code, code, "{purpose:?}");
        }
    }
}
