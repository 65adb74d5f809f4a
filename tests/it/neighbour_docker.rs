//! docker's credential store: skopeo, which asks as podman and docker do, against Debian's
//! docker-registry behind TLS and a password; and the protocol's own words.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    support::{
        agent::Agent,
        home::{GOCRED, Output, Run},
        neighbour::{Person, sha256},
        program,
    },
    vault::Desk,
};

const NAME: &str = "docker-credential-gocred";
const NOT_FOUND: &str = "credentials not found in native keychain\n";
const SECRET: &str = "S3cret-of-the-registry";

/// Debian's docker-registry, which knows ana.
struct Registry {
    child: Child,
    /// `127.0.0.1:PORT`
    name: String,
}

impl Registry {
    fn start(person: &Person) -> Option<Self> {
        let registry = program("docker-registry", "docker-registry")?;
        let htpasswd = program("htpasswd", "apache2-utils")?;
        let users = person.run(htpasswd).args(["-nbB", "ana", SECRET]).output().success();
        let users = person.home.write("users", users);
        let config = format!(
            "version: 0.1\nlog: {{formatter: json}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             auth: {{htpasswd: {{realm: corp, path: {}}}}}\n\
             http: {{addr: '127.0.0.1:0', tls: {{certificate: {}, key: {}}}}}\n",
            person.home.path().join("images").display(),
            users.display(),
            person.authority.file("server.pem").display(),
            person.authority.file("server.key").display(),
        );
        let config = person.home.write("registry.yml", config);
        let mut command = person.run(registry).arg("serve").arg(config).command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("docker-registry");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let name = lines.find_map(|line| {
            let line = line.expect("a line");
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(',').next()?.to_owned())
        });
        thread::spawn(move || lines.for_each(drop));
        Some(Self { child, name: name.expect("it listens") })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the smallest image that there is, and returns its folder (OCI image layout).
fn image(person: &Person) -> PathBuf {
    let blob = |bytes: &[u8]| {
        let name = sha256(bytes);
        person.home.write(&format!("image/blobs/sha256/{name}"), bytes);
        (format!("sha256:{name}"), bytes.len())
    };
    let (layer, length) = blob(&[0; 1024]);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
    );
    let of = |kind: &str, (digest, size): (String, usize)| {
        let media = format!("application/vnd.oci.image.{kind}");
        format!(r#"{{"mediaType":"{media}","digest":"{digest}","size":{size}}}"#)
    };
    let config = of("config.v1+json", blob(config.as_bytes()));
    let layer = of("layer.v1.tar", (layer, length));
    let manifest = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
    let manifest = of("manifest.v1+json", blob(manifest.as_bytes()));
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{manifest}]}}"#);
    person.home.write("image/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    person.home.write("image/index.json", index).parent().unwrap().to_owned()
}

fn skopeo(person: &Person) -> Option<Run> {
    let skopeo = person.run(program("skopeo", "skopeo")?);
    let policy = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
    let policy = person.home.write("policy.json", policy);
    Some(skopeo.arg("--policy").arg(policy))
}

fn get(person: &Person, server: &str) -> Output {
    person.ask(NAME, &["get"], server)
}

