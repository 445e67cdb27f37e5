//! A visitor: comes, waits with a signed place, goes in with a signed ticket, comes back with what is over.

use std::time::Duration;

use queue_core::store::Session;
use queue_core::{Place, Timestamp, VisitorId};

use crate::support::dice::Dice;

/// One visitor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor {
    pub(super) id: VisitorId,
    pub(super) temper: Temper,
    pub(super) stage: Stage,
    /// The gateway that the balancer keeps to.
    pub(super) home: usize,
    /// When it last polled.
    pub(super) polled: Timestamp,
    /// Since when each of its polls reached a gateway that could carry it to the store.
    pub(super) lucky_since: Timestamp,
}

/// How somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// Polls and claims when called.
    Patient,
    /// A hidden tab: when called, only looks, so many times.
    Hidden(u32),
    /// Falls silent now and then, for longer than a place is kept in the line.
    Wanderer,
    /// Gives up.
    Quitter,
}

/// Where somebody is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Has not heard of a place yet.
    Joining,
    /// Came while the store was away: holds a provisional token.
    Provisional(Timestamp),
    /// Holds a place.
    Waiting(Place, Option<Shown>),
    /// Gives the place up, until that is confirmed.
    Leaving(Place),
    /// Inside until then.
    Inside(Place, Session, Timestamp),
    /// Its session is over; it tries what it still has, so many times.
    Back(Place, Session, u32),
    /// Went home.
    Done,
}

/// A position that somebody was shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) position: u32,
    /// By which memory: of which store, at which moment.
    pub(super) node: usize,
    pub(super) looked: Timestamp,
}

/// An id that shows its number.
fn id(number: u32) -> VisitorId {
    let mut bits = [0; 16];
    bits[..3].copy_from_slice(&number.to_be_bytes()[1..]);
    bits[12..].copy_from_slice(&number.to_be_bytes());
    VisitorId::from_entropy(bits)
}

impl Visitor {
    pub(super) fn new(number: u32, homes: usize, dice: &mut Dice) -> Self {
        let temper = match dice.below(10) {
            0..6 => Temper::Patient,
            6 => Temper::Hidden(dice.within(1..10) as u32),
            7..9 => Temper::Wanderer,
            _ => Temper::Quitter,
        };
        Self {
            id: id(number),
            temper,
            stage: Stage::Joining,
            home: dice.below(homes as u64) as usize,
            polled: Timestamp::ZERO,
            lucky_since: Timestamp::ZERO,
        }
    }

    /// Which visitor this id is.
    pub(super) fn number(id: &VisitorId) -> usize {
        id.as_bytes()[12..].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    /// When it acts again; its told interval is at most `longest`.
    pub(super) fn pause(&self, dice: &mut Dice, calm: bool, longest: Duration) -> Option<Duration> {
        let longest = longest.as_millis() as u64;
        Some(match (self.stage, self.temper) {
            (Stage::Done, _) => return None,
            (Stage::Waiting(..), Temper::Wanderer) if !calm && dice.chance(1, 12) => {
                dice.span_ms(3 * longest..20 * longest)
            }
            _ => dice.span_ms(longest / 5..longest),
        })
    }
}
