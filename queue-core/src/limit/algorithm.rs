//! One of the five algorithms, chosen at run time.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{
    Fill, FixedWindow, LeakyBucket, Level, Log, Pass, Quota, Refusal, Rule, SlidingCounter, SlidingLog, TokenBucket,
    TwoWindows, WindowCount,
};
use crate::Timestamp;

/// How requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// [`TokenBucket`].
    #[default]
    TokenBucket,
    /// [`FixedWindow`].
    FixedWindow,
    /// [`SlidingLog`].
    SlidingLog,
    /// [`SlidingCounter`].
    SlidingCounter,
    /// [`LeakyBucket`].
    LeakyBucket,
}

impl Algorithm {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::TokenBucket, Self::FixedWindow, Self::SlidingLog, Self::SlidingCounter, Self::LeakyBucket];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenBucket => "token_bucket",
            Self::FixedWindow => "fixed_window",
            Self::SlidingLog => "sliding_log",
            Self::SlidingCounter => "sliding_counter",
            Self::LeakyBucket => "leaky_bucket",
        }
    }

    /// The most that passes (leaves, of a leaky bucket) from any instant up to and including the one `span` later, when each
    /// request costs 1: the stated bound, reached or almost reached by the worst crowd.
    pub fn most_in(self, quota: &Quota, span: Duration) -> u64 {
        let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let burst = u64::from(quota.burst());
        match self {
            Self::TokenBucket | Self::SlidingCounter => burst.saturating_add(quota.tokens_in(span_us)),
            Self::LeakyBucket => quota.tokens_in(span_us.saturating_add(1)).saturating_add(1),
            Self::FixedWindow => burst.saturating_mul(span_us.div_ceil(quota.window_us()) + 1),
            Self::SlidingLog => burst.saturating_mul(span_us / quota.window_us() + 1),
        }
    }

    /// The bytes that one busy key costs at most, without the table it stands in.
    pub fn bytes_per_key(self, quota: &Quota) -> usize {
        match self {
            Self::TokenBucket => size_of::<Fill>(),
            Self::LeakyBucket => size_of::<Level>(),
            Self::FixedWindow => size_of::<WindowCount>(),
            Self::SlidingCounter => size_of::<TwoWindows>(),
            // A ring grows by doubling.
            Self::SlidingLog => size_of::<Log>() + (quota.burst() as usize).next_power_of_two() * size_of::<u64>(),
        }
    }
}

/// One limit: an algorithm with its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    algorithm: Algorithm,
    quota: Quota,
}

/// What a [`Limit`] remembers of a key. Made by the limit that reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the state of the algorithm of that name")]
pub enum State {
    TokenBucket(Fill),
    FixedWindow(WindowCount),
    SlidingLog(Box<Log>),
    SlidingCounter(TwoWindows),
    LeakyBucket(Level),
}

impl Limit {
    /// This algorithm with this quota.
    pub const fn new(algorithm: Algorithm, quota: Quota) -> Self {
        Self { algorithm, quota }
    }

    /// How it counts.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How much, how fast.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }
}

/// Calls the rule that the state belongs to.
macro_rules! with_rule {
    ($limit:expr, $state:expr, |$rule:ident, $inner:ident| $call:expr) => {
        match $state {
            State::TokenBucket($inner) => {
                let $rule = TokenBucket($limit.quota);
                $call
            }
            State::FixedWindow($inner) => {
                let $rule = FixedWindow($limit.quota);
                $call
            }
            State::SlidingLog($inner) => {
                let $rule = SlidingLog($limit.quota);
                $call
            }
            State::SlidingCounter($inner) => {
                let $rule = SlidingCounter($limit.quota);
                $call
            }
            State::LeakyBucket($inner) => {
                let $rule = LeakyBucket($limit.quota);
                $call
            }
        }
    };
}

impl Rule for Limit {
    type State = State;

    fn idle(&self) -> State {
        match self.algorithm {
            Algorithm::TokenBucket => State::TokenBucket(TokenBucket(self.quota).idle()),
            Algorithm::FixedWindow => State::FixedWindow(FixedWindow(self.quota).idle()),
            Algorithm::SlidingLog => State::SlidingLog(Box::new(SlidingLog(self.quota).idle())),
            Algorithm::SlidingCounter => State::SlidingCounter(SlidingCounter(self.quota).idle()),
            Algorithm::LeakyBucket => State::LeakyBucket(LeakyBucket(self.quota).idle()),
        }
    }

    fn ask(&self, state: &State, now: Timestamp, cost: NonZeroU32) -> Result<Pass, Refusal> {
        with_rule!(self, state, |rule, inner| rule.ask(inner, now, cost))
    }

    fn charge(&self, state: &mut State, now: Timestamp, cost: NonZeroU32) {
        with_rule!(self, state, |rule, inner| rule.charge(inner, now, cost));
    }

    fn remaining(&self, state: &State, now: Timestamp) -> u32 {
        with_rule!(self, state, |rule, inner| rule.remaining(inner, now))
    }

    fn rests_from(&self, state: &State) -> Timestamp {
        with_rule!(self, state, |rule, inner| rule.rests_from(inner))
    }
}
