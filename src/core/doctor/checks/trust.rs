//! Files of certificate authorities that are not there, or that only one tool reads. E44, E45.

use std::path::Path;

use crate::core::doctor::{
    checks::{Facts, fix},
    finding::{Finding, Kind, Severity, Tool},
    machine::{GitValue, What},
    place::Place,
    private::Private,
};

/// What a missing authority ends in.
const UNTRUSTED: &[&str] = &["E45", "T01", "T02", "T03", "T20", "T21", "P31", "S10"];

/// Returns what is wrong with them.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = missing(facts);
    found.extend(one_sided(facts));
    found
}

/// A file that a setting names.
struct Named<'a> {
    value: &'a Private,
    place: Place,
    tools: &'static [Tool],
    /// The value of git's configuration that it is.
    git: Option<&'a GitValue>,
}

fn named<'a>(facts: &Facts<'a>) -> Vec<Named<'a>> {
    let machine = facts.machine;
    let variables: [(&str, &[Tool]); 10] = [
        ("SSL_CERT_FILE", &[Tool::Go, Tool::Curl]),
        ("SSL_CERT_DIR", &[Tool::Go, Tool::Curl]),
        ("CURL_CA_BUNDLE", &[Tool::Curl]),
        ("GIT_SSL_CAINFO", &[Tool::Git, Tool::Go]),
        ("GIT_SSL_CAPATH", &[Tool::Git, Tool::Go]),
        ("GIT_SSL_CERT", &[Tool::Git, Tool::Go]),
        ("GIT_SSL_KEY", &[Tool::Git, Tool::Go]),
        ("GIT_PROXY_SSL_CAINFO", &[Tool::Git, Tool::Go]),
        ("GIT_PROXY_SSL_CERT", &[Tool::Git, Tool::Go]),
        ("GIT_PROXY_SSL_KEY", &[Tool::Git, Tool::Go]),
    ];
    let variables = variables.into_iter().filter_map(|(name, tools)| {
        let value = machine.variable(name)?;
        Some(Named { value, place: Place::Variable(name.to_owned()), tools, git: None })
    });
    let is_file = |key: &str| {
        key.starts_with("http.")
            && [
                ".sslcainfo",
                ".sslcapath",
                ".sslcert",
                ".sslkey",
                ".proxysslcainfo",
                ".proxysslcert",
                ".proxysslkey",
            ]
            .iter()
            .any(|end| key.ends_with(end))
    };
    let tools: &[Tool] = &[Tool::Git, Tool::Go];
    let own = machine
        .git_config
        .iter()
        .filter(|entry| is_file(&entry.key) && !entry.value.raw().is_empty());
    let own = own.map(|entry| Named {
        value: &entry.value,
        place: entry.place.clone(),
        tools,
        git: Some(entry),
    });
    variables.chain(own).collect()
}

/// E44: the file is not there.
fn missing(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for Named { value, place, tools, git } in named(facts) {
        let path = at_home(facts, value.raw());
        let stat = facts.machine.stat(&path);
        let is_there = stat.what != What::Missing && stat.is_readable;
        let many = matches!(&place, Place::Variable(name) if name == "SSL_CERT_DIR");
        if is_there || many && value.raw().contains(':') {
            continue;
        }
        // Where the file is there, it says whom go trusts, and the folder would only have added to it.
        let file = facts.machine.variable("SSL_CERT_FILE").map(|file| at_home(facts, file.raw()));
        let is_spare =
            many && file.is_some_and(|file| facts.machine.stat(&file).what == What::File);
        // git cannot do without its file. go and curl take the system's folder beside it, and fail only
        // where the authority was in the file.
        let is_folder = matches!(&place, Place::Variable(name) if name == "GIT_SSL_CAPATH")
            || git.is_some_and(|entry| entry.key.ends_with(".sslcapath"));
        // Only an `https://` proxy needs it, which is then seen to fail.
        let is_of_proxy = matches!(&place, Place::Variable(name) if name.starts_with("GIT_PROXY"))
            || git.is_some_and(|entry| entry.key.contains(".proxyssl"));
        let is_fatal = tools.contains(&Tool::Git)
            && !is_folder
            && !is_of_proxy
            && facts.is_for_git()
            && facts.asked().iter().any(|it| it.scheme == "https");
        let severity = if is_fatal { Severity::Error } else { Severity::Warning };
        let why = if stat.what == What::Missing { "is not there" } else { "cannot be read" };
        let cause = format!("{place} names {}, which {why}.", path.display());
        let finding = facts
            .finding("E44", severity, cause)
            .seen(Kind::File, place.clone(), value.to_string(), "a file that is there")
            .affects(tools)
            .reproduce(format!("ls -l {}", fix::quoted(&path.display().to_string())))
            .explains(match (is_spare, is_of_proxy) {
                (true, _) => &[],
                (false, true) => &["P31"],
                (false, false) => UNTRUSTED,
            });
        found.push(match (git, &place) {
            (Some(entry), _) => fix::git(facts, finding, entry, None),
            (None, Place::Variable(name)) => fix::variable(facts, finding, name, None),
            (None, _) => finding,
        });
    }
    found
}

fn at_home(facts: &Facts<'_>, path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), &facts.machine.home) {
        (Some(below), Some(home)) => home.join(below),
        // A relative path begins where the tools run.
        _ => facts.machine.folder.join(Path::new(path)),
    }
}

/// E45: one tool is told of an authority, and the other is not.
fn one_sided(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let go = machine.variable("SSL_CERT_FILE").or_else(|| machine.variable("SSL_CERT_DIR"));
    let key = machine.git_config.iter().rfind(|entry| {
        entry.key.starts_with("http.")
            && entry.key.ends_with(".sslcainfo")
            && !entry.value.raw().is_empty()
    });
    let git = machine.variable("GIT_SSL_CAINFO").or_else(|| key.map(|entry| &entry.value));
    let (known, lost, value, tools): (_, _, _, &[Tool]) = match (go, git) {
        (Some(value), None) => ("go", "git", value, &[Tool::Git, Tool::Go]),
        (None, Some(value)) => ("git", "go", value, &[Tool::Go, Tool::Curl]),
        _ => return None,
    };
    let place = match lost {
        "git" => Place::Variable("SSL_CERT_FILE".to_owned()),
        _ => key.map_or_else(
            || Place::Variable("GIT_SSL_CAINFO".to_owned()),
            |entry| entry.place.clone(),
        ),
    };
    let cause = format!("{place} tells {known} of the authorities in {value}; {lost} is not told.");
    let command = match lost {
        "git" => format!("git config --global http.sslCAInfo {}", fix::quoted(value.raw())),
        _ => format!("export SSL_CERT_FILE={}", fix::quoted(value.raw())),
    };
    let finding = facts
        .finding("E45", Severity::Info, cause)
        .seen(Kind::Variable, place, value.to_string(), format!("the same for {lost}"))
        .affects(tools)
        .run(command)
        .explains(&["T02", "T20"]);
    let home = machine.home.as_ref().filter(|_| lost == "git");
    Some(match home {
        Some(home) => finding.change(crate::core::doctor::finding::Change::GitConfig {
            file: home.join(".gitconfig"),
            key: "http.sslCAInfo".to_owned(),
            line: None,
            value: Some(value.raw().to_owned()),
        }),
        None => finding,
    })
}
