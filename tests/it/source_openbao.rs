//! `OpenBao`, the real server: every login, both versions of its key-value engine, leases of an engine that
//! makes credentials, and each way in which there is none, with a code of its own.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    agent::Agent,
    bao::{Bao, ROOT},
    developer::{Developer, UPSTREAM},
    eventually,
    git::quiet,
    go::Release,
    home::{GOCRED, HELPER, Home, Output},
    lab::Lab,
    program,
    server::{self, Server},
};
use gocred::sys::clock;

const HOST: &str = "git.corp.test";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const PATH: &str = "secret/data/git/git.corp.test";
const ANSWER: &str = "username=ana\npassword=hunter2\n";

/// A home whose only source of credentials is a server.
struct Runner {
    home: Home,
    bao: Bao,
}

impl Runner {
    /// Starts a server that has ana's password. `None`: skipped, and said so.
    fn new() -> Option<Self> {
        Some(Self::at(Bao::start()?))
    }

    fn at(bao: Bao) -> Self {
        bao.say(["kv", "put", "secret/git/git.corp.test", "username=ana", "password=hunter2"]);
        bao.policy("git", "secret/data/git/*");
        Self { home: Home::new(), bao }
    }

    /// Writes the configuration: what stands in `[openbao]` beside the address, and in the source.
    fn configure(&self, openbao: &str, source: &str) {
        let address = self.bao.address();
        let text = format!(
            "[openbao]\naddress = \"{address}\"\n{openbao}\n\
             [source.\"{HOST}\"]\nfrom = \"openbao\"\n{source}\n"
        );
        self.home.write(".config/gocred/config.toml", text);
    }

    /// Writes a secret into a file that nobody else may read.
    fn secret(&self, name: &str, text: &str) -> PathBuf {
        let file = self.home.write(name, text);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("0600");
        file
    }

    /// Configures a login by token.
    fn by_token(&self, token: &str) {
        let file = self.secret("token", token);
        let login = format!("login = \"token\"\ntoken_file = \"{}\"", file.display());
        self.configure(&login, "path = \"secret/data/git/{host}\"");
    }

    /// Configures a login by role.
    fn by_role(&self, role: &str, secret: &str, source: &str) {
        let (role, secret) = (self.secret("role", role), self.secret("secret", secret));
        let login = format!(
            "login = \"approle\"\nrole_id_file = \"{}\"\nsecret_id_file = \"{}\"",
            role.display(),
            secret.display()
        );
        self.configure(&login, source);
    }

    fn get(&self) -> Output {
        self.home.helper().arg("get").input(ASK).output()
    }

    /// Expects an error with this code and words, and nothing else that git could take for an answer.
    fn fails(&self, code: &str, what: &str) {
        let output = self.get();
        let err = output.err();
        assert!(err.starts_with(&format!("gocred[{code}]: {HOST}: ")), "{err}");
        assert!(err.contains(what) && err.lines().count() == 1, "{err}");
        assert!(!err.contains("hunter2") && !err.contains(ROOT), "{err}");
        assert_eq!(output.success(), "");
    }
}

#[test]
fn both_versions_of_the_key_value_engine_are_read_with_names_of_fields() {
    let Some(runner) = Runner::new() else { return };
    let token = runner.bao.say(["token", "create", "-policy=git", "-field=token"]);
    runner.by_token(&token);
    assert_eq!(quiet(runner.get()), ANSWER);
    let bao = &runner.bao;
    bao.say(["secrets", "enable", "-version=1", "-path=old", "kv"]);
    bao.say(["kv", "put", "old/team", "login=bot", "token=t0ken", "number=7"]);
    let file = runner.secret("token", ROOT);
    let login = format!("login = \"token\"\ntoken_file = \"{}\"", file.display());
    let source = "path = \"old/team\"\nuser = \"login\"\nsecret = \"token\"";
    runner.configure(&login, source);
    assert_eq!(quiet(runner.get()), "username=bot\npassword=t0ken\n");
    // Another account is another question, and another port another origin.
    for ask in [
        "protocol=https\nhost=git.corp.test\nusername=ana\n",
        "protocol=https\nhost=git.corp.test:8443\n",
        "protocol=https\nhost=git.corp.test.evil.test\n",
        "protocol=http\nhost=git.corp.test\n",
    ] {
        assert_eq!(runner.home.helper().arg("get").input(ask).output().success(), "", "{ask}");
    }
    runner.configure(&login, "path = \"old/team\"\nuser = \"login\"\nsecret = \"pin\"");
    runner.fails("K23", "no text in the field `pin` (fields: login, number, token)");
}

