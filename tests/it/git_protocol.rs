//! The helper's side of git's protocol: what is answered, kept and hidden, against a real keyring.

use std::{fs, thread, time::Duration};

use gocred::{
    core::credential::{Entry, Key, Kind, Proof, Record, Secrets},
    core::origin::Origin,
    store::index,
};

use crate::support::{
    git::{Desk, quiet},
    home::Home,
    keyring::silent_bus,
};

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";

#[test]
fn the_capability_action_prints_exactly_three_lines() {
    let output = Home::new().helper().arg("capability").output();
    assert_eq!(quiet(output), "version 0\ncapability authtype\ncapability state\n");
}

#[test]
fn an_unknown_operation_is_passed_over_in_silence() {
    for operation in ["list", "GET", "get ", "", "--version"] {
        let output = Home::new().helper().arg(operation).input(ANA).output();
        assert_eq!(quiet(output), "", "{operation}");
    }
}

#[test]
fn no_operation_is_a_usage_error() {
    let output = Home::new().helper().output();
    assert_eq!((output.code, output.out().as_str()), (Some(2), ""));
    assert_eq!(output.err(), "usage: git-credential-gocred get|store|erase|capability\n");
}

#[test]
fn what_was_stored_is_answered_until_it_is_erased() {
    let Some(desk) = Desk::new() else { return };
    assert_eq!(desk.get(ASK), "");
    desk.store(ANA);
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(desk.get(format!("{ASK}\n")), ANSWER, "a blank line ends the request, too");
    assert_eq!(desk.get(format!("{ASK}wwwauth[]=Basic realm=\"x\"\n")), ANSWER);
    desk.erase(ANA);
    assert_eq!(desk.get(ASK), "");
    assert_eq!(desk.held(), ["https://git.corp.test ana:hunter2 hidden"]);
    desk.store(ANA);
    assert_eq!(desk.get(ASK), ANSWER);
    assert_eq!(desk.held(), ["https://git.corp.test ana:hunter2"]);
}

#[test]
fn a_store_without_all_parts_or_of_what_must_not_be_kept_keeps_nothing() {
    let Some(desk) = Desk::new() else { return };
    for input in [
        "protocol=https\nhost=h\nusername=ana\n",
        "protocol=https\nhost=h\npassword=pw\n",
        "protocol=https\nhost=h\nauthtype=Bearer\nusername=ana\n",
        "protocol=https\nhost=h\ncredential=t\n",
        "protocol=https\nhost=\nusername=ana\npassword=pw\n",
        "protocol=https\nhost=h\nusername=ana\npassword=pw\nephemeral=true\n",
        "protocol=https\nhost=h\nusername=ana\npassword=pw\npassword_expiry_utc=1000\n",
        "protocol=https\nhost=h\nusername=ana\npassword=pw\ncontinue=1\n",
        "protocol=http\nhost=h\nusername=ana\npassword=pw\n",
        "protocol=cert\nhost=\npath=key.pem\nusername=\npassword=pw\n",
    ] {
        desk.store(input);
    }
    assert_eq!(desk.held(), [""; 0]);
}

#[test]
fn an_encoded_credential_is_kept_and_needs_the_capability_to_come_back() {
    let Some(desk) = Desk::new() else { return };
    let asked = format!("capability[]=authtype\n{ASK}");
    desk.store(format!("{asked}authtype=Bearer\ncredential=t0ken\n"));
    assert_eq!(desk.get(ASK), "");
    assert_eq!(desk.get(&*asked), "capability[]=authtype\nauthtype=Bearer\ncredential=t0ken\n");
    desk.erase(format!("{asked}authtype=Bearer\ncredential=other\n"));
    assert_eq!(desk.held(), ["https://git.corp.test :Bearer t0ken"]);
    desk.erase(format!("{asked}authtype=Bearer\ncredential=t0ken\n"));
    assert_eq!(desk.held(), ["https://git.corp.test :Bearer t0ken hidden"]);
}

