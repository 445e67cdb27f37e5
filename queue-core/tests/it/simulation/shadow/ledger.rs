//! Who is inside: reckoned from answers alone.

use std::collections::{BTreeSet, HashMap};

use queue_core::store::{LEEWAY, Session};
use queue_core::{Timestamp, VisitorId};

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
