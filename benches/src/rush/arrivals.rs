//! When a crowd arrives: steep at the opening, then a long tail.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The share that stands ready at the opening.
const EAGER_SHARE: f64 = 0.7;
/// The eager arrive with a mean of this part of the whole span.
const EAGER_MEAN: f64 = 0.1;
/// The rest come later and later, with a mean of this part.
const TAIL_MEAN: f64 = 0.5;

/// The arrival times of `visitors` within `span`, in order: two exponential waves, cut at the end of the span.
pub fn arrivals(seed: u64, visitors: u32, span: Duration) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut times: Vec<Duration> = (0..visitors)
        .map(|_| {
            let mean = if rng.random_bool(EAGER_SHARE) { EAGER_MEAN } else { TAIL_MEAN };
            // What would fall beyond the end is drawn again by its remainder, which keeps the tail's shape.
            let within = (-mean * (1.0 - rng.random::<f64>()).ln()) % 1.0;
            span.mul_f64(within)
        })
        .collect();
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed replays the same crowd, nobody comes outside the span, and most come early.
    #[test]
    fn is_seeded_bounded_and_steep() {
        let span = Duration::from_secs(20);
        let times = arrivals(7, 5_000, span);
        assert_eq!(times, arrivals(7, 5_000, span));
        assert_ne!(times, arrivals(8, 5_000, span));
        assert!(times.iter().all(|at| *at <= span));
        let early = times.iter().filter(|at| **at < span / 10).count();
        assert!((1_800..3_200).contains(&early), "{early}");
        assert!(times.iter().any(|at| *at > span * 3 / 4));
    }
}