#[test]
fn each_reason_has_its_own_code_and_says_what_it_is() {
    let Some(runner) = Runner::new() else { return };
    let bao = &runner.bao;
    let token = bao.say(["token", "create", "-policy=git", "-field=token"]);
    runner.by_token(&token);
    let login = format!(
        "login = \"token\"\ntoken_file = \"{}\"",
        runner.home.path().join("token").display()
    );
    let at = |path: &str| runner.configure(&login, &format!("path = \"{path}\""));
    at("secret/data/other");
    runner.fails("K21", "does not let us read secret/data/other");
    at("secret/data/git/none");
    runner.fails("K29", "has nothing at secret/data/git/none");
    bao.say(["kv", "put", "secret/git/old", "password=hunter2"]);
    bao.say(["kv", "delete", "secret/git/old"]);
    at("secret/data/git/old");
    runner.fails("K29", "its last version was deleted");
    bao.policy("git", "secret/*");
    at("secret/git/git.corp.test");
    runner.fails("K29", "the path there is `secret/data/git/git.corp.test`");
    at("secret/data/../x");
    runner.fails("K23", "is no path of OpenBao");
    at(PATH);
    assert_eq!(quiet(runner.get()), ANSWER);
    bao.say(["token", "revoke", &token]);
    runner.fails("K28", "it was revoked");
    runner.by_token(ROOT);
    bao.say(["operator", "seal"]);
    runner.fails("K22", "is sealed");
    runner.configure("login = \"token\"\ntoken_file = \"/none\"", &format!("path = \"{PATH}\""));
    runner.fails("K28", "/none: there is no such file");
    runner.configure("", &format!("path = \"{PATH}\""));
    runner.fails("K23", "`openbao.login` is not set");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hung = silent.local_addr().expect("it");
    for (address, code, what) in [
        (format!("http://{closed}"), "K24", "cannot be reached"),
        (format!("http://{hung}"), "K30", "does not answer in time"),
        ("http://bao.corp.test:8200".to_owned(), "K23", "must be https://"),
    ] {
        let text = format!(
            "[openbao]\naddress = \"{address}\"\n{login}\n\
             [source.\"{HOST}\"]\nfrom = \"openbao\"\npath = \"{PATH}\"\n"
        );
        runner.home.write(".config/gocred/config.toml", text);
        let start = Instant::now();
        runner.fails(code, what);
        assert!(start.elapsed() < Duration::from_secs(9), "{code}");
    }
}

#[test]
fn a_role_logs_in_once_for_all_who_ask_the_agent() {
    let Some(runner) = Runner::new() else { return };
    let role = runner.bao.role("ci", "git", "secret_id_num_uses=1");
    let secret = runner.bao.secret_id("ci");
    runner.by_role(&role, &secret, "path = \"secret/data/git/{host}\"");
    // Nothing is kept between the questions of processes without an agent.
    assert_eq!(quiet(runner.get()), ANSWER);
    runner.fails("K28", "refuses the login by approle (400): invalid role or secret ID");
    runner.secret("secret", &runner.bao.secret_id("ci"));
    let _agent = Agent::start(runner.home.run(GOCRED));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(quiet(runner.get()), ANSWER));
        }
    });
    // go is answered from the same memory.
    let goauth = runner.home.gocred().arg("goauth").env("GOPRIVATE", HOST).output();
    let authorization = "Authorization: Basic YW5hOmh1bnRlcjI=";
    let expected = format!("https://{HOST}\n\n{authorization}\n\n");
    assert_eq!(quiet(goauth), expected);
    let url = format!("https://{HOST}/team/lib?go-get=1");
    let refused = runner.home.gocred().args(["goauth", &url]).output();
    assert_eq!(quiet(refused), format!("https://{HOST}\n{url}\n\n{authorization}\n\n"));
    let other = runner.home.gocred().args(["goauth", "https://other.test/x"]).output();
    assert_eq!(other.success(), "");
    // What go was refused with is asked for anew, where go had it.
    let put = ["kv", "put", "secret/git/git.corp.test", "username=ana", "password=n3w"];
    runner.bao.say(put);
    let again = runner.home.gocred().args(["goauth", &url]).env("GOPRIVATE", HOST);
    let again = again.input("HTTP/1.1 401 Unauthorized\r\n\r\n").output();
    assert!(again.success().contains("Basic YW5hOm4zdw=="));
    // A locked agent forgets it, and the secret id is used up.
    runner.home.gocred().arg("lock").output().success();
    runner.fails("K28", "invalid role or secret ID");
}

