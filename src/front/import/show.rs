//! What was found and what became of it, for people and as JSON. No secret is ever shown.

use serde::Serialize;

use crate::{
    core::{
        credential::Key,
        fault::Fault,
        import::{Verdict, mask},
        text::printable,
    },
    front::{
        Context,
        import::scan::{Fate, Scan, Sheet},
        setup::short,
        ui,
    },
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Json {
    schema: u32,
    items: Vec<Row>,
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct Row {
    file: String,
    line: usize,
    kind: &'static str,
    name: String,
    masked: String,
    url: Option<String>,
    path: Option<String>,
    account: Option<String>,
    state: &'static str,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Unreadable {
    file: String,
    line: usize,
    reason: String,
}

/// Shows everything as JSON.
pub(super) fn json(scan: &Scan) -> Result<(), Fault> {
    let rows = scan.sheets.iter().flat_map(rows).collect();
    let unreadable = scan.broken.iter().map(|(file, line, what)| Unreadable {
        file: file.display().to_string(),
        line: *line,
        reason: what.clone(),
    });
    ui::json(&Json { schema: SCHEMA, items: rows, unreadable: unreadable.collect() })
}

fn rows(sheet: &Sheet) -> Vec<Row> {
    let told = (0..sheet.found.len()).filter_map(|place| {
        let (found, fate) = (sheet.found.get(place)?, sheet.fates.get(place)?);
        let key = match &found.verdict {
            Verdict::Move(one) => Some(&one.key),
            Verdict::Stay(_) => None,
        };
        let (state, reason) = match fate {
            Fate::Nothing => return None,
            Fate::Movable => ("movable", None),
            Fate::Storable => ("storable", None),
            Fate::Moved => ("moved", None),
            Fate::Declined => ("declined", None),
            Fate::Stays(reason) => ("stays", Some(reason.to_string())),
            Fate::Stored(reason) => ("stored", Some(reason.to_string())),
        };
        Some(Row {
            file: sheet.place.file.display().to_string(),
            line: found.line,
            kind: sheet.place.form.as_str(),
            name: found.name.clone(),
            masked: mask::mask(&found.secret),
            url: key.map(|key| key.origin.to_string()),
            path: key.and_then(|key| key.path.clone()),
            account: key.map(|key| key.user.clone()),
            state,
            reason,
        })
    });
    told.collect()
}

/// Shows what was found, a line each.
pub(super) fn list(scan: &Scan, context: &Context) {
    for sheet in &scan.sheets {
        for place in 0..sheet.found.len() {
            if let Some(line) = line(sheet, place, context) {
                ui::out(&line);
            }
        }
    }
    broken(scan, context);
}

/// Names the files that cannot be read.
pub(super) fn broken(scan: &Scan, context: &Context) {
    for (file, line, what) in &scan.broken {
        let at = if *line == 0 { String::new() } else { format!(":{line}") };
        ui::err(&format!(
            "warning: {}{at} cannot be read, and is left alone: {}",
            short(file, context),
            printable(what)
        ));
    }
}

/// Returns the line of something found; `None`: there is nothing to tell.
pub(super) fn line(sheet: &Sheet, place: usize, context: &Context) -> Option<String> {
    let (found, fate) = (sheet.found.get(place)?, sheet.fates.get(place)?);
    let target = match &found.verdict {
        Verdict::Move(one) => name(&one.key),
        Verdict::Stay(_) => String::new(),
    };
    let fate = match fate {
        Fate::Nothing => return None,
        Fate::Movable | Fate::Storable => format!("can move to {target}"),
        Fate::Moved => format!("moved to {target}"),
        Fate::Declined => "stays, as you said".to_owned(),
        Fate::Stays(reason) => format!("stays: {}", printable(&reason.to_string())),
        Fate::Stored(reason) => {
            format!("stored as {target}, still in the file: {}", printable(&reason.to_string()))
        }
    };
    let at = sheet.at(found.line, context);
    Some(format!("{at}  {}  {}  {fate}", printable(&found.name), mask::mask(&found.secret)))
}

/// Names what a secret is stored under.
pub(super) fn name(key: &Key) -> String {
    let path = key.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
    let user = match key.user.as_str() {
        "" => String::new(),
        user => format!(" as {user}"),
    };
    printable(&format!("{}{path}{user}", key.origin))
}
