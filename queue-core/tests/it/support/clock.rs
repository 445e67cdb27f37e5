//! A clock that moves only when told to, and jumps like a badly kept host's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::store::Clock;

/// True time, and the store's host that may be wrong about it. Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct TestClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    true_ms: AtomicU64,
    host_ms: AtomicU64,
}

impl TestClock {
    /// Where every test begins.
    pub(crate) const START: Timestamp = Timestamp::from_secs(1_796_122_800);

    pub(crate) fn new() -> Self {
        let start = Self::START.as_millis();
        Self(Arc::new(Hands { true_ms: start.into(), host_ms: start.into() }))
    }

    /// What the store reads.
    pub(crate) fn host(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_millis(hands.host_ms.load(Ordering::Relaxed)))
    }

    /// True time, as everybody's monotonic clock counts it.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.true_ms.load(Ordering::Relaxed))
    }

    /// Time passes, on every clock.
    pub(crate) fn pass(&self, span: Duration) {
        let ms = span.as_millis() as u64;
        self.0.true_ms.fetch_add(ms, Ordering::Relaxed);
        self.0.host_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The host's clock is set forward; no time passes.
    pub(crate) fn jump_forward(&self, span: Duration) {
        self.0.host_ms.fetch_add(span.as_millis() as u64, Ordering::Relaxed);
    }

    /// The host's clock is set back; no time passes.
    pub(crate) fn jump_back(&self, span: Duration) {
        self.0.host_ms.fetch_sub(span.as_millis() as u64, Ordering::Relaxed);
    }
}
