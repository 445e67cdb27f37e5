//! How long somebody will wait, as an interval, and when to ask again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{Limits, Policy, PollInterval, Timestamp};

/// A wait between its median and its ninetieth percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Half of the visitors wait no longer.
    pub p50: Duration,
    /// Nine in ten visitors wait no longer.
    pub p90: Duration,
}

/// The longest wait that is told: beyond a day a number says nothing.
const LONGEST_ESTIMATE: Duration = Duration::from_secs(86_400);

/// How long one observation lasts: long enough to smooth single claims, short enough to follow a change.
const SLOT: Duration = Duration::from_secs(5);

/// Observations kept: two minutes, as the field's vendors do; older ones describe another sale.
const SLOTS: usize = 24;

/// How much faster than measured a line behind a full cohort may suddenly move before polls are too rare.
const HEADROOM: f64 = 4.0;

/// Quantile of the standard normal distribution at 0.9.
const Z90: f64 = 1.2816;

/// The measured pace at which people ahead leave the line, by claim or departure.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    slots: VecDeque<u32>,
    slot_began: Timestamp,
    in_slot: u32,
}

/// Places per second and how much that varies: what the estimate is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Places per second.
    pub mean: f64,
    /// Standard error of the mean, places per second.
    pub error: f64,
    /// The fastest the line is expected to move, places per second: polls are paced by it, so that nobody is asleep
    /// when the turn comes.
    pub fastest: f64,
}

impl Pace {
    /// Notes that `left` places left the line since the last note.
    pub fn note(&mut self, left: u32, now: Timestamp) {
        if self.slot_began == Timestamp::ZERO {
            self.slot_began = now;
        }
        while now.since(self.slot_began) >= SLOT {
            if self.slots.len() == SLOTS {
                self.slots.pop_front();
            }
            self.slots.push_back(std::mem::take(&mut self.in_slot));
            self.slot_began = self.slot_began + SLOT;
            if now.since(self.slot_began) >= SLOT * SLOTS as u32 {
                // After a long silence only the silence counts.
                self.slots.clear();
                self.slot_began = now;
            }
        }
        self.in_slot += left;
    }

    /// Places per second that left the line, over the observations kept; zero before the first.
    pub fn measured(&self) -> f64 {
        let seconds = SLOT.as_secs_f64() * self.slots.len().max(1) as f64;
        self.slots.iter().map(|n| f64::from(*n)).sum::<f64>() / seconds
    }

    /// The measured speed; before three whole observations, what the limits promise, with a wide error.
    ///
    /// While the `sessions` leave room in the cohort, only the rate bounds the line, however slow it was: paced by what
    /// was measured, people would sleep through their turns and so keep it slow.
    pub fn speed(&self, limits: &Limits, policy: &Policy, sessions: u32) -> Speed {
        let by_rate = f64::from(limits.new_users_per_minute.max(1)) / 60.0;
        let promised = promised_speed(limits, policy);
        if self.slots.len() < 3 {
            return Speed { mean: promised, error: promised / 3.0, fastest: by_rate };
        }
        let count = self.slots.len() as f64;
        let seconds = SLOT.as_secs_f64();
        let mean = self.slots.iter().map(|n| f64::from(*n)).sum::<f64>() / count;
        let variance = self.slots.iter().map(|n| (f64::from(*n) - mean).powi(2)).sum::<f64>() / (count - 1.0);
        if mean == 0.0 {
            // Nobody left for the whole window: sessions are longer than it. The promise is the best that is known.
            return Speed { mean: promised, error: promised / 2.0, fastest: by_rate };
        }
        let (mean, error) = (mean / seconds, (variance / count).sqrt() / seconds);
        let is_full = u64::from(sessions) * 10 >= u64::from(limits.total_active_users) * 9;
        let fastest = if is_full { by_rate.min(HEADROOM * mean + Z90 * error) } else { by_rate };
        Speed { mean, error, fastest }
    }
}

/// What the limits allow: the rate, or a cohort that turns over once a session.
fn promised_speed(limits: &Limits, policy: &Policy) -> f64 {
    let by_rate = f64::from(limits.new_users_per_minute) / 60.0;
    let by_cohort = f64::from(limits.total_active_users) / policy.session_duration().as_secs_f64();
    by_rate.min(by_cohort.max(f64::MIN_POSITIVE))
}

