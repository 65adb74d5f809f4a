//! What a login says at its end, in words and as JSON. Neither ever holds a secret.

use serde::Serialize;

use crate::{
    core::{credential::Key, text::printable},
    front::{
        Answer, Outcome,
        login::{facts::Facts, survey::Checked},
        setup::Offered,
        ui,
    },
    store::Saved,
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

/// Everything there is to say.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// What was stored.
    pub(super) key: &'a Key,
    /// What became of the secret.
    pub(super) stored: Stored,
    /// `None`: the host was not asked.
    pub(super) checked: Option<Checked>,
    /// What is known of the token.
    pub(super) facts: Option<Facts>,
    /// By which scheme a proxy was told the secret.
    pub(super) how: Option<&'static str>,
    /// `None`: it was not a question, or failed.
    pub(super) setup: Option<Offered>,
    /// What else happened, a sentence each.
    pub(super) notes: Vec<String>,
}

/// What became of the secret.
#[derive(Debug)]
pub(super) enum Stored {
    /// It is in the store of this name; whether anything was written.
    Saved(&'static str, Saved),
    /// There was no need for one, because of this.
    Unneeded(String),
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    host: String,
    url: String,
    kind: &'a str,
    account: &'a str,
    store: Option<&'a str>,
    stored: &'a str,
    verified: &'a str,
    scheme: Option<&'a str>,
    reason: Option<&'a str>,
    token: Option<&'a Facts>,
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
        let user = printable(&self.key.user);
        let (store, saved) = match &self.stored {
            Stored::Saved(store, saved) => (store, saved),
            Stored::Unneeded(why) => {
                return ui::out(&format!("no login is needed at {place}: {why}"));
            }
        };
        match (saved, &self.checked) {
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
            Some(Checked::Accepted) => {
                let how = self.how.map_or_else(String::new, |how| format!(" ({how})"));
                ui::out(&format!("{place} accepted it{how}"));
            }
            Some(Checked::Undecidable(reason)) => {
                ui::out(&format!("whether it works is not known: {}", printable(reason)));
            }
            Some(Checked::Rejected(_)) => {}
            None => ui::out("it was not tried, as you asked"),
        }
        if let Some(facts) = &self.facts {
            facts.tell(&self.key.user);
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
        let reason = match (&self.checked, &self.stored) {
            (Some(Checked::Undecidable(reason)), _) => Some(reason.as_str()),
            (_, Stored::Unneeded(why)) => Some(why.as_str()),
            (Some(Checked::Accepted | Checked::Rejected(_)) | None, _) => None,
        };
        ui::json(&Json {
            schema: SCHEMA,
            host: self.key.origin.authority(),
            url: self.key.origin.to_string(),
            kind: self.key.kind.as_str(),
            account: &self.key.user,
            store: match self.stored {
                Stored::Saved(store, _) => Some(store),
                Stored::Unneeded(_) => None,
            },
            stored: match self.stored {
                Stored::Saved(_, Saved::Unchanged) => "unchanged",
                Stored::Saved(_, Saved::Written) => "written",
                Stored::Unneeded(_) => "unneeded",
            },
            verified: match &self.checked {
                Some(Checked::Accepted) => "accepted",
                Some(Checked::Rejected(_)) => "rejected",
                Some(Checked::Undecidable(_)) => "undecidable",
                None => "skipped",
            },
            scheme: self.how,
            reason,
            token: self.facts.as_ref(),
            setup: self.setup.as_ref().map(|setup| match setup {
                Offered::Declined => "missing",
                Offered::Wired => "wired",
                Offered::Written(_) => "written",
            }),
            notes: &self.notes,
        })
    }
}
