//! Sliding log: the instants of all that passed within the last window.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use super::{Pass, Quota, Refusal, Rule};
use crate::Timestamp;

/// At most `burst` within any `burst / rate`, exactly; paid with 8 bytes for each request that passed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingLog(pub Quota);

/// When requests passed, oldest first; microseconds. Boxed as a whole, because most states of a table are smaller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log(VecDeque<u64>);

impl SlidingLog {
    /// The latest instant that counts: no earlier than the last that passed.
    fn clamped(log: &Log, now: Timestamp) -> u64 {
        log.0.back().copied().unwrap_or_default().max(now.as_micros())
    }

    /// How many of the oldest no longer count at `now_us`.
    fn expired(&self, log: &Log, now_us: u64) -> usize {
        let window_us = self.0.window_us();
        log.0.partition_point(|at| at.saturating_add(window_us) <= now_us)
    }
}

impl Rule for SlidingLog {
    type State = Log;

    fn idle(&self) -> Log {
        Log::default()
    }

    fn ask(&self, log: &Log, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        let (cost, burst) = (cost.get() as usize, self.0.burst() as usize);
        if cost > burst {
            return Err(Refusal::Never);
        }
        let expired = self.expired(log, Self::clamped(log, now));
        let beyond = (log.0.len() - expired + cost).saturating_sub(burst);
        if beyond == 0 {
            return Ok(Pass::default());
        }
        // When this one expires as well, there is room.
        let last_in_the_way = log.0.get(expired + beyond - 1).copied().unwrap_or_default();
        let free = Timestamp::from_micros(last_in_the_way.saturating_add(self.0.window_us()));
        Err(Refusal::NotUntil(free.since(now)))
    }

    fn charge(&self, log: &mut Log, now: Timestamp, cost: NonZeroU32) {
        let now_us = Self::clamped(log, now);
        let expired = self.expired(log, now_us);
        log.0.drain(..expired);
        log.0.extend(std::iter::repeat_n(now_us, cost.get() as usize));
    }

    fn remaining(&self, log: &Log, now: Timestamp) -> u32 {
        let live = log.0.len() - self.expired(log, Self::clamped(log, now));
        self.0.burst().saturating_sub(u32::try_from(live).unwrap_or(u32::MAX))
    }

    fn rests_from(&self, log: &Log) -> Timestamp {
        log.0
            .back()
            .map_or(Timestamp::ZERO, |last| Timestamp::from_micros(*last) + Duration::from_micros(self.0.window_us()))
    }
}
