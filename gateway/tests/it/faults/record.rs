//! What happened to each visitor, by the machine's clock: the facts that the judge stands on.

use queue_core::{Place, SessionId, Timestamp, VisitorId};

/// All that one visitor did and was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// The join that was answered; with a retry, the last attempt.
    pub(super) joined: Option<Joined>,
    /// Joins that were answered with a refusal, and which.
    pub(super) refused: Vec<(Timestamp, u16)>,
    /// Every different place that was signed for this visitor, in the order received.
    pub(super) places: Vec<Given>,
    /// Every poll that was answered, and every one that was not.
    pub(super) polls: Vec<Poll>,
    /// Every different session, in the order received.
    pub(super) stays: Vec<Stay>,
    /// Requests with the ticket.
    pub(super) requests: Vec<Request>,
    /// Answers that fit no contract; signatures that do not verify.
    pub(super) strange: Vec<String>,
}

/// A join that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    /// The token had no place yet.
    pub(super) provisional: bool,
}

/// A signed place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) place: Place,
    pub(super) visitor: VisitorId,
}

/// A poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    pub(super) told: Told,
}

/// What a poll was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// To wait; `called` counts as waiting until it is a ticket.
    Waiting {
        position: Option<u64>,
        degraded: bool,
        /// The reason for a grown position was there.
        moved: bool,
        poll_after_seconds: u64,
    },
    Admitted,
    Ended,
    /// Another status.
    Refused(u16),
    /// No answer came.
    Broken,
}

/// A session, by its tickets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay {
    /// The ticket's `jti`; tells when the session began by the store's clock.
    pub(super) session: SessionId,
    /// The question that brought the first ticket.
    pub(super) asked: Timestamp,
    pub(super) answered: Timestamp,
    /// The latest `exp` of its tickets.
    pub(super) ends: Timestamp,
    /// When what may end it was sent first.
    pub(super) may_have_ended: Option<Timestamp>,
}

/// A request with a ticket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    /// Zero when no answer came.
    pub(super) status: u16,
    /// `exp` of the ticket sent.
    pub(super) ends: Timestamp,
    /// Nothing that ends the session had been sent before.
    pub(super) live: bool,
}

/// What one gateway's gauges showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    pub(super) at: Timestamp,
    pub(super) sessions: f64,
    pub(super) limit: f64,
}

/// The promises about admission that the room was configured with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) total_active_users: u32,
    pub(super) per_second: u32,
    pub(super) burst: u32,
}

/// From the moment something is broken to the moment it is whole again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// A server that was killed.
#[derive(Clone, Debug)]
pub(super) struct Kill {
    pub(super) what: String,
    pub(super) at: Timestamp,
}

/// Everything that is known of a run.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) visitors: Vec<Record>,
    pub(super) gauges: Vec<Gauge>,
    pub(super) limits: Limits,
    pub(super) fault: Window,
    /// Whether there were two primaries meanwhile: neither side can know whom the other one answered.
    pub(super) two_sides: bool,
    /// Whether those who gave tokens to arrivals without a place are gone: nobody waits then for these to be shown.
    pub(super) arrivals_forgotten: bool,
}

impl Record {
    /// The place that was signed first.
    pub(super) fn place(&self) -> Option<Place> {
        self.places.first().map(|given| given.place)
    }

    /// When the first ticket was there.
    pub(super) fn admitted(&self) -> Option<Timestamp> {
        self.stays.first().map(|stay| stay.answered)
    }
}

impl Window {
    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }
}
