//! A person at a terminal who signs in with OAuth 2: what is offered, and Ctrl-C.

use serde_json::json;

use super::{
    login::Desk,
    support::{oidc::Provider, terminal::Terminal},
};

#[test]
fn the_ways_that_a_host_has_are_offered_and_the_last_client_is_remembered() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({ "announce": 1 })) else { return };
    let login = |more: &[&str]| {
        Terminal::start(desk.run(&[&["login", provider.issuer(), "--allow-http"], more].concat()))
    };
    for flags in [&["--client-id", "gocred"][..], &[]] {
        let Some(mut terminal) = login(flags) else { return };
        terminal.awaits("b: in a browser, d: with a code on another device, t: with a token");
        terminal.awaits("[d] ");
        terminal.types("");
        terminal.awaits("type the code: ");
        terminal.awaits("or open ");
        let url = terminal.word();
        provider.browser("approve", &url);
        terminal.awaits("it is the token of Ana Lima");
        terminal.awaits("scopes: openid, profile, offline_access");
        terminal.awaits("and renews itself");
        terminal.awaits("[Y/n]");
        terminal.types("n");
        assert_eq!(terminal.ends().0, Some(0));
    }
}

#[test]
fn ctrl_c_ends_each_flow_and_nothing_is_stored() {
    let Some(desk) = Desk::new() else { return };
    let Some(provider) = Provider::start(json!({})) else { return };
    for flag in ["--device", "--web"] {
        let arguments = ["login", provider.issuer(), "--allow-http", flag, "--client-id", "gocred"];
        let Some(mut terminal) = Terminal::start(desk.run(&arguments)) else { return };
        terminal.awaits("(Ctrl-C ends it, nothing is stored)");
        terminal.presses(3);
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(130), "{shown}");
        assert!(shown.contains("interrupted; nothing was changed"), "{shown}");
        assert!(desk.stored().contains("\"entries\":[]"));
    }
}
