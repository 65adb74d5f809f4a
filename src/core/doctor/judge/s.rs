//! S: the checksum database, asked by itself or through a module proxy.

use base64::Engine as _;

use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Kind},
        judge::{Case, say, sums},
        leg::{Failed, Leg, Purpose},
        machine::Machine,
        plan::sumdb::{self, Database},
        probe::{Http, ReadFlaw},
        shell::quoted,
    },
    text::printable,
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
    let (code, why) = match failed {
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
    let finding = say::about(leg, code, why)
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

/// Another status than 200.
fn status(leg: &Leg<'_>, http: &Http, database: &Database, case: &Case<'_>) -> Option<Finding> {
    if leg.purpose == Purpose::SumdbSupported && http.status == Some(401) {
        // The module proxy's own login: of that `a` speaks.
        return None;
    }
    let module = leg.module.as_ref().map_or("", |module| module.path.as_str());
    let observed =
        http.flaw.as_ref().map_or_else(|| say::status(http.status, &http.reason), say::flaw);
    let is_silent = matches!(http.flaw, Some(ReadFlaw::Silent(_) | ReadFlaw::Slow(_)));
    let (code, why) = if leg.purpose == Purpose::SumdbSupported && is_silent {
        (
            "M13",
            format!(
                "The module proxy {} does not answer when go asks whether it serves the checksum database {}: go waits for ever.",
                leg.host(),
                database.name
            ),
        )
    } else if leg.purpose == Purpose::SumdbSupported {
        (
            "S02",
            format!(
                "The module proxy {} answers {observed} when go asks whether it serves the checksum database {}; only 404 or 410 would send go to the database itself.",
                leg.host(),
                database.name
            ),
        )
    } else {
        refused(http, database, module, is_likely_private(case.machine, module))
    };
    let finding = say::about(leg, code, why)
        .seen(Kind::Variable, database.place.clone(), format!("GOSUMDB: {}", database.name), "")
        .explains(&["H01", "H02", "H03", "H04", "H05"]);
    let finding = if matches!(code, "S04" | "S02" | "S01") {
        finding.run(private(case.machine, module))
    } else {
        finding
    };
    let finding = if code == "S01" { finding.confidence(Confidence::Likely) } else { finding };
    Some(say::answered(finding, leg, http, observed, "200"))
}

/// What the database itself says of a module that it does not answer about.
fn refused(
    http: &Http,
    database: &Database,
    module: &str,
    is_private: bool,
) -> (&'static str, String) {
    let name = &database.name;
    match http.status {
        Some(429) => ("S11", format!("The checksum database {name} was asked too often (429).")),
        Some(404 | 410 | 500) if is_private => (
            "S04",
            format!(
                "go asks the public checksum database {name} for {module}, which it cannot know; the name of a private module leaves the network this way."
            ),
        ),
        Some(300..=399) => {
            let to = http.field("location").map(printable).unwrap_or_default();
            ("S09", format!("Something in the way sends go from the checksum database to {to}."))
        }
        Some(404 | 410) => (
            "S04",
            format!(
                "The checksum database {name} does not know {module}: for a private module, say so with GOPRIVATE."
            ),
        ),
        status => {
            let observed =
                http.flaw.as_ref().map_or_else(|| say::status(status, &http.reason), say::flaw);
            ("S01", format!("The checksum database {name} answers {observed}."))
        }
    }
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
    format!("go env -w {}", quoted(&format!("GOPRIVATE={list}")))
}

/// What is in a record: `ID\nM V h1:…\nM V/go.mod h1:…\n\n` and a signed note.
fn record(leg: &Leg<'_>, http: &Http, database: &Database, case: &Case<'_>) -> Option<Finding> {
    let text = String::from_utf8_lossy(&http.body);
    no_record(leg, http, database, &text)
        .or_else(|| other_key(leg, http, database, &text))
        .or_else(|| other_sum(leg, http, database, case))
}

/// S09: something else answers.
fn no_record(leg: &Leg<'_>, http: &Http, database: &Database, text: &str) -> Option<Finding> {
    let first = text.lines().next().unwrap_or_default();
    if !first.is_empty() && first.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let what = if say::is_html(http) { "a page for people" } else { "no record" };
    let cause = format!(
        "What answers in place of the checksum database {} is {what}: {}",
        database.name,
        say::words(&http.body)
    );
    let finding = say::about(leg, "S09", cause).run("gocred portal open");
    Some(say::answered(finding, leg, http, what, "a record"))
}

/// S05: it is not signed by the key that GOSUMDB names. A note is signed by `— NAME BASE64`, whose first four
/// bytes are the key's hash (x/mod/sumdb/note).
fn other_key(leg: &Leg<'_>, http: &Http, database: &Database, text: &str) -> Option<Finding> {
    let hash = database.key.split('+').nth(1).unwrap_or_default().to_ascii_lowercase();
    let key = format!("{}+{hash}", database.name);
    let signers: Vec<String> = text.lines().filter_map(signature).collect();
    if signers.is_empty() || signers.contains(&key) {
        return None;
    }
    let signers = signers.join(", ");
    let cause = format!(
        "GOSUMDB names the key {key}, and the database at {} signs with {signers}.",
        leg.origin_endpoint()
    );
    let finding = say::about(leg, "S05", cause)
        .seen(Kind::Variable, database.place.clone(), key, signers.as_str())
        .run("go env GOSUMDB");
    Some(say::answered(finding, leg, http, signers, "a signature by the key of GOSUMDB"))
}

/// S08: the module proxy serves another zip than the one that was recorded.
fn other_sum(leg: &Leg<'_>, http: &Http, database: &Database, case: &Case<'_>) -> Option<Finding> {
    let module = leg.module.as_ref()?;
    let version = module.version.as_deref()?;
    let zip = case.legs.iter().find(|other| {
        other.purpose == Purpose::Zip && other.decides && other.module == leg.module
    })?;
    let has = zip.answer().and_then(sums::of_zip)?;
    let text = String::from_utf8_lossy(&http.body);
    let start = format!("{} {version} ", module.path);
    let said = text.lines().find_map(|line| line.strip_prefix(&start))?.trim();
    if said == has {
        return None;
    }
    let from = zip.origin_endpoint();
    let why = format!(
        "{from} serves another content of {}@{version} than the checksum database {} knows: stop, and find out which one is right.",
        module.path, database.name
    );
    let finding = say::about(leg, "S08", why);
    let (observed, expected) = (format!("{from}: {has}"), format!("{}: {said}", database.name));
    Some(say::answered(finding, leg, http, observed, expected))
}

/// Returns the key of a line that signs a note: `NAME+HASH`.
fn signature(line: &str) -> Option<String> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(signature.trim()).ok()?;
    let hash = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    Some(format!("{name}+{hash:08x}"))
}
