//! A visitor: joins, waits, falls silent, comes back, enters, leaves.

use std::time::Duration;

use queue_core::store::{Claimed, Joined, Renewed, Session};
use queue_core::{Place, Timestamp, Version, VisitorId};

use crate::support::dice::Dice;
use crate::support::visitor;

/// One visitor.
#[derive(Clone, Copy)]
pub(super) struct Visitor {
    pub(super) id: VisitorId,
    pub(super) temper: Temper,
    pub(super) stage: Stage,
}

/// How somebody waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Temper {
    /// Polls and claims when called.
    Patient,
    /// A hidden tab: when called, looks so many times before it claims.
    Hidden(u32),
    /// Falls silent now and then.
    Wanderer,
    /// Gives up.
    Quitter,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Has not heard of a place yet.
    Joining,
    /// Holds a place.
    Waiting(Place, Option<Shown>),
    /// Gives the place up, until that is confirmed.
    Leaving(Place),
    /// Inside until then.
    Inside(Place, Session, Timestamp),
    /// Went home.
    Done,
}

/// A position that somebody was shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) position: u32,
    /// The version of the room it was computed from.
    pub(super) version: Version,
}

impl Visitor {
    pub(super) fn new(number: u32, dice: &mut Dice) -> Self {
        let temper = match dice.below(10) {
            0..5 => Temper::Patient,
            5..7 => Temper::Hidden(dice.within(1..15) as u32),
            7..9 => Temper::Wanderer,
            _ => Temper::Quitter,
        };
        Self { id: visitor(number), temper, stage: Stage::Joining }
    }

    /// Which visitor this id is.
    pub(super) fn number(id: &VisitorId) -> usize {
        id.as_bytes()[12..].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    pub(super) fn on_joined(&mut self, joined: Joined, now: Timestamp, dice: &mut Dice) {
        if !matches!(self.stage, Stage::Joining) {
            return;
        }
        match joined {
            Joined::Placed { place, .. } => self.stage = Stage::Waiting(place, None),
            Joined::Admitted { place, session } => self.enter(place, session, now, dice),
            Joined::Full | Joined::Closed | Joined::Collected { .. } | Joined::Unconfirmed { .. } => {}
        }
    }

    pub(super) fn on_claimed(&mut self, claimed: Claimed, now: Timestamp, dice: &mut Dice) {
        let Stage::Waiting(place, _) = self.stage else { return };
        match claimed {
            Claimed::Admitted(session) => self.enter(place, session, now, dice),
            Claimed::Ended => self.stage = Stage::Done,
            Claimed::Offered => {
                if let Temper::Hidden(looks) = &mut self.temper {
                    *looks = looks.saturating_sub(1);
                }
            }
            Claimed::Missed | Claimed::NotCalled | Claimed::Refused(_) | Claimed::Unknown | Claimed::Unconfirmed(_) => {
            }
        }
    }

    pub(super) fn on_renewed(&mut self, renewed: Renewed) {
        if let Stage::Inside(_, session, _) = &mut self.stage {
            match renewed {
                Renewed::Until(renewed) => *session = renewed,
                Renewed::Ended => self.stage = Stage::Done,
            }
        }
    }

    pub(super) fn on_departed(&mut self) {
        if matches!(self.stage, Stage::Leaving(_)) {
            self.stage = Stage::Done;
        }
    }

    fn enter(&mut self, place: Place, session: Session, now: Timestamp, dice: &mut Dice) {
        self.stage = Stage::Inside(place, session, now + dice.span_ms(1_000..20_000));
    }

    /// When it acts again.
    pub(super) fn next_visit(&self, dice: &mut Dice, calm: bool) -> Option<Duration> {
        Some(match (self.stage, self.temper) {
            (Stage::Done, _) => return None,
            (Stage::Waiting(..), Temper::Wanderer) if !calm && dice.chance(1, 6) => dice.span_ms(3_000..30_000),
            (Stage::Waiting(..), _) => dice.span_ms(300..1_500),
            _ => dice.span_ms(700..2_000),
        })
    }
}
