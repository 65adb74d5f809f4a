//! S: the checksum database, asked by itself or through a module proxy.

use crate::core::doctor::{
    finding::{Confidence, Finding, Kind},
    judge::{Case, say, sums},
    leg::{Failed, Leg, Purpose},
    machine::Machine,
    plan::sumdb::{self, Database},
    probe::Http,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    if !leg.purpose.is_sumdb() {
        return Vec::new();
    }
    let Some(database) = sumdb::database(case.machine) else { return Vec::new() };
    let found = match leg.failed() {
        Some(Failed::Http(http)) => status(leg, http, &database, case),
        Some(failed) => unreachable(leg, failed, &database, case),
        None if leg.purpose == Purpose::SumdbLookup => {
            leg.answer().and_then(|http| record(leg, http, &database, case))
        }
        None => None,
    };
    found.into_iter().collect()
}

/// The names under which the other letters would speak of the same.
const WAY: &[&str] = &[
    "D01", "D02", "D03", "D04", "D05", "D06", "D07", "D08", "D09", "D10", "D11", "D12", "D15",
    "N01", "N02", "N03", "N04", "N05", "T01", "T02", "T03", "T04", "T05", "T07", "T08", "T15",
    "T16", "T17", "T18", "T19", "T20", "P10", "P12", "P13",
];

fn unreachable(
    leg: &Leg<'_>,
    failed: Failed<'_>,
    database: &Database,
    case: &Case<'_>,
) -> Option<Finding> {
    let place = leg.origin_endpoint();
    // What is wrong with the proxy of the machine, or with a module proxy, is not the database's.
    if leg.purpose == Purpose::SumdbSupported {
        return None;
    }
    if leg.proxy().is_some() && !matches!(failed, Failed::Connect(_) | Failed::Tls(_)) {
        return None;
    }
    if let Failed::Connect(connect) = failed
        && connect.status.is_none_or(|status| status == 407)
    {
        return None;
    }
    let module = leg.module.as_ref().map_or("", |module| module.path.as_str());
    let (code, cause) = match failed {
        Failed::Tls(tls) if tls.flaw.is_none() => (
            "S10",
            format!(
                "The certificate of the checksum database {} ({place}) is not trusted.",
                database.name
            ),
        ),
        _ if is_refused_by_proxies(leg, case) => (
            "S03",
            format!(
                "The module proxy does not serve the checksum database {} (404), and {place} cannot be reached from here.",
                database.name
            ),
        ),
        _ => (
            "S01",
            format!(
                "The checksum database {} cannot be reached at {place}; go asks it for {module}.",
                database.name
            ),
        ),
    };
    let finding = say::about(leg, code, cause)
        .seen(Kind::Variable, database.place.clone(), format!("GOSUMDB: {}", database.name), "")
        .explains(WAY);
    Some(match code {
        "S10" => finding,
        _ => finding.run(private(case.machine, module)),
    })
}

/// Whether a module proxy said before that it does not serve the database.
fn is_refused_by_proxies(leg: &Leg<'_>, case: &Case<'_>) -> bool {
    case.legs.iter().any(|other| {
        other.purpose == Purpose::SumdbSupported
            && other.module == leg.module
            && other.answer().is_some()
    })
}

fn status(leg: &Leg<'_>, http: &Http, database: &Database, case: &Case<'_>) -> Option<Finding> {
    let place = leg.url();
    let module = leg.module.as_ref().map_or("", |module| module.path.as_str());
    let observed =
        http.flaw.as_ref().map_or_else(|| say::status(http.status, &http.reason), say::flaw);
    let (code, cause) = match (leg.purpose, http.status) {
        // The module proxy's own login: of that `a` speaks.
        (Purpose::SumdbSupported, Some(401)) => return None,
        (Purpose::SumdbSupported, _) => (
            "S02",
            format!(
                "The module proxy {} answers {observed} when go asks whether it serves the checksum database {}; only 404 or 410 would send go to the database itself.",
                leg.host(),
                database.name
            ),
        ),
        (_, Some(429)) => {
            ("S11", format!("The checksum database {} was asked too often (429).", database.name))
        }
        (_, Some(404 | 410 | 500)) if is_likely_private(case.machine, module) => (
            "S04",
            format!(
                "go asks the public checksum database {} for {module}, which it cannot know; the name of a private module leaves the network this way.",
                database.name
            ),
        ),
        (_, Some(300..=399)) => (
            "S09",
            format!(
                "Something in the way sends go from the checksum database to {}.",
                http.field("location").map(crate::core::text::printable).unwrap_or_default()
            ),
        ),
        (_, Some(404 | 410)) => (
            "S04",
            format!(
                "The checksum database {} does not know {module}: for a private module, say so with GOPRIVATE.",
                database.name
            ),
        ),
        _ => ("S01", format!("The checksum database {} answers {observed}.", database.name)),
    };
    let finding = say::about(leg, code, cause)
        .seen(Kind::Variable, database.place.clone(), format!("GOSUMDB: {}", database.name), "")
        .explains(&["H01", "H02", "H03", "H04", "H05"]);
    let finding = if matches!(code, "S04" | "S02" | "S01") {
        finding.run(private(case.machine, module))
    } else {
        finding
    };
    let finding = if code == "S01" { finding.confidence(Confidence::Likely) } else { finding };
    Some(say::seen(finding, Kind::Http, place, observed, "200", http.took))
}

