//! What operators see: health, readiness, metrics.

use super::ask::Ask;
use super::setup::ROOM;
use super::{Occupied, Setup};

/// A scrape.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The value of one series, labels in alphabetical order.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.series(series).next().unwrap_or_else(|| panic!("{series} is missing in\n{}", self.0))
    }

    fn series(&self, series: &str) -> impl Iterator<Item = f64> {
        let lines = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        lines.filter(move |(name, _)| *name == series).map(|(_, value)| value.parse().unwrap())
    }

    /// How often the store was asked to do this; zero before the first time.
    pub(crate) fn store_operations(&self, operation: &str) -> f64 {
        self.series(&format!("usher_store_operations_total{{operation=\"{operation}\"}}")).sum()
    }

    fn families(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
    }
}

/// Dashboards and alerts are written against these names: all of the contract that this gateway can fill are there,
/// with the labels of the contract and none that would tell visitors apart.
#[tokio::test]
async fn metrics_have_their_names() {
    let limit = "[[rate_limit]]\nname = \"per-client\"\nscope = \"client\"\nrate_per_second = 1000\nburst = 1000\n";
    let Occupied { gateway, insider, origin: _origin } = Occupied::of(|setup: Setup| setup.more(limit)).await;
    let mut visitor = gateway.visitor();
    visitor.send(Ask::page("/")).await.expect(200);
    visitor.position("").await;
    let metrics = gateway.metrics().await;
    let families: Vec<&str> = metrics.families().collect();
    for name in [
        "usher_http_requests_total",
        "usher_http_request_duration_seconds",
        "usher_decisions_total",
        "usher_line_length",
        "usher_active_sessions",
        "usher_active_limit",
        "usher_joins_total",
        "usher_calls_total",
        "usher_admissions_total",
        "usher_departures_total",
        "usher_wait_seconds",
        "usher_estimate_coverage_ratio",
        "usher_polls_total",
        "usher_store_operations_total",
        "usher_store_operation_duration_seconds",
        "usher_store_up",
        "usher_epoch",
        "usher_release_rate",
        "usher_tickets_issued_total",
        "usher_ticket_verifications_total",
        "usher_upstream_requests_total",
        "usher_upstream_request_duration_seconds",
        "usher_upstream_connections",
        "usher_upstream_errors_total",
        "usher_upstream_up",
        "usher_build_info",
        "process_resident_memory_bytes",
    ] {
        assert!(families.contains(&name), "{name} is missing in {families:?}");
    }
    let room = format!("room=\"{ROOM}\"");
    for (series, value) in [
        ("usher_http_requests_total{code=\"200\",listener=\"public\",method=\"GET\"}".to_owned(), 3.0),
        (format!("usher_decisions_total{{outcome=\"admitted\",{room}}}"), 1.0),
        (format!("usher_decisions_total{{outcome=\"waiting\",{room}}}"), 1.0),
        (format!("usher_polls_total{{result=\"waiting\",{room}}}"), 1.0),
        (format!("usher_joins_total{{{room}}}"), 2.0),
        (format!("usher_admissions_total{{{room}}}"), 1.0),
        (format!("usher_tickets_issued_total{{{room}}}"), 1.0),
        (format!("usher_active_limit{{{room}}}"), 1.0),
        (format!("usher_wait_seconds_count{{{room}}}"), 1.0),
        ("usher_upstream_requests_total{code=\"200\",upstream=\"booking\"}".to_owned(), 1.0),
        ("usher_store_up".to_owned(), 1.0),
    ] {
        assert_eq!(metrics.value(&series), value, "{series}");
    }
    for secret in [visitor.token().unwrap(), insider.ticket().unwrap()] {
        assert!(!metrics.0.contains(&secret), "N17");
        assert!(!gateway.process.log().contains(&secret), "N17");
    }
    for line in metrics.0.lines() {
        assert!(!line.contains("127.0.0.1") && !line.contains("/v1"), "{line}");
    }
}

/// Balancers and supervisors ask these; a person sees in `verbose` what is amiss.
#[tokio::test]
async fn health_and_readiness() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    assert_eq!(gateway.admin("/livez").await.expect(200).text(), "ok\n");
    assert_eq!(gateway.admin("/readyz").await.expect(200).text(), "ready\n");
    let verbose = gateway.admin("/readyz?verbose").await.expect(200).text();
    for check in ["[+] listening", "[+] not draining", "[+] store of room concert"] {
        assert!(verbose.contains(check), "{verbose}");
    }
    assert!(gateway.admin("/metrics").await.expect(200).header("content-type").starts_with("text/plain"));
    gateway.admin("/nothing").await.expect(404);
    // The operators' paths are not the public's.
    gateway.send(Ask::get("/metrics")).await.expect(429);
}
