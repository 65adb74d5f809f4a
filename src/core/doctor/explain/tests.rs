//! What texts mean, with and without a machine.

use super::{
    about::About,
    explain,
    signs::{Kept, Signs},
};
use crate::core::{
    doctor::{
        catalogue,
        finding::{Finding, Severity, Tool},
        machine::{GitValue, Machine, Text},
        place::Place,
        private::Private,
    },
    origin::Origin,
};

fn codes(text: &str) -> Vec<&'static str> {
    explain(text, &Signs::default()).candidates.iter().map(|it| it.entry.code).collect()
}

#[test]
fn what_this_machine_shows_counts_more() {
    let text = "go: m@v1.0.0: reading https://p.example/m/@v/v1.0.0.info: 403 Forbidden\n\tserver response: no";
    let plain = explain(text, &Signs::default());
    assert!(plain.candidates.iter().all(|it| it.entry.code != "E17"));
    let finding = Finding::new(catalogue::entry("E17"), "the pattern is bad");
    let kept = Kept { has_roots: true, ..Kept::default() };
    let signs = Signs::of(&About::of(text), &Machine::default(), &kept, vec![finding]);
    let known = explain(text, &signs);
    let first = known.candidates.first().unwrap();
    assert_eq!(first.entry.code, "E17");
    assert_eq!(first.here.as_ref().map(|it| it.cause.as_str()), Some("the pattern is bad"));
    assert_eq!(known.candidates.len(), 3);
    assert!(!known.same.is_empty());
}

#[test]
fn a_code_that_gocred_named_comes_first() {
    let text =
        format!("gocred[K08]: h: the vault is damaged; run: gocred status --store\n{NO_USER}");
    assert_eq!(codes(&text).first(), Some(&"K08"));
    assert!(codes("gocred[XYZ]: no").is_empty());
}

#[test]
fn behind_a_502_stands_what_the_daemon_told_of_the_host() {
    let text = REFUSED.replace("407", "502");
    let mut machine = machine(&[]);
    machine.gocred.reported = vec![
        ("P42".to_owned(), "no way to git.corp.example:443".to_owned()),
        ("P38".to_owned(), "no way to other.example:443".to_owned()),
    ];
    let signs = Signs::of(&About::of(&text), &machine, &Kept::default(), Vec::new());
    let found = explain(&text, &signs).candidates;
    let found: Vec<&str> = found.iter().map(|it| it.entry.code).collect();
    assert_eq!(found.first(), Some(&"P42"));
    // Of another host it was told; it prints the same.
    assert!(found.iter().position(|it| *it == "P38").is_none_or(|at| at > 0));
}

#[test]
fn behind_a_refusal_of_gocreds_own_proxy_stands_what_its_daemon_told_last() {
    let text = REFUSED.replace("407", "502");
    let mut machine = machine(&[("https_proxy", "http://127.0.0.1:7432")]);
    machine.gocred.listen = vec![([127, 0, 0, 1], 7432).into()];
    machine.gocred.reported = vec![
        ("P38".to_owned(), "no Kerberos library".to_owned()),
        ("P42".to_owned(), "the PAC file: refused".to_owned()),
    ];
    assert_eq!(on(&machine, Kept::default(), &text), ["P42", "P38", "P13"]);
    machine.gocred.listen.clear();
    assert_eq!(on(&machine, Kept::default(), &text).first(), Some(&"P13"));
}

#[test]
fn a_refusal_of_another_users_program_is_about_who_asks() {
    let text = REFUSED.replace("407", "403");
    let mut machine = machine(&[("https_proxy", "http://127.0.0.1:7432")]);
    assert_ne!(on(&machine, Kept::default(), &text).first(), Some(&"K03"));
    machine.listeners = vec![(([127, 0, 0, 1], 7432).into(), 1001)];
    assert!(on(&machine, Kept::default(), &text).contains(&"K03"));
}

#[test]
fn a_setting_that_makes_something_fail_is_a_cause_of_what_was_printed() {
    let text = "go: m.example/x@v1.0.0: reading https://p.example/m.example/x/@v/v1.0.0.info: 403 Forbidden";
    let of = |finding: Finding| {
        let kept = Kept { has_roots: true, ..Kept::default() };
        let signs = Signs::of(&About::of(text), &machine(&[]), &kept, vec![finding]);
        explain(text, &signs).candidates.first().map(|it| it.entry.code)
    };
    let finding = || Finding::new(catalogue::entry("E58"), "the pattern is narrow");
    assert_eq!(of(finding().explains(&["M03"])), Some("E58"));
    assert_ne!(of(finding().explains(&["N01"])), Some("E58"));
    assert_ne!(of(finding().explains(&["M03"]).affects(&[Tool::Git])), Some("E58"));
    let weak = Finding::new(catalogue::entry("E06"), "it may be far").severity(Severity::Info);
    assert_ne!(of(weak.explains(&["M03"])), Some("E06"), "it has words of its own");
}

#[test]
fn a_login_for_another_port_of_the_host_is_none_for_this_one() {
    let of = |port| {
        let hosts = vec![Origin::from_parts("https", "git.corp.example", port).unwrap()];
        on(&machine(&[]), Kept { hosts, ..Kept::default() }, NO_USER)
    };
    assert_eq!(of(Some(8443)).first(), Some(&"A33"));
    assert!(!of(None).contains(&"A33"));
}

