//! Forty-one secrets on one machine, in every place where people keep them, and everything that the diagnosis
//! prints or writes about it.

use std::fs;

use super::{
    case::{Case, Target},
    check::Outcome,
    run::Stage,
};

/// How many there are.
pub(super) const COUNT: usize = 41;

/// Returns the cases: the same machine, asked about different things.
pub(super) fn cases() -> Vec<Case> {
    let cases = [
        planted().module("git.corp.test/team/lib@v1.0.0"),
        planted().module("example.com/pub@v1.0.0"),
        planted().url("https://bob:kanarie-41@git.corp.test/team/lib.git"),
        slips().module("git.corp.test/team/lib@v1.0.0"),
        slips().url("https://git.corp.test/team/lib.git"),
        planted().here(
            "module work.test/main // kanarie-40\n\ngo 1.21\n\nrequire git.corp.test/team/lib v1.0.0\n",
        ),
    ];
    cases
        .into_iter()
        .map(|mut case| {
            case.is_canary = true;
            case
        })
        .collect()
}

fn planted() -> Case {
    variables(Case::healthy("secrets everywhere"))
        .goenv("GOPRIVATE=*.corp.test")
        .goenv("GOPROXY=https://athens:kanarie-29@gpauth.corp.test")
        .goenv("GOFLAGS=-modcacherw -ldflags=-X=main.token=kanarie-30")
        .file(
            "~/.netrc",
            "machine git.corp.test login alice password kanarie-17 account kanarie-18\n\
             machine gpauth.corp.test login kanarie-19 password x-oauth-basic\n\
             default login anna password kanarie-20\n\nmacdef up\nput kanarie-21\n\n",
        )
        .file(
            "~/.git-credentials",
            "https://alice:kanarie-22@git.corp.test\nhttps://kanarie-23:x@other.corp.test\n",
        )
        .gitconfig(
            "[http]\n\tproxy = http://puser:kanarie-24@proxy.corp.test:3128\n\
             [http \"https://git.corp.test/\"]\n\textraHeader = Authorization: Bearer kanarie-25\n\
             [url \"https://bot:kanarie-26@git.corp.test/\"]\n\tinsteadOf = https://git.corp.test/\n\
             [credential]\n\thelper = store\n\thelper = \"!f() { echo username=a; echo password=kanarie-27; }; f\"\n",
        )
        .file(
            "{WORK}/.git/config",
            "[core]\n\trepositoryformatversion = 0\n[remote \"origin\"]\n\turl = https://a:kanarie-28@git.corp.test/x.git\n",
        )
        .file("~/.bashrc", "export HTTPS_PROXY=http://puser:kanarie-31@proxy.corp.test:3128\nexport GITHUB_TOKEN=kanarie-32\n")
        .file("~/.profile", "export GOPROXY='https://u:kanarie-33@gpauth.corp.test'\n")
        .file("~/.zshrc", "export https_proxy=\"http://puser:kanarie-34@proxy.corp.test:3128\"\n")
        .file("~/.config/fish/config.fish", "set -gx HTTPS_PROXY http://puser:kanarie-35@proxy.corp.test:3128\n")
        .file("~/.curlrc", "proxy-user = puser:kanarie-36\n")
        .file("~/.docker/config.json", r#"{"auths":{"r.corp.test":{"auth":"kanarie-37"}}}"#)
        .file("~/.npmrc", "//npm.corp.test/:_authToken=kanarie-38\n")
        .file("~/.config/gocred/config.toml", "[proxy]\nupstream = [\"http://puser:kanarie-39@proxy.corp.test:3128\"]\n")
}

/// Logins where a URL was to be, or without the rest of one.
fn slips() -> Case {
    let case = Case::healthy("logins in the place of URLs")
        .goenv("GOPROXY=athens:kanarie-51,direct")
        .goenv("GOPRIVATE=bot:kanarie-52@git.corp.test")
        .goenv("GONOSUMDB=git.corp.test,bot:kanarie-53")
        .goenv("GOINSECURE=bot:kanarie-54")
        .goenv("GOAUTH=bot:kanarie-55")
        .goenv("GOFLAGS=-tagss=x -ldflags=-X=main.token=kanarie-56")
        .gitconfig(
            "[http]\n\tproxy = puser:kanarie-57\n[http \"https://git.corp.test/\"]\n\tproxy = puser:kan,kanarie-58\n\
             [credential]\n\thelper = bot:kanarie-59\n",
        )
        .file(
            "~/.profile",
            "export GOPROXY='athens:kanarie-60'\nexport https_proxy=puser:kanarie-61\n\
             export NO_PROXY=puser:kanarie-62,h.test\n",
        )
        .file("~/.config/fish/config.fish", "set -gx HTTPS_PROXY puser:kanarie-63\n");
    [
        ("GOSUMDB", "athens:kanarie-64"),
        ("HTTPS_PROXY", "puser:kanarie-65"),
        ("https_proxy", "puser:kanarie-61"),
        ("http_proxy", "puser:kan/kanarie-66"),
        ("ALL_PROXY", "puser:kan|kanarie-67"),
        ("NO_PROXY", "puser:kanarie-62,h.test"),
    ]
    .into_iter()
    .fold(case, |case, (name, value)| case.env(name, value))
}

fn variables(case: Case) -> Case {
    [
        ("HTTPS_PROXY", "http://puser:kanarie-01@proxy.corp.test:3128"),
        ("https_proxy", "http://puser:kanarie-02@proxy.corp.test:3128"),
        ("HTTP_PROXY", "http://puser:kanarie-03@proxy.corp.test:3128"),
        ("http_proxy", "http://puser:kanarie-04#x@proxy.corp.test:3128"),
        ("ALL_PROXY", "socks5://puser:kanarie-05@proxy.corp.test:1080"),
        ("all_proxy", "kanarie-06@proxy.corp.test:99999"),
        (
            "GOPROXY",
            "https://athens:kanarie-07@gpauth.corp.test,https://kanarie-08@goproxy.corp.test",
        ),
        ("GOAUTH", "echo kanarie-09"),
        ("GITHUB_TOKEN", "kanarie-10"),
        ("GITLAB_TOKEN", "kanarie-11"),
        ("CI_JOB_TOKEN", "kanarie-12"),
        ("NPM_TOKEN", "kanarie-13"),
        ("AWS_SECRET_ACCESS_KEY", "kanarie-14"),
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "http.https://pub.corp.test/.extraheader"),
        ("GIT_CONFIG_VALUE_0", "PRIVATE-TOKEN: kanarie-15"),
        ("GIT_CONFIG_KEY_1", "url.https://bot:kanarie-16@pub.corp.test/.insteadof"),
        ("GIT_CONFIG_VALUE_1", "https://pub.corp.test/"),
    ]
    .into_iter()
    .fold(case, |case, (name, value)| case.env(name, value))
}

