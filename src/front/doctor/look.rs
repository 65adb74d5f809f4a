//! A diagnosis from its beginning to its report.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;

use crate::{
    core::{
        doctor::{
            checks,
            finding::{Chain, Finding, Report, Tool, Way},
            judge,
            machine::Machine,
            place::Place,
            plan::{self, Answers},
            rank,
            route::{self, Link, Login, Scheme, Via, address},
            target::{self, Target},
        },
        origin::Origin,
        secret::SecretString,
    },
    front::{
        Context,
        doctor::{progress::Progress, state, wallet::Wallet},
    },
    net,
    sys::{self, random},
};

/// How long a diagnosis may take, whatever happens.
const LIMIT: Duration = Duration::from_secs(14);

/// What a diagnosis found, and what it is made from.
pub(super) struct Diagnosis {
    pub(super) report: Report,
    pub(super) machine: Machine,
    pub(super) answers: Answers,
}

/// Returns the context with the configuration in it, or without where that cannot be read: the checks say so.
pub(super) fn configured(context: &Context) -> Context {
    let config = crate::front::config(&context.paths).unwrap_or_default();
    Context { config, ..context.clone() }
}

/// Returns the login that the word of the command line holds, as the tools decode it.
pub(super) fn login(word: &str) -> Option<Login> {
    let (user, secret) = target::login(word)?;
    let secret = address::decoded(secret.expose_secret());
    Some(Login {
        user: address::decoded(&user),
        secret: SecretString::from(secret),
        scheme: Scheme::Basic,
        place: Place::Default("the URL"),
    })
}

/// Follows the ways to a target.
pub(super) fn diagnose(
    target: &Target,
    login: Option<Login>,
    offline: bool,
    progress: Option<&Progress>,
    context: &Context,
) -> Diagnosis {
    let start = Instant::now();
    let mut machine = sys::doctor::read(target, &context.env, &context.paths);
    machine.gocred = state::read(context, offline);
    machine.asked_login = login;
    if !matches!(target, Target::Url(_)) {
        machine.go_to_cache();
    }
    let wallet = Wallet::of(context);
    let mut findings = checks::all(target, &machine);
    let mut answers = Answers::new();
    let mut chains = Vec::new();
    if !offline {
        loop {
            let mut probes = plan::next(target, &machine, &wallet, &answers);
            probes.retain(|probe| !answers.contains_key(&probe.key()));
            let left = LIMIT.saturating_sub(start.elapsed());
            if probes.is_empty() || left.is_zero() {
                break;
            }
            if let Some(progress) = progress {
                progress.asks(&probes);
            }
            let seen = net::doctor::answer(&probes, left);
            if seen.len() < probes.len() {
                break;
            }
            for (probe, seen) in probes.into_iter().zip(seen) {
                answers.insert(probe.key(), (probe, seen));
            }
        }
        let (found, ways) = judge::all(target, &machine, &wallet, &answers);
        findings.extend(found);
        chains = ways;
    }
    checks::offer(target, &machine, &mut findings);
    let report = Report {
        run_id: run_id(),
        target: name(target, &machine),
        findings: rank::rank(findings),
        ways: ways(&chains, &machine),
        chains,
    };
    Diagnosis { report, machine, answers }
}

/// Keeps the findings of some codes, wherever they stand.
pub(super) fn keep_only(report: &mut Report, codes: &[&'static str]) {
    fn flat(findings: Vec<Finding>, into: &mut Vec<Finding>) {
        for mut finding in findings {
            let consequences = std::mem::take(&mut finding.consequences);
            into.push(finding);
            flat(consequences, into);
        }
    }
    let mut all = Vec::new();
    flat(std::mem::take(&mut report.findings), &mut all);
    all.retain(|finding| codes.contains(&finding.entry.code));
    report.findings = all;
}

/// One that no other run has; it is no secret.
fn run_id() -> String {
    let number = random::bytes::<8>().map(u64::from_ne_bytes);
    number.map(|number| format!("{number:016x}")).unwrap_or_default()
}

fn name(target: &Target, machine: &Machine) -> String {
    match target {
        Target::Module { path, version: Some(version) } => format!("{path}@{version}"),
        Target::Module { path, version: None } => path.clone(),
        Target::Url(url) => url.clone(),
        Target::Here if machine.module.is_some() => "the modules of go.mod".to_owned(),
        Target::Here => {
            "no go.mod is here, so no host was asked; name a module or a URL to follow its way"
                .to_owned()
        }
    }
}

/// What the tools decide for the URLs of the ways, each once.
fn ways(chains: &[Chain], machine: &Machine) -> Vec<Way> {
    let mut ways: Vec<Way> =
        chains.iter().filter_map(|chain| way(chain.tool, &chain.url, machine)).collect();
    ways.sort();
    ways.dedup();
    ways
}

fn way(tool: Tool, url: &str, machine: &Machine) -> Option<Way> {
    let (origin, path) = Origin::from_url(url).ok()?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let route = route::route(tool, &Link { origin, path }, machine)?;
    let via = match &route.via {
        Via::Direct => "direct".to_owned(),
        Via::Proxy(proxy) => format!("{}://{}:{}", proxy.scheme, proxy.host, proxy.port),
        Via::Broken { value, .. } => value.clone(),
    };
    let login = route.login.map(|it| format!("{} ({})", it.user, it.place)).unwrap_or_default();
    let trust = route.trust.file.map(|(file, _)| file.display().to_string()).unwrap_or_default();
    let (url, via_place) = (route.link.to_string(), route.via_place.to_string());
    Some(Way { tool, url, via, via_place, login, trust })
}
