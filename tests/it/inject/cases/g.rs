//! G: git, its helpers, other version control.
//!
//! G34 (an object store of git-lfs) is not injected: its page says why.

use crate::inject::{
    case::{
        ALICE, Case,
        Tool::{Git, Go},
        WRONG, both,
    },
    run::Stage,
};

/// The commit of the farm's `pub.corp.test/team/lib`, as a pseudo-version ends with it; and one of nowhere.
const TIP: &str = "20260102030405-5f59259aabfb";
const ELSEWHERE: &str = "20260102030405-0123456789ab";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [helpers(), settings(), refusals(), keys(), pages(), repositories(), revisions()].concat()
}

fn helper(value: &str) -> String {
    format!("[credential]\n\thelper = {value}\n")
}

/// Credential helpers.
fn helpers() -> Vec<Case> {
    let host = "git.corp.test";
    let both = |code, about, value: &str| {
        let text = helper(value);
        both(code, about, host, move |case| case.gitconfig(&text))
    };
    [
        both("G01", "a helper that is not there", "corp-vault"),
        both("G02", "a helper that may not be run", "{HOME}/cred"),
        both("G03", "a helper that prints something else", "\"!f() { echo hello world; }; f\""),
        both(
            "G04",
            "a helper that fails",
            "\"!f() { echo 'corp-vault: the keyring is locked' >&2; exit 1; }; f\"",
        ),
        both("G06", "a helper that says quit", "\"!f() { echo quit=1; }; f\""),
        both(
            "G07",
            "a helper with a stale password",
            &format!("\"!f() {{ echo username=alice; echo password={WRONG}; }}; f\""),
        ),
    ]
    .concat()
    .into_iter()
    .map(|case| match case.code.as_str() {
        "G01" => case.fixed(),
        "G02" => case.file("~/cred", "#!/bin/sh\necho\n").mode("~/cred", 0o644).fixed(),
        _ => case,
    })
    .chain(vec![
        Case::new("G05")
            .about("a helper that hangs")
            .origin(host)
            .gitconfig(&helper("\"!f() { sleep 600; }; f\""))
            .hangs(&[Go]),
        Case::new("G05")
            .about("a helper that hangs")
            .repository(host)
            .gitconfig(&helper("\"!f() { sleep 600; }; f\""))
            .hangs(&[Git]),
    ])
    .collect()
}

/// git's other settings.
fn settings() -> Vec<Case> {
    let host = "git.corp.test";
    let header = format!(
        "[http \"https://{host}/\"]\n\textraHeader = Authorization: Basic {}\n",
        basic(WRONG)
    );
    let own = "[credential]\n\thelper = store\n\tuseHttpPath = true\n";
    let stored = format!("https://alice:{ALICE}@{host}\n");
    let strange = "https://alice:kanarie/al%ice#7@git.corp.test\n".to_owned();
    [
        both("G11", "an old header", host, |case| case.gitconfig(&header).fixed()),
        both("G26", "https is forbidden", "pub.corp.test", |case| {
            case.gitconfig("[protocol \"https\"]\n\tallow = never\n").fixed()
        }),
        both("G26", "a variable allows ssh only", "pub.corp.test", |case| {
            case.env("GIT_ALLOW_PROTOCOL", "ssh")
        }),
        both("G27", "useHttpPath, and a login of the host", host, |case| {
            case.gitconfig(own).file("~/.git-credentials", &stored).fixed()
        }),
        both("G28", "a stored password that is not encoded", host, |case| {
            case.gitconfig("[credential]\n\thelper = store\n").file("~/.git-credentials", &strange)
        }),
        both("G28", "the same in the other file of git-credential-store", host, |case| {
            case.gitconfig("[credential]\n\thelper = store\n")
                .file("~/.config/git/credentials", &strange)
        }),
        both("G29", "an askpass that is not there", host, |case| {
            case.env("GIT_ASKPASS", "/nonexistent/askpass")
        }),
        rules(),
        ssh_programs(),
        vec![
            Case::new("G12").about("no git").origin("pub.corp.test").without_path("git"),
            Case::new("G30")
                .about("a limit of speed that is too strict")
                .repository("gslow.corp.test")
                .gitconfig("[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 2\n")
                .fixed(),
            Case::new("G31").about("a login over http").url("http://hbasic.corp.test/team/lib.git"),
        ],
    ]
    .concat()
}

