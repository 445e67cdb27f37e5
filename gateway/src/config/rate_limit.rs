//! `[[rate_limit]]`: what one client or visitor may ask for a second.

use super::reader::{Reader, choice, section};
use super::scalar::Name;

section! {
    /// A limit on requests; several apply at once.
    RateLimitSection, "[[rate_limit]]" {
        /// Its name in metrics and answers.
        name: Name,
        /// What is counted together.
        scope: RateLimitScope,
        /// How it is counted.
        algorithm: RateLimitAlgorithm = "token_bucket",
        /// Requests a second, fractions allowed.
        rate_per_second: f64,
        /// Requests at once after a quiet time.
        burst: u32,
        /// IPv6 clients are counted by this many leading bits.
        ipv6_prefix: u8 = 64,
        /// Clients or visitors remembered at once.
        max_tracked_keys: u32 = 100_000,
    }
}

choice! {
    /// What is counted together.
    pub enum RateLimitScope ("client, visitor, room, upstream") {
        /// One client address.
        Client = "client",
        /// One visitor.
        Visitor = "visitor",
        /// One room.
        Room = "room",
        /// One upstream.
        Upstream = "upstream",
    }
}

choice! {
    /// How requests are counted.
    pub enum RateLimitAlgorithm ("token_bucket, fixed_window, sliding_log, sliding_counter, leaky_bucket") {
        /// Tokens come at the rate and are kept up to the burst.
        TokenBucket = "token_bucket",
        /// Counts per window of fixed bounds.
        FixedWindow = "fixed_window",
        /// The instants of the last window.
        SlidingLog = "sliding_log",
        /// Two windows, weighed.
        SlidingCounter = "sliding_counter",
        /// A queue emptied at the rate.
        LeakyBucket = "leaky_bucket",
    }
}

/// A limit on requests.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Its name in metrics and answers.
    pub name: String,
    /// What is counted together.
    pub scope: RateLimitScope,
    /// How it is counted.
    pub algorithm: RateLimitAlgorithm,
    /// Requests a second: above 0, at most [`RateLimit::LARGEST_RATE`].
    pub rate_per_second: f64,
    /// Requests at once after a quiet time, at least 1.
    pub burst: u32,
    /// Leading bits by which IPv6 clients are counted, 1 to 128.
    pub ipv6_prefix: u8,
    /// Clients or visitors remembered at once, at least 1.
    pub max_tracked_keys: u32,
}

impl RateLimit {
    /// The lowest rate: one request a day.
    pub const SMALLEST_RATE: f64 = 1.0 / 86_400.0;
    /// The highest rate: one request a microsecond.
    pub const LARGEST_RATE: f64 = 1_000_000.0;
}

impl RateLimitSection {
    /// The limit, unless something was told about it.
    pub(super) fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<RateLimit> {
        let rates = RateLimit::SMALLEST_RATE..=RateLimit::LARGEST_RATE;
        if !self.rate_per_second.copied().is_none_or(|rate| rates.contains(&rate)) {
            let problem = format!("must be above 0 (one a day at least) and at most {}", RateLimit::LARGEST_RATE);
            reader.findings.error(&self.rate_per_second.spot, problem);
        }
        for count in [&self.burst, &self.max_tracked_keys] {
            if count.copied() == Some(0) {
                reader.findings.error(&count.spot, "must be at least 1");
            }
        }
        if !self.ipv6_prefix.copied().is_none_or(|bits| (1..=128).contains(&bits)) {
            reader.findings.error(&self.ipv6_prefix.spot, "must be between 1 and 128; 64 is what one subscriber has");
        }
        Some(RateLimit {
            name: self.name.get()?.0.clone(),
            scope: self.scope.copied()?,
            algorithm: self.algorithm.copied()?,
            rate_per_second: self.rate_per_second.copied()?,
            burst: self.burst.copied()?,
            ipv6_prefix: self.ipv6_prefix.copied()?,
            max_tracked_keys: self.max_tracked_keys.copied()?,
        })
    }
}
