//! git itself and the settings of its transport. E46, G12, G26, G27, G30, G31, G37, L07.

use std::path::PathBuf;

use crate::core::doctor::{
    checks::{Facts, fix},
    finding::{Change, Finding, Kind, Severity, Tool},
    machine::{GitValue, What},
    place::Place,
    private::Private,
    route::pinned,
    target::Target,
};

/// Returns what is wrong.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    found.extend(unreadable(facts));
    found.extend(no_boolean(facts));
    found.extend(no_address(facts));
    found.extend(no_backend(facts));
    found.extend(no_git(facts));
    found.extend(forbidden(facts));
    found.extend(by_path(facts));
    found.extend(impatient(facts));
    found.extend(in_clear(facts));
    found.extend(backend(facts));
    found.extend(old(facts));
    found
}

/// E46: git refuses its configuration, and with it everything.
fn unreadable(facts: &Facts<'_>) -> Option<Finding> {
    let said = facts.machine.git_error.as_ref()?;
    let place = place_of(said);
    let shown = place.as_ref().map_or_else(|| "its configuration".to_owned(), ToString::to_string);
    let cause = format!("git refuses {shown}, and with it every command: {said}.");
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Warning };
    let at = place.clone().unwrap_or(Place::Default("git"));
    let finding = facts
        .finding("E46", severity, cause)
        .seen(Kind::File, at, said.clone(), "key = value below a [section]")
        .affects(&[Tool::Go, Tool::Git])
        .reproduce("git config --list")
        .explains(&["G01"]);
    let Some(Place::File(file, Some(line))) = place else {
        return Some(finding.run("git config --list"));
    };
    let command =
        format!("\"${{EDITOR:-vi}}\" +{line} {}", fix::quoted(&file.display().to_string()));
    let finding = finding.run(command);
    if !fix::is_own(facts, &file) {
        return Some(finding);
    }
    Some(finding.change(Change::Unreadable { file }))
}

/// E46: a switch that says neither yes nor no; git ends at it (config.c `git_config_bool`).
fn no_boolean(facts: &Facts<'_>) -> Option<Finding> {
    /// The switches of its transport.
    const SWITCHES: &[&str] =
        &["sslverify", "sslcertpasswordprotected", "savecookies", "followredirects", "usehttppath"];
    let is_switch = |entry: &&GitValue| {
        let (section, name) = (entry.key.split('.').next(), entry.key.rsplit('.').next());
        matches!(section, Some("http" | "credential"))
            && name.is_some_and(|name| SWITCHES.contains(&name))
    };
    let is_odd = |entry: &&GitValue| {
        let value = entry.value.raw().to_ascii_lowercase();
        let value = value.trim_end_matches(['k', 'm', 'g']);
        let is_word = ["", "true", "yes", "on", "false", "no", "off"].contains(&value);
        let is_initial = entry.key.ends_with(".followredirects") && value == "initial";
        !is_word && !is_initial && value.parse::<i64>().is_err()
    };
    let entry = facts.machine.git_config.iter().filter(is_switch).find(is_odd)?;
    let key = Private::new(entry.key.clone());
    let cause = format!("{key} ({}) says neither true nor false: git ends there.", entry.place);
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Warning };
    let finding = facts
        .finding("E46", severity, cause)
        .seen(Kind::File, entry.place.clone(), format!("{key}={}", entry.value), "true or false")
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --list --show-origin");
    Some(fix::git(facts, finding, entry, None))
}

/// E46: an entry of `http.curloptResolve` that libcurl cannot read; every request ends at it.
fn no_address(facts: &Facts<'_>) -> Option<Finding> {
    let asked = facts.asked().into_iter().filter(|asked| asked.scheme.starts_with("http"));
    let mut urls = asked.map(|asked| format!("{}://{}:{}/", asked.scheme, asked.host, asked.port));
    let entry = urls.find_map(|url| pinned::broken(&url, facts.machine))?;
    let key = Private::new(entry.key.clone());
    let cause =
        format!("{key} ({}) is no HOST:PORT:ADDRESS: git ends every request there.", entry.place);
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Warning };
    let finding = facts
        .finding("E46", severity, cause)
        .seen(
            Kind::File,
            entry.place.clone(),
            format!("{key}={}", entry.value),
            "git.corp.example:443:192.0.2.7",
        )
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin --get-all http.curloptResolve");
    Some(fix::git(facts, finding, entry, None))
}

/// G37: a TLS library of another system (`http.sslBackend`).
fn no_backend(facts: &Facts<'_>) -> Option<Finding> {
    let entry = facts.machine.git_value("http.sslbackend")?;
    let is_foreign = match entry.value.raw().to_ascii_lowercase().as_str() {
        "schannel" => !cfg!(windows),
        "secure-transport" | "sectransp" => !cfg!(target_os = "macos"),
        _ => false,
    };
    if !is_foreign || facts.asked().iter().all(|asked| asked.scheme != "https") {
        return None;
    }
    let cause = format!(
        "git is told to use {} for TLS ({}), which this system does not have.",
        entry.value, entry.place
    );
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Warning };
    let finding = facts
        .finding("G37", severity, cause)
        .seen(
            Kind::File,
            entry.place.clone(),
            format!("http.sslBackend={}", entry.value),
            "not set",
        )
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin http.sslBackend");
    Some(fix::git(facts, finding, entry, None))
}

