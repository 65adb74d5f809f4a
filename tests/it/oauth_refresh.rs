//! A login that ends while many ask: one request renews it for all, whoever is killed meanwhile.
#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{
    goproxy_config::{Front, LIST, prepared},
    login::Desk,
    oauth::{by_device, get, password},
    proxy_lab::{report, status},
    support::{
        agent::Agent,
        eventually,
        home::{GOCRED, Home, Run},
        oidc::{Provider, Then},
    },
};

/// How many ask at once.
const MANY: usize = 100;

/// A hundred at once are enough for a keyring.
static TURN: Mutex<()> = Mutex::new(());

/// Somebody whose login has just ended.
struct Ended {
    _turn: MutexGuard<'static, ()>,
    desk: Desk,
    provider: Provider,
    before: String,
}

impl Ended {
    fn new() -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let desk = Desk::new()?;
        let options = json!({ "announce": 1, "lifetime": 4, "renewedLifetime": 3600 });
        let provider = Provider::start(options)?;
        by_device(&desk, &provider);
        let before = get(&desk, provider.issuer()).output().success();
        let before = password(&before).expect("not ended yet").to_owned();
        let got = SystemTime::now();
        eventually("the token ends", || {
            (got.elapsed().unwrap() > Duration::from_secs(5)).then_some(())
        });
        Some(Self { _turn: turn, desk, provider, before })
    }

    /// Starts many that ask.
    fn many(&self) -> Vec<Child> {
        many(&get(&self.desk, self.provider.issuer()), &self.desk.home, &self.provider)
    }

    /// Counts the answers that have a new token.
    fn answers(&self, children: Vec<Child>) -> usize {
        let run = get(&self.desk, self.provider.issuer());
        wait(children, &run, &self.provider)
            .into_iter()
            .filter(|token| *token != self.before)
            .count()
    }

    /// Prints what happened, and returns the requests and how often a token was used twice.
    fn told(&self, who: &str, answers: usize) -> (Vec<(u16, Option<String>)>, usize) {
        let renewals = self.provider.grants("refresh_token");
        let reuse = self.provider.events("grant.revoked");
        println!(
            "killed: {who}: {} requests, {answers} answers of {MANY}, {reuse} reuse",
            renewals.len()
        );
        (renewals, reuse)
    }
}

