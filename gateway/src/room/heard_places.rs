//! Which places were heard in which period, marked without a lock or a write to the store.

use queue_core::line::Line;
use queue_core::store::{HeardChunk, Period};
use queue_core::{Life, Sequence};

use super::place_table::PlaceTable;

/// The last period in which each place was heard, plus one; zero: never.
pub(super) struct HeardPlaces(PlaceTable);

impl HeardPlaces {
    pub(super) fn new() -> Self {
        Self(PlaceTable::new())
    }

    pub(super) fn mark(&self, sequence: Sequence, period: Period) {
        self.0.set(sequence, stamp(period));
    }

    /// Everybody heard in `period` or since, as bitmaps. Who was heard again meanwhile counts for both: nobody leaves the
    /// line for having been heard.
    pub(super) fn chunks(&self, line: &Line, period: Period) -> Vec<HeardChunk> {
        let heard = stamp(period);
        let mut chunks = Vec::new();
        for stretch in line.stretches() {
            let (start, last) = (stretch.life().mark(), stretch.last().sequence.get());
            for chunk in stretch.chunks() {
                let first = chunk * Life::ALIGN;
                let count = (last - first).min(Life::ALIGN);
                let mut bits = vec![0_u8; count.div_ceil(8) as usize];
                for offset in 0..count {
                    let sequence = Sequence::NONE.plus(first + offset + 1);
                    if self.0.get(sequence) >= heard {
                        bits[offset as usize / 8] |= 0x80 >> (offset % 8);
                    }
                }
                if bits.iter().any(|byte| *byte != 0) {
                    chunks.push(HeardChunk { epoch: start.epoch, chunk, bits });
                }
            }
        }
        chunks
    }
}

/// Periods last a second at least: 32 bits of them are a century and more.
fn stamp(period: Period) -> u32 {
    u32::try_from(period.get()).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_core::{Epoch, Place};

    /// Who was heard in the period, or later, is marked; who was heard before is not.
    #[test]
    fn marks_who_was_heard() {
        let places = HeardPlaces::new();
        let mark = Place { epoch: Epoch::new(7).unwrap(), sequence: Sequence::new(Life::ALIGN).unwrap() };
        let mut line = Line::new(Life::at(mark).unwrap());
        line.give(mark.plus(20));
        for (number, period) in [(1, 5), (9, 6), (10, 4), (20, 5)] {
            places.mark(mark.plus(number).sequence, Period::new(period));
        }
        let chunks = places.chunks(&line, Period::new(5));
        let bits = vec![0b1000_0000, 0b1000_0000, 0b0001_0000];
        assert_eq!(chunks, [HeardChunk { epoch: mark.epoch, chunk: 1, bits }]);
        assert_eq!(places.chunks(&line, Period::new(7)), []);
    }
}
