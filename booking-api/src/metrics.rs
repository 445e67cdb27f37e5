//! What the service counts. Prefix `booking_`, base units.

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::store::WriterObserver;

/// Seconds, as everywhere in Usher.
const SECONDS: [f64; 19] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5,
    10.0,
];
/// Commands in a transaction; 256 is a full batch.
const BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// All metrics of one process.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: IntCounterVec,
    pub(crate) request_seconds: HistogramVec,
    pub(crate) holds: IntCounterVec,
    pub(crate) orders_paid: IntCounter,
    pub(crate) tickets: IntCounterVec,
    pub(crate) key_refreshes: IntCounterVec,
    pub(crate) units_sold: IntGauge,
    pub(crate) queue_depth: IntGauge,
    pub(crate) findings: IntGaugeVec,
    batch_size: Histogram,
    batch_seconds: Histogram,
    database_errors: IntCounter,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// A metric that is defined wrongly: our own bug.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let histogram = |name: &str, help: &str| HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let build = IntGaugeVec::new(Opts::new("booking_build_info", "What runs; always 1."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        add(&registry, build)?;
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self {
            requests: add(
                &registry,
                IntCounterVec::new(
                    Opts::new("booking_http_requests_total", "Answered requests."),
                    &["operation", "code"],
                )?,
            )?,
            request_seconds: add(
                &registry,
                HistogramVec::new(
                    histogram("booking_http_request_duration_seconds", "Time from a request's head to its answer."),
                    &["operation"],
                )?,
            )?,
            holds: add(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "booking_holds_total",
                        "Asked holds: made, refused_early (from memory), refused (by the database), failed.",
                    ),
                    &["result"],
                )?,
            )?,
            orders_paid: add(
                &registry,
                IntCounter::new("booking_orders_paid_total", "Answers that said an order is paid, repeated ones too.")?,
            )?,
            tickets: add(
                &registry,
                IntCounterVec::new(
                    Opts::new("booking_ticket_verifications_total", "Checked admission tickets."),
                    &["result"],
                )?,
            )?,
            key_refreshes: add(
                &registry,
                IntCounterVec::new(
                    Opts::new("booking_ticket_key_refreshes_total", "Fetches of the gateway's keys."),
                    &["result"],
                )?,
            )?,
            units_sold: add(&registry, IntGauge::new("booking_units_sold", "Units that are sold now.")?)?,
            queue_depth: add(
                &registry,
                IntGauge::new("booking_writer_queue_depth", "Commands that wait for the writer.")?,
            )?,
            findings: add(
                &registry,
                IntGaugeVec::new(
                    Opts::new("booking_findings", "Violations that the last check of the rows found."),
                    &["invariant"],
                )?,
            )?,
            batch_size: add(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("booking_writer_batch_size", "Commands in one transaction.")
                        .buckets(BATCH.to_vec()),
                )?,
            )?,
            batch_seconds: add(
                &registry,
                Histogram::with_opts(histogram(
                    "booking_writer_batch_duration_seconds",
                    "Time of one transaction, disk sync included.",
                ))?,
            )?,
            database_errors: add(
                &registry,
                IntCounter::new("booking_database_errors_total", "Commands or transactions that the database failed.")?,
            )?,
            registry,
        })
    }

    /// As Prometheus reads them.
    pub(crate) fn text(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl WriterObserver for Metrics {
    fn batch(&self, commands: usize, seconds: f64) {
        self.batch_size.observe(commands as f64);
        self.batch_seconds.observe(seconds);
    }

    fn broken(&self) {
        self.database_errors.inc();
    }
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
