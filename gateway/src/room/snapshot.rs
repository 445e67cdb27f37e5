//! What polls read: the room as of the last look at the store, never older than the keeper's pace.

use std::time::Duration;

use crate::clock::Instant;
use queue_core::line::Standing;
use queue_core::pacing::{Estimate, Speed, poll_after};
use queue_core::store::Mirror;
use queue_core::{Place, PollInterval, Timestamp, VisitorId};

/// How old a look may be before answers say `degraded`: the keeper looks ten times a second.
const STALE_AFTER: Duration = Duration::from_millis(1_000);

/// The room as of one look.
#[derive(Clone)]
pub struct RoomSnapshot {
    /// The gateway's memory of the room.
    pub mirror: Mirror,
    /// The pace at which the line moves.
    pub speed: Speed,
    /// When the last place came back to the line.
    pub last_return: Timestamp,
    /// When the look was taken.
    pub taken: Instant,
}

impl RoomSnapshot {
    /// Shared time at `now`.
    pub fn time(&self, now: Instant) -> Timestamp {
        self.mirror.summary.time + now.duration_since(self.taken)
    }

    /// Whether the store has not been seen for too long.
    pub fn is_stale(&self, now: Instant) -> bool {
        now.duration_since(self.taken) > STALE_AFTER
    }

    /// How a place stands. A place given after this look waits behind everybody in it.
    pub fn standing(&self, place: Place) -> Standing {
        let line = &self.mirror.line;
        match line.standing(place) {
            Standing::Unknown if place.epoch == line.epoch => {
                Standing::Waiting { ahead: line.waiting() + (place.sequence.get() - line.last.get() - 1) }
            }
            standing => standing,
        }
    }

    /// Whether a visitor's session was ended before its time.
    pub fn has_ended(&self, visitor: VisitorId) -> bool {
        self.mirror.ended.contains_key(&visitor)
    }

    /// How long somebody with `ahead` people ahead will wait; `None` while nobody is called.
    pub fn estimate(&self, ahead: u32, time: Timestamp) -> Option<Estimate> {
        let summary = &self.mirror.summary;
        let open = !summary.paused && !summary.limits.queue_all && time >= summary.hold_until;
        let lobby = summary.limits.opens_at.map_or(Duration::ZERO, |opens| opens.since(time));
        open.then(|| self.speed.estimate(ahead)).map(|wait| Estimate { p50: wait.p50 + lobby, p90: wait.p90 + lobby })
    }

    /// When somebody with `ahead` people ahead should ask again.
    pub fn poll_after(&self, ahead: u32, bounds: PollInterval) -> Duration {
        poll_after(self.speed.soonest(ahead), bounds)
    }
}
