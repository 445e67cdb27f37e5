//! Where a visitor stands for good.

use std::fmt;

/// One life of the store's data. Counted from ten-minute steps since 2026-01-01, so that a store that lost everything
/// still begins later than any epoch before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u32);

impl Epoch {
    /// No epoch yet.
    pub const NONE: Self = Self(0);

    /// The highest epoch a place can carry: scores stay exact in a double (2^53) with 31 bits of sequence.
    pub const MAX: Self = Self((1 << 22) - 1);

    const ORIGIN_SECS: u64 = 1_767_225_600;
    const STEP_SECS: u64 = 600;

    /// From its number; `None` beyond [`Epoch::MAX`].
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The ten-minute step of `now`, and the milliseconds into it.
    pub(crate) fn step(now: crate::Timestamp) -> (u32, u32) {
        let (ms, step_ms) = (now.as_millis().saturating_sub(Self::ORIGIN_SECS * 1_000), Self::STEP_SECS * 1_000);
        let step = u32::try_from(ms / step_ms).unwrap_or(Self::MAX.0);
        (step, (ms % step_ms) as u32)
    }

    /// The epoch that begins at `now` when `highest_known` is the highest epoch any store, gateway or valid token showed.
    pub fn begin(now: crate::Timestamp, highest_known: Option<Self>) -> Self {
        let next = highest_known.map_or(1, |epoch| epoch.0 + 1);
        Self(Self::step(now).0.max(next).min(Self::MAX.0))
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number within an epoch; the first place of an epoch is 1, zero stands for "none yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u32);

impl Sequence {
    /// No place yet.
    pub const NONE: Self = Self(0);

    /// The last sequence of an epoch; a line that reaches it starts a new epoch.
    pub const MAX: Self = Self((1 << 31) - 1);

    /// From its number; `None` beyond [`Sequence::MAX`].
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sequence `steps` later, at most [`Sequence::MAX`].
    pub const fn plus(self, steps: u32) -> Self {
        let sum = self.0.saturating_add(steps);
        if sum > Self::MAX.0 { Self::MAX } else { Self(sum) }
    }
}

/// Where a visitor stands for good: given once, signed, never changed.
///
/// As a mark in the order of places (the last one given, the frontier, the start of a life) the sequence may be zero:
/// before the epoch's first place.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The epoch it was given in; older epochs stand ahead.
    pub epoch: Epoch,
    /// Its number in that epoch, from 1.
    pub sequence: Sequence,
}

impl Place {
    const SEQUENCE_BITS: u32 = 31;

    /// The mark before every place.
    pub const NOTHING: Self = Self { epoch: Epoch::NONE, sequence: Sequence::NONE };

    /// As a sorted set's score and as the `place` claim: `epoch × 2^31 + sequence`, exact in a double.
    pub const fn score(self) -> u64 {
        ((self.epoch.0 as u64) << Self::SEQUENCE_BITS) | self.sequence.0 as u64
    }

    /// From its score; `None` for what no place can have (sequence zero, an epoch out of range).
    pub const fn from_score(score: u64) -> Option<Self> {
        match Self::mark_from_score(score) {
            Some(place) if place.sequence.0 > 0 => Some(place),
            _ => None,
        }
    }

    /// A mark from its score; `None` for an epoch out of range.
    pub const fn mark_from_score(score: u64) -> Option<Self> {
        let sequence = (score & Sequence::MAX.0 as u64) as u32;
        let epoch = score >> Self::SEQUENCE_BITS;
        if epoch > Epoch::MAX.0 as u64 {
            return None;
        }
        Some(Self { epoch: Epoch(epoch as u32), sequence: Sequence(sequence) })
    }

    /// The place `steps` after this one in the same epoch, at most the epoch's last.
    pub const fn plus(self, steps: u32) -> Self {
        Self { sequence: self.sequence.plus(steps), ..self }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch.0, self.sequence.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    /// The order of places is the order of scores, and every score is exact in a double.
    #[test]
    fn scores_keep_the_order_and_are_exact() {
        let place = |epoch, sequence| Place { epoch: Epoch(epoch), sequence: Sequence(sequence) };
        let ordered = [place(0, 1), place(0, Sequence::MAX.0), place(1, 1), place(Epoch::MAX.0, Sequence::MAX.0)];
        for pair in ordered.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].score() < pair[1].score());
        }
        for place in ordered {
            assert_eq!(Place::from_score(place.score()), Some(place));
            assert_eq!(place.score() as f64 as u64, place.score());
        }
        assert_eq!(Place::from_score(1 << 31), None);
        assert_eq!(Place::from_score(1 << 53), None);
    }

    /// A new epoch is later than every epoch anyone has seen, and than the calendar's.
    #[test]
    fn an_epoch_begins_after_all_known_ones() {
        let now = Timestamp::from_secs(Epoch::ORIGIN_SECS + 10 * Epoch::STEP_SECS);
        assert_eq!(Epoch::begin(now, None), Epoch(10));
        assert_eq!(Epoch::begin(now, Some(Epoch(3))), Epoch(10));
        assert_eq!(Epoch::begin(now, Some(Epoch(10))), Epoch(11));
        assert_eq!(Epoch::begin(Timestamp::ZERO, None), Epoch(1));
    }
}
