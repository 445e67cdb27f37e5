//! The highest a gateway has seen of a room.

use crate::{Epoch, Life, Place};

/// The room's version within a life: one more with every change that others must hear of.
pub type Version = u64;

/// The highest a gateway has seen of a room. It travels with every call, and a store that is behind it refuses, so a
/// fail-over to a stale replica can never give one place twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighWater {
    /// The life the rest belongs to.
    pub life: Life,
    /// Changes so far in this life.
    pub version: Version,
    /// The last place given.
    pub last: Place,
    /// The highest place called.
    pub frontier: Place,
    /// Places claimed so far, in all lives.
    pub claims: u64,
    /// Steps so far, looks and marks of who was heard included: a store that fell back to an older copy of itself betrays
    /// itself by them, also when nothing else that is told here was lost.
    pub steps: u64,
}

impl HighWater {
    /// Nothing seen yet.
    pub const NOTHING: Self =
        Self { life: Life::NONE, version: 0, last: Place::NOTHING, frontier: Place::NOTHING, claims: 0, steps: 0 };

    /// The epoch of its life.
    pub const fn epoch(&self) -> Epoch {
        self.life.epoch()
    }

    /// Whether nothing was seen yet.
    pub fn is_nothing(&self) -> bool {
        self.life == Life::NONE
    }

    /// Takes up what an answer showed. A later life replaces all; within one each part only grows.
    pub fn raise(&mut self, seen: &Self) {
        if seen.life > self.life {
            *self = *seen;
        } else if seen.life == self.life {
            self.version = self.version.max(seen.version);
            self.last = self.last.max(seen.last);
            self.frontier = self.frontier.max(seen.frontier);
            self.claims = self.claims.max(seen.claims);
            self.steps = self.steps.max(seen.steps);
        }
    }

    /// Whether a store at `self` has lost something that was seen.
    pub fn is_behind(&self, seen: &Self) -> bool {
        self.life < seen.life
            || (self.life == seen.life
                && (self.version < seen.version
                    || self.last < seen.last
                    || self.frontier < seen.frontier
                    || self.claims < seen.claims
                    || self.steps < seen.steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequence;

    /// Any part that fell within a life betrays a loss; a later life is never behind.
    #[test]
    fn any_fallen_part_is_a_loss() {
        let place = |sequence| Place { epoch: Epoch::new(7).unwrap(), sequence: Sequence::new(sequence).unwrap() };
        let life = Life::at(place(0)).unwrap();
        let seen = HighWater { life, version: 10, last: place(5), frontier: place(3), claims: 2, steps: 40 };
        assert!(!seen.is_behind(&seen));
        assert!(HighWater { version: 9, ..seen }.is_behind(&seen));
        assert!(HighWater { last: place(4), ..seen }.is_behind(&seen));
        assert!(HighWater { frontier: place(2), ..seen }.is_behind(&seen));
        assert!(HighWater { claims: 1, ..seen }.is_behind(&seen));
        assert!(HighWater { steps: 39, ..seen }.is_behind(&seen));
        let later = HighWater { life: Life::after_lag(seen.last, 0).unwrap(), ..HighWater::default() };
        assert!(!later.is_behind(&seen));
        let mut raised = seen;
        raised.raise(&later);
        assert_eq!(raised, later);
    }
}
