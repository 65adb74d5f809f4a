//! In the lab: a login at a provider with a private authority, through a proxy that wants an account;
//! and a git server that takes Bearer tokens only, for git and for go.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::json;

use super::{
    login::Desk,
    oauth::{Login, get, password},
    support::{
        eventually,
        go::Release,
        home::{GOCRED, HELPER, Run},
        lab::Lab,
        oidc::Provider,
        program,
    },
};

const UPSTREAM: &str = "http://proxy.corp.test:3128";

/// Prepares a program for somebody in the lab.
fn run(desk: &Desk, lab: &Lab, program: impl AsRef<std::ffi::OsStr>) -> Run {
    desk.home
        .run(program)
        .env("DBUS_SESSION_BUS_ADDRESS", desk.keyring.address())
        .env("SSL_CERT_FILE", lab.authority())
        .env("GIT_SSL_CAINFO", lab.authority())
}

fn sign_in(desk: &Desk, lab: &Lab, provider: &Provider, host: &str) -> String {
    let arguments = ["login", host, "--device", "--client-id", "gocred"];
    let mut login = Login::start(&run(desk, lab, GOCRED).args(arguments));
    provider.browser("approve", &login.url("user_code="));
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

#[test]
fn login_and_renewal_go_through_the_corporate_proxy_with_a_private_authority() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(desk) = Desk::new() else { return };
    let options = json!({ "announce": 1, "lifetime": 4, "renewedLifetime": 3600 });
    let Some(provider) = Provider::behind_tls(lab.folder(), "login.corp.test", options) else {
        return;
    };
    let proxy = lab.account("PROXY");
    let arguments = ["login", "--proxy", UPSTREAM, "--username", &proxy.user, "--with-token"];
    run(&desk, &lab, GOCRED).args(arguments).input(proxy.secret).output().success();
    lab.forget();
    let said = sign_in(&desk, &lab, &provider, "login.corp.test");
    assert!(said.contains("it is the token of Ana Lima"), "{said}");
    assert!(said.contains("and renews itself"), "{said}");
    let of_login = |lab: &Lab| {
        let tunnels = lab.tunnels().into_iter();
        tunnels.filter(|it| it.target == "login.corp.test:443" && it.user == proxy.user).count()
    };
    let first = eventually("squid logs the tunnels of the login", || {
        Some(of_login(&lab)).filter(|count| *count >= 3)
    });
    let got = SystemTime::now();
    eventually("the token ends", || {
        (got.elapsed().unwrap() > Duration::from_secs(5)).then_some(())
    });
    let answer = get(&desk, provider.issuer()).env("SSL_CERT_FILE", lab.authority());
    let answer = answer.output().success();
    assert!(password(&answer).is_some(), "{answer}");
    assert_eq!(provider.grants("refresh_token"), [(200, None)]);
    eventually("squid logs the tunnel of the renewal", || (of_login(&lab) > first).then_some(()));
    assert_eq!(lab.sweep(&[desk.home.path()]), [""; 0]);
}

/// A git server that takes Bearer tokens; ended with the test.
struct Git {
    child: Child,
    folder: PathBuf,
}

impl Git {
    fn start(home: &Path, lab: &Lab) -> Option<Self> {
        program("apache2", "apache2")?;
        let module = "/usr/lib/apache2/modules/mod_oauth2.so";
        assert!(Path::new(module).exists(), "run `apt-get install libapache2-mod-oauth2`");
        // In the lab's own memory, where whom Apache becomes may read.
        let folder = lab.folder().join("run/bearer");
        let _ = fs::remove_dir_all(&folder);
        for part in ["repos/team", "pages/team"] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        let page = "<meta name=\"go-import\" content=\"bearer.corp.test/team/lib git \
                    https://bearer.corp.test/team/lib.git\">";
        fs::write(folder.join("pages/team/lib"), page).expect("written");
        let source = home.join("source");
        fs::create_dir_all(&source).expect("a folder");
        fs::write(source.join("go.mod"), "module bearer.corp.test/team/lib\n\ngo 1.18\n").unwrap();
        fs::write(source.join("lib.go"), "package lib\n").unwrap();
        let script = "git init -q . && git add . && git -c user.name=x -c user.email=x@x commit -qm x \
                      && git tag v1.0.0 && git clone -q --bare . \"$1\"";
        let status = std::process::Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(folder.join("repos/team/lib.git"))
            .current_dir(&source)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status()
            .expect("git");
        assert!(status.success());
        let child = std::process::Command::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/lab/oidc/bearer.sh"
        ))
        .arg(&folder)
        .stdin(Stdio::null())
        .spawn()
        .expect("apache2");
        let git = Self { child, folder };
        eventually("apache2 listens", || std::net::TcpStream::connect("bearer.corp.test:443").ok());
        Some(git)
    }

    fn log(&self) -> String {
        let text = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!("{}{}", text("access"), text("error"))
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        // Its children end with it.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn git_and_go_fetch_from_a_server_that_takes_bearer_tokens_only() {
    let Some(lab) = Lab::enter() else { return };
    let Some(desk) = Desk::new() else { return };
    let options = json!({ "announce": 1, "lifetime": 6, "renewedLifetime": 3600 });
    let Some(provider) = Provider::behind_tls(lab.folder(), "login.corp.test", options) else {
        return;
    };
    let Some(git) = Git::start(desk.home.path(), &lab) else { return };
    let config = "[oauth.\"bearer.corp.test\"]\nmetadata = \"https://login.corp.test\"\n";
    desk.home.write(".config/gocred/config.toml", config);
    let said = sign_in(&desk, &lab, &provider, "bearer.corp.test/team/lib");
    assert!(said.contains("bearer.corp.test accepted it"), "{said}{}", git.log());

    let helper = format!("credential.helper={HELPER}");
    let url = "https://bearer.corp.test/team/lib.git";
    let clone = run(&desk, &lab, "git").args(["-c", &helper, "clone", url, "clone"]).output();
    assert_eq!(clone.code, Some(0), "{clone:?}{}", git.log());
    assert!(desk.home.path().join("clone/lib.go").exists());

    let got = SystemTime::now();
    eventually("the token ends", || {
        (got.elapsed().unwrap() > Duration::from_secs(7)).then_some(())
    });
    let config = format!("[credential]\n\thelper = {HELPER}\n");
    desk.home.write(".gitconfig", config);
    let module = "module example.test/app\n\ngo 1.18\n\nrequire bearer.corp.test/team/lib v1.0.0\n";
    for release in Release::ALL {
        let Some(go) = release.program() else { return };
        let name = format!("app-{release:?}");
        desk.home.write(&format!("{name}/go.mod"), module);
        let cache = desk.home.path().join(format!("cache-{release:?}"));
        let output = run(&desk, &lab, go)
            .args(["mod", "download", "-x", "bearer.corp.test/team/lib@v1.0.0"])
            .folder(desk.home.path().join(name))
            .env("GOAUTH", format!("{GOCRED} goauth"))
            .env("GOPRIVATE", "bearer.corp.test")
            .env("GOFLAGS", "-modcacherw")
            .env("GOTOOLCHAIN", "local")
            .env("GOPATH", &cache)
            .output();
        assert_eq!(output.code, Some(0), "{output:?}{}", git.log());
        let fetched = cache.join("pkg/mod/bearer.corp.test/team/lib@v1.0.0/lib.go");
        assert!(fetched.exists(), "{release:?}");
    }
    // The first `goauth` has renewed it, for all that came after.
    assert_eq!(provider.grants("refresh_token"), [(200, None)]);
}
