//! What a loss did, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::options::Loss;
use crate::latency::Percentiles;
use crate::rush::checks::Verdict;
use crate::rush::report::write_times;

/// From a place's call to its ticket.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Turns {
    /// From the last look at the store's frontier (25 ms apart) that did not include the place, to the ticket's answer.
    pub called_to_admitted: Percentiles,
    /// The same without the visitor's own poll interval; zero when the poll came sooner.
    pub beyond_the_interval: Percentiles,
    /// Polls that were told "called" and brought no ticket yet.
    pub called_in_vain: u64,
}

/// The results of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How many waited when it happened.
    pub waiting: u32,
    /// What happened to the store.
    pub loss: Loss,
    /// Gateways.
    pub gateways: u8,
    /// `total_active_users`.
    pub limit: u32,
    /// `new_users_per_minute`.
    pub rate_per_minute: u32,
    /// `session_duration`.
    pub session_seconds: f64,
    /// The seed.
    pub seed: u64,
    /// The whole run.
    pub took_seconds: f64,
    /// Polls a second before it happened.
    pub calm_polls_per_second: f64,
    /// How long everybody had to be restored.
    pub within_seconds: f64,
    /// Who had polled by then and still waited.
    pub polled_in_time: usize,
    /// Who had not polled by then.
    pub not_polled_in_time: usize,
    /// Who had polled and was not in the store.
    pub not_restored: usize,
    /// Who had polled and stood elsewhere than the token says.
    pub displaced: usize,
    /// When the store called somebody again.
    pub first_call_after_seconds: Option<f64>,
    /// When somebody was let in again.
    pub first_admission_after_seconds: Option<f64>,
    /// Since when everybody who had joined before was answered in order; `None`: not everybody was.
    pub all_in_order_after_seconds: Option<f64>,
    /// How many were not in the end.
    pub not_in_order: usize,
    /// Admissions before it happened.
    pub admitted_before: usize,
    /// Admissions after it.
    pub admitted_after: usize,
    /// Visitors who had been in and out and showed their used token again.
    pub used_tokens_shown_again: usize,
    /// Admissions later than those behind by more than their polling explains.
    pub admissions_out_of_order: usize,
    /// Positions that grew with the reason told.
    pub explained_moves: u64,
    /// The most sessions that surely lived at once.
    pub highest_cohort: usize,
    /// The highest `usher_active_sessions`.
    pub highest_gauge: Option<f64>,
    /// From the moment due to the answer.
    pub polls: Percentiles,
    /// Answers 5xx.
    pub server_errors: u64,
    /// Answers "too many requests".
    pub rate_limited: u64,
    /// Exchanges that broke or timed out.
    pub broken_exchanges: u64,
    /// CPU of the crowd itself.
    pub crowd_cpu_seconds: Option<f64>,
    /// CPU of all gateways.
    pub gateways_cpu_seconds: f64,
    /// CPU of the Redis that ran last.
    pub redis_cpu_seconds: f64,
    /// From call to ticket.
    pub turns: Turns,
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
        let what = match self.loss {
            Loss::Flushed => "FLUSHALL",
            Loss::Restarted => "Redis killed, started empty",
            Loss::Nothing => "nothing happened",
        };
        writeln!(
            f,
            "{what} with {} waiting, {} gateways, total_active_users {}, new_users_per_minute {}, sessions of {} s, seed {}: {:.0} s\n",
            self.waiting,
            self.gateways,
            self.limit,
            self.rate_per_minute,
            self.session_seconds,
            self.seed,
            self.took_seconds
        )?;
        let told = |seconds: Option<f64>| seconds.map_or("never".to_owned(), |seconds| format!("{seconds:.1} s"));
        writeln!(f, "| | |\n| --- | ---: |")?;
        writeln!(f, "| polls a second before | {:.0} |", self.calm_polls_per_second)?;
        let within = self.within_seconds;
        writeln!(f, "| polled within {within:.0} s | {} |", self.polled_in_time)?;
        writeln!(f, "| of them in the store at their place by then | {} |", self.restored())?;
        writeln!(f, "| not polled within {within:.0} s | {} |", self.not_polled_in_time)?;
        writeln!(f, "| first call after | {} |", told(self.first_call_after_seconds))?;
        writeln!(f, "| first admission after | {} |", told(self.first_admission_after_seconds))?;
        writeln!(f, "| everybody answered in order after | {} |", told(self.all_in_order_after_seconds))?;
        writeln!(f, "| admitted before, after | {}, {} |", self.admitted_before, self.admitted_after)?;
        writeln!(f, "| used tokens shown again | {} |", self.used_tokens_shown_again)?;
        writeln!(f, "| admitted out of order beyond polling | {} |", self.admissions_out_of_order)?;
        writeln!(f, "| moves with their reason told | {} |", self.explained_moves)?;
        writeln!(f, "| highest cohort (visitors' own knowledge) | {} |", self.highest_cohort)?;
        if let Some(gauge) = self.highest_gauge {
            writeln!(f, "| highest cohort (usher_active_sessions) | {gauge} |")?;
        }
        writeln!(
            f,
            "| answers 5xx, \"rate limited\", broken exchanges | {}, {}, {} |",
            self.server_errors, self.rate_limited, self.broken_exchanges
        )?;
        let crowd = self.crowd_cpu_seconds.unwrap_or_default();
        writeln!(
            f,
            "| CPU of crowd, gateways, Redis | {crowd:.0} s, {:.0} s, {:.0} s |",
            self.gateways_cpu_seconds, self.redis_cpu_seconds
        )?;
        writeln!(f, "| polls told \"called\" without a ticket yet | {} |", self.turns.called_in_vain)?;
        let rows = [
            ("poll", self.polls),
            ("called → admitted", self.turns.called_to_admitted),
            ("called → admitted beyond the visitor's own interval", self.turns.beyond_the_interval),
        ];
        write_times(f, "times", rows.into_iter())?;
        writeln!(f)?;
        self.verdicts.iter().try_for_each(|verdict| write!(f, "{verdict}"))
    }
}

impl Report {
    fn restored(&self) -> usize {
        self.polled_in_time.saturating_sub(self.not_restored + self.displaced)
    }
}