/// Reads `fatal: bad config line 1 in file /home/ana/.gitconfig` and the like.
fn place_of(said: &str) -> Option<Place> {
    let (before, file) = said.rsplit_once(" in file ").or_else(|| {
        let rest = said
            .strip_prefix("warning: unable to access '")
            .or_else(|| said.strip_prefix("fatal: unable to access '"))?;
        rest.split_once('\'').map(|(file, _)| ("", file))
    })?;
    let line =
        before.rsplit_once(" line ").and_then(|(_, line)| line.split(' ').next()?.parse().ok());
    Some(Place::File(PathBuf::from(file.trim()), line))
}

/// G12: there is no git.
fn no_git(facts: &Facts<'_>) -> Option<Finding> {
    if facts.machine.git.is_some() {
        return no_remote(facts);
    }
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Warning };
    let path = facts.machine.variable("PATH").map_or_else(String::new, ToString::to_string);
    let cause =
        "git is in no folder of PATH; go runs it for modules that it fetches from their own hosts.";
    let finding = facts
        .finding("G12", severity, cause)
        .seen(Kind::Variable, Place::Variable("PATH".to_owned()), path, "a folder that holds git")
        .affects(&[Tool::Go, Tool::Git])
        .reproduce("command -v git")
        .run("sudo apt-get install git");
    Some(finding)
}

/// G12: git is there, and the folder that `GIT_EXEC_PATH` names holds no program for https.
fn no_remote(facts: &Facts<'_>) -> Option<Finding> {
    let folder = facts.machine.variable("GIT_EXEC_PATH")?;
    let program = PathBuf::from(folder.raw()).join("git-remote-https");
    facts.machine.paths.get(&program).filter(|stat| stat.what == What::Missing)?;
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Warning };
    let place = Place::Variable("GIT_EXEC_PATH".to_owned());
    let cause = format!(
        "git looks for its own programs in {folder} ({place}), and git-remote-https is not there."
    );
    let finding = facts
        .finding("G12", severity, cause)
        .seen(Kind::Variable, place, folder.to_string(), "the folder of this git's programs")
        .affects(&[Tool::Go, Tool::Git])
        .reproduce("git --exec-path");
    Some(fix::variable(facts, finding, "GIT_EXEC_PATH", None))
}

/// G26: a transport is forbidden (git's `is_transport_allowed`).
fn forbidden(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let scheme = match facts.target {
        Target::Url(url) => url.split_once("://").map_or("https", |(scheme, _)| scheme),
        Target::Module { .. } | Target::Here => "https",
    };
    let severity = if facts.is_for_git() { Severity::Error } else { Severity::Info };
    let start = |place: Place, observed: String, cause: String| {
        facts
            .finding("G26", severity, cause)
            .seen(Kind::File, place, observed, format!("{scheme} allowed"))
            .affects(&[Tool::Git, Tool::Go])
            .reproduce("git config --show-origin --get-regexp '^protocol'")
    };
    if let Some(list) = machine.variable("GIT_ALLOW_PROTOCOL") {
        if list.raw().split(':').any(|own| own == scheme) {
            return None;
        }
        let place = Place::Variable("GIT_ALLOW_PROTOCOL".to_owned());
        let cause = format!("GIT_ALLOW_PROTOCOL allows git {list}, and not {scheme}.");
        return Some(fix::variable(
            facts,
            start(place, list.to_string(), cause),
            "GIT_ALLOW_PROTOCOL",
            None,
        ));
    }
    let key = format!("protocol.{scheme}.allow");
    let own = machine.git_value(&key).or_else(|| machine.git_value("protocol.allow"))?;
    // `user` means: only where GIT_PROTOCOL_FROM_USER is not 0, and go leaves that alone.
    if own.value.raw() != "never" {
        return None;
    }
    let cause = format!("{} ({}) forbids git to use {scheme}.", own.key, own.place);
    let finding = start(own.place.clone(), format!("{}={}", own.key, own.value), cause);
    let finding = fix::git(facts, finding, own, None);
    // Without the rule for the one transport, that for all of them would count.
    let general = machine.git_value("protocol.allow");
    Some(match general.filter(|it| it.key != own.key && it.value.raw() == "never") {
        Some(general) => {
            let other = fix::git(facts, finding.clone(), general, None);
            finding.with_changes_of(other)
        }
        None => finding,
    })
}

