//! pip and uv, which ask the program `keyring`: both against an index of nginx's that wants a password.
//! (A pypiserver is no index for pip with a keyring: it answers the empty password that pip tries first
//! with 403, and pip asks after a 401 only.)

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use crate::support::{
    eventually,
    home::{Output, Run},
    neighbour::Person,
    program,
    python::python,
};

pub(crate) const SECRET: &str = "S3cret-of-the-index";

/// nginx with one package, behind TLS and the password of ana.
pub(crate) struct Index {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
}

impl Index {
    pub(crate) fn start(person: &Person, python: &Path) -> Option<Self> {
        let (nginx, htpasswd) = (program("nginx", "nginx")?, program("htpasswd", "apache2-utils")?);
        let users = person.run(htpasswd).args(["-nbm", "ana", SECRET]).output().success();
        person.home.write("index/users", users);
        let page = person.home.write("index/simple/corp-kit/.keep", "");
        let wheel = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/wheel.py");
        person.run(python).arg(wheel).arg(page.parent()?).output().success();
        // It cannot tell which port it was given.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = free.local_addr().expect("an address").to_string();
        drop(free);
        let folder = page.parent()?.parent()?.parent()?.to_owned();
        let config = CONFIG
            .replace("@HOST@", &host)
            .replace("@INDEX@", &folder.display().to_string())
            .replace("@TLS@", &person.authority.file("server").display().to_string());
        let config = person.home.write("index/nginx.conf", config);
        let run = person.run(nginx).args(["-e", "stderr", "-c"]).arg(config).arg("-p").arg(folder);
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nginx");
        eventually("the index listens", || TcpStream::connect(&host).ok());
        Some(Self { child, host })
    }

    fn url(&self, user: &str) -> String {
        format!("https://{user}{}/simple/", self.host)
    }
}

const CONFIG: &str = r#"
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path tmp;
    proxy_temp_path tmp;
    fastcgi_temp_path tmp;
    uwsgi_temp_path tmp;
    scgi_temp_path tmp;
    types { text/html html; }
    default_type application/octet-stream;
    server {
        listen @HOST@ ssl;
        ssl_certificate @TLS@.pem;
        ssl_certificate_key @TLS@.key;
        root @INDEX@;
        autoindex on;
        auth_basic "packages";
        auth_basic_user_file @INDEX@/users;
    }
}
"#;

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A person who has signed in at her index.
fn signed_in() -> Option<(Person, Index, PathBuf)> {
    let (person, python) = (Person::new()?, python()?);
    let index = Index::start(&person, &python)?;
    person.login(&index.host, "ana", SECRET);
    Some((person, index, python))
}

/// Installs the package into a folder of its own.
fn install(run: Run, person: &Person, folder: &str) -> Output {
    let run = run.args(["--no-cache-dir", "--target"]).arg(target(person, folder));
    run.arg("corp-kit").output()
}

fn target(person: &Person, folder: &str) -> PathBuf {
    person.home.path().join(folder)
}

fn is_installed(person: &Person, folder: &str) -> bool {
    target(person, folder).join("corp_kit.py").exists()
}