#[test]
fn state_is_told_to_those_who_keep_it_and_never_believed() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let answer = desk.get(format!("capability[]=state\n{ASK}"));
    let (told, state) = answer.split_once("state[]=").expect("a state");
    assert_eq!(told, format!("capability[]=state\n{ANSWER}"));
    assert!(state.starts_with("gocred:source=keyring;receipt="), "{state}");
    // The same state with another secret.
    let new = ANA.replace("hunter2", "n3w");
    desk.store(format!("capability[]=state\n{new}state[]={state}"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=n3w\n");
    // Another helper's credential, with our state of an earlier answer (osxkeychain, git 2.53).
    for source in ["keyring", "netrc"] {
        let new = ANA.replace("hunter2", source);
        desk.store(format!("capability[]=state\n{new}state[]=gocred:source={source}\n"));
        assert_eq!(desk.get(ASK), format!("username=ana\npassword={source}\n"));
    }
}

#[test]
fn an_answer_that_comes_back_costs_no_question_to_the_keyring() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let state = receipt(&desk);
    let approved = format!("capability[]=state\n{ANA}state[]={state}");
    desk.keyring.freeze();
    let start = std::time::Instant::now();
    desk.store(&*approved);
    let took = start.elapsed();
    desk.keyring.thaw();
    assert!(took < Duration::from_secs(1), "it waited for the keyring: {took:?}");
}

#[test]
fn an_answer_that_comes_back_after_an_erase_brings_the_credential_back() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let state = receipt(&desk);
    desk.erase(ANA);
    assert_eq!(desk.get(ASK), "");
    desk.store(format!("capability[]=state\n{ANA}state[]={state}"));
    assert_eq!(desk.get(ASK), ANSWER);
}

/// Returns the value of `state[]` of an answer, with its line end.
fn receipt(desk: &Desk) -> String {
    let answer = desk.get(format!("capability[]=state\n{ASK}"));
    answer.split_once("state[]=").expect("a state").1.to_owned()
}

#[test]
fn expiry_and_refresh_token_are_kept_and_an_expired_secret_is_not_answered() {
    let Some(desk) = Desk::new() else { return };
    let more = "password_expiry_utc=9999999999\noauth_refresh_token=r3fresh\n";
    desk.store(format!("{ANA}{more}"));
    assert_eq!(
        desk.get(ASK),
        format!("{ANSWER}password_expiry_utc=9999999999\noauth_refresh_token=r3fresh\n")
    );
    let key = Key {
        kind: Kind::Git,
        origin: Origin::new("https", "git.corp.test").expect("an origin"),
        path: None,
        user: "ana".to_owned(),
    };
    let ended = Record {
        entry: Entry { key, expires: Some(1000), stored: 1000, hidden: None },
        secrets: Secrets {
            proof: Proof::Password("hunter2".into()),
            refresh_token: Some("r3fresh".into()),
            session: None,
        },
    };
    desk.keyring.open().save(&ended).expect("saved");
    assert_eq!(
        desk.get(ASK),
        "username=ana\npassword_expiry_utc=1000\noauth_refresh_token=r3fresh\n"
    );
}

#[test]
fn two_accounts_of_one_host_are_told_apart() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.store(ANA.replace("ana", "bob").replace("hunter2", "b0b"));
    assert_eq!(desk.get(format!("{ASK}username=ana\n")), ANSWER);
    assert_eq!(desk.get(format!("{ASK}username=bob\n")), "username=bob\npassword=b0b\n");
    assert_eq!(desk.get(format!("{ASK}username=eve\n")), "");
    desk.home.write(".config/gocred/config.toml", "[host.\"git.corp.test\"]\nusername = \"ana\"\n");
    assert_eq!(desk.get(ASK), ANSWER);
    desk.erase(format!("{ASK}username=ana\n"));
    assert_eq!(
        desk.held(),
        ["https://git.corp.test ana:hunter2 hidden", "https://git.corp.test bob:b0b"]
    );
}

