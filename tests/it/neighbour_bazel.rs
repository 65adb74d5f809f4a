//! Bazel's credential helper. No registry has a Bazel that knows them (npm's is 2.1, Debian's 4.2; they came
//! with 5.4), so that a stand-in asks, written from the published specification: it sends the URI as JSON,
//! takes the answer apart, and curl makes the request. What uv's own helper of the same protocol answers
//! is compared.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::{
    home::Output,
    neighbour::{Person, depot},
    program,
    python::python,
};

const NAME: &str = "bazel-credential-gocred";
const SECRET: &str = "S3cret-of-the-cache";

/// `GetCredentialsResponse`
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Credentials {
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    expires: Option<String>,
}

fn get(person: &Person, uri: &str) -> Output {
    person.ask(NAME, &["get"], &format!("{{\"uri\":\"{uri}\"}}"))
}

/// What Bazel does with a helper: exit code 0, and one JSON object.
fn credentials(person: &Person, uri: &str) -> Credentials {
    serde_json::from_str(&get(person, uri).success()).expect("an answer")
}

#[test]
fn a_request_gets_in_with_the_headers_of_the_answer() {
    let Some(person) = Person::new() else { return };
    let Some(curl) = program("curl", "curl") else { return };
    // `ana:S3cret-of-the-cache`
    let basic = "Basic YW5hOlMzY3JldC1vZi10aGUtY2FjaGU=";
    let depot = depot(&person.authority, move |asked| {
        let is_known = asked.field("authorization") == Some(basic);
        let status = if is_known { "200 OK" } else { "401 Unauthorized" };
        (status, String::new(), b"jar".to_vec())
    });
    person.login(&depot.authority(), "ana", SECRET);
    let uri = format!("https://{}/maven/kit.jar?x=1", depot.authority());
    let found = credentials(&person, &uri);
    assert_eq!(found.headers.keys().collect::<Vec<_>>(), ["Authorization"]);
    let mut options =
        format!("url = {uri}\ncacert = {}\n", person.authority.file("ca.pem").display());
    for (name, values) in &found.headers {
        options.extend(values.iter().map(|value| format!("header = \"{name}: {value}\"\n")));
    }
    let curl = person.run(curl).args(["--silent", "--show-error", "--fail", "--config", "-"]);
    assert_eq!(curl.input(options).output().success(), "jar");
}

#[test]
fn an_answer_is_that_of_the_specification() {
    let Some(person) = Person::new() else { return };
    let store = "capability[]=authtype\nprotocol=https\nhost=bes.corp.test\nauthtype=Bearer\n\
                 credential=j.w.t\npassword_expiry_utc=4102444800\n";
    person.run(crate::support::home::HELPER).arg("store").input(store).output().success();
    for uri in
        ["https://bes.corp.test/x/y.jar", "grpcs://bes.corp.test/google.bytestream.ByteStream/Read"]
    {
        assert_eq!(
            get(&person, uri).success(),
            "{\"headers\":{\"Authorization\":[\"Bearer j.w.t\"]},\
             \"expires\":\"2100-01-01T00:00:00.000Z\"}\n"
        );
    }
    let more = r#"{"uri":"https://bes.corp.test/","later":{"a":[1]}}"#;
    assert!(person.ask(NAME, &["get"], more).success().contains("Bearer"));
    for uri in ["https://other.test/", "https://bes.corp.test:8443/", "http://bes.corp.test/"] {
        assert_eq!(get(&person, uri).success(), "{\"headers\":{}}\n", "{uri}");
    }
    for (arguments, input) in [
        (vec!["get"], "{}"),
        (vec!["get"], r#"{"uri":"https://ana:hunter2@bes.corp.test/"}"#),
        (vec!["get"], r#"{"uri":"hunter2 hunter2"}"#),
        (vec!["get"], "hunter2"),
        (vec!["store"], ""),
        (vec![], ""),
    ] {
        let output = person.ask(NAME, &arguments, input);
        assert!(output.code == Some(2) && output.out().is_empty(), "{input}: {output:?}");
        assert!(!output.err().contains("hunter2"), "{output:?}");
    }
    person.keyring.lock();
    let locked = get(&person, "https://bes.corp.test/");
    assert_eq!((locked.code, locked.out().as_str()), (Some(5), ""));
    assert!(locked.err().starts_with("gocred[K05]: bes.corp.test: "), "{locked:?}");
}

#[test]
fn uvs_helper_answers_the_same() {
    let (Some(person), Some(python)) = (Person::new(), python()) else { return };
    let uri = "https://files.corp.test/simple/kit.whl";
    person.login("files.corp.test", "ana", SECRET);
    let uv = |line: &[&str], input: &str| {
        person.run(python.with_file_name("uv")).args(line.iter().copied()).input(input).output()
    };
    let login =
        ["auth", "login", "https://files.corp.test", "--username", "ana", "--password", "-"];
    uv(&login, SECRET).success();
    let helper = ["--preview-features", "auth-helper", "auth", "helper", "--protocol=bazel", "get"];
    let theirs = uv(&helper, &format!("{{\"uri\":\"{uri}\"}}")).success();
    let theirs: Credentials = serde_json::from_str(&theirs).expect("an answer");
    assert_eq!(credentials(&person, uri), theirs);
}
