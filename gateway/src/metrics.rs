//! What the gateway counts. Handles are resolved once per listener, upstream or limit, never per request.

pub mod http;
mod limit;
mod room;
mod store;
pub mod upstream;

use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Encoder as _, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

pub use self::http::{AbortPhase, HandshakeFailure, HttpMetrics, ListenerMetrics, Protocol, Rejection, RequestKind};
pub use self::limit::{LimitMetrics, register_tracked_keys};
pub use self::room::{Departure, Outcome, PollResult, RoomMetricFamilies, RoomMetrics};
pub use self::store::StoreMetrics;
pub use self::upstream::{EndpointHandles, UpstreamHandles, UpstreamMetrics, WaitResult};

/// Bounds of every duration histogram, in seconds: dense around a gateway's own milliseconds, up to the time limits.
pub const DURATION_BUCKETS: [f64; 19] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.010, 0.025, 0.050, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
];

/// `Content-Type` of [`Metrics::render`]; Prometheus 3 refuses an unknown one.
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// All metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The public side.
    pub http: HttpMetrics,
    /// The side of the services behind.
    pub upstream: UpstreamMetrics,
    log_lines_dropped: IntCounter,
    reloads: [IntCounter; 2],
}

impl Metrics {
    /// A fresh registry with the edge's metrics in it.
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let http = HttpMetrics::new(&registry);
        let upstream = UpstreamMetrics::new(&registry);
        let dropped = opts("usher_log_lines_dropped_total", "Access lines lost because stderr was too slow.");
        let log_lines_dropped = register(&registry, IntCounter::with_opts(dropped));
        let info = opts("usher_build_info", "Always 1; the labels say what runs.");
        let info = register(&registry, IntGaugeVec::new(info, &["version"]));
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let reloads = opts("usher_config_reloads_total", "Times that files were read anew.");
        let reloads = register(&registry, IntCounterVec::new(reloads, &["result"]));
        let reloads = ["ok", "failed"].map(|result| reloads.with_label_values(&[result]));
        #[cfg(target_os = "linux")]
        // Fails only when something else registered the process's figures: then they are there.
        let _ = registry.register(Box::new(ProcessCollector::for_self()));
        Arc::new(Self { registry, http, upstream, log_lines_dropped, reloads })
    }

    /// Access lines that a slow stderr lost.
    pub fn log_lines_dropped(&self) -> IntCounter {
        self.log_lines_dropped.clone()
    }

    /// Counts a reload; one that is not good left something old in force.
    pub fn reloaded(&self, good: bool) {
        let [ok, failed] = &self.reloads;
        if good { ok } else { failed }.inc();
    }

    /// Where further groups register.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The text exposition of everything registered.
    ///
    /// # Errors
    /// When a collector yields an inconsistent family, which is a bug of the collector.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Registers a metric whose name and labels are literals of this program.
///
/// # Panics
/// When the metric is malformed or its name is taken: a bug that the first start shows.
pub fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: Result<M, prometheus::Error>) -> M {
    let metric = metric.expect("a metric's name and labels are literals");
    registry.register(Box::new(metric.clone())).expect("every metric is registered once");
    metric
}

pub(crate) fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dashboards and alerts name these families: a renamed metric breaks them silently.
    #[test]
    fn names_are_as_promised() {
        let metrics = Metrics::new();
        let listener = metrics.http.listener("public");
        listener.answered(&::http::Method::GET, ::http::StatusCode::OK);
        listener.took(RequestKind::Forwarded, std::time::Duration::from_millis(1));
        let upstream = metrics.upstream.upstream("booking");
        upstream.answered(::http::StatusCode::OK, std::time::Duration::from_millis(1));
        let _ = upstream.endpoint(0);
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            "usher_http_requests_total{code=\"200\",listener=\"public\",method=\"GET\"} 1",
            "usher_http_request_duration_seconds_count{kind=\"forwarded\",listener=\"public\"} 1",
            "usher_http_requests_in_flight{listener=\"public\"} 0",
            "usher_http_body_bytes_total{direction=\"in\",listener=\"public\"} 0",
            "usher_connections_open{listener=\"public\",protocol=\"http1\"} 0",
            "usher_connections_total{listener=\"public\",protocol=\"http1\"} 0",
            "usher_connections_rejected_total{listener=\"public\",reason=\"first_byte\"} 0",
            "usher_connections_open{listener=\"public\",protocol=\"http2\"} 0",
            "usher_tls_handshake_failures_total{listener=\"public\",reason=\"timeout\"} 0",
            "usher_tunnels_open{listener=\"public\"} 0",
            "usher_client_aborts_total{listener=\"public\",phase=\"upstream\"} 0",
            "usher_upstream_requests_total{code=\"200\",upstream=\"booking\"} 1",
            "usher_upstream_request_duration_seconds_count{upstream=\"booking\"} 1",
            "usher_upstream_connections{state=\"idle\",upstream=\"booking\"} 0",
            "usher_upstream_errors_total{reason=\"pool_wait\",upstream=\"booking\"} 0",
            "usher_upstream_pool_wait_seconds_count{upstream=\"booking\"} 0",
            "usher_upstream_waits_total{rank=\"open\",result=\"refused\",upstream=\"booking\"} 0",
            "usher_upstream_up{upstream=\"booking\"} 1",
            "usher_upstream_endpoint_up{endpoint=\"0\",upstream=\"booking\"} 1",
            "usher_upstream_ejections_total{endpoint=\"0\",upstream=\"booking\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
