//! `[[rate_limit]]`: what one client, visitor, room or upstream may be asked for a second.

use std::time::Duration;

use queue_core::limit::{Algorithm, BadQuota, Limit, Quota};

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
        /// Holds over all gateways that share the store together, each leasing its part; only for token_bucket.
        distributed: bool = false,
        /// While the store is away, of a distributed limit: each gateway's equal share, nothing, or no limit.
        fail_mode: RateLimitFailMode = "share",
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

choice! {
    /// What a distributed limit does while the store is away.
    pub enum RateLimitFailMode ("share, closed, open") {
        /// Each gateway goes on with an equal part of the limit.
        Share = "share",
        /// Requests are refused.
        Closed = "closed",
        /// Requests are not limited.
        Open = "open",
    }
}

/// A limit on requests.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Its name in metrics and answers.
    pub name: String,
    /// What is counted together.
    pub scope: RateLimitScope,
    /// How much, how fast, by which algorithm.
    pub rule: Limit,
    /// IPv6 clients are counted by this many leading bits, 1 to 128.
    pub ipv6_prefix: u8,
    /// Clients or visitors remembered at once, at least 1.
    pub max_tracked_keys: u32,
    /// Of a limit over all gateways: what it does while the store is away.
    pub distributed: Option<RateLimitFailMode>,
}

/// The longest that a leaky bucket may keep a request waiting: browsers and balancers give up not long after.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What the logs of one limit may take when every key is busy.
const LARGEST_LOGS: usize = 1 << 30;

impl From<RateLimitAlgorithm> for Algorithm {
    fn from(algorithm: RateLimitAlgorithm) -> Self {
        match algorithm {
            RateLimitAlgorithm::TokenBucket => Self::TokenBucket,
            RateLimitAlgorithm::FixedWindow => Self::FixedWindow,
            RateLimitAlgorithm::SlidingLog => Self::SlidingLog,
            RateLimitAlgorithm::SlidingCounter => Self::SlidingCounter,
            RateLimitAlgorithm::LeakyBucket => Self::LeakyBucket,
        }
    }
}

impl RateLimitSection {
    /// The limit, unless something was told about it.
    pub(super) fn resolve(&self, reader: &mut Reader<'_, '_>) -> Option<RateLimit> {
        for count in [&self.burst, &self.max_tracked_keys] {
            if count.copied() == Some(0) {
                reader.findings.error(&count.spot, "must be at least 1");
            }
        }
        if !self.ipv6_prefix.copied().is_none_or(|bits| (1..=128).contains(&bits)) {
            reader.findings.error(&self.ipv6_prefix.spot, "must be between 1 and 128; 64 is what one subscriber has");
        }
        let rule = self.rule(reader);
        Some(RateLimit {
            name: self.name.get()?.0.clone(),
            scope: self.scope.copied()?,
            rule: rule?,
            ipv6_prefix: self.ipv6_prefix.copied()?,
            max_tracked_keys: self.max_tracked_keys.copied()?,
            distributed: if self.distributed.copied()? { Some(self.fail_mode.copied()?) } else { None },
        })
    }

    fn rule(&self, reader: &mut Reader<'_, '_>) -> Option<Limit> {
        let rate = self.rate_per_second.copied()?;
        // A burst of 0 was told already.
        let burst = self.burst.copied()?.max(1);
        let algorithm = Algorithm::from(self.algorithm.copied()?);
        let quota = match Quota::per_second(rate, burst) {
            Ok(quota) => quota,
            Err(BadQuota::Rate) => {
                let problem = format!("must be above 0 (one a day at least) and at most {}", Quota::LARGEST_RATE);
                reader.findings.error(&self.rate_per_second.spot, problem);
                return None;
            }
            Err(problem @ (BadQuota::Burst | BadQuota::TooLarge)) => {
                reader.findings.error(&self.burst.spot, problem.to_string());
                return None;
            }
        };
        if algorithm == Algorithm::LeakyBucket && quota.window() > LONGEST_WAIT {
            let problem = format!(
                "a leaky bucket keeps requests waiting for up to burst / rate_per_second, and that must be at most \
                 {LONGEST_WAIT:?}"
            );
            reader.findings.error(&self.burst.spot, problem);
        }
        let keys = self.max_tracked_keys.copied().unwrap_or(1) as usize;
        let logs = algorithm.bytes_per_key(&quota).saturating_mul(keys);
        if algorithm == Algorithm::SlidingLog && logs > LARGEST_LOGS {
            let problem = "a sliding log keeps 8 bytes for each request of a burst, and burst × max_tracked_keys of them \
                           would be more than 1 GiB; take sliding_counter, or fewer max_tracked_keys";
            reader.findings.error(&self.burst.spot, problem);
        }
        if algorithm != Algorithm::TokenBucket && self.distributed.copied() == Some(true) {
            reader.findings.error(&self.distributed.spot, "only a token_bucket can be distributed");
        }
        Some(Limit::new(algorithm, quota))
    }
}
