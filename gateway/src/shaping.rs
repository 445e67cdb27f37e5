//! Token buckets in front of the upstream: per client address, visitor, room and upstream, several at once.
//!
//! The rule is governor's GCRA; the keys are kept here, because governor's own tables have no cap and its limiter reads
//! its own clock. A request that one limit refuses is charged to none.

mod key;
mod limit;
mod table;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;

pub use self::key::Keys;
use self::limit::Limit;
pub use self::limit::{BadLimit, DEFAULT_TRACKED_KEYS, LimitSettings, Scope};

/// A refusal: which limit, and when to come back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit {limit:?} is used up")]
pub struct Limited {
    /// The limit's name.
    pub limit: Arc<str>,
    /// What it counts by.
    pub scope: Scope,
    /// After this a request is taken again, if no other comes first.
    pub retry_after: Duration,
    /// Requests taken at once at most, for the `RateLimit-Policy` field.
    pub burst: u32,
}

impl Limited {
    /// `retry_after` in whole seconds, rounded up, at least 1: the value of `Retry-After`.
    pub fn retry_after_seconds(&self) -> u64 {
        let up = u64::from(self.retry_after.subsec_nanos() > 0);
        (self.retry_after.as_secs() + up).max(1)
    }
}

/// All limits of the gateway. Shared by the cores; tables are sharded, so a check is a few uncontended locks.
#[derive(Debug)]
pub struct Shaper {
    limits: Vec<Limit>,
    started: Instant,
}

impl Shaper {
    /// These limits, all buckets full. `now` is the instant from which all later ones are counted.
    ///
    /// # Errors
    /// [`BadLimit`] for a rate that is not above zero or a burst of zero.
    pub fn new(limits: Vec<LimitSettings>, now: Instant) -> Result<Self, BadLimit> {
        let limits = limits.into_iter().map(Limit::new).collect::<Result<_, _>>()?;
        Ok(Self { limits, started: now })
    }

    /// Takes one token of every limit that applies to `keys`, or none.
    ///
    /// # Errors
    /// [`Limited`]: the first limit that has none left. Nothing is charged then.
    pub fn check(&self, now: Instant, keys: &Keys<'_>) -> Result<(), Limited> {
        let since = now.duration_since(self.started);
        for (index, limit) in self.limits.iter().enumerate() {
            let Err(limited) = limit.take(since, keys) else { continue };
            for charged in &self.limits[..index] {
                charged.give_back(keys);
            }
            return Err(limited);
        }
        Ok(())
    }

    /// The names of the limits with the number of keys each tracks, for `usher_rate_limit_tracked_keys`.
    pub fn tracked_keys(&self) -> impl Iterator<Item = (&str, usize)> {
        self.limits.iter().map(|limit| (limit.name(), limit.tracked_keys()))
    }
}

#[cfg(test)]
mod tests;
