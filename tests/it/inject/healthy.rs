//! Machines on which nothing is wrong: the tools succeed, and the doctor must not report an error.
//!
//! They are odd on purpose: what people really have in their files. A warning is no error, and many of them
//! deserve one.

use super::{
    case::{ALICE, Case, PROXY, Tool},
    cases::g::{ssh_command, ssh_files},
};

/// A change of a case, and what it is called.
type Change = (&'static str, fn(Case) -> Case);

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cross(&mut cases, TARGETS, WAYS);
    cross(&mut cases, PRIVATE, WAYS);
    cross(&mut cases, PLAIN, SETTINGS);
    cross(&mut cases, PLAIN, TRUST);
    cross(&mut cases, LOCKED, LOGINS);
    cross(&mut cases, NOTHING, PROXIES);
    cases.extend(pinned());
    cases.extend(by_ssh());
    cases.extend(queries());
    cases.extend(within());
    cases.extend(several());
    cases
}

fn cross(cases: &mut Vec<Case>, some: &[Change], others: &[Change]) {
    for (name, change) in some {
        for (other, further) in others {
            cases.push(further(change(Case::healthy(&format!("{name}, {other}")))));
        }
    }
}

/// git finds a host by its own configuration, whatever DNS says.
fn pinned() -> Vec<Case> {
    let address = super::farm::address("pub.corp.test");
    let text = |name: &str| format!("[http]\n\tcurloptResolve = {name}:443:{address}\n");
    let case =
        |about: &str, host: &str| Case::healthy(about).repository(host).gitconfig(&text(host));
    vec![
        case("git is told an address that DNS says, too", "pub.corp.test"),
        case("git is told an address that DNS does not know", "internal.corp.test"),
        Case::healthy("git is told an address of another port")
            .origin("pub.corp.test")
            .gitconfig("[http]\n\tcurloptResolve = pub.corp.test:8443:127.0.4.1\n"),
    ]
}

/// A version that go has to be told: by the list, in a folder as from a host.
fn queries() -> Vec<Case> {
    let case = |version: &str, proxy: &str| {
        Case::healthy(&format!("{version} of {proxy}"))
            .module(&format!("example.com/pub@{version}"))
            .goenv(&format!("GOPROXY={proxy}"))
    };
    let folder = "file://{FARM}/modules";
    vec![
        case("v1", folder),
        case("v1.0", folder),
        case("latest", folder),
        case("v1", "https://goproxy.corp.test"),
    ]
}

/// In a repository whose own settings lead git nowhere: go starts git elsewhere.
fn within() -> Vec<Case> {
    let case = Case::healthy("a repository with settings of its own")
        .origin("pub.corp.test")
        .prepare(|stage| {
            stage.sh(
                    "git init -q . && git config http.proxy http://refused.corp.test:3128 && \
                      git config http.curloptResolve pub.corp.test:443:127.0.4.9 && \
                      git config http.sslVersion tlsv1.3 && git config http.sslCAInfo /gone && \
                      git config core.sshCommand /gone && \
                      git config url.ssh://git@refused.corp.test/.insteadOf https://pub.corp.test/",
                );
        });
    vec![case]
}

/// Two logins for one host, and what tells the tools which is meant; two go.mod, likewise.
fn several() -> Vec<Case> {
    let url = "https://alice@git.corp.test/team/lib.git";
    let store = "[credential]\n\thelper = store\n";
    let case = |about: &str| {
        Case::healthy(about).file(
            "~/.git-credentials",
            "https://bob:{WRONG}@git.corp.test\nhttps://alice:{ALICE}@git.corp.test\n",
        )
    };
    let needs = |path: &str| format!("module work.test/main\n\ngo 1.21\n\nrequire {path} v1.0.0\n");
    vec![
        case("a URL names the second user of git's store").url(url).gitconfig(store),
        case("credential.username names the second user of git's store")
            .repository("git.corp.test")
            .gitconfig(&format!("{store}\tusername = alice\n")),
        Case::healthy("a URL names the second user of netrc").url(url).file(
            "~/.netrc",
            "machine git.corp.test login bob password {WRONG}\nmachine git.corp.test login alice password {ALICE}\n",
        ),
        Case::healthy("-modfile names another go.mod")
            .here(&needs("example.com/nowhere"))
            .file("{WORK}/ci.mod", needs("example.com/pub"))
            .goenv("GOFLAGS=-modfile=ci.mod"),
        Case::healthy("a proxy's scheme that go and git pass over")
            .repository("pub.corp.test")
            .env("https_proxy", "ftp://proxyopen.corp.test:3128")
            .succeeds(&[Tool::Git]),
        Case::healthy("a module that no package imports has a sum for its go.mod alone")
            .here(&needs("example.com/pub"))
            .file(
                "{WORK}/go.sum",
                "example.com/pub v1.0.0/go.mod h1:/FkfpNf3lQZpJMKQXdGnNUCiCBW2hhgVf+b02el9lhA=\n",
            )
            .file("{WORK}/m.go", "package m\n")
            .go(&["build", "./..."]),
    ]
}

