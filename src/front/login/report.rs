//! What a login says at its end, in words and as JSON. Neither ever holds a secret.

use serde::Serialize;

use crate::{
    core::{credential::Key, text::printable},
    front::{Answer, Outcome, login::survey::Checked, setup::Offered, ui},
    store::Saved,
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

/// Everything there is to say.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// What was stored.
    pub(super) key: &'a Key,
    /// The store's name.
    pub(super) store: &'static str,
    /// Whether anything was written.
    pub(super) saved: Saved,
    /// `None`: the host was not asked.
    pub(super) checked: Option<Checked>,
    /// `None`: it was not a question, or failed.
    pub(super) setup: Option<Offered>,
    /// What else happened, a sentence each.
    pub(super) notes: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    host: String,
    url: String,
    kind: &'a str,
    account: &'a str,
    store: &'a str,
    stored: &'a str,
    verified: &'a str,
    reason: Option<&'a str>,
    setup: Option<&'a str>,
    notes: &'a [String],
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object.
    Json,
    /// Lines for people.
    Words,
}

impl Report<'_> {
    /// Prints what became of the secret, in words; a person reads it before the next question.
    pub(super) fn begin(&self, form: Form) {
        match form {
            Form::Json => {}
            Form::Words => self.secret(),
        }
    }

    /// Prints the rest; as JSON, all of it.
    pub(super) fn end(&self, form: Form) -> Outcome {
        match form {
            Form::Json => self.json()?,
            Form::Words => self.rest(),
        }
        Ok(Answer::Yes)
    }

    fn secret(&self) {
        let place = printable(&self.key.origin.authority());
        let (user, store) = (printable(&self.key.user), self.store);
        match (self.saved, &self.checked) {
            (Saved::Unchanged, _) => ui::out(&format!(
                "already signed in to {place} as {user}: {store} holds this very secret"
            )),
            (Saved::Written, Some(Checked::Accepted)) => {
                ui::out(&format!("signed in to {place} as {user}; stored in {store}"));
            }
            (Saved::Written, Some(Checked::Undecidable(_) | Checked::Rejected(_)) | None) => {
                ui::out(&format!("stored in {store}: {user} at {place}"));
            }
        }
        match &self.checked {
            Some(Checked::Accepted) => ui::out(&format!("{place} accepted it")),
            Some(Checked::Undecidable(reason)) => {
                ui::out(&format!("whether it works is not known: {}", printable(reason)));
            }
            Some(Checked::Rejected(_)) => {}
            None => ui::out("it was not tried, as you asked"),
        }
    }

    fn rest(&self) {
        for note in &self.notes {
            ui::out(&printable(note));
        }
        match &self.setup {
            Some(Offered::Written(files)) => {
                for file in files {
                    ui::out(&format!("wired git and go: wrote {file}"));
                }
                ui::out("`gocred setup --undo` takes that back");
            }
            Some(Offered::Declined) => {
                ui::out("git and go do not ask gocred yet; `gocred setup` wires them");
            }
            Some(Offered::Wired) | None => {}
        }
    }

    fn json(&self) -> Result<(), crate::core::fault::Fault> {
        let reason = match &self.checked {
            Some(Checked::Undecidable(reason)) => Some(reason.as_str()),
            Some(Checked::Accepted | Checked::Rejected(_)) | None => None,
        };
        ui::json(&Json {
            schema: SCHEMA,
            host: self.key.origin.authority(),
            url: self.key.origin.to_string(),
            kind: self.key.kind.as_str(),
            account: &self.key.user,
            store: self.store,
            stored: match self.saved {
                Saved::Unchanged => "unchanged",
                Saved::Written => "written",
            },
            verified: match &self.checked {
                Some(Checked::Accepted) => "accepted",
                Some(Checked::Rejected(_)) => "rejected",
                Some(Checked::Undecidable(_)) => "undecidable",
                None => "skipped",
            },
            reason,
            setup: self.setup.as_ref().map(|setup| match setup {
                Offered::Declined => "missing",
                Offered::Wired => "wired",
                Offered::Written(_) => "written",
            }),
            notes: &self.notes,
        })
    }
}
