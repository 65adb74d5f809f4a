//! README's words of `gocred wrap` are those that it prints in the lab, but for how long things took.

use super::{
    docs::section,
    support::{go::Release, home::Home, lab::Lab, path},
};

/// Returns text with every duration replaced, and every run of blanks by one.
fn timeless(text: &str) -> String {
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| {
            let bare = word.trim_matches(['(', ')']);
            let is_number = bare.chars().all(|c| c.is_ascii_digit() || c == '.');
            if is_number && !bare.is_empty() { word.replace(bare, "0") } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_finding_below_a_failing_command_is_the_one_of_readme() {
    let Some(lab) = Lab::enter() else { return };
    let Some(go) = Release::Go127.program() else { return };
    let home = Home::new().without_telemetry();
    home.write(
        "go.mod",
        "module example.test/app\n\ngo 1.24\n\nrequire git.corp.test/team/lib v1.0.0\n",
    );
    home.write(
        "main.go",
        "package main\n\nimport _ \"git.corp.test/team/lib\"\n\nfunc main() {}\n",
    );
    let go = go.parent().expect("its folder").display().to_string();
    let proxy = "http://ana:stale@proxy.corp.test:3128";
    let output = home
        .gocred()
        .env("PATH", format!("{go}:{}", path()))
        .env("SSL_CERT_FILE", lab.authority())
        .env("HTTPS_PROXY", proxy)
        .env("https_proxy", proxy)
        .env("GOPRIVATE", "*.corp.test")
        .env("GOTOOLCHAIN", "local")
        .args(["wrap", "--", "go", "mod", "tidy"])
        .output();
    assert_eq!((output.code, output.out().as_str()), (Some(1), ""), "{output:?}");
    let block = format!("```console\n$ gocred wrap -- go mod tidy\n{}```\n", output.err());
    assert_eq!(
        timeless(&section("doctor")),
        timeless(&block),
        "README's section should be:\n{block}"
    );
}
