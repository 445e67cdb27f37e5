//! A life of the store's data: an unbroken run of places that nobody else ever gives.

use std::fmt;

use crate::{Epoch, Place, Sequence, Timestamp};

/// Where a life begins: its places come after this mark, in the mark's epoch.
///
/// A store that lost data begins a new life in a new epoch; one that merely lagged begins a new life further on in the
/// same epoch. Either way what the new life gives was never given before, not even by a primary that still serves behind a
/// partition. Lives begin at multiples of [`Life::ALIGN`], so that a chunk of a bitmap belongs to one life.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(Place);

impl Life {
    /// No life seen yet.
    pub const NONE: Self = Self(Place::NOTHING);

    /// Places between two possible beginnings, and places of one chunk of a bitmap in a shared store.
    pub const ALIGN: u32 = 1 << 20;

    /// Possible beginnings in each second of an epoch's ten-minute step: a store that starts empty twice in one step, with
    /// nobody left who remembers the first time, gives other places the second time.
    const PER_SECOND: u32 = 3;

    /// Places left out after the last one known when a store lagged: what a primary behind a partition may still give
    /// meanwhile.
    const GAP: u32 = Self::ALIGN;

    /// Beginnings after a lag of which a gateway chooses one by its own salt: two that go on with two copies of one store,
    /// unaware of each other, begin different lives.
    const CHOICES: u32 = 16;

    /// The life that begins at `now` when nobody remembers another: later starts in one step begin further on.
    pub fn first(now: Timestamp) -> Self {
        let (_, ms) = Epoch::step(now);
        let sequence = Sequence::NONE.plus(ms * Self::PER_SECOND / 1_000 * Self::ALIGN);
        Self(Place { epoch: Epoch::begin(now, None), sequence })
    }

    /// The life that begins at `now` when everything was lost, `highest` being the highest epoch that any store, gateway or
    /// valid token showed. Where in the new epoch says the `salt` of whoever begins it.
    pub fn after_loss(now: Timestamp, highest: Epoch, salt: u32) -> Self {
        let beginnings = Sequence::MAX.get() / Self::ALIGN / 2;
        let sequence = Sequence::NONE.plus(salt % beginnings * Self::ALIGN);
        Self(Place { epoch: Epoch::begin(now, Some(highest)), sequence })
    }

    /// The life that begins when a store lagged behind `last`; `None` when the epoch has no room for another.
    pub fn after_lag(last: Place, salt: u32) -> Option<Self> {
        let next = last.sequence.get().checked_add(Self::GAP)?.checked_next_multiple_of(Self::ALIGN)?;
        let next = next.checked_add(salt % Self::CHOICES * Self::ALIGN)?;
        let sequence = Sequence::new(next)?;
        Some(Self(Place { sequence, ..last }))
    }

    /// The life that begins at this mark; `None` unless one can begin there.
    pub const fn at(mark: Place) -> Option<Self> {
        if mark.sequence.get().is_multiple_of(Self::ALIGN) { Some(Self(mark)) } else { None }
    }

    /// The latest possible beginning of a life that gave `place`: all that is known of a life nobody remembers.
    pub fn that_gave(place: Place) -> Self {
        let before = place.sequence.get().saturating_sub(1);
        let sequence = Sequence::NONE.plus(before - before % Self::ALIGN);
        Self(Place { sequence, ..place })
    }

    /// The mark before its first place.
    pub const fn mark(self) -> Place {
        self.0
    }

    /// Its epoch.
    pub const fn epoch(self) -> Epoch {
        self.0.epoch
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "life {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(epoch: u32, sequence: u32) -> Place {
        Place { epoch: Epoch::new(epoch).unwrap(), sequence: Sequence::new(sequence).unwrap() }
    }

    /// Lives never share a place: each begins after everything known, and after what a second start could give.
    #[test]
    fn lives_do_not_meet() {
        let now = Timestamp::from_secs(1_796_122_800);
        let first = Life::first(now);
        let second = Life::first(now + std::time::Duration::from_secs(1));
        assert_eq!(first.epoch(), second.epoch(), "one step");
        assert_eq!(second.mark().sequence.get() - first.mark().sequence.get(), 3 << 20);
        assert!(Life::after_loss(now, second.epoch(), 0) > second);
        assert_ne!(Life::after_loss(now, second.epoch(), 0), Life::after_loss(now, second.epoch(), 1));
        let third = Life::first(now + std::time::Duration::from_millis(334));
        assert!(first < third && third < second);
        let last_second = Life::first(now + std::time::Duration::from_secs(599));
        assert!(last_second.mark().sequence.get() < Sequence::MAX.get() - (100 << 20), "and room for lags");
    }

    /// After a lag the epoch goes on, a whole gap beyond the last place anybody saw.
    #[test]
    fn a_lag_leaves_a_gap() {
        assert_eq!(Life::after_lag(place(7, 5), 0), Life::at(place(7, 2 << 20)));
        assert_eq!(Life::after_lag(place(7, 5), 3), Life::at(place(7, 5 << 20)));
        assert_eq!(Life::after_lag(place(7, 1 << 20), 0), Life::at(place(7, 2 << 20)));
        assert_eq!(Life::after_lag(place(7, Sequence::MAX.get() - 5), 0), None);
        assert_eq!(Life::that_gave(place(7, (1 << 20) + 1)), Life::at(place(7, 1 << 20)).unwrap());
        assert_eq!(Life::that_gave(place(7, 1 << 20)), Life::at(place(7, 0)).unwrap());
        assert_eq!(Life::at(place(7, 5)), None);
    }
}
