//! A gateway: follows the room, decides releases, gathers its visitors' calls.

use queue_core::invariants::{Violation, sweep};
use queue_core::release::{Release, ReleaseView};
use queue_core::store::{Call, Follow, GatewayId, Heard, Mirror};
use queue_core::{Place, Timestamp};

use super::marks::Marks;
use super::outbox::Outbox;
use super::sabotage::Plant;
use super::world::TERMS;
use crate::support::caller::Memory;

/// One gateway.
pub(super) struct Gateway {
    /// Another one with every start.
    pub(super) id: GatewayId,
    pub(super) memory: Memory,
    pub(super) mirror: Option<Mirror>,
    /// Until then it does nothing: a long garbage collection of the machine, a process that was stopped.
    pub(super) stalled_until: Timestamp,
    pub(super) outbox: Outbox,
    pub(super) marks: Marks,
}

impl Gateway {
    /// One that was started now.
    pub(super) fn new(id: GatewayId) -> Self {
        Self {
            id,
            memory: Memory::default(),
            mirror: None,
            stalled_until: Timestamp::ZERO,
            outbox: Outbox::default(),
            marks: Marks::default(),
        }
    }

    /// Shared time as it knows it at true time `now`.
    pub(super) fn time(&self, now: Timestamp) -> Option<Timestamp> {
        self.memory.caller(now).own_time()
    }

    /// Somebody polled with this place.
    pub(super) fn hears(&mut self, place: Place, now: Timestamp) -> Option<Timestamp> {
        let time = self.time(now)?;
        self.marks.note(place, time, TERMS.retention);
        Some(time)
    }

    /// The marks to be brought to the store now.
    pub(super) fn due_marks(&self, now: Timestamp) -> Option<Heard> {
        self.marks.due(self.id, self.time(now)?, TERMS.retention)
    }

    /// Takes up what it was told, and sweeps its memory as a gateway in production does.
    pub(super) fn take(&mut self, follow: Follow) -> Result<(), Violation> {
        let Some(mirror) = &mut self.mirror else {
            self.mirror = Mirror::new(follow);
            return first(self.mirror.as_ref().map_or_else(Vec::new, |mirror| sweep(None, mirror)));
        };
        let before = mirror.summary.clone();
        if mirror.take(follow).is_err() {
            self.mirror = None;
            return Ok(());
        }
        first(sweep(Some(&before), mirror))
    }

    /// The call it would make now.
    pub(super) fn decide(&self, plant: Option<Plant>) -> Option<Call> {
        let mirror = self.mirror.as_ref()?;
        let summary = &mirror.summary;
        let reserved = match plant {
            Some(Plant::ReleaseIgnoresReserved) => 0,
            Some(Plant::ReleaseStarves) => summary.reserved.max(1) * summary.limits.total_active_users,
            _ => summary.reserved,
        };
        let view = ReleaseView { admission: summary.admission(), line: &mirror.line, reserved, bucket: summary.bucket };
        let Release::Call { to, .. } = view.decide(summary.time) else { return None };
        let mut called = Vec::new();
        let mut at = mirror.line.frontier();
        while at < to {
            at = mirror.line.nth_waiting_after(at, 1)?;
            called.push(at);
        }
        Some(Call { from: mirror.line.frontier(), limits_version: summary.limits_version, called })
    }
}

/// The first of what was found, as an error.
pub(super) fn first(found: Vec<Violation>) -> Result<(), Violation> {
    found.into_iter().next().map_or(Ok(()), Err)
}
