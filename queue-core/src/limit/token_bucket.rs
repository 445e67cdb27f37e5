//! Token bucket: tokens come back at the rate and are kept up to the burst.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Pass, Quota, Refusal, Rule};
use crate::Timestamp;

/// Lets a burst through at once, and then the rate. Any time `w` sees at most `burst + rate × w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket(pub Quota);

/// How full a bucket is: `period_us` parts a token, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    parts: u64,
    at: Timestamp,
}

impl Fill {
    /// An empty bucket.
    pub const fn empty(now: Timestamp) -> Self {
        Self { parts: 0, at: now }
    }
}

impl TokenBucket {
    fn parts(&self, fill: &Fill, now: Timestamp) -> u64 {
        fill.parts.saturating_add(self.0.parts_between(fill.at, now)).min(self.0.capacity())
    }
}

impl Rule for TokenBucket {
    type State = Fill;

    fn idle(&self) -> Fill {
        Fill { parts: self.0.capacity(), at: Timestamp::ZERO }
    }

    fn ask(&self, fill: &Fill, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        let wanted = u64::from(cost.get()) * self.0.period_us();
        if wanted > self.0.capacity() {
            return Err(Refusal::Never);
        }
        match wanted.checked_sub(self.parts(fill, now)) {
            None | Some(0) => Ok(Pass::default()),
            Some(missing) => {
                let from = fill.at.max(now);
                let then = Duration::from_micros(self.0.micros_for(missing));
                Err(Refusal::NotUntil(from.since(now) + then))
            }
        }
    }

    fn charge(&self, fill: &mut Fill, now: Timestamp, cost: NonZeroU32) {
        let wanted = u64::from(cost.get()) * self.0.period_us();
        *fill = Fill { parts: self.parts(fill, now).saturating_sub(wanted), at: fill.at.max(now) };
    }

    fn remaining(&self, fill: &Fill, now: Timestamp) -> u32 {
        u32::try_from(self.parts(fill, now) / self.0.period_us()).unwrap_or(u32::MAX)
    }

    fn rests_from(&self, fill: &Fill) -> Timestamp {
        fill.at + Duration::from_micros(self.0.micros_for(self.0.capacity().saturating_sub(fill.parts)))
    }
}