/// A server that is known, with a key that it takes.
fn by_ssh() -> Vec<Case> {
    let strict = "-o StrictHostKeyChecking=yes";
    let case = |about: &str, url: &str, known: &str| {
        Case::healthy(about)
            .url(url)
            .gitconfig(&ssh_command(known, "key", strict))
            .prepare(ssh_files)
    };
    let url = "ssh://root@ssh.corp.test/team/lib.git";
    let other = "ssh://root@ssh.corp.test:2222/team/lib.git";
    vec![
        case("ssh", url, "known"),
        case("ssh, and a hashed name", url, "hashed"),
        case("ssh at another port, known by its name", other, "known"),
        case("insteadOf to ssh", "https://pub.corp.test/team/lib.git", "known").gitconfig(
            "[url \"ssh://root@ssh.corp.test/\"]\n\tinsteadOf = https://pub.corp.test/\n",
        ),
        short("a short name of ssh's own file", "Host corp", KEY, KNOWN),
        short("a key by a variable", "Host corp", "\tIdentityFile ${GIT_KEYS}/key\n", KNOWN),
        short(
            "a blank in the name of the known keys",
            "Host corp",
            KEY,
            "\tUserKnownHostsFile \"{HOME}/ssh/my known\"\n",
        ),
        short(
            "known keys by a command",
            "Host corp",
            KEY,
            "\tUserKnownHostsFile none\n\tKnownHostsCommand /bin/cat {HOME}/ssh/ported\n",
        ),
        short(
            "a program that decides what counts",
            "Match originalhost corp exec true",
            KEY,
            KNOWN,
        ),
    ]
}

const KEY: &str = "\tIdentityFile {HOME}/ssh/key\n";
const KNOWN: &str = "\tUserKnownHostsFile {HOME}/ssh/known\n";

/// A name that only ssh's own file knows.
fn short(about: &str, head: &str, key: &str, known: &str) -> Case {
    let rest = "\tHostName ssh.corp.test\n\tPort 2222\n\tUser root\n\tStrictHostKeyChecking yes\n\
                \tGlobalKnownHostsFile none\n\tIdentitiesOnly yes\n\tBatchMode yes\n";
    Case::healthy(about)
        .url("ssh://corp/team/lib.git")
        .file("~/ssh.conf", format!("{head}\n{rest}{key}{known}"))
        .prepare(|stage| {
            ssh_files(stage);
            stage.sh(
                "cd {HOME}/ssh; cp known 'my known'; sed 's/^ssh.corp.test/[ssh.corp.test]:2222/' known >ported",
            );
        })
        .env("GIT_KEYS", "{HOME}/ssh")
        .env("GIT_SSH_COMMAND", "ssh -F {HOME}/ssh.conf")
}

const NOTHING: &[Change] = &[("a public module", |case| case.module("example.com/pub@v1.0.0"))];

