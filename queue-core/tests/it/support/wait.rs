//! Waiting for a condition, never for a time.
#![expect(clippy::disallowed_methods, reason = "time enters these tests here")]

use std::time::Duration;

use tokio::time::Instant;

/// Far more than anything here takes, even on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(10);

/// Looks until there is something to see, and tells how long that took; fails the test when it takes too long.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Some(seen) = look().await {
            return (seen, began.elapsed());
        }
        assert!(began.elapsed() < PATIENCE, "in vain for {PATIENCE:?}: {what}");
    }
}

/// How long something takes.
pub(crate) async fn measured<T>(doing: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = doing.await;
    (done, began.elapsed())
}
