//! N7: admissions in any window stay within burst + rate × window.

use std::time::Duration;

use super::Verdict;
use crate::rush::record::Record;

/// Sessions' beginnings are signed in whole milliseconds, so a window may be this much longer than it looks.
const ROUNDING: Duration = Duration::from_millis(1);

/// A promise about admissions.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Admissions a minute.
    pub per_minute: f64,
    /// Admissions at once.
    pub burst: f64,
}

impl Bound {
    /// With the burst a room has when none is configured: one second of the rate, at least 1.
    pub fn new(per_minute: f64, burst: Option<u32>) -> Self {
        Self { per_minute, burst: burst.map_or((per_minute / 60.0).floor().max(1.0), f64::from) }
    }

    fn allows(self, admissions: usize, micros: u64) -> bool {
        admissions as f64 <= self.burst + self.per_minute / 60e6 * micros as f64 + 1e-6
    }
}

/// Whether every window of the run kept to `bound`.
///
/// By the beginnings signed into the tickets where all have them: exact, over all windows. Otherwise by the crowd's own
/// clock: then only admissions that were surely within a window (asked after it began, answered before it ended) count.
pub fn within(records: &[Record], bound: Bound) -> Verdict {
    let admitted: Vec<_> = records.iter().filter_map(|record| record.admitted.as_ref()).collect();
    let signed: Option<Vec<u64>> =
        admitted.iter().map(|admitted| admitted.started.map(|started| started.as_micros())).collect();
    let (clock, worst) = match signed {
        Some(times) => ("the store's clock", fullest_by_instants(times, bound)),
        None => {
            let spans = admitted.iter().map(|admitted| (admitted.asked.as_micros(), admitted.answered.as_micros()));
            ("the crowd's clock", fullest_by_spans(spans.collect(), bound))
        }
    };
    let checked = format!("at most {} + {}/min × window admitted, by {clock}", bound.burst, bound.per_minute);
    let case = worst.map(|(count, micros)| format!("{count} admissions within {:.3} s", micros as f64 / 1e6));
    Verdict::of("N7", checked, case.into_iter().collect())
}

/// A window that breaks the bound, as (admissions, µs). Every window that begins and ends at an admission is covered:
/// each admission is held against the earlier one that leaves the least room, which is the one with the lowest
/// `index − rate × time`.
fn fullest_by_instants(mut times: Vec<u64>, bound: Bound) -> Option<(usize, u64)> {
    times.sort_unstable();
    let lead = |index: usize, at: u64| index as f64 - bound.per_minute / 60e6 * at as f64;
    let rounding = u64::try_from(ROUNDING.as_micros()).unwrap_or_default();
    let origin = *times.first()?;
    let mut tightest = 0;
    for (last, at) in times.iter().enumerate() {
        if lead(last, at - origin) < lead(tightest, times[tightest] - origin) {
            tightest = last;
        }
        let (count, micros) = (last - tightest + 1, at - times[tightest]);
        if !bound.allows(count, micros + rounding) {
            return Some((count, micros));
        }
    }
    None
}

/// The same for admissions known only as (asked, answered): all pairs of a beginning and an end.
fn fullest_by_spans(mut spans: Vec<(u64, u64)>, bound: Bound) -> Option<(usize, u64)> {
    spans.sort_unstable_by_key(|(_, answered)| *answered);
    for (begins, _) in &spans {
        let mut count = 0;
        for (asked, answered) in &spans {
            if asked >= begins {
                count += 1;
                if !bound.allows(count, answered - begins) {
                    return Some((count, answered - begins));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn every_window(times: &[u64], bound: Bound) -> bool {
        let within = |from: u64, to: u64| times.iter().filter(|at| (from..=to).contains(at)).count();
        times.iter().all(|from| {
            times.iter().filter(|to| *to >= from).all(|to| bound.allows(within(*from, *to), to - from + 1_000))
        })
    }

    /// The one pass must agree with looking at every window.
    #[test]
    fn agrees_with_every_window() {
        let mut rng = StdRng::seed_from_u64(1);
        let bound = Bound::new(600.0, Some(3));
        let mut broken = 0;
        for _ in 0..500 {
            let times: Vec<u64> = (0..20).map(|_| rng.random_range(0..4_000_u64) * 1_000).collect();
            let found = fullest_by_instants(times.clone(), bound).is_some();
            assert_eq!(found, !every_window(&times, bound), "{times:?}");
            broken += usize::from(found);
        }
        assert!((50..450).contains(&broken), "the cases must be of both kinds: {broken}");
    }

    /// By the crowd's own clock a late answer must not look like a burst, and a real burst must.
    #[test]
    fn spans_count_only_what_is_sure() {
        let bound = Bound::new(60.0, Some(1));
        assert_eq!(bound.burst, 1.0);
        let late_answer = vec![(0, 2_000_000), (1_500_000, 2_000_000)];
        assert_eq!(fullest_by_spans(late_answer, bound), None);
        assert_eq!(fullest_by_spans(vec![(0, 10_000), (5_000, 20_000)], bound), Some((2, 20_000)));
        assert_eq!(Bound::new(600.0, None).burst, 10.0);
    }
}