/// insteadOf, which sends git elsewhere.
fn rules() -> Vec<Case> {
    let host = "git.corp.test";
    let rule = |to: &str, from: &str| format!("[url \"{to}\"]\n\tinsteadOf = {from}\n");
    let ssh = rule("ssh://git@refused.corp.test/", "https://pub.corp.test/");
    let slash = rule("https://pub.corp.test", "https://pub.corp.test/");
    let token = rule(&format!("https://alice:{WRONG}@{host}/"), &format!("https://{host}/"));
    [
        both("G08", "insteadOf to ssh, which is closed", "pub.corp.test", |case| {
            case.gitconfig(&ssh).fixed()
        }),
        both("G09", "insteadOf without its slash", "pub.corp.test", |case| {
            case.gitconfig(&slash).fixed()
        }),
        both("G09", "a login is wanted where the slash was lost", host, |case| {
            case.env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", &format!("url.https://{host}.insteadOf"))
                .env("GIT_CONFIG_VALUE_0", &format!("https://{host}/"))
        }),
        both("G10", "insteadOf with an old token", host, |case| case.gitconfig(&token).fixed()),
        [
            (format!("alice:{WRONG}"), "a password"),
            (format!("{WRONG}-token-of-some-length"), "a token"),
        ]
        .map(|(login, about)| {
            Case::new("G10")
                .about(&format!("a short form with {about}"))
                .url("corp:team/lib.git")
                .gitconfig(&rule(&format!("https://{login}@{host}/"), "corp:"))
                .fixed()
        })
        .to_vec(),
    ]
    .concat()
}

/// What git is to run for ssh, and cannot.
fn ssh_programs() -> Vec<Case> {
    // A host behind which something is wrong, too: git does not come so far.
    let url = |host: &str| format!("ssh://git@{host}:2222/team/lib.git");
    let one = |code: &str, about: &str, host: &str| Case::new(code).about(about).url(&url(host));
    let rule = "[url \"ssh://git@refused.corp.test/\"]\n\tinsteadOf = https://pub.corp.test/\n";
    [
        both("G29", "insteadOf to ssh, and an ssh that is not there", "pub.corp.test", |case| {
            case.gitconfig(rule).gitconfig("[core]\n\tsshCommand = /nonexistent/ssh\n")
        }),
        vec![
            one("G29", "core.sshCommand", "metassh.corp.test")
                .gitconfig("[core]\n\tsshCommand = nosuchssh -F none\n")
                .fixed(),
            one("G29", "GIT_SSH_COMMAND", "nosuch.corp.test")
                .env("GIT_SSH_COMMAND", "'{HOME}/my ssh' -v"),
            one("G29", "GIT_SSH", "metassh.corp.test").env("GIT_SSH", "{HOME}/my ssh"),
            one("G29", "an ssh that may not be run", "metassh.corp.test")
                .file("~/bin/ssh", "#!/bin/sh\n")
                .gitconfig("[core]\n\tsshCommand = ~/bin/ssh\n"),
            one("G12", "no ssh", "metassh.corp.test").without_path("ssh"),
            Case::new("G29")
                .about("an ssh below the folder, where go does not start git")
                .origin("pub.corp.test")
                .gitconfig(rule)
                .env("GIT_SSH_COMMAND", "./ssh -v")
                .file("{WORK}/ssh", "#!/bin/sh\nexec ssh \"$@\"\n")
                .mode("{WORK}/ssh", 0o755),
            Case::new("G29")
                .about("a repository's own ssh, for git itself")
                .url(&url("metassh.corp.test"))
                .prepare(|stage| {
                    stage.sh("git init -q . && git config core.sshCommand /nonexistent/ssh");
                })
                .says(".git/config:6"),
        ],
    ]
    .concat()
}

