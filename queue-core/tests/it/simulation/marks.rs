//! Whom a gateway heard: marks by period, for as long as a store may need them.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::store::{GatewayId, Heard, HeardChunk, PERIODS_OF_SILENCE, Period};
use queue_core::{Epoch, Place, Timestamp};

/// Marks of the last periods.
#[derive(Default)]
pub(crate) struct Marks {
    periods: BTreeMap<Period, BTreeMap<(Epoch, u32), Vec<u8>>>,
    /// The last period that the store has.
    merged: Option<Period>,
}

impl Marks {
    /// A place was heard at shared time `now`.
    pub(crate) fn note(&mut self, place: Place, now: Timestamp, retention: Duration) {
        let (epoch, chunk, offset) = HeardChunk::locate(place);
        let period = self.periods.entry(Period::of(now, retention)).or_default();
        let bits = period.entry((epoch, chunk)).or_default();
        let byte = offset as usize / 8;
        bits.resize(bits.len().max(byte + 1), 0);
        bits[byte] |= 0x80 >> (offset % 8);
    }

    /// What is to be brought next at shared time `now`: one period at a time and in order, since whoever brought a period
    /// is taken to have brought those before it.
    pub(crate) fn due(&self, gateway: GatewayId, now: Timestamp, retention: Duration) -> Option<Heard> {
        let over = Period::of(now, retention).before(1);
        let first = self.merged.map_or(Period::default(), |merged| Period::new(merged.get() + 1));
        let first = first.max(over.before(PERIODS_OF_SILENCE));
        let marked = self.periods.keys().copied().find(|period| (first..=over).contains(period));
        let period = marked.unwrap_or(over);
        if self.merged.is_some_and(|merged| merged >= period) {
            return None;
        }
        let chunks = self.periods.get(&period).into_iter().flatten();
        let chunks =
            chunks.map(|((epoch, chunk), bits)| HeardChunk { epoch: *epoch, chunk: *chunk, bits: bits.clone() });
        Some(Heard { gateway, period, retention, chunks: chunks.collect() })
    }

    /// The store has this period.
    pub(crate) fn brought(&mut self, period: Period) {
        self.merged = self.merged.max(Some(period));
        self.periods.retain(|later, _| *later > period.before(PERIODS_OF_SILENCE + 1));
    }

    /// A store that began a new life has none of them.
    pub(crate) fn bring_again(&mut self) {
        self.merged = None;
    }
}
