//! `setup --goproxy` and `--mirror`: real go reads what was written, `--undo` brings every byte back, and
//! go is never left with nobody to ask.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
};

use gocred::core::{config::Config, setup::mirror::PUBLIC};

use super::{
    config::{PROPERLY, with_system},
    docs::section,
    proxy_lab::Daemon,
    service::session,
    support::{
        developer::{Developer, UPSTREAM},
        eventually,
        go::Release,
        home::{GOCRED, Home, Output, Run},
        lab::{Lab, Tunnel},
        server::{Request, Server, certificate},
        terminal::Terminal,
    },
};

const README: &str = include_str!("../../README.md");
const FRONT: &str = "http://127.0.0.1:7408";
const GOENV: &str = ".config/go/env";
const CONFIG: &str = ".config/gocred/config.toml";

fn setup(home: &Home, arguments: &[&str]) -> Output {
    home.gocred().arg("setup").args(arguments.iter().copied()).output()
}

fn read(home: &Home, name: &str) -> Option<String> {
    fs::read_to_string(home.path().join(name)).ok()
}

/// Returns everything that was said, and written but for `except`.
fn everything(home: &Home, output: &Output, except: &str) -> String {
    let files = [GOENV, CONFIG, ".local/state/gocred/setup.json"];
    let files =
        files.into_iter().filter(|name| *name != except).filter_map(|name| read(home, name));
    files.chain([output.out(), output.err()]).collect()
}

fn upstream(home: &Home) -> String {
    let text = read(home, CONFIG).expect("config.toml");
    Config::parse(&text).expect("a configuration");
    let (_, table) = text.split_once("[goproxy]").expect("`[goproxy]`");
    let line = table.lines().find_map(|line| line.strip_prefix("upstream = "));
    line.expect("`upstream`").trim_matches('"').to_owned()
}

/// Returns an address on loopback that nobody has, as far as one can know.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

/// Lets a service of gocred's be installed, as its file says.
fn install(home: &Home) {
    home.write(
        ".config/systemd/user/gocred-proxy.socket",
        "# Written by `gocred proxy install`; `gocred proxy uninstall` removes it.\n",
    );
}

#[test]
fn real_go_asks_the_front_and_the_front_asks_whom_go_asked() {
    for release in [Release::Go124, Release::Go127] {
        let Some(go) = release.program() else { continue };
        let home = Home::new().without_telemetry();
        let goproxy = |run: Run| {
            let run = run.args(["env", "GOPROXY", "GOSUMDB", "GONOSUMDB"]);
            run.env("GOTOOLCHAIN", "local").output().success()
        };
        let default = goproxy(home.run(&go));
        setup(&home, &["--goproxy", "--yes"]).success();
        assert_eq!(goproxy(home.run(&go)), format!("{FRONT},direct\nsum.golang.org\n\n"));
        // Whom go asks when nobody says anything is whom the front asks.
        assert_eq!(default.lines().next(), Some(upstream(&home).as_str()));
        setup(&home, &["--undo"]).success();
        assert_eq!(goproxy(home.run(&go)), default);

        home.run(&go).args(["env", "-w", "GOPROXY=https://go.test/x|off"]).output().success();
        setup(&home, &["--goproxy", "--yes"]).success();
        assert_eq!(goproxy(home.run(&go)).lines().next(), Some(format!("{FRONT},off").as_str()));
        assert_eq!(upstream(&home), "https://go.test/x|off");
        // go sorts the file, and undo finds its line all the same.
        home.run(&go)
            .args(["env", "-w", "GOFLAGS=-mod=mod", "GOPRIVATE=x.test"])
            .output()
            .success();
        setup(&home, &["--undo"]).success();
        assert_eq!(goproxy(home.run(&go)).lines().next(), Some("https://go.test/x|off"));
    }
}

