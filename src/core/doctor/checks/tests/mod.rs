//! Findings of hand-made machines, theme by theme.

mod changes;

use std::path::PathBuf;

use super::all;
use crate::core::doctor::{
    finding::{Change, Finding, Severity},
    machine::{GitValue, Machine, Module, Program, Stat, Text, What},
    place::Place,
    private::Private,
    target::Target,
};

/// A machine on which nothing is wrong.
fn healthy() -> Machine {
    let folder = Stat {
        what: What::Folder,
        mode: 0o755,
        owner: 1000,
        is_writable: true,
        is_readable: true,
        ..Stat::default()
    };
    let mut machine = Machine {
        home: Some("/home/a".into()),
        uid: 1000,
        now: 1_800_000_000,
        folder: "/src/x".into(),
        goenv: Some(Text::of("/home/a/.config/go/env", "")),
        go: Some(Program { path: "/usr/bin/go".into(), version: "go1.27.3".into() }),
        git: Some(Program { path: "/usr/bin/git".into(), version: "2.39.5".into() }),
        ..Machine::default()
    };
    for path in ["/home/a/go/pkg/mod", "/tmp", "/home/a"] {
        machine.paths.insert(PathBuf::from(path), folder);
    }
    set(machine, "GOPROXY", "https://goproxy.corp.test")
}

fn set(mut machine: Machine, name: &str, value: &str) -> Machine {
    machine.variables.insert(name.to_owned(), Private::new(value));
    machine
}

fn goenv(text: &str) -> Machine {
    let mut machine = healthy();
    machine.variables.remove("GOPROXY");
    machine.goenv = Some(Text::of("/home/a/.config/go/env", text));
    machine
}

fn git(mut machine: Machine, key: &str, value: &str) -> Machine {
    let line = machine.git_config.len() + 2;
    let place = Place::File("/home/a/.gitconfig".into(), Some(line));
    machine.git_config.push(GitValue {
        key: key.to_owned(),
        value: Private::new(value),
        place,
        is_local: false,
    });
    machine
}

#[test]
fn a_module_begins_with_a_host() {
    for (word, code) in [
        ("git_corp.test/x@v1.0.0", "D13"),
        ("git..corp.test/x@v1.0.0", "D13"),
        ("internalpkg/lib@v1.0.0", "M20"),
        ("git.corp.test/x@v1!", "M19"),
    ] {
        check(&module(word), &healthy(), code, Severity::Error);
    }
    assert!(loud(&all(&module("git.corp.test/X_y/z@feature/a"), &healthy())).is_empty());
}

fn module(word: &str) -> Target {
    Target::parse(word).unwrap()
}

fn lib() -> Target {
    module("git.corp.test/team/lib@v1.0.0")
}

/// The codes with their severities.
fn codes(found: &[Finding]) -> Vec<(&str, Severity)> {
    found.iter().map(|it| (it.entry.code, it.severity)).collect()
}

/// The codes of what a person would have to mend.
fn loud(found: &[Finding]) -> Vec<&str> {
    let loud = found.iter().filter(|it| it.severity > Severity::Info);
    loud.map(|it| it.entry.code).collect()
}

fn check(target: &Target, machine: &Machine, code: &str, severity: Severity) -> Finding {
    let found = all(target, machine);
    let seen = codes(&found);
    assert!(seen.contains(&(code, severity)), "{code}: {seen:?}");
    let errors =
        seen.iter().filter(|(_, own)| *own == Severity::Error && severity == Severity::Error);
    assert!(errors.clone().all(|(own, _)| *own == code), "only {code}: {seen:?}");
    let found = found.into_iter().find(|it| it.entry.code == code).unwrap();
    assert!(
        !found.evidence.is_empty() && !found.cause.is_empty() && !found.fix.command.is_empty(),
        "{found:?}"
    );
    found
}

#[test]
fn a_healthy_machine_has_no_finding() {
    for target in [lib(), Target::Here, module("https://git.corp.test/team/lib.git")] {
        assert!(loud(&all(&target, &healthy())).is_empty());
    }
}

