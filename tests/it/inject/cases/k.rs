//! K: gocred itself, and what its own loopback proxy says of the way behind it.

use crate::inject::{
    case::{ALICE, Case, PUSER, Tool::Git, WRONG},
    run::Stage,
};

/// Where gocred's configuration is.
const CONFIG: &str = "~/.config/gocred/config.toml";
/// A passphrase in a file, as a machine without a desktop has it.
const PASSPHRASE: &str = "~/passphrase";

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    [settings(), behind(), stores(), files(), sources()].concat()
}

/// What is seen of its settings.
fn settings() -> Vec<Case> {
    let repository =
        |code: &str, about: &str| Case::new(code).about(about).repository("pub.corp.test");
    vec![
        repository("K01", "HTTPS_PROXY names gocred, which does not run")
            .proxy("http://127.0.0.1:7407")
            .fails(&[Git]),
        Case::new("K01")
            .about("GOPROXY names gocred's front, which does not run")
            .module("example.com/pub@v1.0.0")
            .goenv("GOPROXY=http://127.0.0.1:7408"),
        repository("K02", "another program listens where gocred should")
            .file(CONFIG, "[proxy]\nlisten = [\"127.0.0.1:7417\"]\n")
            .proxy("http://127.0.0.1:7417")
            .prepare(|stage| {
                stage.serve("exec python3 -m http.server 7417 --bind 127.0.0.1");
                listens(stage, 7417);
            })
            .fails(&[Git]),
        Case::new("K10")
            .about("a key that gocred does not know")
            .file(CONFIG, "[proxy]\nlisten_on = 5\n")
            .gitconfig("[credential]\n\thelper = {HELPER}")
            .repository("git.corp.test")
            .fails(&[Git])
            .fixed(),
        Case::new("K04")
            .about("a helper with an old password answers before gocred")
            .gitconfig(&format!(
                "[credential]\n\thelper = \"!f() {{ test $1 != get || {{ echo username=alice; echo password={WRONG}; }}; }}; f\"\n\
                 \thelper = {{HELPER}}\n"
            ))
            .repository("git.corp.test"),
    ]
}

/// git through gocred's proxy, which listens at this port and goes on by these settings.
fn through(code: &str, about: &str, port: u16, settings: &str) -> Case {
    let own = format!("http://127.0.0.1:{port}");
    Case::new(code)
        .about(about)
        .file(CONFIG, format!("[proxy]\nlisten = [\"127.0.0.1:{port}\"]\n{settings}\n"))
        .proxy(&own)
        .repository("pub.corp.test")
}

/// Waits until something listens at a port.
fn listens(stage: &mut Stage, port: u16) {
    stage.sh(&format!(
        "until grep -qi ':{port:04X} 00000000:0000 0A' /proc/net/tcp; do sleep 0.05; done"
    ));
}

/// Stores a login in the encrypted file.
fn keep(stage: &mut Stage, secret: &str, place: &str) {
    stage.sh(&format!(
        "printf %s '{secret}' | {{GOCRED}} login --no-verify --with-token --store file --username {place}"
    ));
}

