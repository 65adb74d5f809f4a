//! After `gocred import` the programs work as before: real git, go, curl, npm and pip, against the lab's
//! servers.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::{
    import_move::Desk,
    neighbour_python::{Index, SECRET},
    proxy_lab,
    support::{
        developer::{Developer, UPSTREAM},
        go::Release,
        home::GOCRED,
        lab::{Account, Lab},
        neighbour::Person,
        program,
        python::python,
        server::Server,
    },
};

const CLONE: &str = "https://git.corp.test/team/dep.git";

/// A developer without desktop, whose secrets are in clear so far.
fn developer(lab: &Lab, release: Release) -> Option<Developer> {
    let mut developer = Developer::headless(lab, release)?;
    let passphrase = developer.home.write("passphrase", "correct horse battery\n");
    fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
    developer.export("GOCRED_PASSPHRASE_FILE", passphrase.display().to_string());
    developer.export("GIT_TERMINAL_PROMPT", "0");
    developer.home.write(".config/gocred/config.toml", "[store]\nname = \"file\"\n");
    Some(developer)
}

fn clone(developer: &Developer) -> bool {
    let folder = developer.home.path().join("clone");
    let _ = fs::remove_dir_all(&folder);
    let to = folder.display().to_string();
    developer.run("git", &["clone", "--quiet", CLONE, &to], "").code == Some(0)
}

/// Imports; what was seen of the programs so far is forgotten.
fn import(developer: &Developer) {
    for folder in ["trace", "words"] {
        let folder = developer.home.path().join(folder);
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(folder).unwrap();
    }
    let output = developer.gocred(&["import", "--yes"]);
    assert_eq!(output.code, Some(0), "{output:?}");
}

