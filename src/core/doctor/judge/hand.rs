//! Legs made by hand, for the tests of the judges.

use std::borrow::Cow;

use crate::core::{
    challenge,
    doctor::{
        finding::{Finding, Tool},
        judge::Case,
        leg::{Leg, Purpose, Wanted},
        machine::Machine,
        place::Place,
        plan::{Answers, Wallet},
        probe::{Exchange, Http, Trace},
        route::{Link, Login, Route, Scheme, Trust, Via},
    },
    origin::Origin,
};

/// No gocred.
pub(in crate::core::doctor) struct Empty;

impl Wallet for Empty {
    fn login(&self, _link: &Link) -> Option<Login> {
        None
    }

    fn proxy_login(&self, _host: &str, _port: u16) -> Option<Login> {
        None
    }
}

/// Reads a URL.
pub(in crate::core::doctor) fn link(url: &str) -> Link {
    let (origin, path) = Origin::from_url(url).unwrap();
    Link { origin, path: path.to_owned() }
}

/// An answer with these fields.
pub(in crate::core::doctor) fn answer(
    status: u16,
    fields: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Http {
    let body = body.into();
    let lists = fields.iter().filter(|(name, _)| *name == "www-authenticate");
    Http {
        took: 7,
        status: Some(status),
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        challenges: lists.flat_map(|(_, value)| challenge::parse(value.as_bytes())).collect(),
        length: u64::try_from(body.len()).ok(),
        body,
        ..Http::default()
    }
}

/// A login from a place.
pub(in crate::core::doctor) fn login(place: Place) -> Login {
    Login {
        user: "ana".to_owned(),
        secret: "hunter2".to_owned().into(),
        scheme: Scheme::Basic,
        place,
    }
}

/// A request without a proxy and without a login.
pub(in crate::core::doctor) fn exchange(url: &str) -> Exchange {
    Exchange::straight(link(url))
}

/// What was seen, where only the answer counts.
pub(in crate::core::doctor) fn trace(http: Http) -> Trace {
    Trace { http: Some(http), ..Trace::default() }
}

/// A request straight to its origin.
pub(in crate::core::doctor) fn leg<'a>(
    purpose: Purpose,
    module: &str,
    url: &str,
    http: Http,
) -> Leg<'a> {
    let tool = if purpose == Purpose::Repository { Tool::Git } else { Tool::Go };
    let (path, version) = module.split_once('@').unwrap_or((module, ""));
    let wanted = Wanted {
        path: path.to_owned(),
        version: Some(version.to_owned()).filter(|version| !version.is_empty()),
    };
    Leg {
        tool,
        purpose,
        module: Some(wanted).filter(|wanted| !wanted.path.is_empty()),
        base: None,
        route: Route {
            tool,
            link: link(url),
            rewritten: None,
            via: Via::Direct,
            via_place: Place::Default("git"),
            passed_over: None,
            login: None,
            trust: Trust::default(),
        },
        asked: exchange(url),
        seen: Cow::Owned(trace(http)),
        banner: None,
        names: None,
        origin_names: None,
        also: Vec::new(),
        earlier: Vec::new(),
        decides: true,
    }
}

/// The same, with a login.
pub(in crate::core::doctor) fn logged_in(mut leg: Leg<'_>, place: Place) -> Leg<'_> {
    leg.asked.login = Some(login(place));
    if let Some(http) = &mut leg.seen.to_mut().http {
        http.has_login = true;
    }
    leg
}

/// What a judge says of the last leg: its codes.
pub(in crate::core::doctor) fn codes(
    judge: fn(&Leg<'_>, &Case<'_>) -> Vec<Finding>,
    legs: &[Leg<'_>],
    machine: &Machine,
) -> Vec<&'static str> {
    judged(judge, legs, machine).iter().map(|finding| finding.entry.code).collect()
}

/// What a judge says of the last leg.
pub(in crate::core::doctor) fn judged(
    judge: fn(&Leg<'_>, &Case<'_>) -> Vec<Finding>,
    legs: &[Leg<'_>],
    machine: &Machine,
) -> Vec<Finding> {
    let answers = Answers::new();
    let case = Case { machine, wallet: &Empty, answers: &answers, legs };
    let findings = judge(legs.last().unwrap(), &case);
    assert!(!format!("{findings:?}").contains("hunter2"));
    findings
}
