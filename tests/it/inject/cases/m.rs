//! M: the module proxy's protocol.

use crate::inject::case::{Case, Tool::Go};

/// What go.sum says of example.com/pub, as the farm's module proxy has it.
const SUMS: &str = "example.com/pub v1.0.0 h1:IaV4WKPkc20WuiqssGGsvuAV+byFGK2l2RIZcp+K5Jk=\n\
example.com/pub v1.0.0/go.mod h1:/FkfpNf3lQZpJMKQXdGnNUCiCBW2hhgVf+b02el9lhA=\n";

/// What go.sum says of example.com/young.
const YOUNG: &str = "example.com/young v1.0.0 h1:dcEo+GxYpGZ0RkF79cGdZN4vwK9XkYbtT9pUhaD4atA=\n\
example.com/young v1.0.0/go.mod h1:yGJ9xKiL//0KDcwIe4R+Gj8Z2VS2tcWpGSJizKK3a2E=\n";

/// A go.mod that needs it.
const GO_MOD: &str = "module work.test/main\n\ngo 1.21\n\nrequire example.com/pub v1.0.0\n";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [hosts(), folders(), builds()].concat()
}

/// A host as module proxy.
fn hosts() -> Vec<Case> {
    let from = |code: &str, about: &str, host: &str| {
        Case::new(code)
            .about(about)
            .module("example.com/pub@v1.0.0")
            .goenv(&format!("GOPROXY=https://{host}.corp.test"))
    };
    vec![
        from("M01", "404", "gp404"),
        from("M01", "no such version", "goproxy").module("example.com/pub@v9.9.9"),
        from("M01", "no such version of a private module", "goproxy")
            .module("example.com/pub@v9.9.9")
            .goenv("GONOSUMDB=example.com"),
        from("M02", "410", "gp410"),
        from("M03", "403", "gp403"),
        from("M03", "403, and a login of netrc", "gp403")
            .file("~/.netrc", "machine gp403.corp.test login athens password kanarie-athens-403\n"),
        from("M04", "401 with a page", "gp401"),
        from("M05", "500", "gp500"),
        from("M06", "502", "gp502"),
        from("M07", "a page", "gphtml"),
        from("M08", "a redirect to a login page", "gp302"),
        from("M09", "no zip", "gpbadzip"),
        from("M10", "another version", "gpversion"),
        from("M11", "nothing", "gpempty"),
        from("M12", "half a zip", "gptrunc"),
        from("M13", "stalls", "gpstall").hangs(&[Go]),
        from("M14", "info, but no zip", "gpzip404"),
        from("M15", "the escape is lost", "gpunesc").module("example.com/Pub@v1.0.0"),
        from("M16", "not what go.sum says", "gptamper").here(GO_MOD).file("{WORK}/go.sum", SUMS),
        Case::new("M17")
            .about("go.sum lacks it")
            .here(GO_MOD)
            .file("{WORK}/m.go", "package m\n\nimport _ \"example.com/pub\"\n")
            .go(&["build", "./..."]),
        Case::new("M17")
            .about("go.sum lacks its go.mod")
            .here(GO_MOD)
            .file("{WORK}/go.sum", SUMS.lines().next().unwrap_or_default())
            .file("{WORK}/m.go", "package m\n\nimport _ \"example.com/pub\"\n")
            .go(&["build", "./..."]),
        Case::new("M19").about("no version").module("example.com/pub@v1.0.0;x"),
        Case::new("M20").about("no host").module("internalpkg/lib@v1.0.0"),
        Case::new("M20")
            .about("no host in go.mod")
            .here("module work.test/main\n\ngo 1.21\n\nrequire internalpkg/lib v1.0.0\n"),
        from("M18", "a package, packed as a module", "goproxy")
            .module("example.com/pub/sub@v1.0.0"),
        Case::new("M22")
            .about("a fork that was not renamed")
            .here("module work.test/main\n\ngo 1.21\n\nrequire example.com/fork v1.0.0\n")
            .go(&["list", "-m", "all"])
            .says("go.mod:5")
            .says("/example.com/fork/@v/v1.0.0.mod"),
        from("M21", "storage refuses", "gpstorebad"),
    ]
}

/// A folder as module proxy.
fn folders() -> Vec<Case> {
    let from = |code: &str, about: &str, url: &str| {
        Case::new(code)
            .about(about)
            .module("example.com/pub@v1.0.0")
            .goenv(&format!("GOPROXY=file://{url}"))
            .says("/go/env:4")
    };
    let own = "~/mirror/example.com/pub/@v/v1.0.0";
    let info = r#"{"Version":"v1.0.0"}"#;
    vec![
        from("M01", "a folder that is not there", "{HOME}/gone"),
        from("M01", "a folder without the module", "{FARM}/modules")
            .module("example.com/gone@v1.0.0"),
        from("M01", "a folder without the version", "{FARM}/modules")
            .module("example.com/pub@v9.9.9"),
        from("M01", "a folder without any version", "{HOME}/gone").module("example.com/pub").go(&[
            "list",
            "-m",
            "example.com/pub@latest",
        ]),
        from("M01", "a folder without a version that begins so", "{FARM}/modules")
            .module("example.com/pub@v9"),
        from("M01", "two folders without it", "{HOME}/gone,file://{HOME}/other"),
        from("M01", "a folder without what go.mod needs", "{HOME}/gone")
            .here(GO_MOD)
            .go(&["mod", "download"]),
        from("M14", "a folder without the zip", "{HOME}/mirror")
            .file(&format!("{own}.info"), info)
            .file(&format!("{own}.mod"), "module example.com/pub\n\ngo 1.18\n"),
        from("M03", "a folder with a file that may not be read", "{HOME}/mirror")
            .file(&format!("{own}.info"), info)
            .mode(&format!("{own}.info"), 0)
            .user(),
        from(
            "M11",
            "a folder with an empty file, before a host",
            "{HOME}/mirror,https://goproxy.corp.test",
        )
        .file(&format!("{own}.info"), ""),
        from("E61", "two slashes in place of three", "mirror/of-go").fixed(),
        from("E61", "the name of a host", "localhost{FARM}/modules").fixed(),
    ]
}

/// What only a build shows.
fn builds() -> Vec<Case> {
    vec![
        Case::new("M17")
            .about("go.sum has the go.mod alone of what is imported")
            .here(GO_MOD)
            .file("{WORK}/go.sum", SUMS.lines().nth(1).unwrap_or_default())
            .file("{WORK}/m.go", "package m\n\nimport _ \"example.com/pub\"\n")
            .go(&["build", "./..."]),
        Case::new("M30")
            .about("go.mod is of an older Go than what it requires")
            .here("module work.test/main\n\ngo 1.21\n\nrequire example.com/young v1.0.0\n")
            .file("{WORK}/go.sum", YOUNG)
            .file("{WORK}/m.go", "package m\n\nimport _ \"example.com/young\"\n")
            .go(&["build", "./..."]),
    ]
}