/// Runs every command of the diagnosis, and looks for the secrets in what it says and writes.
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub(super) fn look(case: &Case, stage: &mut Stage, outcome: &mut Outcome) {
    for arguments in [
        &[][..],
        &["--json"],
        &["--offline"],
        &["--offline", "--json"],
        &["--html", "{HOME}/page.html"],
        &["--bundle", "{HOME}/bundle.tar"],
        &["--egress-list"],
        &["--fix", "--dry-run"],
    ] {
        let arguments: Vec<String> = arguments.iter().map(|word| stage.text(word)).collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = stage.doctor(case, &words);
        super::check::leaks(&ended, outcome);
    }
    for name in ["page.html", "bundle.tar"] {
        let bytes = fs::read(stage.home().join(name)).expect(name);
        super::check::leak(&String::from_utf8_lossy(&bytes), outcome);
    }
    if let Target::Module(target) | Target::Url(target) = &case.target {
        for arguments in [&["route", target][..], &["route", "--json", target]] {
            let ended = stage.gocred(arguments, None);
            super::check::leaks(&ended, outcome);
        }
    }
    let said = "fatal: unable to access 'https://bob:kanarie-41@git.corp.test/team/lib.git/': CONNECT tunnel \
                failed, response 407\n";
    for arguments in [&["explain", "-"][..], &["why"], &["why", "--json"]] {
        let ended = stage.gocred(arguments, Some(said));
        super::check::leaks(&ended, outcome);
    }
}
