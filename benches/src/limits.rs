//! One crowd, five algorithms: what each lets through, and when. Virtual time, so every run is the same.

pub mod plot;
pub mod table;

use std::num::NonZeroU32;
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::limit::{Algorithm, BadQuota, Limit, Quota, Rule as _};

/// The limit: a burst of 40 and a window of two seconds.
const RATE: f64 = 20.0;
const BURST: u32 = 40;

/// How long the crowd is watched.
pub const SPAN: Duration = Duration::from_secs(12);

/// The crowd: from when on, in milliseconds, how many a second come. Half of the rate, a rush across the border of two fixed
/// windows (at 4 s), twice the rate, and half of it again.
pub const CROWD: [(u64, u64); 4] = [(0, 10), (3_800, 400), (4_600, 40), (9_000, 10)];

/// What one algorithm did.
pub struct Run {
    /// The limit.
    pub limit: Limit,
    /// When requests went on, in microseconds from the start, ascending.
    pub left_us: Vec<u64>,
    /// How many were refused.
    pub refused: usize,
    /// The longest that one had to wait.
    pub longest_wait: Duration,
}

impl Run {
    /// The most that went on within any `span`, both ends counted.
    pub fn most_in(&self, span: Duration) -> usize {
        let span_us = span.as_micros() as u64;
        let from = |(at, first): (usize, &u64)| self.left_us.partition_point(|left| *left <= first + span_us) - at;
        self.left_us.iter().enumerate().map(from).max().unwrap_or(0)
    }

    /// How many had gone on by then.
    pub fn by(&self, at_us: u64) -> usize {
        self.left_us.partition_point(|left| *left <= at_us)
    }
}

/// When the crowd's requests come, in microseconds.
pub fn crowd() -> impl Iterator<Item = u64> {
    let ends = CROWD.iter().skip(1).map(|(from, _)| *from).chain([SPAN.as_millis() as u64]);
    CROWD
        .iter()
        .zip(ends)
        .flat_map(|((from, per_second), to)| (from * 1_000..to * 1_000).step_by((1_000_000 / per_second) as usize))
}

/// All five under the crowd.
///
/// # Errors
/// Never, while the limit above makes sense.
pub fn runs() -> Result<Vec<Run>, BadQuota> {
    let quota = Quota::per_second(RATE, BURST)?;
    Ok(Algorithm::ALL.map(|algorithm| run(Limit::new(algorithm, quota))).into())
}

fn run(limit: Limit) -> Run {
    /// Windows begin at whole multiples of their length.
    const START: Timestamp = Timestamp::from_secs(1_800_000_000);
    let mut run = Run { limit, left_us: Vec::new(), refused: 0, longest_wait: Duration::ZERO };
    let mut state = limit.idle();
    for at in crowd() {
        match limit.decide(&mut state, START + Duration::from_micros(at), NonZeroU32::MIN) {
            Ok(pass) => {
                run.left_us.push(at + pass.delay.as_micros() as u64);
                run.longest_wait = run.longest_wait.max(pass.delay);
            }
            Err(_) => run.refused += 1,
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The comparison shows what it is for: twice the burst at the border, almost twice in the counter's window, never more
    /// in the log's, one by one out of the leaky bucket, and all within what is stated.
    #[test]
    fn the_crowd_tells_the_algorithms_apart() {
        let runs = runs().unwrap();
        let window = runs[0].limit.quota().window();
        let most = |algorithm| {
            let of = runs.iter().find(|run| run.limit.algorithm() == algorithm).unwrap();
            (of.most_in(Duration::from_secs(1)), of.most_in(window - Duration::from_micros(1)))
        };
        assert!(most(Algorithm::FixedWindow).0 >= 2 * BURST as usize - 20);
        assert_eq!(most(Algorithm::SlidingLog).1, BURST as usize);
        assert!(most(Algorithm::LeakyBucket).0 <= RATE as usize + 1);
        for run in &runs {
            for span in [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(1), window, SPAN] {
                let stated = run.limit.algorithm().most_in(run.limit.quota(), span);
                assert!(run.most_in(span) as u64 <= stated, "{:?} in {span:?}", run.limit.algorithm());
            }
        }
    }
}