impl Speed {
    /// How long somebody with `ahead` people ahead will wait. The spread has two parts: arrivals of turns are random
    /// (the time of n turns varies with √n), and the speed itself is known only so well.
    pub fn estimate(self, ahead: u32) -> Estimate {
        let turns = f64::from(ahead) + 1.0;
        let slow = (self.mean - Z90 * self.error).max(self.mean / 4.0);
        let p50 = turns / self.mean;
        let p90 = (turns + Z90 * turns.sqrt()) / slow;
        Estimate { p50: told(p50), p90: told(p90.max(p50)) }
    }
}

impl Speed {
    /// The earliest that the turn of somebody with `ahead` people ahead may come.
    pub fn soonest(self, ahead: u32) -> Duration {
        Duration::try_from_secs_f64(f64::from(ahead) / self.fastest).unwrap_or(LONGEST_ESTIMATE)
    }
}

fn told(seconds: f64) -> Duration {
    if seconds.is_finite() {
        Duration::from_secs(seconds.ceil().min(LONGEST_ESTIMATE.as_secs_f64()) as u64)
    } else {
        LONGEST_ESTIMATE
    }
}

/// When somebody whose turn comes in `soonest` at the earliest asks again: at half of it, in whole seconds, within the
/// room's bounds. In front that is the shortest interval; a line of n that moves at speed v costs about 4·v·ln(n) polls a
/// second, and with the longest interval 1,000,000 waiting cost at most 17,000.
pub fn poll_after(soonest: Duration, bounds: PollInterval) -> Duration {
    Duration::from_secs((soonest / 2).as_secs()).clamp(bounds.min, bounds.max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PolicyDraft;

    fn policy() -> Policy {
        Policy::new(&PolicyDraft::default()).unwrap()
    }

    /// Before anything was measured the estimate comes from the limits, wide; then from what was seen, narrower.
    #[test]
    fn measures_and_narrows() {
        let policy = policy();
        let mut pace = Pace::default();
        let unmeasured = pace.speed(policy.limits(), &policy, 0);
        assert!((unmeasured.mean - 200.0 / 300.0).abs() < 1e-9, "a cohort of 200 turns over in 300 s");
        for second in 0..120 {
            pace.note(5, Timestamp::from_secs(1_000 + second));
        }
        let measured = pace.speed(policy.limits(), &policy, 0);
        assert!((measured.mean - 5.0).abs() < 0.1, "{measured:?}");
        let estimate = measured.estimate(999);
        assert_eq!(estimate.p50, Duration::from_secs(200));
        assert!(estimate.p90 >= estimate.p50 && estimate.p90 < Duration::from_secs(220), "{estimate:?}");
    }

    /// A line that does not move is told a long wait, never an endless or a negative one.
    #[test]
    fn a_stalled_line_has_a_bounded_estimate() {
        let policy = policy();
        let mut pace = Pace::default();
        for second in 0..600 {
            pace.note(0, Timestamp::from_secs(1_000 + second));
        }
        let estimate = pace.speed(policy.limits(), &policy, 0).estimate(u32::MAX);
        assert_eq!(estimate.p90, LONGEST_ESTIMATE);
    }

    /// Polls are frequent in front and rare far back, within the room's bounds.
    #[test]
    fn interval_grows_with_the_wait() {
        let bounds = policy().poll_interval();
        assert_eq!(poll_after(Duration::from_secs(1), bounds), Duration::from_secs(1));
        assert_eq!(poll_after(Duration::from_secs(25), bounds), Duration::from_secs(12));
        assert_eq!(poll_after(Duration::from_secs(7_200), bounds), Duration::from_secs(60));
    }

    /// Unmeasured, polls are paced by the fastest the limits allow, so that a first rush finds everybody awake.
    #[test]
    fn polls_are_paced_by_the_fastest_line() {
        let policy = policy();
        let speed = Pace::default().speed(policy.limits(), &policy, 0);
        assert_eq!(speed.soonest(600), Duration::from_secs(60), "600 a minute");
    }

    /// A slow line with room in the cohort is still polled at the pace the rate allows; behind a full one, at its own.
    #[test]
    fn a_slow_line_is_not_kept_slow() {
        let policy = policy();
        let mut pace = Pace::default();
        for second in 0..120 {
            pace.note(1, Timestamp::from_secs(1_000 + second));
        }
        assert_eq!(pace.speed(policy.limits(), &policy, 20).soonest(600), Duration::from_secs(60));
        assert!(pace.speed(policy.limits(), &policy, 200).soonest(600) > Duration::from_secs(120));
    }
}
