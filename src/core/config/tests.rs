//! The configuration's grammar, from whole texts.

use super::{Config, Fallback, Login, Provider, Remember, Session, Store, Upstream};
use crate::core::{auth::Scheme, choice::Choice, origin::Origin};

#[test]
fn the_example_of_the_documentation_is_read() {
    let config = Config::parse(
        r#"
[proxy]
listen = ["127.0.0.1:7407", "[::1]:7407"]
upstream = ["http://proxy.corp.example:8080", "DIRECT"]
no_proxy = "localhost,.corp.example"
allow = ["127.77.0.0/16"]
[git]
store = "login-only"
[host."git.corp.example"]
username = "ana"
ca = "/etc/ssl/corp.pem"
allow_http = false
"#,
    )
    .unwrap();
    assert_eq!(config.proxy.listen.len(), 2);
    assert_eq!(config.proxy.upstream[1], Upstream::Direct);
    assert_eq!(config.hosts["git.corp.example"].username.as_deref(), Some("ana"));
}

#[test]
fn an_unknown_key_names_its_line_and_its_neighbour() {
    let error = Config::parse("[proxy]\n\nupstraem = []\n").unwrap_err();
    assert_eq!(error.line, 3);
    assert_eq!(error.what, "unknown key `proxy.upstraem`; did you mean `proxy.upstream`?");
}

#[test]
fn an_error_never_repeats_a_value() {
    for text in [
        "[proxy]\nupstream = [\"http://ana:hunter2@p:8080\"]\n",
        "[proxy]\nno_proxy = [\"hunter2\"]\n",
        "[host.\"h\"]\nallow_http = \"hunter2\"\n",
        "hunter2 hunter2\n",
        "[proxy]\nlisten = [\"0.0.0.0:1\", \"hunter2\"]\n",
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(error.line > 0);
    }
}

#[test]
fn the_settings_of_an_upstream_are_those_of_its_url_or_of_its_host_and_port() {
    let config = Config::parse(
        r#"
[upstream."p:443"]
schemes = ["negotiate", "NTLM"]
username = "CORP\\ana"
spn = "HTTP/p.corp.example"
[upstream."https://p"]
ca = "/etc/corp.pem"
client_cert = "~/me.pem"
"#,
    )
    .unwrap()
    .at_home(std::path::Path::new("/home/ana"));
    let of = |url: &str| config.upstream(&Origin::from_url(url).unwrap().0);
    assert_eq!(of("http://p:443").unwrap().schemes, [Scheme::Negotiate, Scheme::Ntlm]);
    let certificate = of("https://p").unwrap().client_cert.as_deref();
    assert_eq!(certificate, Some(std::path::Path::new("/home/ana/me.pem")));
    assert_eq!(of("https://p:443"), of("https://p"));
    assert_eq!((of("http://p"), of("ftp://p")), (None, None));
}

const SECRETS: &str = r#"
[store]
name = "file"
file = "~/vault"
fallback = ["libsecret"]
remember = "kernel"
lifetime = "12h"
idle = "0"
[secret_service]
session = "dh"
[account."h/acme"]
username = "bot"
[account."h:8443"]
username = "ana"
[source."git.test"]
from = "exec"
command = ["/bin/token", "x"]
cache = "5m"
[source."bao.test:8443"]
from = "openbao"
path = "secret/data/git/{host}"
[openbao]
address = "https://bao.test:8200"
login = "approle"
role_id_file = "~/role"
[oauth."ghe.test"]
client_id = "abc"
scopes = ["repo"]
[audit]
required = true
file = "/var/log/gocred"
"#;

#[test]
fn where_secrets_come_from_and_go_is_read() {
    let config = Config::parse(SECRETS).unwrap().at_home(std::path::Path::new("/home/ana"));
    let second = std::time::Duration::from_secs;
    assert_eq!(
        config.store,
        Store {
            name: Some(Choice::File),
            file: Some("/home/ana/vault".into()),
            fallback: vec![Fallback::Libsecret],
            remember: Remember::Kernel,
            lifetime: Some(second(43_200)),
            idle: Some(second(0)),
        }
    );
    assert_eq!(config.secret_service.session, Session::Dh);
    assert_eq!(config.accounts[0].path.as_deref(), Some("acme"));
    assert_eq!(config.accounts[1].host, "h:8443");
    let of = |host: &str| Origin::new("https", host).unwrap();
    let exec = config.source(&of("git.test")).unwrap();
    assert_eq!((exec.from, exec.cache), (Some(Provider::Exec), Some(second(300))));
    assert!(config.source(&of("git.test:8443")).is_none());
    assert!(config.has_source(&of("bao.test:8443")) && !config.has_source(&of("bao.test")));
    assert_eq!(config.openbao.login, Some(Login::AppRole));
    let role = config.openbao.role_id_file.as_deref();
    assert_eq!(role, Some(std::path::Path::new("/home/ana/role")));
    assert_eq!(config.oauth(&of("ghe.test")).unwrap().scopes, ["repo"]);
    let audit = &config.audit;
    assert!(audit.enabled && audit.required && audit.file.is_some());
    assert!(Config::default().audit.enabled);
}

