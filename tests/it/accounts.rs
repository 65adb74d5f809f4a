//! Two accounts on one host, each for an organisation of its own: git and go get the right one by rule,
//! and each is kept once.

use std::fs;

use crate::support::{
    agent::Agent,
    developer::Developer,
    git::{self, gits, quiet},
    go::Release,
    home::{GOCRED, HELPER, Home, Output, Run},
    keyring::Keyring,
    lab::{Lab, Request},
    terminal::Terminal,
};

const HOST: &str = "orgs.corp.test";
const TEAM: &str = "https://orgs.corp.test/team/lib";
const ACME: &str = "https://orgs.corp.test/acme/lib";

/// The accounts that are stored, and the paths they are stored for.
fn stored(developer: &Developer) -> Vec<String> {
    let json = developer.gocred(&["list", "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let entries = json.get("entries").and_then(serde_json::Value::as_array).expect("a list");
    let account = |entry: &serde_json::Value| {
        let text = |name| entry.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let is_hidden = entry.get("hidden") == Some(&true.into());
        let hidden = if is_hidden { " hidden" } else { "" };
        format!("{}{}{hidden}", text("account"), text("path"))
    };
    entries.iter().map(account).collect()
}

/// Who signed requests below a path, and with what success.
fn signed(requests: &[Request], path: &str) -> Vec<(String, u16)> {
    let below = requests.iter().filter(|request| request.uri.starts_with(path));
    let mut signed: Vec<(String, u16)> = below
        .filter(|request| !request.user.is_empty())
        .map(|request| (request.user.clone(), request.status))
        .collect();
    signed.sort();
    signed.dedup();
    signed
}

/// What the first login writes.
const STORE: &str = "[store]\nname = \"keyring\"\n";

fn of(user: &str) -> Vec<(String, u16)> {
    vec![(user.to_owned(), 200)]
}

/// Signs in twice. The second account, the newer one, is for acme only.
fn sign_in(developer: &Developer, lab: &Lab) {
    developer.login(lab, "TEAM", &[TEAM]).success();
    let setup = ["setup", "--git", "--go", "--private", HOST, "--yes"];
    developer.gocred(&setup).success();
    let said = developer.login(lab, "ACME", &[ACME, "--for", "acme", "--setup"]).success();
    assert!(said.contains("orgs.corp.test/acme is for acme-bot"), "{said}");
    assert!(said.contains("accepted it"), "{said}");
}

#[test]
fn git_gets_the_account_of_each_organisation_and_each_is_kept_once() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    sign_in(&developer, &lab);
    let gitconfig = fs::read_to_string(developer.home.path().join(".gitconfig")).unwrap();
    let tells = "[credential \"https://orgs.corp.test\"]\n\tuseHttpPath = true\n";
    assert!(gitconfig.contains(tells), "{gitconfig}");
    lab.forget();
    developer.run("git", &["clone", "-q", &format!("{TEAM}.git"), "team"], "").success();
    developer.run("git", &["clone", "-q", &format!("{ACME}.git"), "acme"], "").success();
    for folder in ["team", "acme", "team", "acme"] {
        developer.run("git", &["-C", folder, "fetch", "-q"], "").success();
    }
    let requests = lab.requests();
    assert_eq!(signed(&requests, "/team/"), of("ana"));
    assert_eq!(signed(&requests, "/acme/"), of("acme-bot"));
    assert_eq!(stored(&developer), ["acme-bot", "ana"]);

    let verbose = ["-C", "acme", "ls-remote"];
    let said = developer.verbose_git(&verbose);
    assert!(said.err().contains("using Basic with user 'acme-bot'"), "{said:?}");
    assert!(!said.err().contains("user 'ana'"), "{said:?}");

    // What setup wrote goes away with it.
    developer.gocred(&["setup", "--undo"]).success();
    assert!(!developer.home.path().join(".gitconfig").exists());
    assert_eq!(developer.leaks(&lab), [""; 0]);
}

#[test]
fn a_path_that_git_keeps_to_itself_is_said_and_an_account_in_the_url_works() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    sign_in(&developer, &lab);
    let key = "credential.https://orgs.corp.test.useHttpPath";
    developer.run("git", &["config", "--global", "--unset", key], "").success();
    let said = developer.gocred(&["status", ACME]).success();
    assert!(said.contains("run: gocred setup --git"), "{said}");
    lab.forget();
    developer.run("git", &["clone", "-q", &format!("{TEAM}.git"), "team"], "").success();
    let named = ACME.replace("https://", "https://acme-bot@");
    developer.run("git", &["clone", "-q", &format!("{named}.git"), "acme"], "").success();
    // git's own way to name an account; a repository's path is enough for that.
    let own = format!("credential.{ACME}.git.username");
    developer.run("git", &["config", "--global", &own, "acme-bot"], "").success();
    developer.run("git", &["ls-remote", &format!("{ACME}.git")], "").success();
    for folder in ["team", "acme"] {
        developer.run("git", &["-C", folder, "fetch", "-q"], "").success();
    }
    let requests = lab.requests();
    assert_eq!(signed(&requests, "/team/"), of("ana"));
    // Where a URL names the account, git tries it without a secret before it asks anybody.
    let acme = signed(&requests, "/acme/");
    assert!(acme.iter().all(|(user, _)| user == "acme-bot"), "{acme:?}");
    assert!(acme.contains(&("acme-bot".to_owned(), 200)), "{acme:?}");
    assert_eq!(stored(&developer), ["acme-bot", "ana"]);
    let said = developer.gocred(&["status", &format!("{ACME}.git")]).success();
    assert!(said.contains("acme-bot: git asks for it: credential.username in"), "{said}");
    assert_eq!(developer.leaks(&lab), [""; 0]);
}

