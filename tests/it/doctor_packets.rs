//! Whom `gocred doctor` speaks to: the target, its proxies and the name servers that are configured, and
//! nobody else, whatever fails.

use std::{collections::BTreeSet, fs, net::IpAddr};

use super::support::{home::Home, program};

/// The module proxy, the proxy of the variables and the one of git for this host: nobody listens there.
const OF_THE_WAY: [&str; 3] = ["127.0.0.12", "127.0.0.13", "127.0.0.14"];
/// What the settings name for somebody else.
const OF_OTHERS: &str = "127.0.0.66";

/// Returns the addresses of the calls that connect or send.
fn addresses(calls: &str) -> BTreeSet<IpAddr> {
    let of = |line: &str| {
        let text = line
            .split_once("inet_addr(\"")
            .or_else(|| line.split_once("inet_pton(AF_INET6, \""))
            .and_then(|(_, rest)| rest.split('"').next())?;
        text.parse().ok()
    };
    calls.lines().filter_map(of).collect()
}

/// Returns the addresses that a file names, each as the word with this number of a line.
fn named(file: &str, matches: &str, word: usize) -> BTreeSet<IpAddr> {
    let text = fs::read_to_string(file).expect("the file");
    let lines = text.lines().filter(|line| line.contains(matches));
    lines.filter_map(|line| line.split_whitespace().nth(word)?.parse().ok()).collect()
}

#[test]
fn nobody_but_the_target_its_proxies_and_the_name_servers_is_asked() {
    let Some(strace) = program("strace", "strace") else { return };
    let [goproxy, proxy, git_proxy] = OF_THE_WAY;
    let home = Home::new();
    home.write(
        ".gitconfig",
        format!(
            "[http \"https://git.corp.test/\"]\n\tproxy = http://{git_proxy}:9\n\
             [http \"https://other.corp.test/\"]\n\tproxy = http://{OF_OTHERS}:9\n\
             [url \"https://{OF_OTHERS}/\"]\n\tinsteadOf = https://other.corp.test/\n\
             [remote \"origin\"]\n\turl = https://{OF_OTHERS}/x.git\n"
        ),
    );
    home.write(".netrc", format!("machine {OF_OTHERS} login ana password x\n"));
    home.write(
        "app/go.mod",
        "module x.test/app\n\ngo 1.24\n\nrequire git.corp.test/team/lib v1.0.0\n",
    );
    let mut allowed = named("/etc/resolv.conf", "nameserver", 1);
    allowed.extend(named("/etc/hosts", "git.corp.test", 0));
    allowed.extend(OF_THE_WAY.map(|address| address.parse::<IpAddr>().expect("an address")));
    let targets = [
        ["git.corp.test/team/lib@v1.0.0"].as_slice(),
        &["https://git.corp.test/team/lib.git"],
        &["https://nowhere.corp.test/team/lib.git"],
        &[],
    ];
    let mut asked = BTreeSet::new();
    for target in targets {
        for variables in [[("HTTPS_PROXY", format!("http://{proxy}:9"))].as_slice(), &[]] {
            let log = home.write("log", "");
            let run = home.gocred().arg("doctor").args(target.iter().copied());
            let run = run.folder(home.path().join("app"));
            let run = run.env("GOPROXY", format!("http://{goproxy}:9|direct"));
            let run = run.env("GONOSUMDB", "*.test");
            let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
            let calls = "connect,sendto,sendmsg,sendmmsg";
            let output = run.traced(strace.clone(), calls, &log).output();
            assert_eq!(output.code, Some(1), "{target:?}: {output:?}");
            let these = addresses(&fs::read_to_string(log).expect("the log"));
            let strangers: Vec<_> = these.difference(&allowed).collect();
            assert!(strangers.is_empty(), "{target:?}, {variables:?}: {strangers:?}");
            asked.extend(these);
        }
    }
    assert_eq!(asked, allowed, "a test that sees nothing would find nothing");
}