#[test]
fn the_user_gives_an_account_another_rule_than_the_system() {
    let one = |user| format!("[account.\"h/acme\"]\nusername = \"{user}\"\n");
    let both = Config::merge(Some(&one("bot")), Some(&one("ana"))).unwrap();
    assert_eq!(both.accounts.len(), 1);
    assert_eq!(both.accounts[0].user, "ana");
    let locked = format!("lock = ['account.\"h/acme\"']\n{}", one("bot"));
    let both = Config::merge(Some(&locked), Some(&one("ana"))).unwrap();
    assert_eq!(both.accounts[0].user, "bot");
}

#[test]
fn a_store_a_source_or_a_rule_that_says_too_little_is_refused() {
    for (text, what) in [
        ("[store]\nname = \"vault\"", "`store.name` must be \"agent\""),
        ("[store]\nlifetime = \"12\"", "`store.lifetime` must be a span of time"),
        ("[store]\nfallback = [\"x\"]", "`store.fallback` must be an array; there is"),
        ("[store]\nfile = \"vault\"", "`store.file` must be an absolute path"),
        ("[secret_service]\nsession = \"x\"", "`secret_service.session` must be \"plain\""),
        ("[account.\"h//x\"]\nusername = \"a\"", "`account`: its name must be `host`"),
        ("[account.h]\n", "`account.\"h\"` needs `username`"),
        ("[source.\"https://h\"]\n", "`source`: its name must be `host`"),
        ("[source.h]\n", "`source.\"h\"` needs `from`"),
        ("[source.h]\nfrom = \"x\"", "`source.\"h\".from` must be one of ci, env, exec"),
        ("[source.h]\nfrom = \"exec\"", "`source.\"h\"` needs `command`"),
        ("[source.h]\nfrom = \"github-app\"", "`source.\"h\"` needs `app_id`"),
        ("[source.h]\ncommand = [\"x\"]", "`source.\"h\".command` must be an array that"),
        ("[openbao]\naddress = \"bao\"", "`openbao.address` is wrong"),
        ("[openbao]\nlogin = \"x\"", "`openbao.login` must be \"approle\""),
        ("[oauth.h]\nmetadata = \"ftp://h\"", "`oauth.\"h\".metadata` must be an https"),
        ("[audit]\nrequired = 1", "`audit.required` must be a string"),
        ("[audit]\nrequired = \"x\"", "`audit.required` must be true or false"),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.what.starts_with(what), "{error}");
    }
}

#[test]
fn what_has_no_meaning_is_refused_with_its_key() {
    for (text, what) in [
        ("[proxy]\nupstream = [\"socks5://p\"]", "`proxy.upstream` is wrong: write socks5h://"),
        ("[proxy]\naccess_log = \"log\"", "`proxy.access_log` must be an absolute path"),
        ("[proxy]\npac = \"x\"", "`proxy.pac` is wrong: \"desktop\", \"wpad\""),
        ("[upstream.\"p:1\"]\nschemes = []", "`upstream.\"p:1\".schemes` must name at least"),
        ("[upstream.\"p:1\"]\nschemes = [\"kerberos\"]", "`upstream.\"p:1\".schemes` must be an"),
        ("[upstream.\"p:1\"]\nusrname = \"\"", "unknown key `upstream.\"p:1\".usrname`; did you"),
        ("[upstream.p]", "`upstream`: its name must be"),
        ("[upstream.\"http://p\"]\n[upstream.\"http://p:80\"]", "`upstream`: it is there twice"),
        ("upstream = 1", "`upstream` must be a table"),
        ("[proxi]", "unknown key `proxi`; did you mean `proxy`?"),
        ("[git]\nstore = 1", "`git.store` must be a string"),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.what.starts_with(what), "{error}");
    }
}
