//! The places that one life gave, and what became of them.

use crate::bits::{PlaceBits, PlaceState};
use crate::{Life, Place, Sequence};

/// An unbroken run of places: those after the beginning of `life`, up to the last one given.
#[derive(Clone)]
pub struct Stretch {
    life: Life,
    given: u32,
    bits: PlaceBits,
}

impl Stretch {
    /// A life that has given no place yet.
    pub fn new(life: Life) -> Self {
        Self { life, given: 0, bits: PlaceBits::new() }
    }

    /// A life that gave places up to `last`, all of them waiting.
    pub fn up_to(life: Life, last: Place) -> Self {
        let mut stretch = Self::new(life);
        stretch.give(last);
        stretch
    }

    /// Which life.
    pub const fn life(&self) -> Life {
        self.life
    }

    /// The last place given; the beginning when there is none.
    pub const fn last(&self) -> Place {
        self.life.mark().plus(self.given)
    }

    /// How many places were given.
    pub const fn given(&self) -> u32 {
        self.given
    }

    /// How many wait.
    pub fn waiting(&self) -> u32 {
        self.given - self.left()
    }

    /// How many left the line.
    pub fn left(&self) -> u32 {
        self.bits.total()
    }

    /// The number of a place within the stretch, from 1, if it was given here.
    fn index(&self, place: Place) -> Option<Sequence> {
        let start = self.life.mark();
        let here = place.epoch == start.epoch && place > start && place <= self.last();
        here.then(|| place.sequence.get() - start.sequence.get()).and_then(Sequence::new)
    }

    /// What became of a place; `None` when it was not given here.
    pub fn state(&self, place: Place) -> Option<PlaceState> {
        Some(self.bits.state(self.index(place)?))
    }

    /// Records what became of a place and says what it was; `None` when it was not given here.
    pub fn set(&mut self, place: Place, state: PlaceState) -> Option<PlaceState> {
        let index = self.index(place)?;
        Some(self.bits.set(index, state))
    }

    /// Places were given up to `last`. Never takes one back.
    pub fn give(&mut self, last: Place) {
        let start = self.life.mark();
        if last.epoch == start.epoch {
            self.given = self.given.max(last.sequence.get().saturating_sub(start.sequence.get()));
        }
    }

    /// How many places up to `mark`, itself included, wait.
    pub fn waiting_up_to(&self, mark: Place) -> u32 {
        if mark >= self.last() {
            return self.waiting();
        }
        self.index(mark).map_or(0, |index| index.get() - self.bits.left_before(index.plus(1)))
    }

    /// The `nth` (from 1) place after `after` that waits.
    pub fn nth_waiting_after(&self, after: Place, nth: u32) -> Option<Place> {
        let after = if after < self.life.mark() { Sequence::NONE } else { self.index(after).unwrap_or(Sequence::NONE) };
        let last = Sequence::new(self.given)?;
        self.bits.nth_waiting_after(after, nth, last).map(|index| self.life.mark().plus(index.get()))
    }

    /// Everybody who was not for good out is out of the line until heard: what a loss does to the places after `kept`.
    pub fn lose_after(&mut self, kept: Place) {
        let from = if kept < self.life.mark() { 0 } else { kept.sequence.get() - self.life.mark().sequence.get() };
        self.bits.lose(from.min(self.given), self.given);
    }

    /// The same with everybody back who could come back.
    #[must_use]
    pub fn without_gone(&self) -> Self {
        Self { bits: self.bits.without_gone(), ..*self }
    }

    /// Reads one chunk of bitmaps as a shared store keeps them: bit 0 is the first byte's highest. `chunk` counts
    /// [`Life::ALIGN`] places from the epoch's beginning.
    pub fn load(&mut self, chunk: u32, gone: &[u8], spent: &[u8]) {
        if let Some(first) = self.first_of(chunk) {
            self.bits.load(first, gone, spent);
        }
    }

    /// Marks as spent what a bitmap of [`Stretch::spent_chunks`] says; answers which places were not before.
    pub fn spend(&mut self, chunk: u32, spent: &[u8]) -> Vec<Place> {
        let Some(first) = self.first_of(chunk) else { return Vec::new() };
        let places = set_bits(spent).map(|offset| first + offset).take_while(|index| *index <= self.given);
        let fresh: Vec<u32> = places
            .filter(|index| {
                Sequence::new(*index).is_some_and(|index| self.bits.set(index, PlaceState::Spent) != PlaceState::Spent)
            })
            .collect();
        fresh.into_iter().map(|index| self.life.mark().plus(index)).collect()
    }

    /// The number within the stretch of a chunk's first place.
    fn first_of(&self, chunk: u32) -> Option<u32> {
        let places = chunk.checked_mul(Life::ALIGN)?.checked_sub(self.life.mark().sequence.get())?;
        places.checked_add(1)
    }

    /// The bitmaps of the places spent, chunk by chunk, without empty ones.
    pub fn spent_chunks(&self) -> Vec<(u32, Vec<u8>)> {
        let first = self.life.mark().sequence.get() / Life::ALIGN;
        (0..self.given.div_ceil(Life::ALIGN))
            .map(|chunk| (first + chunk, self.bits.spent_bytes(chunk * Life::ALIGN + 1, Life::ALIGN)))
            .filter(|(_, bytes)| !bytes.is_empty())
            .collect()
    }

    /// The chunks its places lie in.
    pub fn chunks(&self) -> std::ops::Range<u32> {
        let first = self.life.mark().sequence.get() / Life::ALIGN;
        first..first + self.given.div_ceil(Life::ALIGN)
    }
}

/// The offsets of the bits set in a bitmap, ascending.
pub(crate) fn set_bits(bytes: &[u8]) -> impl Iterator<Item = u32> {
    (0_u32..)
        .zip(bytes)
        .filter(|(_, byte)| **byte != 0)
        .flat_map(|(index, byte)| (0..8).filter(move |bit| byte & (0x80 >> bit) != 0).map(move |bit| index * 8 + bit))
}