#[test]
fn a_secret_that_a_path_rejects_is_hidden_once_and_the_other_account_stays() {
    let Some(lab) = Lab::enter() else { return };
    let Some(mut developer) = Developer::new(&lab, Release::Go127) else { return };
    sign_in(&developer, &lab);
    // The company's account loses the team's paths: its secret is refused there.
    developer.gocred(&["switch", "orgs.corp.test/team", "acme-bot"]).success();
    developer.export("GIT_TERMINAL_PROMPT", "0");
    let refused = developer.run("git", &["ls-remote", &format!("{TEAM}.git")], "");
    assert_eq!(refused.code, Some(128), "{refused:?}");
    assert_eq!(stored(&developer), ["acme-bot hidden", "ana"]);
    let status = developer.gocred(&["status", TEAM]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.out().contains("git: nobody; acme-bot would be it"), "{status:?}");
    developer.gocred(&["undo", HOST]).success();
    developer.gocred(&["switch", "orgs.corp.test/team", "ana"]).success();
    developer.run("git", &["ls-remote", &format!("{TEAM}.git")], "").success();
    developer.run("git", &["ls-remote", &format!("{ACME}.git")], "").success();
}

#[test]
fn one_go_mod_download_uses_both_accounts() {
    let Some(mut lab) = Lab::enter() else { return };
    for release in Release::ALL {
        let Some(developer) = Developer::new(&lab, release) else { return };
        sign_in(&developer, &lab);
        let modules = [format!("{HOST}/acme/lib"), format!("{HOST}/team/dep")];
        let require = modules.each_ref().map(|module| format!("require {module} v1.0.0\n"));
        let import = modules.each_ref().map(|module| format!("import _ \"{module}\"\n"));
        let module = format!("module example.test/app\n\ngo 1.18\n\n{}", require.concat());
        developer.home.write("app/go.mod", module);
        let main = format!("package main\n\n{}\nfunc main() {{}}\n", import.concat());
        developer.home.write("app/main.go", main);
        lab.forget();
        developer.go(&["mod", "download"]).success();
        developer.go(&["mod", "tidy"]).success();
        let requests = lab.requests();
        let served = |path: &str| {
            let all = signed(&requests, path);
            all.into_iter().filter(|(_, status)| *status == 200).collect::<Vec<_>>()
        };
        assert_eq!((served("/acme/"), served("/team/")), (of("acme-bot"), of("ana")));
        if matches!(release, Release::Go127) {
            // The right account comes with the first request, as on a host with one account.
            let refused = requests.iter().find(|it| it.agent.starts_with("Go") && it.status != 200);
            assert!(refused.is_none(), "{requests:?}");
        }
        assert_eq!(stored(&developer), ["acme-bot", "ana"], "{release:?}");
        assert_eq!(developer.leaks(&lab), [""; 0], "{release:?}");
    }
}

#[test]
fn the_agent_answers_by_rule_and_hears_of_a_switch() {
    for git in gits() {
        let Some(desk) = git::Desk::new() else { return };
        let ask = "protocol=https\nhost=git.test\n";
        let full = |path: &str, user: &str| {
            format!("{ask}path={path}\nusername={user}\npassword=of {user}\n")
        };
        desk.home.write(
            ".config/gocred/config.toml",
            "[account.\"git.test/acme\"]\nusername = \"bot\"\n",
        );
        desk.home.write(
            ".gitconfig",
            format!("[credential]\n\thelper = {HELPER}\n\tuseHttpPath = true\n"),
        );
        let _agent = Agent::start(desk.run(GOCRED));
        let credential = |operation, input: &str| quiet(desk.git(&git, operation, input).output());
        for (path, user) in [("acme/one", "bot"), ("team/one", "ana"), ("acme/two", "bot")] {
            credential("approve", &full(path, user));
        }
        let once = ["https://git.test ana:of ana", "https://git.test bot:of bot"];
        assert_eq!(desk.held(), once);
        let answer = |path: &str| credential("fill", &format!("{ask}path={path}\n"));
        assert_eq!(answer("acme/three.git"), full("acme/three.git", "bot"));
        assert_eq!(answer("other"), full("other", "ana"));
        let switch = ["switch", "git.test/acme", "ana"];
        desk.run(GOCRED).args(switch).output().success();
        assert_eq!(answer("acme/three"), full("acme/three", "ana"));
        credential("reject", &full("acme/three", "ana"));
        assert_eq!(desk.held(), ["https://git.test ana:of ana hidden", once[1]]);
        assert_eq!(desk.git(&git, "fill", format!("{ask}path=acme/x\n")).output().code, Some(128));
    }
}

