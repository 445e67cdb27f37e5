//! What happened to each visitor: the facts that the checks stand on.

use std::time::Duration;

use queue_core::{Place, Timestamp};
use serde::Serialize;

use crate::clock::Moment;
use crate::document::State;

/// A join that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// When the request was handed to the connection.
    pub sent: Moment,
    /// When its answer was there.
    pub answered: Moment,
    /// The place in the token; `None` for who got straight in without one.
    pub place: Option<Place>,
}

/// A visitor's admission.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// When the request that brought the ticket was sent.
    pub asked: Moment,
    /// When the ticket was there: from here on the session surely lives.
    pub answered: Moment,
    /// The session's id in the ticket.
    pub session: Option<String>,
    /// When it began by the store's clock.
    pub started: Option<Timestamp>,
    /// Up to here the session surely lived: the request that may have ended it was sent, or the ticket ran out.
    pub surely_until: Moment,
    /// A request that may end it has been sent.
    pub may_have_ended: bool,
}

/// A position that grew.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// What was shown before.
    pub from: u64,
    /// What was shown then.
    pub to: u64,
}

/// A paid order.
#[derive(Clone, Debug)]
pub struct Sold {
    /// The order's id.
    pub order: String,
    /// Its seats.
    pub units: Vec<String>,
}

/// How a visit ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Paid for seats.
    Bought,
    /// Was told that nothing is left.
    SoldOut,
    /// Was told that the room is closed or the line full.
    TurnedAway,
    /// Was told that the session is over before anything was bought.
    SessionEnded,
    /// Left the line on purpose.
    Left,
    /// Vanished while waiting.
    VanishedWaiting,
    /// Vanished after being admitted.
    VanishedInside,
    /// Ended without a clear answer.
    Unanswered(String),
}

impl Outcome {
    /// The word for reports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::SoldOut => "told sold out",
            Self::TurnedAway => "turned away",
            Self::SessionEnded => "session ended",
            Self::Left => "left the line",
            Self::VanishedWaiting => "vanished waiting",
            Self::VanishedInside => "vanished inside",
            Self::Unanswered(_) => "no clear answer",
        }
    }
}

/// What happened to one visitor.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The answered join.
    pub joined: Option<Joined>,
    /// When the last poll was sent that was answered "waiting" by a healthy room.
    pub last_waiting: Option<Moment>,
    /// A token the room had signed was refused.
    pub token_refused: bool,
    /// The interval told last.
    pub told_interval: Duration,
    /// When the visitor was first told "called" or "admitted".
    pub called: Option<Moment>,
    /// The admission.
    pub admitted: Option<Admitted>,
    /// Positions that grew without a reason told.
    pub unexplained: Vec<Growth>,
    /// Positions that grew with the reason told.
    pub explained: u32,
    /// What was bought.
    pub sold: Option<Sold>,
    /// A payment was sent and no answer told how it ended; names the order.
    pub payment_unknown: Option<String>,
    /// How the visit ended.
    pub outcome: Option<Outcome>,
    /// The last state told, for those without a clear answer.
    pub last_state: Option<State>,
}

impl Record {
    /// The place, when there is one.
    pub fn place(&self) -> Option<Place> {
        self.joined.and_then(|joined| joined.place)
    }
}
