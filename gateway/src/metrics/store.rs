//! What the store costs and how it fares.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};
use queue_core::store::StoreError;

use super::{DURATION_BUCKETS, opts, register};

/// The store's operations, as the label `operation` names them.
const OPERATIONS: [&str; 13] =
    ["open", "merge", "join", "claim", "renew", "end", "depart", "call", "hear", "collect", "sweep", "follow", "lease"];

/// `usher_store_*`.
#[derive(Debug)]
pub struct StoreMetrics {
    by_operation: HashMap<&'static str, (IntCounter, Histogram)>,
    errors: IntCounterVec,
    up: IntGauge,
}

impl StoreMetrics {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        let count = |name, help, labels: &[&str]| register(registry, IntCounterVec::new(opts(name, help), labels));
        let operations = count("usher_store_operations_total", "Calls to the store, a script each.", &["operation"]);
        let seconds = HistogramOpts::new(
            "usher_store_operation_duration_seconds",
            "Time from a call to the store to its answer.",
        );
        let seconds = seconds.buckets(DURATION_BUCKETS.to_vec());
        let seconds = register(registry, HistogramVec::new(seconds, &["operation"]));
        let errors = count(
            "usher_store_errors_total",
            "Calls to the store that were not answered, or refused.",
            &["operation", "reason"],
        );
        let up = opts("usher_store_up", "Whether the last look at the store succeeded (1) or not (0).");
        let up = register(registry, IntGauge::with_opts(up));
        let handles = |name| (operations.with_label_values(&[name]), seconds.with_label_values(&[name]));
        Self { by_operation: OPERATIONS.map(|name| (name, handles(name))).into(), errors, up }
    }

    /// Counts one call.
    pub fn observe(&self, operation: &'static str, took: Duration, error: Option<&StoreError>) {
        if let Some((count, seconds)) = self.by_operation.get(operation) {
            count.inc();
            seconds.observe(took.as_secs_f64());
        }
        if let Some(error) = error {
            self.errors.with_label_values(&[operation, error.label()]).inc();
        }
    }

    /// Tells whether the store can be reached.
    pub fn set_up(&self, up: bool) {
        self.up.set(i64::from(up));
    }
}
