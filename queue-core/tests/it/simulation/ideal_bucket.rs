//! What the bucket may have paid for: reckoned from admissions alone.

use queue_core::{Limits, Timestamp};

/// The most that burst + rate × window allows in every window at once: a bucket that never forgets and is never
/// credited twice. It runs empty exactly when some window holds too many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdealBucket {
    parts: u64,
    at: Timestamp,
}

/// Parts of a token: the milliseconds of a minute.
const TOKEN: u64 = 60_000;

impl IdealBucket {
    pub(crate) fn full(limits: &Limits, now: Timestamp) -> Self {
        Self { parts: u64::from(limits.burst) * TOKEN, at: now }
    }

    /// Time passed under these limits.
    pub(crate) fn advance(&mut self, limits: &Limits, now: Timestamp) {
        let ms = now.since(self.at).as_millis() as u64;
        self.parts += ms * u64::from(limits.new_users_per_minute);
        self.at = self.at.max(now);
        self.cap(limits);
    }

    /// These limits hold from now on; what was saved stays, up to their burst.
    pub(crate) fn cap(&mut self, limits: &Limits) {
        self.parts = self.parts.min(u64::from(limits.burst) * TOKEN);
    }

    /// As full as the emptier of the two at the later moment.
    pub(crate) fn meet(&mut self, other: Self, limits: &Limits) {
        let mut other = other;
        let now = self.at.max(other.at);
        self.advance(limits, now);
        other.advance(limits, now);
        self.parts = self.parts.min(other.parts);
    }

    /// Somebody enters; false when no window has room.
    pub(crate) fn take(&mut self) -> bool {
        let paid = self.parts >= TOKEN;
        self.parts = self.parts.saturating_sub(TOKEN);
        paid
    }
}
