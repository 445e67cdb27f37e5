//! What the limits on requests said.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Registry};

use super::{opts, register};

/// `usher_rate_limit_checks_total{limit,result}`.
#[derive(Debug)]
pub struct LimitMetrics {
    limits: Vec<(Box<str>, IntCounter, IntCounter)>,
}

impl LimitMetrics {
    /// Registers the family with a pair of handles for each limit.
    pub fn new<'n>(registry: &Registry, limits: impl Iterator<Item = &'n str>) -> Self {
        let help = "Requests that a limit let through with all others that applied, or refused.";
        let checks = IntCounterVec::new(opts("usher_rate_limit_checks_total", help), &["limit", "result"]);
        let checks = register(registry, checks);
        let handles = |name: &str| {
            let of = |result| checks.with_label_values(&[name, result]);
            (name.into(), of("allowed"), of("limited"))
        };
        Self { limits: limits.map(handles).collect() }
    }

    /// A limit's number, and its handles for what it allowed and what it refused.
    ///
    /// # Panics
    /// For a limit that was not named at the start: a bug that the first start shows.
    pub fn of(&self, name: &str) -> (usize, IntCounter, IntCounter) {
        let index =
            self.limits.iter().position(|(known, ..)| &**known == name).expect("every limit is named at the start");
        let (_, allowed, limited) = &self.limits[index];
        (index, allowed.clone(), limited.clone())
    }
}

/// Registers `usher_rate_limit_tracked_keys{limit}`, counted when it is asked for.
pub fn register_tracked_keys(registry: &Registry, count: impl Fn(&mut dyn FnMut(&str, usize)) + Send + Sync + 'static) {
    let help = "Clients, visitors, rooms or upstreams that a limit remembers.";
    let keys = IntGaugeVec::new(opts("usher_rate_limit_tracked_keys", help), &["limit"]);
    let keys = keys.map(|keys| TrackedKeys { keys, count: Arc::new(count) });
    register(registry, keys);
}

type Count = dyn Fn(&mut dyn FnMut(&str, usize)) + Send + Sync;

#[derive(Clone)]
struct TrackedKeys {
    keys: IntGaugeVec,
    count: Arc<Count>,
}

impl Collector for TrackedKeys {
    fn desc(&self) -> Vec<&Desc> {
        self.keys.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.count)(&mut |limit, keys| {
            self.keys.with_label_values(&[limit]).set(i64::try_from(keys).unwrap_or(i64::MAX));
        });
        self.keys.collect()
    }
}
