//! Files as people have them: what goes out of each, and that `--undo` brings every byte back.

use std::fs;

use super::{import_move::Desk, proxy_lab, support::home::GOCRED};

/// A file, what is taken out of it, and what takes its place.
struct Case {
    file: &'static str,
    text: &'static str,
    swaps: &'static [(&'static str, &'static str)],
}

const fn case(
    file: &'static str,
    text: &'static str,
    swaps: &'static [(&'static str, &'static str)],
) -> Case {
    Case { file, text, swaps }
}

/// Every account is another one: what a store has is never replaced.
const CASES: &[Case] = &[
    // git credential-store
    case(".git-credentials", "https://a1:s@h1.test\n", &[("https://a1:s@h1.test\n", "")]),
    case(".git-credentials", "https://a2:s@h1.test", &[("https://a2:s@h1.test", "")]),
    case(
        ".git-credentials",
        "\n# x\r\nhttps://a3:%73%40@h1.test/team/lib.git\r\n\r\nhttps://a3@h1.test\r\n",
        &[("https://a3:%73%40@h1.test/team/lib.git\r\n", "")],
    ),
    case(
        ".config/git/credentials",
        "https://a4:s@h1.test:8443\nhttps://a5:s@[::1]\n",
        &[("https://a4:s@h1.test:8443\n", ""), ("https://a5:s@[::1]\n", "")],
    ),
    case(".git-credentials", "https://a6:s@h@h1.test\nsmtp://a:b@h\nnonsense\n", &[]),
    // git's configuration
    case(
        ".config/git/config",
        "[remote \"origin\"]\n\turl = https://b1:s@h2.test/x.git\n\tfetch = +refs/*:refs/*\n",
        &[("b1:s@", "b1@")],
    ),
    case(
        ".config/git/config",
        "[URL \"https://b2:s@h2.test/\"]  # work\n  insteadOf = \"https://h2.test/\"\n\tpushInsteadOf=x:\n",
        &[("b2:s@", "b2@")],
    ),
    case(
        ".config/git/config",
        "[url \"https://glpat-abcdefghijklmn@h3.test\"] insteadOf = git@h3.test:\n",
        &[("glpat-abcdefghijklmn@", "")],
    ),
    case(
        ".config/git/config",
        "[http \"https://h4.test/\"]\r\n\r\n\t; azure\r\n\textraheader = AUTHORIZATION: basic YjM6cGF0\r\n\tpostBuffer = 1\r\n",
        &[("\textraheader = AUTHORIZATION: basic YjM6cGF0\r\n", "")],
    ),
    case(
        ".config/git/config",
        "[http]\n\textraHeader = X-Trace: 1\n[http \"https://h4.test\"]\n\textraHeader = X-Trace: 2\n",
        &[],
    ),
    case(
        ".config/git/config",
        "[remote \"o\"]\n\turl = https://${USER}:${TOKEN}@h4.test/x\n[remote \"p\"]\n\turl = https://ana@h4.test/x\n",
        &[],
    ),
    case(
        ".config/git/config",
        "[submodule \"x\"]\n\turl = \"https://b4:s@h4.test/a b\" # c\n[alias]\n\tx = \"!git clone https://q:r@h4.test\"\n",
        &[("b4:s@", "b4@")],
    ),
    // go
    case(
        ".config/go/env",
        "GOPROXY=https://c1:s@p1.test/api/go,https://proxy.golang.org,direct\nGOFLAGS=-mod=mod",
        &[("c1:s@", "")],
    ),
    case(
        ".config/go/env",
        "GONOSUMDB=*.corp.test\r\nGOPROXY=https://c2:s@p2.test|https://c3:s@p3.test:8443|off\r\n",
        &[("c2:s@", ""), ("c3:s@", "")],
    ),
    case(".config/go/env", "GOPROXY=https://p1.test\n#GOPROXY=https://c4:s@p1.test\n", &[]),
    // shells
    case(
        ".bashrc",
        "case $- in\n *i*) ;;\nesac\nexport GOPROXY=https://d1:s@p4.test,direct\n[ -f x ] && . x\n",
        &[("d1:s@", "")],
    ),
    case(
        ".zshrc",
        "ZSH_THEME=\"x\"\nexport GOPROXY='https://d2:s@p4.test'; export GOPRIVATE=x\nplugins=(git)",
        &[("d2:s@", "")],
    ),
    case(
        ".config/fish/config.fish",
        "if status is-interactive\n    set -gx GOPROXY https://d3:s@p4.test,direct\nend\n",
        &[("d3:s@", "")],
    ),
    case(
        ".config/fish/conf.d/go.fish",
        "set --export --universal GOPROXY \"https://d4:s@p4.test\" # company\n",
        &[("d4:s@", "")],
    ),
    case(".config/environment.d/60-go.conf", "GOPROXY=https://d5:s@p4.test\n", &[("d5:s@", "")]),
    case(".profile", "export GOPROXY=\"https://$U:$P@p4.test\" GOPRIVATE=x\n", &[]),
    case(".profile", "export GOPROXY=https://d6:\"s\"@p4.test\n", &[]),
    case(".bashrc", "cat >~/.netrc <<EOF\nmachine h login x password y\nEOF\n", &[]),
    case(".tcshrc", "setenv GOPROXY https://d7:s@p4.test\r\n", &[("d7:s@", "")]),
    case(".bash_profile", "\u{feff}export GOPROXY=https://d8:s@p4.test", &[("d8:s@", "")]),
    // netrc
    case(
        ".netrc",
        "machine n1.test\n\tlogin e1\n\t# May\n\tpassword s\n\nmachine n2.test login e2 password s # x\n",
        &[
            ("machine n1.test\n\tlogin e1\n", ""),
            ("\tpassword s\n", ""),
            ("machine n2.test login e2 password s ", ""),
        ],
    ),
    // What has no credential helper stays.
    case(".npmrc", "//registry.npmjs.org/:_authToken=npm_abcdefghijklmn\n", &[]),
    case(".npmrc", "_auth=YTpi\nalways-auth=true\n//r/:_authToken=${NPM_TOKEN}\n", &[]),
    case(".config/pip/pip.conf", "[global]\nindex-url = https://f:s@pypi.test/simple\n", &[]),
    case(".pip/pip.conf", "[global]\nextra-index-url=\n  https://f:s@pypi.test/simple\n", &[]),
    case(".pypirc", "[pypi]\nusername = __token__\npassword = pypi-abcdefghijkl\n", &[]),
];

