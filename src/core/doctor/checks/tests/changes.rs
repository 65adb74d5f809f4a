//! What the checks offer to change.

use super::{Change, Target, Text, all, goenv, healthy, lib, set};

#[test]
fn a_change_is_what_was_meant() {
    let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let set = |name: &str, value: &str| Change::GoEnv {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let line = |text: Option<&str>| Change::Line {
        file: "/home/a/.config/go/env".into(),
        line: 2,
        text: text.map(str::to_owned),
    };
    for (text, code, change) in [
        (
            format!("GOSUMDB={key} https://s.test more"),
            "S07",
            set("GOSUMDB", &format!("{key} https://s.test")),
        ),
        ("GONOSUMCHECK=1".to_owned(), "E27", line(None)),
        ("GONOSUMCHECK=*.corp.test".to_owned(), "E27", line(Some("GONOSUMDB=*.corp.test"))),
    ] {
        let found = all(&lib(), &goenv(&format!("GOPROXY=https://h\n{text}\n")));
        let found = found.iter().find(|found| found.entry.code == code).expect(code);
        assert_eq!(found.fix.changes, [change], "{text}");
    }
}

#[test]
fn every_place_of_a_setting_is_mended() {
    let url = Target::Url("https://git.corp.test/x.git".to_owned());
    let mut machine = healthy();
    for (name, value) in [
        ("HTTPS_PROXY", "http://p.test:1"),
        ("NO_PROXY", "*.corp.test"),
        ("no_proxy", "*.corp.test"),
    ] {
        machine = set(machine, name, value);
    }
    let lines = "export NO_PROXY=*.corp.test\nexport no_proxy='*.corp.test'\n";
    machine.startup = ["/home/a/.profile", "/etc/profile", "/home/a/.zshrc"]
        .map(|file| Text::of(file, lines))
        .to_vec();
    let found = all(&url, &machine);
    let found = found.iter().find(|found| found.entry.code == "E31").expect("E31");
    let files: Vec<(String, usize)> = found
        .fix
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Line { file, line, .. } => Some((file.display().to_string(), *line)),
            _ => None,
        })
        .collect();
    let at = |file: &str, line| (format!("/home/a/{file}"), line);
    assert_eq!(files, [at(".profile", 1), at(".zshrc", 1), at(".profile", 2), at(".zshrc", 2)]);
}
