//! The one place of the gateway that reads clocks; everything else is told the time.
#![expect(clippy::disallowed_methods, reason = "time enters the gateway here")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use queue_core::Timestamp;
pub use tokio::time::Instant;

/// The wall clock, whole microseconds. Zero when the machine's clock stands before 1970.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_micros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

/// A clock that never steps back, for deadlines and durations. It follows tokio's virtual clock while that is paused.
pub fn monotonic() -> Instant {
    Instant::now()
}
