//! What the limits on requests said.

use prometheus::{IntCounter, IntCounterVec, Registry};

use super::{opts, register};

/// `usher_rate_limit_checks_total{limit,result}`.
#[derive(Debug)]
pub struct LimitMetrics {
    limits: Vec<(Box<str>, IntCounter, IntCounter)>,
}

impl LimitMetrics {
    /// Registers the family with a pair of handles for each limit.
    pub fn new<'n>(registry: &Registry, limits: impl Iterator<Item = &'n str>) -> Self {
        let help = "Requests that a limit was asked about.";
        let checks = IntCounterVec::new(opts("usher_rate_limit_checks_total", help), &["limit", "result"]);
        let checks = register(registry, checks);
        let handles = |name: &str| {
            let of = |result| checks.with_label_values(&[name, result]);
            (name.into(), of("allowed"), of("limited"))
        };
        Self { limits: limits.map(handles).collect() }
    }

    /// Counts one request: allowed by all limits, or refused by the one named.
    pub fn count(&self, refused_by: Option<&str>) {
        for (name, allowed, limited) in &self.limits {
            match refused_by {
                None => allowed.inc(),
                Some(refusing) if refusing == &**name => limited.inc(),
                Some(_) => {}
            }
        }
    }
}