#[test]
fn goproxy_is_a_list_that_go_takes() {
    for (value, code, severity) in [
        ("off", "E01", Severity::Error),
        (" , ", "E02", Severity::Error),
        ("ftp://h", "E03", Severity::Error),
        ("dirct", "E04", Severity::Error),
        ("\"https://h\"", "E05", Severity::Error),
        ("https://proxy.golang.org,direct", "E06", Severity::Info),
        ("direct", "E07", Severity::Info),
        ("direct,https://h", "E07", Severity::Warning),
        ("http://u:p@h", "A17", Severity::Error),
        ("http://h", "A16", Severity::Info),
        ("https://h:x", "E61", Severity::Error),
        ("file://srv/go", "E61", Severity::Error),
        ("file:///srv", "M01", Severity::Error),
    ] {
        let found = check(&lib(), &goenv(&format!("GOFLAGS=\nGOPROXY={value}\n")), code, severity);
        let evidence = found.evidence[0].place.to_string();
        assert_eq!(evidence, "/home/a/.config/go/env:2", "{code}");
    }
    let found = check(&lib(), &goenv("GOPROXY=https://a,dirct\n"), "E04", Severity::Error);
    let mended = Change::GoEnv { name: "GOPROXY".into(), value: Some("https://a,direct".into()) };
    assert_eq!(found.fix.changes, [mended]);
    for fine in [
        "https://a|https://b,direct",
        "goproxy.corp.test",
        "file:///srv,https://a",
        "https://a,off",
    ] {
        let found = all(&lib(), &goenv(&format!("GOPROXY={fine}\n")));
        assert!(
            found.iter().all(|it| it.severity < Severity::Warning),
            "{fine}: {:?}",
            codes(&found)
        );
    }
    // A URL is none of go's business.
    let url = module("https://git.corp.test/x.git");
    assert_eq!(codes(&all(&url, &goenv("GOPROXY=off\n"))), []);
}

#[test]
fn patterns_of_goprivate_are_read_as_go_reads_them() {
    for (value, code, mended) in [
        ("\"*.corp.test\"", "E05", Some("*.corp.test")),
        ("'git.corp.test'", "E05", Some("git.corp.test")),
        ("corp.test", "E10", Some("*.corp.test,corp.test")),
        ("test", "E10", Some("*.test,test")),
        (".corp.test", "E10", Some("*.corp.test,corp.test")),
        ("https://git.corp.test", "E11", Some("git.corp.test")),
        ("git.corp.test:8443", "E11", Some("git.corp.test")),
        ("a.test, git.corp.test", "E12", Some("a.test,git.corp.test")),
        ("127.0.0.0/8", "E13", None),
        ("git.corp.test/...", "E14", Some("git.corp.test")),
        ("git.corp.test/team/lib/x", "E14", Some("git.corp.test/team/lib")),
        ("Git.corp.test", "E15", Some("git.corp.test")),
        ("a.test;git.corp.test", "E16", Some("a.test,git.corp.test")),
        ("git.corp.test/[x", "E17", Some("git.corp.test")),
    ] {
        let text = format!("GOPROXY=https://goproxy.corp.test\nGOPRIVATE={value}\n");
        let found = check(&lib(), &goenv(&text), code, Severity::Warning);
        assert!(found.suppresses.contains("M03"), "{value}");
        let value = mended.map(str::to_owned);
        assert_eq!(found.fix.changes, [Change::GoEnv { name: "GOPRIVATE".into(), value }]);
    }
    // The proxy of everybody cannot know it.
    let public = goenv("GOPROXY=https://proxy.golang.org,direct\nGOPRIVATE=corp.test\n");
    check(&lib(), &public, "E10", Severity::Error);
    // What is no matter of this module: a dead pattern is a warning, another domain nothing.
    let other = module("github.com/a/b@v1.0.0");
    let found = all(&other, &goenv("GOPROXY=https://h\nGOPRIVATE=corp.test, x.test\n"));
    assert_eq!(codes(&found), [("E12", Severity::Warning)]);
    assert!(found[0].suppresses.is_empty());
    for fine in ["*.corp.test", "git.corp.test", "git.corp.test/team", "*"] {
        let found = all(&lib(), &goenv(&format!("GOPROXY=https://h\nGOPRIVATE={fine}\n")));
        assert_eq!(codes(&found), [], "{fine}");
    }
}

