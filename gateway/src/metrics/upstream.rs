//! The side of the services behind, in numbers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{DURATION_BUCKETS, opts, register};
use crate::upstream::{ErrorReason, Rank};

/// The families of the upstream side.
#[derive(Debug)]
pub struct UpstreamMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    connections: IntGaugeVec,
    errors: IntCounterVec,
    retries: IntCounterVec,
    abandoned: IntCounterVec,
    pool_wait: HistogramVec,
    waits: IntCounterVec,
    up: IntGaugeVec,
    endpoint_up: IntGaugeVec,
    ejections: IntCounterVec,
    checks: IntCounterVec,
}

impl UpstreamMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name, help, labels: &[&str]| register(registry, IntCounterVec::new(opts(name, help), labels));
        let gauge = |name, help, labels: &[&str]| register(registry, IntGaugeVec::new(opts(name, help), labels));
        let histogram = |name, help| {
            let opts = HistogramOpts::new(name, help).buckets(DURATION_BUCKETS.to_vec());
            register(registry, HistogramVec::new(opts, &["upstream"]))
        };
        Self {
            requests: counter("usher_upstream_requests_total", "Answers of an upstream.", &["upstream", "code"]),
            durations: histogram(
                "usher_upstream_request_duration_seconds",
                "From asking for a connection to the head of the answer.",
            ),
            connections: gauge("usher_upstream_connections", "Connections to an upstream.", &["upstream", "state"]),
            errors: counter("usher_upstream_errors_total", "Exchanges that failed.", &["upstream", "reason"]),
            retries: counter("usher_upstream_retries_total", "Requests sent a second time.", &["upstream"]),
            abandoned: counter(
                "usher_upstream_abandoned_total",
                "Connections closed because the client left in mid-exchange.",
                &["upstream"],
            ),
            pool_wait: histogram(
                "usher_upstream_pool_wait_seconds",
                "Waiting for a connection, where one had to wait.",
            ),
            waits: counter(
                "usher_upstream_waits_total",
                "Requests that found max_connections in use: served after a wait, late (pool_wait) or refused (max_pending).",
                &["upstream", "rank", "result"],
            ),
            up: gauge("usher_upstream_up", "1 while any endpoint may be used.", &["upstream"]),
            endpoint_up: gauge(
                "usher_upstream_endpoint_up",
                "1 while the endpoint is used as usual, 0 while it is ejected or on trial.",
                &["upstream", "endpoint"],
            ),
            checks: counter(
                "usher_upstream_health_checks_total",
                "Active health checks of an endpoint.",
                &["upstream", "endpoint", "result"],
            ),
            ejections: counter(
                "usher_upstream_ejections_total",
                "Times that an endpoint failed so often that it was asked no more for a while.",
                &["upstream", "endpoint"],
            ),
        }
    }

    /// The handles of one upstream.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamHandles> {
        let up = self.up.with_label_values(&[name]);
        up.set(1);
        Arc::new(UpstreamHandles {
            family: self.requests.clone(),
            name: name.to_owned(),
            codes: (0..CODES).map(|_| OnceLock::new()).collect(),
            durations: self.durations.with_label_values(&[name]),
            idle: self.connections.with_label_values(&[name, "idle"]),
            active: self.connections.with_label_values(&[name, "active"]),
            waiting: self.connections.with_label_values(&[name, "waiting"]),
            errors: ErrorReason::ALL.map(|reason| self.errors.with_label_values(&[name, reason.label()])),
            retries: self.retries.with_label_values(&[name]),
            abandoned: self.abandoned.with_label_values(&[name]),
            pool_wait: self.pool_wait.with_label_values(&[name]),
            waits: Rank::ALL.map(|rank| {
                WaitResult::ALL.map(|result| self.waits.with_label_values(&[name, rank.label(), result.label()]))
            }),
            up,
            endpoint_up: self.endpoint_up.clone(),
            ejections: self.ejections.clone(),
            checks: self.checks.clone(),
        })
    }
}

/// What became of a request that found all connections in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum WaitResult {
    /// One became free in time.
    Served,
    /// None became free within `pool_wait`.
    Late,
    /// As many as may waited already.
    Refused,
}

impl WaitResult {
    const ALL: [Self; 3] = [Self::Served, Self::Late, Self::Refused];

    const fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Late => "late",
            Self::Refused => "refused",
        }
    }
}

/// Codes 100 to 599 have a counter of their own; the slot after them is `other`.
const CODES: usize = 501;

/// One upstream's handles.
#[derive(Debug)]
pub struct UpstreamHandles {
    family: IntCounterVec,
    name: String,
    codes: Box<[OnceLock<IntCounter>]>,
    durations: Histogram,
    /// Connections that wait for work.
    pub idle: IntGauge,
    /// Connections at work.
    pub active: IntGauge,
    /// Requests that wait for a connection.
    pub waiting: IntGauge,
    errors: [IntCounter; ErrorReason::ALL.len()],
    /// Requests sent a second time.
    pub retries: IntCounter,
    /// Connections closed because the client left in mid-exchange.
    pub abandoned: IntCounter,
    /// Seconds spent waiting for a connection, where one had to wait.
    pub pool_wait: Histogram,
    waits: [[IntCounter; WaitResult::ALL.len()]; Rank::ALL.len()],
    /// 1 while any endpoint may be used.
    pub up: IntGauge,
    endpoint_up: IntGaugeVec,
    ejections: IntCounterVec,
    checks: IntCounterVec,
}

/// One endpoint's handles. The configuration bounds how many there are.
#[derive(Clone, Debug)]
pub struct EndpointHandles {
    /// 1 while it is used as usual.
    pub up: IntGauge,
    /// Times it was ejected.
    pub ejections: IntCounter,
    good_checks: IntCounter,
    bad_checks: IntCounter,
}

impl EndpointHandles {
    /// Counts a health check.
    pub fn checked(&self, good: bool) {
        if good { &self.good_checks } else { &self.bad_checks }.inc();
    }
}

impl UpstreamHandles {
    /// The upstream's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The handles of one endpoint by its place in the list, from 0: addresses are no labels.
    pub fn endpoint(&self, endpoint: usize) -> EndpointHandles {
        let endpoint = endpoint.to_string();
        let labels = [&*self.name, &*endpoint];
        let up = self.endpoint_up.with_label_values(&labels);
        up.set(1);
        let checks = |result| self.checks.with_label_values(&[&*self.name, &*endpoint, result]);
        EndpointHandles {
            up,
            ejections: self.ejections.with_label_values(&labels),
            good_checks: checks("good"),
            bad_checks: checks("bad"),
        }
    }

    /// Counts the head of an answer.
    pub fn answered(&self, code: StatusCode, took: Duration) {
        let slot = usize::from(code.as_u16()).saturating_sub(100).min(CODES - 1);
        let counter = self.codes[slot].get_or_init(|| {
            let code = if slot == CODES - 1 { "other" } else { code.as_str() };
            self.family.with_label_values(&[&self.name, code])
        });
        counter.inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Counts a request that found all connections in use.
    pub fn waited(&self, rank: Rank, result: WaitResult) {
        self.waits[rank as usize][result as usize].inc();
    }

    /// Counts a failed exchange.
    pub fn failed(&self, reason: ErrorReason) {
        self.errors[reason as usize].inc();
    }
}
