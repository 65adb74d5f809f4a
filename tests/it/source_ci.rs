//! The tokens that CI systems give their jobs. Their servers are not here: what a job finds in its
//! environment is written from their documentation.

use crate::support::{
    git::quiet,
    home::{Home, Run},
};

fn job(home: &Home, variables: &[(&str, &str)], host: &str) -> Run {
    let text = format!("[source.\"{host}\"]\nfrom = \"ci\"\n");
    home.write(".config/gocred/config.toml", text);
    variables.iter().fold(home.helper(), |run, (name, value)| run.env(name, *value))
}

fn ask(run: Run, host: &str) -> String {
    quiet(run.arg("get").input(format!("protocol=https\nhost={host}\n")).output())
}

const GITLAB: [(&str, &str); 4] = [
    ("CI_JOB_TOKEN", "glcbt-t0ken"),
    ("CI_SERVER_HOST", "gitlab.corp.test"),
    ("CI_SERVER_PORT", "443"),
    ("CI_SERVER_PROTOCOL", "https"),
];

#[test]
fn the_token_of_a_gitlab_job_goes_to_its_server_only() {
    let home = Home::new();
    let host = "gitlab.corp.test";
    let expected = "username=gitlab-ci-token\npassword=glcbt-t0ken\n";
    assert_eq!(ask(job(&home, &GITLAB, host), host), expected);
    assert_eq!(ask(job(&home, &GITLAB, host), "gitlab.corp.test.evil.test"), "");
    // Also where somebody has configured another host as one that has a job's token.
    for other in ["other.test", "gitlab.corp.test:8443", "gitlab.com"] {
        assert_eq!(ask(job(&home, &GITLAB, other), other), "", "{other}");
    }
    assert_eq!(ask(job(&home, &GITLAB[1..], host), host), "", "there is no job");
}

#[test]
fn go_is_told_the_token_of_the_job() {
    let home = Home::new();
    let _ = job(&home, &GITLAB, "gitlab.corp.test");
    let go = home.gocred().arg("goauth").env("GOPRIVATE", "gitlab.corp.test");
    let go = GITLAB.iter().fold(go, |run, (name, value)| run.env(name, *value));
    let out = go.output().success();
    let expected = "https://gitlab.corp.test\n\nAuthorization: Basic \
                    Z2l0bGFiLWNpLXRva2VuOmdsY2J0LXQwa2Vu\n\n";
    assert_eq!(out, expected);
    // Where go has no reason to go there, nothing is fetched for it.
    let go =
        GITLAB.iter().fold(home.gocred().arg("goauth"), |run, (name, value)| run.env(name, *value));
    assert_eq!(go.output().success(), "");
}

#[test]
fn the_token_of_a_github_job_goes_to_its_server_only() {
    let home = Home::new();
    let github = [("GITHUB_TOKEN", "ghs_t0ken"), ("GITHUB_SERVER_URL", "https://github.com")];
    let expected = "username=x-access-token\npassword=ghs_t0ken\n";
    assert_eq!(ask(job(&home, &github, "github.com"), "github.com"), expected);
    for other in ["gist.github.com", "github.com:444", "evil.test"] {
        assert_eq!(ask(job(&home, &github, other), other), "", "{other}");
    }
    assert_eq!(ask(job(&home, &github[..1], "github.com"), "github.com"), "");
}