/// G27: helpers are asked for a path, and answer for a host.
fn by_path(facts: &Facts<'_>) -> Option<Finding> {
    let is_it = |key: &str| key.starts_with("credential.") && key.ends_with(".usehttppath");
    let own = facts.machine.git_config.iter().rfind(|entry| is_it(&entry.key))?;
    let hosts: Vec<String> = facts.asked().into_iter().map(|asked| asked.host).collect();
    let is_for_all = own.key == "credential.usehttppath";
    let is_meant = is_for_all || hosts.iter().any(|host| own.key.contains(host.as_str()));
    if !matches!(own.value.raw(), "true" | "1" | "yes" | "on") || !is_meant {
        return None;
    }
    let cause = format!(
        "{} ({}) makes git ask its helpers for each path: what is stored for a whole host may not match.",
        own.key, own.place
    );
    let finding = facts
        .finding("G27", Severity::Info, cause)
        .seen(Kind::File, own.place.clone(), format!("{}={}", own.key, own.value), "not set")
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin --get-regexp usehttppath")
        .explains(&["A01"]);
    Some(fix::git(facts, finding, own, None))
}

/// G30: git gives up on slow transfers.
fn impatient(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    let speed = machine.git_value("http.lowspeedlimit");
    let time = machine.git_value("http.lowspeedtime");
    let number = |name: &str, entry: Option<&GitValue>| {
        let text = machine.variable(name).or_else(|| entry.map(|entry| &entry.value))?;
        text.raw().trim_end_matches(['k', 'K', 'm', 'M']).parse::<u64>().ok()
    };
    let limit = number("GIT_HTTP_LOW_SPEED_LIMIT", speed)?;
    let seconds = number("GIT_HTTP_LOW_SPEED_TIME", time)?;
    if limit == 0 || seconds == 0 || seconds >= 30 {
        return None;
    }
    let entry = time.or(speed);
    let variable = || Place::Variable("GIT_HTTP_LOW_SPEED_TIME".to_owned());
    let place = entry.map_or_else(variable, |entry| entry.place.clone());
    let cause = format!(
        "git gives up when less than {limit} bytes a second come for {seconds} s ({place})."
    );
    let finding = facts
        .finding("G30", Severity::Warning, cause)
        .seen(Kind::File, place, format!("{limit} B/s, {seconds} s"), "60 s or more")
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin --get-regexp lowspeed")
        .explains(&["H01", "H02", "H03"]);
    Some(match entry {
        Some(entry) => fix::git(facts, finding, entry, None),
        None => fix::variable(facts, finding, "GIT_HTTP_LOW_SPEED_TIME", None),
    })
}

/// G37: a TLS library that no git of this system has (http.c `http_init`, `CURLSSLSET_UNKNOWN_BACKEND`). The
/// others depend on how libcurl was built.
fn backend(facts: &Facts<'_>) -> Option<Finding> {
    let entry = facts.machine.git_value("http.sslbackend")?;
    let (value, place) = (&entry.value, entry.place.clone());
    let name = value.raw().to_ascii_lowercase();
    let is_foreign = match name.as_str() {
        "schannel" => !cfg!(windows),
        "secure-transport" | "securetransport" => !cfg!(target_os = "macos"),
        _ => false,
    };
    let is_for_https = match facts.target {
        Target::Url(url) => url.starts_with("https://"),
        Target::Module { .. } | Target::Here => facts.is_for_git(),
    };
    if !is_foreign {
        return None;
    }
    let cause = format!(
        "git is told to use the TLS library {value} ({place}), which it does not have here."
    );
    let severity = if is_for_https { Severity::Error } else { Severity::Warning };
    let finding = facts
        .finding("G37", severity, cause)
        .seen(Kind::File, place, value.to_string(), "not set")
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git config --show-origin --get-all http.sslBackend");
    Some(fix::git(facts, finding, entry, None))
}

/// G31: a remote without TLS.
fn in_clear(facts: &Facts<'_>) -> Option<Finding> {
    let Target::Url(url) = facts.target else { return None };
    let secure = url.strip_prefix("http://").map(|rest| format!("https://{rest}"))?;
    let cause = format!(
        "{url} is asked without TLS: gocred and go keep logins back there, and others read what is sent."
    );
    let finding = facts
        .finding("G31", Severity::Info, cause)
        .seen(Kind::Variable, Place::Endpoint(url.clone()), "http", "https")
        .affects(&[Tool::Git, Tool::Go])
        .run(format!("git remote set-url origin {}", fix::quoted(&secure)))
        .explains(&["A01"]);
    Some(finding)
}

/// L07: a git that lacks what is needed.
fn old(facts: &Facts<'_>) -> Option<Finding> {
    let git = facts.machine.git.as_ref()?;
    if git.numbers()? >= (2, 18) {
        return None;
    }
    let cause = format!(
        "git {} is too old for protocol version 2: every fetch lists all branches, and some servers refuse it.",
        git.version
    );
    let finding = facts
        .finding("L07", Severity::Warning, cause)
        .seen(
            Kind::Program,
            Place::File(git.path.clone(), None),
            git.version.clone(),
            "2.18 or later",
        )
        .affects(&[Tool::Git, Tool::Go])
        .reproduce("git version")
        .run("sudo apt-get install git");
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn what_git_says_of_a_file_is_a_place() {
        let place = place_of("fatal: bad config line 3 in file /home/a/.gitconfig").unwrap();
        assert_eq!(place.to_string(), "/home/a/.gitconfig:3");
        assert_eq!(place_of("fatal: something else"), None);
    }
}
