//! Leaky bucket: a queue that is emptied at the rate.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Pass, Quota, Refusal, Rule};
use crate::Timestamp;

/// Requests leave one by one at the rate; up to `burst` are in the queue, the one that is leaving counted. What passes is
/// told how long it waits: at most `burst / rate`. Any time `w` sees at most `1 + rate × w` leave (rounded to the microsecond).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakyBucket(pub Quota);

/// What is still in the queue: `period_us` parts a request, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    parts: u64,
    at: Timestamp,
}

impl LeakyBucket {
    fn parts(&self, level: &Level, now: Timestamp) -> u64 {
        level.parts.saturating_sub(self.0.parts_between(level.at, now))
    }
}

impl Rule for LeakyBucket {
    type State = Level;

    fn idle(&self) -> Level {
        Level::default()
    }

    fn ask(&self, level: &Level, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        let wanted = u64::from(cost.get()) * self.0.period_us();
        if wanted > self.0.capacity() {
            return Err(Refusal::Never);
        }
        let behind = level.at.since(now);
        let ahead = self.parts(level, now);
        let beyond = (ahead + wanted).saturating_sub(self.0.capacity());
        if beyond > 0 {
            return Err(Refusal::NotUntil(behind + Duration::from_micros(self.0.micros_for(beyond))));
        }
        Ok(Pass { delay: behind + Duration::from_micros(self.0.micros_for(ahead)) })
    }

    fn charge(&self, level: &mut Level, now: Timestamp, cost: NonZeroU32) {
        let wanted = u64::from(cost.get()) * self.0.period_us();
        *level = Level { parts: self.parts(level, now).saturating_add(wanted), at: level.at.max(now) };
    }

    fn remaining(&self, level: &Level, now: Timestamp) -> u32 {
        let room = self.0.capacity().saturating_sub(self.parts(level, now));
        u32::try_from(room / self.0.period_us()).unwrap_or(u32::MAX)
    }

    fn rests_from(&self, level: &Level) -> Timestamp {
        level.at + Duration::from_micros(self.0.micros_for(level.parts))
    }
}