/// A repository that git does not work with, a library that it does not have, a redirect that it does not follow.
fn refusals() -> Vec<Case> {
    vec![
        Case::new("G33")
            .about("a repository of somebody else")
            .here("module work.test/main\n\ngo 1.21\n")
            .file("{WORK}/main.go", "package main\n\nfunc main() {}\n")
            .prepare(|stage| {
                stage.sh("git init -q . && git add . && git commit -qm x && chown -R 1234 .git");
            })
            .go(&["build", "-o", "/dev/null", "./..."]),
        Case::new("G37")
            .about("the TLS library of another system")
            .repository("pub.corp.test")
            .gitconfig("[http]\n\tsslBackend = schannel\n")
            .fixed(),
        Case::new("G37")
            .about("the TLS library of another system")
            .origin("pub.corp.test")
            .gitconfig("[http]\n\tsslBackend = secure-transport\n"),
        Case::new("G40")
            .about("a repository that has moved, and no redirects")
            .repository("moved.corp.test")
            .gitconfig("[http]\n\tfollowRedirects = false\n"),
    ]
}

/// ssh keys, the server's and one's own, with a real sshd.
fn keys() -> Vec<Case> {
    let one = |about: &str, known: &str, key: &str, options: &str| {
        Case::new("G35")
            .about(about)
            .url("ssh://root@ssh.corp.test/team/lib.git")
            .gitconfig(&ssh_command(known, key, options))
            .prepare(ssh_files)
    };
    let (strict, batch) = ("-o StrictHostKeyChecking=yes", "-o BatchMode=yes");
    let rule = "[url \"ssh://root@ssh.corp.test/\"]\n\tinsteadOf = https://pub.corp.test/\n";
    [
        vec![
            one("an unknown server, and strict", "empty", "key", strict),
            one("an unknown server, and nobody to ask", "empty", "key", batch),
            one("a server with another key", "changed", "key", batch),
            one("a server whose key was revoked", "revoked", "key", strict),
            one("a key that others can read", "known", "open", strict),
            one("a key behind a passphrase, and no agent", "hashed", "locked", batch),
            one("no key", "known", "none", batch),
            // Without a terminal ssh can ask nobody, whatever it may.
            one("an unknown server, and no terminal", "empty", "key", "").wrap(&["setsid", "-w"]),
            one("a passphrase, and no terminal", "known", "locked", "").wrap(&["setsid", "-w"]),
            one("no key, and no terminal", "known", "none", "").wrap(&["setsid", "-w"]),
        ],
        both("G35", "insteadOf to ssh, and an unknown server", "pub.corp.test", |case| {
            case.gitconfig(rule).gitconfig(&ssh_command("empty", "key", batch)).prepare(ssh_files)
        }),
    ]
    .concat()
}

/// The ssh of a case: files of [`ssh_files`] stand for those of the home, which ssh looks up in `/etc/passwd`.
pub(crate) fn ssh_command(known: &str, key: &str, options: &str) -> String {
    format!(
        "[core]\n\tsshCommand = ssh -F none -o GlobalKnownHostsFile=/dev/null -o \
         UserKnownHostsFile={{HOME}}/ssh/{known} -i {{HOME}}/ssh/{key} -o IdentitiesOnly=yes {options}\n"
    )
}