#[test]
fn what_stands_instead_of_goprivate_counts() {
    let text = "GOPROXY=https://h\nGOPRIVATE=*.corp.test\nGONOPROXY=other.test\n";
    let found = check(&lib(), &goenv(text), "E18", Severity::Warning);
    assert_eq!(found.fix.changes, [Change::GoEnv { name: "GONOPROXY".into(), value: None }]);
}

#[test]
fn a_variable_masks_the_file_and_its_line_is_named() {
    let mut machine = set(goenv("GOPROXY=https://good\n"), "GOPROXY", "https://old");
    machine.startup = vec![Text::of("/home/a/.bashrc", "\nexport GOPROXY=https://old\n")];
    let found = check(&lib(), &machine, "E19", Severity::Warning);
    assert!(found.cause.contains("/home/a/.bashrc:2"), "{}", found.cause);
    let text = Some("unset GOPROXY".to_owned());
    assert_eq!(found.fix.changes, [Change::Line { file: "/home/a/.bashrc".into(), line: 2, text }]);
}

#[test]
fn other_settings_of_go_are_checked() {
    let base = "GOPROXY=https://h\n";
    for (line, code, severity) in [
        ("GO111MODULE=off", "E20", Severity::Error),
        ("GOMODCACHE=mod", "E22", Severity::Error),
        ("GOVCS=*:off\nGOPRIVATE=*.corp.test", "E24", Severity::Error),
        ("GOINSECURE=*.corp.test", "E25", Severity::Warning),
        ("GOFLAGS=-insecure", "E26", Severity::Error),
        ("GONOSUMCHECK=1", "E27", Severity::Warning),
        ("GOAUTH=off", "A18", Severity::Warning),
        ("GOAUTH=git x", "A23", Severity::Error),
        ("GOAUTH=netrc;", "A35", Severity::Error),
        ("GOSUMDB=sum.corp.test", "S06", Severity::Error),
        ("GOSUMDB=a b c", "S07", Severity::Error),
        ("GOSUMDB=off", "S12", Severity::Warning),
    ] {
        let found = check(&lib(), &goenv(&format!("{base}{line}\n")), code, severity);
        // What a program must not decide is a command alone.
        let is_by_hand = ["E25", "S12"].contains(&code);
        assert_eq!(found.fix.changes.is_empty(), is_by_hand, "{code}");
    }
    let mut nowhere = healthy();
    nowhere.home = None;
    check(&lib(), &nowhere, "E22", Severity::Error);
    let mut named = healthy();
    named.others.insert("GOPRIVAT".to_owned());
    check(&lib(), &named, "E27", Severity::Warning);
    let mut foreign = healthy();
    foreign
        .others
        .extend(["GOLANG_VERSION", "GOPASS_X", "GOSU_VERSION", "GOBIN2"].map(str::to_owned));
    assert!(loud(&all(&lib(), &foreign)).is_empty());
}