/// What everybody may have.
const TARGETS: &[Change] = &[
    ("a public module", |case| case.module("example.com/pub@v1.0.0")),
    ("a module with a capital", |case| case.module("example.com/Pub@v1.0.0")),
    ("a module without a version", |case| {
        case.module("example.com/m07").go(&["list", "-m", "example.com/m07@latest"])
    }),
    ("a company's module by the module proxy", |case| case.module("pub.corp.test/team/lib@v1.0.0")),
    ("a module from its host", |case| case.origin("pub.corp.test")),
    ("a module from its host, the newest", |case| {
        case.module("pub.corp.test/team/lib").private().go(&[
            "list",
            "-m",
            "pub.corp.test/team/lib@latest",
        ])
    }),
    ("a repository", |case| case.repository("pub.corp.test")),
    ("a server with its whole chain", |case| case.origin("complete.corp.test")),
    ("what go.mod needs", |case| {
        case.here(
            "module work.test/main\n\ngo 1.21\n\nrequire (\n\texample.com/pub v1.0.0\n\
             \texample.com/m01 v1.0.0 // indirect\n\tpub.corp.test/team/lib v1.0.0\n)\n",
        )
    }),
];

/// What alice may have: her login stands in netrc.
const PRIVATE: &[Change] = &[
    ("a private module", |case| netrc(case).origin("git.corp.test")),
    ("a private repository", |case| netrc(case).repository("git.corp.test")),
    ("a host that hides everything", |case| netrc(case).origin("authall.corp.test")),
];

fn netrc(case: Case) -> Case {
    case.file(
        "~/.netrc",
        "machine git.corp.test login alice password {ALICE}\nmachine authall.corp.test\n\tlogin alice\n\
         \tpassword {ALICE}\n",
    )
}

/// The ways out.
const WAYS: &[Change] = &[
    ("straight", |case| case),
    ("through the proxy", |case| case.proxy(PROXY)),
    ("through a proxy that asks nobody", |case| case.proxy("http://proxyopen.corp.test:3128")),
    ("through a proxy behind TLS", |case| {
        // git trusts for its proxy whom it is told to for its proxy.
        case.proxy("https://proxytls.corp.test:3129").env("GIT_PROXY_SSL_CAINFO", "{CA}")
    }),
    ("through the proxy, by HTTPS_PROXY alone", |case| case.env("HTTPS_PROXY", PROXY)),
    ("through the proxy, by https_proxy alone", |case| case.env("https_proxy", PROXY)),
    ("past a dead proxy, by NO_PROXY", |case| {
        case.proxy("http://refused.corp.test:3128").env("NO_PROXY", "localhost,.corp.test")
    }),
    ("past a dead proxy, by no_proxy", |case| {
        case.proxy("http://refused.corp.test:3128")
            .env("no_proxy", "corp.test,127.0.0.1,::1,10.0.0.0/8")
    }),
    ("git by its own proxy, go by the variable", |case| {
        case.env("HTTPS_PROXY", "http://proxyopen.corp.test:3128")
            .gitconfig(&format!("[http]\n\tproxy = {PROXY}\n"))
    }),
    ("git's proxy for one host only", |case| {
        case.gitconfig(
            "[http \"https://pub.corp.test\"]\n\tproxy = http://proxyopen.corp.test:3128\n\
             [http \"https://other.example\"]\n\tproxy = http://refused.corp.test:1\n",
        )
    }),
];

/// Other words for a proxy.
const PROXIES: &[Change] = &[
    ("a proxy without a scheme", |case| case.env("HTTPS_PROXY", "proxyopen.corp.test:3128")),
    ("a proxy with a slash at its end", |case| case.proxy("http://proxyopen.corp.test:3128/")),
    ("NO_PROXY=*", |case| {
        case.proxy("http://refused.corp.test:3128").env("NO_PROXY", "*").env("no_proxy", "*")
    }),
    ("a dead proxy for http only", |case| case.env("HTTP_PROXY", "http://refused.corp.test:3128")),
    ("an empty variable", |case| case.env("HTTPS_PROXY", "").env("https_proxy", "")),
    ("a percent-encoded user", |case| case.proxy("http://p%75ser:{PUSER}@proxy.corp.test:3128")),
];

/// One for go, one for git.
const PLAIN: &[Change] = &[
    ("a public module", |case| case.module("example.com/pub@v1.0.0")),
    ("a module from its host", |case| case.origin("pub.corp.test")),
    ("a repository", |case| case.repository("pub.corp.test")),
];

