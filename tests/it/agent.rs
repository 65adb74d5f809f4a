//! The helper and the agent: what is relayed, what is handed over, and what happens without either.

use std::fs;

use crate::support::{
    git::{Desk, quiet},
    home::HELPER,
    program,
};

const ANA: &str = "protocol=https\nhost=git.corp.test\nusername=ana\npassword=hunter2\n";
const ASK: &str = "protocol=https\nhost=git.corp.test\n";
const ANSWER: &str = "username=ana\npassword=hunter2\n";

#[test]
fn what_the_helper_cannot_answer_the_same_process_answers_as_gocred() {
    let Some(strace) = program("strace", "strace") else { return };
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    desk.home.write(".config/gocred/config.toml", "[secret_service]\nsession = \"dh\"\n");
    let trace = desk.home.path().join("trace");
    let calls = "trace=execve,clone,clone3,fork,vfork,write";
    let run = desk.run(strace).args(["-f", "-e", calls, "-o"]).arg(&trace);
    // A caller that keeps the pipe open ends the question with a blank line.
    let output = run.args([HELPER, "get"]).input(format!("{ASK}\nnoise")).output();
    assert_eq!(quiet(output), ANSWER);
    let trace = fs::read_to_string(trace).expect("a trace");
    assert_eq!(trace.matches("execve(").count(), 2, "{trace}");
    assert!(trace.contains("\"helper\", \"get\"]"), "{trace}");
    for start in ["clone", "fork"] {
        assert!(!trace.contains(start), "{trace}");
    }
    // What is changed goes the same way.
    desk.erase(ANA);
    assert_eq!(desk.get(ASK), "");
    desk.store(ANA.replace("hunter2", "n3w"));
    assert_eq!(desk.get(ASK), "username=ana\npassword=n3w\n");
}

#[test]
fn a_store_that_does_not_exist_is_said_and_nobody_else_answers() {
    let Some(desk) = Desk::new() else { return };
    desk.store(ANA);
    let output = desk.helper("get", ASK).env("GOCRED_STORE", "vault").output();
    let err = output.err();
    assert_eq!(output.success(), "");
    assert!(err.contains("GOCRED_STORE names no store"), "{err}");
}
