//! Whether people got in by the time they were first told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use queue_core::Sequence;

use super::place_table::PlaceTable;

/// The p90 that each place was told first, and how many of those who got in did so by then.
pub(super) struct Promises {
    /// Seconds since the gateway's start, plus one; zero: nothing was told here.
    told: PlaceTable,
    admitted: AtomicU64,
    kept: AtomicU64,
}

impl Promises {
    pub(super) fn new() -> Self {
        Self { told: PlaceTable::new(), admitted: AtomicU64::new(0), kept: AtomicU64::new(0) }
    }

    /// Remembers the first estimate a place was told.
    pub(super) fn note(&self, sequence: Sequence, uptime: Duration, p90: Duration) {
        if self.told.get(sequence) == 0 {
            let by = (uptime + p90).as_secs() + 1;
            self.told.set(sequence, u32::try_from(by).unwrap_or(u32::MAX));
        }
    }

    /// Counts an admission against what was told.
    pub(super) fn settle(&self, sequence: Sequence, uptime: Duration) {
        let by = self.told.get(sequence);
        if by != 0 {
            self.admitted.fetch_add(1, Ordering::Relaxed);
            self.kept.fetch_add(u64::from(uptime.as_secs() < u64::from(by)), Ordering::Relaxed);
        }
    }

    /// The share of admissions that came by the time first told; `None` before the first.
    pub(super) fn coverage(&self) -> Option<f64> {
        let admitted = self.admitted.load(Ordering::Relaxed);
        (admitted > 0).then(|| self.kept.load(Ordering::Relaxed) as f64 / admitted as f64)
    }
}
