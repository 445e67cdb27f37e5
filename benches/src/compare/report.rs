//! What a comparison found: medians and ratios.

use std::fmt;

use serde::Serialize;

use crate::latency::Percentiles;

/// One round against one server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    /// CPU seconds, user and system, of the server for 10,000 requests.
    pub cpu_seconds_per_10_000: f64,
    /// Good answers a second.
    pub requests_per_second: f64,
    /// Answers 200.
    pub good: u64,
    /// Other answers.
    pub other: u64,
    /// Times in the closed loop.
    pub times: Percentiles,
}

/// All rounds of one server.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The median of the rounds.
    pub cpu_seconds_per_10_000: f64,
    /// The median of the rounds.
    pub requests_per_second: f64,
    /// Answers other than 200 in all rounds; a comparison with any is worth nothing.
    pub other: u64,
    /// Every round.
    pub rounds: Vec<Round>,
}

impl Side {
    pub(super) fn of(rounds: Vec<Round>) -> Self {
        Self {
            cpu_seconds_per_10_000: median(rounds.iter().map(|round| round.cpu_seconds_per_10_000)),
            requests_per_second: median(rounds.iter().map(|round| round.requests_per_second)),
            other: rounds.iter().map(|round| round.other).sum(),
            rounds,
        }
    }
}

/// Two servers that got the same requests.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What was compared.
    pub what: &'static str,
    /// The server that checks nothing.
    pub bare: Side,
    /// The gateway.
    pub usher: Side,
    /// The gateway's CPU to the bare server's: the median over the rounds' own ratios.
    pub ratio: f64,
    /// The lowest and highest of the rounds' ratios.
    pub ratio_range: (f64, f64),
}

impl Comparison {
    pub(super) fn of(what: &'static str, bare: Side, usher: Side) -> Self {
        let cpu = |round: &Round| round.cpu_seconds_per_10_000;
        let ratios = bare.rounds.iter().zip(&usher.rounds).map(|(bare, usher)| cpu(usher) / cpu(bare));
        let ratios: Vec<f64> = ratios.collect();
        let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { what, bare, usher, ratio: median(ratios.into_iter()), ratio_range: (lowest, highest) }
    }
}

/// The whole comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Rounds that counted.
    pub rounds: u32,
    /// Requests to each server in a round.
    pub requests_a_round: u64,
    /// Keep-alive connections.
    pub connections: u16,
    /// Visitors in line.
    pub waiting: usize,
    /// The length of a position document, and of the fixed one.
    pub document_bytes: usize,
    /// The pairs.
    pub comparisons: Vec<Comparison>,
}

impl Report {
    /// Whether every request was answered as it should be.
    pub fn is_valid(&self) -> bool {
        self.comparisons.iter().all(|pair| pair.bare.other + pair.usher.other == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Medians of {} rounds of {} requests on {} connections; server and generator on one core each; {} in line; \
             documents of {} bytes.\n",
            self.rounds, self.requests_a_round, self.connections, self.waiting, self.document_bytes
        )?;
        writeln!(f, "| bare \\| usher | CPU s per 10,000 | ratio (rounds) | requests/s | p50, p99 ms | not 200 |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for Comparison { what, bare, usher, ratio, ratio_range: (lowest, highest) } in &self.comparisons {
            let what = what.replace('|', "\\|");
            let (one, other) = (bare.cpu_seconds_per_10_000, usher.cpu_seconds_per_10_000);
            write!(f, "| {what} | {one:.3} \\| {other:.3} | **{ratio:.2}** ({lowest:.2}–{highest:.2}) ")?;
            write!(f, "| {:.0} \\| {:.0} ", bare.requests_per_second, usher.requests_per_second)?;
            write!(f, "| {} \\| {} ", times(bare), times(usher))?;
            writeln!(f, "| {} \\| {} |", bare.other, usher.other)?;
        }
        Ok(())
    }
}

fn times(side: &Side) -> String {
    let p50 = median(side.rounds.iter().map(|round| round.times.p50_ms));
    let p99 = median(side.rounds.iter().map(|round| round.times.p99_ms));
    format!("{p50:.2}, {p99:.2}")
}

/// The middle one, of an even number the mean of the two in the middle; not a number for none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len().wrapping_sub(1) / 2), sorted.get(sorted.len() / 2)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A figure that goes into a table must be the middle one.
    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median([].into_iter()).is_nan());
    }
}
