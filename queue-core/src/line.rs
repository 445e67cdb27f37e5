//! The line as a gateway remembers it: who stands where, without asking the store.

use crate::bits::{PlaceBits, PlaceState};
use crate::{Epoch, Place, Sequence};

/// One epoch's places.
#[derive(Clone)]
pub struct EpochLine {
    /// Which epoch.
    pub epoch: Epoch,
    /// The last place given.
    pub last: Sequence,
    /// The highest place called.
    pub frontier: Sequence,
    /// Those who no longer wait.
    pub bits: PlaceBits,
}

impl EpochLine {
    /// An empty line.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, last: Sequence::NONE, frontier: Sequence::NONE, bits: PlaceBits::new() }
    }

    /// How many wait, the called ones included.
    pub fn waiting(&self) -> u32 {
        self.last.get() - self.bits.total()
    }

    /// How many of those who wait are not called yet.
    pub fn waiting_beyond_frontier(&self) -> u32 {
        let beyond = self.last.get() - self.frontier.get();
        beyond - (self.bits.total() - self.bits.left_before(self.frontier.plus(1)))
    }

    /// What is known of a place.
    pub fn standing(&self, place: Place) -> Standing {
        if place.epoch != self.epoch || place.sequence > self.last {
            return Standing::Unknown;
        }
        let ahead = place.sequence.get() - 1 - self.bits.left_before(place.sequence);
        match self.bits.state(place.sequence) {
            PlaceState::Spent => Standing::Spent,
            PlaceState::Gone => Standing::Gone { called: place.sequence <= self.frontier },
            PlaceState::Waiting if place.sequence <= self.frontier => Standing::Called { ahead },
            PlaceState::Waiting => Standing::Waiting { ahead },
        }
    }
}

/// How a place stands at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not its turn yet.
    Waiting {
        /// How many wait ahead; the position is one more.
        ahead: u32,
    },
    /// Its turn, to be claimed.
    Called {
        /// How many called ones stand ahead and have not claimed.
        ahead: u32,
    },
    /// Fell silent or missed its turn; its token brings it back.
    Gone {
        /// Whether its turn has come meanwhile.
        called: bool,
    },
    /// Claimed, or left on purpose.
    Spent,
    /// Newer than this memory, or of another epoch: the store has to be asked.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The position counts those who wait ahead, called ones included, and nobody else.
    #[test]
    fn position_counts_who_waits_ahead() {
        let seq = |n| Sequence::new(n).unwrap();
        let mut line = EpochLine::new(Epoch::new(1).unwrap());
        line.last = seq(10);
        line.frontier = seq(4);
        line.bits.set(seq(1), PlaceState::Spent);
        line.bits.set(seq(6), PlaceState::Gone);
        let standing = |n| line.standing(Place { epoch: line.epoch, sequence: seq(n) });
        assert_eq!(standing(1), Standing::Spent);
        assert_eq!(standing(2), Standing::Called { ahead: 0 });
        assert_eq!(standing(5), Standing::Waiting { ahead: 3 });
        assert_eq!(standing(6), Standing::Gone { called: false });
        assert_eq!(standing(10), Standing::Waiting { ahead: 7 });
        assert_eq!(standing(11), Standing::Unknown);
        assert_eq!(line.waiting(), 8);
        assert_eq!(line.waiting_beyond_frontier(), 5);
    }
}
