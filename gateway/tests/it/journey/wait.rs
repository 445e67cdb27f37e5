//! Waiting for a condition, never for a time.

use std::time::Duration;

use gateway::clock;

/// Far more than anything here takes, even on a machine with other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks: slower than three times the quickest told poll interval, so that looking is never too early.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);

/// Looks until there is something to see, and fails the test when there is not in time.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look).await
}

/// The same with a promise of its own.
pub(crate) async fn within<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = clock::monotonic();
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(clock::monotonic().duration_since(began) < limit, "in vain for {limit:?}: {what}");
    }
}
