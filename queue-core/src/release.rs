//! The release decision: how far the frontier moves.

use std::time::Duration;

use crate::admission::{Admission, Refusal};
use crate::bucket::Bucket;
use crate::line::Line;
use crate::{Place, Timestamp};

/// How often some gateway decides: steps are not visible to people, and a free slot waits no longer.
pub const TICK: Duration = Duration::from_millis(100);

/// The most places one decision calls: one store call stays within a bounded number of members.
pub const MAX_CALLS: u32 = 500;

/// How far ahead of the bucket people are called: a called visitor claims at the next poll, so the tokens of the next
/// moments are promised now, or the rate could never be reached. Those who are called near the front come evenly within a
/// second, half a second later on average: with more of them some would come in vain, and whoever asks next would be
/// served before them.
const CALL_AHEAD: Duration = Duration::from_millis(500);

/// The same when the bucket is nearly full and tokens are about to be lost: those who are called come too slowly, or not
/// at all, and nobody comes in vain to a full bucket.
const CALL_AHEAD_WHEN_FULL: Duration = Duration::from_secs(2);

/// A bucket is nearly full with this many of four parts.
const NEARLY_FULL_OF_FOUR: u64 = 3;

/// What the decision looks at.
#[derive(Clone, Copy)]
pub struct ReleaseView<'a> {
    /// The admission rule's view of the room.
    pub admission: Admission<'a>,
    /// The line as last read.
    pub line: &'a Line,
    /// Called places that are heard and have not claimed: each reserves a slot.
    pub reserved: u32,
    /// The admission bucket as last read.
    pub bucket: Bucket,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Move the frontier.
    Call {
        /// The new frontier.
        to: Place,
        /// How many are called by it.
        count: u32,
    },
    /// Call nobody now.
    Hold(Held),
}

/// Why nobody is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nobody waits beyond the frontier.
    NobodyWaits,
    /// The room lets nobody in.
    Door(Refusal),
    /// All slots are taken or reserved.
    NoSlot,
    /// The rate is used up, or promised to those who are called.
    NoToken,
}

impl ReleaseView<'_> {
    /// How far the frontier moves at `now`.
    ///
    /// At most one slot each, and about as many as the bucket will pay for by the time they claim. When a slot is free,
    /// a whole token is there and somebody waits, somebody is called (N11), even if those called earlier have not
    /// come yet.
    pub fn decide(&self, now: Timestamp) -> Release {
        if let Err(refusal) = self.admission.door(now) {
            return Release::Hold(Held::Door(refusal));
        }
        let waiting = self.line.waiting_beyond_frontier();
        if waiting == 0 {
            return Release::Hold(Held::NobodyWaits);
        }
        let limits = self.admission.limits;
        let taken = self.admission.sessions.saturating_add(self.reserved);
        let slots = limits.total_active_users.saturating_sub(taken);
        if slots == 0 {
            return Release::Hold(Held::NoSlot);
        }
        let rate = limits.rate();
        let tokens = self.bucket.refilled(rate, now).tokens();
        let nearly_full = tokens * 4 >= u64::from(limits.burst) * NEARLY_FULL_OF_FOUR;
        let ahead = if nearly_full { CALL_AHEAD_WHEN_FULL } else { CALL_AHEAD };
        let soon = (u128::from(rate.per_minute) * ahead.as_millis() / 60_000) as u64;
        let paid = (tokens + soon).saturating_sub(u64::from(self.reserved)).max(u64::from(tokens >= 1));
        let count = u64::from(slots.min(waiting).min(MAX_CALLS)).min(paid);
        let count = u32::try_from(count).unwrap_or(MAX_CALLS);
        match self.line.nth_waiting_after(self.line.frontier(), count) {
            Some(to) => Release::Call { to, count },
            None => Release::Hold(Held::NoToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::PlaceState;
    use crate::{Epoch, Life, Limits, Sequence};

    fn limits() -> Limits {
        Limits {
            total_active_users: 10,
            new_users_per_minute: 600,
            burst: 5,
            max_line_length: 1_000,
            queue_all: false,
            opens_at: None,
            closes_at: None,
        }
    }

    fn place(sequence: u32) -> Place {
        Place { epoch: Epoch::new(1).unwrap(), sequence: Sequence::new(sequence).unwrap() }
    }

    fn line(last: u32, frontier: u32) -> Line {
        let mut line = Line::new(Life::at(place(0)).unwrap());
        line.give(place(last));
        line.call(place(frontier));
        line
    }

    fn decide(limits: &Limits, line: &Line, sessions: u32, reserved: u32, tokens: u64) -> Release {
        let now = Timestamp::from_secs(1_000);
        let admission = Admission { limits, paused: false, hold_until: Timestamp::ZERO, sessions };
        let bucket = Bucket::from_parts(tokens * Bucket::PARTS_PER_TOKEN, now);
        ReleaseView { admission, line, reserved, bucket }.decide(now)
    }

    /// Slots bound the calls; those who left are skipped; who is called is counted.
    #[test]
    fn calls_as_many_as_there_are_slots() {
        let mut line = line(100, 0);
        for gone in [1, 3] {
            line.set(place(gone), PlaceState::Gone);
        }
        assert_eq!(decide(&limits(), &line, 8, 0, 5), Release::Call { to: place(4), count: 2 });
        assert_eq!(decide(&limits(), &line, 8, 2, 5), Release::Hold(Held::NoSlot));
        assert_eq!(decide(&limits(), &line, 12, 0, 5), Release::Hold(Held::NoSlot));
    }

    /// N11: a free slot, a whole token and somebody waiting call somebody, however many of the called have not come.
    #[test]
    fn progress_when_slot_and_token_are_there() {
        let roomy = Limits { total_active_users: 1_000, ..limits() };
        assert!(matches!(decide(&roomy, &line(100, 90), 0, 90, 1), Release::Call { count: 1, .. }));
        assert_eq!(decide(&roomy, &line(100, 90), 0, 90, 0), Release::Hold(Held::NoToken));
        assert!(matches!(decide(&roomy, &line(100, 0), 0, 0, 0), Release::Call { count: 5, .. }));
    }

    /// No more are told to come than the bucket pays for when they come, or those who come in vain are overtaken; and when
    /// tokens would be lost because they do not come, more are called.
    #[test]
    fn calls_as_many_as_the_bucket_pays_for() {
        let roomy = Limits { total_active_users: 1_000, ..limits() };
        let calls = |reserved, tokens| match decide(&roomy, &line(100, 0), 0, reserved, tokens) {
            Release::Call { count, .. } => count,
            Release::Hold(held) => panic!("{held:?}"),
        };
        assert_eq!((calls(0, 3), calls(6, 3)), (8, 2), "half a second of ten a second, and what is there");
        assert_eq!((calls(0, 4), calls(6, 4)), (24, 18), "a nearly full bucket");
    }

    /// N5: a closed door calls nobody.
    #[test]
    fn a_closed_door_calls_nobody() {
        let queue_all = Limits { queue_all: true, ..limits() };
        assert_eq!(decide(&queue_all, &line(9, 0), 0, 0, 5), Release::Hold(Held::Door(Refusal::Paused)));
        let early = Limits { opens_at: Some(Timestamp::from_secs(1_001)), ..limits() };
        let wait = Duration::from_secs(1);
        assert_eq!(decide(&early, &line(9, 0), 0, 0, 5), Release::Hold(Held::Door(Refusal::NotOpen(wait))));
        assert_eq!(decide(&limits(), &line(9, 9), 0, 0, 5), Release::Hold(Held::NobodyWaits));
    }
}
