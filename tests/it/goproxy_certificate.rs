//! Module proxies that want to see a client certificate (nginx, `ssl_verify_client`): the one of their own
//! table is shown to them and to nobody they redirect to, and go is told where there is none.

use super::{
    goproxy_lab::{ALLOW, DEP, Front, Gopher, LIB, body, prepared},
    proxy_lab::status,
    support::{go::Release, home::Home, lab::Lab, tls::Authority},
};

const NAME: &str = "CN=ana.certificate";

/// Starts a front with this table of certificate.corp.test.
fn front(home: &Home, lab: &Lab, list: &str, table: &str) -> Front {
    let table = format!("[host.\"certificate.corp.test\"]\n{table}");
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}{table}"));
    let run = home.gocred().env("SSL_CERT_FILE", lab.authority());
    Front::start(&prepared(run, list))
}

fn own(lab: &Lab) -> String {
    let folder = lab.folder().display();
    format!("client_cert = \"{folder}/client.pem\"\nclient_key = \"{folder}/client.key\"\n")
}

#[test]
fn go_downloads_from_who_wants_a_certificate_and_nobody_else_sees_it() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let home = Home::new();
    let list = "https://certificate.corp.test";
    let through = front(&home, &lab, list, &own(&lab));
    gopher.download(&through.url, &[DEP, LIB]).success();
    let requests = lab.requests();
    assert!(requests.len() >= 6, "{requests:?}");
    for request in requests {
        assert_eq!((request.status, request.certificate.as_str()), (200, NAME), "{request:?}");
    }
    drop(through);
    lab.forget();
    let through = front(&home, &lab, &format!("{list}/elsewhere"), &own(&lab));
    gopher.download(&through.url, &[DEP, LIB]).success();
    let requests = lab.requests();
    let asked = |host| requests.iter().filter(move |request| request.host == host);
    assert!(asked("asks.corp.test").count() >= 6, "{requests:?}");
    assert!(asked("asks.corp.test").all(|request| request.certificate.is_empty()), "{requests:?}");
    assert!(asked("certificate.corp.test").all(|request| request.certificate == NAME));
    drop(through);
    // A table of its own is what shows it there, too.
    lab.forget();
    let both = format!("{}[host.\"asks.corp.test\"]\n{}", own(&lab), own(&lab));
    let through = front(&home, &lab, &format!("{list}/elsewhere"), &both);
    assert_eq!(status(&through.get(&format!("/{LIB}/@v/list"), "")), "200");
    assert!(lab.requests().iter().all(|request| request.certificate == NAME));
}

#[test]
fn a_certificate_that_is_missing_or_wrong_is_told() {
    let Some(lab) = Lab::enter() else { return };
    let Some(gopher) = Gopher::new(Release::Go127) else { return };
    let Some(stranger) = Authority::new() else { return };
    stranger.sign("client", "DNS:ana", 2);
    let folder = stranger.home.path().display();
    let wrong =
        format!("client_cert = \"{folder}/client.pem\"\nclient_key = \"{folder}/client.key\"\n");
    let list = "https://certificate.corp.test";
    for (table, said) in [
        ("", "wants a client certificate, and none is configured"),
        (&wrong, "does not accept our client certificate"),
    ] {
        let home = Home::new();
        let through = front(&home, &lab, list, table);
        let output = gopher.download(&through.url, &[LIB]);
        assert_eq!(output.code, Some(1), "{output:?}");
        let told = output.err();
        assert!(told.contains(&format!("gocred[T13]: certificate.corp.test {said}")), "{told}");
        assert!(told.contains("`client_cert` and `client_key` of [host.\"cert"), "{told}");
    }
    // A file that is none is a sentence, and no request.
    let home = Home::new();
    let through = front(&home, &lab, list, "client_cert = \"/none/client.pem\"\n");
    let answer = through.get(&format!("/{LIB}/@v/list"), "");
    assert!(status(&answer) == "502" && body(&answer).contains("/none/client.pem"), "{answer}");
}
