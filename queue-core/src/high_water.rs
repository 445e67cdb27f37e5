//! The highest a gateway has seen of a room.

use crate::{Epoch, Sequence};

/// The room's version: one more with every change that others must hear of.
pub type Version = u64;

/// The highest a gateway has seen of a room. It travels with every call, and a store that is behind it refuses, so a
/// fail-over to a stale replica can never give one place twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighWater {
    /// The epoch the rest belongs to.
    pub epoch: Epoch,
    /// Changes so far.
    pub version: Version,
    /// The last place given.
    pub last: Sequence,
    /// The highest place called.
    pub frontier: Sequence,
    /// Places claimed so far.
    pub claims: u64,
}

impl HighWater {
    /// Nothing seen yet.
    pub const NOTHING: Self =
        Self { epoch: Epoch::NONE, version: 0, last: Sequence::NONE, frontier: Sequence::NONE, claims: 0 };

    /// Takes up what an answer showed. A later epoch replaces all; within one epoch each part only grows.
    pub fn raise(&mut self, seen: &Self) {
        if seen.epoch > self.epoch {
            *self = *seen;
        } else if seen.epoch == self.epoch {
            self.version = self.version.max(seen.version);
            self.last = self.last.max(seen.last);
            self.frontier = self.frontier.max(seen.frontier);
            self.claims = self.claims.max(seen.claims);
        }
    }

    /// Whether a store at `self` has lost something that was seen.
    pub fn is_behind(&self, seen: &Self) -> bool {
        self.epoch < seen.epoch
            || (self.epoch == seen.epoch
                && (self.version < seen.version
                    || self.last < seen.last
                    || self.frontier < seen.frontier
                    || self.claims < seen.claims))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any part that fell within an epoch betrays a loss; a later epoch is never behind.
    #[test]
    fn any_fallen_part_is_a_loss() {
        let seen = HighWater {
            epoch: Epoch::new(7).unwrap(),
            version: 10,
            last: Sequence::new(5).unwrap(),
            frontier: Sequence::new(3).unwrap(),
            claims: 2,
        };
        assert!(!seen.is_behind(&seen));
        assert!(HighWater { version: 9, ..seen }.is_behind(&seen));
        assert!(HighWater { last: Sequence::new(4).unwrap(), ..seen }.is_behind(&seen));
        assert!(HighWater { frontier: Sequence::new(2).unwrap(), ..seen }.is_behind(&seen));
        assert!(HighWater { claims: 1, ..seen }.is_behind(&seen));
        let later = HighWater { epoch: Epoch::new(8).unwrap(), ..HighWater::default() };
        assert!(!later.is_behind(&seen));
        let mut raised = seen;
        raised.raise(&later);
        assert_eq!(raised, later);
    }
}