#[test]
fn what_gocred_stored_pushes_and_pulls() {
    let Some(person) = Person::new() else { return };
    let (Some(registry), Some(skopeo)) = (Registry::start(&person), skopeo(&person)) else {
        return;
    };
    let server = &registry.name;
    person.login(server, "ana", SECRET);
    let helpers = format!(r#"{{"credHelpers":{{"{server}":"gocred"}}}}"#);
    let auth = person.home.write(".docker/config.json", helpers);
    let image = format!("oci:{}", image(&person).display());
    let there = format!("docker://{server}/team/app:1");
    let copy =
        |from: &str, to: &str| skopeo.clone().args(["copy", from, to]).arg("--authfile").arg(&auth);
    person.watch(copy(&image, &there), SECRET).success();
    let back = format!("dir:{}", person.home.path().join("back").display());
    copy(&there, &back).output().success();
    // Without the helper there is no way in.
    fs::write(&auth, "{}").unwrap();
    let refused = copy(&there, &back).output();
    assert!(refused.code != Some(0) && refused.err().contains("authentication required"));
}

#[test]
fn a_login_of_dockers_is_stored_used_and_erased() {
    let Some(person) = Person::new() else { return };
    let (Some(registry), Some(skopeo)) = (Registry::start(&person), skopeo(&person)) else {
        return;
    };
    let server = &registry.name;
    let helpers = format!(r#"{{"credHelpers":{{"{server}":"gocred"}}}}"#);
    let auth = person.home.write("auth.json", helpers);
    let run = |arguments: &[&str], input: &str| {
        let run = skopeo.clone().args(arguments.iter().copied()).arg("--authfile").arg(&auth);
        run.input(input).output()
    };
    let login = ["login", "--username", "ana", "--password-stdin", server];
    assert!(run(&login, SECRET).success().contains("Login Succeeded"));
    assert!(!fs::read_to_string(&auth).unwrap().contains("auths"), "nothing is in the file");
    let there = format!("docker://{server}/team/app");
    let refused = run(&["list-tags", &there], "");
    assert!(refused.err().contains("404 (Not Found)"), "signed in: {refused:?}");
    let list = person.ask(NAME, &["list"], "").success();
    assert_eq!(list, format!("{{\"{server}\":\"ana\"}}\n"));
    run(&["logout", server], "").success();
    assert_eq!(get(&person, server).out(), NOT_FOUND);
    let refused = run(&["list-tags", &there], "");
    assert!(refused.err().contains("authentication required"), "{refused:?}");
    person.gocred(&["undo", server]).success();
    assert!(get(&person, server).success().contains(SECRET));
}

#[test]
fn the_words_are_dockers() {
    let Some(person) = Person::new() else { return };
    let store = |server: &str, user: &str, secret: &str| {
        let input =
            format!(r#"{{"ServerURL":"{server}","Username":"{user}","Secret":"{secret}"}}"#);
        person.ask(NAME, &["store"], &input)
    };
    let told = |output: Output| (output.code, output.out(), output.err());
    let no = |text: &str| (Some(1), text.to_owned(), String::new());
    assert_eq!(told(get(&person, "registry.corp.test")), no(NOT_FOUND));
    assert_eq!(told(get(&person, "\n")), no("no credentials server URL\n"));
    assert_eq!(told(store("", "ana", "x")), no("no credentials server URL\n"));
    assert_eq!(told(store("h", "", "x")), no("no credentials username\n"));
    assert_eq!(told(person.ask(NAME, &["erase"], "h")), no(NOT_FOUND));
    assert!(person.ask(NAME, &[], "").out().starts_with("Usage: "));
    assert_eq!(person.ask(NAME, &["list"], "").success(), "{}\n");
    assert!(person.ask(NAME, &["version"], "").success().starts_with(NAME));

    // A key file with line ends, as Google's registry takes it, does not fit into a keyring; and an
    // identity token.
    let refused = store("gcr.test", "_json_key", "{\\n\\\"hunter2\\\": 1\\n}");
    assert!(refused.code == Some(1) && refused.out().contains("a line break"), "{refused:?}");
    assert!(!refused.out().contains("hunter2"), "{refused:?}");
    let base64 = "e30+/w==";
    store("gcr.test", "_json_key_base64", base64).success();
    let answer = get(&person, "gcr.test").success();
    let expected =
        "{\"ServerURL\":\"gcr.test\",\"Username\":\"_json_key_base64\",\"Secret\":\"e30+/w==\"}\n";
    assert_eq!(answer, expected);
    store("acr.test", "<token>", "t0ken").success();
    assert!(get(&person, "https://acr.test").success().contains("\"Username\":\"<token>\""));

    // The tokens of Docker Hub are not its password, nor the other way round.
    for (path, secret) in [("", "pw"), ("access-token", "at"), ("refresh-token", "rt")] {
        store(&format!("https://index.docker.io/v1/{path}"), "ana", secret).success();
        assert!(
            get(&person, &format!("https://index.docker.io/v1/{path}"))
                .success()
                .contains(&format!("\"{secret}\""))
        );
    }
    person.ask(NAME, &["erase"], "https://index.docker.io/v1/").success();
    assert_eq!(get(&person, "https://index.docker.io/v1/").out(), NOT_FOUND);
    assert!(get(&person, "https://index.docker.io/v1/access-token").success().contains("\"at\""));
    person.login("index.docker.io", "ana", "whole");
    assert!(get(&person, "https://index.docker.io/v1/").success().contains("\"whole\""));
    let list = person.ask(NAME, &["list"], "").success();
    assert_eq!(
        list,
        "{\"acr.test\":\"<token>\",\"gcr.test\":\"_json_key_base64\",\
         \"https://index.docker.io/v1/access-token\":\"ana\",\
         \"https://index.docker.io/v1/refresh-token\":\"ana\"}\n"
    );
}

#[test]
fn a_docker_login_does_not_stand_in_gits_way_nor_its_logout() {
    let Some(person) = Person::new() else { return };
    person.login("git.corp.test", "ana", "of-git");
    let ask = "protocol=https\nhost=git.corp.test\n";
    let git = || person.run(crate::support::home::HELPER).arg("get").input(ask).output().success();
    let before = git();
    assert!(get(&person, "git.corp.test").success().contains("of-git"));
    let robot = r#"{"ServerURL":"git.corp.test","Username":"robot$ci","Secret":"of-docker"}"#;
    person.ask(NAME, &["store"], robot).success();
    assert!(get(&person, "git.corp.test").success().contains("of-docker"));
    assert_eq!(git(), before);
    person.ask(NAME, &["erase"], "git.corp.test").success();
    assert!(get(&person, "git.corp.test").success().contains("of-git"));
    let again = person.ask(NAME, &["erase"], "git.corp.test");
    assert_eq!(again.code, Some(1));
    assert!(again.out().contains("run: gocred logout git.corp.test"), "{again:?}");
    assert_eq!(git(), before);
}

#[test]
fn hostile_words_are_refused_and_not_repeated() {
    let Some(person) = Person::new() else { return };
    person.login("registry.corp.test", "ana", SECRET);
    for server in [
        "registry.corp.test.evil.test",
        "registry.corp.test:5000",
        "http://registry.corp.test",
        "https://ana:hunter2@registry.corp.test",
        "registry.corp.test\u{1b}[31m",
        "registry.corp.test\nhunter2",
        "https://registry.corp.test/v2/../v1/access-token",
        "//",
        "\u{0}",
    ] {
        let output = get(&person, server);
        assert_eq!(output.code, Some(1), "{server:?}: {output:?}");
        for leak in [SECRET, "hunter2", "\u{1b}"] {
            assert!(!output.out().contains(leak) && !output.err().contains(leak), "{output:?}");
        }
    }
    for input in [
        "{",
        "[]",
        r#"{"ServerURL":"h","Username":"a\nb","Secret":"hunter2"}"#,
        r#"{"ServerURL":"http://h","Username":"ana","Secret":"hunter2"}"#,
        r#"{"ServerURL":"h","Username":"ana","Secret":["hunter2"]}"#,
        r#"{"ServerURL":"h","Username":"ana","Secret":"hunter2"#,
    ] {
        let output = person.ask(NAME, &["store"], input);
        assert_eq!(output.code, Some(1), "{input}: {output:?}");
        assert!(!output.out().contains("hunter2"), "{output:?}");
    }
    let huge = "x".repeat(2 * 1024 * 1024);
    assert!(person.ask(NAME, &["store"], &huge).out().contains("1 MiB"));
    assert_eq!(person.ask(NAME, &["list"], "").success(), "{}\n");
}

#[test]
fn a_locked_keyring_is_an_error_and_never_not_found() {
    let Some(person) = Person::new() else { return };
    person.login("registry.corp.test", "ana", SECRET);
    person.keyring.lock();
    let store = r#"{"ServerURL":"new.corp.test","Username":"ana","Secret":"hunter2"}"#;
    for (verb, input, code) in [
        ("get", "registry.corp.test", "K05"),
        ("store", store, "K05"),
        ("erase", "registry.corp.test", "K05"),
        ("list", "", "K05"),
    ] {
        let output = person.ask(NAME, &[verb], input);
        assert_eq!(output.code, Some(1), "{verb}: {output:?}");
        assert!(output.out().contains(code), "{verb}: {output:?}");
        assert!(!output.out().contains("not found"), "{verb}: {output:?}");
    }
    // Nobody else's registry waits for the keyring.
    assert_eq!(get(&person, "public.test").out(), NOT_FOUND);
}

#[test]
fn the_agent_is_asked_first_and_remembers() {
    let Some(person) = Person::new() else { return };
    person.login("registry.corp.test", "ana", SECRET);
    let agent = Agent::start(person.run(GOCRED));
    let monitor = person.keyring.monitor();
    for _ in 0..3 {
        assert!(get(&person, "registry.corp.test").success().contains(SECRET));
    }
    let calls = monitor.calls();
    let releases = calls.iter().filter(|call| call.starts_with("GetSecret")).count();
    assert_eq!(releases, 1, "{calls:?}");
    assert!(person.gocred(&["agent", "status"]).success().contains("so far: 3 questions"));
    // One that is stopped, or says that it does not know, is no reason to have nothing.
    agent.signal(Signal::STOP);
    assert!(get(&person, "registry.corp.test").success().contains(SECRET));
    agent.signal(Signal::CONT);
    assert_eq!(get(&person, "other.corp.test").out(), NOT_FOUND);
}

#[test]
fn without_a_keyring_the_encrypted_file_serves_docker_too() {
    let desk = Desk::signed_in();
    let link = desk.home.path().join(NAME);
    symlink(GOCRED, &link).unwrap();
    let run = |run: Run, verb: &str, input: &str| run.arg(verb).input(input).output();
    let open = || desk.run(&link.display().to_string());
    assert!(run(open(), "get", "git.corp.test").success().contains("S3cret-of-ana"));
    let lines = r#"{"ServerURL":"gcr.test","Username":"_json_key","Secret":"{\n}"}"#;
    run(open(), "store", lines).success();
    assert!(run(open(), "get", "gcr.test").success().contains(r#""Secret":"{\n}""#));
    // Without its passphrase it is shut, which is not "nothing".
    let shut = run(desk.home.run(&link), "get", "git.corp.test");
    assert!(shut.code == Some(1) && shut.out().starts_with("gocred[K19]: "), "{shut:?}");
}

#[test]
fn a_silent_keyring_is_told_in_time() {
    let Some(person) = Person::new() else { return };
    person.login("registry.corp.test", "ana", SECRET);
    person.keyring.freeze();
    let store = r#"{"ServerURL":"new.corp.test","Username":"ana","Secret":"hunter2"}"#;
    for (verb, input) in [
        ("get", "registry.corp.test"),
        ("store", store),
        ("erase", "registry.corp.test"),
        ("list", ""),
    ] {
        let output = person.ask(NAME, &[verb], input);
        assert!(output.code == Some(1) && output.out().contains("K17"), "{verb}: {output:?}");
        assert!(output.took < Duration::from_secs(2), "{verb}: {:?}", output.took);
    }
    person.keyring.thaw();
}