#[test]
fn what_a_server_rejects_is_fetched_anew_and_nothing_is_stored_or_hidden() {
    let Some(runner) = Runner::new() else { return };
    runner.by_token(ROOT);
    let _agent = Agent::start(runner.home.run(GOCRED));
    assert_eq!(quiet(runner.get()), ANSWER);
    let put = ["kv", "put", "secret/git/git.corp.test", "username=ana", "password=n3w"];
    runner.bao.say(put);
    assert_eq!(quiet(runner.get()), ANSWER, "it is kept for five minutes");
    let say = |operation: &str, secret: &str| {
        let input = format!("{ASK}username=ana\npassword={secret}\n");
        quiet(runner.home.helper().arg(operation).input(input).output())
    };
    say("store", "hunter2");
    say("erase", "another");
    assert_eq!(quiet(runner.get()), ANSWER, "that was not ours");
    say("erase", "hunter2");
    assert_eq!(quiet(runner.get()), "username=ana\npassword=n3w\n");
    let state: Vec<_> = fs::read_dir(runner.home.state()).expect("a folder").flatten().collect();
    assert!(state.iter().all(|entry| !entry.path().join("hosts").exists()), "{state:?}");
}

#[test]
fn a_token_that_was_revoked_is_replaced_by_a_new_login() {
    let Some(runner) = Runner::new() else { return };
    let role = runner.bao.role("ci", "git", "token_ttl=1h");
    let secret = runner.bao.secret_id("ci");
    runner.by_role(&role, &secret, "path = \"secret/data/git/{host}\"\ncache = \"0s\"");
    let _agent = Agent::start(runner.home.run(GOCRED));
    assert_eq!(quiet(runner.get()), ANSWER);
    let accessors = || runner.bao.say(["list", "auth/token/accessors"]).lines().count();
    let before = accessors();
    assert_eq!(quiet(runner.get()), ANSWER);
    assert_eq!(accessors(), before, "the same token");
    runner.bao.say(["token", "revoke", "-mode=path", "auth/approle"]);
    assert_eq!(accessors(), before - 1);
    assert_eq!(quiet(runner.get()), ANSWER);
    assert_eq!(accessors(), before);
}