/// Somebody with a keyring and no network.
struct Desk {
    home: Home,
    keyring: Keyring,
}

impl Desk {
    fn new() -> Option<Self> {
        Some(Self { keyring: Keyring::unlocked()?, home: Home::new() })
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let run = self.home.gocred().args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address()).env("TERM", "dumb")
    }

    fn login(&self, arguments: &[&str]) -> Output {
        let all = [&["login", "--no-verify", "--with-token"], arguments].concat();
        self.run(&all).input("hunter2").output()
    }

    fn config(&self) -> String {
        fs::read_to_string(self.home.config().join("gocred/config.toml")).unwrap_or_default()
    }
}

#[test]
fn the_second_account_of_a_host_asks_what_it_is_for() {
    let Some(desk) = Desk::new() else { return };
    desk.login(&["git.test", "--username", "ana"]).success();
    let arguments = ["login", "git.test/acme/lib", "--username", "bot", "--no-verify"];
    let Some(mut terminal) = Terminal::start(desk.run(&arguments)) else { return };
    terminal.awaits("Token or password of bot at git.test");
    terminal.types_secret("hunter2");
    terminal.awaits("git.test has the account ana already. What is bot for");
    terminal.awaits("[acme] ");
    terminal.types("");
    terminal.awaits("[Y/n]");
    terminal.types("n");
    terminal.awaits("Wire git and go to gocred?");
    terminal.types("y");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.contains("git.test/acme is for bot: wrote ~/.config/gocred/config.toml"),
        "{shown}"
    );
    let rule = "\n[account.\"git.test/acme\"]\nusername = \"bot\"\n";
    assert_eq!(desk.config(), format!("{STORE}{rule}"));
    let gitconfig = fs::read_to_string(desk.home.path().join(".gitconfig")).unwrap();
    assert!(gitconfig.contains("useHttpPath = true"), "{gitconfig}");
    // Signed in again, the rule says it, and nobody is asked.
    for user in ["bot", "ana"] {
        let arguments = ["login", "git.test", "--username", user, "--no-verify"];
        let Some(mut terminal) = Terminal::start(desk.run(&arguments)) else { return };
        terminal.awaits(&format!("Token or password of {user} at git.test"));
        terminal.types_secret("hunter3");
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(0), "{shown}");
        assert!(!shown.contains("What is"), "{shown}");
    }
}

