//! `gocred route` as it is used: what it says of a machine whose tools disagree, and of one where they agree.

use crate::support::home::{Home, Output};

/// What no output may hold.
const SECRET: &str = "kanarie-7f3a";
const URL: &str = "https://git.corp.test/team/lib.git";

struct Case {
    code: &'static str,
    variables: &'static [(&'static str, &'static str)],
    gitconfig: &'static str,
    netrc: &'static str,
}

const NOTHING: Case = Case { code: "", variables: &[], gitconfig: "", netrc: "" };
const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://ana:kanarie-7f3a@proxy.corp.test:3128");

const CASES: &[Case] = &[
    NOTHING,
    Case { variables: &[PROXY], ..NOTHING },
    Case { variables: &[PROXY, ("NO_PROXY", ".corp.test")], ..NOTHING },
    Case { netrc: "machine git.corp.test login ana password kanarie-7f3a\n", ..NOTHING },
    Case {
        code: "E29",
        variables: &[PROXY, ("https_proxy", "http://other.corp.test:3128")],
        ..NOTHING
    },
    Case {
        code: "E30",
        variables: &[PROXY],
        gitconfig: "[http]\n\tproxy = http://other.corp.test:1\n",
        ..NOTHING
    },
    Case {
        code: "E30",
        variables: &[PROXY],
        gitconfig: "[http \"https://*.corp.test\"]\n\tproxy =\n",
        ..NOTHING
    },
    Case { code: "E31", variables: &[PROXY, ("NO_PROXY", "*.corp.test")], ..NOTHING },
    Case { code: "E32", variables: &[PROXY, ("NO_PROXY", "git.corp.test:443")], ..NOTHING },
    Case { code: "E33", variables: &[PROXY, ("NO_PROXY", "x.test git.corp.test")], ..NOTHING },
    Case { code: "E36", variables: &[("ALL_PROXY", "socks5h://proxy.corp.test")], ..NOTHING },
    Case {
        code: "E37",
        variables: &[("HTTPS_PROXY", "http://ana:a#kanarie-7f3a@proxy.corp.test:3128")],
        ..NOTHING
    },
    Case { code: "A25", netrc: "default login ana password kanarie-7f3a\n", ..NOTHING },
    Case {
        code: "A26",
        netrc: "machine git.corp.test login ana password \"kanarie-7f3a\"\n",
        ..NOTHING
    },
    Case {
        code: "A29",
        variables: &[("NETRC", "/nowhere/netrc")],
        netrc: "machine git.corp.test login ana password kanarie-7f3a\n",
        ..NOTHING
    },
    Case {
        code: "G08",
        gitconfig: "[url \"git@git.corp.test:\"]\n\tinsteadOf = https://git.corp.test/\n",
        ..NOTHING
    },
    Case {
        code: "G09",
        gitconfig: "[url \"https://git.corp.test\"]\n\tinsteadOf = https://git.corp.test/\n",
        ..NOTHING
    },
    Case {
        code: "G10",
        gitconfig: "[url \"https://ana:kanarie-7f3a@git.corp.test/\"]\n\tinsteadOf = https://git.corp.test/\n",
        ..NOTHING
    },
    Case {
        code: "G11",
        gitconfig: "[http]\n\textraHeader = Authorization: Basic kanarie-7f3a\n",
        ..NOTHING
    },
    Case { code: "E45", variables: &[("GIT_SSL_CAINFO", "/etc/corp.pem")], ..NOTHING },
];

fn asked(case: &Case, words: &[&str]) -> Output {
    let home = Home::new();
    home.write(".gitconfig", case.gitconfig);
    home.write(".netrc", case.netrc);
    let mut run = home.gocred().arg("route").args(words.iter().copied());
    for (name, value) in case.variables {
        run = run.env(name, *value);
    }
    let output = run.output();
    assert!(!output.out().contains(SECRET) && !output.err().contains(SECRET), "{output:?}");
    output
}

#[test]
fn what_the_tools_disagree_about_comes_first_by_its_code() {
    for case in CASES {
        let text = asked(case, &[URL]).success();
        let first = text.lines().next().unwrap_or_default();
        let code =
            first.split_once(": ").filter(|(code, _)| code.len() == 3).map_or("", |(code, _)| code);
        assert_eq!(code, case.code, "{text}");
        let json: serde_json::Value =
            serde_json::from_str(&asked(case, &[URL, "--json"]).success()).unwrap();
        assert_eq!(
            json["differences"][0]["code"].as_str().unwrap_or_default(),
            case.code,
            "{json}"
        );
        assert_eq!(json["ways"].as_array().unwrap().len(), 3, "{json}");
    }
}

#[test]
fn a_module_is_followed_through_the_list_and_to_its_host() {
    let variables = [
        ("GOPROXY", "https://ana:kanarie-7f3a@goproxy.corp.test/x|https://second.test,direct"),
        ("GOSUMDB", "sum.golang.org"),
    ];
    let case = |variables| Case { variables, ..NOTHING };
    let text =
        asked(&case(variables.as_slice().to_vec().leak()), &["git.corp.test/Team/lib@v1.0.0"])
            .success();
    let asked_for: Vec<_> = text.lines().filter(|line| line.contains(" → ")).collect();
    let urls: Vec<_> = asked_for.iter().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(
        urls,
        [
            "https://goproxy.corp.test/x/git.corp.test/!team/lib/@v/v1.0.0.info",
            "https://second.test/git.corp.test/!team/lib/@v/v1.0.0.info",
            "https://git.corp.test/Team/lib?go-get=1",
            "https://git.corp.test/Team/lib",
            "https://sum.golang.org/lookup/git.corp.test/!team/lib@v1.0.0",
        ]
    );
    let private: &[_] = &[("GOPRIVATE", "*.corp.test")];
    let text =
        asked(&Case { variables: private, ..NOTHING }, &["git.corp.test/team/lib"]).success();
    assert!(text.contains("no module proxy is asked: GOPRIVATE ($GOPRIVATE)"), "{text}");
    assert!(text.contains("the checksum database is not asked"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains(" → ")).count(), 2, "{text}");
}