#[test]
fn what_is_taken_out_is_just_the_secret_and_comes_back() {
    let desk = Desk::new().wired();
    // go is wired, wherever the cases put its file.
    let import = || desk.run(&["--yes"]).env("GOAUTH", format!("{GOCRED} goauth")).output();
    for Case { file, text, swaps } in CASES {
        let path = desk.write(file, text);
        let mut expected = (*text).to_owned();
        for (old, new) in *swaps {
            assert_eq!(expected.matches(old).count(), 1, "{file} {old}");
            expected = expected.replace(old, new);
        }
        let output = import();
        let said = format!("{file}: {text}{output:?}");
        assert_eq!(output.code, Some(i32::from(swaps.is_empty())), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{said}");
        if !swaps.is_empty() {
            let _ = desk.ends_with(0, &["--undo"]);
            assert_eq!(fs::read_to_string(&path).unwrap(), *text, "{said}");
        }
        fs::remove_file(path).unwrap();
    }
}

/// Files that name a forward proxy, and the same with the loopback proxy instead. `LOCAL` stands for
/// its place.
const PROXIES: &[Case] = &[
    case(
        ".bashrc",
        "export HTTPS_PROXY=http://CORP%5Cana:s3cret@UP\nexport http_proxy=\"http://CORP\\\\ana:s3cret@UP/\"\n",
        &[
            ("http://CORP%5Cana:s3cret@UP", "http://LOCAL"),
            ("http://CORP\\\\ana:s3cret@UP", "http://LOCAL"),
        ],
    ),
    case(
        ".zprofile",
        "export {http,https}_proxy=x\nall_proxy='CORP\\ana:s3cret@UP' # x\n",
        &[("CORP\\ana:s3cret@UP", "http://LOCAL")],
    ),
    case(
        ".config/fish/config.fish",
        "set -gx https_proxy http://CORP%5cana:s3cret@UP\r\n",
        &[("http://CORP%5cana:s3cret@UP", "http://LOCAL")],
    ),
    case(
        ".config/git/config",
        "[http]\n\tproxy = http://CORP%5Cana:s3cret@UP ; work\n[http \"https://x.test\"]\n\tproxy = \"\"\n",
        &[("http://CORP%5Cana:s3cret@UP", "http://gocred@LOCAL")],
    ),
    case(
        ".npmrc",
        "https-proxy=http://CORP%5Cana:s3cret@UP/\nnoproxy=localhost\n",
        &[("http://CORP%5Cana:s3cret@UP", "http://LOCAL")],
    ),
    case(
        ".config/pip/pip.conf",
        "[global]\nproxy = CORP%5Cana:s3cret@UP\n",
        &[("CORP%5Cana:s3cret@UP", "http://LOCAL")],
    ),
    case(".profile", "export HTTPS_PROXY=http://gocred:abc@LOCAL\n", &[]),
    case(".profile", "export HTTPS_PROXY=http://$U:$P@UP\nexport NO_PROXY=a@b\n", &[]),
];

#[test]
fn a_proxys_password_gives_way_to_the_loopback_proxy_that_runs() {
    let desk = Desk::new().wired();
    let up = "127.0.0.1:9";
    let config = format!("[store]\nname = \"file\"\n[proxy]\nupstream = [\"http://{up}\"]\n");
    desk.write(".config/gocred/config.toml", config);

    // Nothing listens yet: the line stays, for it is all that works.
    let bashrc = format!("export HTTPS_PROXY=http://ana:s3cret@{up}\n");
    desk.write(".bashrc", &bashrc);
    let output = desk.ends_with(1, &["--yes"]);
    assert!(output.out().contains("run `gocred proxy install`"), "{output:?}");
    assert_eq!(desk.read(".bashrc"), bashrc);
    fs::remove_file(desk.0.home.path().join(".bashrc")).unwrap();

    let daemon = proxy_lab::Daemon::start(&proxy_lab::proxy(&desk.0.home, &[]));
    let local = daemon.address.to_string();
    let told = |text: &str| text.replace("UP", up).replace("LOCAL", &local);
    for Case { file, text, swaps } in PROXIES {
        let text = told(text);
        let path = desk.write(file, &text);
        let mut expected = text.clone();
        for (old, new) in *swaps {
            expected = expected.replacen(&told(old), &told(new), 1);
        }
        let output = desk.import(&["--yes"]);
        let said = format!("{file}: {text}{output:?}");
        assert_eq!(output.code, Some(i32::from(swaps.is_empty())), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{said}");
        if !swaps.is_empty() {
            let _ = desk.ends_with(0, &["--undo"]);
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{said}");
        }
        fs::remove_file(path).unwrap();
    }
    let list = desk.0.gocred(&["list"]).success();
    assert!(list.contains(&format!("http://{up}  CORP\\ana")), "{list}");
}

#[test]
fn a_proxy_that_is_not_configured_becomes_the_upstream() {
    let desk = Desk::new().wired();
    desk.write(".bashrc", "export https_proxy=http://ana:s3cret@proxy.corp.test:8080\n");
    let output = desk.ends_with(1, &["--yes"]);
    assert!(output.out().contains("stored as http://proxy.corp.test:8080 as ana"), "{output:?}");
    let config = desk.0.gocred(&["config", "show"]).success();
    assert!(config.contains("upstream = [\"http://proxy.corp.test:8080\"]"), "{config}");
}

#[test]
fn a_header_moves_where_git_takes_it_from_a_helper() {
    let desk = Desk::new().wired();
    let text = "[http \"https://bearer.test\"]\n\textraHeader = Authorization: Bearer eyJ0.x.y\n";
    desk.write(".config/git/config", text);
    let version = desk.0.home.run("git").arg("--version").output().success();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let is_new = minor.is_some_and(|minor| minor >= 46);
    let output = desk.import(&["--yes"]);
    if is_new {
        assert_eq!(
            desk.read(".config/git/config"),
            "[http \"https://bearer.test\"]\n",
            "{output:?}"
        );
        let ask = "capability[]=authtype\nprotocol=https\nhost=bearer.test\n";
        let said = desk.0.helper("get", ask).success();
        assert!(said.contains("authtype=Bearer\ncredential=eyJ0.x.y\n"), "{said}");
    } else {
        assert!(output.out().contains("git before 2.46"), "{output:?}");
        assert_eq!(desk.read(".config/git/config"), text);
    }
}
