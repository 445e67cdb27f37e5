//! How often each place may ask.

use std::time::Duration;

use queue_core::Sequence;

use super::place_table::PlaceTable;

/// Ticks a second: polls are told in whole seconds, a third of the shortest is still several ticks.
const TICKS_PER_SECOND: u128 = 64;
/// How many times faster than told somebody may poll and still be answered.
const TOLERANCE: u32 = 3;

/// When each place may ask next, as a theoretical arrival time in ticks since the gateway's start.
pub(super) struct Polls(PlaceTable);

impl Polls {
    pub(super) fn new() -> Self {
        Self(PlaceTable::new())
    }

    /// Whether a poll of `sequence` at `uptime` is answered when it is told to come every `told`. An early one is, up
    /// to three times as often; a refused one costs the place nothing.
    pub(super) fn allow(&self, sequence: Sequence, uptime: Duration, told: Duration) -> bool {
        let now = ticks(uptime);
        let told = ticks(told);
        // Two workers may race for the same place: one poll more or less, never a wrong position.
        let next = self.0.get(sequence).max(now).saturating_add(told / TOLERANCE);
        let early = next.saturating_sub(now) > told.max(1);
        if !early {
            self.0.set(sequence, next);
        }
        !early
    }
}

fn ticks(span: Duration) -> u32 {
    u32::try_from(span.as_millis() * TICKS_PER_SECOND / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three times the told rate is answered for ever, more is not, and obeying again is forgiven at once.
    #[test]
    fn three_times_the_told_rate_is_answered() {
        let polls = Polls::new();
        let place = Sequence::new(70_000).unwrap();
        let told = Duration::from_secs(12);
        let answered = |every_ms: u64, from_s: u64| {
            let polled = (0..100).map(|n| Duration::from_secs(from_s) + Duration::from_millis(n * every_ms));
            polled.filter(|at| polls.allow(place, *at, told)).count()
        };
        assert_eq!(answered(4_001, 0), 100);
        assert!(answered(1_000, 1_000) < 40);
        assert!(polls.allow(place, Duration::from_secs(1_112), told));
    }
}
