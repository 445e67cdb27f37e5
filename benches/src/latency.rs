//! How long things took: HDR histograms, microseconds, from the intended moment.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time told apart; longer ones count as this.
const HIGHEST: Duration = Duration::from_secs(3_600);
/// Three digits: a p99 of 12.3 ms is not 12.4 ms.
const DIGITS: u8 = 3;

/// Times of one kind.
#[derive(Clone, Debug)]
pub struct Spread(Histogram<u64>);

impl Default for Spread {
    fn default() -> Self {
        let micros = u64::try_from(HIGHEST.as_micros()).unwrap_or(u64::MAX);
        Self(Histogram::new_with_max(micros, DIGITS).expect("bounds are constants within what the histogram takes"))
    }
}

impl Spread {
    /// Counts one time.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so nothing can fall outside.
        let _same_bounds = self.0.add(&other.0);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that `quantile` (0 to 1) of all stay within; zero when nothing was counted.
    pub fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    /// The figures a report shows.
    pub fn percentiles(&self) -> Percentiles {
        let ms = |quantile| self.at(quantile).as_secs_f64() * 1_000.0;
        Percentiles {
            count: self.count(),
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: self.0.max() as f64 / 1_000.0,
        }
    }
}

/// What a report says of a spread; milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// How many were counted.
    pub count: u64,
    /// Half stay within.
    pub p50_ms: f64,
    /// Nine in ten.
    pub p90_ms: f64,
    /// 99 in 100.
    pub p99_ms: f64,
    /// 999 in 1,000.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}