#[test]
fn pip_installs_from_a_private_index() {
    let Some((person, index, python)) = signed_in() else { return };
    // Those before 26 ask for the password of an account, and this one for both.
    let old = python.parent().unwrap().with_file_name("pip-24");
    let pip = |modules: &Path, provider: &str, user: &str| {
        let pip = ["-m", "pip", "--disable-pip-version-check", "--no-input"];
        let run = person.run(&python).env("PYTHONPATH", modules).args(pip).arg("--cert");
        let run = run.env("PIP_CONFIG_FILE", "/dev/null").arg(person.authority.file("ca.pem"));
        let run = run.args(["--keyring-provider", provider, "install", "--index-url"]);
        run.arg(index.url(user))
    };
    let new = Path::new("");
    for (folder, modules, user) in
        [("one", new, "ana@"), ("two", new, ""), ("three", old.as_path(), "ana@")]
    {
        let run = pip(modules, "subprocess", user).arg("--target").arg(target(&person, folder));
        let output = person.watch(run.args(["--no-cache-dir", "corp-kit"]), SECRET);
        assert!(output.code == Some(0) && is_installed(&person, folder), "{folder}: {output:?}");
    }
    // Where it may ask a person, pip asks a `keyring` that it finds first, and without being told.
    let index = index.url("");
    let run = person.run(&python).env("PIP_CONFIG_FILE", "/dev/null").args(["-m", "pip", "--cert"]);
    let run = run.arg(person.authority.file("ca.pem")).args(["install", "--index-url", &index]);
    install(run, &person, "four").success();
    // Without gocred there is no way in, and for another account there is none either.
    for (provider, user) in [("disabled", "ana@"), ("subprocess", "eve@")] {
        for modules in [new, &old] {
            let output = install(pip(modules, provider, user), &person, "none");
            assert!(output.code != Some(0) && !is_installed(&person, "none"), "{output:?}");
        }
    }
}

#[test]
fn uv_installs_from_a_private_index_with_and_without_an_account() {
    let Some((person, index, python)) = signed_in() else { return };
    let uv = |provider: &str, url: &str| {
        let run = person.run(python.with_file_name("uv")).args(["pip", "install", "--no-config"]);
        let run = run.arg("--python").arg(&python).args(["--index-url", url]);
        run.args(["--keyring-provider", provider])
    };
    let output = install(uv("subprocess", &index.url("ana@")), &person, "uv");
    assert!(output.code == Some(0) && is_installed(&person, "uv"), "{output:?}");
    let output = install(uv("disabled", &index.url("ana@")), &person, "none");
    assert!(output.code != Some(0) && !is_installed(&person, "none"), "{output:?}");
    // uv asks `keyring get URL --mode creds` where it is told to sign in always.
    let project = format!(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3\"\n\
         dependencies = [\"corp-kit\"]\n[[tool.uv.index]]\nname = \"corp\"\nurl = \"{}\"\n\
         default = true\nauthenticate = \"always\"\n",
        index.url("")
    );
    let project = person.home.write("app/pyproject.toml", project);
    let lock = person.run(python.with_file_name("uv")).args(["lock", "--no-cache", "--python"]);
    let lock = lock.arg(&python).args(["--keyring-provider", "subprocess"]);
    lock.folder(project.parent().unwrap()).output().success();
    assert!(project.with_file_name("uv.lock").exists());
}

#[test]
fn the_shim_is_for_urls_and_hosts_and_keeps_to_them() {
    let Some(person) = Person::new() else { return };
    person.login("pypi.corp.test", "ana", SECRET);
    let keyring = |line: &str, input: &str| {
        person.ask("keyring", &line.split_whitespace().collect::<Vec<_>>(), input)
    };
    let told = |line: &str| {
        let output = keyring(line, "");
        (output.code, output.out(), output.err())
    };
    let password = (Some(0), format!("{SECRET}\n"), String::new());
    assert_eq!(told("get pypi.corp.test ana"), password);
    assert_eq!(told("get https://pypi.corp.test/simple/ ana"), password);
    let creds = (Some(0), format!("ana\n{SECRET}\n"), String::new());
    assert_eq!(told("get https://pypi.corp.test/simple/ --mode creds"), creds);
    let nothing = (Some(1), String::new(), String::new());
    for line in [
        "get pypi.corp.test eve",
        "get pypi.corp.test:8443 ana",
        "get http://pypi.corp.test/simple/ ana",
        "get https://pypi.corp.test.evil.test/simple/ --mode creds",
        "get system ana",
    ] {
        assert_eq!(told(line), nothing, "{line}");
    }
    let usage = told("diagnose");
    assert!(usage.0 == Some(2) && usage.1.is_empty() && usage.2.contains("usage"), "{usage:?}");

    // What is kept for a path is answered below it, and there only.
    keyring("set https://pypi.corp.test/team/simple/ bot", "of-the-team\n").success();
    let of_team = (Some(0), "bot\nof-the-team\n".to_owned(), String::new());
    assert_eq!(told("get https://pypi.corp.test/team/simple/corp-kit/ --mode creds"), of_team);
    for path in
        ["simple/", "team/simple2/", "team", "team/simple/../../simple", "team/simple/%2e%2E/x"]
    {
        let line = format!("get https://pypi.corp.test/{path} --mode creds");
        assert_eq!(told(&line), creds, "{path}");
        assert_eq!(told(&format!("get https://pypi.corp.test/{path} bot")), nothing, "{path}");
    }
    keyring("del https://pypi.corp.test/team/simple/ bot", "").success();
    assert_eq!(told("get https://pypi.corp.test/team/simple/ --mode creds"), creds);
    assert_eq!(keyring("del https://pypi.corp.test/team/simple/ bot", "").code, Some(1));

    person.keyring.lock();
    let locked = told("get pypi.corp.test ana");
    assert_eq!((locked.0, locked.1.as_str()), (Some(5), ""));
    assert!(locked.2.starts_with("gocred[K05]: pypi.corp.test: "), "{locked:?}");
}

