//! Counts and logs every request.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::operation::operation;
use crate::App;
use crate::clock::Stopwatch;

/// One count, one duration and one log line per request. Only failures of ours are logged at a level that is on by
/// default: the gateway has the access log.
pub(super) async fn track(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let operation = operation(request.method(), route);
    let request_id = request.headers().get("x-request-id").cloned();
    let response = next.run(request).await;
    let (status, elapsed) = (response.status(), watch.elapsed().as_secs_f64());
    app.metrics().requests.with_label_values(&[operation, status.as_str()]).inc();
    app.metrics().request_seconds.with_label_values(&[operation]).observe(elapsed);
    let request_id = request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
    let (status, duration_ms) = (status.as_u16(), elapsed * 1_000.0);
    if status >= 500 {
        tracing::warn!(operation, status, duration_ms, request_id, "answered");
    } else {
        tracing::debug!(operation, status, duration_ms, request_id, "answered");
    }
    response
}
