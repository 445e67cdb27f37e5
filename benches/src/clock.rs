//! The one place that reads a clock: moments of a run, and what they are on the wall.

use std::ops::Add;
use std::time::Duration;

use queue_core::Timestamp;

/// An instant of a run: whole microseconds since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The beginning of the run.
    pub const START: Self = Self(0);

    /// From microseconds since the run began.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the run began.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// What passed since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// The clock of one run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    wall_at_origin: Timestamp,
}

impl Clock {
    /// Starts a run now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn start() -> Self {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX);
        Self { origin: tokio::time::Instant::now(), wall_at_origin: Timestamp::from_micros(micros) }
    }

    /// This moment of the run.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> Moment {
        Moment::START + tokio::time::Instant::now().duration_since(self.origin)
    }

    /// What `moment` was on the wall, by the system clock as it stood when the run began.
    pub fn wall(&self, moment: Moment) -> Timestamp {
        self.wall_at_origin + Duration::from_micros(moment.as_micros())
    }

    /// The moment a wall time fell on; the start for what lies before the run.
    pub fn moment(&self, wall: Timestamp) -> Moment {
        Moment::START + wall.since(self.wall_at_origin)
    }

    /// Waits until `moment`; returns at once when it has passed.
    pub async fn sleep_until(&self, moment: Moment) {
        tokio::time::sleep_until(self.origin + Duration::from_micros(moment.as_micros())).await;
    }
}