/// Known keys of each kind, and keys of one's own.
pub(crate) fn ssh_files(stage: &mut Stage) {
    stage.sh(
        "mkdir -p {HOME}/ssh; cd {HOME}/ssh; : >empty\n\
         cp {FARM}/ssh/key {FARM}/ssh/locked .; cp key open; chmod 600 key locked; chmod 644 open\n\
         line() { printf '%sssh.corp.test %s\\n' \"$1\" \"$(cut -d' ' -f1,2 {FARM}/ssh/$2.pub)\"; }\n\
         line '' host >known; line '' other >changed; { line '@revoked ' host; line '' host; } >revoked\n\
         cp known hashed; ssh-keygen -q -H -f hashed >/dev/null 2>&1",
    );
}

/// go-import pages.
fn pages() -> Vec<Case> {
    let one = |code: &str, about: &str, host: &str| Case::new(code).about(about).origin(host);
    vec![
        one("G13", "Mercurial is not there", "metahg.corp.test").without_path("hg"),
        one("G14", "a page that names ssh", "metassh.corp.test").fixed(),
        one("G15", "a page that names http", "metahttp.corp.test").fixed(),
        one("G16", "a page for another module", "metaprefix.corp.test"),
        one("G17", "a page without a tag", "metanone.corp.test"),
        one("G17", "a tag whose repository has no scheme", "metabare.corp.test"),
        one("G18", "two tags", "metadup.corp.test"),
        one("G19", "a page that names a module proxy without it", "metamod.corp.test"),
        one("G32", "a page for a group only", "metagroup.corp.test"),
    ]
}

/// What is no repository.
fn repositories() -> Vec<Case> {
    // git ends with 0 and an empty list.
    let quiet = |code: &str, about: &str, host: &str| {
        vec![
            Case::new(code).about(about).origin(host),
            Case::new(code).about(about).repository(host).succeeds(&[Git]).exit(1),
        ]
    };
    let fails = |code, about, host| both(code, about, host, |case| case);
    [
        quiet("G20", "a page in place of references", "ghtml.corp.test"),
        fails("G21", "nothing in place of references", "gempty.corp.test"),
        quiet("G22", "a file server in place of git", "gdumb.corp.test"),
        fails("G23", "references that break off", "gcut.corp.test"),
    ]
    .concat()
}

/// Versions.
fn revisions() -> Vec<Case> {
    let of = |code: &str, about: &str, module: &str| {
        Case::new(code).about(about).module(module).private()
    };
    let lib = "pub.corp.test/team/lib";
    vec![
        of("G24", "a version that is not there", "pub.corp.test/team/lib@v1.9.9"),
        of(
            "G24",
            "a version that is not there, of no major version",
            "pub.corp.test/team/lib@v9.9.9",
        ),
        of("G24", "a commit that no reference ends at", &format!("{lib}@v1.0.1-0.{ELSEWHERE}"))
            .exit(0),
        of("G24", "the id of such a commit", &format!("{lib}@0123456789ab")).exit(0),
        of(
            "G24",
            "a commit that a shallow copy does not have",
            &format!("shallow.corp.test/team/lib@v1.0.1-0.{ELSEWHERE}"),
        ),
        of("M23", "no such tag before a commit", &format!("{lib}@v1.5.1-0.{TIP}")),
        of("M23", "a commit without a tag before it, as v1", &format!("{lib}@v1.0.0-{TIP}")),
        of("M23", "a commit that a tag names", &format!("{lib}@v1.0.1-0.{TIP}")),
        of("M23", "too few digits of a commit", &format!("{lib}@v0.0.0-20260102030405-5f59259")),
        of("G25", "a commit of v2 without /v2", &format!("{lib}@v2.0.0-{TIP}")),
        of("M18", "a folder without a tag of its own", "pub.corp.test/team/lib/inner@v1.0.0"),
        of("G24", "a branch that is not there", "pub.corp.test/team/lib@topic"),
        of("G25", "no tag of the path's major version", "pub.corp.test/team/lib/v2@v2.0.0"),
        of("G25", "a version of another major version", "pub.corp.test/team/lib/v2@v1.0.0"),
    ]
}

/// `alice:SECRET`, as Basic has it.
fn basic(secret: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("alice:{secret}"))
}
