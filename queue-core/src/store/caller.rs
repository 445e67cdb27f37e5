//! What a caller has seen and until when its call may take effect.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Timestamp;
use crate::high_water::HighWater;

/// One moment on the store's two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Shared time.
    pub time: Timestamp,
    /// The time of the store's host.
    pub host: Timestamp,
}

/// What travels with every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The highest it has seen of the room.
    pub seen: HighWater,
    /// Shared time cannot be later than this; `None` before the first answer.
    pub latest: Option<Timestamp>,
    /// The time of the store's host after which the call must do nothing; `None` before the first answer. Each call is
    /// judged for itself: of many that lay in a frozen store's buffers none takes effect behind its caller's back.
    pub expires: Option<Timestamp>,
}

impl Caller {
    /// How much more than the caller's own monotonic time may have passed at the store.
    pub const DRIFT: Duration = Duration::from_millis(100);

    /// A caller that has seen nothing yet.
    pub const fn newcomer() -> Self {
        Self { seen: HighWater::NOTHING, latest: None, expires: None }
    }

    /// A caller whose last answer was given `at` that moment; since that answer arrived `passed` went by on its own
    /// monotonic clock, and nobody waits for the next answer longer than `deadline`.
    pub fn after(seen: HighWater, at: Moment, passed: Duration, deadline: Duration) -> Self {
        let latest = at.time + passed + Self::DRIFT;
        Self { seen, latest: Some(latest), expires: Some(at.host + passed + deadline + Self::DRIFT) }
    }

    /// Whether a call comes after its time when the host's clock says `host`.
    pub(crate) fn is_late(&self, host: Timestamp) -> bool {
        self.expires.is_some_and(|expires| host > Timestamp::from_millis(expires.as_millis()))
    }

    /// Shared time as the caller would have it now, if it knows.
    pub fn own_time(&self) -> Option<Timestamp> {
        self.latest.map(|latest| latest - Self::DRIFT)
    }
}

/// Shared time, as a room keeps it. Whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SharedTime {
    /// The time of the last step.
    pub(crate) now: Timestamp,
    /// What the host's clock moved and no caller could vouch for: a jump, or the time a call was under way. The second
    /// kind is real, and would be lost step by step; a later caller that saw it pass brings it in.
    pub(crate) spare: Duration,
}

impl SharedTime {
    /// Time begins.
    pub(crate) const fn starting(now: Timestamp) -> Self {
        Self { now, spare: Duration::ZERO }
    }

    /// Time at a step, the host's clock having moved by `step`: never back, and never beyond what the caller's own
    /// monotonic clock allows. The drift is granted once for each move of the host's clock, never for spare time: else
    /// every call after a jump would gain it.
    pub(crate) fn advanced(self, step: Duration, caller: &Caller) -> Self {
        let believed = self.now + step;
        let Some(latest) = caller.latest.map(|latest| Timestamp::from_millis(latest.as_millis())) else {
            return Self { now: believed, ..self };
        };
        let now = believed.min(latest).max(self.now);
        let spare = self.spare + believed.since(now);
        let recovered = spare.min((latest - Caller::DRIFT).since(now));
        Self { now: now + recovered, spare: spare - recovered }
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
