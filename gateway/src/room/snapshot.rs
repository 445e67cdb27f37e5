//! What polls read: the room as of the last look at the store, never older than the keeper's pace.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue_core::line::{Line, Standing};
use queue_core::pacing::{Estimate, Pace, Speed, poll_after};
use queue_core::store::{Follow, Mirror, News, Snapshot, Summary};
use queue_core::stretch::Stretch;
use queue_core::{HighWater, Life, Limits, Place, Policy, PollInterval, Timestamp, VisitorId};

use crate::clock::Instant;

/// How old a look may be before answers say `degraded`: the keeper looks ten times a second.
const STALE_AFTER: Duration = Duration::from_millis(1_000);

/// The room as of one look.
#[derive(Clone)]
pub struct RoomSnapshot {
    /// The gateway's memory of the room.
    pub mirror: Mirror,
    /// The line as it was before a loss, while calls are held: positions come from it until everybody who polls is back.
    pub before_loss: Option<Arc<Line>>,
    /// The pace at which the line moves.
    pub speed: Speed,
    /// When the last place came back to the line.
    pub last_return: Timestamp,
    /// When the last hold after a loss ended, or will.
    pub last_hold: Timestamp,
    /// When the look was taken.
    pub taken: Instant,
    /// Whether the store was ever seen: else this is what the config promises.
    pub seen: bool,
}

impl RoomSnapshot {
    /// What is known of a room before the first look at its store: the config's rules, and nobody in line.
    pub(super) fn unseen(policy: &Policy, time: Timestamp, taken: Instant) -> Option<Self> {
        let summary = Summary {
            mark: HighWater::NOTHING,
            time,
            line_length: 0,
            sessions: 0,
            unknown: 0,
            latest_end: Timestamp::ZERO,
            reserved: 0,
            bucket: queue_core::bucket::Bucket::empty(time),
            limits: Limits::clone(policy.limits()),
            limits_version: 0,
            limits_by_operator: false,
            paused: false,
            began: Timestamp::ZERO,
            hold_until: Timestamp::ZERO,
            collect_until: Timestamp::ZERO,
        };
        let snapshot = Snapshot { line: Line::new(Life::NONE), ended: HashMap::new() };
        let mirror = Mirror::new(Follow { summary, news: News::Whole(Box::new(snapshot)) })?;
        let speed = Pace::default().speed(policy.limits(), policy, 0);
        let (last_return, last_hold) = (Timestamp::ZERO, Timestamp::ZERO);
        Some(Self { mirror, before_loss: None, speed, last_return, last_hold, taken, seen: false })
    }

    /// Shared time at `now`.
    pub fn time(&self, now: Instant) -> Timestamp {
        self.mirror.summary.time + now.duration_since(self.taken)
    }

    /// Whether the store has not been seen for too long.
    pub fn is_stale(&self, now: Instant) -> bool {
        !self.seen || now.duration_since(self.taken) > STALE_AFTER
    }

    /// Whether calls are held after a loss of data.
    pub fn is_holding(&self, time: Timestamp) -> bool {
        time < self.mirror.summary.hold_until
    }

    /// How a place stands. A place given after this look waits behind everybody in it.
    pub fn standing(&self, place: Place) -> Standing {
        let line = &self.mirror.line;
        match line.standing(place) {
            Standing::Unknown if place.epoch == line.life().epoch() && place > line.last() => {
                let unseen = place.sequence.get() - line.last().sequence.get() - 1;
                Standing::Waiting { ahead: line.waiting() + unseen }
            }
            standing => standing,
        }
    }

    /// How many are ahead of a place in the line, as visitors are told: while calls are held after a loss, everybody counts
    /// who was there and may come back.
    pub fn ahead(&self, place: Place, time: Timestamp) -> u32 {
        let line = &self.mirror.line;
        let Some(before) = self.before_loss.as_ref().filter(|_| self.is_holding(time)) else {
            return match self.standing(place) {
                Standing::Waiting { ahead } | Standing::Called { ahead } => ahead,
                Standing::Gone { .. } | Standing::Spent => line.ahead(place),
                Standing::Unknown => 0,
            };
        };
        match line.stretches().last() {
            // Given since: behind all of those, and behind whoever came before it.
            Some(newest) if place > newest.life().mark() => {
                let older = before.stretches().iter().filter(|stretch| stretch.life() < newest.life());
                let unseen = place.sequence.get().saturating_sub(newest.last().sequence.get());
                let up_to = newest.waiting_up_to(place) + unseen;
                older.map(Stretch::waiting).sum::<u32>() + up_to.saturating_sub(1)
            }
            _ if before.state(place).is_some() => before.ahead(place),
            _ => line.without_gone().ahead(place),
        }
    }

    /// How many are in line, as visitors are told.
    pub fn line_length(&self, time: Timestamp) -> u32 {
        let told = self.mirror.summary.line_length;
        match self.before_loss.as_ref().filter(|_| self.is_holding(time)) {
            Some(before) => told.max(before.waiting()),
            None => told,
        }
    }

    /// Whether a visitor's session was ended before its time.
    pub fn has_ended(&self, visitor: VisitorId) -> bool {
        self.mirror.ended.contains_key(&visitor)
    }

    /// How long somebody with `ahead` people ahead will wait; `None` while nobody is called.
    pub fn estimate(&self, ahead: u32, time: Timestamp) -> Option<Estimate> {
        let summary = &self.mirror.summary;
        let open = !summary.paused && !summary.limits.queue_all && !self.is_holding(time);
        let lobby = summary.limits.opens_at.map_or(Duration::ZERO, |opens| opens.since(time));
        open.then(|| self.speed.estimate(ahead)).map(|wait| Estimate { p50: wait.p50 + lobby, p90: wait.p90 + lobby })
    }

    /// When somebody with `ahead` people ahead should ask again.
    pub fn poll_after(&self, ahead: u32, bounds: PollInterval) -> Duration {
        poll_after(self.speed.soonest(ahead), bounds)
    }
}