#[test]
fn go_gets_a_private_module_through_what_setup_wrote_while_the_daemon_runs() {
    let Some(lab) = Lab::enter() else { return };
    for release in Release::ALL {
        let Some(developer) = Developer::new(&lab, release) else { return };
        let goenv = "GOPROXY=https://goproxy.corp.test\nGONOSUMDB=private.corp.test\n";
        developer.home.write(GOENV, goenv);
        let front = free();
        developer.home.write(CONFIG, format!("[goproxy]\nlisten = \"{front}\"\n"));
        let stale =
            ["login", "goproxy.corp.test", "--username", "builder", "--no-verify", "--with-token"];
        let said = developer.run(GOCRED, &stale, "stale\n").success();
        assert!(said.contains("`gocred setup --goproxy`"), "{said}");
        let config = read(&developer.home, CONFIG);
        let daemon = developer.start_proxy();
        let said = developer.gocred(&["setup", "--goproxy", "--yes"]);
        assert!(!said.err().contains("nobody"), "{said:?}");
        said.success();
        assert_eq!(upstream(&developer.home), "https://goproxy.corp.test");
        developer.need("private.corp.test/team/dep");
        let refused = developer.go(&["mod", "download"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        is_shown(&refused.err(), front);
        let said = developer.login(&lab, "GOPROXY", &["goproxy.corp.test"]).success();
        assert!(!said.contains("setup --"), "{said}");
        eventually("the front has the new secret", || {
            (developer.go(&["mod", "download"]).code == Some(0)).then_some(())
        });
        let said = developer.gocred(&["status"]);
        assert!(said.out().contains("go asks the module proxy front"), "{said:?}");
        assert!(!said.out().contains("nobody serves go"), "{said:?}");
        // Who ends it is told that go asks nobody then.
        let said = developer.gocred(&["proxy", "stop"]);
        assert!(said.err().contains(&format!("GOPROXY names http://{front}")), "{said:?}");
        let said = developer.gocred(&["status"]);
        assert!(said.out().contains("nobody serves go"), "{said:?}");
        developer.gocred(&["setup", "--undo"]).success();
        assert!(!developer.gocred(&["status"]).out().contains("nobody serves go"));
        assert_eq!(read(&developer.home, GOENV).as_deref(), Some(goenv));
        assert_eq!(read(&developer.home, CONFIG), config);
        drop(daemon);
        assert_eq!(developer.leaks(&lab), [""; 0], "{release:?}");
    }
}

/// Compares what README shows of go's own error, but for when the credential was stored.
fn is_shown(said: &str, front: SocketAddr) {
    let said = said.replace(&front.to_string(), "127.0.0.1:7408");
    let said = said.replace("corp.test", "corp.example");
    let (before, rest) = said.split_once(", stored ").expect("the age of the credential");
    let (_, after) = rest.split_once('\n').expect("more");
    let said = format!("{before}, stored 3 days ago\n{after}");
    let block = format!("```console\n$ go mod download\n{}\n```\n", said.trim_end());
    assert_eq!(section("go says"), block, "README's section should be:\n{block}");
}

#[test]
fn undo_brings_every_byte_of_both_files_back() {
    let goenvs: &[Option<&str>] = &[
        None,
        Some(""),
        Some("GOPROXY=https://a.test,direct\nGOFLAGS=-x"),
        Some("# x\r\nGOPROXY=\"https://a.test|https://b.test/go\"\nGOPROXY=\n"),
        Some("GOPROXY=https://ana:S3cret@a.test\nGOAUTH=off\n\nA=b"),
        Some("\n\nGOPROXY=\n"),
    ];
    let configs: &[Option<&str>] = &[
        None,
        Some("# mine\n[proxy]\nno_proxy = \"x.test\" # why"),
        Some("[goproxy] # mine\nlisten = \"127.0.0.1:7408\"\n\n[store]\nname = \"keyring\"\n"),
        Some("[goproxy]\r\nupstream = \"https://c.test\" # why\r\n"),
    ];
    for goenv in goenvs {
        for config in configs {
            let home = Home::new();
            for (name, text) in [(GOENV, goenv), (CONFIG, config)] {
                if let Some(text) = text {
                    home.write(name, text);
                }
            }
            let place = format!("{goenv:?} {config:?}");
            setup(&home, &["--git", "--go", "--goproxy", "--yes"]).success();
            let written = read(&home, GOENV).unwrap();
            assert!(written.contains(&format!("GOPROXY={FRONT}")), "{place}: {written}");
            if let Some(comment) = config.filter(|text| text.contains("# why")) {
                let kept = read(&home, CONFIG).unwrap();
                assert!(kept.contains("# why") && kept.lines().next() == comment.lines().next());
            }
            let again = setup(&home, &["--git", "--go", "--goproxy", "--yes"]);
            assert!(again.out().contains("wired already"), "{place}: {again:?}");
            setup(&home, &["--mirror", "goproxy.cn", "--yes"]).success();
            assert!(upstream(&home).contains("https://goproxy.cn"), "{place}");
            setup(&home, &["--undo"]).success();
            assert_eq!(read(&home, GOENV).as_deref(), *goenv, "{place}");
            assert_eq!(read(&home, CONFIG).as_deref(), *config, "{place}");
            if config.is_none() {
                assert!(!home.config().join("gocred").exists(), "{place}");
            }
        }
    }
}

#[test]
fn go_is_sent_to_the_front_only_where_somebody_serves() {
    let home = Home::new();
    let said = setup(&home, &["--go", "--yes"]);
    assert!(!everything(&home, &said, "").contains("GOPROXY"), "{said:?}");
    assert_eq!(read(&home, CONFIG), None);

    // As a service it is expected; one that does not answer yet is no reason to break go.
    install(&home);
    let front = free();
    home.write(CONFIG, format!("[goproxy]\nlisten = \"{front}\"\n"));
    let said = setup(&home, &["--go", "--yes"]);
    assert!(said.err().contains("run: gocred proxy install && gocred setup --go"), "{said:?}");
    said.success();
    assert!(!read(&home, GOENV).unwrap().contains("GOPROXY"));
    assert_eq!(upstream(&home), "https://proxy.golang.org,direct");

    let daemon = Daemon::start(&home.gocred().args(["proxy", "run", "--listen", "127.0.0.1:0"]));
    let said = setup(&home, &["--yes"]);
    assert!(!said.err().contains("nobody"), "{said:?}");
    assert!(said.err().contains("does not start the service yet"), "{said:?}");
    assert!(read(&home, GOENV).unwrap().contains(&format!("GOPROXY=http://{front},direct\n")));
    setup(&home, &["--undo"]).success();
    drop(daemon);
    // The flag is the person's word.
    setup(&home, &["--goproxy", "--yes"]).success();
    assert!(read(&home, GOENV).unwrap().contains("GOPROXY=http"));
}

/// Ports that no other test has: a unit needs fixed ones.
#[test]
fn a_service_that_was_there_before_serves_go_from_now_on() {
    const SCRIPT: &str = r#"
        exec 2>&1
        set -eu
        gocred=$1
        "$gocred" proxy install >/dev/null
        "$gocred" setup --go --yes
        "$gocred" proxy install >/dev/null && "$gocred" setup --go --yes
        "$gocred" status 2>/dev/null | grep 'nobody serves' || true
        # The session has no network: the front answers, and says so.
        curl -sS http://127.0.0.1:7993/m.test/x/@v/list
        echo "again:"
        "$gocred" setup --go --yes
        "$gocred" proxy uninstall
        "$gocred" setup --undo >/dev/null
        cat "$XDG_CONFIG_HOME/go/env"
    "#;
    let home = Home::new();
    let Some(session) = session(&home) else { return };
    let goenv = "GOPROXY=http://127.0.0.1:1,direct\n";
    home.write(GOENV, goenv);
    let listen = "[proxy]\nlisten = [\"127.0.0.1:7994\"]\n[goproxy]\nlisten = \"127.0.0.1:7993\"\n";
    home.write(CONFIG, listen);
    let said = session.args(["bash", "-c", SCRIPT, "sh", GOCRED]).output().success();
    let mut rest = said.as_str();
    for expected in [
        "GOPROXY was not written, because nobody serves http://127.0.0.1:7993",
        "run: gocred proxy install && gocred setup --go\n",
        "  + GOPROXY=http://127.0.0.1:7993,direct\ndone; `gocred setup --undo` takes it back\ngocred[",
        "\nagain:\nnothing to change: it is wired already\n",
        "uninstalled\nnote: GOPROXY names http://127.0.0.1:7993, where nobody serves go now",
        goenv,
    ] {
        let Some((_, after)) = rest.split_once(expected) else { panic!("{expected}\n{said}") };
        rest = after;
    }
}

#[test]
fn the_command_that_starts_it_is_told() {
    let (home, front) = (Home::new(), free());
    home.write(CONFIG, format!("[goproxy]\nlisten = \"{front}\"\n"));
    let said = setup(&home, &["--goproxy", "--yes"]);
    assert!(said.err().contains("start it: `gocred proxy install`"), "{said:?}");
    install(&home);
    let said = setup(&home, &["--goproxy", "--yes"]);
    assert!(!said.err().contains("start it"), "{said:?}");
    assert!(
        said.err().contains(&format!("nobody serves http://{front}, so that go has")),
        "{said:?}"
    );
}

#[test]
fn a_dry_run_shows_both_files_and_writes_none() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=https://go.test,direct\n");
    let said = setup(&home, &["--goproxy", "--dry-run"]).success();
    assert_eq!(
        said,
        format!(
            "~/.config/gocred/config.toml (new file)\n  + [goproxy]\n  \
             + upstream = \"https://go.test,direct\"\n~/.config/go/env\n  \
             - GOPROXY=https://go.test,direct\n  + GOPROXY={FRONT},direct\n"
        )
    );
    assert_eq!(read(&home, GOENV).unwrap(), "GOPROXY=https://go.test,direct\n");
    assert_eq!(read(&home, CONFIG), None);
    assert_eq!(setup(&home, &["--goproxy"]).code, Some(2));
}

#[test]
fn an_account_in_goproxy_is_neither_copied_nor_shown() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=https://zoë-9:S3cret@go.test/x,https://b.test,direct\n");
    for arguments in [["--goproxy", "--dry-run"], ["--goproxy", "--yes"], ["--undo", "--dry-run"]] {
        let said = setup(&home, &arguments);
        let all = everything(&home, &said, GOENV);
        assert!(!all.contains("S3cret") && !all.contains("zoë-9"), "{all}");
        if arguments == ["--goproxy", "--yes"] {
            assert!(said.err().contains("store it: `gocred login https://go.test/x`"), "{said:?}");
            assert_eq!(upstream(&home), "https://go.test/x,https://b.test,direct");
        }
    }
    // In a variable, too.
    let other = Home::new();
    let run = other.gocred().args(["setup", "--goproxy", "--yes"]);
    let said = run.env("GOPROXY", "https://zoë-9:S3cret@go.test").output();
    let all = everything(&other, &said, "");
    assert!(!all.contains("S3cret") && !all.contains("zoë-9"), "{all}");
    assert!(said.err().contains("the variable GOPROXY"), "{said:?}");
    assert_eq!(upstream(&other), "https://go.test");
    assert_eq!(read(&other, GOENV).unwrap(), format!("GOPROXY={FRONT}\n"));
}

