//! Times commands in turns, so that what else the machine does falls on all of them alike.

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

/// A command with its standard input.
#[derive(Clone)]
pub struct Timed {
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub input: PathBuf,
    pub env: Vec<(String, String)>,
}

impl Timed {
    /// Builds the command: clean environment, input from the file, output thrown away.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.env.iter().cloned());
        command.stdin(File::open(&self.input).expect("input file"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// Runs every command `rounds` times in turns, and returns the median of each in milliseconds.
pub fn medians(commands: &[Timed], rounds: usize) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); commands.len()];
    for round in 0..rounds + 3 {
        for (timed, times) in commands.iter().zip(&mut times) {
            let mut command = timed.command();
            let start = Instant::now();
            let status = command.status().unwrap_or_else(|error| panic!("{}: {error}", timed.name));
            let elapsed = start.elapsed().as_secs_f64() * 1e3;
            assert!(status.success() || status.code() == Some(1), "{}: {status}", timed.name);
            // The first three warm the caches.
            if round >= 3 {
                times.push(elapsed);
            }
        }
    }
    times.iter_mut().map(|times| median(times)).collect()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
