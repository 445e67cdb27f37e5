//! The token bucket that paces admissions: a pure integer function of (state, now, cost).

use std::time::Duration;

use crate::Timestamp;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per minute, at least 1.
    pub per_minute: u32,
    /// The most tokens the bucket holds, at least 1.
    pub burst: u32,
}

/// A token bucket in whole milliseconds. One token is 60,000 parts, so that a rate per minute refills exactly
/// `per_minute` parts a millisecond: no remainder is ever lost or minted. Admissions in any window are at most
/// `burst + rate × window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    parts: u64,
    at: Timestamp,
}

impl Bucket {
    /// Parts of one token: the milliseconds of a minute.
    pub const PARTS_PER_TOKEN: u64 = 60_000;

    /// A full bucket.
    pub const fn full(rate: Rate, now: Timestamp) -> Self {
        Self { parts: Self::capacity(rate), at: now }
    }

    /// An empty bucket: what a new epoch starts with.
    pub const fn empty(now: Timestamp) -> Self {
        Self { parts: 0, at: now }
    }

    /// A bucket as a store keeps it.
    pub const fn from_parts(parts: u64, at: Timestamp) -> Self {
        Self { parts, at }
    }

    /// Parts in the bucket at [`Bucket::at`].
    pub const fn parts(self) -> u64 {
        self.parts
    }

    /// When it was last filled, whole milliseconds.
    pub const fn at(self) -> Timestamp {
        self.at
    }

    const fn capacity(rate: Rate) -> u64 {
        rate.burst as u64 * Self::PARTS_PER_TOKEN
    }

    /// The bucket at `now`. Time never runs backwards in it: an earlier `now` changes nothing.
    #[must_use]
    pub fn refilled(self, rate: Rate, now: Timestamp) -> Self {
        let now_ms = now.as_millis();
        let elapsed = now_ms.saturating_sub(self.at.as_millis());
        let refill = elapsed.saturating_mul(u64::from(rate.per_minute));
        Self {
            parts: self.parts.saturating_add(refill).min(Self::capacity(rate)),
            at: self.at.max(Timestamp::from_millis(now_ms)),
        }
    }

    /// Whole tokens in the bucket as it is.
    pub const fn tokens(self) -> u64 {
        self.parts / Self::PARTS_PER_TOKEN
    }

    /// Takes one token at `now`.
    ///
    /// # Errors
    /// How long until there will be one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        *self = self.refilled(rate, now);
        match self.parts.checked_sub(Self::PARTS_PER_TOKEN) {
            Some(left) => {
                self.parts = left;
                Ok(())
            }
            None => Err(Duration::from_millis(
                (Self::PARTS_PER_TOKEN - self.parts).div_ceil(u64::from(rate.per_minute.max(1))),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// N7's arithmetic: in every window, however calls fall and even if time jumps back, no more than
        /// burst + rate × window pass.
        #[test]
        fn never_passes_more_than_the_window_bound(
            per_minute in 1_u32..5_000,
            burst in 1_u32..50,
            steps in prop::collection::vec((0_u64..4_000, any::<bool>()), 1..200),
        ) {
            let rate = Rate { per_minute, burst };
            let mut now = 1_000_000_u64;
            let mut bucket = Bucket::full(rate, Timestamp::from_millis(now));
            let mut passed = Vec::new();
            for (step, back) in steps {
                let asked = if back { now.saturating_sub(step) } else { now += step; now };
                if bucket.take(rate, Timestamp::from_millis(asked)).is_ok() {
                    passed.push(now);
                }
            }
            for (i, from) in passed.iter().enumerate() {
                for (j, to) in passed.iter().enumerate().skip(i) {
                    let allowed = u64::from(burst) * 60_000 + (to - from) * u64::from(per_minute);
                    prop_assert!((j - i + 1) as u64 * 60_000 <= allowed);
                }
            }
        }
    }

    /// The refusal says exactly when a token will be there: one millisecond earlier there is none.
    #[test]
    fn tells_when_to_come_back() {
        let rate = Rate { per_minute: 7, burst: 1 };
        let now = Timestamp::from_secs(1_000);
        let mut bucket = Bucket::full(rate, now);
        assert_eq!(bucket.take(rate, now), Ok(()));
        let wait = bucket.take(rate, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(8_572));
        assert!(bucket.clone().take(rate, now + wait - Duration::from_millis(1)).is_err());
        assert!(bucket.take(rate, now + wait).is_ok());
    }
}