/// Settings of go, of git, of the system.
const SETTINGS: &[Change] = &[
    ("direct behind the module proxy", |case| {
        case.goenv("GOPROXY=https://goproxy.corp.test,direct")
    }),
    ("go's file with the line ends of Windows, where go trims them", |case| {
        case.file(
            "~/.config/go/env",
            "GOPROXY=https://goproxy.corp.test\r\nGOFLAGS=-modcacherw\r\n",
        )
        .env("GOTOOLCHAIN", "local")
        .env("GOSUMDB", "off")
    }),
    ("modules in a folder", |case| case.goenv("GOPROXY=file://{FARM}/modules")),
    ("a folder that is not there, then a host", |case| {
        case.goenv("GOPROXY=file://{HOME}/gone,https://goproxy.corp.test")
    }),
    ("a host that is dead, a pipe, and a folder", |case| {
        case.goenv("GOPROXY=https://refused.corp.test|file://{FARM}/modules").goenv("GOSUMDB=off")
    }),
    ("a first module proxy without it", |case| {
        case.goenv("GOPROXY=https://gp404.corp.test,https://goproxy.corp.test")
    }),
    ("a first module proxy that lost it", |case| {
        case.goenv("GOPROXY=https://gp410.corp.test,https://goproxy.corp.test")
    }),
    ("a first module proxy that is dead, and a pipe", |case| {
        // The first one is asked for the checksum database, and no pipe helps there.
        case.goenv("GOPROXY=https://refused.corp.test|https://goproxy.corp.test")
            .goenv("GONOSUMDB=*")
    }),
    ("a first module proxy that forbids, and a pipe", |case| {
        case.goenv("GOPROXY=https://gp403.corp.test|https://goproxy.corp.test").goenv("GONOSUMDB=*")
    }),
    ("GOPROXY as a variable", |case| case.env("GOPROXY", "https://goproxy.corp.test/")),
    ("GOPROXY with blanks and empty pieces", |case| {
        case.goenv("GOPROXY=https://goproxy.corp.test, ,direct")
    }),
    ("a module proxy in files", |case| case.goenv("GOPROXY=file://{FARM}/modules")),
    ("a module proxy that serves the checksums", |case| {
        case.goenv("GOPROXY=https://gpsum.corp.test")
    }),
    ("a module proxy whose zips are elsewhere", |case| {
        case.goenv("GOPROXY=https://gpstore.corp.test")
    }),
    ("a module proxy over http", |case| case.goenv("GOPROXY=http://goproxyh.corp.test")),
    ("GOSUMDB=off", |case| case.goenv("GOSUMDB=off")),
    ("GONOSUMDB=*", |case| case.goenv("GONOSUMDB=*")),
    ("GONOSUMDB with patterns", |case| case.goenv("GONOSUMDB=*.corp.test,example.com/internal")),
    ("GOSUMDB with a URL", |case| case.goenv("GOSUMDB={SUMDB} https://sum.corp.test")),
    ("GOPRIVATE with a list", |case| case.goenv("GOPRIVATE=*.corp.test,corp.test,github.com/corp")),
    ("GOPRIVATE with a folder", |case| case.goenv("GOPRIVATE=pub.corp.test/team")),
    ("GONOPROXY and GONOSUMDB", |case| {
        case.goenv("GONOPROXY=pub.corp.test").goenv("GONOSUMDB=pub.corp.test")
    }),
    ("GONOPROXY=none", |case| {
        case.goenv("GOPRIVATE=*.corp.test").goenv("GONOPROXY=none").goenv("GONOSUMDB=none")
    }),
    ("GOFLAGS=-mod=mod", |case| case.goenv("GOFLAGS=-modcacherw -mod=mod")),
    ("GO111MODULE=on", |case| case.env("GO111MODULE", "on")),
    ("GOTOOLCHAIN=auto", |case| case.goenv("GOTOOLCHAIN=auto")),
    ("GOVCS for git alone", |case| case.goenv("GOVCS=*:git")),
    ("GOINSECURE of another host", |case| case.goenv("GOINSECURE=old.example")),
    ("GOAUTH=off", |case| case.goenv("GOAUTH=off")),
    ("GOAUTH=netrc", |case| case.goenv("GOAUTH=netrc")),
    ("a netrc of other hosts", |case| {
        case.file(
            "~/.netrc",
            "machine api.example login bot password {WRONG}\ndefault login x password {WRONG}\n",
        )
    }),
    ("a netrc that others may read", |case| {
        case.file("~/.netrc", "machine api.example login bot password {WRONG}\n")
            .mode("~/.netrc", 0o644)
    }),
    ("a module cache elsewhere", |case| {
        case.folder("~/cache/mod").goenv("GOMODCACHE={HOME}/cache/mod")
    }),
    ("a TMPDIR", |case| case.folder("~/tmp").env("TMPDIR", "{HOME}/tmp")),
    ("no XDG folders named", |case| {
        case.unset("XDG_CONFIG_HOME").unset("XDG_CACHE_HOME").unset("XDG_STATE_HOME")
    }),
    ("git's version 2 asked for", |case| case.gitconfig("[protocol]\n\tversion = 2\n")),
    ("git's version 0 asked for", |case| case.gitconfig("[protocol]\n\tversion = 0\n")),
    ("only https allowed to git", |case| {
        case.gitconfig("[protocol]\n\tallow = never\n[protocol \"https\"]\n\tallow = always\n")
    }),
    ("ssh rewritten to https", |case| {
        case.gitconfig("[url \"https://pub.corp.test/\"]\n\tinsteadOf = ssh://git@pub.corp.test/\n\tinsteadOf = git@pub.corp.test:\n")
    }),
    ("another host rewritten to ssh", |case| {
        case.gitconfig("[url \"ssh://git@git.example/\"]\n\tinsteadOf = https://git.example/\n")
    }),
    ("a name rewritten to itself", |case| {
        case.gitconfig(
            "[url \"https://pub.corp.test/team/\"]\n\tinsteadOf = https://pub.corp.test/team/\n",
        )
    }),
    ("a header for another host", |case| {
        case.gitconfig(
            "[http \"https://git.example/\"]\n\textraHeader = Authorization: Bearer {WRONG}\n",
        )
    }),
    ("a helper that knows nothing", |case| {
        case.gitconfig("[credential]\n\thelper = \"!f() { :; }; f\"\n")
    }),
    ("a helper for another host that is missing", |case| {
        case.gitconfig("[credential \"https://git.example\"]\n\thelper = nowhere\n")
    }),
    ("an included file", |case| {
        case.file("~/.gitconfig-work", "[core]\n\tautocrlf = input\n")
            .gitconfig("[include]\n\tpath = ~/.gitconfig-work\n[includeIf \"gitdir:~/nothing/\"]\n\tpath = nothing\n")
    }),
    ("a speed limit", |case| {
        case.gitconfig("[http]\n\tlowSpeedLimit = 100\n\tlowSpeedTime = 30\n")
    }),
    ("HTTP/1.1 asked for", |case| {
        case.gitconfig("[http]\n\tversion = HTTP/1.1\n\tpostBuffer = 1048576\n")
    }),
    ("names of the hosts file", |case| {
        case.hosts_line("127.0.0.1 workstation.corp.test workstation")
    }),
    ("a second name server that is dead", |case| {
        case.resolv("nameserver 127.0.0.53\nnameserver 127.0.0.78\n")
    }),
    ("search domains", |case| {
        case.resolv(
            "search corp.test other.test\noptions ndots:2 timeout:2\nnameserver 127.0.0.53\n",
        )
    }),
    ("another user", Case::user),
];

