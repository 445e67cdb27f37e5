//! Limits on requests: five classic algorithms behind one interface, each a pure integer function of (state, `now`, cost).
//!
//! Every limit has a [`Quota`]: a rate and a burst `B`. The algorithms that count in windows take the window
//! `W = B / rate`, so all five let through the same over a long time and differ in what a crowd can get at once. What is
//! stated here is kept as code in [`Algorithm::most_in`] and [`Algorithm::bytes_per_key`], and tested:
//!
//! | algorithm | most in any time `w` | its error | memory of a key |
//! | --- | --- | --- | --- |
//! | [`TokenBucket`] (default) | `B + rate × w` | none: refuses only what breaks this bound | 16 bytes |
//! | [`LeakyBucket`] | `1 + rate × w` leave; up to `B` wait, at most `B / rate` | none; what is waited for is the delay | 16 bytes |
//! | [`FixedWindow`] | `B × (⌈w / W⌉ + 1)`: `2 B` at once at the border of two windows | up to twice the burst | 16 bytes |
//! | [`SlidingLog`] | `B × (⌊w / W⌋ + 1)`: never more than `B` within a `W` | none: it is the definition | 8 bytes a request, up to `8 B` |
//! | [`SlidingCounter`] | `B + rate × w`, so almost `2 B` within a `W` | takes the last window for evenly filled: passes up to `B` more than the log within a `W`, and refuses up to `B` that the log would pass | 16 bytes |
//!
//! A clock that steps back gains nothing: an instant before the last request that passed counts as that request's.
//! Remainders are kept, never rounded away. [`Limit`] is one of the five, chosen at run time.
//!
//! A limit that holds over several gateways is a token bucket in the store, of which they lease parts: [`lease`].

mod algorithm;
mod fixed_window;
mod leaky_bucket;
pub mod lease;
mod quota;
mod sliding_counter;
mod sliding_log;
mod token_bucket;

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::time::Duration;

pub use self::algorithm::{Algorithm, Limit, State};
pub use self::fixed_window::{FixedWindow, WindowCount};
pub use self::leaky_bucket::{LeakyBucket, Level};
pub use self::quota::{BadQuota, Quota};
pub use self::sliding_counter::{SlidingCounter, TwoWindows};
pub use self::sliding_log::{Log, SlidingLog};
pub use self::token_bucket::{Fill, TokenBucket};
use crate::Timestamp;

/// A request may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// After this long: zero but for the leaky bucket, whose requests leave one by one.
    pub delay: Duration,
}

/// A request may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not before this has passed, and then if nobody else came first. One microsecond earlier it would be refused.
    #[error("not before {0:?} from now")]
    NotUntil(Duration),
    /// Never: it costs more than the whole burst.
    #[error("it costs more than the whole burst")]
    Never,
}

/// One algorithm with its quota. The state of a key is kept by whoever asks.
pub trait Rule {
    /// What is remembered of one key.
    type State: Clone + Debug;

    /// The state of a key that nobody used yet, or not for long.
    fn idle(&self) -> Self::State;

    /// Whether a request of this cost would pass at `now`; changes nothing, so that several limits can be asked before any
    /// is charged.
    ///
    /// # Errors
    /// [`Refusal`], with the time to come back.
    fn ask(&self, state: &Self::State, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal>;

    /// Charges a request that passed [`ask`](Self::ask) with the same state, time and cost.
    fn charge(&self, state: &mut Self::State, now: Timestamp, cost: NonZeroU32);

    /// How much cost would pass at once at `now`.
    fn remaining(&self, state: &Self::State, now: Timestamp) -> u32;

    /// From when on the state is as good as [`idle`](Self::idle) and may be forgotten.
    fn rests_from(&self, state: &Self::State) -> Timestamp;

    /// Asks, and charges what passes.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is charged then.
    fn decide(&self, state: &mut Self::State, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        let pass = self.ask(state, now, cost)?;
        self.charge(state, now, cost);
        Ok(pass)
    }
}

#[cfg(test)]
mod tests;
