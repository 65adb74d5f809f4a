//! README says what the program says: exit codes, environment, commands.

use std::{fs, process::Command};

use gocred::{
    core::{config::Config, fault::EXIT_CODES},
    sys::env::{OF_CI, VARIABLES},
};

#[test]
fn the_table_of_exit_codes_is_the_programs() {
    let mut table = "| code | meaning |\n|---|---|\n".to_owned();
    for (code, meaning) in EXIT_CODES {
        table.extend(["| ", &code.to_string(), " | ", meaning, " |\n"]);
    }
    assert_eq!(section("exit codes"), table, "README's section should be:\n{table}");
}

#[test]
fn every_variable_that_is_read_is_told() {
    let mut table = "| variable | what it does |\n|---|---|\n".to_owned();
    for (name, meaning) in VARIABLES.iter().chain(OF_CI) {
        table.extend(["| `", name, "` | ", meaning, " |\n"]);
    }
    assert_eq!(section("environment"), table, "README's section should be:\n{table}");
}

#[test]
fn the_commands_are_those_of_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_gocred"))
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let block = format!("```text\n{}\n```\n", help.trim_end());
    assert_eq!(section("commands"), block, "README's section should be:\n{block}");
}

#[test]
fn the_configuration_that_is_shown_is_one() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("the block ends").0)
        .collect();
    let [user, system] = blocks[..] else { panic!("{blocks:?}") };
    let config = Config::merge(Some(system), Some(user)).expect("a configuration");
    assert_eq!(config.upstreams.len(), 1);
    // Every key that there is stands in the example.
    let set = Config::parse(user).expect("a configuration").rows();
    for row in set.iter().flat_map(|(_, rows)| rows) {
        assert!(row.set.is_some(), "README does not show {}", row.key);
    }
}

#[test]
fn the_sources_that_are_shown_are_a_configuration() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once("``` toml\n").expect("the block");
    let (text, _) = rest.split_once("```").expect("its end");
    let config = Config::parse(text).expect("a configuration");
    assert_eq!(config.source_names.len(), 6);
}

/// Returns what stands between `<!-- name -->` and `<!-- /name -->`.
pub(crate) fn section(name: &str) -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once(&format!("<!-- {name} -->\n")).expect("the section starts");
    let (section, _) = rest.split_once(&format!("<!-- /{name} -->")).expect("the section ends");
    section.to_owned()
}
