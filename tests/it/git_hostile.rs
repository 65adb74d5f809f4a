//! Inputs that made other helpers give a secret away (git-helper.md §5): none of them gets ours.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{
    git::{Desk, quiet},
    home::Output,
};

const VICTIM: &str = "protocol=https\nhost=victim.test\n";
const SECRET: &str = "s3cr3t-of-the-victim";

/// A keyring that holds the victim's secret, for one host, one with a port, and one IPv6 address.
fn victim() -> Option<Desk> {
    let desk = Desk::new()?;
    for host in ["victim.test", "other.test:8443", "[::1]:8443", "github.com"] {
        desk.store(format!(
            "protocol=https\nhost={host}\nusername=ana\npassword={SECRET} {host}\n"
        ));
    }
    assert_eq!(desk.get(VICTIM), format!("username=ana\npassword={SECRET} victim.test\n"));
    Some(desk)
}

/// Fails the test if a question was answered, or an answer shown.
#[track_caller]
fn assert_nothing(output: &Output, what: &str) {
    assert_eq!((output.code, output.out().as_str()), (Some(0), ""), "{what}: {output:?}");
    assert!(!output.err().contains(SECRET), "{what}: {output:?}");
    assert!(output.err().lines().count() <= 1, "{what}: {output:?}");
}

#[test]
fn a_missing_protocol_or_host_is_no_wildcard() {
    let Some(desk) = victim() else { return };
    for input in [
        "",
        "\n",
        "protocol=https\n",
        "protocol=https\n\n",
        "host=victim.test\n",
        "host=victim.test\n\n",
        "host=\n",
        "protocol=https\nhost=\n",
        "protocol=\nhost=victim.test\n",
        "protocol=https\n\nhost=victim.test\n",
        "username=ana\n",
        "url=https:///\n",
        "url=https://\n",
    ] {
        assert_nothing(&desk.helper("get", input).output(), input);
    }
}

#[test]
fn only_a_line_feed_starts_a_line() {
    let Some(desk) = victim() else { return };
    for separator in ["\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\0", "%0a", "\\n"]
    {
        for key in ["host", "username", "path", "password", "protocol", "wwwauth[]", "x"] {
            let smuggled = format!("{key}=evil.test{separator}host=victim.test");
            let first = format!("{smuggled}\nprotocol=https\nhost=evil.test\n");
            assert_nothing(&desk.helper("get", &*first).output(), &first);
            let last = format!("protocol=https\nhost=evil.test\n{smuggled}\n");
            assert_nothing(&desk.helper("get", &*last).output(), &last);
        }
    }
    let nul = "protocol=https\nhost=victim.test\0.evil.test\n";
    assert_nothing(&desk.helper("get", nul).output(), "NUL");
}

#[test]
fn a_url_cannot_smuggle_a_host() {
    let Some(desk) = victim() else { return };
    for url in [
        "https://evil.test?%0ahost=victim.test",
        "https://evil.test%0ahost=victim.test/",
        "https://evil.test%0d%0ahost=victim.test",
        "https://victim.test%00.evil.test",
        "https://victim.test@evil.test/",
        "https://victim.test:x@evil.test/",
        "https://evil.test#@victim.test/",
        "https://evil.test\\@victim.test/",
        "https://victim.test%2f@evil.test/",
        "https://victim.test%40evil.test/",
    ] {
        assert_nothing(&desk.helper("get", format!("url={url}\n")).output(), url);
    }
    let known = desk.get("url=https://victim.test\n");
    assert!(known.contains(SECRET), "{known}");
}

#[test]
fn a_host_is_compared_whole() {
    let Some(desk) = victim() else { return };
    for host in [
        "github.com.evil.test",
        "evilgithub.com",
        "github.com@evil",
        "evil@github.com",
        "github.com:444",
        "github.com:443",
        "github.com:",
        "sub.github.com",
        "github.com.",
        ".github.com",
        "GITHUB.COM",
        "github.com ",
        " github.com",
        "github.com/",
        "github.com%00",
        "https://github.com",
        "githubXcom",
        "github.com\u{200b}",
        "gıthub.com",
        "*",
        ".*",
        "other.test",
        "other.test:443",
        "other.test:8444",
        "other.test:08443",
        "[::1]",
        "::1",
        "::1:8443",
        "[::1]:8444",
        "[0:0:0:0:0:0:0:1]:8443",
    ] {
        assert_nothing(
            &desk.helper("get", format!("protocol=https\nhost={host}\n")).output(),
            host,
        );
    }
}

#[test]
fn a_padded_header_of_any_length_never_becomes_a_host() {
    let Some(desk) = victim() else { return };
    for length in [1024, 4096, 65_535, 102_400, 1_048_576] {
        for padding in [length - 11, length - 10, length - 1, length] {
            let header = format!("wwwauth[]={}", "x".repeat(padding));
            for input in [
                format!("protocol=https\nhost=evil.test\n{header}host=victim.test\n"),
                format!("{header}host=victim.test\nprotocol=https\nhost=evil.test\n"),
            ] {
                assert_nothing(&desk.helper("get", input).output(), &length.to_string());
            }
        }
    }
}

