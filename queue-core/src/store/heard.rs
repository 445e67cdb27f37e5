//! Who was heard: polls do not write, so each gateway marks the places it heard and merges the marks once a period.

use std::time::Duration;

use crate::{Epoch, Life, Place, Timestamp};

/// Whole periods in which a place is not heard once before it leaves the line.
pub const PERIODS_OF_SILENCE: u64 = 3;

/// The longest between two steps of a store that serves: every gateway looks ten times a second and sweeps every second. In a
/// longer gap the store was away or its time leapt, and nobody could be heard: then the silence of those who are called
/// counts anew from the first sweep after, and what is held or collected for a span of being heard is so for as much longer.
pub const LONGEST_GAP: Duration = Duration::from_secs(2);

/// A stretch of time, the same for all gateways: a third of the retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

impl Period {
    /// How long a period lasts when silent places are kept for `retention`: whole milliseconds, at least one.
    pub fn length(retention: Duration) -> Duration {
        Duration::from_millis(u64::try_from(retention.as_millis()).unwrap_or(u64::MAX) / PERIODS_OF_SILENCE)
            .max(Duration::from_millis(1))
    }

    /// The period that shared time `now` lies in.
    pub fn of(now: Timestamp, retention: Duration) -> Self {
        let length = u64::try_from(Self::length(retention).as_millis()).unwrap_or(u64::MAX);
        Self(now.as_millis() / length)
    }

    /// From its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one `count` before it.
    #[must_use]
    pub const fn before(self, count: u64) -> Self {
        Self(self.0.saturating_sub(count))
    }
}

/// A running gateway, by the 64 random bits of its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayId(pub u64);

/// The places of one chunk that were heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardChunk {
    /// The epoch of the places.
    pub epoch: Epoch,
    /// Which [`Life::ALIGN`] places of the epoch.
    pub chunk: u32,
    /// Bit 0 is the first byte's highest.
    pub bits: Vec<u8>,
}

impl HeardChunk {
    /// Where a place's bit is: epoch, chunk and offset in it.
    pub const fn locate(place: Place) -> (Epoch, u32, u32) {
        let index = place.sequence.get().saturating_sub(1);
        (place.epoch, index / Life::ALIGN, index % Life::ALIGN)
    }
}

/// What one gateway heard in one period. A gateway that starts says so with a period that is over and nothing heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which gateway.
    pub gateway: GatewayId,
    /// When it heard.
    pub period: Period,
    /// How long it counts as running after it last merged.
    pub retention: Duration,
    /// What it heard.
    pub chunks: Vec<HeardChunk>,
}
