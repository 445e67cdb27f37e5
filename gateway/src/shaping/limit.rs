//! One limit: a rate, a burst, and whom it counts.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{Quota, RateLimiter};

use super::Limited;
use super::key::Keys;
use super::table::Table;

/// Keys tracked by default: 64 bytes each, 4 MiB per limit, and more clients than send requests at once.
pub const DEFAULT_TRACKED_KEYS: usize = 65_536;

/// Whom a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A client address; of IPv6 its /64.
    Client,
    /// A visitor. The limit does not apply to requests without one.
    Visitor,
    /// A room as a whole.
    Room,
    /// An upstream as a whole.
    Upstream,
}

/// What an operator sets of a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSettings {
    /// Its name in answers, logs and metrics.
    pub name: Arc<str>,
    /// Whom it counts.
    pub scope: Scope,
    /// Tokens that come back per second; above zero, at most 10^9.
    pub rate_per_second: f64,
    /// Tokens a full bucket holds; at least 1.
    pub burst: u32,
    /// The most keys remembered, at least 1. When all are in use, further keys share one bucket: a flood of addresses
    /// limits itself instead of filling the memory.
    pub max_tracked_keys: usize,
}

/// A limit that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// Not a number above zero, or above 10^9, or below one in 100 years.
    #[error("the limit {0:?} needs a rate above 0 and at most 1000000000 per second")]
    Rate(Arc<str>),
    /// Nothing would ever pass.
    #[error("the limit {0:?} needs a burst of at least 1")]
    Burst(Arc<str>),
}

/// A clock that is told the time by whoever asks, and never goes back.
#[derive(Clone, Debug, Default)]
struct Told(Arc<AtomicU64>);

impl Clock for Told {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
pub(super) struct Limit {
    name: Arc<str>,
    scope: Scope,
    burst: NonZeroU32,
    /// What one request costs: the time after which its token is back.
    cost: Nanos,
    clock: Told,
    limiter: RateLimiter<u128, TableRef, Told, NoOpMiddleware<Nanos>>,
    table: Arc<Table>,
}

/// The table as governor holds it, while the limit keeps a hand on it too.
#[derive(Clone, Debug)]
struct TableRef(Arc<Table>);

impl governor::state::StateStore for TableRef {
    type Key = u128;

    fn measure_and_replace<T, F, E>(&self, key: &u128, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, decide)
    }
}

/// A token in more than this never comes back within a sale.
const SLOWEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Limit {
    pub(super) fn new(settings: LimitSettings) -> Result<Self, BadLimit> {
        let LimitSettings { name, scope, rate_per_second, burst, max_tracked_keys } = settings;
        let bad_rate = || BadLimit::Rate(Arc::clone(&name));
        let period = Duration::try_from_secs_f64(1.0 / rate_per_second).map_err(|_| bad_rate())?;
        if period < Duration::from_nanos(1) || period > SLOWEST {
            return Err(bad_rate());
        }
        let burst = NonZeroU32::new(burst).ok_or_else(|| BadLimit::Burst(Arc::clone(&name)))?;
        let quota = Quota::with_period(period).ok_or_else(bad_rate)?.allow_burst(burst);
        let table = Arc::new(Table::new(max_tracked_keys));
        let clock = Told::default();
        let limiter = RateLimiter::new(quota, TableRef(Arc::clone(&table)), clock.clone());
        Ok(Self { name, scope, burst, cost: Nanos::from(period), clock, limiter, table })
    }

    /// Takes a token for `keys` at `since` the shaper's start; nothing happens when the scope does not apply.
    pub(super) fn take(&self, since: Duration, keys: &Keys<'_>) -> Result<(), Limited> {
        let Some(key) = keys.of(self.scope) else { return Ok(()) };
        let told = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let now = Nanos::from(self.clock.0.fetch_max(told, Ordering::Relaxed).max(told));
        self.table.tell(key, now.into());
        self.limiter.check_key(&key).map_err(|refusal| Limited {
            limit: Arc::clone(&self.name),
            scope: self.scope,
            retry_after: refusal.wait_time_from(now),
            burst: self.burst.get(),
        })
    }

    /// Undoes a [`take`](Self::take) of the same keys.
    pub(super) fn give_back(&self, keys: &Keys<'_>) {
        if let Some(key) = keys.of(self.scope) {
            self.table.refund(key, self.cost);
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn tracked_keys(&self) -> usize {
        self.table.len()
    }
}