#[test]
fn values_of_64_kilobytes_do_no_harm() {
    let Some(desk) = victim() else { return };
    let long = "a".repeat(65_000);
    for input in [
        format!("protocol=https\nhost={long}\n"),
        format!("{VICTIM}path={long}\n"),
        format!("{VICTIM}username={long}\n"),
        format!("protocol={long}\nhost=victim.test\n"),
    ] {
        for operation in ["get", "erase"] {
            assert_nothing(&desk.helper(operation, &*input).output(), operation);
        }
    }
    assert!(desk.get(VICTIM).contains(SECRET), "nothing was erased");
}

#[test]
fn clear_text_gets_no_secret_without_permission() {
    let Some(desk) = victim() else { return };
    for host in ["victim.test", "github.com", "victim.test:80"] {
        let input = format!("protocol=http\nhost={host}\n");
        assert_eq!(desk.get(&*input), "");
        desk.store(format!("{input}username=ana\npassword=clear\n"));
    }
    assert!(desk.held().iter().all(|line| !line.contains("clear")));
    desk.home.write(".config/gocred/config.toml", "[host.\"plain.test\"]\nallow_http = true\n");
    let plain = "protocol=http\nhost=plain.test\n";
    desk.store(format!("{plain}username=ana\npassword=clear\n"));
    assert_eq!(desk.get(plain), "username=ana\npassword=clear\n");
    assert_eq!(desk.get("protocol=https\nhost=plain.test\n"), "");
}

#[test]
fn secrets_of_the_environment_are_not_released() {
    let Some(desk) = victim() else { return };
    for host in ["github.com.evil.test", "evil.github.com", "gitlab.test"] {
        let mut run = desk.helper("get", format!("protocol=https\nhost={host}\n"));
        for name in
            ["GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITLAB_TOKEN", "GIT_PASSWORD"]
        {
            run = run.env(name, SECRET);
        }
        let output = run.env("CODESPACES", "true").output();
        assert_nothing(&output, host);
    }
}

#[test]
fn a_malformed_request_is_never_echoed() {
    let Some(desk) = victim() else { return };
    for input in [
        format!("{VICTIM}password={SECRET}\ngarbage-{SECRET}\n"),
        format!("{VICTIM}{SECRET}\n"),
        format!("{VICTIM}{SECRET}\0=1\n"),
        format!("{VICTIM}password={SECRET}\rx\n"),
        format!("{VICTIM}ephemeral={SECRET}\n"),
        format!("{VICTIM}url={SECRET}\n"),
    ] {
        for operation in ["get", "store", "erase"] {
            let output = desk.helper(operation, &*input).output();
            assert_nothing(&output, operation);
            assert_eq!(output.err().lines().count(), 1);
        }
    }
}

#[test]
fn a_wrong_configuration_is_one_line_without_its_value_and_no_answer() {
    let Some(desk) = victim() else { return };
    desk.home.write(".config/gocred/config.toml", format!("[git]\n\nstore = \"{SECRET}\"\n"));
    let output = desk.helper("get", VICTIM).output();
    assert_nothing(&output, "config");
    let err = output.err();
    assert!(err.contains("config.toml:3") && err.contains("`git.store`"), "{err}");
}

#[test]
fn nothing_of_an_untrusted_folder_is_read_or_run() {
    let Some(desk) = victim() else { return };
    let folder = desk.home.path().join("worktree");
    let marker = desk.home.path().join("marker");
    let script = format!("#!/bin/sh\ntouch {}\n", marker.display());
    for program in
        ["git", "gocred", "gpg", "xdg-open", "git-credential-gocred", "sh", "dbus-launch"]
    {
        let file = desk.home.write(&format!("worktree/{program}"), &script);
        fs::set_permissions(file, PermissionsExt::from_mode(0o755)).expect("0755");
    }
    for (file, text) in [
        (".netrc", format!("machine evil.test login eve password {SECRET}\n")),
        (".gocred.toml", "[host.\"victim.test\"]\nallow_http = true\n".to_owned()),
        ("xdg/gocred/config.toml", "[host.\"victim.test\"]\nallow_http = true\n".to_owned()),
        ("go/env", "GOPRIVATE=evil.test\n".to_owned()),
        (
            ".git/config",
            "[credential]\n\thelper = store\n[gocred]\n\tallowHttp = true\n".to_owned(),
        ),
        ("hosts", "gocred hosts 1\ngit https://evil.test\n".to_owned()),
    ] {
        desk.home.write(&format!("worktree/{file}"), text);
    }
    let run = |operation, input: String| {
        // Relative folders in variables are the folder's, too.
        desk.helper(operation, input)
            .folder(&folder)
            .env("PATH", ".:/usr/bin:/bin")
            .env("XDG_CONFIG_HOME", "xdg")
            .env("NETRC", ".netrc")
            .env("GOENV", "go/env")
            .output()
    };
    for input in ["protocol=https\nhost=evil.test\n", "protocol=http\nhost=victim.test\n"] {
        assert_nothing(&run("get", input.to_owned()), input);
    }
    let answer = quiet(run("get", VICTIM.to_owned()));
    assert!(answer.contains(SECRET));
    let new = format!("{VICTIM}username=bob\npassword=b\n");
    assert_eq!(quiet(run("store", new.clone())), "");
    assert_eq!(quiet(run("erase", new)), "");
    assert!(!marker.exists(), "a program of the folder was run");
}
