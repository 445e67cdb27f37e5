//! Is it alive, is it ready, what has it done.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::json;

use super::problem::Problem;
use crate::App;

/// The process runs and answers. Never asks a dependency.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// A booking would work: the rows can be read and written, and the service is not ending.
///
/// Missing ticket keys do not make it unready: they come from the gateway, which may itself wait for this service. They
/// are shown, and requests with a ticket are answered 503 until they are there.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let rows = sqlx::query("SELECT COUNT(*) FROM event").fetch_one(app.readers()).await.is_ok();
    let writer = app.writer().is_alive();
    let keys = match app.tickets() {
        None => "open",
        Some(tickets) if tickets.has_keys() => "known",
        Some(_) => "missing",
    };
    let ready = rows && writer && !app.is_draining();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let document = json!({
        "ready": ready, "database": rows, "writer": writer, "draining": app.is_draining(), "ticket_keys": keys,
    });
    (status, axum::Json(document)).into_response()
}

/// For Prometheus.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let metrics = app.metrics();
    metrics.units_sold.set(app.board().sold() as i64);
    metrics.queue_depth.set(app.writer().depth() as i64);
    let text = metrics.text().map_err(|error| {
        tracing::error!(%error, "cannot write metrics");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