/// Where authorities stand.
const TRUST: &[Change] = &[
    ("git's own file of authorities", |case| {
        case.unset("GIT_SSL_CAINFO").gitconfig("[http]\n\tsslCAInfo = {CA}\n")
    }),
    ("a file of authorities for one host", |case| {
        case.unset("GIT_SSL_CAINFO")
            .gitconfig("[http \"https://pub.corp.test/\"]\n\tsslCAInfo = {CA}\n")
    }),
    ("an authority twice in its file, and words around it", |case| {
        case.prepare(|stage| {
            stage.sh("(echo '# the company'; cat {CA}; echo; cat {CA}) >{HOME}/ca.pem");
            for name in ["SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"] {
                stage.set(name, "{HOME}/ca.pem");
            }
        })
    }),
    ("the system's store", |case| {
        case.unset("SSL_CERT_FILE").unset("GIT_SSL_CAINFO").unset("CURL_CA_BUNDLE").root(|stage| {
            stage.sh("mount -t tmpfs none /etc/ssl; mkdir -p /etc/ssl/certs; cp {CA} /etc/ssl/certs/ca-certificates.crt");
        })
    }),
];

/// What wants a login of alice.
const LOCKED: &[Change] = &[
    ("a private module", |case| case.origin("git.corp.test")),
    ("a private repository", |case| case.repository("git.corp.test")),
];