#[test]
fn where_nobody_can_be_asked_a_second_account_is_told() {
    let Some(desk) = Desk::new() else { return };
    desk.login(&["git.test", "--username", "ana"]).success();
    let said = desk.login(&["git.test", "--username", "bot"]).success();
    assert!(said.contains("git.test has another account, ana: `gocred status git.test`"), "{said}");
    assert_eq!(desk.config(), STORE);
    let json = desk.login(&["git.test", "--username", "eve", "--for", "a", "--for", "b", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.success()).expect("JSON");
    assert!(json["notes"].to_string().contains("git.test/b is for eve"), "{json}");
    let rule = |path| format!("\n[account.\"git.test/{path}\"]\nusername = \"eve\"\n");
    assert_eq!(desk.config(), format!("{STORE}{}{}", rule('a'), rule('b')));
    for wrong in
        [&["git.test", "--for", "a"][..], &["git.test", "--username", "x", "--for", "a/../b"]]
    {
        let refused = desk.login(wrong);
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    assert_eq!(desk.run(&["list", "--json"]).output().success().matches("account").count(), 3);
}

#[test]
fn switch_changes_a_rule_and_refuses_whom_it_does_not_know() {
    let Some(desk) = Desk::new() else { return };
    for user in ["ana", "bot"] {
        desk.login(&["git.test", "--username", user]).success();
    }
    let before =
        "# mine\n[account.\"git.test/acme\"] # the company\nusername = \"ana\" # for now\n";
    desk.home.write(".config/gocred/config.toml", before);
    let unknown = desk.run(&["switch", "git.test/acme", "eve"]).output();
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err().contains("there are: ana, bot"), "{unknown:?}");
    assert!(unknown.err().contains("run `gocred login git.test --username eve`"), "{unknown:?}");
    assert_eq!(desk.config(), before);
    let said = desk.run(&["switch", "https://git.test/acme/", "bot"]).output().success();
    assert_eq!(said, "git.test/acme is for bot from now on: wrote ~/.config/gocred/config.toml\n");
    assert_eq!(desk.config(), before.replace("\"ana\"", "\"bot\""));
    let again = desk.run(&["switch", "git.test/acme", "bot"]).output().success();
    assert_eq!(again, "git.test/acme is for bot already\n");
    desk.run(&["switch", "git.test", "ana"]).output().success();
    assert!(desk.config().ends_with("\n[host.\"git.test\"]\nusername = \"ana\"\n"));
    for wrong in ["git.test/a/../b", "https://ana:hunter2@git.test", "git.test/a%20b"] {
        let refused = desk.run(&["switch", wrong, "ana"]).output();
        assert_eq!(refused.code, Some(2), "{wrong}: {refused:?}");
        assert!(!refused.err().contains("hunter2"), "{refused:?}");
    }
}

#[test]
fn a_person_who_switches_is_asked_whether_git_may_tell_the_path() {
    let Some(desk) = Desk::new() else { return };
    for user in ["ana", "bot"] {
        desk.login(&["git.test", "--username", user]).success();
    }
    desk.run(&["setup", "--git", "--yes"]).output().success();
    let gitconfig = desk.home.path().join(".gitconfig");
    let before = fs::read_to_string(&gitconfig).unwrap();
    let unattended = desk.run(&["switch", "git.test/acme", "bot"]).output();
    let note =
        "note: git does not say yet which path of git.test it asks for; run `gocred setup --git`\n";
    assert_eq!((unattended.err().as_str(), unattended.code), (note, Some(0)));
    let run = desk.run(&["switch", "git.test/tools", "bot"]);
    let Some(mut terminal) = Terminal::start(run) else { return };
    terminal.awaits("useHttpPath = true");
    terminal.awaits("Let git say which path of such a host it asks for? [Y/n]");
    terminal.types("y");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    let added = "[credential \"https://git.test\"]\n\tuseHttpPath = true\n";
    assert_eq!(fs::read_to_string(&gitconfig).unwrap(), format!("{before}{added}"));
}

#[test]
fn a_file_that_cannot_be_edited_is_left_alone() {
    let Some(desk) = Desk::new() else { return };
    desk.login(&["git.test", "--username", "ana"]).success();
    let inline = "account = { \"git.test/acme\" = { username = \"bot\" } }\n";
    desk.home.write(".config/gocred/config.toml", inline);
    let refused = desk.run(&["switch", "git.test/acme", "ana"]).output();
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err().contains("cannot be edited"), "{refused:?}");
    assert_eq!(desk.config(), inline);
}

#[test]
fn a_token_goes_into_a_pipe_and_nowhere_else_unless_it_is_told_to() {
    let Some(desk) = Desk::new() else { return };
    for (user, secret) in [("ana", "secret of ana"), ("bot", "secret of bot")] {
        let login = ["login", "git.test", "--no-verify", "--with-token", "--username", user];
        desk.run(&login).input(secret).output().success();
    }
    desk.run(&["switch", "git.test/acme", "bot"]).output().success();
    let token = |arguments: &[&str]| desk.run(&[&["token"], arguments].concat()).output();
    assert_eq!(token(&["git.test"]).success(), "secret of ana\n");
    assert_eq!(token(&["https://git.test/acme/lib"]).success(), "secret of bot\n");
    assert_eq!(token(&["git.test", "--username", "bot"]).success(), "secret of bot\n");
    let nobody = token(&["git.test", "--username", "eve"]);
    assert_eq!((nobody.code, nobody.out().as_str()), (Some(1), ""), "{nobody:?}");
    assert_eq!(token(&["other.test"]).code, Some(1));

    let shell = |command: &str| {
        let script = format!("'{GOCRED}' {command}");
        let run = desk.run(&[]).around("/bin/sh").args(["-c", &script]);
        run.output()
    };
    let file = desk.home.path().join("token");
    let refused = shell("token git.test > token");
    assert_eq!(refused.code, Some(7), "{refused:?}");
    assert!(refused.err().contains("--show"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    shell("token git.test --show > token").success();
    assert_eq!(fs::read_to_string(&file).unwrap(), "secret of ana\n");
    let Some(terminal) = Terminal::start(desk.run(&["token", "git.test"])) else { return };
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(7), "{shown}");
    assert!(!shown.contains("secret of"), "{shown}");
    let Some(terminal) = Terminal::start(desk.run(&["token", "git.test", "--show"])) else {
        return;
    };
    let (code, shown) = terminal.ends();
    assert_eq!((code, shown.as_str()), (Some(0), "secret of ana\r\n"));
}
