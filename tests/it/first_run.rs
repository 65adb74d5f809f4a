//! The first day, on a machine that has no desktop, no session bus, no keyring and no folder for sockets:
//! three commands reach a private module. The first, `sh install/install.sh`, only brings the two
//! programs; they are put where it puts them. README shows the second as it prints.

use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::Path};

use super::support::{
    self,
    go::Release,
    home::{GOCRED, HELPER, Home, Run},
    keyring::Keyring,
    lab::Lab,
    terminal::Terminal,
};

const README: &str = include_str!("../../README.md");

/// What a shell has on such a machine, and the company's authorities, which are the system's there.
fn bare(home: &Home, lab: &Lab, program: impl AsRef<OsStr>) -> Run {
    let mut run = home.run(program);
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"] {
        run = run.without(name);
    }
    let authority = lab.authority();
    run.env("SSL_CERT_FILE", authority.clone()).env("GIT_SSL_CAINFO", authority)
}

fn installed(home: &Home) -> String {
    let bin = home.path().join(".local/bin");
    fs::create_dir_all(&bin).expect("a folder");
    for program in [GOCRED, HELPER] {
        let name = Path::new(program).file_name().expect("a name");
        fs::copy(program, bin.join(name)).expect("installed");
        fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).expect("0755");
    }
    bin.join("gocred").display().to_string()
}

/// Signs in as a person does; returns what the terminal showed. `None`: skipped.
fn sign_in(run: Run, lab: &Lab, passphrase: Option<&str>) -> Option<String> {
    let account = lab.account("GIT");
    let mut terminal = Terminal::start(run.args(["login", "git.corp.test"]))?;
    if let Some(passphrase) = passphrase {
        for question in ["New passphrase: ", "The same again: "] {
            terminal.awaits(question);
            terminal.types_secret(passphrase);
        }
    }
    terminal.awaits("Account at git.corp.test: ");
    terminal.types(&account.user);
    terminal.awaits("at git.corp.test: ");
    terminal.types_secret(&account.secret);
    for _ in 0..2 {
        terminal.awaits("[Y/n] ");
        terminal.types("");
    }
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    Some(screen)
}

/// Fetches a private module in a new shell; returns what go said.
fn download(home: &Home, lab: &Lab, go: &Path, keyring: Option<&Keyring>) -> String {
    let module = "module example.test/app\n\ngo 1.18\n\nrequire git.corp.test/team/dep v1.0.0\n";
    home.write("app/go.mod", module);
    let path = format!("{}:{}", go.parent().expect("a folder").display(), support::path());
    let run = bare(home, lab, go)
        .args(["mod", "download", "-x", "git.corp.test/team/dep"])
        .env("PATH", path)
        .env("GOFLAGS", "-modcacherw")
        .env("GOTOOLCHAIN", "local")
        .folder(home.path().join("app"));
    let output = on_bus(run, keyring).output();
    let said = output.err();
    output.success();
    assert!(home.path().join("go/pkg/mod/git.corp.test/team/dep@v1.0.0").is_dir(), "{said}");
    said
}

fn on_bus(run: Run, keyring: Option<&Keyring>) -> Run {
    match keyring {
        Some(keyring) => run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()),
        None => run,
    }
}

/// Compares what README shows between two marks.
fn is_shown(mark: &str, screen: &str, home: &Home) {
    let shown = screen
        .replace(&home.path().display().to_string(), "/home/ana")
        .replace("git.corp.test", "git.corp.example");
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let block = format!("```console\n$ gocred login git.corp.example\n{}\n```\n", lines.join("\n"));
    let (_, rest) = README.split_once(&format!("<!-- {mark} -->\n")).expect("the section starts");
    let (section, _) = rest.split_once(&format!("<!-- /{mark} -->")).expect("the section ends");
    assert_eq!(section, block, "README's section should be:\n{block}");
}

#[test]
fn a_bare_machine_reaches_a_private_module_in_three_commands() {
    let Some(lab) = Lab::enter() else { return };
    let Some(go) = Release::Go127.program() else { return };
    let home = Home::new().without_telemetry();
    let gocred = installed(&home);
    let passphrase = Some("correct horse battery staple");
    let Some(screen) = sign_in(bare(&home, &lab, &gocred), &lab, passphrase) else { return };
    let said = download(&home, &lab, &go, None);
    let stop = bare(&home, &lab, &gocred).args(["agent", "stop"]).output();
    assert_eq!(stop.code, Some(0), "{}", stop.err());
    let words = (screen.clone() + &said).to_lowercase();
    assert!(!words.contains("plaintext") && !words.contains("clear text"), "{words}");
    assert_eq!(lab.sweep(&[home.path()]), Vec::<String>::new());
    is_shown("first run", &screen, &home);
}

#[test]
fn a_desktop_asks_for_the_token_only() {
    let Some(lab) = Lab::enter() else { return };
    let (Some(go), Some(keyring)) = (Release::Go127.program(), Keyring::unlocked()) else { return };
    let home = Home::new().without_telemetry();
    let gocred = installed(&home);
    let run = on_bus(bare(&home, &lab, &gocred), Some(&keyring));
    let Some(screen) = sign_in(run, &lab, None) else { return };
    download(&home, &lab, &go, Some(&keyring));
    assert_eq!(lab.sweep(&[home.path()]), Vec::<String>::new());
    is_shown("login", &screen, &home);
}