/// A module whose host other settings call private, or that does not come from a module proxy.
fn is_likely_private(machine: &Machine, module: &str) -> bool {
    crate::core::doctor::plan::module::is_private(machine, module)
        || machine.git_value("credential.helper").is_some() && !module.starts_with("github.com/")
}

/// Returns the command that keeps a module away from the database.
fn private(machine: &Machine, module: &str) -> String {
    let host = module.split('/').next().unwrap_or_default();
    let now = machine
        .go_setting("GOPRIVATE")
        .map(|(value, _)| value.raw().to_owned())
        .unwrap_or_default();
    let list = if now.is_empty() { host.to_owned() } else { format!("{now},{host}") };
    format!("go env -w GOPRIVATE={list}")
}

/// What is in a record: `ID\nM V h1:…\nM V/go.mod h1:…\n\n` and a signed note.
fn record(leg: &Leg<'_>, http: &Http, database: &Database, case: &Case<'_>) -> Option<Finding> {
    let text = String::from_utf8_lossy(&http.body);
    let module = leg.module.as_ref()?;
    let is_record = text
        .lines()
        .next()
        .is_some_and(|line| !line.is_empty() && line.chars().all(|c| c.is_ascii_digit()));
    if !is_record {
        let what = if say::is_html(http) { "a page for people" } else { "no record" };
        let cause = format!(
            "What answers in place of the checksum database {} is {what}: {}",
            database.name,
            say::words(&http.body)
        );
        let finding = say::about(leg, "S09", cause).run("gocred portal open");
        return Some(say::seen(finding, Kind::Http, leg.url(), what, "a record", http.took));
    }
    // A note is signed by `— NAME BASE64`, whose first four bytes are the key's hash (x/mod/sumdb/note).
    let hash = database.key.split('+').nth(1).unwrap_or_default().to_ascii_lowercase();
    let signers: Vec<(String, String)> = text.lines().filter_map(signature).collect();
    if !signers.is_empty()
        && !signers.iter().any(|(name, own)| *name == database.name && *own == hash)
    {
        let names: Vec<String> =
            signers.iter().map(|(name, own)| format!("{name}+{own}")).collect();
        let cause = format!(
            "GOSUMDB names the key {}+{hash}, and the database at {} signs with {}.",
            database.name,
            leg.origin_endpoint(),
            names.join(", ")
        );
        let finding = say::about(leg, "S05", cause)
            .seen(
                Kind::Variable,
                database.place.clone(),
                format!("{}+{hash}", database.name),
                names.join(", "),
            )
            .run("go env GOSUMDB");
        return Some(say::seen(
            finding,
            Kind::Http,
            leg.url(),
            names.join(", "),
            "a signature by the key of GOSUMDB",
            http.took,
        ));
    }
    let version = module.version.as_deref()?;
    let zip = case
        .legs
        .iter()
        .find(|other| other.purpose == Purpose::Zip && other.decides && other.module == leg.module);
    let has = zip.and_then(Leg::answer).and_then(sums::of_zip)?;
    let said = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{} {version} ", module.path)))?
        .trim()
        .to_owned();
    if said == has {
        return None;
    }
    let from = zip.map_or_else(String::new, Leg::origin_endpoint);
    let cause = format!(
        "{from} serves another content of {}@{version} than the checksum database {} knows: stop, and find out which one is right.",
        module.path, database.name
    );
    let finding = say::about(leg, "S08", cause);
    Some(say::seen(
        finding,
        Kind::Http,
        leg.url(),
        format!("{from}: {has}"),
        format!("{}: {said}", database.name),
        http.took,
    ))
}

fn signature(line: &str) -> Option<(String, String)> {
    use base64::Engine as _;
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(signature.trim()).ok()?;
    let hash = bytes.get(..4)?.iter().map(|byte| format!("{byte:02x}")).collect();
    Some((name.to_owned(), hash))
}
