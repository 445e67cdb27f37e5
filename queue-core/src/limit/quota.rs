//! How much, how fast: the numbers every algorithm works from.

use std::time::Duration;

use crate::Timestamp;

/// A rate and a burst in whole numbers: `tokens` come back every `period_us` microseconds, and `burst` are there at once.
///
/// One token is `period_us` parts, so that the rate gives exactly `tokens` parts a microsecond and no remainder is lost or
/// minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u64,
    period_us: u64,
    burst: u32,
}

/// A quota that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuota {
    /// The rate is no number, or out of range.
    #[error("the rate must be at least one a day and at most {} per second", Quota::LARGEST_RATE)]
    Rate,
    /// Nothing would ever pass.
    #[error("the burst must be at least 1")]
    Burst,
    /// The parts of a whole burst do not fit the numbers of every store.
    #[error("the burst is too large for the rate: at so slow a rate it would not come back in any lifetime")]
    TooLarge,
}

impl Quota {
    /// The lowest rate per second: one a day.
    pub const SMALLEST_RATE: f64 = 1.0 / 86_400.0;
    /// The highest rate per second: one a microsecond.
    pub const LARGEST_RATE: f64 = 1_000_000.0;

    /// The largest capacity in parts: Lua counts in doubles, exact up to here.
    const LARGEST_CAPACITY: u64 = 1 << 53;

    /// `tokens` every `period`, whole microseconds, and `burst` at once.
    ///
    /// # Errors
    /// [`BadQuota`].
    pub fn new(tokens: u32, period: Duration, burst: u32) -> Result<Self, BadQuota> {
        let period_us = u64::try_from(period.as_micros()).map_err(|_| BadQuota::Rate)?;
        Self::of_parts(u64::from(tokens), period_us, burst)
    }

    /// From a rate per second as people write it. It is kept to the thousandth, rounded down; below one per second to the
    /// microsecond of its period, rounded up: never more than was asked for.
    ///
    /// # Errors
    /// [`BadQuota`].
    pub fn per_second(rate: f64, burst: u32) -> Result<Self, BadQuota> {
        /// Below the noise of the division, far above that of the format.
        const NOISE: f64 = 1e-6;
        if !(Self::SMALLEST_RATE..=Self::LARGEST_RATE).contains(&rate) {
            return Err(BadQuota::Rate);
        }
        // Both casts are of positive numbers below 2^53, and so exact.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        if rate >= 1.0 {
            Self::of_parts((rate * 1_000.0 + NOISE).floor() as u64, 1_000_000_000, burst)
        } else {
            Self::of_parts(1, (1_000_000.0 / rate - NOISE).ceil() as u64, burst)
        }
    }

    fn of_parts(tokens: u64, period_us: u64, burst: u32) -> Result<Self, BadQuota> {
        if burst == 0 {
            return Err(BadQuota::Burst);
        }
        if tokens == 0 || period_us == 0 || tokens > period_us {
            return Err(BadQuota::Rate);
        }
        let common = greatest_common_divisor(tokens, period_us);
        let quota = Self { tokens: tokens / common, period_us: period_us / common, burst };
        match u64::from(burst).checked_mul(quota.period_us) {
            Some(capacity) if capacity <= Self::LARGEST_CAPACITY => Ok(quota),
            _ => Err(BadQuota::TooLarge),
        }
    }

    /// What passes at once after a quiet time.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Tokens that come back in a [`period_us`](Self::period_us).
    pub const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Microseconds in which [`tokens`](Self::tokens) come back; also the parts of one token.
    pub const fn period_us(&self) -> u64 {
        self.period_us
    }

    /// The parts of a whole burst.
    pub const fn capacity(&self) -> u64 {
        self.burst as u64 * self.period_us
    }

    /// The window of the algorithms that count in windows: the time in which the rate gives one burst, rounded up to the
    /// microsecond.
    pub const fn window(&self) -> Duration {
        Duration::from_micros(self.window_us())
    }

    pub(super) const fn window_us(&self) -> u64 {
        self.capacity().div_ceil(self.tokens)
    }

    /// Parts that come back between two instants; zero when the second is earlier.
    pub(crate) const fn parts_between(&self, from: Timestamp, to: Timestamp) -> u64 {
        to.as_micros().saturating_sub(from.as_micros()).saturating_mul(self.tokens)
    }

    /// Microseconds in which these parts come back, rounded up.
    pub(crate) const fn micros_for(&self, parts: u64) -> u64 {
        parts.div_ceil(self.tokens)
    }

    /// Whole tokens that the rate gives in a span, rounded down.
    pub(super) fn tokens_in(&self, span_us: u64) -> u64 {
        let tokens = u128::from(span_us) * u128::from(self.tokens) / u128::from(self.period_us);
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// One of `parts` equal parts of it; `None` where that is less than one token at once.
    pub(super) fn share(&self, parts: u32) -> Option<Self> {
        let period_us = self.period_us.checked_mul(u64::from(parts))?;
        Self::of_parts(self.tokens, period_us, self.burst.checked_div(parts)?).ok()
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rate is never rounded up, and those people write are kept exactly.
    #[test]
    fn rates_are_kept_exactly() {
        for (rate, tokens, period_us) in [
            (20.0, 1, 50_000),
            (2.5, 1, 400_000),
            (0.1, 1, 10_000_000),
            (1.0 / 3.0, 1, 3_000_000),
            (1.0, 1, 1_000_000),
            (1e6, 1, 1),
            (Quota::SMALLEST_RATE, 1, 86_400_000_000),
            (33.333_333, 33_333, 1_000_000_000),
        ] {
            let quota = Quota::per_second(rate, 10).unwrap();
            assert_eq!((quota.tokens, quota.period_us), (tokens, period_us), "{rate}");
        }
    }

    /// A limit that lets nothing or everything through is a mistake, and said so.
    #[test]
    fn senseless_quotas_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-12, 1e10] {
            assert_eq!(Quota::per_second(rate, 1), Err(BadQuota::Rate), "{rate}");
        }
        assert_eq!(Quota::per_second(1.0, 0), Err(BadQuota::Burst));
        assert_eq!(Quota::per_second(Quota::SMALLEST_RATE, u32::MAX), Err(BadQuota::TooLarge));
        assert!(Quota::per_second(1.0, u32::MAX).is_ok());
    }
}
