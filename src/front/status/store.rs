//! `gocred status --store`: which store is chosen, by whom, how it is with it, and which others there
//! are, in the order in which a first login takes one.

use serde::Serialize;

use crate::{
    cli::Status,
    core::{choice::Choice, fault::Fault, text::printable},
    front::{self, Answer, Context, Outcome, keyring, ui},
    store::{
        self,
        detect::{Candidate, State, Way, detect},
        file::{FileStore, Standing},
    },
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report {
    schema: u32,
    store: &'static str,
    chosen_by: String,
    file: Option<File>,
    state: &'static str,
    error: Option<String>,
    candidates: Vec<Row>,
}

#[derive(Serialize)]
struct File {
    path: String,
    generation: Option<u64>,
    keys: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    store: &'static str,
    opened_by: String,
    state: &'static str,
    reason: Option<String>,
    code: Option<&'static str>,
}

/// Runs the command.
pub(super) fn run(arguments: &Status, context: &Context) -> Outcome {
    let choice = store::choice(&context.env, &context.config).map_err(keyring::fault)?;
    let (file, state) = match choice {
        Choice::File => file(context),
        Choice::Agent | Choice::Kernel | Choice::Keyring | Choice::OpenBao | Choice::Plaintext => {
            (None, keyring::entries(&mut *keyring::open(context), None).map(|_| "open"))
        }
    };
    let report = Report {
        schema: SCHEMA,
        store: choice.as_str(),
        chosen_by: chosen_by(context),
        file,
        state: state.as_ref().unwrap_or(&"unusable"),
        error: state.as_ref().err().map(|fault| fault.message.clone()),
        candidates: detect(&context.desk()).into_iter().map(row).collect(),
    };
    if arguments.json {
        ui::json(&report)?;
    } else {
        report.words();
    }
    match state {
        Ok("open" | "none yet") => Ok(Answer::Yes),
        Ok(_) => Ok(Answer::No),
        Err(fault) => Err(fault),
    }
}

fn row(Candidate { choice, way, state }: Candidate) -> Row {
    let opened_by = match way {
        Way::Agent | Way::Kernel | Way::Keyring | Way::Plaintext => "-".to_owned(),
        Way::File => "what opens it already".to_owned(),
        Way::Passphrase => "a passphrase".to_owned(),
        Way::Ssh(name) if name.is_empty() => "an SSH key".to_owned(),
        Way::Ssh(name) => format!("the SSH key {}", printable(&name)),
        Way::Tpm => "the TPM".to_owned(),
    };
    let (state, reason, code) = match state {
        State::Usable => ("usable", None, None),
        State::Person(what) => ("asks", Some(what.to_owned()), None),
        State::ByName(what) => ("by name", Some(what.to_owned()), None),
        State::Not(error) => ("not", Some(printable(&error.to_string())), Some(error.code())),
    };
    Row { store: choice.as_str(), opened_by, state, reason, code }
}

fn file(context: &Context) -> (Option<File>, Result<&'static str, Fault>) {
    let mut store = FileStore::new(&context.desk());
    let about = store.about().ok().flatten();
    let key = |(kind, name): &(&'static str, String)| {
        if kind == name { (*kind).to_owned() } else { format!("{kind} ({})", printable(name)) }
    };
    let file = File {
        path: store.path().display().to_string(),
        generation: about.as_ref().map(|about| about.generation),
        keys: about.iter().flat_map(|about| &about.keys).map(key).collect(),
    };
    let state = match store.standing() {
        Ok(Standing::Open) => Ok("open"),
        Ok(Standing::Closed) => Ok("not unlocked; `gocred unlock` asks for its passphrase"),
        Ok(Standing::Creatable | Standing::Missing) => Ok("none yet"),
        Err(error) => Err(keyring::fault(error)),
    };
    if let Some(damage) = store::Store::damage(&mut store) {
        ui::err(&format!("{}: {}", damage.code(), printable(&damage.to_string())));
    }
    (Some(file), state)
}

/// Says who chose it.
fn chosen_by(context: &Context) -> String {
    if context.env.text("GOCRED_STORE").is_some() {
        return "GOCRED_STORE".to_owned();
    }
    let settings = &context.config.origins.settings;
    match settings.iter().find(|(key, _)| key.to_string() == "store.name") {
        Some((_, setting)) => {
            let file = front::file(&context.paths, setting.place).display();
            format!("{file}:{}", setting.line)
        }
        None => "nobody: it is what is used unless one is chosen".to_owned(),
    }
}

impl Report {
    fn words(&self) {
        ui::out(&format!("store: {}", self.store));
        ui::out(&format!("chosen by: {}", printable(&self.chosen_by)));
        if let Some(File { path, generation, keys }) = &self.file {
            ui::out(&format!("file: {}", printable(path)));
            if let Some(generation) = generation {
                ui::out(&format!("generation: {generation}"));
                ui::out(&format!("opened by: {}", keys.join(", ")));
            }
        }
        ui::out(&format!("state: {}", self.state));
        ui::out("");
        let mut table = vec![["STORE", "OPENED BY", "STATE", "WHY"].map(str::to_owned)];
        for Row { store, opened_by, state, reason, code } in &self.candidates {
            let reason = reason.as_deref().unwrap_or("-");
            let why = code.map_or_else(|| reason.to_owned(), |code| format!("{code}: {reason}"));
            table.push([(*store).to_owned(), opened_by.clone(), (*state).to_owned(), why]);
        }
        ui::table(&table);
    }
}