/// Writes a secret as a URL has it.
fn in_url(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let coded = text.bytes().map(|byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    coded.collect()
}

#[test]
fn git_clones_as_before_from_each_place_that_had_its_secret() {
    let Some(lab) = Lab::enter() else { return };
    let Account { user, secret } = lab.account("GIT");
    let header = proxy_lab::basic(&format!("{user}:{secret}"));
    let netrc = format!("machine git.corp.test login {user} password \"{secret}\"\n");
    let secret = in_url(&secret);
    for (file, text) in [
        (".git-credentials", format!("https://{user}:{secret}@git.corp.test\n")),
        (
            ".config/git/config",
            format!(
                "[url \"https://{user}:{secret}@git.corp.test/\"]\n\tinsteadOf = https://git.corp.test/\n"
            ),
        ),
        (
            ".config/git/config",
            format!("[http \"https://git.corp.test/\"]\n\textraHeader = Authorization: {header}\n"),
        ),
        (".netrc", netrc),
    ] {
        let Some(developer) = developer(&lab, Release::Go127) else { return };
        developer.home.write(".gitconfig", "[credential]\n\thelper = store\n");
        let path = developer.home.write(file, &text);
        assert!(clone(&developer), "{file}: before");
        // git's own helper has written its file anew.
        let text = fs::read_to_string(&path).unwrap();
        import(&developer);
        assert_ne!(fs::read_to_string(&path).unwrap(), text, "{file}");
        assert_eq!(developer.leaks(&lab), [""; 0], "{file}");
        assert!(clone(&developer), "{file}: after");
        // git's own helper writes what it is told in clear again, as the note said: undo first.
        let clear = developer.home.path().join(".git-credentials");
        if file == ".git-credentials" {
            fs::write(&clear, "").unwrap();
        }
        let undone = developer.gocred(&["import", "--undo"]);
        assert_eq!(undone.code, Some(0), "{undone:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{file}");
        assert!(clone(&developer), "{file}: undone");
    }
}

#[test]
fn go_downloads_as_before_without_an_account_in_goproxy() {
    let Some(lab) = Lab::enter() else { return };
    let Account { user, secret } = lab.account("GOPROXY");
    let secret = in_url(&secret);
    for release in Release::ALL {
        let Some(mut developer) = developer(&lab, release) else { return };
        developer.export("GONOSUMDB", "private.corp.test");
        developer.need("private.corp.test/team/lib");
        let text = format!("GOPROXY=https://{user}:{secret}@goproxy.corp.test\n");
        let file = developer.home.write(".config/go/env", &text);
        developer.go(&["mod", "download"]).success();
        developer.go(&["clean", "-modcache"]).success();
        import(&developer);
        let left = fs::read_to_string(&file).unwrap();
        assert!(left.starts_with("GOPROXY=https://goproxy.corp.test\nGOAUTH="), "{left}");
        developer.go(&["mod", "download"]).success();
        assert_eq!(developer.leaks(&lab), [""; 0], "{release:?}");
        // What was wired stays, what was taken out comes back.
        developer.gocred(&["import", "--undo"]).success();
        assert!(fs::read_to_string(&file).unwrap().starts_with(&text));
        developer.gocred(&["setup", "--undo"]).success();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn curl_and_git_pass_the_corporate_proxy_without_its_password() {
    let Some(lab) = Lab::enter() else { return };
    let Account { user, secret } = lab.account("PROXY");
    let secret = in_url(&secret);
    let Some(developer) = developer(&lab, Release::Go127) else { return };
    let config = format!("[store]\nname = \"file\"\n[proxy]\nupstream = [\"{UPSTREAM}\"]\n");
    developer.home.write(".config/gocred/config.toml", config);
    let with = UPSTREAM.replace("http://", &format!("http://{user}:{secret}@"));
    let bashrc = developer.home.write(".bashrc", format!("export HTTPS_PROXY='{with}'\n"));
    let gitconfig = developer.home.write(".gitconfig", format!("[http]\n\tproxy = {with}\n"));
    let account = lab.account("GIT");
    developer.home.write(".config/git/config", "[credential]\n\thelper = store\n");
    let credentials =
        format!("https://{}:{}@git.corp.test\n", account.user, in_url(&account.secret));
    developer.home.write(".git-credentials", credentials);
    let curl = || {
        let url = "https://cdn.corp.test/private.corp.test/team/lib/@v/list";
        let script = format!(". ~/.bashrc; exec curl -sS --fail --cacert \"$SSL_CERT_FILE\" {url}");
        developer.run("bash", &["-c", &script], "")
    };
    assert!(curl().success().contains("v1.0.0"));
    assert!(clone(&developer));
    let proxy = developer.start_proxy();
    import(&developer);
    for file in [&bashrc, &gitconfig] {
        let left = fs::read_to_string(file).unwrap();
        assert!(!left.contains(&secret) && left.contains("127.0.0.1:"), "{left}");
    }
    assert!(curl().success().contains("v1.0.0"));
    assert!(clone(&developer));
    drop(proxy);
    assert!(lab.tunnels().iter().any(|tunnel| tunnel.user == user));
}

#[test]
fn npm_and_pip_are_left_and_send_what_they_sent() {
    let Some(npm) = program("npm", "npm") else { return };
    let server = Server::start(|_| "404 Not Found".to_owned());
    let place = server.authority();
    let desk = Desk::new().wired();
    let npmrc = format!("registry=http://{place}/\n//{place}/:_authToken=npm_abcdefghijklmnop\n");
    desk.write(".npmrc", &npmrc);
    let pip = format!("[global]\nindex-url = http://ana:hunter2@{place}/simple\n");
    desk.write(".config/pip/pip.conf", &pip);
    let output = desk.ends_with(1, &["--yes"]);
    for line in ["~/.npmrc:2  ", "~/.config/pip/pip.conf:2  index-url  ****  stays: pip"] {
        assert!(output.out().contains(line), "{output:?}");
    }
    assert_eq!((desk.read(".npmrc"), desk.read(".config/pip/pip.conf")), (npmrc, pip));
    drop(desk.0.home.run(npm).args(["whoami", "--fetch-retries=0"]).output());
    let token = Some("Bearer npm_abcdefghijklmnop");
    assert!(server.seen().iter().any(|request| request.field("authorization") == token));
    let venv = desk.0.home.path().join("venv");
    desk.0.home.run("python3").args(["-m", "venv"]).arg(&venv).output().success();
    let pip = venv.join("bin/pip");
    drop(desk.0.home.run(pip).args(["download", "--retries=0", "x"]).output());
    let basic = Some(proxy_lab::basic("ana:hunter2"));
    let sent = |field: Option<&str>| field.map(str::to_owned) == basic;
    assert!(server.seen().iter().any(|request| sent(request.field("authorization"))));
}

#[test]
fn pip_installs_as_before_once_it_asks_gocred() {
    let (Some(person), Some(python)) = (Person::new(), python()) else { return };
    let Some(index) = Index::start(&person, &python) else { return };
    let text = format!(
        "[global]\ncert = {}\nindex-url = https://ana:{SECRET}@{}/simple/\n",
        person.authority.file("ca.pem").display(),
        index.host
    );
    let asking = format!("{text}keyring-provider = subprocess\n");
    let old = python.parent().unwrap().with_file_name("pip-24");
    let installs = |folder: &str, modules: &Path| {
        let run = person.run(&python).env("PYTHONPATH", modules).args(["-m", "pip", "install"]);
        let run = run.args(["--no-input", "--no-cache-dir", "--target"]);
        let output = run.arg(person.home.path().join(folder)).arg("corp-kit").output();
        assert_eq!(output.code, Some(0), "{folder}: {output:?}");
    };
    let import = |arguments: &[&str]| {
        let run = person.run(GOCRED).arg("import").args(arguments.iter().copied());
        let output = run.output();
        assert!(!output.out().contains(SECRET) && !output.err().contains(SECRET), "{output:?}");
        output
    };
    // As pip is set up by itself, it may ask somebody else first.
    let file = person.home.write(".config/pip/pip.conf", &text);
    let output = import(&["pip", "--yes"]);
    assert!(output.out().contains("keyring-provider subprocess"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    person.home.write(".config/pip/pip.conf", &asking);
    // Without our `keyring` nobody would answer.
    let run = person.home.gocred().args(["import", "pip", "--dry-run"]);
    assert!(run.output().out().contains("link gocred under that name"));
    installs("one", Path::new(""));
    import(&["pip", "--yes"]).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), asking.replace(&format!(":{SECRET}"), ""));
    installs("two", Path::new(""));
    installs("three", &old);
    import(&["--undo"]).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), asking);
}

#[test]
fn a_real_keyring_keeps_what_undoes_it() {
    use super::support::keyring::Keyring;
    let Some(keyring) = Keyring::unlocked() else { return };
    let home = super::support::home::Home::new();
    let run = |arguments: &[&str]| {
        let run = home.run(GOCRED).args(arguments.iter().copied());
        run.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).output()
    };
    run(&["setup", "--git", "--yes"]).success();
    // More than one item of a keyring holds: 64 KiB.
    let one = |at| format!("https://user-{at}:secret-{at:0600}@h{at}.test\n");
    let text: String = (0..60).map(one).collect();
    assert!(text.len() > 36_000);
    let file = home.write(".git-credentials", &text);
    run(&["import", "--yes"]).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    run(&["import", "--undo"]).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}
