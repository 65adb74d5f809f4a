//! Where the time went.

use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use crate::{
    core::{
        doctor::{
            gomod,
            watch::{Stage, Watch},
        },
        text::{printable, start},
    },
    front::ui,
};

/// How many steps are shown.
const MOST: usize = 12;
/// A step that took less is not worth a line, unless it failed.
const LEAST: Duration = Duration::from_millis(5);
/// How much is shown of what a step came to, in bytes.
const WIDE: usize = 60;

/// Adds the downloads of modules: go prints their beginning, and writes a file when one has ended
/// (cmd/go `modfetch.downloadZip`). `began` is when the command was started, in milliseconds since 1970.
pub(super) fn downloaded(watch: &mut Watch, cache: &Path, began: u64) {
    for download in watch.downloads().to_vec() {
        let (path, version) = (gomod::escaped(&download.path), gomod::escaped(&download.version));
        let file = cache.join("cache/download").join(path).join("@v");
        let written = fs::metadata(file.join(format!("{version}.ziphash")))
            .and_then(|about| about.modified())
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let started = Duration::from_millis(began) + download.began;
        let took = written.and_then(|at| at.checked_sub(started));
        if let Some(took) = took {
            watch.measured(Stage {
                what: format!("{}@{}", download.path, download.version),
                stage: "download",
                began: download.began,
                took,
                outcome: String::new(),
            });
        }
    }
}

/// Prints the slowest steps. A command that asked nobody has none.
pub(super) fn print(watch: &Watch, took: Duration) {
    let slowest = watch.slowest(MOST, took);
    let is_worth =
        |it: &&Stage| it.took >= LEAST || !(it.outcome.is_empty() || it.outcome.starts_with("200"));
    let rows: Vec<&Stage> = slowest.iter().filter(is_worth).collect();
    if rows.is_empty() {
        return;
    }
    ui::err(&format!("gocred wrap: {:.1} s; what took longest:", took.as_secs_f64()));
    let width = rows.iter().map(|it| it.what.chars().count()).max().unwrap_or_default();
    ui::err(&format!("  {:>8}  {:<10}  {:<width$}  came to", "seconds", "stage", "module"));
    for Stage { what, stage, took, outcome, .. } in rows {
        let outcome = start(outcome, WIDE);
        let line = format!("  {:>8.3}  {stage:<10}  {what:<width$}  {outcome}", took.as_secs_f64());
        ui::err(&printable(line.trim_end()));
    }
}
