//! cargo's credential provider: the cargo that builds these tests, against a sparse registry behind TLS
//! and a token; and the protocol itself.

use std::path::{Path, PathBuf};

use crate::support::{
    home::{Output, Run},
    neighbour::{Answer, Person, depot, sha256},
    server::{Request, Server},
    terminal::Terminal,
};

const NAME: &str = "cargo-credential-gocred";
const TOKEN: &str = "S3cret-of-the-registry";

/// Packs the crate `corp-kit`, as `cargo package` does.
fn packed(person: &Person) -> Vec<u8> {
    person.home.write("kit/corp-kit-1.0.0/src/lib.rs", "");
    let manifest = "[package]\nname = \"corp-kit\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    person.home.write("kit/corp-kit-1.0.0/Cargo.toml", manifest);
    let file = person.home.path().join("kit.crate");
    let tar = person.run("tar").arg("-czf").arg(&file).args(["-C", "kit", "corp-kit-1.0.0"]);
    tar.output().success();
    std::fs::read(file).unwrap()
}

/// Starts a registry that lets nobody in without the token, its index neither.
fn registry(person: &Person) -> Server {
    let krate = packed(person);
    let digest = sha256(&krate);
    let json = |body: String| -> Answer {
        ("200 OK", "Content-Type: application/json\r\n".to_owned(), body.into_bytes())
    };
    depot(&person.authority, move |asked: &Request| {
        if asked.field("authorization") != Some(TOKEN) {
            let field = "WWW-Authenticate: Cargo login_url=\"https://corp.test/me\"\r\n";
            return ("401 Unauthorized", field.to_owned(), Vec::new());
        }
        let at = format!("https://{}", asked.field("host").unwrap_or_default());
        match asked.target.as_str() {
            "/team/index/config.json" => {
                json(format!(r#"{{"dl":"{at}/dl","api":"{at}","auth-required":true}}"#))
            }
            "/team/index/co/rp/corp-kit" => json(format!(
                "{{\"name\":\"corp-kit\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"{digest}\",\
                 \"features\":{{}},\"yanked\":false}}\n"
            )),
            "/dl/corp-kit/1.0.0/download" => ("200 OK", String::new(), krate.clone()),
            "/api/v1/crates/corp-kit/owners" => {
                json(r#"{"users":[{"id":1,"login":"ana","name":"Ana Lima"}]}"#.to_owned())
            }
            _ => ("404 Not Found", String::new(), Vec::new()),
        }
    })
}

/// Writes cargo's configuration, and a crate that depends on the registry's.
fn cargo(person: &Person, registry: &Server) -> Run {
    let config = format!(
        "[registry]\nglobal-credential-providers = [\"{NAME}\"]\n\
         [registries.corp]\nindex = \"sparse+https://{}/team/index/\"\n\
         [http]\ncainfo = \"{}\"\n",
        registry.authority(),
        person.authority.file("ca.pem").display()
    );
    person.home.write(".cargo/config.toml", config);
    person.home.write("app/src/lib.rs", "");
    let manifest = "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
                    [dependencies]\ncorp-kit = { version = \"1\", registry = \"corp\" }\n";
    let app = person.home.write("app/Cargo.toml", manifest);
    // rustup chooses by a home of its own.
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    person.run(env!("CARGO")).env("RUSTC", rustc).folder(app.parent().unwrap())
}

fn fetched(person: &Person) -> Option<PathBuf> {
    let cache = person.home.path().join(".cargo/registry/cache");
    let folder = std::fs::read_dir(cache).ok()?.next()?.ok()?.path();
    Some(folder.join("corp-kit-1.0.0.crate")).filter(|file| file.exists())
}

#[test]
fn cargo_fetches_from_a_private_registry_with_what_gocred_stored() {
    let Some(person) = Person::new() else { return };
    let registry = registry(&person);
    let cargo = cargo(&person, &registry);
    let refused = cargo.clone().arg("fetch").output();
    assert!(refused.code != Some(0) && refused.err().contains("no token found"), "{refused:?}");
    person.login(&registry.authority(), "ana", TOKEN);
    let output = person.watch(cargo.clone().arg("fetch"), TOKEN);
    assert!(output.code == Some(0) && fetched(&person).is_some(), "{output:?}");
    let owners = cargo.args(["owner", "--list", "--registry", "corp", "corp-kit"]).output();
    assert!(owners.success().contains("Ana Lima"));
}

#[test]
fn cargo_signs_in_and_out() {
    let Some(person) = Person::new() else { return };
    let registry = registry(&person);
    let cargo = cargo(&person, &registry);
    person.login(&registry.authority(), "ana", "of-git");
    let Some(mut terminal) = Terminal::start(cargo.clone().args(["login", "--registry", "corp"]))
    else {
        return;
    };
    terminal.awaits(&format!("Token for {}, from https://corp.test/me: ", registry.authority()));
    terminal.types_secret(TOKEN);
    let (code, shown) = terminal.ends();
    assert!(code == Some(0) && !shown.contains(TOKEN), "{shown}");
    let output = cargo.clone().arg("fetch").output();
    assert!(output.code == Some(0) && fetched(&person).is_some(), "{output:?}");
    // What cargo stored is for its registry; git's own stays git's.
    let ask = format!("protocol=https\nhost={}\n", registry.authority());
    let git = person.run(crate::support::home::HELPER).arg("get").input(ask).output().success();
    assert_eq!(git, "username=ana\npassword=of-git\n");
    cargo.clone().args(["logout", "--registry", "corp"]).output().success();
    std::fs::remove_dir_all(person.home.path().join(".cargo/registry")).unwrap();
    let refused = cargo.arg("fetch").output();
    assert!(refused.code != Some(0) && fetched(&person).is_none(), "{refused:?}");
    let list = person.gocred(&["list"]).success();
    assert!(list.contains("/team/index") && list.contains("hidden"), "{list}");
}

/// Sends requests, and returns the answers after the greeting.
fn talk(person: &Person, requests: &[String]) -> (Output, Vec<String>) {
    let output = person.ask(NAME, &["--cargo-plugin"], &(requests.join("\n") + "\n"));
    let mut lines: Vec<String> = output.out().lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "{\"v\":[1]}");
    (output, lines)
}

fn request(kind: &str, url: &str, more: &str) -> String {
    format!(
        "{{\"v\":1,\"registry\":{{\"index-url\":\"{url}\",\"name\":\"corp\",\"headers\":[]}},\
         \"kind\":\"{kind}\",\"operation\":\"read\",\"args\":[]{more}}}"
    )
}

#[test]
fn the_protocol_is_cargos() {
    let Some(person) = Person::new() else { return };
    let index = "sparse+https://cargo.corp.test/index/";
    let token = ",\"token\":\"t0ken\"";
    let (output, said) = talk(
        &person,
        &[
            request("get", index, ""),
            request("login", index, token),
            request("get", index, ""),
            request("get", "sparse+https://cargo.corp.test/other/", ""),
            request("get", "sparse+https://cargo.corp.test:8443/index/", ""),
            request("get", "sparse+http://cargo.corp.test/index/", ""),
            request("get", "ssh://git@cargo.corp.test/index", ""),
            request("logout", index, ""),
            request("logout", index, ""),
            request("get", index, ""),
            request("login", "sparse+http://cargo.corp.test/index/", token),
            request("login", index, ""),
        ],
    );
    let not_found = r#"{"Err":{"kind":"not-found"}}"#;
    let get =
        r#"{"Ok":{"kind":"get","token":"t0ken","cache":"session","operation_independent":true}}"#;
    assert_eq!(
        said[..10],
        [
            not_found,
            r#"{"Ok":{"kind":"login"}}"#,
            get,
            not_found,
            not_found,
            not_found,
            r#"{"Err":{"kind":"url-not-supported"}}"#,
            r#"{"Ok":{"kind":"logout"}}"#,
            not_found,
            not_found,
        ]
    );
    assert!(said[10].contains("other") && said[10].contains("clear text"), "{said:?}");
    // There is no terminal.
    assert!(said[11].contains("nobody to ask") && said.len() == 12, "{said:?}");
    assert_eq!((output.code, output.err().as_str()), (Some(0), ""));
    let usage = person.ask(NAME, &[], "");
    assert!(usage.code == Some(2) && usage.err().contains("global-credential-providers"));
}

#[test]
fn a_bearer_credential_is_told_with_its_scheme_and_a_locked_keyring_with_its_code() {
    let Some(person) = Person::new() else { return };
    let store = "capability[]=authtype\nprotocol=https\nhost=cargo.corp.test\nauthtype=Bearer\n\
                 credential=j.w.t\n";
    let helper = person.run(crate::support::home::HELPER).arg("store").input(store);
    helper.output().success();
    let index = "sparse+https://cargo.corp.test/index/";
    let (_, said) = talk(&person, &[request("get", index, "")]);
    assert!(said[0].contains("\"token\":\"Bearer j.w.t\""), "{said:?}");
    person.keyring.lock();
    for kind in ["get", "login", "logout"] {
        let (output, said) = talk(&person, &[request(kind, index, ",\"token\":\"hunter2\"")]);
        assert!(said[0].contains("\"other\"") && said[0].contains("K05"), "{kind}: {said:?}");
        assert!(!output.out().contains("hunter2"), "{output:?}");
    }
}
