//! The one place that reads clocks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use queue_core::Timestamp;

/// Where "now" comes from. One decision asks once and passes the answer on.
pub trait Clock: Send + Sync {
    /// The present instant; never earlier than an answer given before.
    fn now(&self) -> Timestamp;
}

/// The machine's clock, held back from running backwards: a hold that has ended stays ended when the clock is set back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicU64,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(self.latest.fetch_max(micros, Ordering::Relaxed).max(micros))
    }
}

/// A clock that stands still until it is told to move. For tests of everything that ends by time.
#[derive(Debug)]
pub struct SettableClock {
    now: AtomicU64,
}

impl SettableClock {
    /// Stands at `start`.
    pub const fn new(start: Timestamp) -> Self {
        Self { now: AtomicU64::new(start.as_micros()) }
    }

    /// Moves on by `span`.
    pub fn advance(&self, span: Duration) {
        self.now.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for SettableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::Relaxed))
    }
}

/// Measures how long something takes. Decides nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
