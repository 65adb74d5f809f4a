//! The handle that the proxy asks: answers that are kept, runs that are shared, and an engine that is
//! ended and comes back.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use gocred::{
    core::{
        config::{PacSource, Upstream},
        pac::question::Question,
    },
    net::pac::{Autoconfig, Error, Failure, Found, Pac, Program, ReloadError, Reloaded},
    sys::env::Env,
};

use crate::support::{
    home::{GOCRED, Home},
    program as program_of_the_system,
};

fn program() -> Program {
    Program { path: GOCRED.into(), arguments: vec!["proxy", "pac-engine"], zone: None }
}

fn question(target: &str) -> Question {
    Question::parse(target).expect("a target").0
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

#[test]
fn an_answer_is_kept_for_its_url_until_the_network_changes() {
    run(async {
        let script = "var n = 0; FindProxyForURL = (url) => 'PROXY p:' + (++n)";
        let pac = Pac::start(script.into(), program()).await.expect("a script");
        let find = async |target: &str| pac.find(&question(target)).await.expect("an answer");
        assert_eq!(find("https://h/a").await, "PROXY p:1");
        // The script does not see the path of https, so that it cannot depend on it.
        assert_eq!(find("https://h/b").await, "PROXY p:1");
        assert_eq!(find("https://h:8443/").await, "PROXY p:2");
        assert_eq!(find("http://h/a").await, "PROXY p:3");
        assert_eq!(find("http://h/b").await, "PROXY p:4");
        assert_eq!(find("http://h/a").await, "PROXY p:3");
        pac.forget();
        assert_eq!(find("https://h/a").await, "PROXY p:5");
        assert_eq!(pac.explain(&question("h")).await.expect("an answer").text, "PROXY p:6");
        // A URL that is too long to be kept is asked for each time.
        let long = format!("http://h/{}", "x".repeat(2000));
        assert_eq!(find(&long).await, "PROXY p:7");
        assert_eq!(find(&long).await, "PROXY p:8");
    });
}

#[test]
fn many_that_ask_the_same_wait_for_one_run() {
    run(async {
        let script = "var n = 0; FindProxyForURL = (url, host) => { isResolvable(host); return String(++n) }";
        let pac =
            std::sync::Arc::new(Pac::start(script.into(), program()).await.expect("a script"));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let pac = std::sync::Arc::clone(&pac);
            tasks.spawn(async move { pac.find(&question("localhost")).await });
        }
        while let Some(answer) = tasks.join_next().await {
            assert_eq!(answer.expect("a task"), Ok("1".to_owned()));
        }
    });
}

#[test]
fn no_more_answers_are_kept_than_there_is_room_for() {
    run(async {
        let script = "FindProxyForURL = (url, host) => 'PROXY ' + host";
        let pac = Pac::start(script.into(), program()).await.expect("a script");
        for number in 0..1500 {
            let host = format!("h{number}");
            assert_eq!(pac.find(&question(&host)).await, Ok(format!("PROXY {host}")));
        }
    });
}

#[test]
fn a_run_that_is_ended_costs_neither_the_proxy_nor_the_next_question() {
    run(async {
        let script = "FindProxyForURL = (url, host) => {
            if (host == 'loop.test') for (;;);
            if (host == 'step.test') return '' + 'a'.repeat(1 << 23).indexOf('a'.repeat(1 << 22) + 'b');
            if (host == 'deep.test') return FindProxyForURL(url, host) + 1;
            if (host == 'much.test') for (var a = ['x'];;) a.push(a.join('y'));
            if (host == 'names.test') for (var i = 0;; i++) isResolvable('n' + i + '.invalid');
            return 'PROXY p:1';
        }";
        let pac = Pac::start(script.into(), program()).await.expect("a script");
        for round in 0..2 {
            for (host, error) in [
                ("loop.test", Error::Time),
                ("step.test", Error::Ended),
                ("deep.test", Error::Stack),
                ("much.test", Error::Memory),
                ("names.test", Error::Names),
            ] {
                assert_eq!(pac.find(&question(host)).await, Err(error), "{host}");
                assert_eq!(pac.find(&question(&format!("h{round}"))).await, Ok("PROXY p:1".into()));
            }
            // The second round finds the errors kept.
            let start = Instant::now();
            assert_eq!(pac.find(&question("loop.test")).await, Err(Error::Time));
            assert!(start.elapsed() < Duration::from_millis(40), "{:?}", start.elapsed());
        }
    });
}

#[test]
fn a_question_that_is_dropped_leaves_an_engine_behind_that_answers() {
    run(async {
        let script =
            "FindProxyForURL = (url, host) => { while (host == 'slow.test'); return 'DIRECT' }";
        let pac = Pac::start(script.into(), program()).await.expect("a script");
        for _ in 0..3 {
            let slow = question("slow.test");
            let dropped = tokio::time::timeout(Duration::from_millis(5), pac.explain(&slow)).await;
            assert!(dropped.is_err(), "{dropped:?}");
            assert_eq!(pac.explain(&question("h")).await.expect("an answer").text, "DIRECT");
        }
    });
}

#[test]
fn names_are_resolved_outside_and_said() {
    run(async {
        let script = "var here = dnsResolve('localhost');
            FindProxyForURL = (url, host) => here + ' ' + isInNet(host, '127.0.0.0', '255.0.0.0') + dnsResolveEx('localhost')";
        let pac = Pac::start(script.into(), program()).await.expect("a script");
        pac.forget();
        let explained = pac.explain(&question("localhost")).await.expect("an answer");
        assert!(explained.text.starts_with("127.0.0.1 true"), "{explained:?}");
        assert_eq!(explained.lookups.len(), 1, "{explained:?}");
        assert!(matches!(&explained.lookups[0].found, Found::Addresses(some) if !some.is_empty()));
        let calls: Vec<&str> = explained.calls.iter().map(|call| call.function.as_str()).collect();
        assert_eq!(calls, ["isInNet", "dnsResolveEx"]);
        // They are kept: another question asks nobody.
        let again = pac.explain(&question("localhost:80")).await.expect("an answer");
        assert_eq!(again.lookups, []);
    });
}

