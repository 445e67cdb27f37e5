//! Seeded chance, and the variables that choose the seeds.

use std::ops::Range;
use std::time::Duration;

/// How many seeds are run instead of the default number, or which: `5000`, or `1200..1800`.
pub(crate) const SWEEP: &str = "USHER_SWEEP";

/// The one seed to run, as a failure printed it.
pub(crate) const SEED: &str = "USHER_SEED";

/// The seeds to run: one to replay, or `default` many, or those asked for.
pub(crate) fn seeds(default: u64) -> Range<u64> {
    let whole = |name: &str, text: &str| -> u64 {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, or two with `..` between, not {text:?}"))
    };
    if let Ok(seed) = std::env::var(SEED) {
        let seed = whole(SEED, &seed);
        return seed..seed + 1;
    }
    let Ok(sweep) = std::env::var(SWEEP) else { return 0..default };
    match sweep.split_once("..") {
        Some((from, to)) => whole(SWEEP, from)..whole(SWEEP, to),
        None => 0..whole(SWEEP, &sweep),
    }
}

/// Chance that repeats: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xa076_1d64_78bd_642f) ^ 0xe703_7ed1_a0b4_28db)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; the bias of the remainder is below 2^-40 for all bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number in the range.
    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// True `parts` times in `whole`.
    pub(crate) fn chance(&mut self, parts: u64, whole: u64) -> bool {
        self.below(whole) < parts
    }

    /// A span of milliseconds in the range.
    pub(crate) fn span_ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// One of these, if there is any.
    pub(crate) fn one_of<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(usize::try_from(self.below(items.len() as u64)).ok()?).copied()
    }
}