/// What a gocred says that runs.
fn behind() -> Vec<Case> {
    vec![
        through("K11", "its upstream is itself", 7431, "upstream = [\"http://127.0.0.1:7431\"]").prepare(
            |stage| {
                stage.serve("exec {GOCRED} proxy run");
                listens(stage, 7431);
            },
        ),
        // The same program, with another number in it.
        through("K12", "an older one runs", 7432, "upstream = [\"http://proxyopen.corp.test:3128\"]")
            .prepare(|stage| {
                stage.sh("LC_ALL=C sed 's/0\\.1\\.0/0.0.9/g' {GOCRED} >{HOME}/older && chmod +x {HOME}/older");
                stage.serve("exec {HOME}/older proxy run");
                listens(stage, 7432);
            })
            .succeeds(&[Git]),
        through("K03", "another user's", 7433, "").user().prepare(|stage| {
            stage.serve(
                "R=$(mktemp -d) && export HOME=$R XDG_CONFIG_HOME=$R XDG_STATE_HOME=$R XDG_CACHE_HOME=$R \
                 XDG_RUNTIME_DIR=$R && exec {GOCRED} proxy run --listen 127.0.0.1:7433",
            );
            listens(stage, 7433);
        }),
        through("P42", "the PAC file cannot be read", 7434, "pac = \"http://refused.corp.test/proxy.pac\"")
            .prepare(|stage| {
                stage.serve("exec {GOCRED} proxy run");
                listens(stage, 7434);
            }),
        through("P41", "the login breaks off", 7435, "upstream = [\"http://pbreak.corp.test:3128\"]")
            .file(PASSPHRASE, "correct horse battery\n")
            .env("GOCRED_PASSPHRASE_FILE", "{HOME}/passphrase")
            .prepare(|stage| {
                keep(stage, PUSER, "puser --proxy http://pbreak.corp.test:3128");
                stage.serve("exec {GOCRED} proxy run");
                listens(stage, 7435);
            }),
        through(
            "K06",
            "its proxy wants a login, and there is no keyring",
            7436,
            "upstream = [\"http://proxy.corp.test:3128\"]",
        )
        .prepare(|stage| {
            stage.serve("exec {GOCRED} proxy run");
            listens(stage, 7436);
        }),
        through(
            "P38",
            "no Kerberos library",
            7441,
            "upstream = [\"http://pnegotiate.corp.test:3128\"]",
        )
        .file(PASSPHRASE, "correct horse battery\n")
        .env("GOCRED_PASSPHRASE_FILE", "{HOME}/passphrase")
        .prepare(|stage| {
            keep(stage, ALICE, "alice git.corp.test");
            stage.serve(
                "hidden=; for file in /usr/lib/*/libgssapi*.so*; do test ! -f $file || hidden=\"$hidden $file\"; done; \
                 exec unshare --mount sh -c \"for file in $hidden; do mount --bind /dev/null \\$file; done; \
                 exec {GOCRED} proxy run\"",
            );
            listens(stage, 7441);
        }),
        through("P02", "behind it, a wrong password", 7437, "upstream = [\"http://proxy.corp.test:3128\"]")
            .file(PASSPHRASE, "correct horse battery\n")
            .env("GOCRED_PASSPHRASE_FILE", "{HOME}/passphrase")
            .prepare(|stage| {
                keep(stage, WRONG, "puser --proxy http://proxy.corp.test:3128");
                stage.serve("exec {GOCRED} proxy run");
                listens(stage, 7437);
            }),
        through("P27", "behind it, nobody listens", 7438, "upstream = [\"http://refused.corp.test:3128\"]")
            .prepare(|stage| {
                stage.serve("exec {GOCRED} proxy run");
                listens(stage, 7438);
            }),
        Case::new("K14")
            .about("its module proxy waits before it asks again")
            .file(
                CONFIG,
                "[proxy]\nlisten = [\"127.0.0.1:7439\"]\n[goproxy]\nlisten = \"127.0.0.1:7440\"\n\
                 upstream = \"https://refused.corp.test\"\n",
            )
            .goenv("GOPROXY=http://127.0.0.1:7440")
            .module("example.com/pub@v1.0.0")
            .prepare(|stage| {
                stage.serve("exec {GOCRED} proxy run");
                listens(stage, 7440);
                stage.sh("for number in 1 2 3 4 5 6 7; do curl -s http://127.0.0.1:7440/example.com/m0$number/@v/v1.0.0.info; done");
            }),
    ]
}

/// git asks gocred.
fn asks(code: &str, about: &str) -> Case {
    Case::new(code)
        .about(about)
        .file(PASSPHRASE, "correct horse battery\n")
        .mode(PASSPHRASE, 0o600)
        .env("GOCRED_PASSPHRASE_FILE", "{HOME}/passphrase")
        .gitconfig("[credential]\n\thelper = {HELPER}\n")
        .repository("git.corp.test")
}