fn many(run: &Run, home: &Home, provider: &Provider) -> Vec<Child> {
    let (protocol, host) = provider.issuer().split_once("://").unwrap();
    let input = home.write("request", format!("protocol={protocol}\nhost={host}\n"));
    let start = |_| {
        let mut command = run.command();
        command.stdin(fs::File::open(&input).unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a helper")
    };
    (0..MANY).map(start).collect()
}

/// Waits for all, and returns the tokens of those who have an answer.
fn wait(children: Vec<Child>, run: &Run, provider: &Provider) -> Vec<String> {
    let (mut tokens, mut busy) = (Vec::new(), 0);
    for child in children {
        let output = child.wait_with_output().expect("an end");
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        match password(&answer) {
            Some(token) => tokens.push(token.to_owned()),
            // On a busy machine a hundred at once are too many for a keyring that has 1.65 s: such a
            // one has not even learnt that something has ended, and asks again.
            None if String::from_utf8_lossy(&output.stderr).contains("gocred[K17]") => busy += 1,
            None => println!("no answer: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    if busy > 0 {
        println!("the keyring was too busy for {busy}, who ask again");
    }
    for _ in 0..busy {
        let (_, host) = provider.issuer().split_once("://").unwrap();
        let request = format!("protocol=http\nhost={host}\n");
        let answer = run.clone().input(request).output();
        tokens.extend(password(&answer.out()).map(str::to_owned));
    }
    tokens
}

/// Finds the process that renews for a home.
fn worker(home: &Path) -> Option<Pid> {
    let home = format!("HOME={}\0", home.display());
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let folder = entry.path();
        let pid: i32 = folder.file_name()?.to_str()?.parse().ok()?;
        let command = fs::read(folder.join("cmdline")).ok()?;
        let is_one =
            command.starts_with(GOCRED.as_bytes()) && command.ends_with(b"\0renew-worker\0");
        let environ = fs::read(folder.join("environ")).unwrap_or_default();
        (is_one && String::from_utf8_lossy(&environ).contains(&home)).then(|| Pid::from_raw(pid))?
    })
}

fn parent(pid: Pid) -> Pid {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    Pid::from_raw(line.trim().parse().unwrap()).unwrap()
}

#[test]
fn a_hundred_ask_and_one_request_renews() {
    let Some(ended) = Ended::new() else { return };
    let answers = ended.answers(ended.many());
    let told = ended.told("nobody", answers);
    assert_eq!((told, answers), ((vec![(200, None)], 0), MANY));
}

#[test]
fn the_module_proxy_front_renews_once_for_all_that_go_asks_for() {
    let Some(ended) = Ended::new() else { return };
    let issuer = ended.provider.issuer();
    let front = Front::start(&prepared(ended.desk.run(&[])).args(["--goproxy-upstream", issuer]));
    thread::scope(|scope| {
        for _ in 0..8 {
            // It is no module proxy, and says so with 404.
            scope.spawn(|| assert_eq!(status(&front.get(LIST)), "404"));
        }
    });
    assert_eq!(ended.provider.grants("refresh_token"), [(200, None)]);
    let report = report(&ended.desk.home);
    assert_eq!(report["goproxy"]["upstreams"][0]["credential"], "accepted", "{report}");
}

#[test]
fn the_killed_asker_is_the_only_one_without_an_answer() {
    let Some(ended) = Ended::new() else { return };
    let home = ended.desk.home.path().to_owned();
    ended.provider.at_token(move || {
        let worker = worker(&home).expect("who asks for the token");
        kill_process(parent(worker), Signal::KILL).expect("killed");
        Then::Forward
    });
    let answers = ended.answers(ended.many());
    let told = ended.told("the asker who started it", answers);
    assert_eq!((told, answers), ((vec![(200, None)], 0), MANY - 1));
}

#[test]
fn a_worker_that_is_killed_before_the_server_hears_of_it_is_replaced() {
    let Some(ended) = Ended::new() else { return };
    let home = ended.desk.home.path().to_owned();
    ended.provider.at_token(move || {
        kill_process(worker(&home).expect("a worker"), Signal::KILL).expect("killed");
        Then::Drop
    });
    let answers = ended.answers(ended.many());
    let told = ended.told("the worker before it sends", answers);
    assert_eq!((told, answers), ((vec![(200, None)], 0), MANY));
}

#[test]
fn a_killed_agent_costs_nobody_an_answer() {
    let Some(ended) = Ended::new() else { return };
    let agent = Agent::start(ended.desk.run(&[]));
    let pid = Pid::from_child(&agent.child);
    ended.provider.at_token(move || {
        kill_process(pid, Signal::KILL).expect("killed");
        Then::Forward
    });
    let answers = ended.answers(ended.many());
    let told = ended.told("the agent", answers);
    assert_eq!((told, answers), ((vec![(200, None)], 0), MANY));
}

#[test]
fn a_login_in_the_encrypted_file_is_renewed_once_too() {
    let desk = super::vault::Desk::new();
    let options = json!({ "announce": 1, "lifetime": 4, "renewedLifetime": 3600 });
    let Some(provider) = Provider::start(options) else { return };
    sign_in_to_file(&desk, &provider);
    let (protocol, host) = provider.issuer().split_once("://").unwrap();
    let request = format!("protocol={protocol}\nhost={host}\n");
    let answers = thread::scope(|scope| {
        let ask = || desk.helper("get", &request);
        let asked: [_; 4] = std::array::from_fn(|_| scope.spawn(ask));
        asked.map(|asked| asked.join().expect("an answer"))
    });
    for answer in answers {
        assert!(password(&answer.out()).is_some(), "{answer:?}");
    }
    assert_eq!(provider.grants("refresh_token"), [(200, None)]);
}

#[test]
fn an_agent_that_alone_holds_the_key_of_the_file_is_not_kept_from_giving_it() {
    let desk = super::vault::Desk::new();
    let options = json!({ "announce": 1, "lifetime": 4, "renewedLifetime": 3600 });
    let Some(provider) = Provider::start(options) else { return };
    sign_in_to_file(&desk, &provider);
    let _agent = Agent::start(desk.home.gocred());
    desk.gocred(&["unlock"]).success();
    // Nobody knows the passphrase from here on.
    let run = desk.home.helper().arg("get");
    let answers = wait(many(&run, &desk.home, &provider), &run, &provider);
    assert_eq!(answers.len(), MANY);
    assert_eq!(provider.grants("refresh_token"), [(200, None)]);
}

fn sign_in_to_file(desk: &super::vault::Desk, provider: &Provider) {
    let arguments = ["login", provider.issuer(), "--allow-http", "--store", "file", "--device"];
    let run = desk.run(GOCRED).args(arguments).args(["--client-id", "gocred"]);
    let mut login = super::oauth::Login::start(&run);
    provider.browser("approve", &login.url("user_code="));
    let ended = login.ends();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let got = SystemTime::now();
    eventually("the token ends", || {
        (got.elapsed().unwrap() > Duration::from_secs(5)).then_some(())
    });
}

#[test]
fn a_failure_on_the_way_is_told_and_tried_again() {
    let Some(Ended { _turn, desk, provider, .. }) = Ended::new() else { return };
    provider.at_token(|| Then::Drop);
    let first = get(&desk, provider.issuer()).output();
    assert!(first.err().contains("gocred[K26]"), "{first:?}");
    assert!(password(&first.out()).is_none(), "{first:?}");
    let renewed = get(&desk, provider.issuer()).output().success();
    assert!(password(&renewed).is_some(), "{renewed}");
    let folder = desk.home.state().join("gocred/renew");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "a lock and an outcome");
    desk.run(&["logout", provider.issuer()]).output().success();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

/// What no client can help where each renewal gives a new refresh token: the only copy of it is gone.
#[test]
fn an_answer_that_is_lost_ends_the_login_and_is_told_for_what_it_is() {
    let Some(Ended { _turn, desk, provider, .. }) = Ended::new() else { return };
    provider.at_token(|| Then::Lose);
    let lost = get(&desk, provider.issuer()).output();
    assert!(lost.err().contains("gocred[K26]"), "{lost:?}");
    for _ in 0..2 {
        let over = get(&desk, provider.issuer()).output();
        assert!(over.err().contains("gocred[A32]"), "{over:?}");
        assert!(over.err().contains("an earlier answer may have been lost"), "{over:?}");
    }
    let grants = provider.grants("refresh_token");
    assert_eq!(grants, [(200, None), (400, Some("invalid_grant".to_owned()))]);
}

#[test]
fn a_login_that_the_server_does_not_know_is_told_and_not_asked_for_again() {
    let Some(Ended { _turn, desk, mut provider, .. }) = Ended::new() else { return };
    provider.restart();
    for _ in 0..3 {
        let output = get(&desk, provider.issuer()).output();
        assert!(output.err().contains("gocred[A32]"), "{output:?}");
        let place = provider.issuer().split_once("://").unwrap().1;
        assert!(output.err().contains(&format!("run: gocred login {place}")), "{output:?}");
        assert_eq!(output.out(), "");
    }
    let refused = (400, Some("invalid_grant".to_owned()));
    assert_eq!(provider.grants("refresh_token"), [refused]);
    // A new login is another one, and begins anew.
    by_device(&desk, &provider);
    assert!(password(&get(&desk, provider.issuer()).output().success()).is_some());
}