#[test]
fn a_path_is_part_of_the_key_and_matches_as_in_credential_match() {
    let Some(desk) = Desk::new() else { return };
    desk.store(format!("{ANA}path=team/lib.git\n"));
    assert_eq!(desk.get(ASK), ANSWER, "a question without path matches one with");
    assert_eq!(desk.get(format!("{ASK}path=team/lib.git\n")), ANSWER);
    assert_eq!(desk.get(format!("{ASK}path=/team/lib.git/\n")), ANSWER);
    assert_eq!(desk.get(format!("{ASK}path=team\n")), "");
    desk.store(ANA.replace("hunter2", "wide"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=wide\n", "the whole host comes first");
    assert_eq!(desk.get(format!("{ASK}path=other\n")), "", "and never for a path");
    desk.erase(format!("{ANA}path=team/lib.git\n"));
    assert_eq!(
        desk.held(),
        ["https://git.corp.test ana:wide", "https://git.corp.test/team/lib.git ana:hunter2 hidden"]
    );
}

#[test]
fn an_erase_hides_only_what_matches_and_a_newer_password_stays() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    for other in [
        ANA.replace("hunter2", "stale"),
        ANA.replace("ana", "bob"),
        ANA.replace("git.corp.test", "git.corp.test:443"),
        ANA.replace("https", "http"),
        format!("{ANA}path=x\n"),
        "protocol=https\n".to_owned(),
        "host=git.corp.test\n".to_owned(),
        "username=ana\npassword=hunter2\n".to_owned(),
        "protocol=https\nhost=\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(desk.helper("erase", &*other).output().success(), "");
        assert_eq!(desk.held(), ["https://git.corp.test ana:hunter2"], "{other:?}");
    }
    desk.erase(ASK);
    assert_eq!(desk.held(), ["https://git.corp.test ana:hunter2 hidden"]);
}

#[test]
fn who_erased_is_remembered() {
    let Some(desk) = Desk::new() else { return };
    let by = || {
        let query = gocred::core::credential::Query::all(Kind::Git);
        let entries = desk.keyring.open().list(&query).expect("listed");
        entries[0].hidden.clone().expect("hidden").by
    };
    desk.store(ANA);
    desk.erase(ANA);
    assert_eq!(by(), "git erase");
    desk.store(ANA);
    let run = desk.helper("erase", ANA);
    let run = run.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
    assert_eq!(quiet(run.output()), "");
    assert_eq!(by(), "git erase (probably run by go)");
}

#[test]
fn proxy_passwords_are_answered_plainly_and_out_of_reach_of_store_and_erase() {
    let Some(desk) = Desk::new() else { return };
    desk.keep_for_proxy(Proof::Password("pr0xy".into()));
    desk.home.write(
        ".config/gocred/config.toml",
        "[proxy]\nupstream = [\"http://proxy.corp.test:3128\"]\n",
    );
    let ask = "protocol=http\nhost=proxy.corp.test:3128\n";
    let caps = "capability[]=authtype\n";
    assert_eq!(desk.get(format!("{caps}{ask}username=ana\n")), "username=ana\npassword=pr0xy\n");
    desk.erase(ask);
    desk.erase(format!("{ask}username=ana\npassword=pr0xy\n"));
    desk.store(format!("{ask}username=ana\npassword=other\n"));
    desk.home.write(".config/gocred/config.toml", "");
    assert_eq!(desk.get(ask), "username=ana\npassword=pr0xy\n", "the index knows it, too");
    assert_eq!(desk.held(), [""; 0]);
}

#[test]
fn the_netrc_answers_after_the_keyring_and_is_not_copied() {
    let Some(desk) = Desk::new() else { return };
    desk.home.write(
        ".netrc",
        "machine git.corp.test login ana password hunter2\ndefault login d password d\n",
    );
    assert_eq!(desk.get(ASK), ANSWER);
    let with_state = format!("capability[]=state\n{ASK}");
    let answer = desk.get(&*with_state);
    let state = "state[]=gocred:source=netrc\n";
    let told = format!("capability[]=state\n{ANSWER}state[]=gocred:source=netrc;receipt=");
    assert!(answer.starts_with(&told), "{answer}");
    desk.store(format!("capability[]=state\n{ANA}{state}"));
    desk.store(ANA);
    assert_eq!(desk.held(), [""; 0]);
    assert_eq!(desk.get("protocol=https\nhost=other.test\n"), "", "never from `default`");
    desk.store(ANA.replace("hunter2", "new"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=new\n");
}

#[test]
fn a_foreign_host_does_not_touch_the_keyring() {
    let home = Home::new();
    index::rebuild(&home.state().join("gocred"), &[]).expect("an empty index");
    let bus = silent_bus();
    for operation in ["get", "erase"] {
        let output = home
            .helper()
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .arg(operation)
            .input(ANA)
            .output();
        assert!(output.took < Duration::from_secs(1), "{:?}", output.took);
        assert_eq!(quiet(output), "");
    }
}

#[test]
fn keyring_trouble_is_one_line_for_our_host_and_silence_for_others() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.keyring.lock();
    let locked = "gocred[K05]: git.corp.test: the keyring is locked; run: gocred unlock\n";
    for operation in ["get", "store", "erase"] {
        let output = desk.helper(operation, ANA.replace("hunter2", "new")).output();
        assert_eq!((output.out().as_str(), output.err().as_str()), ("", locked), "{operation}");
        assert_eq!(output.success(), "");
        let foreign = ANA.replace("git.corp.test", "other.test");
        assert_eq!(quiet(desk.helper(operation, foreign).output()), "", "{operation}");
    }
    let unattended = desk.helper("get", ASK).env("GIT_TERMINAL_PROMPT", "0").output();
    assert_eq!((unattended.out().as_str(), unattended.err().as_str()), ("quit=1\n", locked));
    fs::remove_dir_all(desk.home.state().join("gocred")).expect("the index is gone");
    assert_eq!(quiet(desk.helper("get", ASK).output()), "", "nothing says that it is ours");
    let named = desk.helper("get", ASK).env("GOPRIVATE", "git.corp.test").output();
    assert_eq!(named.err(), locked);
}

#[test]
fn without_a_keyring_service_our_host_gets_one_line_and_the_netrc_still_answers() {
    let home = Home::new();
    home.write(".config/gocred/config.toml", "[host.\"git.corp.test\"]\n");
    let output = home.helper().arg("get").input(ASK).output();
    let err = output.err();
    assert_eq!(output.success(), "");
    assert!(err.starts_with("gocred[K06]: git.corp.test: there is no keyring service"), "{err}");
    assert!(err.lines().count() == 1 && !err.contains('='), "{err}");
    home.write(".netrc", "machine git.corp.test login ana password hunter2\n");
    assert_eq!(quiet(home.helper().arg("get").input(ASK).output()), ANSWER);
}

#[test]
fn a_damaged_index_is_told_moved_aside_and_rebuilt() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.home.write(".local/state/gocred/hosts", "\0\0\0");
    let output = desk.helper("get", ASK).output();
    let err = output.err();
    assert_eq!(output.success(), ANSWER);
    assert!(
        err.contains("the index of hosts is damaged: it holds a NUL byte; it was moved to"),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(desk.get(ASK), ANSWER);
}

#[test]
fn sixty_four_parallel_stores_lose_nothing() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    thread::scope(|scope| {
        for n in 0..64 {
            let desk = &desk;
            for host in [format!("h{n}"), "same".to_owned()] {
                scope.spawn(move || {
                    assert_eq!(desk.among_many("store", &ANA.replace("git.corp", &host)).0, "");
                });
            }
        }
    });
    assert_eq!(desk.held().len(), 66);
    for n in 0..64 {
        assert_eq!(desk.get(ASK.replace("git.corp", &format!("h{n}"))), ANSWER);
    }
    assert_eq!(desk.get(ASK.replace("git.corp", "same")), ANSWER);
}

#[test]
fn an_unchanged_store_writes_neither_the_keyring_nor_the_index() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let stored = |desk: &Desk| {
        let query = gocred::core::credential::Query::all(Kind::Git);
        desk.keyring.open().list(&query).expect("listed")[0].stored
    };
    let mut record = desk
        .keyring
        .open()
        .find(&gocred::core::credential::Query::all(Kind::Git))
        .expect("found")
        .remove(0);
    // As if it had been written long ago.
    record.secrets.refresh_token = Some("r".into());
    record.entry.stored = 1000;
    desk.keyring.open().save(&record).expect("saved");
    let state = desk.home.state().join("gocred/hosts");
    let before = fs::metadata(&state).and_then(|about| about.modified()).expect("a time");
    desk.store(ANA);
    assert_eq!(stored(&desk), 1000);
    assert_eq!(fs::metadata(&state).and_then(|about| about.modified()).expect("a time"), before);
}

#[test]
fn a_bus_that_never_answers_costs_two_seconds_at_most_once() {
    let home = Home::new();
    let bus = silent_bus();
    let run = home.helper().env("DBUS_SESSION_BUS_ADDRESS", bus.address()).arg("get").input(ASK);
    // No index, and a host that is ours: rebuilding and asking share one time limit.
    let output = run.env("GOPRIVATE", "git.corp.test").output();
    assert!(output.took < Duration::from_secs(3), "{:?}", output.took);
    let err = output.err();
    assert_eq!(output.success(), "");
    assert!(
        err.starts_with("gocred[K17]: git.corp.test: the keyring service did not answer"),
        "{err}"
    );
}
