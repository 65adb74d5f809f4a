//! kubectl's exec plugin: the real kubectl, against a stand-in for a cluster's API server, which knows one
//! bearer token and one path.

use crate::support::{
    home::Run,
    neighbour::{Person, depot},
    program,
    server::Server,
};

const NAME: &str = "kube-credential-gocred";
const TOKEN: &str = "S3cret-of-the-cluster";

fn cluster(person: &Person) -> Server {
    depot(&person.authority, |asked| {
        let is_known = asked.field("authorization") == Some(&format!("Bearer {TOKEN}"));
        match (is_known, asked.target.as_str()) {
            (false, _) => ("401 Unauthorized", String::new(), Vec::new()),
            (true, "/version") => {
                let json = "Content-Type: application/json\r\n".to_owned();
                ("200 OK", json, b"{\"gitVersion\":\"v1.37.0\"}".to_vec())
            }
            (true, _) => ("404 Not Found", String::new(), Vec::new()),
        }
    })
}

/// Writes a kubeconfig, and prepares `kubectl get --raw /version` with it.
fn kubectl(person: &Person, cluster: &str, exec: &str) -> Option<Run> {
    // One of Kubernetes 1.20 (Debian 12) does not know v1.
    let kubectl = program("kubectl", "kubernetes-client")?;
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{{cluster}}}}}]\n\
         users:\n- name: u\n  user:\n    exec:\n      \
         apiVersion: client.authentication.k8s.io/v1beta1\n      command: {NAME}\n      \
         interactiveMode: Never\n      {exec}\n"
    );
    let config = person.home.write("kubeconfig", config);
    Some(person.run(kubectl).arg("--kubeconfig").arg(config).args(["get", "--raw", "/version"]))
}

#[test]
fn kubectl_reaches_a_cluster_with_what_gocred_stored() {
    let Some(person) = Person::new() else { return };
    let depot = cluster(&person);
    let authority = person.authority.file("ca.pem").display().to_string();
    let server = format!("https://{}", depot.authority());
    let cluster = format!("server: '{server}', certificate-authority: {authority}");
    let Some(asks) = kubectl(&person, &cluster, "provideClusterInfo: true") else { return };
    let refused = asks.clone().output();
    assert!(refused.code != Some(0), "{refused:?}");
    assert!(refused.err().contains("run: gocred login 127.0.0.1:"), "{refused:?}");
    person.login(&depot.authority(), "ana", TOKEN);
    let output = person.watch(asks, TOKEN);
    assert!(output.err().is_empty() && output.out().contains("v1.37.0"), "{output:?}");
    let named = kubectl(&person, &cluster, &format!("args: ['{server}']")).unwrap();
    assert!(named.output().success().contains("v1.37.0"));
    let nameless = kubectl(&person, &cluster, "args: []").unwrap().output();
    assert!(nameless.err().contains("provideClusterInfo: true"), "{nameless:?}");

    // Whoever answers without being looked at gets no token.
    let cluster = format!("server: '{server}', insecure-skip-tls-verify: true");
    let before = depot.seen().len();
    let unproven = kubectl(&person, &cluster, "provideClusterInfo: true").unwrap().output();
    assert!(unproven.code != Some(0) && unproven.err().contains("certificate"), "{unproven:?}");
    let sent = depot.seen().split_off(before);
    assert!(sent.iter().all(|asked| asked.field("authorization").is_none()), "{sent:?}");
}

#[test]
fn an_answer_is_an_exec_credential_of_the_version_that_was_asked() {
    let Some(person) = Person::new() else { return };
    person.login("api.corp.test:6443", "ana", TOKEN);
    let ask = |version: &str, server: &str| {
        let info = format!(
            r#"{{"apiVersion":"client.authentication.k8s.io/{version}","kind":"ExecCredential","spec":{{"cluster":{{"server":"{server}"}},"interactive":false}}}}"#
        );
        let link = person.home.path().join("bin").join(NAME);
        person.run(link).env("KUBERNETES_EXEC_INFO", info).output()
    };
    for version in ["v1", "v1beta1"] {
        assert_eq!(
            ask(version, "https://api.corp.test:6443").success(),
            format!(
                "{{\"apiVersion\":\"client.authentication.k8s.io/{version}\",\
                 \"kind\":\"ExecCredential\",\"status\":{{\"token\":\"{TOKEN}\"}}}}\n"
            )
        );
    }
    for server in [
        "https://api.corp.test",
        "http://api.corp.test:6443",
        "https://api.corp.test.evil.test:6443",
    ] {
        let output = ask("v1", server);
        assert_eq!((output.code, output.out().as_str()), (Some(1), ""), "{output:?}");
    }
    assert_eq!(ask("v9", "https://api.corp.test:6443").code, Some(2));
    person.keyring.lock();
    let locked = ask("v1", "https://api.corp.test:6443");
    assert_eq!((locked.code, locked.out().as_str()), (Some(5), ""));
    assert!(locked.err().starts_with("gocred[K05]: api.corp.test:6443: "), "{locked:?}");
}
