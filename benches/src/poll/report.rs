//! What polls cost.

use std::fmt;

use serde::Serialize;

use crate::latency::Percentiles;
use crate::rush::checks::Verdict;
use crate::rush::report::write_times;

/// How often the store did something.
#[derive(Clone, Debug, Serialize)]
pub struct OperationCost {
    /// Which operation.
    pub operation: String,
    /// A second, while everyone polled.
    pub polling_per_second: f64,
    /// A second, while nobody did.
    pub quiet_per_second: f64,
}

/// The results of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Visitors who joined.
    pub visitors: u32,
    /// Visitors in line at the end.
    pub waiting: u32,
    /// How long was polled.
    pub seconds: f64,
    /// Answered polls.
    pub polls: u64,
    /// Answered polls a second.
    pub polls_per_second: f64,
    /// Polls without a position.
    pub failed_polls: u64,
    /// Polls answered "too many requests".
    pub rate_limited_polls: u64,
    /// Positions that grew without a reason.
    pub unexplained_moves: u64,
    /// From the moment told to the answer.
    pub times: Percentiles,
    /// What the store did meanwhile.
    pub operations: Vec<OperationCost>,
    /// Every promise that was checked.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// The promises that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| !verdict.holds())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} visitors, {} of them waiting, polled as told for {:.1} s: {} polls, {:.0}/s",
            self.visitors, self.waiting, self.seconds, self.polls, self.polls_per_second
        )?;
        writeln!(f, "{} answered \"rate limited\", {} failed", self.rate_limited_polls, self.failed_polls)?;
        write_times(f, "operation", [("poll", self.times)].into_iter())?;
        writeln!(f, "\n| store operation | while polled, 1/s | in silence, 1/s |\n| --- | ---: | ---: |")?;
        for OperationCost { operation, polling_per_second, quiet_per_second } in &self.operations {
            writeln!(f, "| {operation} | {polling_per_second:.2} | {quiet_per_second:.2} |")?;
        }
        writeln!(f)?;
        self.verdicts.iter().try_for_each(|verdict| write!(f, "{verdict}"))
    }
}