#[test]
fn what_is_no_engine_or_no_script_is_an_error() {
    run(async {
        let missing = Program { path: "/nonexistent".into(), ..program() };
        assert!(matches!(Pac::start(String::new(), missing).await, Err(Error::Engine(_))));
        let other = Program { path: "/bin/cat".into(), arguments: Vec::new(), zone: None };
        assert_eq!(Pac::start(String::new(), other).await.err(), Some(Error::Ended));
        assert_eq!(Pac::start(String::new(), program()).await.err(), Some(Error::NoFunction));
        assert_eq!(Pac::start("/".repeat(10 << 20), program()).await.err(), Some(Error::Size));
        let start = Instant::now();
        assert_eq!(Pac::start("for (;;);".into(), program()).await.err(), Some(Error::Time));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    });
}

#[test]
fn the_last_good_script_stays_in_use_and_a_failure_is_never_direct() {
    run(async {
        let home = Home::new();
        let source = PacSource::File(home.path().join("proxy.pac"));
        let pac = Autoconfig::new(source, Env::default(), program());
        let ways = async |target: &str| pac.ways(&question(target)).await;
        assert!(matches!(pac.reload().await, Err(ReloadError::Load(_))));
        assert_eq!(ways("h").await, Err(Failure::Unloaded));
        let script = "var n = 0; FindProxyForURL = (url, host) => {
            if (host == 'none.test') return 'SOCKS4 s:1; QUIC q:1';
            if (host == 'throw.test') throw 'up';
            return 'PROXY p:' + (++n) + '; DIRECT' }";
        home.write("proxy.pac", script);
        assert_eq!(pac.reload().await.expect("a script"), Reloaded::Another);
        let via = |text: &str| vec![Upstream::parse(text).expect("a proxy"), Upstream::Direct];
        assert_eq!(ways("h").await, Ok(via("http://p:1")));
        assert!(
            matches!(ways("none.test").await, Err(Failure::Unusable(notes)) if notes.len() == 2)
        );
        let thrown = ways("throw.test").await;
        assert!(matches!(thrown, Err(Failure::Script(Error::Script { .. }))), "{thrown:?}");
        // The same script again has not been started anew, but asked anew.
        assert_eq!(pac.reload().await.expect("a script"), Reloaded::Same);
        assert_eq!(ways("h").await, Ok(via("http://p:2")));
        for broken in ["while (true);", "<html>", "var x", "function ("] {
            home.write("proxy.pac", broken);
            assert!(pac.reload().await.is_err(), "{broken}");
            assert_eq!(ways("h").await, Ok(via("http://p:2")));
        }
        std::fs::remove_file(home.path().join("proxy.pac")).expect("removed");
        assert!(pac.reload().await.is_err());
        assert_eq!(ways("h").await, Ok(via("http://p:2")));
        home.write("proxy.pac", "FindProxyForURL = () => ''");
        assert_eq!(pac.reload().await.expect("a script"), Reloaded::Another);
        assert_eq!(ways("h").await, Ok(vec![Upstream::Direct]));
    });
}

/// A processor that this program keeps busy, and that the engine gets a part of.
#[test]
fn a_busy_machine_neither_ends_an_honest_script_nor_lengthens_an_endless_one() {
    let Some(taskset) = program_of_the_system("taskset", "util-linux") else { return };
    let on_one = |program: &str, arguments: &[&'static str]| {
        let mut all = vec!["-c", "0"];
        let program: &'static str = program.to_owned().leak();
        all.push(program);
        all.extend_from_slice(arguments);
        Program { path: taskset.clone(), arguments: all, zone: None }
    };
    let spinner = on_one("/bin/sh", &["-c", "while :; do :; done"]);
    let spin = || Command::new(&spinner.path).args(&spinner.arguments).spawn().expect("taskset");
    let mut busy = [spin(), spin(), spin()];
    let (endless, honest) = run(async {
        let engine = || on_one(GOCRED, &["proxy", "pac-engine"]);
        let script = "FindProxyForURL = (url, host) => { while (host == 'endless'); return host }";
        let pac = Pac::start(script.into(), engine()).await.expect("a script");
        let mut endless = Vec::new();
        let mut honest = Vec::new();
        for number in 0..20 {
            let start = Instant::now();
            let answer = pac.explain(&question("http://endless/")).await;
            endless.push((start.elapsed(), answer.expect_err("an end")));
            let host = format!("h{number}");
            honest.push(pac.find(&question(&format!("http://{host}/"))).await == Ok(host));
        }
        (endless, honest)
    });
    for one in &mut busy {
        one.kill().expect("killed");
        one.wait().expect("ended");
    }
    assert_eq!(honest, [true; 20]);
    let is_ended = |error: &Error| matches!(error, Error::Time | Error::Ended);
    assert!(endless.iter().all(|(_, error)| is_ended(error)), "{endless:?}");
    // What is asserted of a time must hold on a machine that is busier than this.
    let mut took: Vec<_> = endless.iter().map(|(took, _)| *took).collect();
    took.sort_unstable();
    assert!(took[5] <= Duration::from_millis(100), "{took:?}");
}
