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
    samples(commands, rounds).iter_mut().map(|times| median(times)).collect()
}

/// Runs every command `rounds` times in turns, and returns the times of each in milliseconds.
pub fn samples(commands: &[Timed], rounds: usize) -> Vec<Vec<f64>> {
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
    times
}

/// Measures every contender `rounds` times in turns; returns the figures of each.
pub fn turns<C, T>(
    contenders: &[C],
    rounds: usize,
    mut measure: impl FnMut(&C) -> T,
) -> Vec<Vec<T>> {
    let mut figures: Vec<Vec<T>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            figures.push(measure(contender));
        }
    }
    figures
}

/// What came of two contenders that were measured side by side.
pub struct Pairs<T> {
    /// The first and the second of each pair.
    pub pairs: Vec<[T; 2]>,
}

/// Measures two contenders in pairs, one right after the other and each first in every second pair: what
/// else the machine does meanwhile, and what the first leaves for the second, falls on both alike.
pub fn pairs<C, T>(contenders: [&C; 2], rounds: usize, mut measure: impl FnMut(&C) -> T) -> Pairs<T>
where
    C: ?Sized,
{
    let [first, second] = contenders;
    let pairs = (0..rounds).map(|round| {
        if round % 2 == 0 {
            let one = measure(first);
            [one, measure(second)]
        } else {
            let other = measure(second);
            [measure(first), other]
        }
    });
    Pairs { pairs: pairs.collect() }
}

impl Pairs<f64> {
    /// Returns how many times as long the second took: the median over the pairs, and between what its
    /// middle half lies.
    pub fn ratio(&self) -> (f64, [f64; 2]) {
        let mut ratios: Vec<f64> =
            self.pairs.iter().map(|[first, second]| second / first).collect();
        let at = |ratios: &mut Vec<f64>, share| percentile(ratios, share);
        (median(&mut ratios), [at(&mut ratios, 0.25), at(&mut ratios, 0.75)])
    }

    /// Returns the median of the first ones, and of the second ones.
    pub fn medians(&self) -> [f64; 2] {
        [0, 1]
            .map(|which| median(&mut self.pairs.iter().map(|pair| pair[which]).collect::<Vec<_>>()))
    }
}

/// Returns the value that half of them do not exceed.
pub fn median(times: &mut [f64]) -> f64 {
    percentile(times, 0.5)
}

/// Returns the value that a share of them does not exceed; nothing has none.
pub fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = (times.len() as f64 * share) as usize;
    times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