#[test]
fn proxies_are_read_as_each_tool_reads_them() {
    let url = module("https://git.corp.test/team/lib.git");
    for (name, value, code, severity) in [
        ("HTTPS_PROXY", "http://u:p#q@h:3128", "E37", Severity::Error),
        ("HTTPS_PROXY", "http://u:p%q@h:3128", "E38", Severity::Error),
        ("HTTPS_PROXY", "http://u:p@q@h:3128", "E39", Severity::Warning),
        ("HTTPS_PROXY", "http://h:99999", "E40", Severity::Error),
        ("HTTPS_PROXY", "pac+http://h/p", "E41", Severity::Error),
        ("HTTP_PROXY", "http://h:3128", "E28", Severity::Warning),
        ("ALL_PROXY", "http://h:3128", "E36", Severity::Warning),
        ("HTTPS_PROXY", "http://u:hunter2@h:3128", "E43", Severity::Warning),
    ] {
        let found = check(&url, &set(healthy(), name, value), code, severity);
        assert!(!format!("{found:?}").contains("hunter2"));
    }
    let two = set(set(healthy(), "HTTPS_PROXY", "http://a:1"), "https_proxy", "http://b:1");
    check(&url, &two, "E29", Severity::Warning);
    let same = set(set(healthy(), "HTTPS_PROXY", "http://a:1/"), "https_proxy", "a:1");
    assert_eq!(codes(&all(&url, &same)), []);
    check(&url, &git(healthy(), "http.proxy", "http://b:1"), "E30", Severity::Info);
    let cgi = set(set(healthy(), "HTTP_PROXY", "http://a:1"), "REQUEST_METHOD", "GET");
    let plain = set(cgi, "GOPROXY", "http://goproxy.corp.test");
    let found = all(&lib(), &plain);
    assert!(codes(&found).contains(&("E42", Severity::Error)), "{:?}", codes(&found));
}

#[test]
fn no_proxy_is_read_as_each_tool_reads_it() {
    let url = module("https://git.corp.test/team/lib.git");
    for (value, code, severity) in [
        ("*.corp.test", "E31", Severity::Warning),
        ("git.corp.test:443", "E32", Severity::Warning),
        ("a.test git.corp.test", "E33", Severity::Warning),
        ("10.0.0.0/8", "E34", Severity::Info),
        ("https://git.corp.test", "E35", Severity::Warning),
        ("127.0..0.1", "E35", Severity::Warning),
        ("127.0..0.1,https://git.corp.test", "E35", Severity::Warning),
    ] {
        let machine = set(set(healthy(), "HTTPS_PROXY", "http://h:1"), "NO_PROXY", value);
        check(&url, &machine, code, severity);
    }
    // What concerns the host explains that it is asked through the proxy; what is just odd explains nothing.
    let odd =
        set(set(healthy(), "HTTPS_PROXY", "http://h:1"), "NO_PROXY", "a..b,http://git.corp.test");
    assert!(check(&url, &odd, "E35", Severity::Warning).suppresses.contains("P27"));
    for fine in ["git.corp.test", ".corp.test", "*", "localhost,127.0.0.1", "*.other.test"] {
        let machine = set(set(healthy(), "HTTPS_PROXY", "http://h:1"), "NO_PROXY", fine);
        assert_eq!(codes(&all(&url, &machine)), [], "{fine}");
    }
}

