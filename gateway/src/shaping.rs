//! Limits on requests in front of the upstream: per client address, visitor, room and upstream, several at once.
//!
//! What is decided is `queue_core::limit`'s; kept here are the keys. Every limit has a table of its own, capped: only keys
//! whose state is as good as none are forgotten, so nobody gets a fresh allowance by flooding a table with other keys;
//! keys that come to a full table share one state. All limits that apply are asked before any is charged, under
//! their locks and always in the same order: a request that one of them refuses costs the others nothing.

mod fields;
mod key;
mod leased;
mod limit;
mod table;

use std::sync::Arc;
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::limit::Refusal;

pub use self::fields::Fields;
pub use self::key::Keys;
use self::leased::NothingLeased;
pub use self::leased::{LeaseDriver, LeaseParts};
use self::limit::Limit;
pub use self::limit::{LimitSettings, Over, Scope};
use crate::clock::{self, Instant};
use crate::metrics::LimitMetrics;

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
    /// The limit's place in the configuration.
    index: usize,
}

impl Limited {
    /// `retry_after` in whole seconds, rounded up, at least 1: the value of `Retry-After`.
    pub fn retry_after_seconds(&self) -> u64 {
        whole_seconds(self.retry_after).max(1)
    }
}

/// In whole seconds, rounded up.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// What the limits say to a request that passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How long it waits in a leaky bucket.
    delay: Duration,
    /// The tightest limit of those that concern this client or visitor alone.
    tightest: Option<Remaining>,
}

impl Passed {
    /// Whether time went by before it passed: what was decided on before may no longer hold.
    pub fn has_waited(&self) -> bool {
        !self.delay.is_zero()
    }
}

/// What a limit has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remaining {
    index: usize,
    requests: u32,
    /// Until it has all again.
    full_in: Duration,
}

/// Why a request does not pass yet.
enum Stop {
    Limited(Limited),
    /// A limit over several gateways has to ask the store first.
    NothingLeased(NothingLeased),
}

/// All limits of the gateway. Shared by the cores; tables are sharded, so a check is a few uncontended locks.
#[derive(Debug)]
pub struct Shaper {
    limits: Vec<Limit>,
    fields: Fields,
    started: Instant,
}

impl Shaper {
    /// These limits, in the order of the configuration, and the drivers of those that hold over several gateways; to be
    /// run where the store is. `now` is the instant from which all later ones are counted.
    pub fn new(settings: Vec<LimitSettings>, metrics: &LimitMetrics, now: Instant) -> (Self, Vec<LeaseDriver>) {
        let fields = Fields::new(&settings);
        let (limits, drivers): (Vec<_>, Vec<_>) =
            settings.into_iter().map(|settings| Limit::new(settings, metrics, now)).unzip();
        (Self { limits, fields, started: now }, drivers.into_iter().flatten().collect())
    }

    /// Takes one request's worth of every limit that applies to `keys`, or of none. Waits where a leaky bucket says so,
    /// and for the store where a limit over several gateways has nothing leased.
    ///
    /// # Errors
    /// [`Limited`]: the first limit that has none left.
    pub async fn check(&self, now: Instant, keys: &Keys<'_>) -> Result<Passed, Limited> {
        let passed = match self.check_now(now, keys) {
            Ok(passed) => passed,
            Err(Stop::Limited(limited)) => return Err(limited),
            Err(Stop::NothingLeased(nothing)) => self.after_leasing(nothing, keys).await?,
        };
        if !passed.delay.is_zero() {
            tokio::time::sleep(passed.delay).await;
        }
        Ok(passed)
    }

    #[cold]
    async fn after_leasing(&self, mut nothing: NothingLeased, keys: &Keys<'_>) -> Result<Passed, Limited> {
        // Each limit may have to ask once.
        for _ in &self.limits {
            nothing.leased().await;
            match self.check_now(clock::monotonic(), keys) {
                Ok(passed) => return Ok(passed),
                Err(Stop::Limited(limited)) => return Err(limited),
                Err(Stop::NothingLeased(next)) => nothing = next,
            }
        }
        Err(self.limits[nothing.index()].limited(Refusal::NotUntil(nothing.patience())))
    }

    fn check_now(&self, now: Instant, keys: &Keys<'_>) -> Result<Passed, Stop> {
        let mut passed = Passed::default();
        let since = now.saturating_duration_since(self.started);
        limit::take(&self.limits, Timestamp::ZERO + since, keys, &mut passed)?;
        Ok(passed)
    }

    /// The `RateLimit` fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The names of the limits with the number of keys each tracks, for `usher_rate_limit_tracked_keys`.
    pub fn tracked_keys(&self) -> impl Iterator<Item = (&str, usize)> {
        self.limits.iter().map(|limit| (limit.name(), limit.tracked_keys()))
    }
}

#[cfg(test)]
mod tests;
