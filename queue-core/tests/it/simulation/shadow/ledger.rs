//! Who is inside, and what the bucket may have paid for: reckoned from answers alone.

use std::collections::{BTreeSet, HashMap};

use queue_core::store::{LEEWAY, Session};
use queue_core::{Limits, Timestamp, VisitorId};

/// The cohort.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sessions: HashMap<VisitorId, Session>,
    ends: BTreeSet<(Timestamp, VisitorId)>,
    /// How many places are waiting.
    pub(super) waiting: u32,
}

impl Ledger {
    /// Notes a session, or its new end.
    pub(super) fn note(&mut self, session: Session) {
        let visitor = session.id.visitor;
        self.forget(visitor);
        self.sessions.insert(visitor, session);
        self.ends.insert((session.ends, visitor));
    }

    pub(super) fn forget(&mut self, visitor: VisitorId) {
        if let Some(old) = self.sessions.remove(&visitor) {
            self.ends.remove(&(old.ends, visitor));
        }
    }

    pub(super) fn live(&self, visitor: VisitorId, now: Timestamp) -> Option<Session> {
        self.sessions.get(&visitor).copied().filter(|session| session.ends + LEEWAY > now)
    }

    /// How many are inside, those in their leeway counted.
    pub(super) fn count(&mut self, now: Timestamp) -> u32 {
        while let Some((ends, visitor)) = self.ends.first().copied() {
            if ends + LEEWAY > now {
                break;
            }
            self.ends.pop_first();
            self.sessions.remove(&visitor);
        }
        self.ends.len() as u32
    }
}

/// The most that burst + rate × window allows in every window at once: a bucket that never forgets and is never
/// credited twice. It runs empty exactly when some window holds too many.
#[derive(Debug)]
pub(super) struct IdealBucket {
    parts: u64,
    at: Timestamp,
}

/// Parts of a token: the milliseconds of a minute.
const TOKEN: u64 = 60_000;

impl IdealBucket {
    pub(super) fn full(limits: &Limits, now: Timestamp) -> Self {
        Self { parts: u64::from(limits.burst) * TOKEN, at: now }
    }

    /// Time passed under these limits.
    pub(super) fn advance(&mut self, limits: &Limits, now: Timestamp) {
        let ms = now.since(self.at).as_millis() as u64;
        self.parts += ms * u64::from(limits.new_users_per_minute);
        self.at = self.at.max(now);
        self.cap(limits);
    }

    /// These limits hold from now on; what was saved stays, up to their burst.
    pub(super) fn cap(&mut self, limits: &Limits) {
        self.parts = self.parts.min(u64::from(limits.burst) * TOKEN);
    }

    /// Somebody enters; false when no window has room.
    pub(super) fn take(&mut self) -> bool {
        let paid = self.parts >= TOKEN;
        self.parts = self.parts.saturating_sub(TOKEN);
        paid
    }
}