#[test]
fn a_token_is_renewed_before_it_ends_and_a_secret_outlives_a_server_that_is_sealed() {
    let Some(runner) = Runner::new() else { return };
    let role = runner.bao.role("ci", "git", "token_ttl=10s");
    let secret = runner.bao.secret_id("ci");
    runner.by_role(&role, &secret, "path = \"secret/data/git/{host}\"\ncache = \"0s\"");
    let _agent = Agent::start(runner.home.run(GOCRED));
    assert_eq!(quiet(runner.get()), ANSWER);
    // Without its secret, only a renewal keeps it alive.
    runner.secret("secret", "used up");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(12) {
        assert_eq!(quiet(runner.get()), ANSWER, "after {:?}", start.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    // What is kept is answered also when nobody could be asked.
    runner.configure(
        &format!("login = \"token\"\ntoken_file = \"{}\"", runner.secret("token", ROOT).display()),
        "path = \"secret/data/git/{host}\"",
    );
    assert_eq!(quiet(runner.get()), ANSWER);
    runner.bao.say(["operator", "seal"]);
    assert_eq!(quiet(runner.get()), ANSWER);
}

/// An engine that makes an account for each who asks: the `RabbitMQ` engine, whose broker is a stand-in
/// that takes every request (rabbitmq.com, "HTTP API Reference": 204 for what is put and deleted).
fn with_leases(bao: &Bao) -> Server {
    let broker = Server::start(|request| match request.method.as_str() {
        "GET" => "200 OK\r\nContent-Type: application/json\r\n\r\n[]".to_owned(),
        _ => "204 No Content".to_owned(),
    });
    bao.say(["secrets", "enable", "rabbitmq"]);
    let uri = format!("connection_uri=http://{}", broker.authority());
    let login = ["username=admin", "password=admin", "verify_connection=false"];
    let [user, password, verify] = login;
    bao.say(["write", "rabbitmq/config/connection", &uri, user, password, verify]);
    bao.say(["write", "rabbitmq/roles/git", "tags=x"]);
    broker
}

#[test]
fn a_credential_with_a_lease_is_given_until_most_of_its_life_is_over() {
    let Some(runner) = Runner::new() else { return };
    let broker = with_leases(&runner.bao);
    runner.bao.say(["write", "rabbitmq/config/lease", "ttl=8s", "max_ttl=8s"]);
    let file = runner.secret("token", ROOT);
    let login = format!("login = \"token\"\ntoken_file = \"{}\"", file.display());
    runner.configure(&login, "path = \"rabbitmq/creds/git\"");
    let _agent = Agent::start(runner.home.run(GOCRED));
    let start = Instant::now();
    // A machine that is too busy for the agent to say something in time has the helper fetch one itself,
    // and such a one comes once only.
    let twice = || {
        let answer = quiet(runner.get());
        (quiet(runner.get()) == answer).then_some(answer)
    };
    let first = eventually("an account that is kept", twice);
    assert!(first.contains("\npassword_expiry_utc="), "{first}");
    eventually("another account", || twice().filter(|answer| *answer != first));
    assert!(start.elapsed() > Duration::from_secs(3), "{:?}", start.elapsed());
    let made = broker.seen().iter().filter(|it| it.target.starts_with("/api/users/")).count();
    assert!(made >= 2, "{made}");
    // It ends with the token that it was made for.
    runner.bao.say(["write", "rabbitmq/config/lease", "ttl=1h", "max_ttl=1h"]);
    let role = runner.bao.role("short", "leases", "token_ttl=2m");
    runner.bao.policy("leases", "rabbitmq/creds/git");
    let secret = runner.bao.secret_id("short");
    runner.by_role(&role, &secret, "path = \"rabbitmq/creds/git\"");
    let answer = quiet(runner.get());
    let (_, end) = answer.split_once("password_expiry_utc=").expect("an end");
    let end: u64 = end.trim().parse().expect("a number");
    assert!((100..=120).contains(&end.saturating_sub(clock::now())), "{answer}");
}

/// Starts an issuer whom a server trusts, and returns what it says of a job: a signed statement. It is
/// `OpenBao`'s own, a second server: keys, discovery and signatures are real.
fn issuer_of(bao: &Bao) -> Option<(Bao, String)> {
    let issuer = Bao::start()?;
    let url = issuer.address();
    issuer.say(["write", "identity/oidc/config", &format!("issuer={url}")]);
    issuer.say(["write", "identity/oidc/key/ci", "allowed_client_ids=*"]);
    issuer.say(["write", "identity/oidc/role/job", "key=ci", "ttl=5m", "client_id=bao.corp.test"]);
    issuer.say(["write", "identity/entity", "name=job"]);
    let entity = issuer.say(["read", "-field=id", "identity/entity/name/job"]);
    issuer.say(["auth", "enable", "userpass"]);
    issuer.policy("jobs", "identity/oidc/token/job");
    issuer.say(["write", "auth/userpass/users/job", "password=p", "token_policies=jobs"]);
    let methods = issuer.say(["auth", "list", "-format=json"]);
    let accessor = methods.split("auth_userpass_").nth(1).expect("an accessor");
    let accessor = format!("auth_userpass_{}", accessor.split('"').next().expect("its end"));
    let (accessor, entity) =
        (format!("mount_accessor={accessor}"), format!("canonical_id={entity}"));
    issuer.say(["write", "identity/entity-alias", "name=job", &accessor, &entity]);
    let login = ["write", "-field=token", "auth/userpass/login/job", "password=p"];
    let token = issuer.say(login);
    let read = issuer.run(["read", "-field=token", "identity/oidc/token/job"]);
    let statement = read.env("BAO_TOKEN", token).output().success().trim().to_owned();
    bao.say(["auth", "enable", "jwt"]);
    let discovery = format!("oidc_discovery_url={url}/v1/identity/oidc");
    let bound = format!("bound_issuer={url}/v1/identity/oidc");
    bao.say(["write", "auth/jwt/config", &discovery, &bound]);
    let (kind, audience) = ("role_type=jwt", "bound_audiences=bao.corp.test");
    let role = "auth/jwt/role/job";
    bao.say(["write", role, kind, audience, "user_claim=sub", "policies=git"]);
    Some((issuer, statement))
}

#[test]
fn what_a_command_was_lent_is_given_back_at_its_end() {
    let Some(runner) = Runner::new() else { return };
    let broker = with_leases(&runner.bao);
    runner.bao.say(["write", "rabbitmq/config/lease", "ttl=1h", "max_ttl=1h"]);
    runner.bao.policy("leases", "rabbitmq/creds/git");
    let role = runner.bao.role("job", "leases", "token_ttl=1h");
    let secret = runner.bao.secret_id("job");
    runner.by_role(&role, &secret, "path = \"rabbitmq/creds/git\"");
    let accessors = || runner.bao.say(["list", "auth/token/accessors"]).lines().count();
    let before = accessors();
    let fill = format!("printf '{}' | {HELPER} get", ASK.replace('\n', "\\n"));
    let run = |script: String| {
        quiet(runner.home.gocred().args(["exec", "--", "sh", "-c", &script]).output())
    };
    let out = run(format!("{fill}; {fill}"));
    assert_eq!(out.matches("password=").count(), 2, "{out}");
    assert_eq!(accessors(), before);
    let targets = |method: &str| {
        let seen = broker.seen();
        let of_users = seen.iter().filter(|it| it.method == method);
        of_users.filter(|it| it.target.starts_with("/api/users/")).count()
    };
    assert_eq!(targets("PUT"), 1);
    // It does that in its own time.
    eventually("the account is gone", || (targets("DELETE") == 1).then_some(()));
}

#[test]
fn a_job_logs_in_with_what_a_live_issuer_says_of_it() {
    let Some(runner) = Runner::new() else { return };
    let Some((_issuer, statement)) = issuer_of(&runner.bao) else { return };
    let source = "path = \"secret/data/git/{host}\"";
    let file = runner.secret("jwt", &statement);
    let login = format!("login = \"jwt\"\nrole = \"job\"\njwt_file = \"{}\"", file.display());
    runner.configure(&login, source);
    assert_eq!(quiet(runner.get()), ANSWER);
    runner.secret("jwt", &format!("{statement}x"));
    runner.fails("K28", "refuses the login by jwt (400)");

    runner.configure("login = \"jwt\"\nrole = \"job\"\njwt_variable = \"BAO_ID_TOKEN\"", source);
    let get = runner.home.helper().arg("get").input(ASK);
    assert_eq!(quiet(get.env("BAO_ID_TOKEN", &statement).output()), ANSWER);
    runner.fails("K28", "the variable BAO_ID_TOKEN");
}

/// The token service of GitHub's runner is a stand-in written from its documentation.
#[test]
fn a_job_of_github_logs_in_with_what_its_runner_says_of_it() {
    let Some(runner) = Runner::new() else { return };
    let Some((_issuer, said)) = issuer_of(&runner.bao) else { return };
    if server::certificate(&runner.home).is_none() {
        return;
    }
    let service = Server::tls(&runner.home, move |request| {
        let is_job = request.field("authorization") == Some("Bearer of-the-job")
            && request.target == "/token?api-version=2.0&audience=bao.corp.test";
        if is_job {
            format!("200 OK\r\nContent-Type: application/json\r\n\r\n{{\"value\":\"{said}\"}}")
        } else {
            "401 Unauthorized".to_owned()
        }
    });
    let login = "login = \"jwt\"\nrole = \"job\"\naudience = \"bao.corp.test\"";
    runner.configure(login, "path = \"secret/data/git/{host}\"");
    let get = |token: &str, scheme: &str| {
        let url = format!("{scheme}://{}/token?api-version=2.0", service.authority());
        let get = runner.home.helper().arg("get").input(ASK);
        get.env("ACTIONS_ID_TOKEN_REQUEST_URL", url)
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)
            .env("SSL_CERT_FILE", runner.home.path().join("ca.pem"))
            .output()
    };
    assert_eq!(quiet(get("of-the-job", "https")), ANSWER);
    let err = get("another", "https").err();
    assert!(err.contains("K28") && err.contains("answers 401"), "{err}");
    assert!(get("of-the-job", "http").err().contains("goes to https:// only"));
    runner.fails("K28", "there is nothing to log in to OpenBao with");
}

#[test]
fn a_server_with_a_private_authority_is_reached_and_another_one_is_not() {
    let Some(bao) = Bao::tls() else { return };
    let runner = Runner::at(bao);
    let file = runner.secret("token", ROOT);
    let login = format!("login = \"token\"\ntoken_file = \"{}\"", file.display());
    let source = "path = \"secret/data/git/{host}\"";
    runner.configure(&login, source);
    runner.fails("K24", "nobody that is trusted signed the certificate");
    let ca = runner.bao.authority();
    runner.configure(&format!("{login}\nca = \"{}\"", ca.display()), source);
    assert_eq!(quiet(runner.get()), ANSWER);
}

#[test]
fn it_is_reached_through_the_corporate_proxy() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(developer) = Developer::new(&lab, Release::Go127) else { return };
    let Some(bao) = Bao::in_lab(&lab) else { return };
    let account = lab.account("GIT");
    let user = format!("username={}", account.user);
    let put = bao.run(["kv", "put", "secret/git/git.corp.test", &user, "password=-"]);
    put.input(account.secret).output().success();
    let token = developer.home.write("token", bao.token());
    fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("0600");
    let text = format!(
        "[proxy]\nupstream = [\"{UPSTREAM}\"]\nallow = [\"127.77.0.0/16\"]\n\
         [openbao]\naddress = \"{}\"\nlogin = \"token\"\ntoken_file = \"{}\"\n\
         [source.\"git.corp.test\"]\nfrom = \"openbao\"\npath = \"secret/data/git/{{host}}\"\n",
        bao.address(),
        token.display()
    );
    developer.home.write(".config/gocred/config.toml", text);
    let refused = developer.run(HELPER, &["get"], ASK);
    assert!(refused.err().contains("gocred[K24]: git.corp.test: "), "{refused:?}");
    assert!(refused.err().contains("login --proxy"), "{refused:?}");
    developer.login(&lab, "PROXY", &["--proxy", UPSTREAM]).success();
    lab.forget();
    let answer = developer.run(HELPER, &["get"], ASK).success();
    assert!(answer.starts_with(&format!("username={}\npassword=", account.user)), "{answer}");
    let tunnels = eventually("squid logs the tunnel", || {
        let tunnels = lab.tunnels();
        tunnels.iter().any(|tunnel| tunnel.status == 200).then_some(tunnels)
    });
    assert!(tunnels.iter().all(|it| it.target == "bao.corp.test:8200"), "{tunnels:?}");
}