/// How she gives it.
const LOGINS: &[Change] = &[
    ("a netrc on one line", |case| {
        case.file("~/.netrc", "machine git.corp.test login alice password {ALICE}\n")
    }),
    ("a netrc without an end of line", |case| {
        case.file("~/.netrc", "machine git.corp.test login alice password {ALICE}")
    }),
    ("a netrc over lines, with others before", |case| {
        case.file("~/.netrc", "machine a.example\nlogin x\npassword {WRONG}\n\nmachine git.corp.test\nlogin alice\npassword {ALICE}\n")
    }),
    ("git's own store", |case| {
        let line = format!("https://alice:{ALICE}@git.corp.test\n");
        case.gitconfig("[credential]\n\thelper = store\n").file("~/.git-credentials", line)
    }),
    ("git's own store, elsewhere", |case| {
        let line = format!("https://alice:{ALICE}@git.corp.test\n");
        case.gitconfig("[credential]\n\thelper = store --file {HOME}/secrets\n")
            .file("~/secrets", line)
    }),
    ("a helper of one line", |case| {
        case.gitconfig("[credential]\n\thelper = \"!f() { test $1 = get && echo username=alice && echo password={ALICE}; }; f\"\n")
    }),
    ("a helper for the host alone", |case| {
        case.gitconfig("[credential \"https://git.corp.test\"]\n\thelper = \"!f() { test $1 = get && echo username=alice && echo password={ALICE}; }; f\"\n")
    }),
    ("a helper behind one that fails", |case| {
        case.gitconfig("[credential]\n\thelper = \"!false\"\n\thelper = \"!f() { test $1 = get && echo username=alice && echo password={ALICE}; }; f\"\n")
    }),
    ("a helper behind a reset list", |case| {
        case.gitconfig("[credential]\n\thelper = nowhere\n\thelper = \"\"\n\thelper = \"!f() { test $1 = get && echo username=alice && echo password={ALICE}; }; f\"\n")
    }),
    ("a program as a helper", |case| {
        case.file(
            "~/helper",
            "#!/bin/sh\ntest \"$1\" = get && printf 'username=alice\\npassword={ALICE}\\n'\n",
        )
        .mode("~/helper", 0o700)
        .gitconfig("[credential]\n\thelper = {HOME}/helper\n")
    }),
    ("a name in the configuration, the rest from a helper", |case| {
        case.gitconfig("[credential]\n\tusername = alice\n\thelper = \"!f() { test $1 = get && echo password={ALICE}; }; f\"\n")
    }),
    ("an askpass program", |case| {
        case.file(
            "~/askpass",
            "#!/bin/sh\ncase $1 in Username*) echo alice ;; *) echo {ALICE} ;; esac\n",
        )
        .mode("~/askpass", 0o700)
        .env("GIT_ASKPASS", "{HOME}/askpass")
    }),
    ("a header for the host", |case| {
        let login = base64(&format!("alice:{ALICE}"));
        case.gitconfig(&format!(
            "[http \"https://git.corp.test/\"]\n\textraHeader = Authorization: Basic {login}\n"
        ))
    }),
    ("a token in a rewritten URL", |case| {
        case.gitconfig("[url \"https://alice:{ALICE}@git.corp.test/\"]\n\tinsteadOf = https://git.corp.test/\n")
    }),
    ("settings from variables", |case| {
        case.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "credential.helper").env(
            "GIT_CONFIG_VALUE_0",
            "!f() { test $1 = get && echo username=alice && echo password={ALICE}; }; f",
        )
    }),
];

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
