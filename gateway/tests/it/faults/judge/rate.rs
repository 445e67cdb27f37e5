//! N7: admissions in every window are at most burst + rate × window.

use std::time::Duration;

use super::Finding;
use crate::faults::record::Facts;

/// Shared time may run this much ahead of what any gateway saw pass, and beginnings are signed in whole milliseconds.
const DRIFT: Duration = Duration::from_millis(100 + 1);

pub(super) fn within_rate(facts: &Facts) -> Finding {
    let stays = facts.visitors.iter().flat_map(|record| &record.stays);
    let mut began: Vec<u64> = stays.map(|stay| stay.session.started.as_micros()).collect();
    began.sort_unstable();
    let per_second = f64::from(facts.limits.per_second);
    let most = f64::from(facts.limits.burst) + per_second * DRIFT.as_secs_f64();
    // With `i` admissions before the window and `j` at its end: j − i + 1 − rate × window ≤ burst. The lowest of
    // `i − rate × time` so far is the worst beginning for every later end.
    let (mut lowest, mut cases) = (f64::INFINITY, Vec::new());
    let mut from = 0;
    for (index, at) in began.iter().enumerate() {
        let owed = index as f64 - per_second * ((*at - began[0]) as f64 / 1e6);
        if owed < lowest {
            (lowest, from) = (owed, index);
        }
        if owed - lowest + 1.0 > most {
            let window = (*at - began[from]) as f64 / 1e6;
            cases.push(format!("{} admissions in {window:.3} s", index - from + 1));
        }
    }
    Finding::of("N7", "admissions within burst + rate × window", cases)
}