#[test]
fn what_no_front_can_stand_for_stays_and_is_said() {
    for (value, said) in [
        ("off", "go downloads nothing"),
        ("direct", "go asks the host of every module itself"),
        ("https://a.test,file:///srv/mod", "a folder"),
        ("dirct", "go refuses it"),
        ("ftp://a.test", "go refuses it"),
        ("\"https://a.test", "go refuses it"),
    ] {
        let home = Home::new();
        home.write(GOENV, format!("GOPROXY={value}\n"));
        let output = setup(&home, &["--goproxy", "--yes"]);
        assert!(output.err().contains(said), "{value}: {output:?}");
        output.success();
        assert_eq!(read(&home, GOENV).unwrap(), format!("GOPROXY={value}\n"));
        assert_eq!(read(&home, CONFIG), None);
    }
    let home = Home::new();
    home.write(GOENV, "GOPROXY=\"https://a.test,direct\"\n");
    let output = setup(&home, &["--goproxy", "--yes"]);
    assert!(output.err().contains("in quotes"), "{output:?}");
    assert_eq!(upstream(&home), "https://a.test,direct");
}

#[test]
fn what_a_distribution_says_for_go_is_what_stands_there() {
    let home = Home::new();
    let go = home.write("lib/golang/bin/go", "");
    fs::set_permissions(&go, PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(home.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(&go, home.path().join("bin/go")).unwrap();
    let run = || {
        let path = home.path().join("bin").display().to_string();
        home.gocred().args(["setup", "--goproxy", "--yes"]).env("PATH", path).output()
    };
    home.write("lib/golang/go.env", "# Fedora\nGOPROXY=direct\nGOSUMDB=off\n");
    let said = run();
    assert!(said.err().contains("GOPROXY stays as it is: it is `direct`"), "{said:?}");
    home.write("lib/golang/go.env", "GOPROXY=https://corp.test\n");
    run().success();
    assert_eq!(upstream(&home), "https://corp.test");
}

#[test]
fn private_patterns_reach_a_gonosumdb_that_is_set() {
    let home = Home::new();
    setup(&home, &["--private", "a.test", "--yes"]).success();
    assert_eq!(read(&home, GOENV).unwrap(), "GOPRIVATE=a.test\n", "go takes GOPRIVATE for both");
    home.write(GOENV, "GONOSUMDB=none\nGOSUMDB=sum.golang.org\n");
    setup(&home, &["--private", "b.test", "--yes"]).success();
    let written = read(&home, GOENV).unwrap();
    assert_eq!(written, "GONOSUMDB=none,b.test\nGOSUMDB=sum.golang.org\nGOPRIVATE=b.test\n");
}

#[test]
fn the_public_mirrors_are_told_apart_and_take_each_others_place() {
    let home = Home::new();
    for (name, what) in [
        ("proxy.golang.org", "run by Google"),
        ("goproxy.cn", "Qiniu Cloud"),
        ("https://goproxy.io/", "goproxy.io: "),
    ] {
        let said = setup(&home, &["--mirror", name, "--yes"]).success();
        assert!(said.lines().next().unwrap().contains(what), "{said}");
    }
    assert_eq!(upstream(&home), "https://goproxy.io,direct");
    let output = setup(&home, &["--mirror", "gocenter", "--yes"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.err().contains("gocred setup --mirror goproxy.cn"), "{output:?}");
}

#[test]
fn readme_shows_what_is_seen() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=https://goproxy.corp.example,direct\n");
    let run = home.gocred().args(["setup", "--goproxy"]);
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("[Y/n] ");
    terminal.types("");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    let block = format!("```console\n$ gocred setup --goproxy\n{}\n```\n", lines.join("\n"));
    assert_eq!(section("goproxy"), block, "README's section should be:\n{block}");
    for public in PUBLIC {
        let row = format!("| `{}` | {} |\n", public.host, public.about);
        assert!(README.contains(&row), "README has no row {row}");
    }
}

/// Athens 0.14 (gomods/athens, cmd/proxy/actions). It is on none of the registries that tests use.
fn athens(request: &Request) -> String {
    match request.target.as_str() {
        "/sumdb/sum.golang.org/supported" => "200 OK\r\n\r\n".to_owned(),
        "/version" => "200 OK\r\nContent-Type: application/json\r\n\r\n\
                       {\"Version\":\"v0.14.1\",\"Date\":\"2024-06-02-03:31:15-UTC\"}\n"
            .to_owned(),
        _ => "404 Not Found\r\nContent-Type: text/plain\r\n\r\nnot found".to_owned(),
    }
}

/// A Go repository of Nexus (help.sonatype.com, "Go Repositories"), which is closed to anonymous users.
fn nexus(request: &Request) -> String {
    // ana:hunter2
    let status = match request.field("authorization") {
        Some("Basic YW5hOmh1bnRlcjI=") => "404 Not Found\r\nContent-Type: text/html",
        _ => {
            "401 Unauthorized\r\nWWW-Authenticate: BASIC realm=\"Sonatype Nexus Repository Manager\""
        }
    };
    format!("{status}\r\nServer: Nexus/3.63.0-01 (OSS)\r\n\r\n<html></html>")
}

/// A Go repository of Artifactory (jfrog.com/help, "Go Repositories"), which takes a field of its own.
fn artifactory(request: &Request) -> String {
    let status = match request.field("x-jfrog-art-api") {
        Some("hunter2") => "200 OK",
        _ => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"Artifactory Realm\"",
    };
    format!(
        "{status}\r\nX-JFrog-Version: Artifactory/7.71.5 77105900\r\nX-Artifactory-Id: \
         0fcab7a65bf4dbd7:32949918:18c17defeca:-8000\r\nX-Artifactory-Node-Id: n\r\n\r\n"
    )
}

/// Stores ana's hunter2 for a server.
fn login(home: &Home, url: &str) {
    let arguments =
        ["login", url, "--allow-http", "--no-verify", "--with-token", "--username", "ana"];
    let run = home.gocred().args(arguments).args(["--store", "plaintext", "--yes-plaintext"]);
    run.input("hunter2").output().success();
}

#[test]
fn a_server_is_asked_what_it_is() {
    for (answer, path, said) in [
        (athens as fn(&Request) -> String, "", "is Athens v0.14.1; it passes sum.golang.org on"),
        (
            |_| "410 Gone\r\nContent-Type: text/plain\r\n\r\nnot found: x".to_owned(),
            "/go",
            "is a module proxy that does not say which; go asks sum.golang.org itself",
        ),
        (|_| "500 Oops\r\n\r\n".to_owned(), "", "is a server that does not say what it is"),
    ] {
        let (home, server) = (Home::new(), Server::start(answer));
        let url = format!("http://{}{path}", server.authority());
        let output = setup(&home, &["--mirror", &url, "--yes"]);
        assert!(output.out().contains(said), "{output:?}");
        output.success();
        assert_eq!(upstream(&home), format!("{url},direct"));
        assert_eq!(server.signed(), 0);
    }
}

#[test]
fn the_stored_credential_is_shown_to_its_own_origin_once() {
    let (home, server) = (Home::new(), Server::start(nexus));
    let other = Server::start(nexus);
    let url = format!("http://{}", server.authority());
    login(&home, &url);
    let output = setup(&home, &["--mirror", &format!("{url}/repository/go"), "--yes"]);
    assert!(output.out().contains("is Sonatype Nexus 3.63.0-01 (OSS)"), "{output:?}");
    assert!(!output.err().contains("asks for a login"), "{output:?}");
    assert_eq!(server.signed(), 1);

    let url = format!("http://{}", other.authority());
    let output = setup(&home, &["--mirror", &url, "--yes"]);
    let said = output.err();
    assert!(said.contains("asks for a login; run: gocred login http://127.0.0.1:"), "{said}");
    assert!(said.contains("/repository/NAME"), "{said}");
    assert_eq!(other.signed(), 0);
}

#[test]
fn a_secret_goes_into_the_field_that_the_host_wants_and_a_refusal_is_told() {
    let (home, server) = (Home::new(), Server::start(artifactory));
    let url = format!("http://{}", server.authority());
    login(&home, &url);
    let mirror = format!("{url}/artifactory/api/go/go");
    let output = setup(&home, &["--mirror", &mirror, "--yes"]);
    assert!(output.err().contains("rejected the credential that is stored"), "{output:?}");
    let config = read(&home, CONFIG).unwrap();
    let table = format!("[host.\"{}\"]\n", server.authority());
    assert!(config.contains(&table), "{config}");
    home.write(CONFIG, config.replace(&table, &format!("{table}header = \"X-JFrog-Art-Api\"\n")));
    let output = setup(&home, &["--mirror", &mirror, "--yes"]);
    assert!(output.out().contains("is JFrog Artifactory 7.71.5"), "{output:?}");
    assert!(!output.err().contains("rejected"), "{output:?}");
    assert!(!everything(&home, &output, "").contains("hunter2"));
}

#[test]
fn a_server_of_a_company_is_asked_with_its_own_authority() {
    let home = Home::new();
    if certificate(&home).is_none() {
        return;
    }
    let server = Server::tls(&home, athens);
    let url = format!("https://{}", server.authority());
    let output = setup(&home, &["--mirror", &url, "--yes"]);
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.err().contains("name your company's authority"), "{output:?}");
    let ca = home.path().join("ca.pem").display().to_string();
    home.write(CONFIG, format!("[host.\"{}\"]\nca = \"{ca}\"\n", server.authority()));
    let said = setup(&home, &["--mirror", &url, "--yes"]).success();
    assert!(said.contains("is Athens v0.14.1"), "{said}");
}

#[test]
fn a_server_behind_the_corporate_proxy_is_asked_through_it() {
    let Some(lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    developer.login(&lab, "GOPROXY", &["goproxy.corp.test", "--no-verify"]).success();
    developer.login(&lab, "PROXY", &["--proxy", UPSTREAM]).success();
    let output = developer.gocred(&["setup", "--mirror", "https://goproxy.corp.test", "--yes"]);
    assert!(output.out().contains("goproxy.corp.test is a "), "{output:?}");
    assert!(!output.err().contains("asks for a login"), "{output:?}");
    assert_eq!(upstream(&developer.home), "https://goproxy.corp.test,direct");
    eventually("squid logs the tunnel", || {
        let is_ours = |tunnel: &Tunnel| tunnel.target == "goproxy.corp.test:443";
        lab.tunnels().iter().any(is_ours).then_some(())
    });
    let user = lab.account("GOPROXY").user;
    assert!(lab.requests().iter().any(|request| request.user == user && request.status != 401));
    assert_eq!(developer.leaks(&lab), [""; 0]);
}

#[test]
fn a_web_site_and_a_server_that_is_not_there_change_nothing() {
    let page = |_: &Request| "200 OK\r\nContent-Type: text/html\r\n\r\n<html>Sign in".to_owned();
    let (home, portal) = (Home::new(), Server::start(page));
    let output = setup(&home, &["--mirror", &format!("http://{}", portal.authority()), "--yes"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err().contains("a web site or a sign-in page"), "{output:?}");

    let output = setup(&home, &["--mirror", &format!("http://{}", free()), "--yes"]);
    assert_eq!(output.code, Some(6), "{output:?}");
    let output = setup(&home, &["--mirror", "https://ana:S3cret@h.test", "--yes"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(!output.err().contains("S3cret"), "{output:?}");
    assert!(read(&home, GOENV).is_none() && read(&home, CONFIG).is_none());
}

#[test]
fn an_administrator_who_locked_the_upstreams_is_obeyed() {
    let home = Home::new();
    let system = "lock = [\"goproxy.upstream\"]\n[goproxy]\nupstream = \"https://corp.test,off\"\n";
    let Some(run) = with_system(&home, system, PROPERLY, GOCRED) else { return };
    let refused = run.clone().args(["setup", "--mirror", "goproxy.cn", "--yes"]).output();
    assert_eq!(refused.code, Some(7), "{refused:?}");
    run.args(["setup", "--goproxy", "--yes"]).output().success();
    assert_eq!(read(&home, GOENV).unwrap(), format!("GOPROXY={FRONT},off\n"));
    assert_eq!(read(&home, CONFIG), None);
}
