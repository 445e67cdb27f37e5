//! What a rehearsal found: as a table for people, as JSON for the next run to compare with.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::checks::Verdict;
use crate::latency::Percentiles;

/// The results of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was asked for.
    pub setup: Setup,
    /// From the opening to the end of the last visit, seconds.
    pub took_seconds: f64,
    /// Visitors by how their visit ended.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Seats in success answers.
    pub seats_sold: usize,
    /// Request times by operation, from the intended moment.
    pub latency: Vec<(&'static str, Percentiles)>,
    /// From the answered join to the ticket.
    pub wait: Percentiles,
    /// Visitors who were given places.
    pub places: usize,
    /// Visitors who were admitted.
    pub admitted: usize,
    /// The most sessions that surely lived at once.
    pub highest_cohort: usize,
    /// The highest `usher_active_sessions`.
    pub highest_gauge: Option<f64>,
    /// Admissions later than those behind by more than their polling explains.
    pub admissions_out_of_order: usize,
    /// Positions that grew with the reason told.
    pub explained_moves: u64,
    /// What went wrong along the way.
    pub trouble: Trouble,
    /// CPU the crowd itself used, seconds.
    pub crowd_cpu_seconds: Option<f64>,
    /// Every invariant that was checked.
    pub verdicts: Vec<Verdict>,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Setup {
    /// Gateways.
    pub urls: Vec<String>,
    /// The room.
    pub room: String,
    /// Visitors.
    pub visitors: u32,
    /// Seats for sale.
    pub seats: u32,
    /// The cohort's limit checked against.
    pub limit: Option<u32>,
    /// Admissions a minute checked against.
    pub rate_per_minute: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// Arrivals within, seconds.
    pub arrive_seconds: f64,
    /// Keep-alive connections to each gateway.
    pub connections: u16,
}

/// What went wrong along the way without ending a visit.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Trouble {
    /// Answers 5xx.
    pub server_errors: u64,
    /// Answers "too many requests".
    pub rate_limited: u64,
    /// Exchanges that broke or timed out.
    pub broken_exchanges: u64,
    /// Holds lost to someone faster.
    pub lost_seats: u64,
    /// Connections opened in all.
    pub connections_opened: u64,
    /// Looks at metrics without an answer.
    pub unanswered_scrapes: u64,
}

impl Report {
    /// The invariants that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| !verdict.holds())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setup = &self.setup;
        writeln!(
            f,
            "{} visitors for {} seats, room {}, seed {}, arrivals within {} s, {} × {} connections: {:.1} s",
            setup.visitors,
            setup.seats,
            setup.room,
            setup.seed,
            setup.arrive_seconds,
            setup.urls.len(),
            setup.connections,
            self.took_seconds
        )?;
        writeln!(f, "\n| visitors who | |\n| --- | ---: |")?;
        for (outcome, count) in &self.outcomes {
            writeln!(f, "| {outcome} | {count} |")?;
        }
        writeln!(f, "\n| | |\n| --- | ---: |")?;
        writeln!(f, "| seats sold | {} |", self.seats_sold)?;
        writeln!(f, "| places given | {} |", self.places)?;
        writeln!(f, "| admitted | {} |", self.admitted)?;
        writeln!(f, "| highest cohort (visitors' own knowledge) | {} |", self.highest_cohort)?;
        if let Some(gauge) = self.highest_gauge {
            writeln!(f, "| highest cohort (usher_active_sessions) | {gauge} |")?;
        }
        writeln!(f, "| admitted out of order beyond polling | {} |", self.admissions_out_of_order)?;
        writeln!(f, "| moves with their reason told | {} |", self.explained_moves)?;
        let trouble = &self.trouble;
        writeln!(f, "| answers 5xx | {} |", trouble.server_errors)?;
        writeln!(f, "| answers \"rate limited\" | {} |", trouble.rate_limited)?;
        writeln!(f, "| broken exchanges | {} |", trouble.broken_exchanges)?;
        writeln!(f, "| picks lost to someone faster | {} |", trouble.lost_seats)?;
        writeln!(f, "| connections opened | {} |", trouble.connections_opened)?;
        if let Some(cpu) = self.crowd_cpu_seconds {
            writeln!(f, "| CPU of the crowd itself | {cpu:.1} s |")?;
        }
        write_times(f, "operation", self.latency.iter().copied().chain([("waiting in line", self.wait)]))?;
        writeln!(f)?;
        self.verdicts.iter().try_for_each(|verdict| write!(f, "{verdict}"))
    }
}

/// A table of times in milliseconds.
///
/// # Errors
/// The formatter's.
pub fn write_times<'a>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    rows: impl Iterator<Item = (&'a str, Percentiles)>,
) -> fmt::Result {
    writeln!(f, "\n| {heading} (ms from the intended moment) | count | p50 | p90 | p99 | p99.9 | max |")?;
    writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    for (name, times) in rows {
        let Percentiles { count, p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = times;
        writeln!(f, "| {name} | {count} | {p50_ms:.1} | {p90_ms:.1} | {p99_ms:.1} | {p999_ms:.1} | {max_ms:.1} |")?;
    }
    Ok(())
}
