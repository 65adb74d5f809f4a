//! `kube-credential-gocred`: an exec plugin of kubectl's and every other client of Kubernetes
//! (`client.authentication.k8s.io/v1`), a bearer token for a cluster.
//!
//! Which cluster, `KUBERNETES_EXEC_INFO` says where the kubeconfig has `provideClusterInfo: true`, or else
//! the one argument. A cluster whose certificate is not checked gets no token, as if it were http.

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::{Desk, Place, Reach, Said, Trouble, Wish, json};
use crate::{
    broker::Proofs,
    core::{fault::Kind, secret::ExposeSecret, time::rfc3339},
    sys::env::Env,
};

/// The versions that are spoken: their answers have one form.
const VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// Answers.
pub(super) fn run(arguments: &[&str]) -> Said {
    get(arguments, Env::take().text("KUBERNETES_EXEC_INFO").unwrap_or("{}")).into()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Spec {
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
}

/// What is to be answered, and for whom.
#[derive(Debug)]
struct Question {
    version: &'static str,
    place: Place,
    /// Whether nobody looks who it is that gets the token.
    is_unproven: bool,
}

fn parse(arguments: &[&str], info: &str) -> Result<Question, Trouble> {
    let Info { api_version, spec: Spec { cluster } } = json::parse(info.as_bytes())?;
    let version = match api_version {
        None => Some(VERSIONS[0]),
        Some(version) => VERSIONS.into_iter().find(|known| *known == version),
    };
    let version = version.ok_or_else(|| {
        Trouble::usage(format!("kubectl speaks neither {} nor {}", VERSIONS[0], VERSIONS[1]))
    })?;
    let (server, is_unproven) = match (&cluster, arguments) {
        (Some(cluster), _) => (cluster.server.as_str(), cluster.insecure_skip_tls_verify),
        (None, [server]) => (*server, false),
        (None, _) => {
            return Err(Trouble::usage(
                "which cluster? The kubeconfig says it with `provideClusterInfo: true`, or with \
                 `args: [\"https://HOST:PORT\"]`",
            ));
        }
    };
    Ok(Question { version, place: Place::parse(server)?, is_unproven })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential<'a> {
    api_version: &'a str,
    kind: &'static str,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_timestamp: Option<String>,
}

fn get(arguments: &[&str], info: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let Question { version, place, is_unproven } = parse(arguments, info)?;
    let mut desk = Desk::open()?;
    if is_unproven && !desk.allows_http(&place.origin) {
        let what = "the kubeconfig does not check whose certificate it is";
        let command = "kubectl config set-cluster CLUSTER --insecure-skip-tls-verify=false";
        return Err(Trouble::at(Kind::Policy, &place.origin, what, command));
    }
    let (proofs, reach) = (Proofs::All, Reach::Below);
    let wish = Wish { place: &place, user: None, own: None, proofs, reach };
    let record = desk.ask(&wish)?.ok_or_else(|| Trouble::nothing(&place.origin))?;
    let token = wish.token(&record.secrets.proof)?;
    let ends = record.entry.expires.map(|end| rfc3339(end.saturating_mul(1000)));
    json::line(&ExecCredential {
        api_version: version,
        kind: "ExecCredential",
        status: Status { token: token.expose_secret(), expiration_timestamp: ends },
    })
}

#[cfg(test)]
mod tests {
    use super::{Question, VERSIONS, parse};

    fn ask(arguments: &[&str], info: &str) -> Result<String, String> {
        let question = parse(arguments, info).map_err(|trouble| trouble.to_string())?;
        let Question { version, place, is_unproven } = question;
        Ok(format!("{version} {} {is_unproven}", place.origin))
    }

    #[test]
    fn the_cluster_is_that_of_kubectl_or_of_the_argument() {
        let info = r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential",
            "spec":{"cluster":{"server":"https://api.corp.test:6443","config":null,
            "insecure-skip-tls-verify":true,"certificate-authority-data":"x"},"interactive":true}}"#;
        let answer = format!("{} https://api.corp.test:6443 true", VERSIONS[1]);
        assert_eq!(ask(&["https://other"], info), Ok(answer));
        let answer = format!("{} https://api:6443 false", VERSIONS[0]);
        assert_eq!(ask(&["https://api:6443"], "{}"), Ok(answer));
        let bare = format!(r#"{{"apiVersion":"{}","spec":{{"interactive":false}}}}"#, VERSIONS[0]);
        assert!(ask(&[], &bare).unwrap_err().contains("provideClusterInfo"));
        assert!(ask(&["https://api"], r#"{"apiVersion":"v9"}"#).is_err());
        assert!(ask(&["https://api"], "[").is_err());
    }
}
