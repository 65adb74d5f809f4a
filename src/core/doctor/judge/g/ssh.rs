//! git over ssh: the program that git runs for it, and whether a server is there. G08, G12, G14, G29.

use super::{NETWORK, import, ssh_keys};
use crate::core::doctor::{
    checks,
    finding::{Finding, Kind},
    judge::{Case, say},
    leg::{Failed, Leg},
    place::Place,
    private::Private,
    ssh,
};

/// Judges what git would do.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    match no_program(leg, case).or_else(|| unreachable(leg, case)) {
        Some(finding) => vec![finding],
        None if leg.banner.is_some_and(|banner| banner.starts_with(b"SSH-")) => {
            ssh_keys::findings(leg, case)
        }
        None => Vec::new(),
    }
}

/// G29, G12: git cannot run what it is told to run, or has no ssh at all.
fn no_program(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    if leg.asked.link.origin.scheme() == "git" {
        return None;
    }
    let command = ssh::command(case.machine, leg.module.is_some());
    let program = command.program.as_ref()?;
    // A path below the folder is git's to find; in go's cache, where go starts git, there is none.
    let is_relative = program.contains('/') && !program.starts_with('/');
    if is_relative && leg.module.is_none() {
        return None;
    }
    if !is_relative && case.machine.programs.get(program)?.is_some() {
        return None;
    }
    let (place, setting) = (&command.place, command.setting);
    let (url, start) = (leg.url(), |code, reason| {
        say::about(leg, code, reason).explains(&[NETWORK, BEHIND].concat())
    });
    if matches!(place, Place::Default(_)) {
        let reason = format!("git runs ssh for {url}, and ssh is in no folder of PATH.");
        let path = case.machine.variable("PATH").map_or_else(String::new, ToString::to_string);
        return Some(
            start("G12", reason)
                .seen(Kind::Variable, Place::Variable("PATH".to_owned()), path, "a folder with ssh")
                .reproduce("command -v ssh")
                .run("sudo apt-get install openssh-client"),
        );
    }
    let program = Private::new(program);
    let name = match place {
        Place::Variable(name) => name.as_str(),
        _ => "core.sshCommand",
    };
    let why = if is_relative {
        "which is not where go starts git: in its module cache"
    } else {
        "which is not there or may not be run"
    };
    let reason = format!(
        "git is told to run {program} for ssh ({name}{}), {why}.",
        setting.map_or_else(String::new, |setting| format!(", {}", setting.place))
    );
    let observed = format!("{name} begins with {program}");
    let finding = start("G29", reason)
        .seen(Kind::File, place.clone(), observed, "a program")
        .reproduce("git var GIT_SSH_COMMAND; git config --show-origin core.sshCommand");
    Some(match setting {
        Some(setting) => checks::take_away(case.machine, finding, setting),
        None => finding.run(format!("unset {name}")),
    })
}

/// What git does not come to without its ssh.
const BEHIND: &[&str] = &["G08", "G14", "G35"];

/// ssh that is not there, though something led git to it.
fn unreachable(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let is_ssh = leg.banner.is_some_and(|banner| banner.starts_with(b"SSH-"));
    let is_down = matches!(leg.failed(), Some(Failed::Names(_) | Failed::Tcp(_)));
    let is_git = leg.asked.link.origin.scheme() == "git" && !is_down;
    if is_ssh || is_git || !(is_down || leg.banner.is_some()) {
        return None;
    }
    let endpoint = leg.endpoint();
    let observed = if is_down { "no connection" } else { "no SSH banner" };
    let seen = |code, reason| {
        say::about(leg, code, reason)
            .seen(Kind::Tcp, Place::Endpoint(endpoint.clone()), observed, "SSH-2.0-…")
            .explains(NETWORK)
    };
    if let Some(place) = &leg.route.rewritten {
        let reason =
            format!("{place} makes git use ssh ({endpoint}), which cannot be reached from here.");
        return Some(seen("G08", reason).seen(
            Kind::File,
            place.clone(),
            "insteadOf to ssh",
            "https",
        ));
    }
    let (page, import) = import::of(leg, case)?;
    if !["ssh://", "git+ssh://", "ssh+git://"].iter().any(|scheme| import.root.starts_with(scheme))
    {
        return None;
    }
    let host = leg.host();
    let reason = format!(
        "the go-import tag of {} names ssh ({endpoint}) as the repository's way, which cannot be reached from \
         here.",
        page.url()
    );
    let command = format!("git config --global url.https://{host}/.insteadOf ssh://git@{host}/");
    Some(seen("G14", reason).run(command))
}