#[test]
fn nothing_printed_is_a_tool_that_waits() {
    assert!(codes("").contains(&"N02"));
    assert_eq!(codes("go: downloading a.example/b v1.0.0\n^C\n").first(), Some(&"M13"));
    assert!(codes("all is well").is_empty());
}

#[test]
fn colours_and_repeated_lines_change_nothing() {
    let line = "\u{1b}[31mfatal:\u{1b}[0m could not read Username for 'https://h': terminal prompts disabled\r\n";
    assert_eq!(codes(line).first(), Some(&"A01"));
    assert_eq!(codes(&line.repeat(9000)).first(), Some(&"A01"));
}

const REFUSED: &str = "fatal: unable to access 'https://git.corp.example/team/lib.git/': CONNECT tunnel failed, response 407";
const UNRESOLVED: &str = "fatal: unable to access 'https://git.corp.example/team/lib.git/': Could not resolve host: git.corp.example";
const RESET: &str = "fatal: unable to access 'https://git.corp.example/team/lib.git/': Recv failure: Connection reset by peer";
const NO_USER: &str =
    "fatal: could not read Username for 'https://git.corp.example': terminal prompts disabled";

/// A machine with a resolver, and these variables.
fn machine(variables: &[(&str, &str)]) -> Machine {
    let variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), Private::new(*value)));
    let resolv = Text::of("/etc/resolv.conf", "nameserver 10.0.0.53\n");
    Machine { variables: variables.collect(), resolv, ..Machine::default() }
}

fn on(machine: &Machine, kept: Kept, text: &str) -> Vec<&'static str> {
    let kept = Kept { has_roots: true, ..kept };
    let signs = Signs::of(&About::of(text), machine, &kept, Vec::new());
    explain(text, &signs).candidates.iter().map(|it| it.entry.code).collect()
}

#[test]
fn a_407_is_about_the_password_only_where_one_is_known() {
    let none = machine(&[("https_proxy", "http://proxy.corp.example:3128")]);
    assert_eq!(on(&none, Kept::default(), REFUSED), ["P01", "P03", "P04"]);
    let some = machine(&[("https_proxy", "http://u:kanarie@proxy.corp.example:3128")]);
    assert_eq!(on(&some, Kept::default(), REFUSED), ["P02", "P34", "P35"]);
    let proxy = Origin::from_parts("http", "proxy.corp.example", Some(3128)).unwrap();
    let kept = Kept { proxies: vec![proxy], ..Kept::default() };
    assert_eq!(on(&none, kept, REFUSED).first(), Some(&"P02"));
}

#[test]
fn a_missing_user_name_is_about_the_password_only_where_one_is_known() {
    assert_eq!(on(&machine(&[]), Kept::default(), NO_USER).first(), Some(&"A01"));
    let value = GitValue {
        key: "http.extraheader".to_owned(),
        value: Private::new("Authorization: Basic kanarie"),
        place: Place::File("/home/a/.gitconfig".into(), Some(1)),
        is_local: false,
    };
    let some = Machine { git_config: vec![value], ..machine(&[]) };
    let codes = on(&some, Kept::default(), NO_USER);
    assert!(codes.contains(&"A02") && !codes.contains(&"A01"), "{codes:?}");
}

#[test]
fn a_reset_is_the_proxys_where_the_way_leads_through_one() {
    assert_eq!(on(&machine(&[]), Kept::default(), RESET).first(), Some(&"T18"));
    let proxied = machine(&[("https_proxy", "http://proxy.corp.example:3128")]);
    assert_eq!(on(&proxied, Kept::default(), RESET).first(), Some(&"P19"));
}

#[test]
fn what_files_prove_of_names_comes_first() {
    let with = |change: fn(&mut Machine)| {
        let mut machine = machine(&[]);
        change(&mut machine);
        on(&machine, Kept::default(), UNRESOLVED)
    };
    assert_eq!(with(|_| ()).first(), Some(&"D01"));
    let none = with(|it| it.resolv = Text::of("/etc/resolv.conf", "# nameserver 10.0.0.53\n"));
    assert_eq!(none.first(), Some(&"D06"));
    let no_dns = with(|it| it.nsswitch = Text::of("/etc/nsswitch.conf", "hosts: files\n"));
    assert_eq!(no_dns.first(), Some(&"D15"));
    let own = with(|it| it.resolv = Text::of("/etc/resolv.conf", "nameserver 127.0.0.54\n"));
    assert_eq!(own.first(), Some(&"D05"));
    let engine = with(|it| it.resolv = Text::of("/etc/resolv.conf", "nameserver 127.0.0.11\n"));
    assert_eq!(engine.first(), Some(&"D01"));
    let few = with(|it| it.descriptors = Some(8));
    assert_eq!(few.first(), Some(&"D01"), "git says nothing of descriptors");
}

#[test]
fn a_text_of_another_machine_loses_no_code() {
    let text = "fatal: unable to access 'https://git.corp.example/x.git/': server certificate verification failed. CAfile: none CRLfile: none";
    let alone = explain(text, &Signs::default());
    let kept = Kept { has_roots: true, ..Kept::default() };
    let here = explain(text, &Signs::of(&About::of(text), &machine(&[]), &kept, Vec::new()));
    let all = |it: &super::Explanation| it.candidates.len() + it.same.len();
    assert!(all(&here) > 3 && all(&alone) > 3);
}
