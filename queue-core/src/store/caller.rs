//! What a caller has seen and until when its call may take effect.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Timestamp;
use crate::high_water::HighWater;

/// What travels with every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The highest it has seen of the room.
    pub seen: HighWater,
    /// Shared time cannot be later than this; `None` before the first answer.
    pub latest: Option<Timestamp>,
    /// Shared time after which the call must do nothing; `None` before the first answer.
    pub expires: Option<Timestamp>,
}

impl Caller {
    /// How much more than the caller's own monotonic time may have passed at the store.
    pub const DRIFT: Duration = Duration::from_millis(100);

    /// A caller that has seen nothing yet.
    pub const fn newcomer() -> Self {
        Self { seen: HighWater::NOTHING, latest: None, expires: None }
    }

    /// A caller whose last answer showed `seen` at shared time `at`; since then `passed` went by on its own monotonic
    /// clock, and nobody waits for the answer longer than `deadline`.
    pub fn after(seen: HighWater, at: Timestamp, passed: Duration, deadline: Duration) -> Self {
        let now = at + passed;
        Self { seen, latest: Some(now + Self::DRIFT), expires: Some(now + deadline + Self::DRIFT) }
    }

    /// Shared time of a step: the last step's, advanced by `step` (what the store's own clock moved), but never beyond
    /// what the caller's monotonic clock allows, and never back.
    pub fn shared_time(&self, last: Timestamp, step: Duration) -> Timestamp {
        let advanced = last + step;
        self.latest.map_or(advanced, |latest| advanced.min(latest).max(last))
    }

    /// Whether a call that would take effect at `last + step` comes after its time.
    pub fn is_late(&self, last: Timestamp, step: Duration) -> bool {
        self.expires.is_some_and(|expires| last + step > expires)
    }
}

/// Where an adapter reads its host's time; tests hand in their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks `read`.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The host's time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