#[test]
fn the_configuration_settles_the_account() {
    let Some(person) = Person::new() else { return };
    for (user, secret) in [("ana", "of-ana"), ("bot", "of-bot"), ("eve", "of-eve")] {
        person.login("pypi.corp.test", user, secret);
    }
    let creds = |path: &str| {
        let url = format!("https://pypi.corp.test/{path}");
        person.ask("keyring", &["get", &url, "--mode", "creds"], "").success()
    };
    let config = "[host.\"pypi.corp.test\"]\nusername = \"ana\"\n\
                  [account.\"pypi.corp.test/team\"]\nusername = \"bot\"\n";
    person.home.write(".config/gocred/config.toml", config);
    assert_eq!(creds("simple/"), "ana\nof-ana\n");
    assert_eq!(creds("team/simple/corp-kit/"), "bot\nof-bot\n");
    assert_eq!(creds("teams/simple/"), "ana\nof-ana\n");
    let eve = ["get", "https://pypi.corp.test/team/simple/", "eve"];
    assert_eq!(person.ask("keyring", &eve, "").success(), "of-eve\n");

    // What the configuration keeps out is told to whoever stores it.
    let config = "[git]\nstore = \"login-only\"\n";
    person.home.write(".config/gocred/config.toml", config);
    let set = |host: &str| person.ask("keyring", &["set", host, "ana"], "hunter2\n");
    let refused = set("other.corp.test");
    assert_eq!((refused.code, refused.out().as_str()), (Some(7), ""));
    assert!(refused.err().contains("run: gocred login other.corp.test"), "{refused:?}");
    set("pypi.corp.test").success();
    assert_eq!(creds("simple/"), "ana\nhunter2\n");
}

#[test]
fn a_lost_index_of_hosts_loses_nothing() {
    let Some(person) = Person::new() else { return };
    person.login("pypi.corp.test", "ana", SECRET);
    let team = "https://pypi.corp.test/team/simple/";
    person.ask("keyring", &["set", team, "bot"], "of-the-team\n").success();
    let creds = || person.ask("keyring", &["get", team, "--mode", "creds"], "");
    let hosts = person.home.state().join("gocred/hosts");
    std::fs::remove_file(&hosts).unwrap();
    assert_eq!(creds().success(), "bot\nof-the-team\n");
    std::fs::write(&hosts, b"\0\xff").unwrap();
    let told = creds();
    assert!(told.err().starts_with("gocred[K08]: pypi.corp.test: "), "{told:?}");
    assert_eq!(told.success(), "bot\nof-the-team\n");
    let quiet = creds();
    assert_eq!((quiet.err().as_str(), quiet.out().as_str()), ("", "bot\nof-the-team\n"));
}