#[test]
fn a_namespace_is_said_with_every_request() {
    let Some(runner) = Runner::new() else { return };
    let bao = &runner.bao;
    bao.say(["namespace", "create", "team"]);
    bao.say(["secrets", "enable", "-namespace=team", "-version=2", "-path=secret", "kv"]);
    let put = ["kv", "put", "-namespace=team", "secret/git/git.corp.test", "password=of-team"];
    bao.say(put);
    let file = runner.secret("token", ROOT);
    let login =
        format!("login = \"token\"\ntoken_file = \"{}\"\nnamespace = \"team\"", file.display());
    runner.configure(&login, "path = \"secret/data/git/{host}\"");
    assert_eq!(quiet(runner.get()), "username=\npassword=of-team\n");
}

#[test]
fn with_openbao_as_the_store_no_store_of_this_machine_is_opened() {
    let Some(strace) = program("strace", "strace") else { return };
    let Some(runner) = Runner::new() else { return };
    runner.by_token(ROOT);
    let log = runner.home.path().join("trace");
    let run = |ask: &str| {
        let helper = runner.home.helper().arg("get").input(ask);
        let helper = helper
            .env("GOCRED_STORE", "openbao")
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/no-such-bus");
        helper.traced(strace.clone(), "openat,open,connect,add_key,keyctl", &log).output()
    };
    assert_eq!(quiet(run(ASK)), ANSWER);
    let trace = fs::read_to_string(&log).expect("a trace");
    for store in ["no-such-bus", "vault", "add_key", "keyctl", "keyrings"] {
        assert!(!trace.contains(store), "{store}: {trace}");
    }
    assert_eq!(quiet(run("protocol=https\nhost=other.test\n")), "");
    let trace = fs::read_to_string(&log).expect("a trace");
    assert!(!trace.contains("no-such-bus") && !trace.contains("gocred/vault"), "{trace}");
    // What is put there is not put by us.
    let other = ["login", "other.test", "--username", "ana", "--with-token"];
    let login = runner.home.gocred().args(other);
    let login = login.env("GOCRED_STORE", "openbao").input("hunter2").output();
    assert_eq!(login.code, Some(7), "{login:?}");
    assert!(login.err().contains("bao kv put"), "{login:?}");
}
