//! `gocred doctor --list-checks`: every code of the catalogue, in the order of the way.

use crate::{
    core::doctor::catalogue::ENTRIES,
    front::{
        Answer, Context,
        doctor::{explain, json::severity_word},
        ui,
    },
};

/// Runs the command.
pub(super) fn run(context: &Context) -> Answer {
    let language = explain::language(&context.env);
    let mut entries: Vec<_> = ENTRIES.iter().collect();
    entries.sort_by_key(|entry| (entry.layer, entry.code));
    for entry in entries {
        let title = entry.page(language).title;
        ui::out(&format!("{}  {:<7}  {title}", entry.code, severity_word(entry.severity)));
    }
    Answer::Yes
}