/// What keeps its store shut.
fn stores() -> Vec<Case> {
    vec![
        asks("K08", "the encrypted file is damaged, and the one before it").prepare(|stage| {
            keep(stage, ALICE, "alice git.corp.test");
            stage.sh("cd {HOME}/.local/share/gocred && for file in vault vault.prev; do \
                      head -c 200 $file | tr 'a-z' 'b-za' >x && cat x >$file; done");
        }),
        asks("A33", "a login for another port of the host").prepare(|stage| {
            keep(stage, ALICE, "alice git.corp.test:8443");
        }),
        asks("A30", "of two accounts the one that may not")
            .repository("scope403.corp.test")
            .prepare(|stage| {
                keep(stage, ALICE, "alice scope403.corp.test");
                keep(stage, WRONG, "bob scope403.corp.test");
            }),
        asks("K13", "a login that was rejected is kept back").prepare(|stage| {
            keep(stage, WRONG, "alice git.corp.test");
            stage.sh("git ls-remote https://git.corp.test/team/lib.git || true");
        }),
        asks("K15", "what is released cannot be written down")
            .file(CONFIG, "[audit]\nrequired = true\n")
            .prepare(|stage| {
            keep(stage, ALICE, "alice git.corp.test");
            stage.sh("rm -rf {HOME}/.local/state/gocred/audit* && mkdir -p {HOME}/.local/state/gocred/audit.jsonl");
        }),
        asks("K08", "the passphrase of the encrypted file is not there").prepare(|stage| {
            keep(stage, ALICE, "alice git.corp.test");
            stage.sh("rm {HOME}/passphrase");
        }),
        asks("K19", "the encrypted file is not open").unset("GOCRED_PASSPHRASE_FILE").prepare(|stage| {
            stage.sh("export GOCRED_PASSPHRASE_FILE={HOME}/passphrase; printf %s {ALICE} | \
                      {GOCRED} login --no-verify --with-token --store file --username alice git.corp.test");
        }),
    ]
}

/// Its own files: open to others, or left behind.
fn files() -> Vec<Case> {
    vec![
        asks("A28", "the encrypted file can be read by others")
            .prepare(|stage| {
                keep(stage, ALICE, "alice git.corp.test");
                stage.sh("chmod 644 {HOME}/.local/share/gocred/vault");
            })
            .says("gocred/vault")
            .fixed(),
        asks("A28", "others may write the folder of the encrypted file")
            .prepare(|stage| {
                keep(stage, ALICE, "alice git.corp.test");
                stage.sh("chmod 777 {HOME}/.local/share/gocred");
            })
            .says("share/gocred")
            .fixed(),
        asks("K31", "an unfinished file")
            .prepare(|stage| {
                keep(stage, ALICE, "alice git.corp.test");
                stage
                    .sh("cd {HOME}/.local/share/gocred && cp vault vault.0123456789abcdef.tmp && \
                      touch -d '1 hour ago' vault.0123456789abcdef.tmp");
            })
            .says("vault.0123456789abcdef.tmp")
            .succeeds(&[Git])
            .fixed(),
        asks("K31", "a socket on which nobody listens")
            .prepare(|stage| {
                keep(stage, ALICE, "alice git.corp.test");
                stage.sh("mkdir -p -m 700 {RUN}/gocred && python3 -c \"import socket; \
                      socket.socket(socket.AF_UNIX).bind('{RUN}/gocred/control.sock')\"");
            })
            .says("control.sock")
            .succeeds(&[Git])
            .fixed(),
    ]
}

/// What a source of secrets says in place of a secret.
fn sources() -> Vec<Case> {
    let source = |code: &str, about: &str, settings: &str| {
        asks(code, about).file(CONFIG, format!("[source.\"git.corp.test\"]\n{settings}\n"))
    };
    vec![
        source(
            "K23",
            "a command that says nothing",
            "from = \"exec\"\ncommand = [\"/bin/true\"]\nuser = \"alice\"",
        ),
        source(
            "K23",
            "a command that fails",
            "from = \"exec\"\ncommand = [\"/bin/false\"]\nuser = \"alice\"",
        ),
        asks("K24", "a vault that nobody serves").file("~/token", "kanarie-vault-4Tb\n").file(
            CONFIG,
            "[openbao]\naddress = \"https://refused.corp.test:8200\"\nlogin = \"token\"\n\
             token_file = \"{HOME}/token\"\n[source.\"git.corp.test\"]\nfrom = \"openbao\"\n\
             path = \"secret/data/git\"\n",
        ),
    ]
}
