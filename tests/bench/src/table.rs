//! The table that README shows.

/// What a figure is measured against.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(limit) => figure <= limit,
            Self::AtLeast(limit) => figure >= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
        }
    }
}

#[derive(Default)]
pub struct Table {
    rows: Vec<String>,
    pub missed: bool,
}

impl Table {
    /// Adds a time, or what follows from one. A miss is told and fails nothing: this machine may be
    /// busy with other things.
    pub fn time(&mut self, what: &str, figure: f64, goal: Goal, note: &str) {
        self.row(what, figure, goal, note);
    }

    /// Adds a count, which does not depend on what else the machine does. A miss fails the run.
    pub fn count(&mut self, what: &str, figure: f64, limit: f64, note: &str) {
        let goal = Goal::AtMost(limit);
        self.missed |= !goal.is_met(figure);
        self.row(what, figure, goal, note);
    }

    /// Adds a figure without a goal.
    pub fn show(&mut self, what: &str, figure: f64, note: &str) {
        self.add(format!("| {what} | {figure:.2} | | | {note} |"));
    }

    /// Adds a row that could not be measured here.
    pub fn skip(&mut self, what: &str, why: &str) {
        self.add(format!("| {what} | – | | not measured | {why} |"));
    }

    pub fn print(&self) {
        println!("| what | measured | goal | | beside |\n|---|---|---|---|---|");
        for row in &self.rows {
            println!("{row}");
        }
    }

    fn row(&mut self, what: &str, figure: f64, goal: Goal, note: &str) {
        let verdict = if goal.is_met(figure) { "met" } else { "missed" };
        self.add(format!("| {what} | {figure:.2} | {} | {verdict} | {note} |", goal.text()));
    }

    fn add(&mut self, row: String) {
        eprintln!("{row}");
        self.rows.push(row);
    }
}