#[test]
fn git_and_its_rules_are_checked() {
    let url = module("https://git.corp.test/team/lib.git");
    for (key, value, code, severity) in [
        ("http.sslcainfo", "/missing.pem", "E44", Severity::Error),
        ("protocol.https.allow", "never", "G26", Severity::Error),
        ("credential.usehttppath", "true", "G27", Severity::Info),
        (
            "url.https://git.corp.testteam.insteadof",
            "https://git.corp.test/team/",
            "G09",
            Severity::Error,
        ),
        (
            "url.https://a:hunter2@git.corp.test/.insteadof",
            "https://git.corp.test/",
            "G10",
            Severity::Warning,
        ),
        ("url.ssh://git@h/.insteadof", "https://git.corp.test/", "G08", Severity::Info),
        ("http.extraheader", "Authorization: Basic hunter2", "G11", Severity::Warning),
    ] {
        let found = check(&url, &git(healthy(), key, value), code, severity);
        assert!(!found.fix.changes.is_empty(), "{code}");
        let shown = format!(
            "{} {:?} {} {}",
            found.cause, found.evidence, found.fix.command, found.reproduce
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let mut broken = healthy();
    broken.git_error = Some("fatal: bad config line 1 in file /home/a/.gitconfig".into());
    check(&url, &broken, "E46", Severity::Error);
    let mut without = healthy();
    without.git = None;
    check(&url, &without, "G12", Severity::Error);
    let mut helper = git(healthy(), "credential.helper", "x");
    helper.programs.insert("git-credential-x".into(), None);
    check(&url, &helper, "G01", Severity::Warning);
}

#[test]
fn what_other_programs_know_and_what_is_switched_off_is_said() {
    let url = module("https://git.corp.test/team/lib.git");
    check(&url, &git(healthy(), "http.sslverify", "false"), "E59", Severity::Warning);
    check(&url, &set(healthy(), "GIT_SSL_NO_VERIFY", "1"), "E59", Severity::Warning);
    let place = Place::File("/home/a/.npmrc".into(), Some(1));
    let npm = Machine { careless: vec![("npm", place)], ..healthy() };
    check(&url, &npm, "E59", Severity::Warning);
    let mut machine = healthy();
    let place = Place::File("/home/a/.npmrc".into(), Some(3));
    machine.neighbours = vec![("npm", Private::new("http://a:hunter2@proxy:3128"), place)];
    let found = check(&url, &machine, "E60", Severity::Info);
    assert!(found.suppresses.contains("N02") && !format!("{found:?}").contains("hunter2"));
    let found = all(&url, &set(machine, "HTTPS_PROXY", "http://proxy:3128"));
    assert!(found.iter().all(|it| it.entry.code != "E60"));
}

#[test]
fn the_disk_and_the_clock_are_looked_at() {
    let at = |name: &str, stat: Stat| {
        let mut machine = healthy();
        machine.paths.insert(PathBuf::from(name), stat);
        machine
    };
    let own = healthy().paths[&PathBuf::from("/tmp")];
    let cache = "/home/a/go/pkg/mod";
    check(&lib(), &at(cache, Stat { is_read_only: true, ..own }), "L01", Severity::Error);
    check(&lib(), &at(cache, Stat { free: Some(1000), ..own }), "L02", Severity::Error);
    check(&lib(), &at("/tmp", Stat::default()), "L03", Severity::Error);
    check(&lib(), &at(cache, Stat { is_writable: false, owner: 0, ..own }), "L05", Severity::Error);
    let mut behind = healthy();
    behind.newest = Some(("/etc/hosts".into(), behind.now + 10 * 86_400));
    check(&lib(), &behind, "L08", Severity::Warning);
}

#[test]
fn a_tool_that_is_sent_to_gocred_needs_it() {
    let mut machine = set(healthy(), "HTTPS_PROXY", "http://127.0.0.1:7407");
    machine.gocred.listen = vec!["127.0.0.1:7407".parse().unwrap()];
    check(&lib(), &machine, "K01", Severity::Error);
    machine.listeners = vec![("127.0.0.1:7407".parse().unwrap(), 0)];
    check(&lib(), &machine, "K02", Severity::Error);
    machine.gocred.daemon = Some(env!("CARGO_PKG_VERSION").into());
    assert!(loud(&all(&lib(), &machine)).is_empty());
    // It runs, and listens in another network than this one.
    machine.listeners.clear();
    check(&lib(), &machine, "E48", Severity::Error);
    machine.listeners = vec![("127.0.0.1:7407".parse().unwrap(), 0)];
    machine.gocred.config =
        Some(("unknown key `x`".into(), "/home/a/.config/gocred/config.toml:3".into()));
    check(&lib(), &machine, "K10", Severity::Error);
}

#[test]
fn vendor_names_a_replaced_module_by_its_own_path() {
    let text = "module m\ngo 1.24\nrequire a.test/x v1.0.0\nreplace a.test/x => b.test/x v1.1.0\n";
    for (listed, is_found) in
        [("# a.test/x v1.0.0 => b.test/x v1.1.0\n## explicit\n", false), ("", true)]
    {
        let mut machine = healthy();
        machine.module = Some(Module {
            go_mod: Text::of("/src/x/go.mod", text),
            vendor: Text::of("/src/x/vendor/modules.txt", listed),
            ..Module::default()
        });
        assert_eq!(loud(&all(&Target::Here, &machine)).contains(&"E21"), is_found, "{listed}");
    }
}
